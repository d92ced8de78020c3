/* SPDX-License-Identifier: BSD-2-Clause */
/* The first INVITE: admission, the peers of the route one after the other, forked early dialogs,
 * the answer, and the ways not to get one. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/token.h"
#include "call/internal.h"

#define CALL_ID_LEN 24

static void try_next_peer(struct call *call);

/* ---- numbers and URIs ---- */

int number_of(const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1])
{
	const char *text = "";
	size_t n;

	number[0] = '\0';
	if (uri && uri->scheme && strcasecmp(uri->scheme, "tel") == 0 && uri->string)
		text = uri->string;
	else if (uri && uri->username)
		text = uri->username;
	n = strcspn(text, ";");
	if (n > CALL_NUMBER_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (iscntrl((unsigned char)text[i]))
			return -EINVAL;
	}
	memcpy(number, text, n);
	number[n] = '\0';
	return 0;
}

static osip_uri_t *uri_make(const char *user, const char *host, uint16_t port)
{
	osip_uri_t *uri = NULL;
	size_t n = strlen(host);
	char text[8];

	if (osip_uri_init(&uri))
		return NULL;
	/* libosip2 writes the brackets of an IPv6 host itself. */
	if (n > 2 && host[0] == '[') {
		host++;
		n -= 2;
	}
	osip_uri_set_scheme(uri, osip_strdup("sip"));
	if (user && user[0])
		osip_uri_set_username(uri, osip_strdup(user));
	osip_uri_set_host(uri, osip_malloc(n + 1));
	if (!uri->host) {
		osip_uri_free(uri);
		return NULL;
	}
	memcpy(uri->host, host, n);
	uri->host[n] = '\0';
	if (port && port != 5060) {
		snprintf(text, sizeof(text), "%u", port);
		osip_uri_set_port(uri, osip_strdup(text));
	}
	return uri;
}

/* RFC 3323 4.1.1.3: the host that says "I withhold my name". */
#define ANONYMOUS_HOST "anonymous.invalid"

static int set_from(
	struct call *call, const osip_message_t *req, osip_message_t *out, unsigned listener)
{
	const osip_uri_t *theirs = req->from->url;
	bool anonymous = theirs && theirs->host && strcasecmp(theirs->host, ANONYMOUS_HOST) == 0;
	osip_from_t *from = NULL;

	if (osip_from_init(&from))
		return -ENOMEM;
	out->from = from;
	if (req->from->displayname)
		from->displayname = osip_strdup(req->from->displayname);
	from->url = uri_make(call->from,
		anonymous ? ANONYMOUS_HOST : sip_listener_host(call->calls->sip, listener), 0);
	if (!from->url || osip_from_set_tag(from, osip_strdup(call->tag_b.text)))
		return -ENOMEM;
	return 0;
}

static int set_max_forwards(const osip_message_t *req, osip_message_t *out, unsigned initial)
{
	const char *value = header_value(req, "Max-Forwards");
	unsigned long left = value ? strtoul(value, NULL, 10) : initial;
	char text[16];

	if (left > 255)
		left = 255;
	snprintf(text, sizeof(text), "%lu", left ? left - 1 : 0);
	return osip_message_set_header(out, "Max-Forwards", text) ? -ENOMEM : 0;
}

/* The INVITE to leg B: a dialog of its own, the caller's end-to-end header fields and bodies. */
static int make_invite(struct call *call, const struct peer_config *peer, osip_message_t *req,
	osip_message_t **out)
{
	osip_message_t *msg = NULL;
	char host[ADDR_TEXT_MAX], text[128], call_id[CALL_ID_LEN + 1];
	unsigned listener = call->initial->client_dest.listener;
	osip_uri_param_t *user = NULL;
	osip_uri_t *uri;
	int ret = -ENOMEM;

	if (osip_message_init(&msg))
		return -ENOMEM;
	osip_message_set_method(msg, osip_strdup("INVITE"));
	osip_message_set_version(msg, osip_strdup("SIP/2.0"));
	addr_print_ip(&peer->address, host);
	uri = uri_make(call->to, host, peer->address.port);
	if (!uri)
		goto fail;
	osip_message_set_uri(msg, uri);
	osip_uri_param_get_byname(&req->req_uri->url_params, (char *)"user", &user);
	if (user && user->gvalue && strcasecmp(user->gvalue, "phone") == 0)
		osip_uri_set_user_phone(uri);
	if (osip_to_init(&msg->to) || !(msg->to->url = uri_make(call->to, host, 0)))
		goto fail;
	ret = set_from(call, req, msg, listener);
	if (ret)
		goto fail;
	ret = -ENOMEM;
	token_make(call_id, CALL_ID_LEN);
	snprintf(text, sizeof(text), "%s@%s", call_id,
		sip_listener_host(call->calls->sip, listener));
	if (osip_message_set_call_id(msg, text) || osip_message_set_cseq(msg, "1 INVITE"))
		goto fail;
	ret = sip_set_contact(msg, call->calls->sip, listener);
	if (!ret)
		ret = set_max_forwards(req, msg, call->cfg->max_forwards);
	if (!ret)
		ret = carry_headers(req, msg);
	if (!ret && osip_message_set_header(msg, "Allow", CALL_ALLOW))
		ret = -ENOMEM;
	if (!ret)
		ret = exchange_carry_body(call->initial, req, LEG_A, true, msg);
	if (ret)
		goto fail;
	*out = msg;
	return 0;
fail:
	osip_message_free(msg);
	return ret;
}

