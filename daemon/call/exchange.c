/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests within a dialog that are carried to the other leg, and their answers back: re-INVITE,
 * UPDATE, PRACK, INFO. The first INVITE shares the SDP, the 2xx and the ACK. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/token.h"
#include "call/delayed_offer.h"
#include "call/early.h"
#include "call/internal.h"

#define RETRY_AFTER_GLARE_S 10 /* RFC 3261 14.2: 0 to 10 seconds, by chance */

/* RFC 3261 20.43 */
#define BANDWIDTH_WARNING "370 viaduct \"Insufficient bandwidth\""

int media_error_code(int error)
{
	switch (error) {
	case -EINVAL:
		return SIP_BAD_REQUEST;
	case -EPROTONOSUPPORT:
		return SIP_NOT_ACCEPTABLE_HERE;
	case -EBUSY:
		return SIP_REQUEST_PENDING;
	case -ENOSPC:
		return SIP_SERVICE_UNAVAILABLE;
	case -EDQUOT: /* a change to a call that stands: it stays as it was (RFC 3261 14.2) */
		return SIP_NOT_ACCEPTABLE_HERE;
	default:
		return SIP_INTERNAL_SERVER_ERROR;
	}
}

int carried_error_code(int code)
{
	/* A redirection names places of the other side; a challenge asks for what we do not have.
	 */
	if (code < 400)
		return SIP_TEMPORARILY_UNAVAILABLE;
	if (code == SIP_UNAUTHORIZED || code == SIP_PROXY_AUTHENTICATION_REQUIRED)
		return SIP_FORBIDDEN;
	/* Of a session timer, which is its leg's own matter. */
	if (code == SIP_SESSION_INTERVAL_TOO_SMALL)
		return SIP_INTERNAL_SERVER_ERROR;
	return code;
}

/* ---- SDP ---- */

/* Whether SDP in a message is an offer or an answer hangs on what went before (RFC 3261 13.2.1,
 * RFC 3262 5, RFC 3311 5). */
static bool sdp_is_offer(const struct exchange *x, const osip_message_t *msg)
{
	if (MSG_IS_RESPONSE(msg))
		return x->sdp == SDP_DELAYED;
	return strcmp(msg->sip_method, "PRACK") != 0 || x->sdp == SDP_OFFERED;
}

int exchange_carry_body(
	struct exchange *x, osip_message_t *msg, enum leg from, bool final, osip_message_t *out)
{
	const osip_body_t *sdp = carry_find_sdp(msg);
	char *text = NULL;
	size_t len = 0;
	int ret = 0;

	if (!sdp || x->sdp == SDP_DONE || (MSG_IS_RESPONSE(msg) && x->sdp == SDP_NONE) ||
		(MSG_IS_REQUEST(msg) && MSG_IS_INFO(msg)))
		return carry_bodies(msg, out, NULL, 0);
	/* What a response asks for is there already: it can be counted, not refused. */
	x->call->takes_any = MSG_IS_RESPONSE(msg);
	if (sdp_is_offer(x, msg))
		ret = media_offer(x->call->media, from, sdp->body, sdp->length, &text, &len);
	else
		ret = media_answer(
			x->call->media, from, sdp->body, sdp->length, final, &text, &len);
	if (ret)
		return ret;
	ret = carry_bodies(msg, out, text, len);
	free(text);
	if (ret && sdp_is_offer(x, msg))
		media_offer_failed(x->call->media);
	return ret;
}

void exchange_keep_early_answer(struct pair *pair, const osip_message_t *resp)
{
	const osip_body_t *sdp = carry_find_sdp(resp);
	char *copy = sdp ? strndup(sdp->body, sdp->length) : NULL;

	if (!copy)
		return;
	free(pair->early_answer);
	pair->early_answer = copy;
	pair->early_answer_len = strlen(copy);
}

