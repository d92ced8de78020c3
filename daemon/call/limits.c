/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/internal.h"

#define MS_A_SEC         1000u
#define TOKEN            1000u /* thousandths */
#define LIMIT_QUIET_MS   5000  /* without a refusal for so long, a limit bites no more */
#define LIMIT_TICK_MS    1000
#define ENDING_SHARE     2 /* of what is free, for one peer's calls that end */
#define LIMIT_TEXT_MAX   256
#define NO_RETRY_AFTER_S 0

/* ---- what bears ---- */

static struct load *load_of(const struct calls *calls, const struct peer_config *peer)
{
	/* A call that began before a reload counts with the peer that bears the name now. */
	const struct peer_config *now = peer ? config_peer_of(calls->cfg, peer) : NULL;

	return now && calls->loads ? &calls->loads->peer[config_peer_index(calls->cfg, now)] : NULL;
}

struct loads *loads_new(const struct config *cfg)
{
	struct loads *loads = calloc(1, sizeof(*loads) + cfg->peer_count * sizeof(struct load));

	if (!loads)
		return NULL;
	loads->all.name = "";
	loads->all.limits = cfg->limits;
	for (unsigned i = 0; i < SIDE_COUNT; i++) {
		loads->side[i].name = side_name(i);
		loads->side[i].limits = cfg->limits;
		loads->side[i].limits.bandwidth = cfg->side[i].bandwidth;
	}
	loads->peer_count = cfg->peer_count;
	for (unsigned i = 0; i < cfg->peer_count; i++) {
		loads->peer[i].name = cfg->peer[i].name;
		loads->peer[i].limits = cfg->peer[i].limits;
	}
	return loads;
}

/* What a load has counted goes on after a reload. */
static void carry_over(struct loads *loads, struct load *to, const struct load *from)
{
	bool bites = false;

	to->bucket = from->bucket;
	to->second_ms = from->second_ms;
	to->begun = from->begun;
	to->begun_before = from->begun_before;
	for (unsigned i = 0; i < CALL_LIMITS; i++) {
		to->refused[i] = from->refused[i];
		to->bites_until_ms[i] = from->bites_until_ms[i];
		bites |= from->bites_until_ms[i] != 0;
	}
	if (bites)
		DL_APPEND(loads->biting, to);
}

/* ---- kbit/s ---- */

static unsigned greater(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

/* The loads that a leg's media weighs on. */
static void leg_loads(const struct call *call, enum leg leg, struct load *out[2])
{
	const struct peer_config *peer = call->peer[leg];

	out[0] = load_of(call->calls, peer);
	out[1] = peer ? &call->calls->loads->side[peer->side] : NULL;
}

static void weigh(struct call *call, const unsigned kbit[2])
{
	struct load *all = &call->calls->loads->all;

	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		struct load *load[2];

		leg_loads(call, leg, load);
		for (unsigned i = 0; i < 2; i++) {
			if (load[i])
				load[i]->kbit += (uint64_t)kbit[leg] - call->kbit[leg];
		}
	}
	all->kbit -= greater(call->kbit[LEG_A], call->kbit[LEG_B]);
	all->kbit += greater(kbit[LEG_A], kbit[LEG_B]);
	call->kbit[LEG_A] = kbit[LEG_A];
	call->kbit[LEG_B] = kbit[LEG_B];
}

static void count_call(struct call *call, enum leg leg, int change)
{
	struct load *load = load_of(call->calls, call->peer[leg]);

	if (load)
		load->live += (unsigned)change;
}

void call_set_peer(struct call *call, enum leg leg, const struct peer_config *peer)
{
	unsigned kbit[2] = {call->kbit[LEG_A], call->kbit[LEG_B]};

	kbit[leg] = 0;
	weigh(call, kbit);
	count_call(call, leg, -1);
	call->peer[leg] = peer;
	count_call(call, leg, 1);
}

static void count_ending(struct call *call, int change)
{
	struct load *load = load_of(call->calls, call->peer[LEG_A]);

	if (load)
		load->ending += (unsigned)change;
}

