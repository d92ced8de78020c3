/* SPDX-License-Identifier: BSD-2-Clause */
/* Leg B's INVITE to one peer of the route after the other, and to each of a peer's places (RFC 3263
 * 4.3): who is asked, when the next one is, and what the caller hears when nobody is left. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/token.h"
#include "call/attempt.h"
#include "call/carry.h"
#include "call/cause.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/number.h"
#include "call/session_timer.h"

/* RFC 6228 */
#define EARLY_DIALOG_TERMINATED 199
#define OPTION_199              "199"

/* ---- the best final response so far ---- */

/* RFC 3261 16.7 6: a 6xx first, then the lowest class. 503 says least, for it is a matter of
 * passing on to others; silence says nothing at all. */
static unsigned rank(int code, const osip_message_t *resp)
{
	if (code >= 600)
		return 0;
	if (code == SIP_REQUEST_TIME_OUT)
		return 5;
	if (code < 500)
		return 1;
	if (code != SIP_SERVICE_UNAVAILABLE)
		return 2;
	return resp && header_value(resp, "Retry-After") ? 3 : 4;
}

/* Among equals the last one counts. peer: whose it is, NULL = it was not asked. */
static void keep_best(
	struct call *call, int code, const struct peer_config *peer, const osip_message_t *resp)
{
	struct attempts *a = &call->attempts;
	osip_message_t *copy = NULL;

	if (a->best_code && rank(code, resp) > rank(a->best_code, a->best_resp))
		return;
	/* Out of memory: the code alone. */
	if (resp)
		osip_message_clone(resp, &copy);
	osip_message_free(a->best_resp);
	a->best_resp = copy;
	a->best_code = code;
	a->best_peer = peer;
}

static void keep_retry_after(struct call *call, unsigned seconds)
{
	struct attempts *a = &call->attempts;

	if (seconds && (!a->retry_after_s || seconds < a->retry_after_s))
		a->retry_after_s = seconds;
}

void attempts_clear(struct call *call)
{
	osip_message_free(call->attempts.best_resp);
	call->attempts.best_resp = NULL;
	free(call->attempts.unsupported);
	call->attempts.unsupported = NULL;
}

/* The offer has nothing that the peer may be shown; or there is none, and the peer takes no INVITE
 * without: then the media room speaks of another. */
static void keep_unsupported(struct call *call, const struct peer_config *peer)
{
	bool has_offer = call->initial->sdp != SDP_DELAYED ||
			 peer->session.delayed_offer != DELAYED_OFFER_REFUSE;
	const char *why = has_offer ? media_unsupported(call->calls->media) : "";

	call_event(call, "refused", "%s -> %s at %s: %d by us%s%s", call->from, call->to,
		peer->name, SIP_NOT_ACCEPTABLE_HERE, *why ? ": " : "", why);
	free(call->attempts.unsupported);
	call->attempts.unsupported = *why ? strdup(why) : NULL;
}

static void reject_with_best(struct call *call)
{
	const struct attempts *a = &call->attempts;
	int code = a->best_code ? a->best_code : SIP_SERVICE_UNAVAILABLE;
	struct rejection why = {
		.code = carried_error_code(code), .resp = a->best_resp, .resp_peer = a->best_peer};
	char text[16], words[sizeof("not answered: 488: ") + MEDIA_UNSUPPORTED_MAX];

	if (a->best_peer)
		why.code = translate_code(a->best_peer, code, why.resp, &why.phrase);
	if (why.resp && why.code == why.resp->status_code && !why.phrase)
		why.phrase = why.resp->reason_phrase;
	snprintf(text, sizeof(text), "%u", a->retry_after_s);
	if (a->retry_after_s &&
		(why.code == SIP_SERVICE_UNAVAILABLE || why.code == call->refusal.code) &&
		!(why.resp && header_value(why.resp, "Retry-After"))) {
		why.header = "Retry-After";
		why.value = text;
	}
	if (code == SIP_NOT_ACCEPTABLE_HERE && !why.resp && a->unsupported) {
		snprintf(words, sizeof(words), "not answered: %d: %s", why.code, a->unsupported);
		why.why = words;
		why.header = "Warning";
		why.value = UNSUPPORTED_WARNING;
	}
	invite_reject(call, &why);
}

/* ---- early dialogs of an attempt that is over ---- */

