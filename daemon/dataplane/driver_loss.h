/* SPDX-License-Identifier: BSD-2-Clause */
/* What a driver loses of the packets that the program has sent on by its device: see
 * bpf/driver_loss.bpf.c. Counted from the daemon's start on. */
#ifndef VIADUCT_DATAPLANE_DRIVER_LOSS_H
#define VIADUCT_DATAPLANE_DRIVER_LOSS_H

#include "dataplane/dataplane.h"

struct driver_loss;

/* devices_fd: the DEVMAP; batches_fd: vd_batches. Where the kernel has no such tracepoints, or does
 * not permit them, *out is NULL and a line is logged: media does without. 0 or -ENOMEM. */
int driver_loss_open(struct driver_loss **out, struct loop *loop, int devices_fd, int batches_fd);
void driver_loss_close(struct driver_loss *l);
/* ifindex: 0 = gone. l may be NULL. */
void driver_loss_set_device(struct driver_loss *l, uint8_t side, unsigned ifindex);
/* Which sides' devices finish packets that waited, a bit a side: what is refused there was not
 * counted by the XDP program. l may be NULL. */
void driver_loss_set_batched(struct driver_loss *l, uint32_t sides);
/* What was redirected, refused, and counted by nobody else: of what came in by the side, and of
 * what was to leave by it. l may be NULL. */
uint64_t driver_loss_unfinished_in(const struct driver_loss *l, uint8_t side);
uint64_t driver_loss_unfinished_out(const struct driver_loss *l, uint8_t side);
/* Fills in what there is to say about the side's device. l may be NULL. */
void driver_loss_read(
	const struct driver_loss *l, uint8_t side, struct dataplane_device_status *out);

#endif
