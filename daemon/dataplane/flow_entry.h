/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the flow table share. */
#ifndef VIADUCT_DATAPLANE_FLOW_ENTRY_H
#define VIADUCT_DATAPLANE_FLOW_ENTRY_H

#include "dataplane/flow_table.h"
#include "dataplane/slots.h"

#define FLOW_NOT_INDEXED 0xff

/* What a flow's streams before the present one had counted. */
struct flow_earlier {
	struct dataplane_stats stats;
	uint64_t last_seen_ns;
};

struct flow_entry {
	bool live;
	bool orphan;   /* found in the kernel, not adopted yet: of spec only in_side, local,
			* unindexed, cookie and rtcp_flow say anything */
	uint8_t local; /* index in locals, or NOT_INDEXED */
	uint16_t generation;
	uint32_t stream;     /* in vd_flows, whose own it counts in: its home */
	uint32_t slot;       /* in vd_flows, where it is: at home, or away after a change */
	uint64_t home_at_ms; /* away: when nobody looks any more at what it was at home */
	struct flow_entry *away_prev, *away_next;
	dataplane_flow_id rtcp_user; /* the flow whose rtcp_flow this one is */
	struct destination *destination;
	struct flow_earlier *earlier; /* NULL if there was none */
	struct dataplane_flow spec;
};

struct flow_table {
	struct loop *loop;
	unsigned capacity, count;
	struct vd_flow *flows;
	struct locals *locals;
	struct nexthop_table *nexthops;
	uint32_t grace_ms;
	struct slots entry_slots, element_slots;
	struct flow_entry *entries; /* [1 .. capacity] */
	uint32_t *stream_entry;     /* stream -> entry, 0 = none */
	struct flow_entry *away;    /* in order of home_at_ms */
	struct loop_timer homing;
	struct flow_adoption *adoption; /* NULL but from its begin to its end */
};

/* NULL where the id is of no live flow. */
struct flow_entry *flow_entry_of(const struct flow_table *t, dataplane_flow_id id);
dataplane_flow_id flow_entry_id(const struct flow_table *t, const struct flow_entry *e);
/* A free entry, not live yet; NULL when all are taken. */
struct flow_entry *flow_entry_take(struct flow_table *t);
/* The slot of the flow that spec names as rtcp_flow, 0 if none. */
uint32_t flow_entry_rtcp_slot(const struct flow_table *t, const struct dataplane_flow *spec);
/* 0, or -EINVAL for a specification that contradicts itself or names an rtcp_flow that is none. */
int flow_entry_check(const struct flow_table *t, const struct dataplane_flow *spec);
/* Makes the slot what packets to the entry's port find; 0 takes the port away. */
void flow_entry_publish(const struct flow_table *t, const struct flow_entry *e, uint32_t slot);
/* Makes spec and destination (NULL = none), whose reference it takes over, the entry's without
 * touching what is published. */
void flow_entry_set(struct flow_table *t, struct flow_entry *e, const struct dataplane_flow *spec,
	struct destination *destination);
/* The same, and publishes it in a slot of its own; new_stream: its latch opens anew. 0, or -ENOSPC
 * or -ENOMEM with everything as before. */
int flow_entry_replace(struct flow_table *t, struct flow_entry *e,
	const struct dataplane_flow *spec, struct destination *destination, bool new_stream);

/* flow_home.c: a flow that was changed goes on in a slot apart from its stream, and home to it once
 * VD_FLOW_GRACE_MS are over: see struct vd_flow. */
void flow_home_init(struct flow_table *t);
void flow_home_end(struct flow_table *t);
static inline bool flow_is_away(const struct flow_entry *e)
{
	return e->slot != e->stream;
}
/* Where a changed flow goes: home if it may, else away; 0 where there is no slot. */
uint32_t flow_home_or_away(struct flow_table *t, const struct flow_entry *e);
/* The entry's slot is another now than was. */
void flow_home_moved(struct flow_table *t, struct flow_entry *e, uint32_t was);
/* It ceases to be, or takes another home: both elements are given up. */
void flow_home_leave(struct flow_table *t, struct flow_entry *e);

void flow_adoption_free(struct flow_adoption *a);

#endif