void call_uncount(struct call *call)
{
	static const unsigned nothing[2];

	if (!call->counted)
		return;
	weigh(call, nothing);
	count_call(call, LEG_A, -1);
	count_call(call, LEG_B, -1);
	call->counted = false;
	call->calls->live--;
	count_ending(call, 1);
}

void call_uncount_ending(struct call *call)
{
	call_uncount(call);
	count_ending(call, -1);
}

/* ---- a reload ---- */

void loads_put(struct calls *calls, struct loads *loads)
{
	struct loads *before = calls->loads;
	struct call *call;

	for (unsigned i = 0; before && i < before->peer_count; i++) {
		const struct peer_config *now =
			config_peer_by_name(calls->cfg, before->peer[i].name);

		if (now)
			carry_over(loads, &loads->peer[config_peer_index(calls->cfg, now)],
				&before->peer[i]);
	}
	if (before) {
		carry_over(loads, &loads->all, &before->all);
		for (unsigned i = 0; i < SIDE_COUNT; i++)
			carry_over(loads, &loads->side[i], &before->side[i]);
	}
	calls->loads = loads;
	free(before);
	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id) {
		unsigned kbit[2] = {call->kbit[LEG_A], call->kbit[LEG_B]};

		if (!call->counted) {
			count_ending(call, 1);
			continue;
		}
		count_call(call, LEG_A, 1);
		count_call(call, LEG_B, 1);
		call->kbit[LEG_A] = call->kbit[LEG_B] = 0;
		weigh(call, kbit);
	}
}

void loads_free(struct calls *calls)
{
	loop_timer_stop(calls->loop, &calls->limit_timer);
	free(calls->loads);
	calls->loads = NULL;
}

/* ---- refusals ---- */

static const char *limit_text(enum call_limit limit)
{
	static const char *const text[] = {
		[CALL_LIMIT_LIVE] = "live calls",
		[CALL_LIMIT_RATE] = "calls a second",
		[CALL_LIMIT_BANDWIDTH] = "bandwidth",
		[CALL_LIMIT_ENDING] = "calls that only end",
	};

	return text[limit];
}

static void tell_limit(
	const struct calls *calls, const struct load *load, enum call_limit limit, bool begins)
{
	char text[LIMIT_TEXT_MAX], whose[CALL_NUMBER_MAX];

	if (load == &calls->loads->all)
		snprintf(whose, sizeof(whose), "all peers");
	else
		snprintf(whose, sizeof(whose), "%s %s",
			load >= calls->loads->side && load < calls->loads->side + SIDE_COUNT
				? "side"
				: "peer",
			load->name);
	if (begins)
		snprintf(text, sizeof(text), "%s: %s at the limit, more are refused", whose,
			limit_text(limit));
	else
		snprintf(text, sizeof(text), "%s: %s below the limit again, %llu refused so far",
			whose, limit_text(limit), (unsigned long long)load->refused[limit]);
	log_warn("limit: %s", text);
	if (calls->event)
		calls->event(calls->event_ctx, 0, "limit", text);
}

/* Ends what has not bitten for a while. */
static void limit_tick(struct loop_timer *t)
{
	struct calls *calls = (struct calls *)((char *)t - offsetof(struct calls, limit_timer));
	uint64_t now = loop_now_ms(calls->loop);
	struct load *load, *next;

	DL_FOREACH_SAFE (calls->loads->biting, load, next) {
		bool bites = false;

		for (enum call_limit i = 0; i < CALL_LIMITS; i++) {
			if (load->bites_until_ms[i] && load->bites_until_ms[i] <= now) {
				load->bites_until_ms[i] = 0;
				tell_limit(calls, load, i, false);
			}
			bites |= load->bites_until_ms[i] != 0;
		}
		if (!bites)
			DL_DELETE(calls->loads->biting, load);
	}
	if (calls->loads->biting)
		loop_timer_start(calls->loop, t, LIMIT_TICK_MS);
}

