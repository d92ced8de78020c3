/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is it for a media address of ours, on this device and VLAN, and a media port? */
#ifndef VIADUCT_BPF_LOCAL_H
#define VIADUCT_BPF_LOCAL_H

#include "maps.h"
#include "parse.h"

/* Set at load: whether to guess where an address stands before all are gone through. */
const volatile bool guessing;

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

/* Whether it came in by the device of that address. came_by: whether ifindex, of the device it came
 * in by, is known; a constant where this is inlined. */
static __always_inline bool local_has_device(
	const struct vd_local *local, bool came_by, __u32 ifindex)
{
	return came_by ? local->ifindex == ifindex : local->ifindex;
}

static __always_inline bool local_has_port(const struct vd_local *local, const struct packet *p)
{
	return p->dport >= local->port_min && p->dport <= local->port_max;
}

static __always_inline void local_take(
	struct local_match *match, const struct vd_local *local, const struct packet *p)
{
	match->side = local->side;
	match->address = true;
	match->in_range = true;
	match->port = local->port_base + p->dport - local->port_min;
}

/* Whether all of it is as in the entry that is the likely one for a packet with a port. */
static __always_inline bool local_guess(struct local_match *match, const struct vd_locals *locals,
	bool came_by, __u32 ifindex, const struct packet *p)
{
	__u32 low = p->v6 ? p->ip6->daddr.in6_u.u6_addr32[3] : p->ip4->daddr;
	__u32 index = locals->likely[VD_LOCALS_LIKELY_AT(low, locals->factor)];
	const struct vd_local *local = &locals->local[index & (VD_LOCALS_MAX - 1)];

	if (!local_has_device(local, came_by, ifindex) || local->vlan != p->vlan ||
		!local_has_address(local, p) || !local_has_port(local, p))
		return false;
	local_take(match, local, p);
	return true;
}

/* Of a packet without an address the side alone is found, of one without a port the address. An
 * address may stand there twice with different port ranges (after a reload): the search goes on. */
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
	if (guessing && p->has_port && local_guess(match, locals, came_by, ifindex, p))
		return;
	for (__u32 i = 0; i < VD_LOCALS_MAX; i++) {
		const struct vd_local *local = &locals->local[i];

		if (i >= locals->count)
			break;
		if (!local_has_device(local, came_by, ifindex))
			continue;
		match->side = local->side;
		if (!p->has_address || local->vlan != p->vlan || !local_has_address(local, p))
			continue;
		match->address = true;
		if (!p->has_port || !local_has_port(local, p))
			continue;
		local_take(match, local, p);
		break;
	}
}

#endif
