/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/token.h"
#include "call/attempt.h"
#include "call/carry.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/notify.h"
#include "call/own_request.h"
#include "call/refer.h"
#include "call/replace_leg.h"
#include "call/session_timer.h"

const char *transfer_remaining_number(const struct transfer *t)
{
	const struct numbers *n = &t->call->routed;

	return transfer_remaining(t) == LEG_A ? n->calling : n->called;
}

/* ---- the end ---- */

/* Lets go of everything but the referring call. */
static void release(struct transfer *t)
{
	struct call *target = t->target;
	struct sip_server *local = t->local;

	t->target = NULL;
	t->local = NULL;
	if (target)
		target->target_of = NULL;
	if (t->asking)
		own_request_cancel(t->asking);
	t->asking = NULL;
	if (local)
		sip_local_forget(local);
	if (target && target->state == CALL_ANSWERED) {
		bool alone = target->leg_gone[t->target_leg];

		if (!t->is_attended || alone)
			call_end(target, t->is_attended ? (int)t->target_leg : LEG_NONE,
				"SIP;cause=487;text=\"Transfer failed\"", "transfer failed");
		else if (t->far_is_led)
			own_request_restore(target, OTHER_LEG(t->target_leg));
	}
	media_session_free(t->media);
	t->media = NULL;
}

static void transfer_free(struct transfer *t)
{
	release(t);
	subscription_stop(&t->sub);
	loop_timer_stop(t->call->calls->loop, &t->timer);
	t->call->transfer = NULL;
	refer_to_clear(&t->to);
	free(t);
}

/* Decided, and told. */
static void finish(struct transfer *t)
{
	struct call *call = t->call;
	enum leg by = t->by;
	bool joined = t->is_joined;

	transfer_free(t);
	if (call->state != CALL_ANSWERED)
		return;
	if (joined)
		call_end(call, LEG_NONE, "SIP;cause=200;text=\"Transferred\"", "transferred");
	else if (call->leg_gone[by])
		call_end(call, (int)by, NULL, "transfer failed");
}

static void finish_soon(void *ctx)
{
	struct transfer *t = ctx;

	if (t->state == TRANSFER_OVER)
		loop_timer_start(t->call->calls->loop, &t->timer, 0);
}

static void decide(struct transfer *t, int code)
{
	struct call *call = t->call;
	struct call_transfer note = {.kind = t->is_attended ? "attended" : "blind",
		.by = t->by == LEG_A ? 'a' : 'b',
		.code = code,
		.call = t->is_joined ? t->target->id : 0};

	t->state = TRANSFER_OVER;
	t->code = code;
	call_touch(call);
	if (t->is_joined)
		call->calls->counters.transfers++;
	else
		call->calls->counters.transfers_failed++;
	snprintf(note.to, sizeof(note.to), "%s", t->to.number);
	history_transfer(call, &note);
	call_event(call, "transfer", "%s -> %s: leg %c to %s: %d", call->from, call->to, note.by,
		t->to.number, code);
	loop_timer_start(call->calls->loop, &t->timer, TRANSFER_LAST_NOTIFY_MS);
	if (!subscription_tell(&t->sub, code))
		finish_soon(t);
}

void transfer_fail(struct transfer *t, int code)
{
	release(t);
	decide(t, code);
}

static void timer_fired(struct loop_timer *timer)
{
	struct transfer *t =
		(struct transfer *)(void *)((char *)timer - offsetof(struct transfer, timer));

	if (t->state == TRANSFER_OVER)
		finish(t);
	else
		transfer_fail(t, SIP_REQUEST_TIME_OUT);
}

/* ---- joining ---- */

/* Of the first a=crypto line (RFC 4568); "" where there is none. */
static const char *key_line(const char *sdp, size_t *len)
{
	const char *line = sdp ? strstr(sdp, "\na=crypto:") : NULL;

	*len = line ? strcspn(line + 1, "\r\n") : 0;
	return line ? line + 1 : "";
}

/* The remaining leg has changed its keys when it was led over: the far leg, which was told the old
 * ones, could not hear it. */
static bool keys_changed(const struct transfer *t, const struct media_session *media)
{
	size_t old_len, new_len;
	const char *old =
		key_line(media_heard_sdp(t->call->media, transfer_remaining(t)), &old_len);
	const char *new = key_line(media_heard_sdp(media, t->target_leg), &new_len);

	return old_len != new_len || memcmp(old, new, old_len) != 0;
}

