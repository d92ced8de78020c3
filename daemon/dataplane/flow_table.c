/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/flow_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/flow_encode.h"
#include "dataplane/slots.h"
#include "dataplane/stats.h"

/* Slots beyond one a flow: what waits out the grace time when calls come and go at full rate. */
#define SLOTS_SPARE_MIN 8192u
#define NOT_INDEXED     0xff
#define GENERATIONS     (1u << (32 - FLOW_INDEX_BITS))

/* What a flow's streams before the present one had counted. */
struct flow_earlier {
	struct dataplane_stats stats;
	uint64_t last_seen_ns;
};

struct flow_entry {
	bool live;
	uint8_t local; /* index in locals, or NOT_INDEXED */
	uint16_t generation;
	uint32_t slot;               /* in vd_flows */
	uint32_t stream;             /* in vd_streams */
	dataplane_flow_id rtcp_user; /* the flow whose rtcp_flow this one is */
	struct destination *destination;
	struct flow_earlier *earlier; /* NULL if there was none */
	struct dataplane_flow spec;
};

struct flow_table {
	struct loop *loop;
	unsigned capacity, count;
	struct vd_flow *flows;
	struct vd_stream *streams;
	struct locals *locals;
	struct nexthop_table *nexthops;
	struct slots entry_slots, flow_slots, stream_slots;
	struct flow_entry *entries; /* [1 .. capacity] */
	uint32_t *stream_entry;     /* stream -> entry, 0 = none */
};

uint32_t flow_table_slots_needed(unsigned capacity)
{
	return 1 + capacity + capacity / 4 + SLOTS_SPARE_MIN;
}

int flow_table_new(struct flow_table **out, struct loop *loop, unsigned capacity,
	struct vd_flow *flows, struct vd_stream *streams, struct locals *locals,
	struct nexthop_table *nexthops, uint32_t grace_ms)
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
	t->streams = streams;
	t->locals = locals;
	t->nexthops = nexthops;
	t->entries = calloc(capacity + 1, sizeof(*t->entries));
	t->stream_entry = calloc(slots, sizeof(*t->stream_entry));
	if (!t->entries || !t->stream_entry)
		goto fail;
	ret = slots_init(&t->entry_slots, 1, capacity, 0);
	if (!ret)
		ret = slots_init(&t->flow_slots, 1, slots - 1, grace_ms);
	if (!ret)
		ret = slots_init(&t->stream_slots, 1, slots - 1, grace_ms);
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
	slots_destroy(&t->stream_slots);
	slots_destroy(&t->flow_slots);
	slots_destroy(&t->entry_slots);
	free(t->stream_entry);
	free(t->entries);
	free(t);
}

static uint32_t index_of(dataplane_flow_id id)
{
	return id & FLOW_CAPACITY_MAX;
}

static struct flow_entry *entry_of(const struct flow_table *t, dataplane_flow_id id)
{
	uint32_t i = index_of(id);

	if (i == 0 || i > t->capacity || !t->entries[i].live ||
		t->entries[i].generation != id >> FLOW_INDEX_BITS)
		return NULL;
	return &t->entries[i];
}

static dataplane_flow_id id_of(const struct flow_table *t, const struct flow_entry *e)
{
	return (uint32_t)(e - t->entries) | (uint32_t)e->generation << FLOW_INDEX_BITS;
}

/* Makes a slot what packets to the entry's port find; 0 takes the port away. */
static void publish(const struct flow_table *t, const struct flow_entry *e, uint32_t slot)
{
	struct flow_entry *user;

	if (e->local != NOT_INDEXED)
		__atomic_store_n(locals_port(t->locals, e->local, e->spec.local.port), slot,
			__ATOMIC_RELEASE);
	user = e->rtcp_user ? entry_of(t, e->rtcp_user) : NULL;
	if (user)
		__atomic_store_n(&t->flows[user->slot].rtcp_flow, slot, __ATOMIC_RELEASE);
}

