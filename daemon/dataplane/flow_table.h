/* SPDX-License-Identifier: BSD-2-Clause */
/* The live flows: which slot of vd_flows each has and in which one's stream it counts, published by
 * one aligned 32-bit store in vd_ports. Works on mapped kernel memory and on plain memory alike. */
#ifndef VIADUCT_DATAPLANE_FLOW_TABLE_H
#define VIADUCT_DATAPLANE_FLOW_TABLE_H

#include "dataplane/dataplane.h"
#include "dataplane/locals.h"
#include "dataplane/nexthop.h"

struct flow_table;

/* An id is an entry's index with its generation above, so that a stale id finds nothing. */
#define FLOW_INDEX_BITS   20
#define FLOW_CAPACITY_MAX ((1u << FLOW_INDEX_BITS) - 1)

/* How many elements vd_flows must have for so many flows: element 0, one each, and those that are
 * for changes, and wait out VD_FLOW_GRACE_MS after them. */
uint32_t flow_table_slots_needed(unsigned capacity);
/* The other way round: 0 where not even one flow finds room. */
unsigned flow_table_capacity_of(uint32_t slots);

/* flows: flow_table_slots_needed(capacity) elements. grace_ms: before an element is
 * filled again. Keeps pointers to the others. */
int flow_table_new(struct flow_table **out, struct loop *loop, unsigned capacity,
	struct vd_flow *flows, struct locals *locals, struct nexthop_table *nexthops,
	uint32_t grace_ms);
void flow_table_free(struct flow_table *t);

/* As dataplane_flow_add and its like say; latched: NULL, or as dataplane_flow_add_latched. */
int flow_table_add(struct flow_table *t, const struct dataplane_flow *spec,
	const struct addr *latched, dataplane_flow_id *id);
int flow_table_count_on(struct flow_table *t, dataplane_flow_id id, uint64_t now_ns,
	const struct dataplane_stats *earlier);
int flow_table_earlier(const struct flow_table *t, dataplane_flow_id id, uint64_t now_ns,
	struct dataplane_stats *out);
int flow_table_update(
	struct flow_table *t, dataplane_flow_id id, const struct dataplane_flow *spec);
void flow_table_del(struct flow_table *t, dataplane_flow_id id);
int flow_table_stats(const struct flow_table *t, dataplane_flow_id id, uint64_t now_ns,
	struct dataplane_stats *out);
int flow_table_path(const struct flow_table *t, dataplane_flow_id id, struct dataplane_path *out);
const struct dataplane_flow *flow_table_get(const struct flow_table *t, dataplane_flow_id id);
unsigned flow_table_count(const struct flow_table *t);
unsigned flow_table_capacity(const struct flow_table *t);
/* The live flow that has this stream and cookie, 0 if none: what an event is about. first tells
 * whether nothing was received on streams that it had before. */
dataplane_flow_id flow_table_by_stream(
	const struct flow_table *t, uint32_t stream, uint32_t cookie, bool *first);
/* The flow's packets come from that address, and a MAC address: see nexthop_came_from(). */
void flow_table_came_from(const struct flow_table *t, dataplane_flow_id id,
	const struct addr *source, uint32_t mac_end, bool moved);
/* The live flow indexed by one of our media addresses and ports, 0 if none. */
dataplane_flow_id flow_table_by_local(
	const struct flow_table *t, uint8_t side, const struct addr *local);
/* What the flow counts in, NULL if there is no such flow. */
struct vd_stream *flow_table_stream(const struct flow_table *t, dataplane_flow_id id);

/* Adoption. Right after flow_table_new, with locals adopted already: takes stock of the flows that
 * a daemon before us left in the kernel. *refused counts what made no sense there (a port without
 * a flow of its own, a flow without a stream of its own); such a port has no flow any more. 0 or
 * -ENOMEM. */
int flow_table_adoption_begin(struct flow_table *t, uint32_t nexthops, unsigned *refused);
/* As dataplane_flow_adopt and dataplane_adoption_done say. */
int flow_table_adopt(
	struct flow_table *t, const struct dataplane_flow *spec, dataplane_flow_id *id);
unsigned flow_table_adoption_done(struct flow_table *t);

#endif
