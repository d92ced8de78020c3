/* SPDX-License-Identifier: BSD-2-Clause */
/* The null engine: the same tables in plain memory, every next hop resolved, no packets. What is
 * left for a later one of the same instance is kept in this process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine.h"

#define NULL_IFINDEX_FIRST 1
#define NULL_MTU           1500

struct null_flow_stats {
	dataplane_flow_id id; /* 0 = left by an earlier data plane, for the flow with that cookie */
	uint32_t cookie;
	struct dataplane_stats stats;
};

/* What dataplane_leave() left, in place of what the kernel keeps pinned. */
struct left {
	struct left *next;
	char *instance;
	struct null_memory memory;
	struct engine_sizes sizes;
	struct vd_locals locals;
};

static struct left *left;

static int null_route(void *ctx, const struct addr *src, const struct addr *dst, unsigned ifindex,
	struct route_answer *out)
{
	(void)ctx;
	(void)src;
	(void)dst;
	*out = (struct route_answer){.ifindex = ifindex};
	return 0;
}

static void null_neighbour_use(void *ctx, unsigned ifindex, const struct addr *ip)
{
	(void)ctx;
	(void)ifindex;
	(void)ip;
}

static bool null_neighbour_ask_anew(void *ctx, unsigned ifindex, const struct addr *ip)
{
	(void)ctx;
	(void)ifindex;
	(void)ip;
	return false;
}

static bool null_neighbour_confirm(void *ctx, unsigned ifindex, const struct addr *ip)
{
	(void)ctx;
	(void)ifindex;
	(void)ip;
	return false;
}

static void null_neighbour_fail(void *ctx, unsigned ifindex, const struct addr *ip)
{
	(void)ctx;
	(void)ifindex;
	(void)ip;
}

static enum neighbour_state null_neighbour_get(
	void *ctx, unsigned ifindex, const struct addr *ip, uint8_t mac[6])
{
	(void)ctx;
	/* Locally administered, and telling one neighbour from another. */
	mac[0] = 0x02;
	mac[1] = (uint8_t)ifindex;
	memcpy(mac + 2, ip->ip + (ip->family == 4 ? 0 : 12), 4);
	return NEIGHBOUR_VALID;
}

static void free_memory(struct null_memory *m)
{
	free(m->stats);
	free(m->nexthops);
	free(m->exits);
	free(m->ports);
	free(m->flows);
	memset(m, 0, sizeof(*m));
}

static bool take_left(struct dataplane *dp)
{
	for (struct left **at = &left; *at; at = &(*at)->next) {
		struct left *found = *at;

		if (strcmp(found->instance, dp->instance) != 0)
			continue;
		*at = found->next;
		dp->null = found->memory;
		dp->sizes = found->sizes;
		dp->left = found->locals;
		dp->adopting = true;
		free(found->instance);
		free(found);
		return true;
	}
	return false;
}

static int make_memory(struct null_memory *m, const struct engine_sizes *sizes)
{
	m->flows = calloc(sizes->flows, sizeof(*m->flows));
	m->ports = calloc(sizes->ports, sizeof(*m->ports));
	m->exits = calloc(locals_exits_of(sizes->ports), sizeof(*m->exits));
	m->nexthops = calloc(sizes->nexthops, sizeof(*m->nexthops));
	return m->flows && m->ports && m->exits && m->nexthops ? 0 : -ENOMEM;
}

