/* SPDX-License-Identifier: BSD-2-Clause */
/* Our media addresses and where each one's block of ports lies in vd_ports. A reload adds, moves
 * and retires them; an address that has live flows stays until the last of them is gone. */
#ifndef VIADUCT_DATAPLANE_LOCALS_H
#define VIADUCT_DATAPLANE_LOCALS_H

#include "dataplane/dataplane.h"

/* What the configuration asks for. */
struct local_wanted {
	struct addr addr; /* port 0 */
	uint32_t ifindex;
	uint16_t vlan;
	uint8_t side;
	uint16_t port_min, port_max;
};

struct local {
	bool used;
	bool wanted; /* in the configuration in force; false: kept for its live flows alone */
	struct local_wanted want;
	uint16_t port_min, port_max;   /* shown: wider than wanted while flows out there live */
	uint16_t block_min, block_max; /* what the block holds */
	uint32_t base;                 /* index of block_min in vd_ports */
	unsigned flows;                /* live and indexed by port */
};

/* Blocks in use, and those given up that the program may still be reading. */
#define LOCALS_BLOCKS_MAX (3 * VD_LOCALS_MAX)
struct local_block {
	uint32_t base, count;
	uint64_t free_at_ms; /* 0 = in use */
};

struct locals {
	struct local local[VD_LOCALS_MAX];
	struct local_block block[LOCALS_BLOCKS_MAX]; /* ordered by base */
	unsigned block_count;
	uint32_t ports_count;
	uint32_t grace_ms;
	/* vd_ports and vd_exits: the kernel's, or memory. */
	struct vd_port *ports;
	struct vd_exits *exits;
};

/* How many elements vd_exits has for that many of vd_ports. */
uint32_t locals_exits_of(uint32_t ports);

/* How vd_ports must be sized for cfg, with room for a reload. */
uint32_t locals_ports_needed(const struct config *cfg);
/* Fills want[VD_LOCALS_MAX] from cfg; ifindex a side. Returns how many, or -ENOSPC. */
int locals_from_config(struct local_wanted want[VD_LOCALS_MAX], const struct config *cfg,
	const unsigned ifindex[SIDE_COUNT]);
/* Takes up a new set. 0; -ENOSPC when no room is left (nothing changed then). The caller publishes
 * locals_encode() right after: flows were copied to where blocks moved. */
int locals_apply(
	struct locals *l, const struct local_wanted *want, unsigned count, uint64_t now_ms);
/* Right after the start: what the program was shown by a daemon before us, kept for its live flows
 * alone until locals_apply() says more. Returns how many entries make no sense and were left out.
 */
unsigned locals_adopt(struct locals *l, const struct vd_locals *left);
/* Whether any port that the program is shown has a flow. */
bool locals_any_flow(const struct locals *l);
/* Whether some address or port range outlived its place in the configuration. */
bool locals_draining(const struct locals *l);
/* Gives up what drained. Returns whether there is something new to publish. */
bool locals_drain(struct locals *l, uint64_t now_ms);
/* A side's device was replaced by another. */
void locals_set_ifindex(struct locals *l, uint8_t side, unsigned ifindex);
/* Fills likely[] and factor of what the program is to see. */
void locals_spread(struct vd_locals *locals);
/* Whether the program should guess by them, as a side has two addresses of one family. */
bool locals_want_guesses(const struct config *cfg);
/* What the program is to see. */
void locals_encode(const struct locals *l, struct vd_locals *out);
/* Index in local[] of our media address with that port, or -ENOENT. */
int locals_find(const struct locals *l, uint8_t side, const struct addr *a);
/* The same among all that the program is shown, configured or not, where the port has a flow. */
int locals_find_live(const struct locals *l, uint8_t side, const struct addr *a);
/* The vd_ports entry of a port of local[i]. */
const struct vd_port *locals_port(const struct locals *l, unsigned i, uint16_t port);
/* What vd_exits has for an element of vd_ports. */
uint8_t locals_exit(const struct locals *l, uint32_t index);
/* What packets to a port of local[i] find from now on: the flow, 0 = none, and by which exit it
 * leaves, as vd_exits has it. */
void locals_set_port(
	const struct locals *l, unsigned i, uint16_t port, uint32_t flow, uint8_t exit);

#endif
