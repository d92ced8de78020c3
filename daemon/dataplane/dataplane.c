/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "dataplane/engine.h"
#include "dataplane/xdp_attach.h"

#define NSEC_PER_SEC   1000000000ull
#define DRAIN_MS       1000 /* between looks at what a reload left to retire */
#define NEXTHOPS_SPARE 1024 /* kept for the next call although no flow uses them now */

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static int publish_locals(struct dataplane *dp)
{
	return dp->engine == DATAPLANE_XDP ? xdp_engine_publish_locals(dp) : 0;
}

static void drain_fire(struct loop_timer *timer)
{
	struct dataplane *dp = container_of(timer, struct dataplane, drain);

	if (locals_drain(&dp->locals, loop_now_ms(dp->loop)) && publish_locals(dp))
		log_error("dataplane: cannot retire media addresses");
	if (locals_draining(&dp->locals))
		loop_timer_start(dp->loop, &dp->drain, DRAIN_MS);
}

static int apply_locals(struct dataplane *dp, const struct config *cfg)
{
	struct local_wanted want[VD_LOCALS_MAX];
	unsigned ifindex[SIDE_COUNT];
	int count, ret;

	for (uint8_t side = 0; side < SIDE_COUNT; side++)
		ifindex[side] = nexthop_egress(dp->nexthops, side)->ifindex;
	count = locals_from_config(want, cfg, ifindex);
	ret = count < 0 ? count
			: locals_apply(&dp->locals, want, (unsigned)count, loop_now_ms(dp->loop));
	if (ret) {
		log_error("dataplane: no room for the media addresses and port ranges; "
			  "a restart sizes the tables for them");
		return ret;
	}
	ret = publish_locals(dp);
	if (!ret && locals_draining(&dp->locals))
		ret = loop_timer_start(dp->loop, &dp->drain, DRAIN_MS);
	return ret;
}

static void take_side(struct dataplane *dp, const struct config *cfg, uint8_t side)
{
	strncpy(dp->device[side], cfg->side[side].device, sizeof(dp->device[side]) - 1);
	dp->vlan[side] = cfg->side[side].vlan;
}

static void take_sizes(struct engine_sizes *sizes, const struct config *cfg, unsigned capacity)
{
	*sizes = (struct engine_sizes){
		.capacity = capacity,
		.flows = flow_table_slots_needed(capacity),
		.ports = locals_ports_needed(cfg),
		.nexthops = capacity + NEXTHOPS_SPARE,
	};
	if (sizes->nexthops > VD_NEXTHOPS_MAX)
		sizes->nexthops = VD_NEXTHOPS_MAX;
}

/* Takes stock of an earlier daemon's tables, before anything is written there. */
static int adoption_begin(struct dataplane *dp, unsigned asked)
{
	unsigned refused = locals_adopt(&dp->locals, &dp->left), flows = 0;
	int ret;

	for (uint8_t side = 0; side < SIDE_COUNT; side++)
		locals_set_ifindex(&dp->locals, side, nexthop_egress(dp->nexthops, side)->ifindex);
	ret = flow_table_adoption_begin(dp->flows, dp->sizes.nexthops, &flows);
	if (ret)
		return ret;
	if (refused || flows)
		log_error("dataplane: of what the daemon before left, %u addresses and %u flows "
			  "make no sense: they are given up",
			refused, flows);
	if (dp->sizes.capacity != asked)
		log_warn("dataplane: the tables stay as the daemon before made them, for %u flows "
			 "where %u are asked for; only a start after `viaduct stop --now` makes "
			 "them anew",
			dp->sizes.capacity, asked);
	log_info("dataplane: %u flows of the daemon before go on", flow_table_count(dp->flows));
	return 0;
}

static void end(struct dataplane *dp, enum dataplane_end how)
{
	if (!dp)
		return;
	loop_timer_stop(dp->loop, &dp->drain);
	loop_timer_stop(dp->loop, &dp->take_up);
	batching_stop(&dp->batching);
	events_close(dp->events);
	driver_loss_close(dp->loss);
	recent_close(dp->recent);
	/* Before the tables go: packets read them. */
	if (dp->engine == DATAPLANE_XDP && how == END_CLOSE)
		xdp_detach(&dp->xdp);
	if (dp->engine == DATAPLANE_NULL && how == END_LEAVE)
		null_leave_stats(dp);
	flow_table_free(dp->flows);
	nexthop_table_free(dp->nexthops);
	if (dp->engine == DATAPLANE_XDP)
		xdp_engine_end(dp, how);
	else
		null_end(dp, how);
	free(dp->instance);
	free(dp);
}

