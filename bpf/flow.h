/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a local port to its flow, and from a flow to what it names. */
#ifndef VIADUCT_BPF_FLOW_H
#define VIADUCT_BPF_FLOW_H

#include "maps.h"

/* With many streams each packet finds its own in no cache. What it will need is therefore asked for
 * early and all at once: these reads overlap, and nobody waits for what they give. */
static __always_inline void flow_fetch(const struct vd_flow *flow, bool v6)
{
	(void)READ_ONCE(flow->flags);
	(void)READ_ONCE(flow->own.packets_apart);
	if (v6)
		(void)READ_ONCE(flow->out_src_high[0]);
}

static __always_inline struct vd_flow *flow_find(__u32 port_index, bool v6, bool fetched)
{
	struct vd_port *port = bpf_map_lookup_elem(&vd_ports, &port_index);
	struct vd_flow *flow;
	__u32 index;

	if (!port)
		return NULL;
	index = READ_ONCE(port->flow);
	if (!index)
		return NULL;
	flow = bpf_map_lookup_elem(&vd_flows, &index);
	if (flow && !fetched)
		flow_fetch(flow, v6);
	return flow;
}

static __always_inline struct vd_stream *flow_stream(const struct vd_flow *flow)
{
	return stream_at(flow->stream);
}

/* The flow whose output half a packet takes. RFC 5761: where RTP and RTCP share a port here and
 * not on the other leg, RTCP leaves by a flow of its own. NULL: it names none that exists. */
static __always_inline struct vd_flow *flow_output(struct vd_flow *flow, bool rtcp)
{
	__u32 index = flow->rtcp_flow;

	if (likely(!rtcp || !(flow->flags & VD_FLOW_MUX) || !index))
		return flow;
	return bpf_map_lookup_elem(&vd_flows, &index);
}

#endif