static void count_refusal(struct calls *calls, struct load *load, enum call_limit limit)
{
	bool bites = false;

	load->refused[limit]++;
	calls->counters.refused_limit++;
	switch (limit) {
	case CALL_LIMIT_LIVE:
		calls->counters.limited_live++;
		break;
	case CALL_LIMIT_RATE:
		calls->counters.limited_rate++;
		break;
	case CALL_LIMIT_BANDWIDTH:
		calls->counters.limited_bandwidth++;
		break;
	default:
		calls->counters.limited_ending++;
	}
	for (unsigned i = 0; i < CALL_LIMITS; i++)
		bites |= load->bites_until_ms[i] != 0;
	if (!bites)
		DL_APPEND(calls->loads->biting, load);
	if (!load->bites_until_ms[limit])
		tell_limit(calls, load, limit, true);
	load->bites_until_ms[limit] = loop_now_ms(calls->loop) + LIMIT_QUIET_MS;
	calls->limit_timer.fire = limit_tick;
	if (!loop_timer_is_started(&calls->limit_timer))
		loop_timer_start(calls->loop, &calls->limit_timer, LIMIT_TICK_MS);
}

static bool refuse(
	struct calls *calls, struct load *load, enum call_limit limit, struct refusal *why)
{
	why->code = (int)load->limits.code;
	why->retry_after_s = load->limits.retry_after_s;
	count_refusal(calls, load, limit);
	return false;
}

/* ---- calls a second ---- */

static bool bucket_has(struct load *load, uint64_t now_ms)
{
	struct bucket *b = &load->bucket;
	uint64_t most = (uint64_t)load->limits.burst * TOKEN;

	if (!load->limits.calls_per_second)
		return true;
	if (!b->filled_ms)
		b->level = most;
	else /* thousandths a second are so many a millisecond */
		b->level += (now_ms - b->filled_ms) * load->limits.calls_per_second;
	b->filled_ms = now_ms;
	if (b->level > most)
		b->level = most;
	return b->level >= TOKEN;
}

static void bucket_take(struct load *load, uint64_t now_ms)
{
	if (load->limits.calls_per_second)
		load->bucket.level -= TOKEN;
	if (now_ms - load->second_ms >= MS_A_SEC) {
		load->begun_before = now_ms - load->second_ms < 2 * MS_A_SEC ? load->begun : 0;
		load->second_ms = now_ms;
		load->begun = 0;
	}
	load->begun++;
}

/* ---- admission ---- */

/* Calls that end hold no ports and no flows, but memory. A peer that makes nothing else may have
 * twice as many as are free yet: there is always a share left for the others. */
static bool ending_has_room(const struct calls *calls, const struct load *load)
{
	uint64_t most = (uint64_t)CALLS_ENDING_FACTOR * calls->cfg->calls_max;
	uint64_t left = most > calls->count ? most - calls->count : 0;

	return left && load->ending < ENDING_SHARE * left;
}

static bool is_taken_in(const struct calls *calls, const struct invite_need *need)
{
	if (calls->intake == INTAKE_DRAINS)
		return need->emergency || need->by_live_call;
	return calls->intake == INTAKE_OPEN;
}

bool limits_admit(struct calls *calls, const struct peer_config *peer,
	const struct invite_need *need, struct refusal *why)
{
	struct load *all = &calls->loads->all, *load = load_of(calls, peer);
	uint64_t now = loop_now_ms(calls->loop);

	if (!load || !is_taken_in(calls, need)) {
		*why = (struct refusal){SIP_SERVICE_UNAVAILABLE, NO_RETRY_AFTER_S};
		calls->counters.refused_limit++;
		return false;
	}
	if (need->emergency) {
		if (calls->count < CALLS_ENDING_FACTOR * calls->cfg->calls_max)
			return true;
		return refuse(calls, all, CALL_LIMIT_ENDING, why);
	}
	if (!need->in_place && calls->live >= calls->cfg->calls_max)
		return refuse(calls, all, CALL_LIMIT_LIVE, why);
	if (!need->in_place && load->limits.calls && load->live >= load->limits.calls)
		return refuse(calls, load, CALL_LIMIT_LIVE, why);
	if (!ending_has_room(calls, load))
		return refuse(calls, load, CALL_LIMIT_ENDING, why);
	if (!bucket_has(all, now))
		return refuse(calls, all, CALL_LIMIT_RATE, why);
	if (!bucket_has(load, now))
		return refuse(calls, load, CALL_LIMIT_RATE, why);
	bucket_take(all, now);
	bucket_take(load, now);
	return true;
}