/* RFC 6228: the caller learns which of its early dialogs are no more, where it asked to. */
static void tell_199(struct call *call, int code)
{
	struct sip_server *server = call->initial->server;
	struct pair *pair;
	char reason[32];

	if (!call->pairs || !option_has(sip_server_request(server), "Supported", OPTION_199))
		return;
	snprintf(reason, sizeof(reason), "SIP;cause=%d", code);
	DL_FOREACH (call->pairs, pair) {
		osip_message_t *resp = NULL;

		if (!pair->has_dialog_a || pair->retired)
			continue;
		if (sip_response_make(server, EARLY_DIALOG_TERMINATED, "Early Dialog Terminated",
			    pair->tag_a.text, &resp))
			continue;
		osip_message_set_header(resp, "Reason", reason);
		sip_server_respond(server, resp);
	}
}

/* ---- one INVITE ---- */

void attempt_sent(struct call *call)
{
	call->attempts.heard = false;
	call->attempts.sent_ms = loop_now_ms(call->calls->loop);
	loop_timer_start(call->calls->loop, &call->attempt_timer,
		(uint64_t)call->cfg->attempt_timeout_s * 1000);
	call_touch(call);
}

static int take_tag(struct call *call)
{
	int ret;

	if (call->tag_b_added)
		tag_del(call->calls, &call->tag_b);
	call->tag_b_added = false;
	token_make(call->tag_b.text, DIALOG_TAG_LEN);
	call->tag_b.leg = LEG_B;
	call->tag_b.call = call;
	ret = tag_add(call->calls, &call->tag_b);
	call->tag_b_added = !ret;
	return ret;
}

/* 0: an INVITE is out. -EHOSTUNREACH: the place cannot be reached; else the error is ours, or of
 * the offer (media_error_code). */
static int send_invite(
	struct call *call, const struct peer_config *peer, const struct sip_dest *dest)
{
	struct exchange *x = call->initial;
	osip_message_t *invite = NULL;
	int ret;

	pairs_retire_others(call, NULL);
	ret = take_tag(call);
	if (ret)
		return ret;
	call_set_peer(call, LEG_B, peer);
	session_timer_forget(call, LEG_B);
	x->client_cseq = 1;
	x->client_peer = peer;
	x->client_dest = *dest;
	if (!call->media)
		ret = media_session_new(
			call->calls->media, call, call->peer[LEG_A], peer, &call->media);
	else
		ret = media_session_set_peer(call->media, LEG_B, peer);
	if (!ret && call->emergency)
		media_session_set_urgent(call->media);
	if (!ret && x->sdp == SDP_DELAYED)
		ret = limits_bandwidth_unseen(call);
	if (!ret)
		ret = make_invite(call, peer, sip_server_request(x->server), &invite);
	for (unsigned i = 0; ret == -ENOSPC && i < PREEMPTIONS_MAX && preempt_for(call, NULL); i++)
		ret = make_invite(call, peer, sip_server_request(x->server), &invite);
	if (ret)
		return ret;
	for (unsigned i = 0; i < PREEMPTIONS_MAX && preempt_for_bandwidth(call); i++)
		continue;
	history_attempt_sent(call, dest, invite);
	ret = sip_client_send(
		call->calls->sip, dest, invite, x, &invite_client_handlers, &x->client);
	if (ret) {
		log_limited(LOG_LEVEL_WARN, "call %llu: INVITE to %s: %s",
			(unsigned long long)call->id, peer->name, strerror(-ret));
		return -EHOSTUNREACH;
	}
	attempt_sent(call);
	return 0;
}

/* ---- one peer: its places in turn ---- */

static struct peer *live_peer(struct call *call, const struct peer_config *peer)
{
	return peer_of(call->calls->peers, peer);
}

/* How the peer is may have changed since the route was found. */
static bool may_be_tried(struct call *call, const struct peer *peer)
{
	return peer_takes_calls(peer) ||
	       (call->last_resort && peer_is_last_resort(peer, call->route.is_emergency));
}

/* The present peer was not asked yet. */
static bool is_first_place(const struct call *call)
{
	return call->attempts.places == 0;
}

static int error_code(const struct call *call, int error)
{
	if (error == -EDQUOT)
		return call->refusal.code;
	return error == -EHOSTUNREACH ? SIP_SERVICE_UNAVAILABLE : media_error_code(error);
}

