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

static int grow_slots(struct media *m)
{
	unsigned count = m->slot_count ? m->slot_count * 2 : SLOTS_FIRST;
	struct slot *slot;

	if (count > SLOTS_MAX)
		return -ENOSPC;
	slot = realloc(m->slot, count * sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	memset(slot + m->slot_count, 0, (count - m->slot_count) * sizeof(*slot));
	for (unsigned i = m->slot_count; i < count; i++)
		slot[i].next_free = i + 1;
	m->slot = slot;
	m->slot_free = m->slot_count;
	m->slot_count = count;
	return 0;
}

int media_session_new(struct media *m, void *owner, const struct peer_config *peer_a,
	const struct peer_config *peer_b, struct media_session **out)
{
	struct media_session *s;
	int ret = 0;

	if (m->slot_free == m->slot_count)
		ret = grow_slots(m);
	if (ret)
		return ret;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->media = m;
	s->owner = owner;
	s->peer[LEG_A] = peer_a;
	s->peer[LEG_B] = peer_b;
	s->slot = m->slot_free;
	m->slot_free = m->slot[s->slot].next_free;
	m->slot[s->slot].session = s;
	s->generation = m->slot[s->slot].generation;
	m->session_count++;
	*out = s;
	return 0;
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
	s->changed_ms = m->now_ms(m);
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
	m->slot[s->slot].next_free = m->slot_free;
	m->slot_free = s->slot;
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
