/* SPDX-License-Identifier: BSD-2-Clause */
/* For which devices packets wait for others: see struct vd_batch. */
#ifndef VIADUCT_DATAPLANE_BATCHING_H
#define VIADUCT_DATAPLANE_BATCHING_H

#include "dataplane/driver_loss.h"
#include "dataplane/nexthop.h"
#include "dataplane/xdp_load.h"

struct batching {
	struct loop *loop;
	struct loop_timer look;
	const struct xdp *xdp;
	const struct nexthop_table *nexthops;
	struct driver_loss *loss; /* may be NULL */
	/* Shows the program what is in force now; not called before there is something to show. */
	void (*publish)(void *ctx);
	void *ctx;
	uint32_t devices; /* in force: a bit a side */
	struct batching_side {
		uint64_t unfinished; /* of driver_loss, when last looked */
		unsigned rest;       /* looks that the device is left alone for */
	} side[SIDE_COUNT];
};

/* From a while after this on packets wait; called again, that while begins anew. 0 or -ENOMEM. */
int batching_start(struct batching *b);
/* Also of one that was never started. */
void batching_stop(struct batching *b);

#endif