/* ---- not answered ---- */

void invite_reject(struct call *call, const struct rejection *why)
{
	struct exchange *x, *next;
	struct sip_server *server = call->initial ? call->initial->server : NULL;
	osip_message_t *out = NULL;
	struct ending end = {.code = why->code, .by = LEG_NONE, .reason = why->reason};
	char text[64];

	if (call->state == CALL_ENDING)
		return;
	if (why->by_caller)
		end.by = LEG_A;
	else if (why->resp)
		end.by = LEG_B;
	snprintf(text, sizeof(text), "not answered: %d", why->code);
	end.why = why->by_caller ? "given up by the caller" : text;
	call_finish(call, &end);
	if (server) {
		call->initial->server = NULL;
		if (sip_response_make(server, why->code, why->phrase, NULL, &out) == 0) {
			if (why->resp)
				carry_headers(why->resp, out);
			if (why->header)
				osip_message_set_header(out, why->header, why->value);
			if (why->reason && !why->resp)
				osip_message_set_header(out, "Reason", why->reason);
			sip_server_respond(server, out);
		}
		sip_server_abandon(server);
	}
	DL_FOREACH_SAFE (call->exchanges, x, next) {
		exchange_refuse(x, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL);
		if (x->client && x->is_initial)
			sip_client_cancel(x->client, why->reason);
		else
			exchange_free(x);
	}
	call_release_if_done(call);
}

/* ---- responses of leg B ---- */

/* The pair of the early or confirmed dialog that resp belongs to, made on its first response. */
static struct pair *pair_for_response(
	struct exchange *x, struct sip_client *txn, osip_message_t *resp)
{
	struct call *call = x->call;
	osip_message_t *invite = sip_client_request(txn);
	struct pair *pair;

	if (!invite)
		return NULL;
	pair = pair_by_tags(call, sip_tag(invite->from), sip_tag(resp->to));
	if (pair) {
		dialog_take_response(&pair->leg[LEG_B], resp);
		return pair;
	}
	pair = pair_new(call);
	if (!pair)
		return NULL;
	if (dialog_init_uac(
		    &pair->leg[LEG_B], invite, resp, x->client_dest.listener, x->client_peer)) {
		pair_free(pair);
		return NULL;
	}
	if (!x->server || x->accepted)
		return pair;
	token_make(pair->tag_a.text, DIALOG_TAG_LEN);
	if (dialog_init_uas(&pair->leg[LEG_A], x->server, pair->tag_a.text)) {
		pair_free(pair);
		return NULL;
	}
	pair->tag_a.leg = LEG_A;
	pair->tag_a.call = call;
	pair->tag_a.pair = pair;
	if (tag_add(call->calls, &pair->tag_a)) {
		dialog_clear(&pair->leg[LEG_A]);
		pair_free(pair);
		return NULL;
	}
	pair->has_dialog_a = true;
	return pair;
}

/* All dialogs of the call but one end for leg A, with what is under way in them. The first INVITE
 * is in none of them: it hears of every branch, also after the 2xx of one was of no use. */
