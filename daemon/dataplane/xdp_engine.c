/* SPDX-License-Identifier: BSD-2-Clause */
/* The real engine: puts the pieces together in order, and takes them apart in reverse. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/counters.h"
#include "dataplane/engine.h"
#include "dataplane/xdp_attach.h"
#include "dataplane/xdp_left.h"
#include "viaduct.skel.h"

#define TAKE_UP_RETRY_MS 1000 /* between tries to attach to a device that has come back */

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Both sides may share a device: it is attached to once. The DEVMAP has an entry a side. */
static int find_devices(struct dataplane *dp)
{
	struct xdp *x = &dp->xdp;

	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		struct egress found;
		unsigned i;
		int ret = rtnetlink_find_device(dp->rtnetlink, dp->device[side], &found);

		if (ret) {
			log_error("dataplane: %s side: no device named \"%s\"", side_name(side),
				dp->device[side]);
			return -ENODEV;
		}
		for (i = 0; i < x->device_count; i++) {
			if (x->device[i].ifindex == found.ifindex)
				break;
		}
		x->device_of_side[side] = (uint8_t)i;
		if (i < x->device_count)
			continue;
		x->device[i] = (struct xdp_device){.ifindex = found.ifindex,
			.mode = "none",
			.attached = "none",
			.link_fd = -1};
		memcpy(x->device[i].name, dp->device[side], sizeof(x->device[i].name));
		x->device_count++;
	}
	return 0;
}

int xdp_engine_publish_locals(struct dataplane *dp)
{
	struct vd_locals locals;

	/* An empty table of addresses says that the maps are not in force yet. */
	if (dp->xdp.replaces)
		return 0;
	locals_encode(&dp->locals, &locals);
	locals.batched = dp->batching.devices;
	return xdp_set_locals(&dp->xdp, &locals);
}

static bool is_attached(const struct xdp_device *device)
{
	return strcmp(device->attached, "none") != 0;
}

/* What a device that has come back needs; 0 when it has it all. */
static int take_up_device(struct dataplane *dp, uint8_t side)
{
	struct xdp_device *device = &dp->xdp.device[dp->xdp.device_of_side[side]];
	int ret = 0;

	/* Not where the other side, on the same device, was first; nor while another layout's
	 * program serves: it is attached by xdp_engine_replace(). */
	if (!is_attached(device) && !dp->xdp.replaces)
		ret = xdp_attach_again(&dp->xdp, device, device->ifindex);
	if (!ret)
		ret = xdp_set_device(&dp->xdp, side, device->ifindex);
	if (!ret)
		ret = xdp_engine_publish_locals(dp);
	if (ret)
		log_limited(LOG_LEVEL_WARN, "dataplane: device %s is not usable yet: %s",
			device->name, strerror(-ret));
	return ret;
}

static void take_up_fire(struct loop_timer *timer)
{
	struct dataplane *dp = container_of(timer, struct dataplane, take_up);
	bool again = false;

	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		if (dp->take_up_side[side] && take_up_device(dp, side))
			again = true;
		else
			dp->take_up_side[side] = false;
	}
	if (again)
		loop_timer_start(dp->loop, &dp->take_up, TAKE_UP_RETRY_MS);
}

static void device_changed(void *ctx, uint8_t side, unsigned ifindex)
{
	struct dataplane *dp = ctx;
	struct xdp_device *device = &dp->xdp.device[dp->xdp.device_of_side[side]];

	driver_loss_set_device(dp->loss, side, ifindex);
	dp->take_up_side[side] = ifindex != 0;
	if (device->ifindex != ifindex) /* else the other side, on the same device, was first */
		xdp_device_gone(&dp->xdp, device);
	device->ifindex = ifindex;
	if (!ifindex)
		return;
	locals_set_ifindex(&dp->locals, side, ifindex);
	log_warn("dataplane: device %s has come back, attaching to it", device->name);
	take_up_fire(&dp->take_up);
}

/* The tables on top of the maps, and what keeps them true. */
static int open_tables(
	struct dataplane *dp, const struct config *cfg, const struct dataplane_handlers *handlers)
{
	struct xdp *x = &dp->xdp;
	struct nexthop_ops ops;
	int ret;

	dp->locals.ports = x->ports.address;
	dp->locals.exits = x->exits.address;
	rtnetlink_ops(dp->rtnetlink, &ops);
	ret = nexthop_table_new(&dp->nexthops, dp->loop, x->nexthops.address, dp->sizes.nexthops,
		VD_FLOW_GRACE_MS, &ops);
	if (ret)
		return ret;
	ret = driver_loss_open(&dp->loss, dp->loop, bpf_map__fd(x->skel->maps.vd_devices),
		bpf_map__fd(x->skel->maps.vd_batches));
	if (!ret)
		ret = recent_open(&dp->recent, dp->loop, bpf_map__fd(x->skel->maps.vd_counters));
	if (ret)
		return ret;
	dp->take_up.fire = take_up_fire;
	ret = rtnetlink_watch(dp->rtnetlink, dp->nexthops, device_changed, dp);
	if (ret)
		return ret;
	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		ret = rtnetlink_set_device(
			dp->rtnetlink, side, dp->device[side], cfg->side[side].vlan, side);
		if (!ret)
			ret = xdp_set_device(x, side, nexthop_egress(dp->nexthops, side)->ifindex);
		if (ret)
			return ret;
		driver_loss_set_device(dp->loss, side, nexthop_egress(dp->nexthops, side)->ifindex);
	}
	ret = flow_table_new(&dp->flows, dp->loop, dp->sizes.capacity, x->flows.address,
		&dp->locals, dp->nexthops, VD_FLOW_GRACE_MS);
	if (ret)
		return ret;
	return events_open(
		&dp->events, dp->loop, bpf_map__fd(x->skel->maps.vd_events), dp->flows, handlers);
}

