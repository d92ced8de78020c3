/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests within a dialog that are carried to the other leg, and their answers back: re-INVITE,
 * UPDATE, PRACK, INFO. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/attempt.h"
#include "call/carry.h"
#include "call/delayed_offer.h"
#include "call/early.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/own_request.h"
#include "call/refer.h"
#include "call/session_timer.h"

/* RFC 3261 20.43 */
#define BANDWIDTH_WARNING "370 viaduct \"Insufficient bandwidth\""

#define MS_A_SEC 1000

static void timer_c_fired(struct loop_timer *t)
{
	struct exchange *x = (struct exchange *)((char *)t - offsetof(struct exchange, timer_c));

	if (x->accepted || !x->client)
		return;
	if (x->server) {
		if (x->sdp == SDP_OFFERED)
			media_offer_failed(x->call->media);
		/* RFC 5057 5.1: 408 would tell the asking leg that its dialog is gone. */
		exchange_refuse(x, SIP_SERVER_TIME_OUT, NULL, NULL);
	}
	/* It ends with a 487, or 64*T1 later, as that of a peer that is gone. */
	sip_client_cancel(x->client, NULL);
}

void exchange_start_timer_c(struct exchange *x)
{
	const struct call *call = x->call;

	x->timer_c.fire = timer_c_fired;
	x->give_up_ms =
		loop_now_ms(call->calls->loop) + (uint64_t)call->cfg->reinvite_timeout_s * MS_A_SEC;
	exchange_extend_timer_c(x);
}

void exchange_extend_timer_c(struct exchange *x)
{
	const struct call *call = x->call;
	uint64_t now = loop_now_ms(call->calls->loop);
	uint64_t wait = (uint64_t)call->cfg->ring_timeout_s * MS_A_SEC;

	if (now + wait > x->give_up_ms)
		wait = x->give_up_ms > now ? x->give_up_ms - now : 0;
	loop_timer_start(call->calls->loop, &x->timer_c, wait);
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

/* A 2xx that the CANCEL was too late for: it wants its ACK (RFC 3261 9.1), and its leg the media
 * that the other one has kept. */
static void take_late_2xx(struct exchange *x)
{
	struct call *call = x->call;
	enum leg leg = OTHER_LEG(x->from);

	x->accepted = true;
	exchange_send_ack(x, NULL);
	if (call->state == CALL_ANSWERED && x->pair == call->answered && !call->leg_gone[leg])
		own_request_restore(call, leg);
}

/* RFC 3262 3: a PRACK for what has its PRACK gets 481. It has come again, for its answer was lost
 * with the daemon before us. */
static bool prack_was_taken(const struct exchange *x, int code)
{
	return code == SIP_CALL_TRANSACTION_DOES_NOT_EXIST && x->call->adopted &&
	       x->sdp == SDP_NONE &&
	       strcmp(sip_server_request(x->server)->sip_method, "PRACK") == 0;
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
		/* The asking leg has its answer, or is gone. */
		if (x->is_invite && MSG_IS_STATUS_2XX(resp) && x->pair)
			take_late_2xx(x);
		return;
	}
	if (code < 200) {
		if (!x->is_invite)
			return;
		exchange_extend_timer_c(x);
		if (!reliable_may_pass(call, sip_server_request(x->server), resp))
			return;
		if (x->sdp == SDP_OFFERED)
			exchange_keep_early_answer(x->pair, resp);
		x->pair->answer_told |= header_value(resp, "RSeq") && carry_find_sdp(resp);
		exchange_respond(x, resp, code, x->pair->leg[x->from].local_tag, false);
		return;
	}
	if (prack_was_taken(x, code)) {
		exchange_refuse(x, SIP_OK, NULL, NULL);
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

static uint32_t out_of_order(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;

	if (!x->is_repeat)
		return 0;
	x->is_repeat = false;
	return challenged(owner, txn);
}

const struct sip_client_handlers exchange_client_handlers = {.challenged = challenged,
	.out_of_order = out_of_order,
	.response = response_received,
	.failed = request_failed,
	.gone = client_gone};

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
			exchange_conclude_answer(x, pair, &text, &len) == 0)
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

void exchange_carry(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	struct call *call = pair->call;
	struct dialog *to = &pair->leg[OTHER_LEG(leg)];
	struct crossing way = {.from = call->peer[leg],
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
		exchange_refuse_glare(txn,
			is_invite || is_update ? SIP_REQUEST_PENDING : SIP_INTERNAL_SERVER_ERROR);
		return;
	}
	if (is_invite && call->state != CALL_ANSWERED) {
		exchange_refuse_glare(
			txn, leg == LEG_A ? SIP_INTERNAL_SERVER_ERROR : SIP_REQUEST_PENDING);
		return;
	}
	if (!is_invite && sdp == SDP_OFFERED && !reliable_may_offer(pair)) {
		exchange_refuse_glare(txn, SIP_REQUEST_PENDING);
		return;
	}
	if (!is_invite && sdp == SDP_OFFERED)
		conclude_early_answer(call, pair);
	code = exchange_glare(call, leg, is_invite, sdp == SDP_OFFERED);
	if (code) {
		if (!is_invite || !held_back_take(pair, leg, txn))
			exchange_refuse_glare(txn, code);
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

	identity_keep(&way, call, leg);
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
		if (ret == -EPROTONOSUPPORT)
			call_event(call, "refused", "%s -> %s, a change by leg %c: %d by us: %s",
				call->from, call->to, leg == LEG_A ? 'a' : 'b',
				SIP_NOT_ACCEPTABLE_HERE, media_unsupported(call->calls->media));
		exchange_refuse(x, media_error_code(ret),
			ret == -EDQUOT || ret == -EPROTONOSUPPORT ? "Warning" : NULL,
			ret == -EDQUOT ? BANDWIDTH_WARNING : UNSUPPORTED_WARNING);
		exchange_free(x);
		return;
	}
	x->client_cseq = to->local_cseq;
	x->client_peer = to->peer;
	x->client_dest = to->dest;
	ret = sip_client_send(
		call->calls->sip, &x->client_dest, out, x, &exchange_client_handlers, &x->client);
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
	call_touch(call);
}
