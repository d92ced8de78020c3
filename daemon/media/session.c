/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "media/offer_answer.h"
#include "media/room.h"
#include "media/stream.h"
#include "media/watchdog.h"

#define SLOTS_FIRST 64

static void link_free(struct media *m, unsigned at)
{
	m->slot[at].next_free = m->slot_free;
	m->slot[at].prev_free = SLOT_NONE;
	if (m->slot_free != SLOT_NONE)
		m->slot[m->slot_free].prev_free = at;
	m->slot_free = at;
}

static void unlink_free(struct media *m, unsigned at)
{
	unsigned next = m->slot[at].next_free, prev = m->slot[at].prev_free;

	if (next != SLOT_NONE)
		m->slot[next].prev_free = prev;
	if (prev != SLOT_NONE)
		m->slot[prev].next_free = next;
	else
		m->slot_free = next;
}

static int grow_slots(struct media *m)
{
	unsigned old = m->slot_count, count = old ? old * 2 : SLOTS_FIRST;
	struct slot *slot;

	if (count > STREAM_SLOTS_MAX)
		return -ENOSPC;
	slot = realloc(m->slot, count * sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	memset(slot + old, 0, (count - old) * sizeof(*slot));
	m->slot = slot;
	m->slot_count = count;
	for (unsigned i = count; i-- > old;)
		link_free(m, i);
	return 0;
}

/* In a slot that is free. */
static int new_in(struct media *m, unsigned at, void *owner, const struct peer_config *peer_a,
	const struct peer_config *peer_b, struct media_session **out)
{
	struct media_session *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->media = m;
	s->owner = owner;
	s->peer[LEG_A] = peer_a;
	s->peer[LEG_B] = peer_b;
	s->slot = at;
	s->generation = m->slot[at].generation;
	unlink_free(m, at);
	m->slot[at].session = s;
	m->session_count++;
	*out = s;
	return 0;
}

int media_session_new(struct media *m, void *owner, const struct peer_config *peer_a,
	const struct peer_config *peer_b, struct media_session **out)
{
	int ret = m->slot_free == SLOT_NONE ? grow_slots(m) : 0;

	return ret ? ret : new_in(m, m->slot_free, owner, peer_a, peer_b, out);
}

int media_session_new_at(struct media *m, unsigned slot, uint8_t generation, void *owner,
	const struct peer_config *peer_a, const struct peer_config *peer_b,
	struct media_session **out)
{
	int ret = 0;

	if (slot >= STREAM_SLOTS_MAX || generation >= GENERATIONS)
		return -EINVAL;
	while (!ret && slot >= m->slot_count)
		ret = grow_slots(m);
	if (!ret && m->slot[slot].session)
		ret = -EEXIST;
	if (ret)
		return ret;
	m->slot[slot].generation = generation;
	return new_in(m, slot, owner, peer_a, peer_b, out);
}

int media_session_set_peer(struct media_session *s, enum leg leg, const struct peer_config *peer)
{
	if (s->exchange && s->exchange->from == leg)
		media_offer_failed(s);
	negotiation_revert(s);
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		if (s->stream[i])
			s->stream[i]->now.active = false;
		stream_close_leg(s, i, leg);
	}
	if (s->exchange)
		s->exchange->shown = s->exchange->answered = false;
	free(s->sdp[leg].last);
	memset(&s->sdp[leg], 0, sizeof(s->sdp[leg]));
	free(s->heard[leg]);
	s->heard[leg] = NULL;
	s->peer[leg] = peer;
	return 0;
}

void media_session_set_urgent(struct media_session *s)
{
	s->urgent = true;
}

void media_session_start(struct media_session *s)
{
	struct media *m = s->media;

	if (s->started)
		return;
	s->started = true;
	s->changed_ms = s->told_ms = m->now_ms(m);
	m->started_count++;
	/* A timer that found no memory is tried again with the next call. */
	if (!loop_timer_is_started(&m->watchdog) &&
		loop_timer_start(m->loop, &m->watchdog, WATCHDOG_TICK_MS))
		log_limited(LOG_LEVEL_ERROR, "media: no memory for the watchdog's timer");
}

void media_session_free(struct media_session *s)
{
	struct media *m;

	if (!s)
		return;
	m = s->media;
	if (s->started && --m->started_count == 0)
		loop_timer_stop(m->loop, &m->watchdog);
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		if (s->stream[i] && m->leaving)
			memset(s->stream[i]->flow, 0, sizeof(s->stream[i]->flow));
		if (s->stream[i])
			s->stream[i]->now.active = false;
	}
	negotiation_conclude(s);
	free(s->sdp[LEG_A].last);
	free(s->sdp[LEG_B].last);
	free(s->heard[LEG_A]);
	free(s->heard[LEG_B]);
	m->slot[s->slot].session = NULL;
	m->slot[s->slot].generation = (uint8_t)((s->generation + 1) % GENERATIONS);
	link_free(m, s->slot);
	m->session_count--;
	free(s);
}

void media_session_pause(struct media_session *s)
{
	if (!s->started)
		return;
	s->started = false;
	if (--s->media->started_count == 0)
		loop_timer_stop(s->media->loop, &s->media->watchdog);
}

void media_session_set_spare(struct media_session *s, bool spare)
{
	s->spare = spare;
	bandwidth_tell(s);
}

const char *media_heard_sdp(const struct media_session *s, enum leg leg)
{
	return s->heard[leg];
}

const char *media_last_sdp(const struct media_session *s, enum leg leg)
{
	return s->sdp[leg].last;
}
