/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>

#include "dataplane/flow_encode.h"
#include "dataplane/flow_entry.h"

#include <utlist.h>

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define HOMINGS_A_TURN 512 /* between two looks at everything else */
#define TURN_MS        1

static void arm(struct flow_table *t, uint64_t now)
{
	uint64_t at = t->away->home_at_ms;

	loop_timer_start(t->loop, &t->homing, at > now ? (unsigned)(at - now) : TURN_MS);
}

static void list_away(struct flow_table *t, struct flow_entry *e, uint64_t now)
{
	e->home_at_ms = now + t->grace_ms;
	DL_APPEND2(t->away, e, away_prev, away_next);
	if (!loop_timer_is_started(&t->homing))
		arm(t, now);
}

static void unlist(struct flow_table *t, struct flow_entry *e)
{
	DL_DELETE2(t->away, e, away_prev, away_next);
	if (!t->away)
		loop_timer_stop(t->loop, &t->homing);
}

static void go_home(struct flow_table *t, struct flow_entry *e, uint64_t now)
{
	uint32_t was = e->slot;

	flow_copy(&t->flows[e->stream], &t->flows[was]);
	flow_entry_publish(t, e, e->stream);
	e->slot = e->stream;
	slots_give(&t->element_slots, was, now);
}

static void homing_fire(struct loop_timer *timer)
{
	struct flow_table *t = container_of(timer, struct flow_table, homing);
	uint64_t now = loop_now_ms(t->loop);

	for (unsigned i = 0; t->away && t->away->home_at_ms <= now && i < HOMINGS_A_TURN; i++) {
		struct flow_entry *e = t->away;

		DL_DELETE2(t->away, e, away_prev, away_next);
		if (e->orphan)
			list_away(t, e, now); /* of which too little is known yet */
		else
			go_home(t, e, now);
	}
	if (t->away)
		arm(t, now);
}

void flow_home_init(struct flow_table *t)
{
	t->homing.fire = homing_fire;
}

void flow_home_end(struct flow_table *t)
{
	loop_timer_stop(t->loop, &t->homing);
}

uint32_t flow_home_or_away(struct flow_table *t, const struct flow_entry *e)
{
	uint64_t now = loop_now_ms(t->loop);

	if (flow_is_away(e) && e->home_at_ms <= now)
		return e->stream;
	return slots_take(&t->element_slots, now);
}

void flow_home_moved(struct flow_table *t, struct flow_entry *e, uint32_t was)
{
	uint64_t now = loop_now_ms(t->loop);

	if (was != e->stream)
		slots_give(&t->element_slots, was, now);
	if (was == e->stream)
		list_away(t, e, now);
	else if (!flow_is_away(e))
		unlist(t, e);
}

void flow_home_leave(struct flow_table *t, struct flow_entry *e)
{
	uint64_t now = loop_now_ms(t->loop);

	if (flow_is_away(e)) {
		unlist(t, e);
		slots_give(&t->element_slots, e->slot, now);
	}
	t->stream_entry[e->stream] = 0;
	slots_give(&t->element_slots, e->stream, now);
}
