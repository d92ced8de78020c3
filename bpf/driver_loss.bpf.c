/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is lost after the XDP program has said "redirect": the driver of the egress device takes no
 * such packet, or has no room for it. Our program cannot see that; the kernel's tracepoints can,
 * once for up to 16 packets. What generic mode loses later passes none of them. */
#include "base.h"
#include "batches.h"

#include <bpf/bpf_tracing.h>

#define SIDES 2

/* Of the kernel's own, what is read here; found by its BTF. */
struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));
struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));
struct net_device {
	int ifindex;
	struct {
		struct net *net;
	} nd_net;
} __attribute__((preserve_access_index));

/* Set by the daemon. ifindex: 0 while the side's device is gone. */
struct {
	__u32 ifindex[SIDES];
	__u32 netns;       /* inode of the network namespace that they are in */
	__u32 devices_map; /* id of vd_devices, whose index is the egress side */
	__u32 batched;     /* bit a side: packets are finished only by its device */
} watched;

/* By egress side; where both share a device, in either. */
struct {
	__u64 packets;
	__s64 error; /* errno of the last one, 0 = no room */
} losses[SIDES];

/* Refused before the XDP program had finished and counted them. */
struct {
	__u64 in[SIDES];  /* by ingress side */
	__u64 out[SIDES]; /* by egress side */
} unfinished;

static __always_inline void count_loss(__u32 side, __u32 packets, int error)
{
	if (side >= SIDES)
		return;
	barrier_var(side); /* else the compiler leaves out what the verifier needs */
	side &= SIDES - 1;
	__sync_fetch_and_add(&losses[side].packets, packets);
	losses[side].error = -error;
}

static __always_inline void count_unfinished(__u32 in, __u32 out)
{
	barrier_var(in);
	__sync_fetch_and_add(&unfinished.in[in & (SIDES - 1)], 1);
	__sync_fetch_and_add(&unfinished.out[out & (SIDES - 1)], 1);
}

static __always_inline __u32 side_of(const struct net_device *dev)
{
	__u32 ifindex = dev->ifindex;

	if (dev->nd_net.net->ns.inum != watched.netns)
		return SIDES;
	if (ifindex == watched.ifindex[0])
		return 0;
	return ifindex == watched.ifindex[1] ? 1 : SIDES;
}

/* The driver was given a batch and took part of it. */
SEC("tp_btf/xdp_devmap_xmit")
int BPF_PROG(batch_sent, const struct net_device *from, const struct net_device *to, int sent,
	int drops, int err)
{
	(void)ctx;
	(void)sent;
	struct vd_batch *batch;

	if (likely(drops <= 0) || side_of(from) >= SIDES)
		return 0;
	/* What viaduct_finish dropped of this batch is not the driver's doing. */
	batch = batch_of_cpu();
	if (batch) {
		drops -= (int)batch->dropped;
		batch->dropped = 0;
	}
	if (drops > 0)
		count_loss(side_of(to), (__u32)drops, err);
	return 0;
}

/* The device takes nothing at all, or was taken away under the packet. */
SEC("tp_btf/xdp_redirect_err")
int BPF_PROG(packet_refused, const struct net_device *from, const void *program, const void *to,
	int err, int map_type, __u32 map_id, __u32 index)
{
	(void)ctx;
	__u32 side = side_of(from);

	(void)program;
	(void)to;
	(void)map_type;
	if (map_id != watched.devices_map)
		return 0;
	if (!(watched.batched >> (index & 31) & 1))
		count_loss(index, 1, err);
	else if (side < SIDES)
		count_unfinished(side, index);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
