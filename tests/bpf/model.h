/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's rules once more, in plain C: slow, straight, every checksum made from nothing.
 * Shares the maps' layouts with the program, and no code. */
#ifndef VIADUCT_TESTS_MODEL_H
#define VIADUCT_TESTS_MODEL_H

#include "lab.h"

struct model {
	struct vd_locals locals;
	uint32_t ports[LAB_PORTS];
	struct vd_flow flows[LAB_FLOWS]; /* of streams all but times, transit and event limits */
	struct vd_nexthop nexthops[LAB_NEXTHOPS];
	bool devices[VD_DEVICES_MAX];
	unsigned events; /* that were due, lost ones included */
};

struct model_answer {
	enum vd_reason reason;
	unsigned side;
	uint8_t data[FRAME_MAX + 64]; /* valid where reason forwards or passes */
	size_t len;
	uint32_t device; /* by which one that is forwarded leaves, in vd_devices */
	uint32_t stream; /* LAB_FLOWS: none was touched */
	bool jitter;     /* the stream's jitter takes this packet in */
	uint32_t flow;   /* 0: it was received on none */
	/* It came from another MAC address than the flow knows, this one's end: that is told if the
	 * second lets it. */
	uint32_t new_mac; /* 0: not so */
	/* Checksums that came in wrong must go out wrong: the offsets where, 0 = nowhere; data
	 * holds the right ones. */
	size_t wrong_ip_check, wrong_udp_check;
};

void model_run(struct model *m, unsigned ifindex, const uint8_t *data, size_t len,
	struct model_answer *answer);

#endif
