/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon that comes after this one is to know of calls, as messages of store/state.proto.
 * It is so before a peer is told anything that hangs on it: what has changed since the loop had its
 * last turn is written down in one piece, ends of calls as well, and then what was sent leaves. So
 * whenever a daemon is killed, the next one knows of what it has begun; and where a leg has moved
 * from one call to another, it finds both as they were before, or both as they are after that.
 *
 * Requests within a dialog that have no final response go on in the next daemon, or are answered by
 * it (left_request.h). Not so re-INVITEs: the call stands as it stood before them, and enough is
 * kept to refuse them (save_under_way.c), or, where they are ours and lead a leg to where a
 * transfer wants it, to hear their answer. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "call/bye.h"
#include "call/cancelled.h"
#include "call/left_request.h"
#include "call/refer.h"
#include "call/refused.h"
#include "call/state.h"
#include "media/media.h"
#include "store/message.h"
#include "store/store.h"

#define IDS_AT_ONCE 4096
#define OVER_FIRST  64

static VdState__Numbers *save_numbers(struct arena *a, const struct numbers *n)
{
	VdState__Numbers *m = NEW(a, VdState__Numbers, VD_STATE__NUMBERS__INIT);

	if (!m)
		return NULL;
	m->calling = bytes_of(n->calling);
	m->called = bytes_of(n->called);
	m->anonymous = n->anonymous;
	return m;
}

VdState__Dialog *save_dialog(struct arena *a, const struct dialog *d)
{
	VdState__Dialog *m = NEW(a, VdState__Dialog, VD_STATE__DIALOG__INIT);

	if (!m)
		return NULL;
	m->call_id = bytes_of(d->call_id);
	m->is_uac = d->is_uac;
	m->local_tag = bytes_of(d->local_tag);
	m->remote_tag = bytes_of(d->remote_tag);
	m->local_uri = bytes_of(d->local_uri);
	m->remote_uri = bytes_of(d->remote_uri);
	m->remote_target = bytes_of(d->remote_target);
	m->routes = bytes_of(d->routes);
	m->local_cseq = d->local_cseq;
	m->remote_cseq = d->remote_cseq;
	m->acked_cseq = d->acked_cseq;
	m->began = addr_of(a, &d->began.remote);
	m->remote = addr_of(a, &d->dest.remote);
	m->over_tcp = d->dest.over_tcp;
	return m;
}

static VdState__SessionTimer *save_session(struct arena *a, const struct session_timer *st)
{
	VdState__SessionTimer *m;

	if (!st->active)
		return NULL;
	m = NEW(a, VdState__SessionTimer, VD_STATE__SESSION_TIMER__INIT);
	if (!m)
		return NULL;
	m->interval_s = st->interval_s;
	m->we_refresh = st->we_refresh;
	m->since_ms = st->since_ms;
	return m;
}

static VdState__CallLeg *save_leg(struct arena *a, const struct call *call, enum leg leg)
{
	const struct session_timer *st = &call->session_timer[leg];
	VdState__CallLeg *m = NEW(a, VdState__CallLeg, VD_STATE__CALL_LEG__INIT);

	if (!m)
		return NULL;
	m->peer = string_of(call->peer[leg]->name);
	if (call->answered)
		m->dialog = save_dialog(a, &call->answered->leg[leg]);
	m->session = save_session(a, st);
	m->gone = call->leg_gone[leg];
	m->session_min_s = st->min_s;
	m->has_update = st->has_update;
	m->led_away = call->restore[leg].is_due;
	return m;
}

static VdState__CallAttempt *save_attempt(struct arena *a, const struct call_attempt *attempt)
{
	VdState__CallAttempt *m = NEW(a, VdState__CallAttempt, VD_STATE__CALL_ATTEMPT__INIT);

	if (!m)
		return NULL;
	m->peer = string_of(attempt->peer);
	m->start_wall_ms = attempt->start_ms;
	m->end_wall_ms = attempt->end_ms;
	m->code = (uint32_t)attempt->code;
	m->cause = (uint32_t)attempt->cause;
	m->address = addr_of(a, &attempt->address);
	m->call_id = bytes_of(attempt->call_id);
	m->from = bytes_of(attempt->from);
	m->to = bytes_of(attempt->to);
	return m;
}

