/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/locals.h"

#include <errno.h>
#include <string.h>

#include "dataplane/flow_encode.h"

/* Entries of vd_ports beyond what the configuration at start asks for, so that a reload can widen
 * and move ranges without a restart. */
#define PORTS_SPARE_MIN 131072u

static uint32_t range_size(uint16_t min, uint16_t max)
{
	return (uint32_t)max - min + 1;
}

uint32_t locals_ports_needed(const struct config *cfg)
{
	uint32_t needed = 0;

	for (unsigned s = 0; s < SIDE_COUNT; s++) {
		const struct side_config *side = &cfg->side[s];

		needed += side->address_count *
			  range_size(side->media_port_min, side->media_port_max);
	}
	return needed + (needed > PORTS_SPARE_MIN ? needed : PORTS_SPARE_MIN);
}

int locals_from_config(struct local_wanted want[VD_LOCALS_MAX], const struct config *cfg,
	const unsigned ifindex[SIDE_COUNT])
{
	int n = 0;

	for (unsigned s = 0; s < SIDE_COUNT; s++) {
		const struct side_config *side = &cfg->side[s];

		for (unsigned i = 0; i < side->address_count; i++) {
			if (n == VD_LOCALS_MAX)
				return -ENOSPC;
			want[n++] = (struct local_wanted){
				.addr = side->address[i].local,
				.ifindex = ifindex[s],
				.vlan = side->vlan,
				.side = (uint8_t)s,
				.port_min = side->media_port_min,
				.port_max = side->media_port_max,
			};
			want[n - 1].addr.port = 0;
		}
	}
	return n;
}

bool locals_want_guesses(const struct config *cfg)
{
	const unsigned any[SIDE_COUNT] = {1, 1};
	struct local_wanted want[VD_LOCALS_MAX];
	int count = locals_from_config(want, cfg, any);

	for (int i = 0; i < count; i++) {
		for (int k = 0; k < i; k++) {
			if (want[i].side == want[k].side &&
				want[i].addr.family == want[k].addr.family)
				return true;
		}
	}
	return false;
}

uint32_t locals_exits_of(uint32_t ports)
{
	return (ports + VD_EXIT_PORTS - 1) / VD_EXIT_PORTS;
}

static uint8_t *exit_byte(const struct locals *l, uint32_t index)
{
	return &l->exits[index / VD_EXIT_PORTS].ports[index % VD_EXIT_PORTS / VD_EXIT_PER_BYTE];
}

static unsigned exit_shift(uint32_t index)
{
	return index % VD_EXIT_PER_BYTE * VD_EXIT_BITS;
}

uint8_t locals_exit(const struct locals *l, uint32_t index)
{
	return *exit_byte(l, index) >> exit_shift(index) & VD_EXIT_MASK;
}

/* Nobody else writes there. */
static void set_exit(const struct locals *l, uint32_t index, uint8_t exit)
{
	uint8_t *byte = exit_byte(l, index);
	unsigned others = *byte & ~((unsigned)VD_EXIT_MASK << exit_shift(index));

	__atomic_store_n(
		byte, (uint8_t)(others | (unsigned)exit << exit_shift(index)), __ATOMIC_RELEASE);
}

static void set_port(const struct locals *l, uint32_t index, uint32_t flow, uint8_t exit)
{
	__atomic_store_n(&l->ports[index].flow, flow, __ATOMIC_RELEASE);
	set_exit(l, index, exit);
}

static uint32_t index_of(const struct locals *l, unsigned i, uint16_t port)
{
	const struct local *local = &l->local[i];

	return local->base + port - local->block_min;
}

const struct vd_port *locals_port(const struct locals *l, unsigned i, uint16_t port)
{
	return &l->ports[index_of(l, i, port)];
}

void locals_set_port(const struct locals *l, unsigned i, uint16_t port, uint32_t flow, uint8_t exit)
{
	set_port(l, index_of(l, i, port), flow, exit);
}

int locals_find(const struct locals *l, uint8_t side, const struct addr *a)
{
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		const struct local *local = &l->local[i];

		if (local->used && local->wanted && local->want.side == side &&
			addr_equal_ip(&local->want.addr, a) && a->port >= local->want.port_min &&
			a->port <= local->want.port_max)
			return (int)i;
	}
	return -ENOENT;
}

int locals_find_live(const struct locals *l, uint8_t side, const struct addr *a)
{
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		const struct local *local = &l->local[i];

		if (local->used && local->want.side == side &&
			addr_equal_ip(&local->want.addr, a) && a->port >= local->port_min &&
			a->port <= local->port_max && locals_port(l, i, a->port)->flow)
			return (int)i;
	}
	return -ENOENT;
}