int dataplane_open(struct dataplane **out, enum dataplane_engine engine, const struct config *cfg,
	unsigned capacity_flows, struct loop *loop, const struct dataplane_handlers *handlers)
{
	struct dataplane *dp;
	int ret;

	if (!capacity_flows || capacity_flows > FLOW_CAPACITY_MAX) {
		log_error("dataplane: %u flows asked for, 1 to %u are possible", capacity_flows,
			FLOW_CAPACITY_MAX);
		return -EINVAL;
	}
	dp = calloc(1, sizeof(*dp));
	if (!dp)
		return -ENOMEM;
	dp->engine = engine;
	dp->loop = loop;
	dp->drain.fire = drain_fire;
	dp->xdp.pins.lock_fd = -1;
	take_sizes(&dp->sizes, cfg, capacity_flows);
	dp->locals.grace_ms = engine == DATAPLANE_XDP ? VD_FLOW_GRACE_MS : 0;
	for (uint8_t side = 0; side < SIDE_COUNT; side++)
		take_side(dp, cfg, side);
	dp->instance = strdup(cfg->instance ? cfg->instance : "");
	if (!dp->instance)
		ret = -ENOMEM;
	else
		ret = engine == DATAPLANE_XDP ? xdp_engine_open(dp, cfg, handlers)
					      : null_open(dp, cfg);
	dp->locals.ports_count = dp->sizes.ports;
	if (!ret && dp->adopting)
		ret = adoption_begin(dp, capacity_flows);
	if (!ret)
		ret = apply_locals(dp, cfg);
	/* Last: from here on packets come. */
	if (!ret && engine == DATAPLANE_XDP)
		ret = xdp_engine_attach(dp);
	if (ret) {
		end(dp, END_ABANDON);
		return ret;
	}
	*out = dp;
	return 0;
}

void dataplane_close(struct dataplane *dp)
{
	end(dp, END_CLOSE);
}

void dataplane_leave(struct dataplane *dp)
{
	end(dp, END_LEAVE);
}

int dataplane_remove(const struct config *cfg)
{
	return xdp_engine_remove(cfg);
}

bool dataplane_is_adopting(const struct dataplane *dp)
{
	return dp->adopting || dp->xdp.replaces;
}

int dataplane_reload(struct dataplane *dp, const struct config *cfg)
{
	int ret = apply_locals(dp, cfg);

	if (ret)
		return ret;
	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		if (dp->vlan[side] == cfg->side[side].vlan)
			continue;
		take_side(dp, cfg, side);
		if (dp->engine == DATAPLANE_XDP)
			ret = rtnetlink_set_device(
				dp->rtnetlink, side, dp->device[side], dp->vlan[side], side);
		if (ret)
			return ret;
	}
	return 0;
}

int dataplane_flow_add(
	struct dataplane *dp, const struct dataplane_flow *spec, dataplane_flow_id *id)
{
	return flow_table_add(dp->flows, spec, NULL, id);
}

int dataplane_flow_add_latched(struct dataplane *dp, const struct dataplane_flow *spec,
	const struct addr *source, dataplane_flow_id *id)
{
	return flow_table_add(dp->flows, spec, source->family ? source : NULL, id);
}

int dataplane_flow_update(
	struct dataplane *dp, dataplane_flow_id id, const struct dataplane_flow *spec)
{
	return flow_table_update(dp->flows, id, spec);
}

void dataplane_flow_del(struct dataplane *dp, dataplane_flow_id id)
{
	flow_table_del(dp->flows, id);
}

int dataplane_flow_adopt(
	struct dataplane *dp, const struct dataplane_flow *spec, dataplane_flow_id *id)
{
	int ret = flow_table_adopt(dp->flows, spec, id);

	if (!ret && dp->engine == DATAPLANE_NULL)
		null_adopted(dp, *id);
	return ret;
}

unsigned dataplane_adoption_done(struct dataplane *dp)
{
	unsigned removed = flow_table_adoption_done(dp->flows);

	dp->adopting = false;
	if (dp->engine == DATAPLANE_XDP)
		xdp_engine_replace(dp);
	return removed;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

int dataplane_flow_count_on(
	struct dataplane *dp, dataplane_flow_id id, const struct dataplane_stats *earlier)
{
	return flow_table_count_on(dp->flows, id, now_ns(), earlier);
}

int dataplane_flow_earlier(
	const struct dataplane *dp, dataplane_flow_id id, struct dataplane_stats *out)
{
	return flow_table_earlier(dp->flows, id, now_ns(), out);
}

int dataplane_flow_stats(
	const struct dataplane *dp, dataplane_flow_id id, struct dataplane_stats *out)
{
	if (dp->engine == DATAPLANE_NULL && null_stats(dp, id, out) == 0)
		return 0;
	return flow_table_stats(dp->flows, id, now_ns(), out);
}

int dataplane_flow_path(
	const struct dataplane *dp, dataplane_flow_id id, struct dataplane_path *out)
{
	return flow_table_path(dp->flows, id, out);
}

const struct dataplane_flow *dataplane_flow_get(const struct dataplane *dp, dataplane_flow_id id)
{
	return flow_table_get(dp->flows, id);
}

unsigned dataplane_flows_max(const struct dataplane *dp)
{
	return flow_table_capacity(dp->flows);
}

int dataplane_status(struct dataplane *dp, struct dataplane_status *out)
{
	memset(out, 0, sizeof(*out));
	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		const struct egress *egress = nexthop_egress(dp->nexthops, side);
		struct dataplane_device_status *device = &out->device[side];

		memcpy(device->name, dp->device[side], sizeof(device->name));
		device->side = side;
		device->ifindex = egress->ifindex;
		device->up = egress->up;
		device->why = egress_why(egress);
		device->mode = "none";
		device->attached = "none";
	}
	out->flows = flow_table_count(dp->flows);
	out->flows_max = flow_table_capacity(dp->flows);
	nexthop_survey(dp->nexthops, out);
	return dp->engine == DATAPLANE_XDP ? xdp_engine_status(dp, out) : 0;
}