/* The remaining leg leaves its call for the target's. */
static void join(struct transfer *t)
{
	struct call *call = t->call, *target = t->target;
	enum leg rem = transfer_remaining(t);
	struct dialog moved;
	bool rekey = keys_changed(t, t->media ? t->media : target->media);
	bool unnamed = identity_is_hidden(call, rem);
	int ret;

	if (dialog_copy(&moved, &call->answered->leg[rem])) {
		transfer_fail(t, SIP_INTERNAL_SERVER_ERROR);
		own_request_restore(call, rem);
		return;
	}
	call_detach_leg(call, rem);
	media_session_pause(call->media);
	if (t->media)
		call_replace_media(target, t->media);
	t->media = NULL;
	ret = call_replace_leg(target, t->target_leg, &moved, "SIP;cause=200;text=\"Transferred\"");
	strcpy(t->target_leg == LEG_A ? target->routed.calling : target->routed.called,
		transfer_remaining_number(t));
	target->unnamed[t->target_leg] = unnamed;
	session_timer_move(call, rem, target, t->target_leg);
	target->asking = NULL;
	target->target_of = NULL;
	target->came_of = call->id;
	target->transfers += call->transfers + 1;
	t->is_joined = true;
	decide(t, SIP_OK);
	t->target = NULL;
	t->local = NULL;
	if (ret)
		call_end(target, LEG_NONE, NULL, "out of memory");
	else if (target->takeover)
		takeover_acked(target);
	else if (rekey)
		own_request_restore(target, OTHER_LEG(t->target_leg));
}

static void remaining_answered(void *ctx, int code, osip_message_t *resp, const char *answer)
{
	struct transfer *t = ctx;
	struct call *call = t->call;
	bool astray = resp && MSG_IS_STATUS_2XX(resp) && code >= 300;

	(void)answer;
	t->asking = NULL;
	if (code < 300) {
		join(t);
		return;
	}
	transfer_fail(t, code);
	if (astray)
		own_request_restore(call, transfer_remaining(t));
}

/* A re-INVITE with what the one end of the new session said, for the leg at its other end: the far
 * one in the target's call, or the remaining one in its own. */
static struct own_request request_in(struct transfer *t, struct call *call)
{
	bool to_far = call == t->target;

	return (struct own_request){.call = call,
		.to = to_far ? OTHER_LEG(t->target_leg) : transfer_remaining(t),
		.method = "INVITE",
		.media = t->media ? t->media : t->target->media,
		.offerer = to_far ? t->target_leg : OTHER_LEG(t->target_leg),
		.done = to_far ? transfer_far_answered : remaining_answered,
		.ctx = t};
}

void transfer_lead(struct transfer *t, struct call *call, const char *offer)
{
	struct own_request r = request_in(t, call);

	t->state = TRANSFER_JOINING;
	r.offer = offer;
	if (own_request_send(&r, &t->asking))
		transfer_fail(t, SIP_SERVICE_UNAVAILABLE);
}

void transfer_lead_remaining(struct transfer *t)
{
	transfer_lead(t, t->call, NULL);
}

/* ---- what the room tells ---- */

void transfer_begin(struct pair *pair, enum leg by, struct sip_server *txn, struct refer_to *to)
{
	osip_message_t *refer = sip_server_request(txn);
	struct call *call = pair->call;
	struct calls *calls = call->calls;
	const struct peer_config *referrer = config_peer_by_name(calls->cfg, call->peer[by]->name);
	const char *refer_sub = header_value(refer, "Refer-Sub");
	const struct peer *state = peer_by_name(calls->peers, call->peer[by]->name);
	uint64_t timeout_ms = (uint64_t)call->cfg->transfer_timeout_s * 1000;
	struct transfer *t = calloc(1, sizeof(*t));
	osip_message_t *resp = NULL;

	if (t) {
		t->timer.fire = timer_fired;
		if (loop_timer_start(calls->loop, &t->timer, timeout_ms)) {
			free(t);
			t = NULL;
		}
	}
	if (!t || sip_response_make(txn, SIP_ACCEPTED, NULL, NULL, &resp)) {
		if (t)
			loop_timer_stop(calls->loop, &t->timer);
		free(t);
		refer_to_clear(to);
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
		return;
	}
	t->call = call;
	t->by = by;
	t->to = *to;
	memset(to, 0, sizeof(*to));
	call->transfer = t;
	t->sub = (struct subscription){.call = call,
		.leg = by,
		.id = call->refers ? sip_cseq_number(refer) : 0,
		.expires_ms = loop_now_ms(calls->loop) + timeout_ms,
		.over = finish_soon,
		.ctx = t};
	call->refers++;
	/* RFC 4488 4 */
	if (refer_sub && strncasecmp(refer_sub, "false", 5) == 0) {
		t->sub.is_over = true;
		osip_message_set_header(resp, "Refer-Sub", "false");
	}
	sip_set_contact(resp, calls->sip, sip_server_listener(txn));
	sip_server_respond(txn, resp);
	subscription_tell(&t->sub, SIP_TRYING);
	call_event(call, "transfer", "%s -> %s: leg %c to %s%s", call->from, call->to,
		by == LEG_A ? 'a' : 'b', t->to.number, t->to.has_replaces ? ", attended" : "");
	/* Dropped by a reload, or blocked: it calls nobody. */
	if (!referrer || (state && peer_get_state(state) == PEER_BLOCKED)) {
		transfer_fail(t, SIP_FORBIDDEN);
	} else if (call->transfers >= CALL_TRANSFERS_MAX) {
		calls->counters.transfers_refused++;
		transfer_fail(t, SIP_FORBIDDEN);
	} else if (transfer_is_attended(t, referrer)) {
		transfer_begin_attended(t, referrer);
	} else {
		transfer_call_target(t, refer, referrer);
	}
}