static void block_remove(struct locals *l, unsigned at)
{
	l->block_count--;
	memmove(&l->block[at], &l->block[at + 1], (l->block_count - at) * sizeof(l->block[0]));
}

static void block_give(struct locals *l, uint32_t base, uint64_t now_ms)
{
	for (unsigned i = 0; i < l->block_count; i++) {
		if (l->block[i].base == base)
			l->block[i].free_at_ms = now_ms + l->grace_ms + 1;
	}
}

/* First fit. */
static int block_take(struct locals *l, uint32_t count, uint64_t now_ms, uint32_t *base)
{
	uint32_t from = 0;
	unsigned i = 0;

	while (i < l->block_count) {
		if (l->block[i].free_at_ms && l->block[i].free_at_ms <= now_ms)
			block_remove(l, i);
		else
			i++;
	}
	if (l->block_count == LOCALS_BLOCKS_MAX)
		return -ENOSPC;
	for (i = 0; i < l->block_count; i++) {
		if (l->block[i].base - from >= count)
			break;
		from = l->block[i].base + l->block[i].count;
	}
	if (i == l->block_count && l->ports_count - from < count)
		return -ENOSPC;
	memmove(&l->block[i + 1], &l->block[i], (l->block_count - i) * sizeof(l->block[0]));
	l->block[i] = (struct local_block){.base = from, .count = count};
	l->block_count++;
	*base = from;
	return 0;
}

/* That very block, where nothing lies yet. */
static bool block_claim(struct locals *l, uint32_t base, uint32_t count)
{
	unsigned i = 0;

	if (l->block_count == LOCALS_BLOCKS_MAX || base > l->ports_count ||
		count > l->ports_count - base)
		return false;
	while (i < l->block_count && l->block[i].base + l->block[i].count <= base)
		i++;
	if (i < l->block_count && l->block[i].base < base + count)
		return false;
	memmove(&l->block[i + 1], &l->block[i], (l->block_count - i) * sizeof(l->block[0]));
	l->block[i] = (struct local_block){.base = base, .count = count};
	l->block_count++;
	return true;
}

static void clear_ports(const struct locals *l, uint32_t base, uint32_t count)
{
	for (uint32_t i = base; i < base + count; i++)
		set_port(l, i, 0, 0);
}

/* Widens *min and *max to the ports of local[i] that have a flow. */
static void live_hull(const struct locals *l, unsigned i, uint16_t *min, uint16_t *max)
{
	const struct local *local = &l->local[i];
	uint32_t first = local->port_min, last = local->port_max;

	if (!local->flows)
		return;
	while (first < *min && !locals_port(l, i, (uint16_t)first)->flow)
		first++;
	while (last > *max && !locals_port(l, i, (uint16_t)last)->flow)
		last--;
	if (first < *min)
		*min = (uint16_t)first;
	if (last > *max)
		*max = (uint16_t)last;
}

static bool same_address(const struct local_wanted *a, const struct local_wanted *b)
{
	return a->side == b->side && a->ifindex == b->ifindex && a->vlan == b->vlan &&
	       addr_equal_ip(&a->addr, &b->addr);
}

static int find_or_make(struct locals *l, const struct local_wanted *want)
{
	int room = -ENOSPC;

	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		if (l->local[i].used && same_address(&l->local[i].want, want))
			return (int)i;
		if (!l->local[i].used && room < 0)
			room = (int)i;
	}
	return room;
}

static void retire(struct locals *l, unsigned i, uint64_t now_ms)
{
	block_give(l, l->local[i].base, now_ms);
	l->local[i].used = false;
}

/* Gives local[i] the range that want asks for, widened to the flows that live. */
static int take_up(struct locals *l, unsigned i, const struct local_wanted *want, uint64_t now_ms)
{
	struct local *local = &l->local[i];
	uint16_t min = want->port_min, max = want->port_max;
	uint32_t base;
	int ret;

	if (local->used) {
		live_hull(l, i, &min, &max);
	}
	if (!local->used || min < local->block_min || max > local->block_max) {
		ret = block_take(l, range_size(min, max), now_ms, &base);
		if (ret)
			return ret;
		if (local->used)
			block_give(l, local->base, now_ms);
		else
			local->flows = 0;
		local->base = base;
		local->block_min = min;
		local->block_max = max;
	}
	local->used = true;
	local->wanted = true;
	local->want = *want;
	local->port_min = min;
	local->port_max = max;
	return 0;
}