/* The early answer is the last word on the pending offer. *text (malloc'd): for the asking leg. */
static int conclude_answer(struct exchange *x, const struct pair *pair, char **text, size_t *len)
{

	if (!pair->early_answer)
		return -EINVAL;
	return media_answer(x->call->media, OTHER_LEG(x->from), pair->early_answer,
		pair->early_answer_len, true, text, len);
}

void exchange_note_hold(struct call *call)
{
	struct media_stream_info info;

	if (media_stream_count(call->media) == 0 || media_stream_info(call->media, 0, &info) ||
		info.held == call->held)
		return;
	call->held = info.held;
	call_event(call, call->held ? "hold" : "resume", "%s -> %s", call->from, call->to);
}

/* ---- responses ---- */

int exchange_make_response(struct exchange *x, osip_message_t *resp, int code,
	const char *local_tag, unsigned flags, osip_message_t **out)
{
	const char *phrase = code == resp->status_code ? resp->reason_phrase : NULL;
	const char *rseq = header_value(resp, "RSeq");
	const struct crossing way = {.from = x->call->peer[OTHER_LEG(x->from)],
		.to = x->call->peer[x->from],
		.host = identity_host(
			x->call->calls, x->call->peer[x->from], sip_server_listener(x->server))};
	osip_message_t *req = sip_server_request(x->server), *msg = NULL;
	bool is_update = strcmp(req->sip_method, "UPDATE") == 0;
	int ret;

	ret = sip_response_make(x->server, code, phrase, local_tag, &msg);
	if (ret)
		return ret;
	ret = carry_headers(&way, resp, msg);
	if (flags & RESPONSE_UNRELIABLE)
		option_remove(msg, "Require", "100rel");
	if (!ret && code < 300 && (flags & RESPONSE_NO_SDP))
		ret = carry_bodies(resp, msg, NULL, 0);
	else if (!ret && code < 300)
		ret = exchange_carry_body(x, resp, OTHER_LEG(x->from), flags & RESPONSE_FINAL, msg);
	/* RFC 3261 20 and RFC 3311 6: where a target is refreshed. */
	if (!ret && code < 300 && (x->is_invite || is_update)) {
		ret = sip_set_contact(msg, x->call->calls->sip, sip_server_listener(x->server));
		if (!ret && call_announce(msg, way.to))
			ret = -ENOMEM;
		if (!ret && (flags & RESPONSE_FINAL))
			ret = session_timer_answer(x->call, x->from, req, msg);
	}
	/* Reliable provisional responses that are carried keep their numbers, also when they come
	 * again: the far end's retransmissions (RFC 3262 3) serve for both legs. */
	if (!ret && x->is_invite && code < 200 && rseq && !(flags & RESPONSE_UNRELIABLE) &&
		osip_message_set_header(msg, "RSeq", rseq))
		ret = -ENOMEM;
	if (ret) {
		osip_message_free(msg);
		return ret;
	}
	*out = msg;
	return 0;
}

int exchange_respond(
	struct exchange *x, osip_message_t *resp, int code, const char *local_tag, bool final)
{
	osip_message_t *out = NULL;
	int ret =
		exchange_make_response(x, resp, code, local_tag, final ? RESPONSE_FINAL : 0, &out);

	if (!ret)
		sip_server_respond(x->server, out);
	return ret;
}

void exchange_refuse(struct exchange *x, int code, const char *header, const char *value)
{
	struct sip_server *server = x->server;

	if (!server)
		return;
	x->server = NULL;
	sip_server_reply(server, code, NULL, header, value);
	sip_server_abandon(server);
}

bool exchange_is_pending_invite(const struct exchange *x)
{
	return x->is_invite && (x->server || x->ack_waits);
}

/* The answer that leg B gave early, to an asking leg that has not had it reliably. */
static int put_late_answer(osip_message_t *out, const char *text, size_t len)
{
	if (osip_list_size(&out->bodies) > 0)
		return 0;
	return osip_message_set_body(out, text, len) ||
			       osip_message_set_content_type(out, "application/sdp")
		       ? -ENOMEM
		       : 0;
}