static VdState__CallTransfer *save_transfer(struct arena *a, const struct call_transfer *transfer)
{
	VdState__CallTransfer *m = NEW(a, VdState__CallTransfer, VD_STATE__CALL_TRANSFER__INIT);

	if (!m)
		return NULL;
	m->at_wall_ms = transfer->at_ms;
	m->kind = string_of(transfer->kind);
	m->by = transfer->by == 'b';
	m->to = bytes_of(transfer->to);
	m->code = (uint32_t)transfer->code;
	m->call = transfer->call;
	return m;
}

static void save_history(struct arena *a, const struct history *h, VdState__Call *m)
{
	m->setup_wall_ms = h->setup_ms;
	m->ring_wall_ms = h->ring_ms;
	m->answer_wall_ms = h->answer_ms;
	m->tried = arena_array(a, h->attempt_count, sizeof(*m->tried));
	m->transferred = arena_array(a, h->transfer_count, sizeof(*m->transferred));
	if (!m->tried || !m->transferred)
		return;
	for (unsigned i = 0; i < h->attempt_count; i++)
		m->tried[m->n_tried++] = save_attempt(a, &h->attempt[i]);
	for (unsigned i = 0; i < h->transfer_count; i++)
		m->transferred[m->n_transferred++] = save_transfer(a, &h->transfer[i]);
}

static void save_call(struct arena *a, const struct call *call, VdState__Call *m)
{
	*m = (VdState__Call)VD_STATE__CALL__INIT;
	m->from = bytes_of(call->from);
	m->to = bytes_of(call->to);
	m->routed = save_numbers(a, &call->routed);
	m->sent = save_numbers(a, &call->sent);
	if (call->route.route)
		m->route = string_of(call->route.route->name);
	m->emergency = call->emergency;
	m->takes_any = call->takes_any;
	m->setup_ms = call->setup_ms;
	m->answered_ms = call->answered_ms;
	m->attempt = call->attempt;
	save_history(a, &call->history, m);
	m->refers = call->refers;
	m->transfers = call->transfers;
	m->came_of = call->came_of;
	m->unnamed_a = call->unnamed[LEG_A];
	m->unnamed_b = call->unnamed[LEG_B];
	m->start = call->calls->start;
	if (call->state != CALL_ANSWERED)
		m->early = save_early(a, call);
	else if (call->exchanges || call->held_back.txn)
		save_under_way(a, call, m);
	left_requests_save(a, call, m);
	byes_save(a, call, m);
	cancelled_save(a, call, m);
	save_moving(a, call, m);
	m->leg = arena_array(a, 2, sizeof(*m->leg));
	m->media = NEW(a, VdState__MediaSession, VD_STATE__MEDIA_SESSION__INIT);
	if (!m->leg || !m->media)
		return;
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++)
		m->leg[m->n_leg++] = save_leg(a, call, leg);
	media_session_save(call->media, a, m->media);
}

static void put(
	struct calls *calls, enum store_kind kind, struct store_key key, const ProtobufCMessage *m)
{
	size_t len;
	void *value = message_pack_in(&calls->save_room, m, &len);

	if (!value) {
		log_limited(LOG_LEVEL_ERROR, "no memory to write down what calls do");
		return;
	}
	store_put(calls->store, kind, key, value, len);
}

static void untouch(struct call *call)
{
	if (call->touched) {
		DL_DELETE2(call->calls->touched.first, call, prev_touched, next_touched);
		call->calls->touched.count--;
	}
	call->touched = false;
}

bool call_can_be_saved(const struct call *call)
{
	if (call->state != CALL_ANSWERED)
		return early_can_be_saved(call);
	return call->media && call->answered && call->answered->has_dialog_a;
}

static void start(struct calls *calls);

static bool over_add(struct over *over, uint64_t id)
{
	if (over->count == over->room) {
		unsigned room = over->room ? over->room * 2 : OVER_FIRST;
		uint64_t *more = realloc(over->id, room * sizeof(*more));

		if (!more)
			return false;
		over->id = more;
		over->room = room;
	}
	over->id[over->count++] = id;
	return true;
}

static void forget(struct call *call)
{
	struct calls *calls = call->calls;

	if (call->saved && calls->save_arena && over_add(&calls->over, call->id))
		start(calls);
	else if (call->saved)
		store_del(calls->store, STORE_CALL, STORE_NUMBER(call->id));
	call->saved = call->saved_early = call->saved_over = false;
}

