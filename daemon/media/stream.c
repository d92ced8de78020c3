/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/flows.h"
#include "media/resting.h"

static int take_port(struct media_session *s, struct stream *st, enum leg leg, uint8_t family)
{
	struct media *m = s->media;
	struct port_pool *pool = media_pool_for(m, s->peer[leg], family);
	int ret;

	if (!pool)
		return -EPROTONOSUPPORT;
	ret = port_pool_take(pool, m->now_ms(m), &st->local[leg].port);
	if (ret == -ENOSPC && s->urgent)
		ret = port_pool_take_resting(pool, &st->local[leg].port);
	if (!ret)
		st->local[leg].pool = pool;
	return ret;
}

static void give_port(struct media_session *s, struct stream *st, enum leg leg)
{
	struct media *m = s->media;

	if (!st->local[leg].pool)
		return;
	port_pool_give(st->local[leg].pool, st->local[leg].port, m->now_ms(m), m->quarantine_ms);
	/* A daemon that leaves gives nothing back but to itself. */
	if (!m->leaving)
		resting_note(m->resting, st->local[leg].pool, st->local[leg].port, m->now_ms(m));
	st->local[leg].pool = NULL;
	st->local[leg].port = 0;
}

static void give_reservation(struct media_session *s, struct stream *st)
{
	if (st->reserved)
		s->media->flows_reserved -= FLOWS_A_STREAM;
	st->reserved = false;
}

int stream_open(struct media_session *s, unsigned index, const uint8_t family[LEG_COUNT],
	struct stream_taken *taken)
{
	struct media *m = s->media;
	struct stream *st = s->stream[index];
	int ret = 0;

	memset(taken, 0, sizeof(*taken));
	if (!st) {
		st = calloc(1, sizeof(*st));
		if (!st)
			return -ENOMEM;
		s->stream[index] = st;
		taken->stream = true;
	}
	if (!st->reserved) {
		if (m->flows_reserved + FLOWS_A_STREAM > m->flows_max)
			return -ENOSPC;
		m->flows_reserved += FLOWS_A_STREAM;
		st->reserved = taken->reserved = true;
	}
	for (unsigned leg = 0; leg < LEG_COUNT && !ret; leg++) {
		if (st->local[leg].pool)
			continue;
		ret = take_port(s, st, (enum leg)leg, family[leg]);
		taken->port[leg] = !ret;
	}
	return ret;
}

void stream_undo(struct media_session *s, unsigned index, const struct stream_taken *taken)
{
	struct stream *st = s->stream[index];

	if (!st)
		return;
	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		if (taken->port[leg])
			give_port(s, st, (enum leg)leg);
	}
	if (taken->reserved)
		give_reservation(s, st);
	if (taken->stream) {
		free(st);
		s->stream[index] = NULL;
	}
}

void stream_close_leg(struct media_session *s, unsigned index, enum leg leg)
{
	struct stream *st = s->stream[index];

	if (!st)
		return;
	flows_delete(s, st);
	give_port(s, st, leg);
}

void stream_close(struct media_session *s, unsigned index)
{
	struct stream *st = s->stream[index];

	if (!st)
		return;
	stream_close_leg(s, index, LEG_A);
	stream_close_leg(s, index, LEG_B);
	give_reservation(s, st);
	free(st->before);
	free(st);
	s->stream[index] = NULL;
}
