/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets that wait until there are some, so that what they need comes from memory for all at once:
 * see struct vd_batch. What is noted of them here only says what to ask for; a packet that is taken
 * up again is looked at anew. */
#ifndef VIADUCT_BPF_BATCH_H
#define VIADUCT_BPF_BATCH_H

#include "batches.h"
#include "flow.h"
#include "parse.h"

/* Set at load: whether packets ever wait. Where they do not, the verifier leaves all of it out. */
const volatile bool batching;

/* Longer packets are finished as they come: the kernel refuses what is too long for the egress
 * device, before we could count it for what it is. Each link takes as much (RFC 8200 5). */
#define BATCH_L3_MAX 1280

/* Sends a packet for that local port on its way to its device, where it is finished. False: it has
 * to be finished now. */
static __always_inline bool batch_defer(const struct packet *p, __u32 port_index)
{
	const __u32 zero = 0;
	const struct vd_locals *locals = bpf_map_lookup_elem(&vd_locals, &zero);
	const struct vd_port *port = bpf_map_lookup_elem(&vd_ports, &port_index);
	struct vd_batch *batch = batch_of_cpu();
	__u32 device, i;

	if (p->l3_room > BATCH_L3_MAX || !locals || !locals->batched || !port ||
		!READ_ONCE(port->flow) || !batch)
		return false;
	device = port->device;
	if (!(locals->batched >> (device & 31) & 1) ||
		bpf_redirect_map(&vd_devices, device, XDP_DROP) != XDP_REDIRECT)
		return false;
	i = batch->waiting++ & (VD_BATCH_MAX - 1);
	batch->next[i].flow = port->flow;
	batch->next[i].stream = port->stream_hint;
	return true;
}

/* Asks for all that packets of this CPU wait for. Nobody waits for what these reads give, so they
 * overlap. Not static, as the functions of event.h. */
__noinline int batch_fetch(struct vd_batch *batch, bool v6)
{
	__u32 from, count;

	if (!batch)
		return 0;
	count = batch->waiting - batch->fetched;
	if (count > VD_BATCH_MAX)
		count = VD_BATCH_MAX;
	from = batch->waiting - count;
	batch->fetched = batch->waiting;
#pragma unroll
	for (__u32 i = 0; i < VD_BATCH_MAX; i++) {
		__u32 at = (from + i) & (VD_BATCH_MAX - 1), index = batch->next[at].flow;
		struct vd_flow *flow;

		if (i >= count)
			break;
		flow = bpf_map_lookup_elem(&vd_flows, &index);
		if (flow)
			flow_fetch(flow, batch->next[at].stream, v6);
	}
	return 0;
}

/* The first of the packets that waited has it done for all. */
static __always_inline void batch_begin(bool v6)
{
	struct vd_batch *batch = batch_of_cpu();

	if (batch && batch->fetched != batch->waiting)
		batch_fetch(batch, v6);
}

static __always_inline void batch_drop(void)
{
	struct vd_batch *batch = batch_of_cpu();

	if (batch)
		batch->dropped++;
}

#endif