static bool put_call(struct call *call, const VdState__Call *m)
{
	struct calls *calls = call->calls;
	bool failed = arena_failed(calls->save_arena);

	if (failed)
		log_limited(LOG_LEVEL_ERROR, "call %llu: no memory to write it down",
			(unsigned long long)call->id);
	else
		put(calls, STORE_CALL, STORE_NUMBER(call->id), &m->base);
	arena_reset(calls->save_arena);
	return !failed;
}

static void save_over(struct call *call)
{
	VdState__Call m = VD_STATE__CALL__INIT;

	if (byes_wait(call) || cancelled_waits(call) || refused_waits(call)) {
		m.over = true;
		byes_save(call->calls->save_arena, call, &m);
		cancelled_save(call->calls->save_arena, call, &m);
		refused_save(call->calls->save_arena, call, &m);
		if (put_call(call, &m))
			call->saved = call->saved_over = true;
	} else if (call->saved) {
		store_del(call->calls->store, STORE_CALL, STORE_NUMBER(call->id));
		call->saved = call->saved_over = false;
	}
}

static void save(struct call *call)
{
	VdState__Call m;

	untouch(call);
	if (call->state == CALL_ENDING) {
		save_over(call);
	} else if (call_can_be_saved(call)) {
		save_call(call->calls->save_arena, call, &m);
		if (put_call(call, &m)) {
			call->saved = true;
			call->saved_early = call->state != CALL_ANSWERED;
		}
	} else if (call->saved_early && call->state == CALL_ANSWERED) {
		/* What was written down while it rang is not so any more. */
		forget(call);
	}
}

unsigned calls_unsaved(const struct calls *calls)
{
	return calls->touched.count + calls->over.count;
}

static void delete_over(struct calls *calls)
{
	struct over *over = &calls->over;

	while (over->count)
		store_del(calls->store, STORE_CALL, STORE_NUMBER(over->id[--over->count]));
}

void calls_save(struct calls *calls)
{
	if (!calls_unsaved(calls))
		return;
	store_begin(calls->store);
	delete_over(calls);
	while (calls->touched.first)
		save(calls->touched.first);
	delete_over(calls); /* what came of that */
	store_end(calls->store);
}

static void touched_fired(struct loop_timer *t)
{
	calls_save((struct calls *)((char *)t - offsetof(struct calls, touched.timer)));
}

/* Of what changes without a word to anybody. Without memory for the timer the next that is said
 * takes it along. */
static void start(struct calls *calls)
{
	calls->touched.timer.fire = touched_fired;
	if (!loop_timer_is_started(&calls->touched.timer))
		loop_timer_start(calls->loop, &calls->touched.timer, 0);
}

static void touch(struct call *call)
{
	struct calls *calls = call->calls;

	/* Without the arena nothing is written down yet, or any more. */
	if (!calls->save_arena || call->touched)
		return;
	call->touched = true;
	DL_APPEND2(calls->touched.first, call, prev_touched, next_touched);
	calls->touched.count++;
	start(calls);
}

void call_touch(struct call *call)
{
	struct call *other = transfer_other_call(call);

	touch(call);
	if (other)
		touch(other);
}

void call_unsave(struct call *call)
{
	untouch(call);
	/* One that ends while the rest is left is not left, but for its BYEs. */
	if (!call->calls->leaving || (call->state == CALL_ENDING && !call->saved_over))
		forget(call);
}

void calls_reserve_ids(struct calls *calls, uint64_t below)
{
	VdState__CallIds m = VD_STATE__CALL_IDS__INIT;

	m.below = calls->ids_below = below;
	m.start = calls->start;
	put(calls, STORE_ROOM, STORE_NAME(CALL_IDS_KEY), &m.base);
}

uint64_t call_take_id(struct calls *calls)
{
	calls->next_id++;
	if (calls->store && calls->next_id >= calls->ids_below)
		calls_reserve_ids(calls, calls->next_id + IDS_AT_ONCE);
	return calls->next_id;
}

void calls_save_end(struct calls *calls)
{
	calls->leaving = calls->leave_wanted;
	if (calls->leaving) {
		calls_save(calls);
		if (calls->ids_read)
			calls_reserve_ids(
				calls, calls->next_id + 1); /* the rest can be given out */
		media_set_leaving(calls->media);
	}
	delete_over(calls);
	free(calls->over.id);
	calls->over = (struct over){0};
	loop_timer_stop(calls->loop, &calls->touched.timer);
	if (calls->save_arena)
		arena_free(calls->save_arena);
	free(calls->save_arena);
	calls->save_arena = NULL;
	message_room_free(&calls->save_room);
}
