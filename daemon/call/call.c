/* SPDX-License-Identifier: BSD-2-Clause */
/* A call's life from nothing to nothing, and the room's. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/attempt.h"
#include "call/carry.h"
#include "call/early.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/number.h"
#include "call/own_request.h"
#include "call/left_request.h"
#include "call/refer.h"
#include "call/refused.h"
#include "call/session_timer.h"
#include "call/unreachable.h"

void call_event(struct call *call, const char *kind, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_debug("call %llu: %s: %s", (unsigned long long)call->id, kind, text);
	if (call->calls->event)
		call->calls->event(call->calls->event_ctx, call->id, kind, text);
}

struct call *call_new(struct calls *calls, const struct peer_config *from)
{
	return call_new_at(calls, call_take_id(calls), from);
}

struct call *call_new_at(struct calls *calls, uint64_t id, const struct peer_config *from)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->calls = calls;
	call->id = id;
	call->cfg = config_ref(calls->cfg);
	call->setup_ms = loop_now_ms(calls->loop);
	table_add_failed = false;
	HASH_ADD(hh_id, calls->by_id, id, sizeof(call->id), call);
	if (table_add_failed || order_append(&calls->order, call)) {
		if (!table_add_failed)
			HASH_DELETE(hh_id, calls->by_id, call);
		config_unref(call->cfg);
		free(call);
		return NULL;
	}
	call->counted = true;
	calls->live++;
	calls->count++;
	call_set_peer(call, LEG_A, from);
	return call;
}

static void reap(struct loop_timer *t)
{
	struct calls *calls = (struct calls *)((char *)t - offsetof(struct calls, reaper));

	while (calls->dead) {
		struct call *call = calls->dead;

		calls->dead = call->next_dead;
		config_unref(call->cfg);
		while (call->held_cfg_count)
			config_unref(call->held_cfg[--call->held_cfg_count]);
		free(call->passed.refer_to);
		former_peer_free(call->former[LEG_A]);
		former_peer_free(call->former[LEG_B]);
		history_clear(call);
		attempts_clear(call);
		free(call);
	}
}

/* Takes the call out of everything at once; its memory goes when the handler that is running has
 * returned to the loop. */
static void call_free(struct call *call)
{
	struct calls *calls = call->calls;
	struct pair *pair, *next_pair;
	struct exchange *x, *next_x;

	loop_timer_stop(calls->loop, &call->attempt_timer);
	session_timers_stop(call);
	held_back_drop(call);
	own_request_restore_stop(call, LEG_A);
	own_request_restore_stop(call, LEG_B);
	transfer_call_over(call);
	DL_FOREACH (call->pairs, pair)
		reliable_free(pair); /* may still answer its exchange */
	DL_FOREACH_SAFE (call->exchanges, x, next_x) {
		exchange_free(x);
	}
	DL_FOREACH_SAFE (call->pairs, pair, next_pair) {
		pair_free(pair);
	}
	if (call->tag_b_added)
		tag_del(calls, &call->tag_b);
	merge_key_del(call);
	left_requests_free(call);
	refused_free(call);
	media_session_free(call->media);
	call->media = NULL;
	call_unsave(call); /* nothing touches it any more */
	call_uncount_ending(call);
	HASH_DELETE(hh_id, calls->by_id, call);
	order_remove(&calls->order, call);
	calls->count--;
	call->next_dead = calls->dead;
	calls->dead = call;
	calls->reaper.fire = reap;
	if (!loop_timer_is_started(&calls->reaper))
		loop_timer_start(calls->loop, &calls->reaper, 0);
}

void call_release_if_done(struct call *call)
{
	if (call->state == CALL_ENDING && !call->exchanges && !refused_waits(call))
		call_free(call);
}

static void media_timed_out(void *ctx, void *owner, enum leg leg, unsigned seconds, bool held)
{
	struct calls *calls = ctx;
	struct call *call = owner;
	char reason[96], why[160];

	calls->counters.media_timeouts++;
	log_info("call %llu: no media from %s for %u s%s: ended", (unsigned long long)call->id,
		call->peer[leg]->name, seconds, held ? " on hold" : "");
	snprintf(reason, sizeof(reason), "SIP;cause=408;text=\"No media for %u s\"", seconds);
	snprintf(why, sizeof(why), "media timeout: nothing from leg %c (%s) for %u s%s",
		leg == LEG_A ? 'a' : 'b', call->peer[leg]->name, seconds, held ? " on hold" : "");
	call_end(call, LEG_NONE, reason, why);
}

/* Not for the log: what callers dial is among it. */
static void media_event(void *ctx, void *owner, const char *kind, const char *text)
{
	struct calls *calls = ctx;
	const struct call *call = owner;

	if (calls->event)
		calls->event(calls->event_ctx, call->id, kind, text);
}

static void media_changed(void *ctx, void *owner)
{
	(void)ctx;
	call_touch(owner);
}