static void retire_other_pairs(struct call *call, const struct pair *keep)
{
	struct pair *pair;

	DL_FOREACH (call->pairs, pair) {
		struct exchange *x, *next;

		if (pair == keep || pair->retired)
			continue;
		DL_FOREACH_SAFE (call->exchanges, x, next) {
			if (x->pair != pair || x->is_initial)
				continue;
			exchange_refuse(x, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL);
			exchange_free(x);
		}
		pair_retire(pair);
	}
}

/* A 2xx has its dialog even where early ones have taken every place. */
static struct pair *pair_for_2xx(struct exchange *x, struct sip_client *txn, osip_message_t *resp)
{
	struct pair *pair = pair_for_response(x, txn, resp);

	if (!pair) {
		retire_other_pairs(x->call, x->call->answered);
		pair = pair_for_response(x, txn, resp);
	}
	return pair;
}

static void provisional(struct exchange *x, struct sip_client *txn, osip_message_t *resp)
{
	struct call *call = x->call;
	struct pair *pair;
	int ret;

	/* RFC 3261 16.6 timer C, started anew by each. */
	loop_timer_start(call->calls->loop, &call->attempt_timer,
		(uint64_t)call->cfg->ring_timeout_s * 1000);
	if (resp->status_code == SIP_TRYING)
		return;
	history_ring(call);
	pair = pair_for_response(x, txn, resp);
	if (!pair)
		return;
	if (x->sdp == SDP_OFFERED)
		exchange_keep_early_answer(pair, resp);
	ret = exchange_respond(x, resp, resp->status_code, pair->leg[LEG_A].local_tag, false);
	if (ret)
		log_limited(LOG_LEVEL_WARN, "call %llu: %d of %s left out: %s",
			(unsigned long long)call->id, resp->status_code, x->client_peer->name,
			strerror(-ret));
	if (call->state == CALL_SETUP) {
		call->state = CALL_RINGING;
		call_event(call, "ringing", "%s -> %s at %s: %d", call->from, call->to,
			x->client_peer->name, resp->status_code);
	}
}

/* A 2xx that has no taker: the caller has gone, or another branch of the fork was faster. */
static void refuse_2xx(struct exchange *x, struct sip_client *txn, osip_message_t *resp)
{
	struct call *call = x->call;
	struct pair *pair = pair_for_2xx(x, txn, resp);
	osip_message_t *ack = NULL;

	if (!pair)
		return;
	if (dialog_ack(&pair->leg[LEG_B], call->calls->sip, x->client_cseq, &ack) == 0)
		sip_send_ack(call->calls->sip, &pair->leg[LEG_B].dest, ack, NULL, NULL);
	if (!pair->refused)
		dialog_bye(call, &pair->leg[LEG_B], NULL);
	pair->refused = true;
}

static void answered(struct exchange *x, struct sip_client *txn, osip_message_t *resp)
{
	struct call *call = x->call;
	struct pair *pair = pair_for_2xx(x, txn, resp);
	struct rejection why = {.code = SIP_BAD_GATEWAY};
	int ret;

	loop_timer_stop(call->calls->loop, &call->attempt_timer);
	if (!pair) {
		invite_reject(call, &why);
		return;
	}
	x->pair = pair;
	ret = exchange_accept(x, resp);
	if (ret) {
		/* Its SDP is of no use: the callee is told so by BYE, the caller by a code. */
		log_limited(LOG_LEVEL_WARN, "call %llu: the answer of %s cannot be used: %s",
			(unsigned long long)call->id, x->client_peer->name, strerror(-ret));
		dialog_bye(call, &pair->leg[LEG_B], "SIP;cause=488;text=\"Unusable SDP\"");
		pair->refused = true;
		why.code = ret == -EPROTONOSUPPORT ? SIP_NOT_ACCEPTABLE_HERE : SIP_BAD_GATEWAY;
		invite_reject(call, &why);
		return;
	}
	call->answered = pair;
	call->calls->counters.answered++;
	history_attempt_over(call, resp->status_code);
	free(pair->early_answer);
	pair->early_answer = NULL;
	retire_other_pairs(call, pair);
	merge_key_del(call);
	call->state = CALL_ANSWERED;
	call->answered_ms = loop_now_ms(call->calls->loop);
	media_session_start(call->media);
	call_event(call, "answer", "%s -> %s at %s", call->from, call->to, x->client_peer->name);
}

/* Whether a refusal says that the peer, not the called party, is the trouble. */
static bool moves_on(int code)
{
	return code == SIP_REQUEST_TIME_OUT || code == SIP_SERVICE_UNAVAILABLE;
}