static void leave_out(struct call *call, const struct peer_config *config, int code)
{
	history_attempt_left_out(call, config, code);
	keep_best(call, code, NULL, NULL);
}

/* 0: an INVITE is out. -EHOSTUNREACH: the peer has no place left. Any other error is not the
 * peer's.
 */
static int try_peer(struct call *call, const struct peer_config *config, struct peer *peer)
{
	struct attempts *a = &call->attempts;
	struct sip_dest target[PEER_TARGETS_MAX];
	unsigned count = peer_targets_by_health(peer, target);
	int ret = -EHOSTUNREACH;

	for (unsigned i = 0; i < count && a->made < CALL_ATTEMPTS_MAX; i++) {
		if (history_was_tried(call, a->peer_first, &target[i].remote))
			continue;
		history_attempt(call, config);
		a->made++;
		a->places++;
		a->again = 0;
		if (a->asked && a->asked != call->attempt + 1)
			call->calls->counters.failovers++;
		a->asked = call->attempt + 1;
		ret = send_invite(call, config, &target[i]);
		if (!ret)
			return 0;
		history_attempt_over(call, error_code(call, ret));
		if (ret != -EHOSTUNREACH) {
			a->reported = true; /* the trouble is ours */
			return ret;
		}
		keep_best(call, SIP_SERVICE_UNAVAILABLE, config, NULL);
		peer_target_failed(peer, &target[i].remote);
		a->outcome = PEER_OUTCOME_SILENT;
		a->sent_ms = loop_now_ms(call->calls->loop);
	}
	/* It has no place that is known. */
	if (!count && is_first_place(call))
		leave_out(call, config, SIP_SERVICE_UNAVAILABLE);
	return ret;
}

/* Done with the peer, for good or bad; its state hears of it, unless it was not asked at all. */
static void report(struct call *call, enum peer_outcome outcome)
{
	struct attempts *a = &call->attempts;
	struct peer *peer;

	if (a->reported || is_first_place(call))
		return;
	a->reported = true;
	peer = live_peer(call, call->route.candidate[call->attempt].peer);
	if (peer)
		peer_attempt_over(peer, outcome, a->sent_ms);
}

static void next_peer(struct call *call)
{
	struct attempts *a = &call->attempts;

	report(call, a->outcome);
	a->peer_first = call->history.attempt_count;
	a->places = 0;
	a->reported = false;
	a->outcome = PEER_OUTCOME_GOOD;
	call->attempt++;
}

/* 0: an INVITE is out; 1: the next peer; -EINVAL: the offer is of no use to anybody. */
static int try_candidate(struct call *call)
{
	const struct peer_config *config = call->route.candidate[call->attempt].peer;
	struct peer *peer = live_peer(call, config);
	int ret, code;

	if (!peer || !may_be_tried(call, peer)) {
		keep_retry_after(call, peer ? peer_retry_after_s(peer) : 0);
		if (is_first_place(call))
			leave_out(call, config, SIP_SERVICE_UNAVAILABLE);
		return 1;
	}
	if (is_first_place(call) && !limits_admit_attempt(call, config, &call->refusal)) {
		leave_out(call, config, call->refusal.code);
		keep_retry_after(call, call->refusal.retry_after_s);
		return 1;
	}
	if (numbers_send(call, &call->route.candidate[call->attempt])) {
		leave_out(call, config, SIP_NOT_FOUND);
		return 1;
	}
	ret = try_peer(call, config, peer);
	if (!ret)
		return 0;
	if (ret == -ENOSPC) {
		call->calls->counters.refused_ports++;
		keep_retry_after(call, RETRY_AFTER_S);
	}
	if (ret == -EDQUOT)
		keep_retry_after(call, call->refusal.retry_after_s);
	if (ret == -EPROTONOSUPPORT)
		keep_unsupported(call, config);
	if (ret == -EHOSTUNREACH)
		return 1;
	code = error_code(call, ret);
	keep_best(call, code, NULL, NULL);
	return code == SIP_BAD_REQUEST ? -EINVAL : 1;
}

static bool has_place_left(const struct call *call, struct peer *peer)
{
	struct sip_dest target[PEER_TARGETS_MAX];
	unsigned count = peer_targets_by_health(peer, target);

	for (unsigned i = 0; i < count; i++) {
		if (!history_was_tried(call, call->attempts.peer_first, &target[i].remote))
			return true;
	}
	return false;
}