int locals_apply(struct locals *l, const struct local_wanted *want, unsigned count, uint64_t now_ms)
{
	struct locals next = *l;
	bool kept[VD_LOCALS_MAX] = {false};
	int ret;

	for (unsigned w = 0; w < count; w++) {
		for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
			if (next.local[i].used && same_address(&next.local[i].want, &want[w]))
				kept[i] = true;
		}
	}
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		if (!next.local[i].used || kept[i])
			continue;
		next.local[i].wanted = false;
		if (!next.local[i].flows)
			retire(&next, i, now_ms);
	}
	for (unsigned w = 0; w < count; w++) {
		int i = find_or_make(&next, &want[w]);

		ret = i < 0 ? i : take_up(&next, (unsigned)i, &want[w], now_ms);
		if (ret)
			return ret;
	}
	/* Nothing fails any more: fill the new blocks, from the old ones where flows live. */
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		const struct local *from = &l->local[i], *to = &next.local[i];

		if (!to->used || (from->used && from->base == to->base &&
					 same_address(&from->want, &to->want)))
			continue;
		clear_ports(&next, to->base, range_size(to->block_min, to->block_max));
		if (!from->used || !from->flows)
			continue;
		for (uint32_t p = from->port_min; p <= from->port_max; p++) {
			const struct vd_port *port = locals_port(l, i, (uint16_t)p);

			if (port->flow)
				set_port(&next, index_of(&next, i, (uint16_t)p), port->flow,
					locals_exit(l, index_of(l, i, (uint16_t)p)));
		}
	}
	*l = next;
	return 0;
}

unsigned locals_adopt(struct locals *l, const struct vd_locals *left)
{
	unsigned refused = left->count > VD_LOCALS_MAX ? left->count - VD_LOCALS_MAX : 0;

	for (unsigned i = 0; i < VD_LOCALS_MAX && i < left->count; i++) {
		const struct vd_local *from = &left->local[i];
		struct local *to = &l->local[i];

		if (!from->ifindex)
			continue;
		if (from->side >= SIDE_COUNT || from->port_min > from->port_max ||
			!block_claim(
				l, from->port_base, range_size(from->port_min, from->port_max))) {
			refused++;
			continue;
		}
		*to = (struct local){
			.used = true,
			.want = {.ifindex = from->ifindex,
				.vlan = from->vlan,
				.side = from->side,
				.port_min = from->port_min,
				.port_max = from->port_max},
			.port_min = from->port_min,
			.port_max = from->port_max,
			.block_min = from->port_min,
			.block_max = from->port_max,
			.base = from->port_base,
		};
		flow_unmap_address(&to->want.addr, from->addr, 0);
	}
	return refused;
}

bool locals_any_flow(const struct locals *l)
{
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		const struct local *local = &l->local[i];

		for (uint32_t p = local->port_min; local->used && p <= local->port_max; p++) {
			if (locals_port(l, i, (uint16_t)p)->flow)
				return true;
		}
	}
	return false;
}

bool locals_draining(const struct locals *l)
{
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		const struct local *local = &l->local[i];

		if (local->used && (!local->wanted || local->port_min != local->want.port_min ||
					   local->port_max != local->want.port_max))
			return true;
	}
	return false;
}

bool locals_drain(struct locals *l, uint64_t now_ms)
{
	bool changed = false;

	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		struct local *local = &l->local[i];
		uint16_t min = local->want.port_min, max = local->want.port_max;

		if (!local->used)
			continue;
		if (!local->wanted) {
			if (!local->flows) {
				retire(l, i, now_ms);
				changed = true;
			}
			continue;
		}
		live_hull(l, i, &min, &max);
		if (min != local->port_min || max != local->port_max) {
			local->port_min = min;
			local->port_max = max;
			changed = true;
		}
	}
	return changed;
}

void locals_set_ifindex(struct locals *l, uint8_t side, unsigned ifindex)
{
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		if (l->local[i].used && l->local[i].want.side == side)
			l->local[i].want.ifindex = ifindex;
	}
}

void locals_encode(const struct locals *l, struct vd_locals *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
		const struct local *local = &l->local[i];
		struct vd_local *to = &out->local[i];

		/* An unused place keeps ifindex 0, which no packet has; so entries never move. */
		if (!local->used)
			continue;
		flow_map_address(to->addr, &local->want.addr);
		to->ifindex = local->want.ifindex;
		to->port_base = local->base + local->port_min - local->block_min;
		to->port_min = local->port_min;
		to->port_max = local->port_max;
		to->vlan = local->want.vlan;
		to->side = local->want.side;
		to->family = local->want.addr.family;
		out->count = i + 1;
	}
	locals_spread(out);
}
