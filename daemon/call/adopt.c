/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of the daemon before this one: from the messages that save.c wrote, back to what they were.
 * A message is checked where the room relies on what it says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "call/attempt.h"
#include "call/bye.h"
#include "call/cancelled.h"
#include "call/end.h"
#include "call/left_request.h"
#include "call/refused.h"
#include "call/state.h"
#include "call/unreachable.h"

#define ID_MAX (UINT64_MAX / 2)

/* Where the store's journal had no room, the last of what the daemon before did is not known, nor
 * what those did that were killed before this was written anew: CSeq numbers go on far from where
 * any of them can have been. RFC 3261 12.2.1.1 wants them to grow, no more. */
#define CSEQ_LEAP      100
#define CSEQ_LEAPS_MAX 1000

/* A call that takes part in a transfer or takeover, until all that have a part in it are there. */
struct unsettled {
	uint64_t id;
	VdState__Call *m;
	struct unsettled *next;
};

/* Without a word to anybody: it never was. */
static void give_up(struct call *call)
{
	call->state = CALL_ENDING;
	call_uncount(call);
	call_release_if_done(call);
}

static void end_early(struct call *call, int error)
{
	const struct rejection why = {.code = SIP_INTERNAL_SERVER_ERROR};

	log_error("call %llu, not answered yet: it cannot be taken up (%s): ended",
		(unsigned long long)call->id, strerror(-error));
	call->calls->adoption.ended++;
	invite_reject(call, &why);
}

int adopt_media(struct call *call, const VdState__Call *in)
{
	return media_session_adopt(call->calls->media, call, call->peer[LEG_A], call->peer[LEG_B],
		in->media, &call->media);
}

/* Whether it goes on; if not, both legs are told. */
static bool adopt_unanswered(struct call *call, const VdState__Call *in)
{
	/* The transactions first of all: by them both legs hear of what fails after that. */
	int ret = adopt_early_transactions(call, in);

	if (!ret)
		ret = adopt_media(call, in);
	if (!ret)
		ret = adopt_early(call, in);
	if (ret)
		end_early(call, ret);
	return !ret;
}

static int adopt_parts(struct call *call, const VdState__Call *in)
{
	int ret = adopt_facts(call, in);

	if (!ret && !in->early)
		ret = adopt_legs(call, in);
	if (ret) {
		give_up(call);
		return ret;
	}
	call->state = in->early ? CALL_SETUP : CALL_ANSWERED;
	if (in->early ? !adopt_unanswered(call, in) : !adopt_answered(call, in))
		return 0;
	left_requests_adopt(call, in);
	byes_adopt(call, in);
	cancelled_adopt(call, in);
	if (!unreachable_end(call))
		call_touch(call);
	return 0;
}

static bool is_whole(const VdState__Call *in)
{
	if (in->n_leg != 2 || !in->media)
		return false;
	if (in->transfer && (in->target || in->takeover))
		return false;
	return in->early || (in->leg[LEG_A]->dialog && in->leg[LEG_B]->dialog);
}

/* Any of those that something is left for; NULL: none is configured any more. */
static const struct peer_config *peer_of_over(const struct config *cfg, const VdState__Call *in)
{
	const struct peer_config *peer =
		in->refused ? config_peer_by_name(cfg, in->refused->peer) : NULL;

	for (size_t i = 0; !peer && i < in->n_bye; i++)
		peer = config_peer_by_name(cfg, in->bye[i]->peer);
	for (size_t i = 0; !peer && i < in->n_cancelled; i++)
		peer = config_peer_by_name(cfg, in->cancelled[i]->peer);
	return peer;
}

/* It is there until its BYEs and the INVITE that it has cancelled are answered, and the refusal of
 * leg A's is acknowledged. */
static int adopt_over(struct calls *calls, uint64_t id, const VdState__Call *in)
{
	const struct peer_config *peer = peer_of_over(calls->cfg, in);
	struct call *call = peer ? call_new_at(calls, id, peer) : NULL;

	calls->next_id = id;
	if (!call) {
		store_del(calls->store, STORE_CALL, STORE_NUMBER(id));
		return 0;
	}
	call->saved = call->adopted = call->recorded = true;
	call->state = CALL_ENDING;
	call_uncount(call);
	byes_adopt(call, in);
	cancelled_adopt(call, in);
	refused_adopt(call, in);
	call_touch(call);
	call_release_if_done(call);
	return 0;
}

/* former: in the place of one that is not configured any more. 0 or -ENOENT. */
static int find_peers(const struct calls *calls, const VdState__Call *in,
	const struct peer_config *peer[2], struct peer_config *former[2])
{
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		peer[leg] = config_peer_by_name(calls->cfg, in->leg[leg]->peer);
		if (!peer[leg])
			peer[leg] = former[leg] = former_peer_new(in, leg);
		if (!peer[leg])
			return -ENOENT;
	}
	return 0;
}

static struct call *begin(struct calls *calls, uint64_t id, const VdState__Call *in)
{
	const struct peer_config *peer[2];
	struct peer_config *former[2] = {NULL, NULL};
	struct call *call = NULL;

	if (find_peers(calls, in, peer, former) == 0)
		call = call_new_at(calls, id, peer[LEG_A]);
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		if (!call)
			former_peer_free(former[leg]);
		else
			call->unreachable[leg] = (call->former[leg] = former[leg]) != NULL;
	}
	if (call)
		call_set_peer(call, LEG_B, peer[LEG_B]);
	return call;
}