static void peer_event(void *ctx, const char *kind, const char *text)
{
	struct calls *calls = ctx;

	if (calls->event)
		calls->event(calls->event_ctx, 0, kind, text);
}

/* Outside a dialog, a blocked peer gets nothing from us (403: it need not try again), a draining
 * one no call more: 503, also to its OPTIONS, has it take another way. */
static bool refuse_by_state(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *config, const struct peer *peer)
{
	enum peer_state state = peer_get_state(peer);
	bool drained = state == PEER_DRAINING && (MSG_IS_INVITE(req) || MSG_IS_OPTIONS(req));
	int code = drained ? SIP_SERVICE_UNAVAILABLE : SIP_FORBIDDEN;

	if (!drained && state != PEER_BLOCKED)
		return false;
	if (drained && MSG_IS_INVITE(req)) {
		struct invite_need need;

		invite_find_need(calls, req, config, &need);
		if (need.emergency || need.in_place)
			return false;
	}
	sip_server_reply(txn, code, NULL, drained ? "Retry-After" : NULL, DRAIN_RETRY_AFTER_S);
	if (MSG_IS_INVITE(req)) {
		calls->counters.attempts++;
		calls->counters.refused_peer++;
		history_refused(calls, req, config, code);
	}
	return true;
}

/* RFC 3261 11.2 */
static void options_received(
	struct sip_server *txn, const osip_message_t *req, const struct peer_config *peer)
{
	osip_message_t *resp;

	if (require_refuse(txn, req, peer) || sip_response_make(txn, SIP_OK, NULL, NULL, &resp))
		return;
	call_announce(resp, peer);
	osip_message_set_header(resp, "Accept", "application/sdp");
	if (peer->session.reliable != RELIABLE_OFF)
		option_add(resp, "Supported", "100rel");
	if (peer->session.timer != SESSION_TIMER_OFF)
		option_add(resp, "Supported", "timer");
	sip_server_respond(txn, resp);
}

static void request_received(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	struct calls *calls = ctx;
	struct peer *live = peer_of(calls->peers, peer);

	if (live)
		peer_asked(live);
	if (sip_tag(req->to)[0])
		request_in_dialog(calls, txn, req, peer);
	else if (peer < calls->cfg->peer || peer >= calls->cfg->peer + calls->cfg->peer_count)
		/* Dropped by a reload: admitted for the calls that it still has, not for new ones.
		 */
		sip_server_reply(txn, SIP_FORBIDDEN, NULL, NULL, NULL);
	else if (live && refuse_by_state(calls, txn, req, peer, live))
		return;
	else if (MSG_IS_INVITE(req))
		invite_received(calls, txn, req, peer);
	else if (MSG_IS_OPTIONS(req) && calls->intake != INTAKE_OPEN)
		sip_server_reply(
			txn, SIP_SERVICE_UNAVAILABLE, NULL, "Retry-After", DRAIN_RETRY_AFTER_S);
	else if (MSG_IS_OPTIONS(req))
		options_received(txn, req, peer);
	else if (MSG_IS_BYE(req) || strcmp(req->sip_method, "PRACK") == 0 ||
		 strcmp(req->sip_method, "UPDATE") == 0 || MSG_IS_INFO(req))
		sip_server_reply(txn, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
	else if (MSG_IS_REGISTER(req) || MSG_IS_SUBSCRIBE(req) || MSG_IS_NOTIFY(req) ||
		 MSG_IS_REFER(req) || MSG_IS_MESSAGE(req) || MSG_IS_PUBLISH(req))
		sip_server_reply(txn, SIP_METHOD_NOT_ALLOWED, NULL, "Allow", call_allow(peer));
	else
		sip_server_reply(txn, SIP_NOT_IMPLEMENTED, NULL, "Allow", call_allow(peer));
}

static bool uri_is_emergency(void *ctx, const struct peer_config *peer, const char *uri, size_t len)
{
	const struct calls *calls = ctx;
	char number[CALL_NUMBER_MAX + 1];

	if (!calls->cfg->emergency_count)
		return false;
	number_of_text((struct text){uri, len}, number);
	return number_is_emergency(calls->cfg, peer, number);
}

static void overload_told(void *ctx, const char *text)
{
	const struct calls *calls = ctx;

	if (calls->event)
		calls->event(calls->event_ctx, 0, "overload", text);
}

static void before_sending(void *ctx)
{
	calls_save(ctx);
}

int calls_new(struct calls **out, struct loop *loop, struct config *cfg,
	enum dataplane_engine engine, calls_event_fn *event, void *event_ctx)
{
	struct calls *calls = calloc(1, sizeof(*calls));
	struct media_handlers media_handlers = {.ctx = calls,
		.timeout = media_timed_out,
		.bandwidth = limits_bandwidth,
		.event = media_event,
		.changed = media_changed};
	struct sip_handlers sip_handlers = {.ctx = calls,
		.request = request_received,
		.late_2xx = late_2xx_received,
		.stray_2xx = stray_2xx_received,
		.is_emergency = uri_is_emergency,
		.refused = history_refused_text,
		.overload = overload_told,
		.ack = ack_received,
		.event = peer_event};
	int ret;

	if (!calls)
		return -ENOMEM;
	calls->loop = loop;
	calls->cfg = config_ref(cfg);
	calls->event = event;
	calls->event_ctx = event_ctx;
	ret = -ENOMEM;
	calls->loads = loads_new(cfg);
	if (!calls->loads)
		goto fail;
	ret = media_new(&calls->media, loop, cfg, engine, &media_handlers);
	if (ret)
		goto fail;
	ret = sip_new(&calls->sip, loop, cfg, &sip_handlers);
	if (ret)
		goto fail;
	sip_set_before_sending(calls->sip, before_sending, calls);
	ret = peers_new(&calls->peers, loop, calls->sip, cfg, peer_event, calls);
	if (ret)
		goto fail;
	*out = calls;
	return 0;
fail:
	peers_free(calls->peers);
	sip_free(calls->sip);
	media_abandon(calls->media);
	config_unref(calls->cfg);
	loads_free(calls);
	free(calls);
	return ret;
}

void calls_free(struct calls *calls)
{
	struct call *call;

	if (!calls)
		return;
	calls_save_end(calls);
	while ((call = call_next(calls, 0)))
		call_free(call);
	reap(&calls->reaper);
	loop_timer_stop(calls->loop, &calls->reaper);
	peers_free(calls->peers);
	sip_free(calls->sip);
	if (calls->leaving)
		media_leave(calls->media);
	else
		media_abandon(calls->media);
	config_unref(calls->cfg);
	free(calls->order.slot);
	free(calls->order.id);
	loads_free(calls);
	free(calls);
}

unsigned call_substitute_listener(
	const struct calls *calls, const struct peer_config *peer, uint8_t family)
{
	const struct config *cfg = calls->cfg;

	for (unsigned i = 0; i < cfg->listener_count; i++) {
		const struct listener_config *lc = &cfg->listener[i];

		if (lc->side == peer->side && lc->transport == peer->transport &&
			lc->address.local.family == family)
			return sip_listener_slot(calls->sip, lc);
	}
	return SIP_NO_LISTENER;
}

/* Running calls keep their configuration; their dialogs whose listener is gone move to another. */
static void move_dialogs(struct calls *calls)
{
	struct call *call;
	struct pair *pair;

	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id) {
		DL_FOREACH (call->pairs, pair) {
			for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
				struct dialog *d = &pair->leg[leg];

				if (!d->peer || sip_listener_is_open(calls->sip, d->listener))
					continue;
				dialog_move(d, call_substitute_listener(
						       calls, d->peer, d->dest.remote.family));
			}
		}
	}
}