/* Takes the next peer of the route, if there is one. Once offer and answer are done with early on,
 * the caller's offer is used up. */
static bool fail_over(struct call *call, int code)
{
	if (call->attempt + 1 >= call->route.to_count || call->initial->sdp == SDP_DONE)
		return false;
	call->attempt++;
	call->last_error = code;
	call->calls->counters.failovers++;
	try_next_peer(call);
	return true;
}

static void refused(struct exchange *x, osip_message_t *resp)
{
	struct call *call = x->call;
	struct rejection why = {.code = carried_error_code(resp->status_code), .resp = resp};

	sip_client_abandon(x->client);
	x->client = NULL;
	history_attempt_over(call, resp->status_code);
	call_event(call, "refused", "%s -> %s at %s: %d", call->from, call->to,
		x->client_peer->name, resp->status_code);
	if (moves_on(resp->status_code) && fail_over(call, resp->status_code))
		return;
	if (why.code == resp->status_code)
		why.phrase = resp->reason_phrase;
	invite_reject(call, &why);
}

static void response_received(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	struct exchange *x = owner;
	int code = resp->status_code;

	if (x->accepted && code >= 200 && code < 300) {
		if (strcmp(x->pair->leg[LEG_B].remote_tag, sip_tag(resp->to)) == 0) {
			if (x->ack)
				sip_send_again(
					x->call->calls->sip, &x->client_dest, x->ack, x->ack_len);
		} else {
			refuse_2xx(x, txn, resp);
		}
		return;
	}
	if (!x->server) {
		if (code >= 200 && code < 300)
			refuse_2xx(x, txn, resp);
		return;
	}
	if (code < 200 && !x->accepted)
		provisional(x, txn, resp);
	else if (x->accepted)
		return;
	else if (code < 300)
		answered(x, txn, resp);
	else
		refused(x, resp);
}

static void attempt_failed(struct call *call, int code)
{
	struct rejection why = {.code = code};

	history_attempt_over(call, code);
	call_event(call, "refused", "%s -> %s at %s: %s", call->from, call->to,
		call->peer[LEG_B]->name,
		code == SIP_REQUEST_TIME_OUT ? "no answer" : "not reachable");
	if (!fail_over(call, code))
		invite_reject(call, &why);
}

static void invite_failed(void *owner, struct sip_client *txn, int error)
{
	struct exchange *x = owner;

	(void)txn;
	if (!x->server || x->call->initial != x)
		return;
	sip_client_abandon(x->client);
	x->client = NULL;
	attempt_failed(
		x->call, error == -ETIMEDOUT ? SIP_REQUEST_TIME_OUT : SIP_SERVICE_UNAVAILABLE);
}

static void client_gone(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;
	struct call *call = x->call;
	struct pair *pair, *next;

	(void)txn;
	x->client = NULL;
	/* From here on no branch of the fork can answer any more. */
	DL_FOREACH_SAFE (call->pairs, pair, next) {
		if (x == call->initial && pair->retired)
			pair_free(pair);
	}
	exchange_release_if_done(x);
}

/* 100 is wanted: it is a sign that the peer is at work, and so stops the attempt's timer. */
static const struct sip_client_handlers invite_handlers = {.want_100 = true,
	.response = response_received,
	.failed = invite_failed,
	.gone = client_gone};

/* The attempt is given up, but its INVITE is out: an exchange of its own hears how that ends. */
static void orphan_attempt(struct call *call)
{
	struct exchange *x = call->initial, *orphan = calloc(1, sizeof(*orphan));

	if (orphan) {
		*orphan = *x;
		orphan->server = NULL;
		DL_APPEND(call->exchanges, orphan);
		call->exchange_count++;
		sip_client_set_owner(orphan->client, orphan);
	} else {
		sip_client_abandon(x->client);
	}
	sip_client_cancel(x->client, NULL);
	x->client = NULL;
}

static void attempt_timed_out(struct loop_timer *t)
{
	struct call *call = (struct call *)((char *)t - offsetof(struct call, attempt_timer));
	struct exchange *x = call->initial;

	if (!x || !x->server || x->accepted)
		return;
	if (x->client)
		orphan_attempt(call);
	attempt_failed(call, SIP_REQUEST_TIME_OUT);
}

/* ---- requests to leg B ---- */