/* The call is left to the next daemon, and what is under way with it: nobody hears a word. */
static void leave_behind(struct call *call)
{
	struct transfer *t = call->target_of;

	if (t) {
		t->target = NULL;
		if (t->asking && t->asking->call == call)
			t->asking = NULL;
	}
	call->target_of = NULL;
	t = call->transfer;
	if (!t)
		return;
	if (t->target)
		t->target->target_of = NULL;
	t->target = NULL;
	t->local = NULL;
	t->asking = NULL;
	transfer_free(t);
}

void transfer_call_over(struct call *call)
{
	struct transfer *t = call->target_of;

	if (call->calls->leaving && call->state != CALL_ENDING) {
		leave_behind(call);
		takeover_call_over(call);
		return;
	}
	call->target_of = NULL;
	if (t) {
		t->target = NULL;
		/* Not answered: the response to our INVITE tells why. */
		if (t->state == TRANSFER_JOINING)
			transfer_fail(t, SIP_TEMPORARILY_UNAVAILABLE);
	}
	if (call->transfer)
		transfer_free(call->transfer);
	takeover_call_over(call);
}

bool transfer_leg_left(struct call *call, enum leg leg)
{
	struct transfer *t = call->transfer;

	if (t && leg == t->by && t->state != TRANSFER_OVER) {
		subscription_stop(&t->sub);
	} else if (!takeover_goes_on_without(call, leg)) {
		t = call->target_of;
		if (!t || !t->is_attended || leg != t->target_leg)
			return false;
	}
	session_timer_stop(call, leg);
	call_detach_leg(call, leg);
	media_session_pause(call->media);
	return true;
}

struct call *transfer_other_call(const struct call *call)
{
	if (call->transfer)
		return call->transfer->target;
	return call->target_of ? call->target_of->call : NULL;
}

bool transfer_sees_to(struct call *call, enum leg leg)
{
	struct transfer *t = call->target_of;

	if (!t || leg == t->target_leg)
		return false;
	t->far_is_led = t->is_attended;
	return true;
}

/* ---- of the daemon before ---- */

struct transfer *transfer_take_up(struct call *call, enum leg by)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->call = call;
	t->by = by;
	t->timer.fire = timer_fired;
	t->sub = (struct subscription){.call = call, .leg = by, .over = finish_soon, .ctx = t};
	call->transfer = t;
	return t;
}

int transfer_adopt_asking(
	struct transfer *t, struct call *in, const struct sip_dest *dest, struct text invite)
{
	const struct own_request r = request_in(t, in);

	return own_request_adopt(&r, dest, invite, &t->asking);
}

static void resume_joining(struct transfer *t)
{
	struct media_session *media = t->is_attended ? t->media : t->target->media;

	if (t->asking)
		return;
	if (!media) {
		transfer_fail(t, SIP_SERVICE_UNAVAILABLE);
		return;
	}
	if (media_offer_pending(media))
		media_offer_failed(media);
	if (t->is_attended && !t->far_is_led)
		transfer_lead_far(t);
	else
		transfer_lead_remaining(t);
}

void transfer_resume(struct transfer *t)
{
	if (t->call->leg_gone[LEG_A] || t->call->leg_gone[LEG_B])
		media_session_pause(t->call->media);
	if (t->state == TRANSFER_OVER) {
		if (t->sub.is_over || !t->sub.x)
			finish_soon(t);
	} else if (!t->target) {
		transfer_fail(t, SIP_SERVICE_UNAVAILABLE);
	} else if (t->target->state == CALL_ANSWERED) {
		resume_joining(t);
	}
}
