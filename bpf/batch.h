/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets that wait until there are some, so that what they need comes from memory for all at once:
 * see struct vd_batch. */
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

#define BATCH_DEVICES 32 /* that have a bit in vd_locals.batched */

/* The device that packets to that port leave by, as an index in vd_devices plus 1; 0 = none. */
static __always_inline __u32 batch_exit(__u32 port_index)
{
	__u32 element = port_index / VD_EXIT_PORTS;
	const struct vd_exits *exits = bpf_map_lookup_elem(&vd_exits, &element);

	if (!exits)
		return 0;
	return READ_ONCE(exits->ports[port_index % VD_EXIT_PORTS / VD_EXIT_PER_BYTE]) >>
		       port_index % VD_EXIT_PER_BYTE * VD_EXIT_BITS &
	       VD_EXIT_MASK;
}

/* Sends a packet for that local port on its way to its device, where it is finished. False: it has
 * to be finished now. */
static __always_inline bool batch_defer(const struct packet *p, __u32 port_index)
{
	const __u32 zero = 0;
	const struct vd_locals *locals = bpf_map_lookup_elem(&vd_locals, &zero);
	struct vd_batch *batch = batch_of_cpu();
	__u32 device;

	if (p->l3_room > BATCH_L3_MAX || !locals || !locals->batched || !batch)
		return false;
	device = batch_exit(port_index) - 1;
	if (device >= BATCH_DEVICES || !(locals->batched >> device & 1) ||
		bpf_redirect_map(&vd_devices, device, XDP_DROP) != XDP_REDIRECT)
		return false;
	batch->port[batch->waiting++ & (VD_BATCH_MAX - 1)] = port_index;
	return true;
}

/* Whether to go on: asked for every fourth only, as every instruction between two reads counts.
 * What stands beyond those that wait did so a moment ago, and lies near. */
static __always_inline bool batch_at_end(const struct vd_batch *batch, __u32 i)
{
	return i % 4 == 0 && i >= READ_ONCE(batch->waiting);
}

/* v6: a constant where this is inlined. */
static __always_inline void batch_fetch_flows(const struct vd_batch *batch, bool v6)
{
#pragma unroll
	for (__u32 i = 0; i < VD_BATCH_MAX; i++) {
		const struct vd_flow *flow;

		if (batch_at_end(batch, i))
			break;
		flow = bpf_map_lookup_elem(&vd_flows, &batch->flow[i]);
		if (flow)
			flow_fetch(flow, v6);
	}
}

/* Asks for all that packets of this CPU wait for: first what stands at their ports, then the flows
 * that it names. Nobody waits for what these reads give, so those of all packets overlap, the more
 * of them the fewer instructions lie between: hence two loops, nothing but constant places, and
 * keys that are looked up where they lie. Read packet by packet, on its way to wait, a port that
 * lies in no near cache would be waited for each time: a processor runs ahead of a read by some two
 * hundred instructions, and the kernel's next to lie closer. waiting is read anew, as the verifier
 * would else follow each value of it. Not static, as the functions of event.h; it finds the batch
 * by itself, as Linux 6.1 takes no keys from what a function was given. */
__noinline int batch_fetch(bool v6)
{
	struct vd_batch *batch = batch_of_cpu();

	if (!batch)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < VD_BATCH_MAX; i++) {
		const struct vd_port *port;

		if (batch_at_end(batch, i))
			break;
		port = bpf_map_lookup_elem(&vd_ports, &batch->port[i]);
		if (port)
			batch->flow[i] = READ_ONCE(port->flow);
	}
	if (v6)
		batch_fetch_flows(batch, true);
	else
		batch_fetch_flows(batch, false);
	batch->waiting = 0;
	return 0;
}

/* The first of the packets that waited has it done for all. */
static __always_inline void batch_begin(bool v6)
{
	struct vd_batch *batch = batch_of_cpu();

	if (batch && batch->waiting)
		batch_fetch(v6);
}

static __always_inline void batch_drop(void)
{
	struct vd_batch *batch = batch_of_cpu();

	if (batch)
		batch->dropped++;
}

#endif
