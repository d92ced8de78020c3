/* SPDX-License-Identifier: BSD-2-Clause */
/* What the first INVITE on leg B comes to: forked early dialogs, the answer, and the ways not to
 * get one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/token.h"
#include "call/attempt.h"
#include "call/carry.h"
#include "call/cause.h"
#include "call/early.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/refused.h"
#include "call/session_timer.h"

/* 420 and 422 of one place that are answered by asking again, for less or for longer: a peer that
 * goes up by a second each time ends somewhere. */
#define AGAIN_MAX 4

#define ANSWER_TEXT_MAX (128 + MEDIA_UNSUPPORTED_MAX) /* with a peer's name */

/* ---- not answered ---- */

void invite_reject(struct call *call, const struct rejection *why)
{
	struct exchange *x, *next;
	struct sip_server *server = call->initial ? call->initial->server : NULL;
	osip_message_t *out = NULL;
	struct ending end = {.code = why->code, .by = LEG_NONE, .reason = why->reason};
	char text[64], reason[REASON_MAX], received[REASON_MAX];
	static const char *const given_up[] = {
		[GIVEN_UP_BY_CALLER] = "given up by the caller",
		[GIVEN_UP_BY_US] = "given up with the transfer it was made for",
	};

	if (call->state == CALL_ENDING)
		return;
	if (why->given_up == GIVEN_UP_BY_CALLER)
		end.by = LEG_A;
	else if (why->resp)
		end.by = LEG_B;
	if (why->resp && !end.reason)
		end.reason = reason_of(why->resp, received);
	snprintf(text, sizeof(text), "not answered: %d", why->code);
	end.is_refusal = why->given_up == GIVEN_UP_BY_NOBODY;
	end.why = why->why ? why->why : end.is_refusal ? text : given_up[why->given_up];
	call_finish(call, &end);
	if (server) {
		call->initial->server = NULL;
		if (sip_response_make(server, why->code, why->phrase, NULL, &out) == 0) {
			if (why->resp)
				carry_headers(
					&(struct crossing){.from = why->resp_peer
									   ? why->resp_peer
									   : call->peer[LEG_B],
						.to = call->peer[LEG_A],
						.host = sip_listener_host(call->calls->sip,
							sip_server_listener(server))},
					why->resp, out);
			if (why->header)
				osip_message_set_header(out, why->header, why->value);
			if (why->reason && !why->resp)
				osip_message_set_header(out, "Reason", why->reason);
			cause_write(out, call->peer[LEG_A],
				why->resp ? why->resp->status_code : why->code);
			sip_server_respond(server, out);
		}
		refused_keep(call, server);
	}
	DL_FOREACH_SAFE (call->exchanges, x, next) {
		exchange_refuse(x, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL);
		if (x->client && x->is_initial)
			sip_client_cancel(
				x->client, reason_for(x->client_peer, why->reason, reason));
		else
			exchange_free(x);
	}
	call_release_if_done(call);
}

/* ---- responses of leg B ---- */

/* A dialog of leg A for what leg B has said. 0 or -ENOMEM. */
static int begin_leg_a(struct exchange *x, struct pair *pair)
{
	token_make(pair->tag_a.text, DIALOG_TAG_LEN);
	if (dialog_init_uas(&pair->leg[LEG_A], x->server, pair->tag_a.text))
		return -ENOMEM;
	pair->tag_a.leg = LEG_A;
	pair->tag_a.call = x->call;
	pair->tag_a.pair = pair;
	if (tag_add(x->call->calls, &pair->tag_a)) {
		dialog_clear(&pair->leg[LEG_A]);
		return -ENOMEM;
	}
	pair->has_dialog_a = pair->tag_a_added = true;
	pair->retired = false;
	return 0;
}

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
		if (pair->has_dialog_a || !x->server || x->accepted || early_fold(pair))
			return pair;
		/* It has lost leg A's dialog, to another branch or with all early ones: one that
		 * answers has a dialog again. */
		return resp->status_code < 200 || begin_leg_a(x, pair) == 0 ? pair : NULL;
	}
	pair = resp->status_code >= 200 || early_dialog_has_room(call) ? pair_new(call) : NULL;
	if (!pair) {
		if (resp->status_code < 200)
			call->calls->counters.early_dialogs_refused++;
		return NULL;
	}
	if (dialog_init_uac(&pair->leg[LEG_B], call->calls->sip, invite, resp, &x->client_dest,
		    x->client_peer)) {
		pair_free(pair);
		return NULL;
	}
	if (!x->server || x->accepted || early_fold(pair))
		return pair;
	if (begin_leg_a(x, pair)) {
		pair_free(pair);
		return NULL;
	}
	return pair;
}

