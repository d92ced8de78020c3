/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The next hop that a flow points at, and the way out of its device. */
#ifndef VIADUCT_BPF_SEND_H
#define VIADUCT_BPF_SEND_H

#include "maps.h"

/* NULL where the daemon has no neighbour for it now. */
static __always_inline struct vd_nexthop *nexthop_find(const struct vd_flow *out)
{
	__u32 index = out->nexthop;
	struct vd_nexthop *nexthop = bpf_map_lookup_elem(&vd_nexthops, &index);

	if (!nexthop || !(READ_ONCE(nexthop->flags) & VD_NEXTHOP_VALID))
		return NULL;
	return nexthop;
}

static __always_inline __u32 send(const struct vd_nexthop *nexthop)
{
	if (likely(bpf_redirect_map(&vd_devices, nexthop->device, XDP_DROP) == XDP_REDIRECT))
		return VD_FORWARDED;
	return VD_DROP_REDIRECT;
}

/* For a packet that is at its device already. The flow may have changed while it waited. */
static __always_inline __u32 send_waited(const struct xdp_md *ctx, const struct vd_nexthop *nexthop)
{
	return likely(nexthop->ifindex == ctx->egress_ifindex) ? VD_FORWARDED : VD_DROP_REDIRECT;
}

#endif