static int take_stream(struct flow_table *t, struct flow_entry *e, uint64_t now)
{
	uint32_t stream = slots_take(&t->stream_slots, now);

	if (!stream)
		return -ENOSPC;
	memset(&t->streams[stream], 0, sizeof(t->streams[stream]));
	t->stream_entry[stream] = (uint32_t)(e - t->entries);
	e->stream = stream;
	return 0;
}

static void give_stream(struct flow_table *t, uint32_t stream, uint64_t now)
{
	t->stream_entry[stream] = 0;
	slots_give(&t->stream_slots, stream, now);
}

/* The flow that spec's RTCP takes is told who refers to it, so that it may be replaced. */
static uint32_t link_rtcp_flow(
	struct flow_table *t, const struct flow_entry *e, const struct dataplane_flow *spec)
{
	struct flow_entry *rtcp = spec->rtcp_flow ? entry_of(t, spec->rtcp_flow) : NULL;

	if (!rtcp)
		return 0;
	rtcp->rtcp_user = id_of(t, e);
	return rtcp->slot;
}

static void unlink_rtcp_flow(struct flow_table *t, const struct flow_entry *e)
{
	struct flow_entry *rtcp = e->spec.rtcp_flow ? entry_of(t, e->spec.rtcp_flow) : NULL;

	if (rtcp && rtcp->rtcp_user == id_of(t, e))
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

static int check_spec(const struct flow_table *t, const struct dataplane_flow *spec)
{
	int ret = flow_check(spec);

	if (ret)
		return ret;
	return spec->rtcp_flow && !entry_of(t, spec->rtcp_flow) ? -EINVAL : 0;
}

int flow_table_add(struct flow_table *t, const struct dataplane_flow *spec, dataplane_flow_id *id)
{
	uint64_t now = loop_now_ms(t->loop);
	struct flow_entry *e;
	uint32_t index;
	int local = NOT_INDEXED, ret;

	ret = check_spec(t, spec);
	if (ret)
		return ret;
	if (!spec->unindexed) {
		local = locals_find(t->locals, spec->in_side, &spec->local);
		if (local < 0)
			return local;
		if (*locals_port(t->locals, (unsigned)local, spec->local.port))
			return -EEXIST;
	}
	index = slots_take(&t->entry_slots, now);
	if (!index)
		return -ENOSPC;
	e = &t->entries[index];
	e->generation = (uint16_t)((e->generation + 1u) % GENERATIONS);
	e->local = (uint8_t)local;
	e->rtcp_user = 0;
	e->spec = *spec;
	ret = get_destination(t, spec, &e->destination);
	if (ret)
		goto give_entry;
	ret = take_stream(t, e, now);
	if (ret)
		goto put_destination;
	e->slot = slots_take(&t->flow_slots, now);
	if (!e->slot) {
		ret = -ENOSPC;
		goto put_stream;
	}
	e->live = true;
	t->count++;
	flow_encode(&t->flows[e->slot], spec, e->stream, nexthop_index(e->destination),
		link_rtcp_flow(t, e, spec));
	publish(t, e, e->slot);
	if (local != NOT_INDEXED)
		t->locals->local[local].flows++;
	*id = id_of(t, e);
	return 0;
put_stream:
	give_stream(t, e->stream, now);
put_destination:
	nexthop_put(t->nexthops, e->destination);
give_entry:
	slots_give(&t->entry_slots, index, now);
	return ret;
}

/* Whether a source locked under the one is what the other would lock onto as well. */
static bool same_latch(const struct dataplane_flow *a, const struct dataplane_flow *b)
{
	return a->latch == b->latch && (!a->latch || a->latch_prefix == b->latch_prefix) &&
	       addr_equal(&a->remote, &b->remote);
}

static void keep_earlier(const struct flow_table *t, struct flow_entry *e, uint32_t stream,
	struct flow_earlier *into)
{
	const struct vd_stream *from = &t->streams[stream];

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

int flow_table_update(
	struct flow_table *t, dataplane_flow_id id, const struct dataplane_flow *wanted)
{
	struct flow_entry *e = entry_of(t, id);
	uint64_t now = loop_now_ms(t->loop);
	struct dataplane_flow spec = *wanted;
	struct destination *destination;
	struct flow_earlier *earlier = NULL;
	uint32_t slot, old_slot, old_stream = 0;
	int ret;

	if (!e)
		return -ENOENT;
	spec.in_side = e->spec.in_side;
	spec.local = e->spec.local;
	spec.unindexed = e->spec.unindexed;
	ret = check_spec(t, &spec);
	if (ret)
		return ret;
	ret = get_destination(t, &spec, &destination);
	if (ret)
		return ret;
	slot = slots_take(&t->flow_slots, now);
	if (!slot) {
		ret = -ENOSPC;
		goto put_destination;
	}
	if (!same_latch(&e->spec, &spec) && (e->spec.latch || spec.latch)) {
		/* The latch opens anew on a stream of its own: a packet that is still on its way
		 * through the program with the old flow can lock the old stream alone. */
		earlier = malloc(sizeof(*earlier));
		old_stream = e->stream;
		ret = earlier ? take_stream(t, e, now) : -ENOMEM;
		if (ret)
			goto give_slot;
	}
	unlink_rtcp_flow(t, e);
	flow_encode(&t->flows[slot], &spec, e->stream, nexthop_index(destination),
		link_rtcp_flow(t, e, &spec));
	nexthop_put(t->nexthops, e->destination);
	old_slot = e->slot;
	e->slot = slot;
	e->spec = spec;
	e->destination = destination;
	publish(t, e, slot);
	slots_give(&t->flow_slots, old_slot, now);
	if (earlier) {
		keep_earlier(t, e, old_stream, earlier);
		give_stream(t, old_stream, now);
	}
	return 0;
give_slot:
	free(earlier);
	slots_give(&t->flow_slots, slot, now);
put_destination:
	nexthop_put(t->nexthops, destination);
	return ret;
}

void flow_table_del(struct flow_table *t, dataplane_flow_id id)
{
	struct flow_entry *e = entry_of(t, id);
	uint64_t now = loop_now_ms(t->loop);

	if (!e)
		return;
	publish(t, e, 0);
	unlink_rtcp_flow(t, e);
	if (e->local != NOT_INDEXED)
		t->locals->local[e->local].flows--;
	slots_give(&t->flow_slots, e->slot, now);
	give_stream(t, e->stream, now);
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
	const struct flow_entry *e = entry_of(t, id);

	if (!e)
		return -ENOENT;
	stats_from_stream(out, &t->streams[e->stream], now_ns);
	if (e->earlier) {
		struct dataplane_stats earlier = e->earlier->stats;

		earlier.last_seen_ms_ago = stats_age_ms(e->earlier->last_seen_ns, now_ns);
		stats_merge(out, &earlier);
	}
	return 0;
}

int flow_table_path(const struct flow_table *t, dataplane_flow_id id, struct dataplane_path *out)
{
	const struct flow_entry *e = entry_of(t, id);

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
	const struct flow_entry *e = entry_of(t, id);

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
	return id_of(t, e);
}

dataplane_flow_id flow_table_by_local(
	const struct flow_table *t, uint8_t side, const struct addr *local)
{
	int i = locals_find(t->locals, side, local);
	uint32_t slot = i < 0 ? 0 : *locals_port(t->locals, (unsigned)i, local->port);

	return slot ? id_of(t, &t->entries[t->stream_entry[t->flows[slot].stream]]) : 0;
}

struct vd_stream *flow_table_stream(const struct flow_table *t, dataplane_flow_id id)
{
	const struct flow_entry *e = entry_of(t, id);

	return e ? &t->streams[e->stream] : NULL;
}
