/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel program and its maps: sized, loaded, mapped into the daemon. */
#ifndef VIADUCT_DATAPLANE_XDP_LOAD_H
#define VIADUCT_DATAPLANE_XDP_LOAD_H

#include <stddef.h>

#include "dataplane/dataplane.h"
#include "dataplane/pins.h"

struct viaduct_bpf;
struct xdp_program;

struct xdp_sizes {
	uint32_t flows; /* elements of vd_flows and of vd_streams */
	uint32_t ports; /* elements of vd_ports */
	uint32_t nexthops;
};

struct xdp_mapping {
	void *address; /* NULL = not mapped */
	size_t bytes;
};

struct xdp_device {
	char name[16];
	unsigned ifindex;
	const char *mode;     /* "native", "generic", "none" */
	const char *attached; /* "libxdp dispatcher", "link", "none" */
	int link_fd;          /* -1 = none */
};

struct xdp {
	struct pins pins;
	struct viaduct_bpf *skel;
	struct xdp_program *program; /* libxdp's handle, where its dispatcher is used */
	struct xdp_mapping flows, streams, ports, nexthops;
	unsigned ports_stride; /* in uint32_t: array elements are multiples of 8 bytes */
	/* Distinct devices: one where both sides share it. */
	struct xdp_device device[SIDE_COUNT];
	unsigned device_count;
	uint8_t device_of_side[SIDE_COUNT];
	uint64_t memory_bytes;
};

/* Loads for the devices in x, already filled in. On a kernel where libxdp's dispatcher works, the
 * program is attached by that as well, passing everything as long as vd_locals is empty. Errors
 * are logged in plain words. */
int xdp_load(struct xdp *x, const struct xdp_sizes *sizes);
void xdp_unload(struct xdp *x);
/* Gives up what is ours; the program stays attached, the maps pinned. */
void xdp_leave(struct xdp *x);
/* Puts a device into the DEVMAP. */
int xdp_set_device(struct xdp *x, uint32_t index, unsigned ifindex);
int xdp_set_locals(struct xdp *x, const struct vd_locals *locals);

#endif
