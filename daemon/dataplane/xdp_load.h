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
	uint32_t flows; /* elements of vd_flows */
	uint32_t ports; /* elements of vd_ports; vd_exits goes with it */
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
	const char *why;      /* it is attached to nothing; else NULL */
	int link_fd;          /* -1 = none */
};

struct xdp {
	struct pins pins;
	struct viaduct_bpf *skel;
	struct xdp_program *program; /* libxdp's handle, where its dispatcher is used */
	struct xdp_mapping flows, ports, exits, nexthops;
	/* Distinct devices: one where both sides share it. */
	struct xdp_device device[SIDE_COUNT];
	unsigned device_count;
	uint8_t device_of_side[SIDE_COUNT];
	uint64_t memory_bytes;
	enum xdp_maps {
		XDP_MAPS_NONE,
		XDP_MAPS_NEW,
		XDP_MAPS_ADOPTED, /* a daemon before us made them */
	} maps;
	bool batches;  /* packets shall wait for others: see struct vd_batch */
	bool finishes; /* they may: the devices have the program that finishes them */
	bool guesses;  /* where an address of ours stands: see struct vd_locals */
	bool replaces; /* another layout's maps serve until xdp_left_remove() */
	bool linked;   /* a daemon before us left pinned links, to be swung to our program */
};

/* Flows that there is room for from which on packets wait for others, unless the configuration says
 * more. A quarter of them is RTP when as many calls as possible talk: with fewer than 8,000 streams
 * the caches hold what packets need. (Found by the relay bench with this number changed.) */
#define XDP_BATCHES_FROM 32768

/* Loads for the devices in x, already filled in, with the maps that a daemon before us left where
 * they are of use: *sizes are then theirs. On a kernel where libxdp's dispatcher works, the program
 * is attached by that as well, beside what is attached already; as long as vd_locals is empty it
 * passes everything. Errors are logged in plain words; the caller closes what there is. */
int xdp_load(struct xdp *x, struct xdp_sizes *sizes, enum batching_mode batching, bool guessing);
void xdp_unload(struct xdp *x);
/* Gives up what is ours; the program stays attached, the maps pinned. */
void xdp_leave(struct xdp *x);
/* Puts a device into the DEVMAP. */
int xdp_set_device(struct xdp *x, uint32_t index, unsigned ifindex);
int xdp_get_locals(const struct xdp *x, struct vd_locals *locals);
int xdp_map_memory(int fd, uint32_t value_bytes, uint32_t elements, struct xdp_mapping *out);
int xdp_set_locals(struct xdp *x, const struct vd_locals *locals);

#endif