int xdp_engine_open(
	struct dataplane *dp, const struct config *cfg, const struct dataplane_handlers *handlers)
{
	struct engine_sizes *sizes = &dp->sizes;
	struct xdp_sizes of_maps = {
		.flows = sizes->flows, .ports = sizes->ports, .nexthops = sizes->nexthops};
	int ret;

	ret = rtnetlink_open(&dp->rtnetlink, dp->loop);
	if (ret) {
		log_error("dataplane: cannot open rtnetlink: %s", strerror(-ret));
		return ret;
	}
	ret = find_devices(dp);
	if (ret)
		return ret;
	ret = pins_open(&dp->xdp.pins, cfg->bpf_dir, cfg->instance);
	if (ret)
		return ret;
	ret = xdp_load(&dp->xdp, &of_maps, cfg->batching, locals_want_guesses(cfg));
	if (ret)
		return ret;
	if (dp->xdp.maps == XDP_MAPS_ADOPTED) {
		*sizes = (struct engine_sizes){.flows = of_maps.flows,
			.ports = of_maps.ports,
			.nexthops = of_maps.nexthops,
			.capacity = flow_table_capacity_of(of_maps.flows)};
		dp->adopting = true;
		ret = xdp_get_locals(&dp->xdp, &dp->left);
		if (ret)
			return ret;
	}
	ret = open_tables(dp, cfg, handlers);
	if (ret) {
		log_error("dataplane: cannot start: %s", strerror(-ret));
		return ret;
	}
	return 0;
}

static void publish_batching(void *ctx)
{
	int ret = xdp_engine_publish_locals(ctx);

	if (ret)
		log_error("dataplane: cannot write vd_locals: %s", strerror(-ret));
}

static int begin_batching(struct dataplane *dp)
{
	struct batching *b = &dp->batching;

	if (!dp->xdp.batches)
		return 0;
	*b = (struct batching){.loop = dp->loop,
		.xdp = &dp->xdp,
		.nexthops = dp->nexthops,
		.loss = dp->loss,
		.publish = publish_batching,
		.ctx = dp};
	return batching_start(b);
}

int xdp_engine_attach(struct dataplane *dp)
{
	int ret;

	if (dp->xdp.replaces) {
		log_info("dataplane: the tables of another version serve until ours are filled");
		return 0;
	}
	ret = xdp_attach_links(&dp->xdp);
	if (!ret)
		ret = begin_batching(dp);
	if (!ret)
		xdp_left_remove(&dp->xdp);
	return ret;
}

void xdp_engine_replace(struct dataplane *dp)
{
	if (!dp->xdp.replaces)
		return;
	dp->xdp.replaces = false;
	if (xdp_engine_publish_locals(dp) || xdp_engine_attach(dp))
		log_error("dataplane: what an earlier daemon left cannot be replaced and stays");
	else
		log_warn("dataplane: another version's tables were replaced: what they counted "
			 "after the daemon before us had read them is not known");
}

void xdp_engine_end(struct dataplane *dp, enum dataplane_end how)
{
	struct xdp *x = &dp->xdp;

	if (how == END_CLOSE && x->replaces)
		xdp_left_detach(x, PINS_OTHERS);
	/* Swung links carry on with our program where the start fails after that; beside an earlier
	 * program under the dispatcher ours goes again. */
	if (how == END_LEAVE || (how == END_ABANDON && x->maps == XDP_MAPS_ADOPTED && !x->program))
		xdp_leave(x);
	else
		xdp_unload(x);
	if (how == END_ABANDON && x->maps == XDP_MAPS_NEW)
		pins_remove(&x->pins, PINS_OURS);
	if (how == END_CLOSE)
		pins_close(&x->pins);
	else
		pins_leave(&x->pins);
	rtnetlink_close(dp->rtnetlink);
}

int xdp_engine_remove(const struct config *cfg)
{
	struct xdp x = {0};
	int ret = pins_open(&x.pins, cfg->bpf_dir, cfg->instance);

	if (ret)
		return ret;
	xdp_left_detach(&x, PINS_OURS);
	xdp_left_detach(&x, PINS_OTHERS);
	pins_close(&x.pins);
	return 0;
}

int xdp_engine_status(struct dataplane *dp, struct dataplane_status *out)
{
	const struct xdp *x = &dp->xdp;
	int ret;

	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		const struct xdp_device *device = &x->device[x->device_of_side[side]];

		out->device[side].mode = device->mode;
		out->device[side].attached = device->attached;
		out->device[side].batched = dp->batching.devices >> side & 1;
		if (device->why)
			out->device[side].why = device->why;
		driver_loss_read(dp->loss, side, &out->device[side]);
	}
	out->memory_bytes = x->memory_bytes;
	ret = counters_read(bpf_map__fd(x->skel->maps.vd_counters), out);
	if (ret)
		return ret;
	recent_read(dp->recent, out);
	for (uint8_t side = 0; side < SIDE_COUNT; side++)
		out->packets[side][VD_DROP_REDIRECT] += driver_loss_unfinished_in(dp->loss, side);
	return counters_read_lost(bpf_map__fd(x->skel->maps.vd_event_lost), &out->events_lost);
}