static int make_2xx(struct exchange *x, osip_message_t *resp, osip_message_t **out)
{
	const char *tag = x->pair->leg[x->from].local_tag;
	bool has_sdp = carry_find_sdp(resp) != NULL;
	char *text = NULL;
	size_t len = 0;
	int ret = 0;

	/* Where the 2xx itself has no SDP, the answer was in a reliable provisional response. */
	if (x->sdp == SDP_OFFERED && !has_sdp)
		ret = conclude_answer(x, x->pair, &text, &len);
	if (!ret)
		ret = exchange_make_response(x, resp, resp->status_code, tag,
			RESPONSE_FINAL | (x->converted ? RESPONSE_NO_SDP : 0), out);
	if (!ret && text && !x->pair->answer_told)
		ret = put_late_answer(*out, text, len);
	if (!ret && x->converted)
		ret = delayed_offer_turn(x, resp, *out);
	if (ret) {
		osip_message_free(*out);
		*out = NULL;
	}
	free(text);
	return ret;
}

int exchange_accept(struct exchange *x, osip_message_t *resp)
{
	osip_message_t *out = NULL;
	int ret;

	x->accepted = true;
	x->ack_waits = x->sdp == SDP_DELAYED && !x->converted && carry_find_sdp(resp);
	ret = make_2xx(x, resp, &out);
	if (ret)
		x->ack_waits = false;
	else
		sip_server_respond(x->server, out);
	if (!x->ack_waits)
		exchange_send_ack(x, NULL);
	if (!ret && x->converted)
		x->ack_waits = true; /* the answer, of which leg B needs no ACK any more */
	if (!ret && x->call->state == CALL_ANSWERED)
		exchange_note_hold(x->call);
	return ret;
}

static void timer_c_fired(struct loop_timer *t)
{
	struct exchange *x = (struct exchange *)((char *)t - offsetof(struct exchange, timer_c));

	if (x->accepted || !x->client)
		return;
	if (x->server) {
		if (x->sdp == SDP_OFFERED)
			media_offer_failed(x->call->media);
		exchange_refuse(x, SIP_REQUEST_TIME_OUT, NULL, NULL);
	}
	/* It ends with a 487, or 64*T1 later, as that of a peer that is gone. */
	sip_client_cancel(x->client, NULL);
}

void exchange_start_timer_c(struct exchange *x)
{
	x->timer_c.fire = timer_c_fired;
	loop_timer_start(
		x->call->calls->loop, &x->timer_c, (uint64_t)x->call->cfg->ring_timeout_s * 1000);
}

/* RFC 3261 14.1, RFC 5057 5: the leg that says so knows the dialog no more. An early dialog is one
 * of several perhaps, and the INVITE's own final response is still to come. */
static void end_if_gone(struct call *call, int leg, int code)
{
	if (call->state == CALL_ANSWERED &&
		(code == SIP_CALL_TRANSACTION_DOES_NOT_EXIST || code == SIP_REQUEST_TIME_OUT))
		call_end(call, leg, NULL, "dialog gone");
}

/* Whether what x carries is what RFC 4028 3 calls a session refresh request. */
static bool takes_session_timer(const struct exchange *x)
{
	return x->is_invite || strcmp(sip_server_request(x->server)->sip_method, "UPDATE") == 0;
}

/* A 2xx to a request within the dialog. 0 or -errno: nothing was passed on. */
static int accept_in_dialog(struct exchange *x, osip_message_t *resp)
{
	struct dialog *asking = &x->pair->leg[x->from];
	int ret;

	dialog_refresh_target(&x->pair->leg[OTHER_LEG(x->from)], resp);
	if (takes_session_timer(x))
		session_timer_accepted(x->call, OTHER_LEG(x->from), resp);
	if (x->is_invite)
		ret = exchange_accept(x, resp);
	else if (x->sdp == SDP_OFFERED && !carry_find_sdp(resp))
		ret = -EINVAL; /* RFC 3311 5.2: the answer has to be here */
	else
		ret = exchange_respond(x, resp, resp->status_code, asking->local_tag, true);
	/* RFC 6141 4: what the asking leg changed holds once it is accepted. */
	if (!ret)
		dialog_refresh_target(asking, sip_server_request(x->server));
	return ret;
}

