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

#define TOKEN_LEN 24 /* of the Call-ID of our own INVITE */
/* Of its From tag. Not DIALOG_TAG_LEN: it is no tag that anybody could be found by. */
#define FROM_TAG_LEN 20
/* For the last NOTIFY, should nothing else put an end to it. */
#define LAST_NOTIFY_MS (2 * 64 * SIP_T1_MS)

enum transfer_state {
	TRANSFER_CALLING, /* the target is called */
	TRANSFER_JOINING, /* it has answered: the legs are led to each other */
	TRANSFER_OVER,    /* decided; the last NOTIFY is under way */
};

struct transfer {
	struct call *call; /* of the leg that referred */
	enum leg by;       /* which it is */
	enum transfer_state state;
	bool is_attended, is_joined;
	bool far_is_led; /* attended: the far leg has accepted the new session */
	struct refer_to to;
	struct subscription sub;
	struct sip_server *local;    /* our own INVITE, until it is over */
	struct call *target;         /* NULL: not made yet, or over */
	enum leg target_leg;         /* of target: whose place the remaining leg takes */
	struct media_session *media; /* attended: the two remaining ones', until they are joined */
	struct exchange *asking;     /* our re-INVITE under way */
	struct loop_timer timer;     /* of the whole; once it is over: its end */
};

static enum leg remaining(const struct transfer *t)
{
	return OTHER_LEG(t->by);
}

/* The remaining one's number, as it is routed. */
static const char *remaining_number(const struct transfer *t)
{
	const struct numbers *n = &t->call->routed;

	return remaining(t) == LEG_A ? n->calling : n->called;
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
	if (t->is_joined)
		call->calls->counters.transfers++;
	else
		call->calls->counters.transfers_failed++;
	snprintf(note.to, sizeof(note.to), "%s", t->to.number);
	history_transfer(call, &note);
	call_event(call, "transfer", "%s -> %s: leg %c to %s: %d", call->from, call->to, note.by,
		t->to.number, code);
	loop_timer_start(call->calls->loop, &t->timer, LAST_NOTIFY_MS);
	if (!subscription_tell(&t->sub, code))
		finish_soon(t);
}

static void fail(struct transfer *t, int code)
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
		fail(t, SIP_REQUEST_TIME_OUT);
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
	const char *old = key_line(media_heard_sdp(t->call->media, remaining(t)), &old_len);
	const char *new = key_line(media_heard_sdp(media, t->target_leg), &new_len);

	return old_len != new_len || memcmp(old, new, old_len) != 0;
}

/* The remaining leg leaves its call for the target's. */
static void join(struct transfer *t)
{
	struct call *call = t->call, *target = t->target;
	enum leg rem = remaining(t);
	struct dialog moved;
	bool rekey = keys_changed(t, t->media ? t->media : target->media);
	int ret;

	if (dialog_copy(&moved, &call->answered->leg[rem])) {
		fail(t, SIP_INTERNAL_SERVER_ERROR);
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
		remaining_number(t));
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
	fail(t, code);
	if (astray)
		own_request_restore(call, remaining(t));
}

/* A re-INVITE with what the one end of the session said, for the leg at its other end. */
static void lead(struct transfer *t, struct call *call, enum leg to, struct media_session *media,
	enum leg offerer, const char *offer, own_done_fn *done)
{
	const struct own_request r = {.call = call,
		.to = to,
		.method = "INVITE",
		.media = media,
		.offerer = offerer,
		.offer = offer,
		.done = done,
		.ctx = t};

	if (own_request_send(&r, &t->asking))
		fail(t, SIP_SERVICE_UNAVAILABLE);
}

static void lead_remaining(struct transfer *t)
{
	struct media_session *media = t->media ? t->media : t->target->media;

	t->state = TRANSFER_JOINING;
	lead(t, t->call, remaining(t), media, OTHER_LEG(t->target_leg), NULL, remaining_answered);
}

/* ---- attended ---- */

static void far_answered(void *ctx, int code, osip_message_t *resp, const char *answer)
{
	struct transfer *t = ctx;

	(void)answer;
	t->asking = NULL;
	t->far_is_led = resp && MSG_IS_STATUS_2XX(resp);
	if (code < 300)
		lead_remaining(t);
	else
		fail(t, code);
}

static struct pair *find_named(const struct transfer *t, enum leg *leg)
{
	const struct replaces *r = &t->to.replaces;

