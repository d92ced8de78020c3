/* SPDX-License-Identifier: BSD-2-Clause */
/* What a driver loses of the packets that the program has sent on by its device: see
 * bpf/driver_loss.bpf.c. Counted from the daemon's start on. */
#ifndef VIADUCT_DATAPLANE_DRIVER_LOSS_H
#define VIADUCT_DATAPLANE_DRIVER_LOSS_H

#include "dataplane/dataplane.h"

struct driver_loss;

/* devices_fd: the DEVMAP. Where the kernel has no such tracepoints, or does not permit them, *out
 * is NULL and a line is logged: media does without. 0 or -ENOMEM. */
int driver_loss_open(struct driver_loss **out, struct loop *loop, int devices_fd);
void driver_loss_close(struct driver_loss *l);
/* ifindex: 0 = gone. l may be NULL. */
void driver_loss_set_device(struct driver_loss *l, uint8_t side, unsigned ifindex);
/* Fills in what there is to say about the side's device. l may be NULL. */
void driver_loss_read(
	const struct driver_loss *l, uint8_t side, struct dataplane_device_status *out);

#endif
