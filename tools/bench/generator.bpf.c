/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Makes RTP out of whatever page it is given: live frames are recycled with what their last
 * receiver wrote into them, so the whole head of every packet is written anew.
 *
 * Run by one thread alone (BPF_PROG_TEST_RUN), so its state is plain globals. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "generator.h"

/* Where frames go: the near end of the wire... */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wire SEC(".maps");

/* ...or, to measure a program's cost, straight into that program. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} measured SEC(".maps");

const volatile bool to_measured;

/* Set before the first packet. head.udp.check is the folded, not yet inverted sum over all that
 * does not change from packet to packet. */
struct frame_header head __attribute__((aligned(8)));
__u32 stream_count = 1;
struct stream_ports ports[GENERATOR_STREAMS_MAX];

__u32 stream, turn; /* the next packet: which stream, and how many each stream has sent */
__u64 sent;

static __always_inline __u16 csum_finish(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	return sum ? sum : 0xffff;
}

/* In the largest words that fit: 6 * 8 + 4 + 2 bytes. */
static __always_inline void head_copy(struct frame_header *frame)
{
	__u64 *to = (void *)frame, *from = (void *)&head;

	_Static_assert(sizeof(*frame) == 6 * sizeof(__u64) + sizeof(__u32) + sizeof(__u16),
		"all of the head is copied");
	for (int i = 0; i < 6; i++)
		to[i] = from[i];
	*(__u32 *)(to + 6) = *(__u32 *)(from + 6);
	*((__u16 *)(to + 6) + 2) = *((__u16 *)(from + 6) + 2);
}

SEC("xdp")
int generator(struct xdp_md *ctx)
{
	struct frame_header *frame = (void *)(long)ctx->data;
	__be32 timestamp, ssrc;
	__be16 sequence;
	__u32 i = stream;
	__u32 sum;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;

	sequence = bpf_htons(turn);
	timestamp = bpf_htonl(turn * GENERATOR_TICKS_A_PACKET);
	ssrc = bpf_htonl(GENERATOR_SSRC_BASE + i);

	head_copy(frame);
	i &= GENERATOR_STREAMS_MAX - 1;
	frame->udp.source = ports[i].source;
	frame->udp.dest = ports[i].dest;
	frame->rtp.sequence = sequence;
	frame->rtp.timestamp = timestamp;
	frame->rtp.ssrc = ssrc;
	sum = head.udp.check;
	sum += ports[i].source;
	sum += ports[i].dest;
	sum += sequence;
	sum += (timestamp & 0xffff) + (timestamp >> 16);
	sum += (ssrc & 0xffff) + (ssrc >> 16);
	frame->udp.check = csum_finish(sum);

	if (++stream >= stream_count) {
		stream = 0;
		turn++;
	}
	sent++;
	if (to_measured) {
		bpf_tail_call(ctx, &measured, 0);
		return XDP_ABORTED;
	}
	return bpf_redirect_map(&wire, 0, XDP_ABORTED);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