int calls_reload(struct calls *calls, struct config *cfg, FILE *errors)
{
	int ret = config_check_reload(calls->cfg, cfg, errors);
	struct loads *loads;
	struct config *old;

	if (ret)
		return ret;
	loads = loads_new(cfg);
	if (!loads)
		return -ENOMEM;
	ret = sip_reload(calls->sip, cfg, errors);
	if (ret)
		goto fail;
	ret = media_reload(calls->media, cfg);
	if (ret) {
		fprintf(errors, "%s: media: %s\n", cfg->file, strerror(-ret));
		sip_reload(calls->sip, calls->cfg, errors);
		goto fail;
	}
	ret = peers_reload(calls->peers, cfg);
	if (ret) {
		sip_reload(calls->sip, calls->cfg, errors);
		media_reload(calls->media, calls->cfg);
		goto fail;
	}
	old = calls->cfg;
	calls->cfg = config_ref(cfg);
	move_dialogs(calls);
	loads_put(calls, loads);
	config_unref(old);
	return 0;
fail:
	free(loads);
	return ret;
}

const struct config *calls_config(const struct calls *calls)
{
	return calls->cfg;
}

struct sip *calls_sip(struct calls *calls)
{
	return calls->sip;
}

struct media *calls_media(struct calls *calls)
{
	return calls->media;
}

struct peers *calls_peers(struct calls *calls)
{
	return calls->peers;
}

unsigned calls_count(const struct calls *calls)
{
	return calls->count;
}

void call_hangup(struct call *call, const char *reason_text)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "SIP;cause=200;text=\"%.100s\"", reason_text);
	call_end(call, LEG_NONE, reason, reason_text);
}

void calls_drain(struct calls *calls)
{
	calls->intake = INTAKE_DRAINS;
}

void calls_shutdown(struct calls *calls)
{
	struct call *call;

	calls->intake = INTAKE_CLOSED;
	calls->leave_wanted = false;
	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id)
		call_hangup(call, "Shutting down");
}