/* As many INVITEs have gone out as may: who was not asked is left out. */
static void stop_asking(struct call *call)
{
	bool anybody = false;

	for (; call->attempt < call->route.candidate_count; next_peer(call)) {
		const struct peer_config *config = call->route.candidate[call->attempt].peer;
		struct peer *peer = live_peer(call, config);

		if (is_first_place(call))
			leave_out(call, config, SIP_SERVICE_UNAVAILABLE);
		anybody |= is_first_place(call) || (peer && has_place_left(call, peer));
	}
	call->calls->counters.attempts_spent += anybody;
}

void try_next_peer(struct call *call)
{
	while (call->attempt < call->route.candidate_count) {
		int ret;

		if (call->attempts.made >= CALL_ATTEMPTS_MAX) {
			stop_asking(call);
			break;
		}
		ret = try_candidate(call);
		if (!ret)
			return;
		if (ret < 0)
			break;
		next_peer(call);
	}
	reject_with_best(call);
}

/* ---- what becomes of the INVITE ---- */

/* The present attempt is over without an answer; on: to another place of the same peer, if it has
 * one, or to the next peer at once. */
static void move_on(struct call *call, int code, enum peer_outcome outcome, bool same_peer)
{
	call->attempts.outcome = outcome;
	loop_timer_stop(call->calls->loop, &call->attempt_timer);
	/* Once offer and answer are done with early on, the caller's offer is used up. */
	if (call->initial->sdp == SDP_DONE) {
		report(call, outcome);
		reject_with_best(call);
		return;
	}
	tell_199(call, code);
	if (!same_peer)
		next_peer(call);
	try_next_peer(call);
}

void attempt_answered(struct call *call)
{
	report(call, PEER_OUTCOME_GOOD);
}

void attempt_heard(struct call *call, const struct peer_config *config, bool is_present)
{
	struct peer *peer = config ? live_peer(call, config) : NULL;

	call_touch(call);
	if (!peer)
		return;
	peer_heard(peer);
	if (!is_present || call->attempts.heard)
		return;
	call->attempts.heard = true;
	peer_target_answered(peer, &call->initial->client_dest.remote);
}

bool attempt_refused(struct call *call, osip_message_t *resp)
{
	const struct exchange *x = call->initial;
	bool is_503 = resp->status_code == SIP_SERVICE_UNAVAILABLE;
	struct peer *peer;

	if (!config_fails_over(x->client_peer, resp->status_code)) {
		report(call, PEER_OUTCOME_GOOD);
		return false;
	}
	peer = live_peer(call, x->client_peer);
	/* Where it has other places, this one speaks for itself alone. */
	if (peer && is_503)
		peer_target_unavailable(peer, &x->client_dest.remote, resp);
	keep_best(call, resp->status_code, x->client_peer, resp);
	move_on(call, resp->status_code, PEER_OUTCOME_FAILED, is_503);
	return true;
}

void attempt_failed(struct call *call, int code)
{
	struct exchange *x = call->initial;
	struct peer *peer = live_peer(call, x->client_peer);

	history_attempt_over(call, code);
	call_event(call, "refused", "%s -> %s at %s: %s", call->from, call->to,
		x->client_peer->name, code == SIP_REQUEST_TIME_OUT ? "no answer" : "not reachable");
	if (peer)
		peer_target_failed(peer, &x->client_dest.remote);
	keep_best(call, code, x->client_peer, NULL);
	move_on(call, code, PEER_OUTCOME_SILENT, true);
}

void attempt_orphan(struct call *call, const char *reason)
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
	sip_client_cancel(x->client, reason);
	x->client = NULL;
}

void attempt_timed_out(struct loop_timer *t)
{
	struct call *call = (struct call *)((char *)t - offsetof(struct call, attempt_timer));
	struct exchange *x = call->initial;
	struct rejection why = {.code = SIP_REQUEST_TIME_OUT};

	if (!x || !x->server || x->accepted)
		return;
	if (x->client)
		attempt_orphan(call, NULL);
	if (!call->attempts.heard) {
		attempt_failed(call, SIP_REQUEST_TIME_OUT);
		return;
	}
	/* It rang, and nobody took the call: that is no fault of the peer's. */
	history_attempt_over(call, SIP_REQUEST_TIME_OUT);
	invite_reject(call, &why);
}