	return pair_by_ids(t->call->calls, r->call_id, r->to_tag, r->from_tag, leg);
}

/* What the remaining leg may be led to: a leg that stands, of a call in which nothing else is
 * under way. 0 or the code that says why not. */
static int find_target(struct transfer *t, const struct peer_config *peer)
{
	const struct replaces *r = &t->to.replaces;
	enum leg leg;
	struct pair *pair = find_named(t, &leg);
	struct call *target = pair ? pair->call : NULL;

	if (!target || target->state != CALL_ANSWERED || target == t->call ||
		target->leg_gone[leg] || target->leg_gone[OTHER_LEG(leg)])
		return SIP_CALL_TRANSACTION_DOES_NOT_EXIST;
	if (!replaces_is_allowed(peer, target, leg))
		return SIP_FORBIDDEN;
	/* RFC 3891 3: an answered call is not to be taken. */
	if (r->early_only)
		return SIP_BUSY_HERE;
	if (target->transfer || target->target_of || target->takeover)
		return SIP_REQUEST_PENDING;
	if (target->transfers + t->call->transfers >= CALL_TRANSFERS_MAX)
		return SIP_FORBIDDEN;
	t->target = target;
	t->target_leg = leg;
	target->target_of = t;
	return 0;
}

static void begin_attended(struct transfer *t, const struct peer_config *referrer)
{
	const struct peer_config *peer[2];
	char *offer = NULL;
	enum leg leg;
	int code, ret;

	t->is_attended = true;
	code = find_target(t, referrer);
	if (code) {
		fail(t, code);
		return;
	}
	leg = t->target_leg;
	peer[leg] = t->call->peer[remaining(t)];
	peer[OTHER_LEG(leg)] = t->target->peer[OTHER_LEG(leg)];
	ret = call_hold_config(t->target, call_config_of(t->call, peer[leg]));
	if (!ret)
		ret = media_session_new(
			t->call->calls->media, t->target, peer[LEG_A], peer[LEG_B], &t->media);
	if (!ret) {
		media_session_set_spare(t->media, true);
		ret = media_fresh_offer(t->call->media, remaining(t), &offer);
	}
	if (ret) {
		fail(t, ret == -ENOENT ? SIP_NOT_ACCEPTABLE_HERE : media_error_code(ret));
		return;
	}
	t->state = TRANSFER_JOINING;
	lead(t, t->target, OTHER_LEG(leg), t->media, leg, offer, far_answered);
	free(offer);
}

/* ---- blind: a call to the target ---- */

static void target_responded(void *ctx, struct sip_server *txn, osip_message_t *resp)
{
	struct transfer *t = ctx;
	int code = resp->status_code;

	(void)txn;
	if (code < 200) {
		if (code > SIP_TRYING)
			subscription_tell(&t->sub, code);
		return;
	}
	t->local = NULL;
	if (code >= 300) {
		fail(t, code);
	} else if (!t->target || t->target->state != CALL_ANSWERED) {
		fail(t, SIP_TEMPORARILY_UNAVAILABLE);
	} else {
		if (t->target->initial && t->target->initial->server)
			exchange_acked(t->target->initial, NULL);
		if (t->target)
			lead_remaining(t);
	}
}

static const struct sip_local_handlers local_handlers = {.response = target_responded};

/* From the remaining one, as it would call itself (RFC 3515 2.4.3), with the name of who sent it.
 */
