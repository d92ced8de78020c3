/* SPDX-License-Identifier: BSD-2-Clause */
/* How a call ends: BYE from a leg, from us, or both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/attempt.h"
#include "call/cause.h"
#include "call/early.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/own_request.h"
#include "call/refer.h"
#include "call/replace_leg.h"
#include "call/session_timer.h"

void call_finish(struct call *call, const struct ending *end)
{
	struct calls *calls = call->calls;
	struct pair *pair;

	transfer_call_over(call);
	if (!call->answered)
		calls->counters.failed++;
	call->state = CALL_ENDING;
	call_touch(call);
	call_uncount(call);
	loop_timer_stop(calls->loop, &call->attempt_timer);
	session_timers_stop(call);
	held_back_drop(call);
	own_request_restore_stop(call, LEG_A);
	own_request_restore_stop(call, LEG_B);
	DL_FOREACH (call->pairs, pair)
		reliable_free(pair);
	merge_key_del(call);
	call_event(call, "end", "%s -> %s: %s", call->from, call->to, end->why);
	history_end(call, end);
	media_session_free(call->media);
	call->media = NULL;
}

/* Ends what is under way on an exchange of an answered call. Returns whether the asking leg's BYE
 * has to wait for its ACK (RFC 3261 15). */
static bool end_exchange(struct exchange *x, int by)
{
	bool wait = false;

	own_request_forget(x);
	if (x->accepted) {
		if (x->ack_waits)
			exchange_send_ack(x, NULL);
		if (x->server && (int)x->from != by && !x->call->leg_gone[x->from]) {
			x->bye_after_ack = wait = true;
		} else if (x->server) {
			sip_server_acked(x->server);
			sip_server_abandon(x->server);
			x->server = NULL;
		}
		if (!wait)
			exchange_free(x);
		return wait;
	}
	if (x->server)
		exchange_refuse(x,
			x->is_invite ? SIP_REQUEST_TERMINATED : SIP_CALL_TRANSACTION_DOES_NOT_EXIST,
			NULL, NULL);
	if (x->client && x->is_invite) {
		sip_client_cancel(x->client, NULL);
	} else {
		exchange_free(x);
	}
	return false;
}

void call_end(struct call *call, int by, const char *reason, const char *why)
{
	struct ending end = {.code = SIP_OK, .by = by, .reason = reason, .why = why};
	struct exchange *x, *next;
	bool waits[2] = {false, false};

	if (call->state == CALL_ENDING)
		return;
	if (call->state != CALL_ANSWERED) {
		struct rejection rejection = {
			.code = SIP_TEMPORARILY_UNAVAILABLE, .phrase = NULL, .reason = reason};

		invite_reject(call, &rejection);
		return;
	}
	call_finish(call, &end);
	DL_FOREACH_SAFE (call->exchanges, x, next) {
		enum leg from = x->from;

		/* To a leg that was replaced. */
		if (x->bye_waits)
			continue;
		if (end_exchange(x, by))
			waits[from] = true;
	}
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		if ((int)leg != by && !waits[leg])
			call_bye_leg(call, leg, reason);
	}
	call_release_if_done(call);
}

void bye_received(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	struct call *call = pair->call;
	char reason[REASON_MAX];
	bool early = call->state == CALL_SETUP || call->state == CALL_RINGING;

	/* RFC 3261 15: the callee must not end an early dialog by BYE. */
	if (early && leg == LEG_B) {
		sip_server_reply(txn, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
		return;
	}
	sip_server_reply(txn, SIP_OK, NULL, NULL, NULL);
	if (call->state == CALL_ENDING || transfer_leg_left(call, leg))
		return;
	if (early) {
		struct rejection why = {.code = SIP_REQUEST_TERMINATED,
			.reason = reason_of(req, reason),
			.given_up = GIVEN_UP_BY_CALLER};

		invite_reject(call, &why);
	} else {
		call_end(call, (int)leg, reason_of(req, reason),
			leg == LEG_A ? "BYE from A" : "BYE from B");
	}
}
