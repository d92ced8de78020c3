/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which MAC address a flow's packets come from. A neighbour whose address went over to another
 * host, without a word by ARP or neighbour discovery, is noticed here first: the daemon is told,
 * and has the kernel ask. Nothing else follows from it: the packet is what it is. */
#ifndef VIADUCT_BPF_SOURCE_MAC_H
#define VIADUCT_BPF_SOURCE_MAC_H

#include "event.h"
#include "flow.h"

/* For all but the first packet and the first after a change: what stands in the flow. */
static __always_inline __u32 source_mac(const struct packet *p)
{
	const struct ethhdr *eth = p->l3 - p->l2_len;

	return *(const __u32 *)(eth->h_source + ETH_ALEN - sizeof(__u32));
}

/* Once a second and flow at most, so that two senders who take turns make no storm, and in a share
 * of its own, so that they take nothing from the stream's other events. What is not told now is
 * told with a later packet: it stands in the flow only afterwards. */
__noinline int source_mac_tell(struct xdp_md *ctx, __u32 at, struct vd_flow *flow, __u32 mac)
{
	__u32 second = bpf_ktime_get_ns() / NSEC_PER_SEC;
	struct vd_stream *stream;
	struct vd_event event;

	if (!flow || !mac)
		return 0;
	stream = flow_stream(flow);
	if (!stream || stream->mac_second == second)
		return 0;
	stream->mac_second = second;
	if (!event_fill(&event, ctx, at, flow, VD_EVENT_SOURCE_MAC, mac))
		return 0;
	event.before = flow->src_mac;
	if (bpf_ringbuf_output(&vd_events, &event, sizeof(event), 0))
		event_lose();
	else
		WRITE_ONCE(flow->src_mac, mac);
	return 0;
}

static __always_inline void source_mac_watch(
	struct xdp_md *ctx, const struct packet *p, struct vd_flow *flow)
{
	__u32 mac = source_mac(p);

	if (unlikely(mac != READ_ONCE(flow->src_mac)))
		source_mac_tell(ctx, event_at(p), flow, mac);
}

#endif
