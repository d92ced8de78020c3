/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/flow_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/flow_encode.h"
#include "dataplane/flow_entry.h"
#include "dataplane/stats.h"

/* Slots beyond one a flow: what is away from home after a change, and what waits out the grace time
 * when calls come and go at full rate. */
#define SLOTS_SPARE_MIN 8192u
#define NS_A_MS         1000000u
#define GENERATIONS     (1u << (32 - FLOW_INDEX_BITS))

uint32_t flow_table_slots_needed(unsigned capacity)
{
	return 1 + capacity + capacity / 2 + SLOTS_SPARE_MIN;
}

unsigned flow_table_capacity_of(uint32_t slots)
{
	unsigned low = 0, high = FLOW_CAPACITY_MAX;

	while (low < high) {
		unsigned middle = low + (high - low + 1) / 2;

		if (flow_table_slots_needed(middle) <= slots)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

int flow_table_new(struct flow_table **out, struct loop *loop, unsigned capacity,
	struct vd_flow *flows, struct locals *locals, struct nexthop_table *nexthops,
	uint32_t grace_ms)
{
	uint32_t slots = flow_table_slots_needed(capacity);
	struct flow_table *t;
	int ret = -ENOMEM;

	if (!capacity || capacity > FLOW_CAPACITY_MAX)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->capacity = capacity;
	t->flows = flows;
	t->locals = locals;
	t->nexthops = nexthops;
	t->grace_ms = grace_ms;
	flow_home_init(t);
	t->entries = calloc(capacity + 1, sizeof(*t->entries));
	t->stream_entry = calloc(slots, sizeof(*t->stream_entry));
	if (!t->entries || !t->stream_entry)
		goto fail;
	ret = slots_init(&t->entry_slots, 1, capacity, 0);
	if (!ret)
		ret = slots_init(&t->element_slots, 1, slots - 1, grace_ms);
	if (ret)
		goto fail;
	*out = t;
	return 0;
fail:
	flow_table_free(t);
	return ret;
}

void flow_table_free(struct flow_table *t)
{
	if (!t)
		return;
	for (unsigned i = 1; t->entries && i <= t->capacity; i++) {
		if (t->entries[i].live)
			nexthop_put(t->nexthops, t->entries[i].destination);
		free(t->entries[i].earlier);
	}
	flow_adoption_free(t->adoption);
	flow_home_end(t);
	slots_destroy(&t->element_slots);
	slots_destroy(&t->entry_slots);
	free(t->stream_entry);
	free(t->entries);
	free(t);
}

static uint32_t index_of(dataplane_flow_id id)
{
	return id & FLOW_CAPACITY_MAX;
}

struct flow_entry *flow_entry_of(const struct flow_table *t, dataplane_flow_id id)
{
	uint32_t i = index_of(id);

	if (i == 0 || i > t->capacity || !t->entries[i].live ||
		t->entries[i].generation != id >> FLOW_INDEX_BITS)
		return NULL;
	return &t->entries[i];
}

dataplane_flow_id flow_entry_id(const struct flow_table *t, const struct flow_entry *e)
{
	return (uint32_t)(e - t->entries) | (uint32_t)e->generation << FLOW_INDEX_BITS;
}

/* For vd_exits. What goes nowhere need not wait. */
static uint8_t exit_of(const struct flow_table *t, const struct flow_entry *e, uint32_t slot)
{
	return slot && !(t->flows[slot].flags & VD_FLOW_BLACKHOLE) ? e->spec.out_side + 1 : 0;
}

void flow_entry_publish(const struct flow_table *t, const struct flow_entry *e, uint32_t slot)
{
	struct flow_entry *user;

	if (e->local != FLOW_NOT_INDEXED)
		locals_set_port(t->locals, e->local, e->spec.local.port, slot, exit_of(t, e, slot));
	user = e->rtcp_user ? flow_entry_of(t, e->rtcp_user) : NULL;
	if (user)
		__atomic_store_n(&t->flows[user->slot].rtcp_flow, slot, __ATOMIC_RELEASE);
}

static struct vd_stream *stream_at(const struct flow_table *t, uint32_t index)
{
	return &t->flows[index].own;
}

/* For a flow at home, and a stream that has counted nothing. */
static uint32_t take_element(struct flow_table *t, uint64_t now)
{
	uint32_t index = slots_take(&t->element_slots, now);

	if (index)
		memset(stream_at(t, index), 0, sizeof(struct vd_stream));
	return index;
}

static void move_in(struct flow_table *t, struct flow_entry *e, uint32_t element)
{
	e->stream = e->slot = element;
	t->stream_entry[element] = (uint32_t)(e - t->entries);
}

uint32_t flow_entry_rtcp_slot(const struct flow_table *t, const struct dataplane_flow *spec)
{
	const struct flow_entry *rtcp = spec->rtcp_flow ? flow_entry_of(t, spec->rtcp_flow) : NULL;

	return rtcp ? rtcp->slot : 0;
}

/* The flow that the entry's RTCP takes is told who refers to it, so that it may be replaced. */
static void link_rtcp_flow(struct flow_table *t, const struct flow_entry *e)
{
	struct flow_entry *rtcp = e->spec.rtcp_flow ? flow_entry_of(t, e->spec.rtcp_flow) : NULL;

	if (rtcp)
		rtcp->rtcp_user = flow_entry_id(t, e);
}

static void unlink_rtcp_flow(struct flow_table *t, const struct flow_entry *e)
{
	struct flow_entry *rtcp = e->spec.rtcp_flow ? flow_entry_of(t, e->spec.rtcp_flow) : NULL;

	if (rtcp && rtcp->rtcp_user == flow_entry_id(t, e))
		rtcp->rtcp_user = 0;
}

static int get_destination(
	struct flow_table *t, const struct dataplane_flow *spec, struct destination **out)
{
	*out = NULL;
	if (!flow_sends(spec))
		return 0;
	return nexthop_get(t->nexthops, spec->out_side, &spec->out_local, &spec->out_remote, out);
}

int flow_entry_check(const struct flow_table *t, const struct dataplane_flow *spec)
{
	int ret = flow_check(spec);

	if (ret)
		return ret;
	return spec->rtcp_flow && !flow_entry_of(t, spec->rtcp_flow) ? -EINVAL : 0;
}

struct flow_entry *flow_entry_take(struct flow_table *t)
{
	uint32_t index = slots_take(&t->entry_slots, loop_now_ms(t->loop));
	struct flow_entry *e = &t->entries[index];

	if (!index)
		return NULL;
	e->generation = (uint16_t)((e->generation + 1u) % GENERATIONS);
	e->rtcp_user = 0;
	e->orphan = false;
	e->destination = NULL;
	return e;
}

/* Before the flow is published. */
static void lock_latch(
	struct vd_stream *stream, const struct dataplane_flow *spec, const struct addr *source)
{
	if (!spec->latch || source->family != spec->local.family ||
		!addr_in_prefix(source, &spec->remote, spec->latch_prefix))
		return;
	flow_map_address(stream->latched_addr, source);
	stream->latched_port_be = htons(source->port);
	__atomic_store_n(&stream->latch_state, VD_LATCH_LOCKED, __ATOMIC_RELEASE);
}

int flow_table_add(struct flow_table *t, const struct dataplane_flow *spec,
	const struct addr *latched, dataplane_flow_id *id)
{
	uint64_t now = loop_now_ms(t->loop);
	struct flow_entry *e;
	int local = FLOW_NOT_INDEXED, ret;
	uint32_t element;

	ret = flow_entry_check(t, spec);
	if (ret)
		return ret;
	if (!spec->unindexed) {
		local = locals_find(t->locals, spec->in_side, &spec->local);
		if (local < 0)
			return local;
		if (locals_port(t->locals, (unsigned)local, spec->local.port)->flow)
			return -EEXIST;
	}
	e = flow_entry_take(t);
	if (!e)
		return -ENOSPC;
	e->local = (uint8_t)local;
	e->spec = *spec;
	ret = get_destination(t, spec, &e->destination);
	if (ret)
		goto give_entry;
	element = take_element(t, now);
	if (!element) {
		ret = -ENOSPC;
		goto put_destination;
	}
	move_in(t, e, element);
	if (latched)
		lock_latch(stream_at(t, e->stream), spec, latched);
	e->live = true;
	t->count++;
	link_rtcp_flow(t, e);
	flow_encode(&t->flows[e->slot], spec, e->stream, nexthop_index(e->destination),
		flow_entry_rtcp_slot(t, spec));
	flow_entry_publish(t, e, e->slot);
	if (local != FLOW_NOT_INDEXED)
		t->locals->local[local].flows++;
	*id = flow_entry_id(t, e);
	return 0;
put_destination:
	nexthop_put(t->nexthops, e->destination);
give_entry:
	slots_give(&t->entry_slots, (uint32_t)(e - t->entries), now);
	return ret;
}

/* Whether a source locked under the one is what the other would lock onto as well. */
static bool same_latch(const struct dataplane_flow *a, const struct dataplane_flow *b)
{
	return a->latch == b->latch && (!a->latch || a->latch_prefix == b->latch_prefix) &&
	       addr_equal(&a->remote, &b->remote);
}

static void keep_earlier(
	const struct flow_table *t, struct flow_entry *e, struct flow_earlier *into)
{
	const struct vd_stream *from = stream_at(t, e->stream);

	stats_from_stream(&into->stats, from, 0);
	into->last_seen_ns = __atomic_load_n(&from->last_seen_ns, __ATOMIC_RELAXED);
	memset(&into->stats.latched, 0, sizeof(into->stats.latched));
	if (e->earlier) {
		stats_merge(&into->stats, &e->earlier->stats);
		if (!into->last_seen_ns)
			into->last_seen_ns = e->earlier->last_seen_ns;
	}
	free(e->earlier);
	e->earlier = into;
}

void flow_entry_set(struct flow_table *t, struct flow_entry *e, const struct dataplane_flow *spec,
	struct destination *destination)
{
	unlink_rtcp_flow(t, e);
	nexthop_put(t->nexthops, e->destination);
	e->spec = *spec;
	link_rtcp_flow(t, e);
	e->destination = destination;
	e->orphan = false;
}

int flow_entry_replace(struct flow_table *t, struct flow_entry *e,
	const struct dataplane_flow *spec, struct destination *destination, bool new_stream)
{
	uint64_t now = loop_now_ms(t->loop);
	struct flow_earlier *earlier = NULL;
	uint32_t slot, was = e->slot;

	if (new_stream) {
		earlier = malloc(sizeof(*earlier));
		if (!earlier)
			return -ENOMEM;
	}
	slot = new_stream ? take_element(t, now) : flow_home_or_away(t, e);
	if (!slot) {
		free(earlier);
		return -ENOSPC;
	}
	flow_entry_set(t, e, spec, destination);
	flow_encode(&t->flows[slot], spec, new_stream ? slot : e->stream,
		nexthop_index(destination), flow_entry_rtcp_slot(t, spec));
	flow_entry_publish(t, e, slot);
	if (earlier) {
		keep_earlier(t, e, earlier);
		flow_home_leave(t, e);
		move_in(t, e, slot);
	} else {
		e->slot = slot;
		flow_home_moved(t, e, was);
	}
	return 0;
}

int flow_table_update(
	struct flow_table *t, dataplane_flow_id id, const struct dataplane_flow *wanted)
{
	struct flow_entry *e = flow_entry_of(t, id);
	struct dataplane_flow spec = *wanted;
	struct destination *destination;
	int ret;

	if (!e)
		return -ENOENT;
	spec.in_side = e->spec.in_side;
	spec.local = e->spec.local;
	spec.unindexed = e->spec.unindexed;
	ret = flow_entry_check(t, &spec);
	if (ret)
		return ret;
	ret = get_destination(t, &spec, &destination);
	if (ret)
		return ret;
	/* The latch opens anew on a stream of its own: a packet that is still on its way through
	 * the program with the old flow can lock the old stream alone. */
	ret = flow_entry_replace(t, e, &spec, destination,
		!same_latch(&e->spec, &spec) && (e->spec.latch || spec.latch));
	if (ret)
		nexthop_put(t->nexthops, destination);
	return ret;
}

void flow_table_del(struct flow_table *t, dataplane_flow_id id)
{
	struct flow_entry *e = flow_entry_of(t, id);
	uint64_t now = loop_now_ms(t->loop);

	if (!e)
		return;
	flow_entry_publish(t, e, 0);
	unlink_rtcp_flow(t, e);
	if (e->local != FLOW_NOT_INDEXED)
		t->locals->local[e->local].flows--;
	flow_home_leave(t, e);
	nexthop_put(t->nexthops, e->destination);
	free(e->earlier);
	e->earlier = NULL;
	e->live = false;
	t->count--;
	slots_give(&t->entry_slots, index_of(id), now);
}

int flow_table_stats(const struct flow_table *t, dataplane_flow_id id, uint64_t now_ns,
	struct dataplane_stats *out)
{
	const struct flow_entry *e = flow_entry_of(t, id);

	if (!e)
		return -ENOENT;
	stats_from_stream(out, stream_at(t, e->stream), now_ns);
	if (e->earlier) {
		struct dataplane_stats earlier = e->earlier->stats;

		earlier.last_seen_ms_ago = stats_age_ms(e->earlier->last_seen_ns, now_ns);
		stats_merge(out, &earlier);
	}
	return 0;
}

int flow_table_count_on(struct flow_table *t, dataplane_flow_id id, uint64_t now_ns,
	const struct dataplane_stats *earlier)
{
	struct flow_entry *e = flow_entry_of(t, id);
	uint64_t ago = earlier->last_seen_ms_ago;
	struct flow_earlier *kept;

	if (!e)
		return -ENOENT;
	kept = malloc(sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	kept->stats = *earlier;
	memset(&kept->stats.latched, 0, sizeof(kept->stats.latched));
	kept->last_seen_ns = ago < now_ns / NS_A_MS ? now_ns - ago * NS_A_MS : 0;
	free(e->earlier);
	e->earlier = kept;
	return 0;
}

int flow_table_earlier(const struct flow_table *t, dataplane_flow_id id, uint64_t now_ns,
	struct dataplane_stats *out)
{
	const struct flow_entry *e = flow_entry_of(t, id);

	if (!e || !e->earlier)
		return -ENOENT;
	*out = e->earlier->stats;
	out->last_seen_ms_ago = stats_age_ms(e->earlier->last_seen_ns, now_ns);
	return 0;
}

int flow_table_path(const struct flow_table *t, dataplane_flow_id id, struct dataplane_path *out)
{
	const struct flow_entry *e = flow_entry_of(t, id);

	if (!e)
		return -ENOENT;
	if (e->destination) {
		nexthop_path(t->nexthops, e->destination, out);
		return 0;
	}
	memset(out, 0, sizeof(*out));
	memcpy(out->device, nexthop_egress(t->nexthops, e->spec.out_side)->device,
		sizeof(out->device));
	out->why = e->spec.blackhole ? "held" : "no destination yet";
	return 0;
}

const struct dataplane_flow *flow_table_get(const struct flow_table *t, dataplane_flow_id id)
{
	const struct flow_entry *e = flow_entry_of(t, id);

	return e ? &e->spec : NULL;
}

unsigned flow_table_count(const struct flow_table *t)
{
	return t->count;
}

unsigned flow_table_capacity(const struct flow_table *t)
{
	return t->capacity;
}

dataplane_flow_id flow_table_by_stream(
	const struct flow_table *t, uint32_t stream, uint32_t cookie, bool *first)
{
	const struct flow_entry *e;

	if (stream >= flow_table_slots_needed(t->capacity) || !t->stream_entry[stream])
		return 0;
	e = &t->entries[t->stream_entry[stream]];
	if (!e->live || e->stream != stream || e->spec.cookie != cookie)
		return 0;
	*first = !e->earlier || (!e->earlier->stats.packets && !e->earlier->stats.rtcp_packets);
	return flow_entry_id(t, e);
}

void flow_table_came_from(const struct flow_table *t, dataplane_flow_id id,
	const struct addr *source, uint32_t mac_end, bool moved)
{
	const struct flow_entry *e = flow_entry_of(t, id);

	if (e)
		nexthop_came_from(
			t->nexthops, e->spec.in_side, &e->spec.local, source, mac_end, moved);
}

dataplane_flow_id flow_table_by_local(
	const struct flow_table *t, uint8_t side, const struct addr *local)
{
	int i = locals_find(t->locals, side, local);
	uint32_t slot = i < 0 ? 0 : locals_port(t->locals, (unsigned)i, local->port)->flow;

	return slot ? flow_entry_id(t, &t->entries[t->stream_entry[t->flows[slot].stream]]) : 0;
}

struct vd_stream *flow_table_stream(const struct flow_table *t, dataplane_flow_id id)
{
	const struct flow_entry *e = flow_entry_of(t, id);

	return e ? stream_at(t, e->stream) : NULL;
}
