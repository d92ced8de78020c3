/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether an INVITE becomes a call: limits, loops, what we cannot carry, the route. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call/attempt.h"
#include "call/carry.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/number.h"
#include "call/refer.h"
#include "call/refer_to.h"
#include "call/session_timer.h"

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

static bool is_or_any(const char *said, const char *word)
{
	return said && (strcmp(said, "*") == 0 || strcasecmp(said, word) == 0);
}

/* RFC 3261 20.1: who says nothing takes it. No other answer than SDP can come of a call, whatever
 * the callee knows. */
static bool accepts_sdp(const osip_message_t *req)
{
	const osip_accept_t *a;
	int i;

	for (i = 0; (a = osip_list_get(&req->accepts, i)); i++) {
		osip_generic_param_t *q = NULL;

		osip_content_type_param_get_byname((osip_accept_t *)(uintptr_t)a, "q", &q);
		if (is_or_any(a->type, "application") && is_or_any(a->subtype, "sdp") &&
			!(q && q->gvalue && strtod(q->gvalue, NULL) <= 0))
			return true;
	}
	return i == 0;
}

/* The code to refuse the INVITE with before a call is made of it, 0 to go on. */
static int check_invite(struct calls *calls, const osip_message_t *req,
	const struct peer_config *peer, const struct invite_need *need, struct refusal *why)
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
	if (!need->emergency && !accepts_sdp(req))
		return SIP_406_NOT_ACCEPTABLE;
	if (!limits_admit(calls, peer, need, why))
		return why->code;
	return 0;
}

void invite_find_need(struct calls *calls, const osip_message_t *req,
	const struct peer_config *peer, struct invite_need *need)
{
	char number[CALL_NUMBER_MAX + 1];
	enum leg leg = LEG_A;
	const struct call *call = replaces_find(calls, req, &leg);

	need->emergency = number_of(req->req_uri, number) == 0 &&
			  number_is_emergency(calls->cfg, peer, number);
	need->by_live_call = call != NULL;
	need->in_place = call && strcmp(call->peer[leg]->name, peer->name) == 0;
}

static void refuse_invite(struct sip_server *txn, int code, const struct refusal *why)
{
	char seconds[16];
	const char *header = NULL, *value = NULL;

	if (why->code && why->retry_after_s) {
		snprintf(seconds, sizeof(seconds), "%u", why->retry_after_s);
		header = "Retry-After";
		value = seconds;
	} else if (code == SIP_UNSUPPORTED_MEDIA_TYPE) {
		header = "Accept";
		value = "application/sdp";
	}
	sip_server_reply(txn, code, NULL, header, value);
}

static int invite_error_code(int error)
{
	return error == -EINVAL ? SIP_BAD_REQUEST : SIP_INTERNAL_SERVER_ERROR;
}

/* Whether the INVITE can make a dialog at all, before anybody is called for it. */
static int check_dialog(struct sip_server *txn)
{
	struct dialog d;
	int ret = dialog_init_uas(&d, txn, "");

	if (!ret)
		dialog_clear(&d);
	return ret ? invite_error_code(ret) : 0;
}

/* 0, or the code to refuse the call with; *retry_after_s is then 0 where it is not known. */
static int find_route(struct call *call, unsigned *retry_after_s)
{
	struct peers_choice choice;

	*retry_after_s = 0;
	if (numbers_receive(call, sip_server_request(call->initial->server)))
		return SIP_NOT_FOUND;
	call_find_route(call, &call->route);
	if (call->route.verdict != ROUTE_FOUND) {
		call->calls->counters.refused_route++;
		return call->route.verdict == ROUTE_DENIED ? SIP_FORBIDDEN : SIP_NOT_FOUND;
	}
	calls_order(call->calls, &call->route, &choice, NULL, NULL);
	call->last_resort = choice.last_resort;
	*retry_after_s = choice.retry_after_s;
	return choice.count ? 0 : SIP_SERVICE_UNAVAILABLE;
}

static void route_call(struct call *call)
{
	struct rejection why = {0};
	unsigned retry_after_s;
	char text[16];

	why.code = find_route(call, &retry_after_s);
	if (!why.code) {
		try_next_peer(call);
		return;
	}
	snprintf(text, sizeof(text), "%u", retry_after_s);
	if (retry_after_s) {
		why.header = "Retry-After";
		why.value = text;
	}
	invite_reject(call, &why);
}

void invite_received(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer)
{
	char value[SESSION_TIMER_VALUE_MAX];
	const char *header = NULL;
	struct refusal why_not = {0};
	struct call *call;
	struct invite_need need;
	int code, ret;

	invite_find_need(calls, req, peer, &need);
	if (sip_server_is_local(txn))
		need.by_live_call = true; /* RFC 3515: the call that a REFER asks for */
	calls->counters.attempts++;
	code = require_refuse(txn, req, peer);
	if (code) {
		history_refused(calls, req, peer, code);
		return;
	}
	code = check_dialog(txn);
	if (!code)
		code = session_timer_check(peer, req, &header, value);
	if (!code)
		code = check_invite(calls, req, peer, &need, &why_not);
	if (code) {
		if (header)
			sip_server_reply(txn, code, NULL, header, value);
		else
			refuse_invite(txn, code, &why_not);
		history_refused(calls, req, peer, code);
		return;
	}
	if (replaces_received(calls, txn, req, peer))
		return;
	call = call_new(calls, peer);
	if (!call) {
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
		return;
	}
	call->emergency = need.emergency;
	call->attempt_timer.fire = attempt_timed_out;
	transfer_call_made(call, txn);
	history_begin(call);
	call->initial = exchange_new(call, LEG_A);
	if (!call->initial) {
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
		call_finish(call, &(struct ending){.code = SIP_INTERNAL_SERVER_ERROR,
					  .by = LEG_NONE,
					  .is_refusal = true,
					  .why = "out of memory"});
		call_release_if_done(call);
		return;
	}
	call->initial->server = txn;
	call->initial->is_invite = call->initial->is_initial = true;
	call->initial->sdp = carry_find_sdp(req) ? SDP_OFFERED : SDP_DELAYED;
	sip_server_set_owner(txn, call->initial, &exchange_server_handlers);
	ret = number_of(req->from->url, call->from);
	if (refer_back_of(call))
		strcpy(call->to, refer_back_of(call)->number);
	else if (!ret)
		ret = number_of(req->req_uri, call->to);
	if (!ret)
		ret = merge_key_add(call, req);
	if (ret) {
		invite_reject(call, &(struct rejection){.code = invite_error_code(ret)});
		return;
	}
	call_event(call, "call", "%s -> %s from %s", call->from, call->to, peer->name);
	route_call(call);
}