static uint32_t cseq_leap(const struct calls *calls, const VdState__Call *in)
{
	uint64_t starts = in->start < calls->start ? calls->start - in->start : 1;

	return CSEQ_LEAP * (uint32_t)(starts < CSEQ_LEAPS_MAX ? starts : CSEQ_LEAPS_MAX);
}

static int adopt(struct calls *calls, uint64_t id, const VdState__Call *in)
{
	struct call *call;

	if (id <= calls->next_id || id > ID_MAX)
		return -EINVAL;
	if (in->over)
		return adopt_over(calls, id, in);
	if (!is_whole(in))
		return -EINVAL;
	call = begin(calls, id, in);
	if (!call)
		return -ENOMEM;
	calls->next_id = id;
	calls->cseq_leap = cseq_leap(calls, in);
	call->saved = call->adopted = true;
	call->recorded =
		calls->recorded && calls->recorded(calls->record_ctx, id, in->setup_wall_ms);
	return adopt_parts(call, in);
}

static int adopt_ids(struct calls *calls, const uint8_t *value, size_t len)
{
	VdState__CallIds *m = vd_state__call_ids__unpack(NULL, len, value);
	int ret = -EBADMSG;

	if (m && m->below <= ID_MAX) {
		calls->ids_below = m->below;
		calls->start = m->start;
		ret = 0;
	}
	if (m)
		vd_state__call_ids__free_unpacked(m, NULL);
	return ret;
}

/* Takes m. Out of memory, what is under way is given up. */
static void unsettled_add(struct calls *calls, uint64_t id, VdState__Call *m)
{
	struct unsettled *u = calloc(1, sizeof(*u));

	if (!u) {
		vd_state__call__free_unpacked(m, NULL);
		return;
	}
	u->id = id;
	u->m = m;
	LL_PREPEND(calls->unsettled, u);
}

static struct call *call_of(struct calls *calls, const struct unsettled *u)
{
	struct call *call = call_by_id(calls, u->id);

	return call && call->state != CALL_ENDING ? call : NULL;
}

static void settle_media(struct calls *calls)
{
	const struct unsettled *u;
	struct call *call;

	LL_FOREACH (calls->unsettled, u) {
		call = call_of(calls, u);
		if (call)
			adopt_moving(call, u->m);
	}
	LL_FOREACH (calls->unsettled, u) {
		call = call_of(calls, u);
		if (call && u->m->leading)
			adopt_leading(call, u->m->leading);
	}
}

/* What was over when the daemon before was killed, and is not so by the store, ends once more: a
 * leg that was not told yet hears of it, one that was says 481. What a transfer has begun in it is
 * carried through before. */
static void end_recorded(struct calls *calls)
{
	struct call *call;

	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id) {
		if (call->recorded && !call->transfer && !call->target_of && !call->takeover)
			call_end(call, LEG_NONE, NULL, "it was over before a restart");
	}
}

/* Nothing is to be adopted any more. */
static void settle(struct calls *calls)
{
	unsigned live = calls->live;
	struct unsettled *u, *next;
	struct call *call;

	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id)
		left_requests_resume(call);
	LL_FOREACH_SAFE (calls->unsettled, u, next) {
		call = call_of(calls, u);
		if (call)
			moving_resume(call);
		LL_DELETE(calls->unsettled, u);
		vd_state__call__free_unpacked(u->m, NULL);
		free(u);
	}
	calls->adoption.ended += live - calls->live; /* what is given up may end more than one */
	end_recorded(calls);
	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id)
		calls->adoption.adopted += adopt_is_left(call);
}

static int adopt_record(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	struct calls *calls = ctx;
	VdState__Call *m;
	int ret;

	if (key.name)
		return -EINVAL;
	/* Loading the programs has taken its time, and so have the calls before this one. */
	loop_see_time(calls->loop);
	m = vd_state__call__unpack(NULL, len, value);
	ret = m ? adopt(calls, key.number, m) : -EBADMSG;
	if (!ret && (m->transfer || m->target || m->takeover))
		unsettled_add(calls, key.number, m);
	else if (m)
		vd_state__call__free_unpacked(m, NULL);
	if (ret)
		calls->adoption.lost++;
	return ret;
}

static int adopt_room_record(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	if (!key.name)
		return -EINVAL;
	return strcmp(key.name, CALL_IDS_KEY) == 0 ? adopt_ids(ctx, value, len) : 0;
}

int calls_adopt(struct calls *calls, struct store *store)
{
	int ret = 0;

	if (store) {
		calls->save_arena = calloc(1, sizeof(*calls->save_arena));
		if (!calls->save_arena)
			return -ENOMEM;
		calls->store = store;
		ret = store_load(store, STORE_ROOM, adopt_room_record, calls);
		if (!ret) {
			calls->start++;
			calls_reserve_ids(calls, calls->ids_below);
			ret = store_load(store, STORE_CALL, adopt_record, calls);
		}
		if (!ret && calls->ids_below > calls->next_id)
			calls->next_id = calls->ids_below - 1;
		if (!ret)
			ret = media_keep_resting(calls->media, store);
		if (!ret)
			ret = peers_adopt(calls->peers, store);
		calls->ids_read = !ret;
	}
	if (ret)
		return ret;
	settle_media(calls);
	media_adoption_done(calls->media);
	loop_see_time(calls->loop);
	settle(calls);
	if (calls->adoption.adopted || calls->adoption.ended || calls->adoption.lost)
		log_info("%u calls of before go on, %u were ended, %u are lost",
			calls->adoption.adopted, calls->adoption.ended, calls->adoption.lost);
	return 0;
}

void calls_get_adoption(const struct calls *calls, struct calls_adoption *out)
{
	*out = calls->adoption;
}
