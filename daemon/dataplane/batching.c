/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/batching.h"

#include <stddef.h>
#include <string.h>

/* Packets wait only where the devices' entries have had the program that finishes them for a while:
 * the kernel takes the one of the first packet of a poll for all of that poll. */
#define LOOK_MS    1000
#define REST_LOOKS 10
#define WAITING_L3 1280 /* bytes: no longer packet waits (BATCH_L3_MAX of the program) */

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* In generic mode the kernel gathers nothing. */
static bool all_native(const struct xdp *x)
{
	for (unsigned i = 0; i < x->device_count; i++) {
		if (strcmp(x->device[i].mode, "generic") == 0)
			return false;
	}
	return true;
}

/* A device that is down or refuses packets, or might refuse one as too long (its MTU is too small
 * for IPv6), is left alone: what is lost there is then counted as received, and shown for what it
 * is. */
static bool takes_packets(struct batching *b, uint8_t side)
{
	const struct egress *egress = nexthop_egress(b->nexthops, side);
	struct batching_side *s = &b->side[side];
	uint64_t unfinished = driver_loss_unfinished_out(b->loss, side);

	if (unfinished != s->unfinished)
		s->rest = REST_LOOKS;
	else if (s->rest)
		s->rest--;
	s->unfinished = unfinished;
	return !s->rest && all_native(b->xdp) && egress->up && egress->mtu >= WAITING_L3;
}

static void look_fire(struct loop_timer *timer)
{
	struct batching *b = container_of(timer, struct batching, look);
	uint32_t devices = 0;

	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		if (takes_packets(b, side))
			devices |= 1u << side;
	}
	if (devices != b->devices) {
		b->devices = devices;
		driver_loss_set_batched(b->loss, devices);
		b->publish(b->ctx);
	}
	loop_timer_start(b->loop, &b->look, LOOK_MS);
}

int batching_start(struct batching *b)
{
	b->look.fire = look_fire;
	return loop_timer_start(b->loop, &b->look, LOOK_MS);
}

void batching_stop(struct batching *b)
{
	if (b->loop)
		loop_timer_stop(b->loop, &b->look);
}