static int make_target_invite(struct transfer *t, const osip_message_t *refer, osip_message_t **out)
{
	const struct dialog *rem = &t->call->answered->leg[remaining(t)];
	const struct dialog *by = &t->call->answered->leg[t->by];
	const struct sip *sip = t->call->calls->sip;
	const char *referred_by = header_value(refer, "Referred-By");
	const char *host = sip_listener_host(sip, by->listener);
	char id[TOKEN_LEN + 1], *user = refer_to_escape(t->to.number), *offer = NULL;
	char text[DIALOG_URI_MAX + 64];
	osip_message_t *msg = NULL;
	osip_uri_t *uri = NULL;
	int ret = -ENOMEM;

	if (!referred_by)
		referred_by = header_value(refer, "b");
	if (!user || osip_message_init(&msg) || osip_uri_init(&uri))
		goto out;
	osip_message_set_method(msg, osip_strdup("INVITE"));
	osip_message_set_version(msg, osip_strdup("SIP/2.0"));
	osip_message_set_uri(msg, uri);
	snprintf(text, sizeof(text), "sip:%s@%s", user, host);
	if (osip_uri_parse(uri, text))
		goto out;
	snprintf(text, sizeof(text), "<sip:%s@%s>", user, host);
	if (osip_message_set_to(msg, text))
		goto out;
	token_make(id, FROM_TAG_LEN);
	snprintf(text, sizeof(text), "%s;tag=%s", rem->remote_uri, id);
	if (osip_message_set_from(msg, text))
		goto out;
	token_make(id, TOKEN_LEN);
	snprintf(text, sizeof(text), "%s@%s", id, host);
	if (osip_message_set_call_id(msg, text) || osip_message_set_cseq(msg, "1 INVITE"))
		goto out;
	snprintf(text, sizeof(text), "%u", t->call->cfg->max_forwards);
	if (sip_set_contact(msg, sip, by->listener) ||
		osip_message_set_header(msg, "Max-Forwards", text) ||
		osip_message_set_header(
			msg, "Referred-By", referred_by ? referred_by : by->remote_uri))
		goto out;
	ret = media_fresh_offer(t->call->media, remaining(t), &offer);
	if (!ret && (osip_message_set_body(msg, offer, strlen(offer)) ||
			    osip_message_set_content_type(msg, "application/sdp")))
		ret = -ENOMEM;
out:
	free(offer);
	free(user);
	if (ret)
		osip_message_free(msg);
	else
		*out = msg;
	return ret;
}

static void begin_blind(
	struct transfer *t, const osip_message_t *refer, const struct peer_config *referrer)
{
	struct calls *calls = t->call->calls;
	struct sip_server *local = NULL;
	osip_message_t *invite = NULL;
	int ret;

	t->target_leg = LEG_A;
	ret = make_target_invite(t, refer, &invite);
	if (!ret)
		ret = sip_local_new(&local, calls->sip, invite, referrer,
			t->call->answered->leg[t->by].listener, &local_handlers, t);
	if (ret) {
		fail(t, ret == -ENOENT ? SIP_NOT_ACCEPTABLE_HERE : SIP_INTERNAL_SERVER_ERROR);
		return;
	}
	t->local = local;
	invite_received(calls, local, invite, referrer);
}

void transfer_call_made(struct call *call, const struct sip_server *txn)
{
	struct transfer *t = sip_local_asker(txn);
	const struct peer_config *peer;

	if (!t)
		return;
	peer = t->call->peer[remaining(t)];
	call->asking = call->peer[LEG_A];
	call_hold_config(call, call_config_of(t->call, peer));
	call_set_peer(call, LEG_A, peer);
	call->leg_gone[LEG_A] = true;
	call->target_of = t;
	t->target = call;
}

void transfer_calling_number(struct call *call)
{
	strcpy(call->routed.calling, remaining_number(call->target_of));
}

/* The referring one's call to the target, which nobody has answered yet: there is no leg to take
 * the place of (RFC 5589 7.6 has the one who refers give it up itself). It ends, and the target is
 * called for the one who remains, as in a blind transfer. False: it names no such call. */
static bool take_back(struct transfer *t, const struct peer_config *referrer)
{
	const struct rejection why = {.code = SIP_REQUEST_TERMINATED, .by_caller = true};
	enum leg leg;
	struct pair *pair = find_named(t, &leg);

	if (!pair || leg != LEG_A || pair->call->state == CALL_ANSWERED ||
		pair->call->state == CALL_ENDING || !replaces_is_allowed(referrer, pair->call, leg))
		return false;
	invite_reject(pair->call, &why);
	return true;
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
		fail(t, SIP_FORBIDDEN);
	} else if (call->transfers >= CALL_TRANSFERS_MAX) {
		calls->counters.transfers_refused++;
		fail(t, SIP_FORBIDDEN);
	} else if (t->to.has_replaces && !take_back(t, referrer)) {
		begin_attended(t, referrer);
	} else {
		begin_blind(t, refer, referrer);
	}
}

void transfer_call_over(struct call *call)
{
	struct transfer *t = call->target_of;

	call->target_of = NULL;
	if (t) {
		t->target = NULL;
		/* Not answered: the response to our INVITE tells why. */
		if (t->state == TRANSFER_JOINING)
			fail(t, SIP_TEMPORARILY_UNAVAILABLE);
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
