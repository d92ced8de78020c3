/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Makes RTP out of whatever page it is given: live frames are recycled with what their last
 * receiver wrote into them, so the whole head of every packet is written anew.
 *
 * Run by one thread a CPU (BPF_PROG_TEST_RUN), each with a state of its own. */
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
const volatile bool stamped;
const volatile bool v6;
const volatile __u32 ip_at; /* bytes before the IP header */

/* Set before the first packet. base_sum: the folded, not yet inverted UDP checksum over all that
 * does not change from packet to packet. */
__u64 head[(GENERATOR_HEAD_MAX + 7) / 8];
__u32 base_sum;
struct stream_target targets[GENERATOR_STREAMS_MAX];
struct generator_state states[GENERATOR_CPUS_MAX];

#define HEAD_LEAST (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct media_header))

static __always_inline __u16 csum_finish(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	return sum ? sum : 0xffff;
}

/* In the largest words that fit what every head has, then in the smallest. */
static __always_inline void head_copy(void *frame, __u32 bytes)
{
	__u64 *to = frame;
	__u16 *to16 = frame;
	const __u16 *from16 = (const __u16 *)head;

	_Static_assert(HEAD_LEAST == 7 * sizeof(__u64) + sizeof(__u16), "the words cover it");
	for (int i = 0; i < 7; i++)
		to[i] = head[i];
	to16[28] = from16[28];
	for (unsigned int i = HEAD_LEAST / 2; i < GENERATOR_HEAD_MAX / 2; i++) {
		if (i >= bytes / 2)
			break;
		to16[i] = from16[i];
	}
}

static __always_inline void write_address(void *ip, const struct stream_target *target)
{
	__u16 *to =
		v6 ? ip + offsetof(struct ipv6hdr, daddr) + 12 : ip + offsetof(struct iphdr, daddr);

	to[0] = target->address[0];
	to[1] = target->address[1];
	if (!v6)
		((struct iphdr *)ip)->check = target->ip_check;
}

/* The verifier knows it: .rodata is a constant to it, a difference of pointers is not. */
static __always_inline __u32 media_offset(void)
{
	return ip_at + (v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
}

SEC("xdp")
int generator(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	struct media_header *media = frame + media_offset();
	struct generator_state *state =
		&states[bpf_get_smp_processor_id() & (GENERATOR_CPUS_MAX - 1)];
	__be32 timestamp, ssrc;
	__be16 sequence;
	const struct stream_target *target;
	__u32 i = state->first + state->stream;
	__u32 sum, stamp = 0;

	if ((void *)(media + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;

	sequence = bpf_htons(state->turn);
	timestamp = bpf_htonl(state->turn * GENERATOR_TICKS_A_PACKET);
	ssrc = bpf_htonl(GENERATOR_SSRC_BASE + i);
	target = &targets[i & (GENERATOR_STREAMS_MAX - 1)];
	/* Not the first of a stream, which begins it. */
	if (stamped && state->turn && !(state->sent & (GENERATOR_STAMP_EACH - 1)))
		stamp = (__u32)bpf_ktime_get_ns() | 1;

	head_copy(frame, media_offset() + sizeof(*media));
	write_address(frame + ip_at, target);
	media->udp.source = target->source;
	media->udp.dest = target->dest;
	media->rtp.sequence = sequence;
	media->rtp.timestamp = timestamp;
	media->rtp.ssrc = ssrc;
	media->stamp[0] = stamp;
	media->stamp[1] = stamp >> 16;
	sum = base_sum + target->sum + sequence;
	sum += (timestamp & 0xffff) + (timestamp >> 16);
	sum += (ssrc & 0xffff) + (ssrc >> 16);
	sum += (stamp & 0xffff) + (stamp >> 16);
	media->udp.check = csum_finish(sum);

	if (++state->stream >= state->count) {
		state->stream = 0;
		state->turn++;
	}
	state->sent++;
	if (to_measured) {
		bpf_tail_call(ctx, &measured, 0);
		return XDP_ABORTED;
	}
	return bpf_redirect_map(&wire, 0, XDP_ABORTED);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