static void response_received(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	struct exchange *x = owner;
	struct call *call = x->call;
	int code = resp->status_code, ret = 0;
	bool refused = code >= 300;

	(void)txn;
	attempt_heard(call, x->client_peer, false);
	if (x->accepted) {
		if (MSG_IS_STATUS_2XX(resp) && x->ack)
			sip_send_again(call->calls->sip, &x->client_dest, x->ack, x->ack_len);
		return;
	}
	if (!x->server) {
		/* The asking leg has gone meanwhile; a 2xx still wants its ACK. */
		if (x->is_invite && MSG_IS_STATUS_2XX(resp) && x->pair)
			exchange_send_ack(x, NULL);
		return;
	}
	if (code < 200) {
		if (!x->is_invite)
			return;
		exchange_start_timer_c(x);
		if (!reliable_may_pass(call, sip_server_request(x->server), resp))
			return;
		if (x->sdp == SDP_OFFERED)
			exchange_keep_early_answer(x->pair, resp);
		x->pair->answer_told |= header_value(resp, "RSeq") && carry_find_sdp(resp);
		exchange_respond(x, resp, code, x->pair->leg[x->from].local_tag, false);
		return;
	}
	if (!refused) {
		ret = accept_in_dialog(x, resp);
	} else {
		if (x->sdp == SDP_OFFERED)
			media_offer_failed(call->media);
		session_timer_too_small(call, OTHER_LEG(x->from), resp);
		ret = exchange_respond(
			x, resp, carried_error_code(code), x->pair->leg[x->from].local_tag, true);
	}
	if (ret) {
		/* The answer makes no sense: the asking leg keeps what it had (RFC 3261 14.1). */
		media_offer_failed(call->media);
		exchange_refuse(x,
			ret == -ENOSPC ? SIP_SERVICE_UNAVAILABLE : SIP_NOT_ACCEPTABLE_HERE, NULL,
			NULL);
		/* RFC 3261 13.2.2.4: an offer that the ACK could not answer. */
		if (x->accepted && x->sdp == SDP_DELAYED) {
			call_end(call, LEG_NONE, "SIP;cause=488;text=\"Unusable SDP\"",
				"unusable offer in a 2xx");
			return;
		}
	} else if (!x->is_invite || refused) {
		refer_passed(call, x->from, x->client_cseq, code, resp);
		sip_server_abandon(x->server);
		x->server = NULL;
		if (!x->is_invite && !refused && x->sdp != SDP_NONE)
			exchange_note_hold(call);
	}
	end_if_gone(call, OTHER_LEG(x->from), code);
}

static void request_failed(void *owner, struct sip_client *txn, int error)
{
	struct exchange *x = owner;
	struct call *call = x->call;

	sip_client_abandon(txn);
	x->client = NULL;
	refer_passed(call, x->from, x->client_cseq, SIP_REQUEST_TIME_OUT, NULL);
	if (call->media && x->sdp == SDP_OFFERED && x->server)
		media_offer_failed(call->media);
	exchange_refuse(x, error == -ETIMEDOUT ? SIP_REQUEST_TIME_OUT : SIP_SERVICE_UNAVAILABLE,
		NULL, NULL);
	/* RFC 3261 12.2.1.2 and 8.1.3.1: no answer ends the dialog, a broken transport does not. */
	if (error == -ETIMEDOUT && call->state == CALL_ANSWERED)
		call_end(call, LEG_NONE, "SIP;cause=408;text=\"Request timeout\"",
			"no answer in dialog");
	else
		exchange_release_if_done(x);
}