bool limits_admit_attempt(struct call *call, const struct peer_config *peer, struct refusal *why)
{
	struct calls *calls = call->calls;
	struct load *load = load_of(calls, peer);
	uint64_t now = loop_now_ms(calls->loop);

	/* An emergency call goes over the limit where there is nobody to give way. */
	if (load && call->emergency && load->limits.calls && load->live >= load->limits.calls)
		preempt_for(call, peer);
	if (!load || call->emergency)
		return true; /* or gone with a reload, after the call had begun */
	if (load->limits.calls && load->live >= load->limits.calls)
		return refuse(calls, load, CALL_LIMIT_LIVE, why);
	if (!bucket_has(load, now))
		return refuse(calls, load, CALL_LIMIT_RATE, why);
	bucket_take(load, now);
	return true;
}

static bool is_over(const struct load *load)
{
	return load && load->limits.bandwidth && load->kbit > load->limits.bandwidth;
}

/* The first load that is over its limit and bears more than before; NULL = none. */
static struct load *overloaded(struct call *call, const unsigned before[2])
{
	struct load *all = &call->calls->loads->all;

	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		struct load *load[2];

		leg_loads(call, leg, load);
		for (unsigned i = 0; i < 2; i++) {
			if (call->kbit[leg] > before[leg] && is_over(load[i]))
				return load[i];
		}
	}
	if (is_over(all) && greater(call->kbit[LEG_A], call->kbit[LEG_B]) >
				    greater(before[LEG_A], before[LEG_B]))
		return all;
	return NULL;
}

const struct load *limits_bandwidth_over(struct call *call)
{
	return overloaded(call, (const unsigned[2]){0, 0});
}

bool limits_weighs_on(const struct call *call, const struct load *bears)
{
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		struct load *load[2];

		leg_loads(call, leg, load);
		if (call->kbit[leg] &&
			(load[0] == bears || load[1] == bears || bears == &call->calls->loads->all))
			return true;
	}
	return false;
}

int limits_bandwidth(void *ctx, void *owner, const unsigned kbit[2], bool may_refuse)
{
	struct calls *calls = ctx;
	struct call *call = owner;
	const unsigned before[2] = {call->kbit[LEG_A], call->kbit[LEG_B]};
	struct load *over;

	if (!call->counted)
		return 0;
	weigh(call, kbit);
	if (!may_refuse || call->takes_any || call->emergency)
		return 0;
	over = overloaded(call, before);
	if (!over)
		return 0;
	weigh(call, before);
	refuse(calls, over, CALL_LIMIT_BANDWIDTH, &call->refusal);
	return -EDQUOT;
}

int limits_bandwidth_unseen(struct call *call)
{
	unsigned kbit = call->cfg->audio_kbit;

	call->takes_any = false;
	return limits_bandwidth(call->calls, call, (const unsigned[2]){kbit, kbit}, true);
}

/* ---- what the CLI reads ---- */

static void show_load(const struct calls *calls, const struct load *load, struct calls_load *out)
{
	uint64_t ago = loop_now_ms(calls->loop) - load->second_ms;

	out->live = load->live;
	out->ending = load->ending;
	out->kbit = load->kbit;
	if (ago < MS_A_SEC)
		out->calls_per_second = greater(load->begun, load->begun_before);
	else if (ago < 2 * MS_A_SEC)
		out->calls_per_second = load->begun;
	memcpy(out->refused, load->refused, sizeof(out->refused));
}

void calls_get_load(const struct calls *calls, const char *peer_name, struct calls_load *out)
{
	const struct peer_config *peer =
		peer_name ? config_peer_by_name(calls->cfg, peer_name) : NULL;
	const struct load *load = peer_name ? load_of(calls, peer) : &calls->loads->all;

	memset(out, 0, sizeof(*out));
	if (load)
		show_load(calls, load, out);
	if (!peer_name)
		out->live = calls->live;
}

void calls_get_side_load(const struct calls *calls, unsigned side, struct calls_load *out)
{
	memset(out, 0, sizeof(*out));
	show_load(calls, &calls->loads->side[side], out);
}