/* All dialogs of the call but one end for leg A, with what is under way in them. The first INVITE
 * is in none of them: it hears of every branch, also after the 2xx of one was of no use. */
void pairs_retire_others(struct call *call, const struct pair *keep)
{
	struct pair *pair;

	DL_FOREACH (call->pairs, pair) {
		if (pair == keep || pair->retired)
			continue;
		pair_end_requests(pair);
		pair_retire(pair);
	}
}

/* A 2xx has its dialog even where early ones have taken every place. */
static struct pair *pair_for_2xx(struct exchange *x, struct sip_client *txn, osip_message_t *resp)
{
	struct pair *pair = pair_for_response(x, txn, resp);

	if (!pair) {
		pairs_retire_others(x->call, x->call->answered);
		pair = pair_for_response(x, txn, resp);
	}
	return pair;
}

/* RFC 3261 16.6 timer C, started anew by each provisional response; those do not put off the end of
 * a call that nobody answers. */
void attempt_rings(struct call *call)
{
	uint64_t delay = (uint64_t)call->cfg->ring_timeout_s * 1000;
	uint64_t end = call->setup_ms + (uint64_t)call->cfg->unanswered_timeout_s * 1000;
	uint64_t now = loop_now_ms(call->calls->loop), left = end > now ? end - now : 0;

	loop_timer_start(call->calls->loop, &call->attempt_timer, delay < left ? delay : left);
}

static void provisional(struct exchange *x, struct sip_client *txn, osip_message_t *resp)
{
	struct call *call = x->call;
	struct pair *pair;

	attempt_rings(call);
	if (resp->status_code == SIP_TRYING)
		return;
	history_ring(call);
	pair = pair_for_response(x, txn, resp);
	if (!pair || !pair->has_dialog_a)
		return;
	early_response(x, pair, resp);
	if (call->state == CALL_SETUP) {
		call->state = CALL_RINGING;
		call_event(call, "ringing", "%s -> %s at %s: %d", call->from, call->to,
			x->client_peer->name, resp->status_code);
	}
}

void invite_refuse_pair(struct exchange *x, struct pair *pair)
{
	struct call *call = x->call;
	osip_message_t *ack = NULL;

	if (dialog_ack(&pair->leg[LEG_B], call->calls->sip, x->client_cseq, &ack) == 0) {
		if (x->client)
			sip_copy_credentials(x->client, ack);
		sip_send_ack(call->calls->sip, &pair->leg[LEG_B].dest, ack, NULL, NULL);
	}
	if (!pair->refused)
		dialog_bye(call, &pair->leg[LEG_B], NULL);
	pair->refused = true;
	call_touch(call);
}

/* A 2xx that has no taker: the caller has gone, or another branch of the fork was faster. */
static void refuse_2xx(struct exchange *x, struct sip_client *txn, osip_message_t *resp)
{
	struct pair *pair = pair_for_2xx(x, txn, resp);

	if (pair)
		invite_refuse_pair(x, pair);
}

void invite_established(struct call *call, struct pair *pair)
{
	loop_timer_stop(call->calls->loop, &call->attempt_timer);
	call->answered = pair;
	call->calls->counters.answered++;
	attempt_answered(call);
	free(pair->early_answer);
	pair->early_answer = NULL;
	reliable_free(pair);
	pairs_retire_others(call, pair);
	merge_key_del(call);
	call->state = CALL_ANSWERED;
	call->answered_ms = loop_now_ms(call->calls->loop);
}

void invite_answered(struct exchange *x, osip_message_t *resp)
{
	struct call *call = x->call;
	struct pair *pair = pair_for_2xx(x, x->client, resp);
	struct rejection why = {.code = SIP_BAD_GATEWAY};
	char text[ANSWER_TEXT_MAX];
	int ret;

	if (pair && pair->refused) {
		invite_refuse_pair(x, pair); /* by the daemon before: of no use any more */
		return;
	}
	if (pair && reliable_holds_2xx(pair, resp))
		return;
	loop_timer_stop(call->calls->loop, &call->attempt_timer);
	if (!pair) {
		invite_reject(call, &why);
		return;
	}
	x->pair = pair;
	ret = exchange_accept(x, resp);
	if (ret) {
		/* Its SDP is of no use: the callee is told so by BYE, the caller by a code. */
		const char *words =
			ret == -EPROTONOSUPPORT ? media_unsupported(call->calls->media) : "";

		snprintf(text, sizeof(text), "the answer of %s cannot be used: %s",
			x->client_peer->name, *words ? words : strerror(-ret));
		log_limited(LOG_LEVEL_WARN, "call %llu: %s", (unsigned long long)call->id, text);
		why.why = text;
		dialog_bye(call, &pair->leg[LEG_B], "SIP;cause=488;text=\"Unusable SDP\"");
		pair->refused = true;
		why.code = ret == -EPROTONOSUPPORT ? SIP_NOT_ACCEPTABLE_HERE : SIP_BAD_GATEWAY;
		invite_reject(call, &why);
		return;
	}
	history_attempt_over(call, resp->status_code);
	invite_established(call, pair);
	session_timer_accepted(call, LEG_B, resp);
	media_session_start(call->media);
	call_event(call, "answer", "%s -> %s at %s", call->from, call->to, x->client_peer->name);
}