static void client_gone(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;

	(void)txn;
	x->client = NULL;
	exchange_release_if_done(x);
}

/* The request goes out again, with credentials. Its CSeq follows whatever the dialog has sent
 * since.
 */
static uint32_t challenged(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;

	(void)txn;
	if (!x->server) /* nobody waits for it any more */
		return 0;
	x->client_cseq = ++x->pair->leg[OTHER_LEG(x->from)].local_cseq;
	return x->client_cseq;
}

static const struct sip_client_handlers client_handlers = {.challenged = challenged,
	.response = response_received,
	.failed = request_failed,
	.gone = client_gone};

static void cancelled(void *owner, struct sip_server *txn, osip_message_t *cancel)
{
	struct exchange *x = owner;
	char reason[REASON_MAX], text[REASON_MAX];

	(void)txn;
	if (x->is_initial) {
		struct rejection why = {.code = SIP_REQUEST_TERMINATED,
			.reason = reason_of(cancel, reason),
			.by_caller = true};

		invite_reject(x->call, &why);
	} else if (x->client) {
		sip_client_cancel(
			x->client, reason_for(x->client_peer, reason_of(cancel, reason), text));
	}
}

/* No ACK will come for the 2xx of x. */
static void give_up_ack(struct exchange *x)
{
	struct call *call = x->call;

	call->calls->counters.not_acked++;
	if (call->state == CALL_ENDING) {
		if (x->bye_after_ack)
			call_bye_leg(call, x->from, NULL);
		exchange_free(x);
		call_release_if_done(call);
	} else {
		/* RFC 3261 13.3.1.4 */
		call_end(call, LEG_NONE, "SIP;cause=408;text=\"No ACK\"", "no ACK");
	}
}

static void not_acked(void *owner, struct sip_server *txn)
{
	struct exchange *x = owner;

	sip_server_abandon(txn);
	x->server = NULL;
	give_up_ack(x);
}

/* Before we were done with it: its listener was closed. Nobody can be answered any more. */
static void server_gone(void *owner, struct sip_server *txn)
{
	struct exchange *x = owner;
	struct rejection why = {.code = SIP_SERVICE_UNAVAILABLE};

	(void)txn;
	x->server = NULL;
	if (x->accepted) {
		give_up_ack(x);
	} else if (x->is_initial) {
		invite_reject(x->call, &why);
	} else {
		if (x->call->media && x->sdp == SDP_OFFERED)
			media_offer_failed(x->call->media);
		if (x->client && x->is_invite)
			sip_client_cancel(x->client, NULL);
		exchange_release_if_done(x);
	}
}

const struct sip_server_handlers exchange_server_handlers = {
	.cancelled = cancelled, .not_acked = not_acked, .gone = server_gone};

/* ---- requests ---- */

/* Whether what was admitted as said's may be of's, whose name stands for that source too. */
static bool is_from_peer(
	struct calls *calls, const struct peer_config *said, const struct peer_config *of)
{
	return strcmp(said->name, of->name) == 0 ||
	       (of->host && peers_share_source(calls->peers, of->name, said));
}

struct pair *pair_by_ids(struct calls *calls, const char *call_id, const char *local_tag,
	const char *remote_tag, enum leg *leg)
{
	struct pair *pair;
	struct tag *tag;

	if (strlen(local_tag) != DIALOG_TAG_LEN)
		return NULL;
	HASH_FIND(hh, calls->tags, local_tag, DIALOG_TAG_LEN, tag);
	if (!tag)
		return NULL;
	*leg = tag->leg;
	pair = tag->leg == LEG_A ? tag->pair : pair_by_tags(tag->call, local_tag, remote_tag);
	if (pair && !pair->has_dialog_a)
		early_fold(pair);
	/* A branch of a fork that was too late is no dialog to carry anything in. */
	if (!pair || !pair->has_dialog_a || (pair->call->answered && pair->call->answered != pair))
		return NULL;
	if (strcmp(pair->leg[*leg].remote_tag, remote_tag) != 0 ||
		strcmp(pair->leg[*leg].call_id, call_id) != 0)
		return NULL;
	return pair;
}