static int start_attempt(struct call *call, const struct peer_config *peer, osip_message_t *req)
{
	struct exchange *x = call->initial;
	osip_message_t *invite = NULL;
	int ret;

	retire_other_pairs(call, NULL);
	if (call->tag_b_added)
		tag_del(call->calls, &call->tag_b);
	call->tag_b_added = false;
	token_make(call->tag_b.text, DIALOG_TAG_LEN);
	call->tag_b.leg = LEG_B;
	call->tag_b.call = call;
	ret = tag_add(call->calls, &call->tag_b);
	if (ret)
		return ret;
	call->tag_b_added = true;
	call_set_peer(call, LEG_B, peer);
	x->client_cseq = 1;
	x->client_peer = peer;
	x->client_dest.remote = peer->address;
	x->client_dest.listener =
		sip_listener_slot(call->calls->sip, &call->cfg->listener[peer->listener]);
	if (x->client_dest.listener == SIP_NO_LISTENER)
		return -EHOSTUNREACH;
	if (!call->media)
		ret = media_session_new(
			call->calls->media, call, call->peer[LEG_A], peer, &call->media);
	else
		ret = media_session_set_peer(call->media, LEG_B, peer);
	if (!ret)
		ret = make_invite(call, peer, req, &invite);
	if (ret)
		return ret;
	ret = sip_client_send(
		call->calls->sip, &x->client_dest, invite, x, &invite_handlers, &x->client);
	if (ret) {
		log_limited(LOG_LEVEL_WARN, "call %llu: INVITE to %s: %s",
			(unsigned long long)call->id, peer->name, strerror(-ret));
		return -EHOSTUNREACH;
	}
	loop_timer_start(call->calls->loop, &call->attempt_timer,
		(uint64_t)call->cfg->attempt_timeout_s * 1000);
	return 0;
}

/* From call->attempt on, the first peer that takes the INVITE. */
static void try_next_peer(struct call *call)
{
	osip_message_t *req = sip_server_request(call->initial->server);
	struct rejection why = {0};

	for (; call->attempt < call->route.to_count; call->attempt++) {
		const struct peer_config *peer = call->route.to[call->attempt];
		int ret;

		if (!peer_has_room(call->calls, peer)) {
			call->last_error = SIP_SERVICE_UNAVAILABLE;
			call->calls->counters.refused_limit++;
			continue;
		}
		history_attempt(call, peer);
		ret = start_attempt(call, peer, req);
		if (ret == 0)
			return;
		if (ret == -ENOSPC)
			call->calls->counters.refused_ports++;
		call->last_error =
			ret == -EHOSTUNREACH ? SIP_SERVICE_UNAVAILABLE : media_error_code(ret);
		history_attempt_over(call, call->last_error);
		if (call->last_error == SIP_BAD_REQUEST)
			break;
	}
	why.code = call->last_error;
	if (why.code == SIP_SERVICE_UNAVAILABLE) {
		why.header = "Retry-After";
		why.value = RETRY_AFTER_S;
	}
	invite_reject(call, &why);
}

/* ---- admission ---- */

/* One INVITE more within calls_per_second. */
static bool take_rate(struct calls *calls)
{
	uint64_t now = loop_now_ms(calls->loop);

	if (!calls->cfg->calls_per_second)
		return true;
	if (now - calls->rate_window_ms >= 1000) {
		calls->rate_window_ms = now;
		calls->rate_count = 0;
	}
	if (calls->rate_count >= calls->cfg->calls_per_second)
		return false;
	calls->rate_count++;
	return true;
}

/* Our own INVITE has come back to us: its From tag is one that we made. */
static bool is_our_own(struct calls *calls, const osip_message_t *req)
{
	const char *from_tag = sip_tag(req->from);
	struct tag *tag = NULL;

	if (strlen(from_tag) == DIALOG_TAG_LEN)
		HASH_FIND(hh, calls->tags, from_tag, DIALOG_TAG_LEN, tag);
	return tag && tag->leg == LEG_B;
}

/* Bodies that we would have to understand and do not (RFC 3261 8.2.3). */
static bool body_is_foreign(const osip_message_t *req)
{
	const osip_content_type_t *ct = req->content_type;
	const char *disposition = header_value(req, "Content-Disposition");

	if (osip_list_size(&req->bodies) == 0 || carry_find_sdp(req))
		return false;
	if (ct && ct->type && strcasecmp(ct->type, "multipart") == 0)
		return false;
	return !disposition || !strcasestr(disposition, "handling=optional");
}