/* The present INVITE's early dialogs end with its final response (RFC 3261 12.3): the
 * next one may meet their remote tags again. Returns the highest CSeq among them. */
static uint32_t drop_early_dialogs(struct call *call)
{
	struct pair *pair, *next_pair;
	uint32_t cseq = 0;

	DL_FOREACH_SAFE (call->pairs, pair, next_pair) {
		struct exchange *x, *next;

		if (strcmp(pair->leg[LEG_B].local_tag, call->tag_b.text) != 0)
			continue;
		if (cseq < pair->leg[LEG_B].local_cseq)
			cseq = pair->leg[LEG_B].local_cseq;
		DL_FOREACH_SAFE (call->exchanges, x, next) {
			if (x->pair != pair)
				continue;
			exchange_refuse(x, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL);
			exchange_free(x);
		}
		pair_free(pair);
	}
	return cseq;
}

/* The INVITE of the present attempt once more, in answer to its refusal: the same Call-ID and From,
 * the next CSeq (RFC 3261 8.1.3.5). 0 or -errno, then the refusal stands. */
static int ask_again(struct exchange *x)
{
	struct call *call = x->call;
	const osip_message_t *before = sip_client_request(x->client);
	osip_message_t *invite = NULL;
	struct sip_client *client;
	uint32_t sent;
	char cseq[32];
	int ret;

	if (!before || x->sdp == SDP_DONE || call->attempts.again >= AGAIN_MAX)
		return -EINVAL;
	call->attempts.again++;
	sent = drop_early_dialogs(call);
	if (x->client_cseq < sent)
		x->client_cseq = sent;
	ret = make_invite(call, x->client_peer, sip_server_request(x->server), &invite);
	if (ret)
		return ret;
	snprintf(cseq, sizeof(cseq), "%u", x->client_cseq + 1);
	osip_call_id_free(invite->call_id);
	invite->call_id = NULL;
	osip_free(invite->cseq->number);
	invite->cseq->number = osip_strdup(cseq);
	if (!invite->cseq->number || osip_call_id_clone(before->call_id, &invite->call_id)) {
		osip_message_free(invite);
		return -ENOMEM;
	}
	ret = sip_client_send(
		call->calls->sip, &x->client_dest, invite, x, &invite_client_handlers, &client);
	if (ret)
		return ret;
	sip_client_abandon(x->client);
	x->client = client;
	x->client_cseq++;
	attempt_sent(call);
	return 0;
}

static void refused(struct exchange *x, osip_message_t *resp)
{
	struct call *call = x->call;
	struct rejection why = {.resp = resp};

	if ((session_timer_too_small(call, LEG_B, resp) || reliable_refused(x, resp)) &&
		ask_again(x) == 0)
		return;
	sip_client_abandon(x->client);
	x->client = NULL;
	history_attempt_cause(call, resp);
	history_attempt_over(call, resp->status_code);
	call_event(call, "refused", "%s -> %s at %s: %d", call->from, call->to,
		x->client_peer->name, resp->status_code);
	if (attempt_refused(call, resp))
		return;
	why.code = translate_code(x->client_peer, resp->status_code, resp, &why.phrase);
	if (why.code == resp->status_code && !why.phrase)
		why.phrase = resp->reason_phrase;
	invite_reject(call, &why);
}

static void response_received(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	struct exchange *x = owner;
	int code = resp->status_code;

	attempt_heard(x->call, x->client_peer, x == x->call->initial && x->server);
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
		invite_answered(x, resp);
	else
		refused(x, resp);
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

/* The INVITE goes out again, with credentials: the same attempt, the same Call-ID and From tag. */
static uint32_t invite_challenged(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;
	struct call *call = x->call;
	uint32_t cseq;

	(void)txn;
	/* Given up meanwhile; or the caller's offer is used up, as in fail_over. */
	if (!x->server || call->initial != x || x->sdp == SDP_DONE)
		return 0;
	cseq = drop_early_dialogs(call);
	if (x->client_cseq < cseq)
		x->client_cseq = cseq;
	attempt_heard(call, x->client_peer, true);
	attempt_sent(call);
	return ++x->client_cseq;
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
const struct sip_client_handlers invite_client_handlers = {.want_100 = true,
	.challenged = invite_challenged,
	.response = response_received,
	.failed = invite_failed,
	.gone = client_gone};
