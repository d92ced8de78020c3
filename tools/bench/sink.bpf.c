/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts RTP and drops it; everything else (ARP) goes up. Notes how long the stamped ones were
 * under way. Now and then it checks a packet whole, so that a path which is fast because it breaks
 * packets is found out. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "generator.h"
#include "sink.h"

#define RTP_VERSION_MASK 0xc0
#define RTP_VERSION_2    0x80
#define UDP_WORDS_MAX    352 /* of four bytes: TRAFFIC_BYTES_MAX and a rest */

const volatile bool v6;
const volatile __u32 ip_at;          /* bytes before the IP header */
const volatile __u32 own_address[4]; /* as it lies in the header; IPv4 in the last */
const volatile __u32 udp_bytes;      /* the generator's */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sink_counts);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SINK_BUCKETS);
	__type(key, __u32);
	__type(value, __u64);
} latencies SEC(".maps");

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline __u64 sum_words(const __u32 *words, __u32 count)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

/* Over the UDP header and payload, or -1 where they are not all there. */
static __always_inline __s64 sum_udp(struct udphdr *udp, void *data_end)
{
	__u32 *word = (void *)udp;
	__u64 sum = 0;

	for (__u32 i = 0; i < UDP_WORDS_MAX && i < udp_bytes / 4; i++, word++) {
		if ((void *)(word + 1) > data_end)
			return -1;
		sum += *word;
	}
	if (udp_bytes & 2) {
		if ((void *)word + 2 > data_end)
			return -1;
		sum += *(__u16 *)word;
	}
	return sum;
}

static __always_inline bool is_whole(void *ip, struct udphdr *udp, void *data_end)
{
	__u64 addresses = v6 ? sum_words(ip + offsetof(struct ipv6hdr, saddr), 8)
			     : sum_words(ip + offsetof(struct iphdr, saddr), 2);
	__s64 sum = sum_udp(udp, data_end);

	if (sum < 0 || udp->len != bpf_htons(udp_bytes))
		return false;
	if (!v6 && csum_fold(sum_words(ip, sizeof(struct iphdr) / 4)) != 0xffff)
		return false;
	return csum_fold(sum + addresses + bpf_htons(IPPROTO_UDP) + udp->len) == 0xffff;
}

static __always_inline bool is_ours(void *ip)
{
	const __u32 *to =
		v6 ? ip + offsetof(struct ipv6hdr, daddr) : ip + offsetof(struct iphdr, daddr) - 12;
	bool ours = to[3] == own_address[3];

	if (v6)
		ours = ours && to[0] == own_address[0] && to[1] == own_address[1] &&
		       to[2] == own_address[2];
	return ours;
}

static __always_inline void note_latency(const struct media_header *media)
{
	__u32 stamp = media->stamp[0] | (__u32)media->stamp[1] << 16;
	__u32 ns, power = 0, bucket;
	__u64 *count;

	if (!stamp)
		return;
	ns = (__u32)bpf_ktime_get_ns() - stamp;
#pragma unroll
	for (int bits = 16; bits; bits >>= 1)
		if (ns >> power >> bits)
			power += bits;
	bucket = power * SINK_STEPS;
	bucket += (power >= SINK_STEP_BITS ? ns >> (power - SINK_STEP_BITS)
					   : ns << (SINK_STEP_BITS - power)) &
		  (SINK_STEPS - 1);
	count = bpf_map_lookup_elem(&latencies, &bucket);
	if (count)
		(*count)++;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *frame = (void *)(long)ctx->data;
	void *ip = frame + ip_at;
	struct media_header *media = ip + (v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	struct sink_counts *c;
	__u32 zero = 0;
	__u8 protocol;

	if ((void *)(media + 1) > data_end ||
		((__u16 *)ip)[-1] != (v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP)))
		return XDP_PASS;
	protocol = v6 ? ((struct ipv6hdr *)ip)->nexthdr : ((struct iphdr *)ip)->protocol;
	if (protocol != IPPROTO_UDP || (media->rtp.version & RTP_VERSION_MASK) != RTP_VERSION_2)
		return XDP_PASS;
	c = bpf_map_lookup_elem(&counts, &zero);
	if (!c)
		return XDP_PASS;
	if (!(c->packets++ & (SINK_SAMPLE - 1))) {
		c->checked++;
		c->addressed += is_ours(ip);
		c->bad += !is_whole(ip, &media->udp, data_end);
	}
	c->bytes += data_end - frame;
	note_latency(media);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
