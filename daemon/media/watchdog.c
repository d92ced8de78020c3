/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/watchdog.h"

#include "media/flows.h"

#define MS_A_SEC 1000u

static uint64_t silent_ms(const struct media_session *s, const struct stream *st, enum leg leg)
{
	uint64_t least = UINT64_MAX;
	struct dataplane_stats stats;

	for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
		if (st->flow[leg][c] &&
			!dataplane_flow_stats(s->media->dataplane, st->flow[leg][c], &stats) &&
			stats.last_seen_ms_ago < least)
			least = stats.last_seen_ms_ago;
	}
	return least;
}

/* Milliseconds without a sign of that leg, UINT64_MAX = never one. *held: it sends no RTP now, as
 * does a call without any stream. */
static uint64_t leg_silent_ms(const struct media_session *s, enum leg leg, bool *held)
{
	uint64_t least = UINT64_MAX;

	*held = true;
	for (unsigned i = 0; i < s->count; i++) {
		const struct stream *st = s->stream[i];
		uint64_t ms;

		if (!st || !st->now.active)
			continue;
		if (flows_leg_sends(&st->now, leg))
			*held = false;
		ms = silent_ms(s, st, leg);
		least = ms < least ? ms : least;
		if (st->now.opaque) {
			ms = silent_ms(s, st, OTHER_LEG(leg));
			least = ms < least ? ms : least;
		}
	}
	return least;
}

static void take_samples(struct media_session *s, uint64_t now_ms)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct stream *st = s->stream[i];
		struct dataplane_stats stats;

		for (unsigned leg = 0; st && st->now.active && !st->now.opaque && leg < LEG_COUNT;
			leg++) {
			dataplane_flow_id flow = st->flow[leg][COMPONENT_RTP];
			unsigned before = st->samples[leg].count;

			if (!flow || dataplane_flow_stats(s->media->dataplane, flow, &stats))
				continue;
			samples_take(&st->samples[leg], &stats, st->now.clock_rate, now_ms);
			s->is_measured |= st->samples[leg].count != before;
		}
	}
}

static void tell_measured(struct media_session *s, uint64_t now_ms)
{
	if (!s->is_measured || now_ms - s->told_ms < MEDIA_CHANGED_PERIOD_MS)
		return;
	s->told_ms = now_ms;
	s->is_measured = false;
	media_changed(s);
}

/* The handler may free the session. */
static void look_at(struct media_session *s, uint64_t now_ms)
{
	const struct media_handlers *h = &s->media->handlers;
	uint64_t unchanged_ms = now_ms - s->changed_ms;

	if (s->bypassed)
		return;

	for (unsigned i = 0; i < LEG_COUNT; i++) {
		enum leg leg = (enum leg)i;
		const struct peer_config *peer = s->peer[leg];
		unsigned limit_s;
		uint64_t ms;
		bool held;

		if (peer->rtp_timeout_s == 0 && peer->rtp_timeout_held_s == 0)
			continue;
		ms = leg_silent_ms(s, leg, &held);
		limit_s = held ? peer->rtp_timeout_held_s : peer->rtp_timeout_s;
		if (ms > unchanged_ms)
			ms = unchanged_ms;
		if (limit_s == 0 || ms < (uint64_t)limit_s * MS_A_SEC)
			continue;
		s->timed_out = true;
		if (h->timeout)
			h->timeout(h->ctx, s->owner, leg, limit_s, held);
		return;
	}
}

void watchdog_tick(struct media *m)
{
	const unsigned slices = WATCHDOG_PERIOD_MS / WATCHDOG_TICK_MS;
	unsigned share = (m->slot_count + slices - 1) / slices;

	for (; share; share--) {
		struct media_session *s;

		if (m->watchdog_next >= m->slot_count)
			m->watchdog_next = 0;
		s = m->slot[m->watchdog_next++].session;
		if (!s || !s->started || s->timed_out)
			continue;
		take_samples(s, m->now_ms(m));
		tell_measured(s, m->now_ms(m));
		look_at(s, m->now_ms(m));
	}
}