struct pair *pair_of_message(
	struct calls *calls, osip_message_t *msg, const struct peer_config *peer, enum leg *leg)
{
	struct pair *pair = NULL;
	char *call_id = NULL;

	if (osip_call_id_to_str(msg->call_id, &call_id))
		return NULL;
	pair = pair_by_ids(calls, call_id, sip_tag(msg->to), sip_tag(msg->from), leg);
	osip_free(call_id);
	return pair && is_from_peer(calls, peer, pair->leg[*leg].peer) ? pair : NULL;
}

int exchange_glare(struct call *call, enum leg leg, bool is_invite, bool has_offer)
{
	const struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		bool delayed = x->sdp == SDP_DELAYED && media_offer_pending(call->media);
		bool open_offer = x->server && (delayed || (x->sdp == SDP_OFFERED && !x->accepted));
		enum leg first = x->from;

		if (own_request_is_open(x) && (is_invite || has_offer))
			return SIP_REQUEST_PENDING;

		if (!(is_invite && exchange_is_pending_invite(x))) {
			if (!(is_invite || has_offer) || !open_offer)
				continue;
			first = delayed ? OTHER_LEG(x->from) : x->from;
		}
		return first == leg ? SIP_INTERNAL_SERVER_ERROR : SIP_REQUEST_PENDING;
	}
	return 0;
}

/* Before the 2xx, an offer may follow an answer that came in a reliable provisional response (RFC
 * 3262 5, RFC 3311 5.1): that answer is then the last word on the INVITE's offer. */
static void conclude_early_answer(struct call *call, struct pair *pair)
{
	struct exchange *x;
	char *text = NULL;
	size_t len;

	if (!pair->early_answer)
		return;
	DL_FOREACH (call->exchanges, x) {
		if (x->is_invite && x->server && !x->accepted && x->sdp == SDP_OFFERED &&
			(x->is_initial || x->pair == pair) &&
			conclude_answer(x, pair, &text, &len) == 0)
			x->sdp = SDP_DONE;
		free(text);
		text = NULL;
	}
}

/* RAck names the INVITE by its CSeq, which differs on the other leg (RFC 3262 7.2). */
static int map_rack(struct call *call, enum leg leg, const osip_message_t *req, osip_message_t *out)
{
	const char *rack = header_value(req, "RAck");
	const struct exchange *x;
	unsigned rseq, cseq;
	char text[64];

	if (!rack || sscanf(rack, "%u %u", &rseq, &cseq) != 2)
		return -EINVAL;
	DL_FOREACH (call->exchanges, x) {
		if (x->is_invite && x->from == leg && x->client && x->server &&
			sip_cseq_number(sip_server_request(x->server)) == cseq) {
			snprintf(text, sizeof(text), "%u %u INVITE", rseq, x->client_cseq);
			return osip_message_set_header(out, "RAck", text) ? -ENOMEM : 0;
		}
	}
	return -ENOENT;
}

/* The INVITE of that leg whose offer, come in a reliable provisional response, waits for its answer
 * in a PRACK (RFC 3262 5). */
static struct exchange *delayed_invite(struct call *call, enum leg leg)
{
	struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		if (x->is_invite && x->from == leg && x->sdp == SDP_DELAYED && x->server &&
			!x->converted)
			break;
	}
	return x;
}

/* What the SDP in a request is. In a PRACK: the answer to an offer in the provisional response, or
 * an offer anew. */
static enum exchange_sdp request_sdp(struct call *call, enum leg leg, const osip_message_t *req)
{
	bool has_sdp = carry_find_sdp(req) != NULL;

