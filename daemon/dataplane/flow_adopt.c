/* SPDX-License-Identifier: BSD-2-Clause */
/* The flows that a daemon before us left in the kernel: found at the start, then taken over one by
 * one by their local address and cookie, the rest removed. What stands in the maps is another
 * program's word: every index is checked, and nothing belongs to two. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/flow_encode.h"
#include "dataplane/flow_entry.h"

struct unindexed_orphan {
	uint32_t cookie;
	dataplane_flow_id id;
};

struct flow_adoption {
	struct unindexed_orphan *unindexed; /* ordered by cookie */
	unsigned unindexed_count;
};

/* How the dead daemon used its slots: enum slot_use, by index. */
struct stock {
	uint32_t slots, nexthop_count;
	uint8_t *flows, *streams, *nexthops;
	unsigned refused;
};

static void stock_free(struct stock *s)
{
	free(s->flows);
	free(s->streams);
	free(s->nexthops);
}

static int stock_new(struct stock *s, uint32_t slots, uint32_t nexthops)
{
	*s = (struct stock){.slots = slots, .nexthop_count = nexthops};
	s->flows = calloc(slots, 1);
	s->streams = calloc(slots, 1);
	s->nexthops = calloc(nexthops, 1);
	if (s->flows && s->streams && s->nexthops)
		return 0;
	stock_free(s);
	return -ENOMEM;
}

void flow_adoption_free(struct flow_adoption *a)
{
	if (a)
		free(a->unindexed);
	free(a);
}

/* Makes an entry of a flow that is published; NULL where that cannot be one. */
static struct flow_entry *take_orphan(struct flow_table *t, struct stock *s, uint32_t slot)
{
	struct flow_entry *e;
	uint32_t stream, nexthop;

	if (!slot || slot >= s->slots || s->flows[slot])
		return NULL;
	stream = t->flows[slot].stream;
	nexthop = t->flows[slot].nexthop;
	if (!stream || stream >= s->slots || s->streams[stream])
		return NULL;
	/* Nobody is away at another's home. */
	if (slot != stream && (s->streams[slot] || s->flows[stream]))
		return NULL;
	e = flow_entry_take(t);
	if (!e)
		return NULL;
	memset(&e->spec, 0, sizeof(e->spec));
	e->spec.cookie = t->flows[slot].cookie;
	e->slot = e->stream = stream;
	if (slot != stream) {
		e->slot = slot;
		flow_home_moved(t, e, stream);
	}
	e->local = FLOW_NOT_INDEXED;
	e->orphan = true;
	e->live = true;
	t->stream_entry[stream] = (uint32_t)(e - t->entries);
	t->count++;
	s->flows[slot] = SLOT_USED;
	s->streams[stream] = SLOT_USED;
	if (nexthop < s->nexthop_count)
		s->nexthops[nexthop] = SLOT_USED;
	return e;
}

static void take_ports(struct flow_table *t, struct stock *s, unsigned local)
{
	struct local *l = &t->locals->local[local];

	for (uint32_t port = l->port_min; port <= l->port_max; port++) {
		const struct vd_port *at = locals_port(t->locals, local, (uint16_t)port);
		struct flow_entry *e;

		if (!at->flow)
			continue;
		e = take_orphan(t, s, at->flow);
		if (!e) {
			locals_set_port(t->locals, local, (uint16_t)port, 0, 0);
			s->refused++;
			continue;
		}
		e->local = (uint8_t)local;
		e->spec.in_side = l->want.side;
		e->spec.local = l->want.addr;
		e->spec.local.port = (uint16_t)port;
		l->flows++;
	}
}

/* The flow that RTCP of a muxed leg takes (RFC 5761), where it has one of its own. */
static void take_rtcp_flow(struct flow_table *t, struct stock *s, struct flow_entry *user)
{
	struct vd_flow *flow = &t->flows[user->slot];
	struct flow_entry *e;

	if (!(flow->flags & VD_FLOW_MUX) || !flow->rtcp_flow)
		return;
	e = take_orphan(t, s, flow->rtcp_flow);
	if (!e) {
		__atomic_store_n(&flow->rtcp_flow, 0, __ATOMIC_RELEASE);
		s->refused++;
		return;
	}
	e->spec.in_side = user->spec.in_side;
	e->spec.local = user->spec.local;
	e->spec.unindexed = true;
	e->rtcp_user = flow_entry_id(t, user);
	user->spec.rtcp_flow = flow_entry_id(t, e);
}

/* A flow given up lately may still be in a packet's hands, and its stream with it. A slot keeps
 * what it held until it is filled again, which no daemon does sooner than VD_FLOW_GRACE_MS. */
static void find_given_up(const struct flow_table *t, struct stock *s)
{
	static const struct vd_flow never_filled;

	for (uint32_t slot = 1; slot < s->slots; slot++) {
		const struct vd_flow *flow = &t->flows[slot];

		if (s->flows[slot] || flow_encoded_equal(flow, &never_filled))
			continue;
		s->flows[slot] = SLOT_WAITS;
		if (flow->stream < s->slots && !s->streams[flow->stream])
			s->streams[flow->stream] = SLOT_WAITS;
	}
}

/* An element is in use while either of what lies there is. */
static void add_uses(struct stock *s)
{
	for (uint32_t i = 1; i < s->slots; i++) {
		if (s->streams[i] > s->flows[i])
			s->flows[i] = s->streams[i];
	}
}