int null_open(struct dataplane *dp, const struct config *cfg)
{
	const struct nexthop_ops ops = {
		.route = null_route,
		.neighbour_use = null_neighbour_use,
		.neighbour_ask_anew = null_neighbour_ask_anew,
		.neighbour_confirm = null_neighbour_confirm,
		.neighbour_fail = null_neighbour_fail,
		.neighbour_get = null_neighbour_get,
	};
	struct null_memory *m = &dp->null;
	int ret;

	ret = take_left(dp) ? 0 : make_memory(m, &dp->sizes);
	if (ret)
		return ret;
	dp->locals.ports = m->ports;
	dp->locals.exits = m->exits;
	ret = nexthop_table_new(&dp->nexthops, dp->loop, m->nexthops, dp->sizes.nexthops, 0, &ops);
	if (ret)
		return ret;
	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		struct egress egress = {
			.ifindex = NULL_IFINDEX_FIRST + side,
			.route_ifindex = NULL_IFINDEX_FIRST + side,
			.devmap_index = side,
			.vlan = cfg->side[side].vlan,
			.mac = {0x02, 0, 0, 0, 0, side},
			.mtu = NULL_MTU,
			.up = true,
		};

		memcpy(egress.device, dp->device[side], sizeof(egress.device));
		nexthop_set_egress(dp->nexthops, side, &egress);
	}
	return flow_table_new(
		&dp->flows, dp->loop, dp->sizes.capacity, m->flows, &dp->locals, dp->nexthops, 0);
}

void null_end(struct dataplane *dp, enum dataplane_end how)
{
	bool stays = how == END_LEAVE || (how == END_ABANDON && dp->adopting);
	struct left *l = stays ? calloc(1, sizeof(*l)) : NULL;

	if (l)
		l->instance = strdup(dp->instance);
	if (!l || !l->instance) {
		free(l);
		free_memory(&dp->null);
		return;
	}
	l->memory = dp->null;
	l->sizes = dp->sizes;
	if (how == END_LEAVE)
		locals_encode(&dp->locals, &l->locals);
	else
		l->locals = dp->left;
	l->next = left;
	left = l;
}

static struct null_flow_stats *find_stats(const struct dataplane *dp, dataplane_flow_id id)
{
	for (unsigned i = 0; i < dp->null.stats_count; i++) {
		if (dp->null.stats[i].id == id)
			return &dp->null.stats[i];
	}
	return NULL;
}

int null_stats(const struct dataplane *dp, dataplane_flow_id id, struct dataplane_stats *out)
{
	const struct null_flow_stats *s = find_stats(dp, id);

	if (!s || !flow_table_get(dp->flows, id))
		return -ENOENT;
	*out = s->stats;
	return 0;
}

void dataplane_null_set_stats(
	struct dataplane *dp, dataplane_flow_id id, const struct dataplane_stats *stats)
{
	struct null_memory *m = &dp->null;
	struct null_flow_stats *s = find_stats(dp, id), *grown;

	if (dp->engine != DATAPLANE_NULL || !flow_table_get(dp->flows, id))
		return;
	/* A deleted flow's place serves again. */
	for (unsigned i = 0; !s && i < m->stats_count; i++) {
		if (!(dp->adopting && !m->stats[i].id) &&
			!flow_table_get(dp->flows, m->stats[i].id))
			s = &m->stats[i];
	}
	if (!s) {
		grown = realloc(m->stats, (m->stats_count + 1) * sizeof(*m->stats));
		if (!grown)
			return;
		m->stats = grown;
		s = &m->stats[m->stats_count++];
	}
	s->id = id;
	s->stats = *stats;
}

const struct dataplane_flow *dataplane_null_find(
	struct dataplane *dp, uint8_t side, const struct addr *local)
{
	if (dp->engine != DATAPLANE_NULL)
		return NULL;
	return flow_table_get(dp->flows, flow_table_by_local(dp->flows, side, local));
}

void null_leave_stats(struct dataplane *dp)
{
	for (unsigned i = 0; i < dp->null.stats_count; i++) {
		struct null_flow_stats *s = &dp->null.stats[i];
		const struct dataplane_flow *flow = flow_table_get(dp->flows, s->id);

		s->id = 0;
		s->cookie = flow ? flow->cookie : 0;
	}
}

void null_adopted(struct dataplane *dp, dataplane_flow_id id)
{
	const struct dataplane_flow *flow = flow_table_get(dp->flows, id);

	for (unsigned i = 0; i < dp->null.stats_count; i++) {
		if (!dp->null.stats[i].id && dp->null.stats[i].cookie == flow->cookie)
			dp->null.stats[i].id = id;
	}
}