	if (MSG_IS_INVITE(req))
		return has_sdp ? SDP_OFFERED : SDP_DELAYED;
	if (!has_sdp || MSG_IS_INFO(req))
		return SDP_NONE;
	if (strcmp(req->sip_method, "PRACK") == 0 && delayed_invite(call, leg))
		return SDP_NONE;
	return SDP_OFFERED;
}

static void refuse_glare(struct sip_server *txn, int code)
{
	char seconds[16];

	if (code == SIP_REQUEST_PENDING) {
		sip_server_reply(txn, code, NULL, NULL, NULL);
		return;
	}
	snprintf(seconds, sizeof(seconds), "%u",
		(unsigned)(token_random64() % (RETRY_AFTER_GLARE_S + 1)));
	sip_server_reply(txn, code, NULL, "Retry-After", seconds);
}

void exchange_carry(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	struct call *call = pair->call;
	struct dialog *to = &pair->leg[OTHER_LEG(leg)];
	const struct crossing way = {.from = call->peer[leg],
		.to = to->peer,
		.host = identity_host(call->calls, to->peer, to->listener)};
	bool is_invite = MSG_IS_INVITE(req);
	bool is_prack = strcmp(req->sip_method, "PRACK") == 0;
	bool is_update = strcmp(req->sip_method, "UPDATE") == 0;
	enum exchange_sdp sdp = request_sdp(call, leg, req);
	osip_message_t *out = NULL;
	struct exchange *x, *delayed = is_prack ? delayed_invite(call, leg) : NULL;
	char seconds[16];
	int ret, code;

	if (call->leg_gone[OTHER_LEG(leg)]) {
		refuse_glare(txn,
			is_invite || is_update ? SIP_REQUEST_PENDING : SIP_INTERNAL_SERVER_ERROR);
		return;
	}
	if (is_invite && call->state != CALL_ANSWERED) {
		refuse_glare(txn, leg == LEG_A ? SIP_INTERNAL_SERVER_ERROR : SIP_REQUEST_PENDING);
		return;
	}
	if (!is_invite && sdp == SDP_OFFERED && !reliable_may_offer(pair)) {
		refuse_glare(txn, SIP_REQUEST_PENDING);
		return;
	}
	if (!is_invite && sdp == SDP_OFFERED)
		conclude_early_answer(call, pair);
	code = exchange_glare(call, leg, is_invite, sdp == SDP_OFFERED);
	if (code) {
		if (!is_invite || !held_back_take(pair, leg, txn))
			refuse_glare(txn, code);
		return;
	}
	if (is_invite && delayed_offer_received(pair, leg, txn, req))
		return;
	x = exchange_new(call, leg);
	if (!x) {
		snprintf(seconds, sizeof(seconds), "%d", RETRY_AFTER_S);
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, NULL, "Retry-After", seconds);
		return;
	}
	x->pair = pair;
	x->server = txn;
	x->is_invite = is_invite;
	x->sdp = sdp;
	sip_server_set_owner(txn, x, &exchange_server_handlers);
	if (is_invite) {
		free(pair->early_answer);
		pair->early_answer = NULL;
		pair->answer_told = false;
	}

	ret = dialog_request(to, call->calls->sip, req->sip_method, &out);
	if (!ret)
		ret = carry_headers(&way, req, out);
	if (!ret && is_prack) {
		ret = map_rack(call, leg, req, out);
		if (ret == -ENOENT || ret == -EINVAL) {
			exchange_refuse(x,
				ret == -EINVAL ? SIP_BAD_REQUEST
					       : SIP_CALL_TRANSACTION_DOES_NOT_EXIST,
				NULL, NULL);
			osip_message_free(out);
			exchange_free(x);
			return;
		}
	}
	if (!ret)
		ret = exchange_carry_body(x, req, leg, true, out);
	if (!ret)
		ret = refer_carry(call, req, out);
	if (!ret && (is_invite || is_update))
		ret = call_announce(out, way.to);
	if (!ret && is_invite)
		reliable_carry(call, out);
	if (!ret && (is_invite || is_update))
		ret = session_timer_ask(call, OTHER_LEG(leg), out);
	if (ret) {
		osip_message_free(out);
		exchange_refuse(x, media_error_code(ret), ret == -EDQUOT ? "Warning" : NULL,
			BANDWIDTH_WARNING);
		exchange_free(x);
		return;
	}
	x->client_cseq = to->local_cseq;
	x->client_peer = to->peer;
	x->client_dest = to->dest;
	ret = sip_client_send(
		call->calls->sip, &x->client_dest, out, x, &client_handlers, &x->client);
	if (ret) {
		if (x->sdp == SDP_OFFERED)
			media_offer_failed(call->media);
		exchange_refuse(x, SIP_SERVICE_UNAVAILABLE, NULL, NULL);
		exchange_free(x);
		return;
	}
	if (delayed && carry_find_sdp(req))
		delayed->sdp = SDP_DONE;
	if (is_invite)
		exchange_start_timer_c(x);
}