/* The code to refuse the INVITE with before a call is made of it, 0 to go on. */
static int check_invite(
	struct calls *calls, const osip_message_t *req, const struct peer_config *peer)
{
	const char *max_forwards = header_value(req, "Max-Forwards");

	if (osip_list_size(&req->contacts) != 1)
		return SIP_BAD_REQUEST;
	if (is_our_own(calls, req) || merge_key_exists(calls, req)) {
		calls->counters.loops++;
		return SIP_LOOP_DETECTED;
	}
	if (max_forwards && strtoul(max_forwards, NULL, 10) == 0) {
		calls->counters.loops++;
		return SIP_TOO_MANY_HOPS;
	}
	if (body_is_foreign(req))
		return SIP_UNSUPPORTED_MEDIA_TYPE;
	if (calls->shutting_down || calls->live >= calls->cfg->calls_max ||
		calls->count >= CALLS_ENDING_FACTOR * calls->cfg->calls_max ||
		!peer_has_room(calls, peer) || !take_rate(calls)) {
		calls->counters.refused_limit++;
		return SIP_SERVICE_UNAVAILABLE;
	}
	return 0;
}

static void refuse_invite(struct sip_server *txn, int code)
{
	const char *header = NULL, *value = NULL;

	if (code == SIP_SERVICE_UNAVAILABLE) {
		header = "Retry-After";
		value = RETRY_AFTER_S;
	} else if (code == SIP_UNSUPPORTED_MEDIA_TYPE) {
		header = "Accept";
		value = "application/sdp";
	}
	sip_server_reply(txn, code, NULL, header, value);
}

/* Whether the INVITE can make a dialog at all, before anybody is called for it. */
static int check_dialog(struct sip_server *txn)
{
	struct dialog d;
	int ret = dialog_init_uas(&d, txn, "");

	if (!ret)
		dialog_clear(&d);
	return ret == -EINVAL ? SIP_BAD_REQUEST : ret ? SIP_INTERNAL_SERVER_ERROR : 0;
}

static int find_route(struct call *call)
{
	route_find(call->cfg, call->peer[LEG_A], call->to, &call->route, NULL, NULL);
	if (call->route.verdict == ROUTE_FOUND)
		return 0;
	call->calls->counters.refused_route++;
	return call->route.verdict == ROUTE_DENIED ? SIP_FORBIDDEN : SIP_NOT_FOUND;
}

void invite_received(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer)
{
	char *unsupported = NULL;
	struct call *call;
	int code, ret;

	calls->counters.attempts++;
	ret = carry_check_require(req, &unsupported);
	if (ret) {
		sip_server_reply(txn,
			ret == -EOPNOTSUPP ? SIP_BAD_EXTENSION : SIP_INTERNAL_SERVER_ERROR, NULL,
			unsupported ? "Unsupported" : NULL, unsupported);
		history_refused(calls, req, peer, SIP_BAD_EXTENSION);
		free(unsupported);
		return;
	}
	code = check_dialog(txn);
	if (!code)
		code = check_invite(calls, req, peer);
	if (code) {
		refuse_invite(txn, code);
		history_refused(calls, req, peer, code);
		return;
	}
	call = call_new(calls, peer);
	if (!call) {
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
		return;
	}
	call->attempt_timer.fire = attempt_timed_out;
	history_begin(call);
	call->initial = exchange_new(call, LEG_A);
	if (!call->initial) {
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
		call_finish(call, &(struct ending){.code = SIP_INTERNAL_SERVER_ERROR,
					  .by = LEG_NONE,
					  .why = "out of memory"});
		call_release_if_done(call);
		return;
	}
	call->initial->server = txn;
	call->initial->is_invite = call->initial->is_initial = true;
	call->initial->sdp = carry_find_sdp(req) ? SDP_OFFERED : SDP_DELAYED;
	sip_server_set_owner(txn, call->initial, &exchange_server_handlers);
	if (number_of(req->from->url, call->from) || number_of(req->req_uri, call->to) ||
		merge_key_add(call, req)) {
		struct rejection why = {.code = SIP_BAD_REQUEST};

		invite_reject(call, &why);
		return;
	}
	call_event(call, "call", "%s -> %s from %s", call->from, call->to, peer->name);
	code = find_route(call);
	if (code) {
		struct rejection why = {.code = code};

		invite_reject(call, &why);
		return;
	}
	try_next_peer(call);
}
