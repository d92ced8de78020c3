/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is it for a media address of ours, on this device and VLAN, and a media port? */
#ifndef VIADUCT_BPF_LOCAL_H
#define VIADUCT_BPF_LOCAL_H

#include "maps.h"
#include "parse.h"

struct local_match {
	__u32 side;    /* of the device it came in by; 0 where the device is none of ours */
	__u32 port;    /* index in vd_ports, valid with in_range */
	bool address;  /* the destination address is ours */
	bool in_range; /* and the port is a media port */
};

static __always_inline bool local_has_address(const struct vd_local *local, const struct packet *p)
{
	const __u32 *addr = (const __u32 *)local->addr;
	const struct in6_addr *to;

	if (!p->v6)
		return local->family == 4 && addr[3] == p->ip4->daddr;
	to = &p->ip6->daddr;
	return local->family == 6 && addr[0] == to->in6_u.u6_addr32[0] &&
	       addr[1] == to->in6_u.u6_addr32[1] && addr[2] == to->in6_u.u6_addr32[2] &&
	       addr[3] == to->in6_u.u6_addr32[3];
}

/* came_by: whether ifindex, of the device it came in by, is known; a constant where this is
 * inlined. Of a packet without an address the side alone is found, of one without a port the
 * address. An address may stand there twice with different port ranges (after a reload): the search
 * goes on. */
static __always_inline void local_find(
	struct local_match *match, bool came_by, __u32 ifindex, const struct packet *p)
{
	const __u32 zero = 0;
	struct vd_locals *locals = bpf_map_lookup_elem(&vd_locals, &zero);

	match->side = 0;
	match->address = false;
	match->in_range = false;
	if (!locals)
		return;
	for (__u32 i = 0; i < VD_LOCALS_MAX; i++) {
		const struct vd_local *local = &locals->local[i];

		if (i >= locals->count)
			break;
		if (came_by ? local->ifindex != ifindex : !local->ifindex)
			continue;
		match->side = local->side;
		if (!p->has_address || local->vlan != p->vlan || !local_has_address(local, p))
			continue;
		match->address = true;
		if (!p->has_port || p->dport < local->port_min || p->dport > local->port_max)
			continue;
		match->in_range = true;
		match->port = local->port_base + p->dport - local->port_min;
		break;
	}
}

#endif
