/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts RTP and drops it; everything else (ARP) goes up. Now and then it checks a packet whole, so
 * that a path which is fast because it breaks packets is found out. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "generator.h"
#include "sink.h"

#define RTP_VERSION_MASK 0xc0
#define RTP_VERSION_2    0x80
#define UDP_LENGTH       180 /* 8 + 12 + 160: the generator's */

const volatile __be32 own_address;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sink_counts);
} counts SEC(".maps");

static __always_inline __u16 csum_fold(__s64 sum)
{
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline void check_whole(
	struct sink_counts *c, struct frame_header *frame, void *data_end)
{
	struct {
		__be32 saddr, daddr;
		__u8 zero, protocol;
		__be16 length;
	} pseudo = {frame->ip.saddr, frame->ip.daddr, 0, IPPROTO_UDP, frame->udp.len};
	__be32 *ip = (void *)frame + offsetof(struct frame_header, ip);
	__be32 *udp = (void *)frame + offsetof(struct frame_header, udp);
	__s64 sum;

	c->checked++;
	if (frame->ip.daddr == own_address)
		c->addressed++;
	if (frame->udp.len != bpf_htons(UDP_LENGTH) || (void *)udp + UDP_LENGTH > data_end)
		goto bad;
	sum = bpf_csum_diff(0, 0, ip, sizeof(frame->ip), 0);
	if (csum_fold(sum) != 0xffff)
		goto bad;
	sum = bpf_csum_diff(0, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	sum = bpf_csum_diff(0, 0, udp, UDP_LENGTH, sum);
	if (csum_fold(sum) != 0xffff)
		goto bad;
	return;
bad:
	c->bad++;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct frame_header *frame = (void *)(long)ctx->data;
	struct sink_counts *c;
	__u32 zero = 0;

	if ((void *)(frame + 1) > data_end || frame->eth.h_proto != bpf_htons(ETH_P_IP) ||
		frame->ip.protocol != IPPROTO_UDP ||
		(frame->rtp.version & RTP_VERSION_MASK) != RTP_VERSION_2)
		return XDP_PASS;
	c = bpf_map_lookup_elem(&counts, &zero);
	if (!c)
		return XDP_PASS;
	if (!(c->packets++ & (SINK_SAMPLE - 1)))
		check_whole(c, frame, data_end);
	c->bytes += data_end - (void *)frame;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