/* INVITE and UPDATE: for how long, and whether they are but a refresh. Answered when so. */
static bool session_timer_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	char value[SESSION_TIMER_VALUE_MAX];
	const char *header;
	int code = session_timer_check(pair->leg[leg].peer, req, &header, value);

	if (code) {
		sip_server_reply(txn, code, NULL, header, header ? value : NULL);
		return true;
	}
	return session_refresh_received(pair, leg, txn, req);
}

void request_in_dialog(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer)
{
	char *unsupported = NULL;
	struct pair *pair;
	enum leg leg;
	int ret;

	pair = pair_of_message(calls, req, peer, &leg);
	if (!pair) {
		sip_server_reply(txn, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
		return;
	}
	if (!dialog_take_cseq(&pair->leg[leg], req)) {
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, "CSeq out of order", NULL, NULL);
		return;
	}
	if (MSG_IS_BYE(req)) {
		bye_received(pair, leg, txn, req);
		return;
	}
	if (pair->call->state == CALL_ENDING) {
		sip_server_reply(txn, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
		return;
	}
	ret = carry_check_require(req, peer, &unsupported);
	if (ret) {
		sip_server_reply(txn,
			ret == -EOPNOTSUPP ? SIP_BAD_EXTENSION : SIP_INTERNAL_SERVER_ERROR, NULL,
			unsupported ? "Unsupported" : NULL, unsupported);
		free(unsupported);
		return;
	}
	if ((MSG_IS_INVITE(req) || strcmp(req->sip_method, "UPDATE") == 0) &&
		session_timer_received(pair, leg, txn, req))
		return;
	if (strcmp(req->sip_method, "PRACK") == 0 && reliable_prack_received(pair, leg, txn, req))
		return;
	if (MSG_IS_OPTIONS(req)) {
		sip_server_reply(txn, SIP_OK, NULL, "Allow", call_allow(peer));
	} else if (MSG_IS_REFER(req)) {
		refer_received(pair, leg, txn, req);
	} else if (MSG_IS_NOTIFY(req) && refer_notify_expected(pair->call, leg, req)) {
		exchange_carry(pair, leg, txn, req);
	} else if (MSG_IS_INVITE(req) || MSG_IS_INFO(req) ||
		   strcmp(req->sip_method, "PRACK") == 0 ||
		   strcmp(req->sip_method, "UPDATE") == 0) {
		exchange_carry(pair, leg, txn, req);
	} else {
		bool known = MSG_IS_NOTIFY(req) || MSG_IS_SUBSCRIBE(req) || MSG_IS_MESSAGE(req) ||
			     MSG_IS_REGISTER(req) || MSG_IS_PUBLISH(req);

		sip_server_reply(txn, known ? SIP_METHOD_NOT_ALLOWED : SIP_NOT_IMPLEMENTED, NULL,
			"Allow", call_allow(peer));
	}
}