static int by_cookie(const void *one, const void *other)
{
	const struct unindexed_orphan *a = one, *b = other;

	return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

static int list_unindexed(struct flow_table *t)
{
	struct flow_adoption *a = t->adoption;

	a->unindexed = calloc(t->count + 1, sizeof(*a->unindexed));
	if (!a->unindexed)
		return -ENOMEM;
	for (unsigned i = 1; i <= t->count; i++) {
		const struct flow_entry *e = &t->entries[i];

		if (e->spec.unindexed)
			a->unindexed[a->unindexed_count++] = (struct unindexed_orphan){
				.cookie = e->spec.cookie, .id = flow_entry_id(t, e)};
	}
	qsort(a->unindexed, a->unindexed_count, sizeof(*a->unindexed), by_cookie);
	return 0;
}

int flow_table_adoption_begin(struct flow_table *t, uint32_t nexthops, unsigned *refused)
{
	uint64_t now = loop_now_ms(t->loop);
	struct stock stock;
	unsigned indexed;
	int ret = stock_new(&stock, flow_table_slots_needed(t->capacity), nexthops);

	if (ret)
		return ret;
	t->adoption = calloc(1, sizeof(*t->adoption));
	ret = t->adoption ? 0 : -ENOMEM;
	if (ret)
		goto out;
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		if (t->locals->local[i].used)
			take_ports(t, &stock, i);
	}
	/* Entries are handed out in order. */
	indexed = t->count;
	for (unsigned i = 1; i <= indexed; i++)
		take_rtcp_flow(t, &stock, &t->entries[i]);
	find_given_up(t, &stock);
	add_uses(&stock);
	slots_restore(&t->element_slots, stock.flows, now);
	ret = nexthop_adoption_begin(t->nexthops, stock.nexthops);
	if (!ret)
		ret = list_unindexed(t);
	*refused = stock.refused;
out:
	stock_free(&stock);
	return ret;
}

static struct flow_entry *find_indexed(
	const struct flow_table *t, const struct dataplane_flow *spec)
{
	int local = locals_find_live(t->locals, spec->in_side, &spec->local);
	uint32_t slot;

	if (local < 0)
		return NULL;
	slot = locals_port(t->locals, (unsigned)local, spec->local.port)->flow;
	if (!slot)
		return NULL;
	return &t->entries[t->stream_entry[t->flows[slot].stream]];
}

static struct flow_entry *find_unindexed(
	const struct flow_table *t, const struct dataplane_flow *spec)
{
	const struct unindexed_orphan wanted = {.cookie = spec->cookie}, *found;

	found = bsearch(&wanted, t->adoption->unindexed, t->adoption->unindexed_count,
		sizeof(*t->adoption->unindexed), by_cookie);
	return found ? flow_entry_of(t, found->id) : NULL;
}

/* Whether the latch of the one and that of the other admit the same. */
static bool opens_latch(const struct vd_flow *was, const struct vd_flow *wanted)
{
	if (!((was->flags | wanted->flags) & VD_FLOW_LATCH))
		return false;
	return (was->flags ^ wanted->flags) & VD_FLOW_LATCH ||
	       was->src_prefix != wanted->src_prefix ||
	       memcmp(was->src_addr, wanted->src_addr, sizeof(was->src_addr)) != 0;
}

static int take_over(struct flow_table *t, struct flow_entry *e, const struct dataplane_flow *spec)
{
	const struct vd_flow *was = &t->flows[e->slot];
	struct destination *destination = NULL;
	struct vd_flow wanted;
	int ret = 0;

	if (flow_sends(spec))
		ret = nexthop_adopt(t->nexthops, spec->out_side, &spec->out_local,
			&spec->out_remote, was->nexthop, &destination);
	if (ret)
		return ret;
	flow_encode(&wanted, spec, e->stream, nexthop_index(destination),
		flow_entry_rtcp_slot(t, spec));
	wanted.src_mac = was->src_mac; /* the program's */
	if (flow_encoded_equal(&wanted, was)) {
		flow_entry_set(t, e, spec, destination);
		return 0;
	}
	ret = flow_entry_replace(t, e, spec, destination, opens_latch(was, &wanted));
	if (ret)
		nexthop_put(t->nexthops, destination);
	return ret;
}

int flow_table_adopt(struct flow_table *t, const struct dataplane_flow *spec, dataplane_flow_id *id)
{
	struct flow_entry *e;
	int ret = flow_entry_check(t, spec);

	if (ret)
		return ret;
	if (!t->adoption)
		return -ENOENT;
	e = spec->unindexed ? find_unindexed(t, spec) : find_indexed(t, spec);
	if (!e || !e->orphan || e->spec.cookie != spec->cookie)
		return -ENOENT;
	ret = take_over(t, e, spec);
	if (!ret)
		*id = flow_entry_id(t, e);
	return ret;
}

unsigned flow_table_adoption_done(struct flow_table *t)
{
	unsigned removed = 0;

	if (!t->adoption)
		return 0;
	for (unsigned i = 1; i <= t->capacity; i++) {
		const struct flow_entry *e = &t->entries[i];

		if (!e->live || !e->orphan)
			continue;
		flow_table_del(t, flow_entry_id(t, e));
		removed++;
	}
	nexthop_adoption_done(t->nexthops);
	flow_adoption_free(t->adoption);
	t->adoption = NULL;
	return removed;
}
