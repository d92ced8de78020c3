/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Internet checksums (RFC 1071), changed by differences (RFC 1624). Sums are taken over words as
 * they lie in memory: ones' complement addition does not mind the byte order. */
#ifndef VIADUCT_BPF_CHECKSUM_H
#define VIADUCT_BPF_CHECKSUM_H

#include "rtp.h"

/* UDP payload plus header that a checksum can be made anew for, bytes: more than any Ethernet MTU
 * that a VoIP edge meets, and what the verifier walks through in reasonable time. */
#define CHECKSUM_UDP_BYTES_MAX 9216
#define CHECKSUM_CHUNK_BYTES   64

/* sum: below 2^48, so that three times is enough. */
static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* A word leaves the sum: its complement comes in. */
static __always_inline __u64 minus32(__u32 word)
{
	return (__u32)~word;
}

static __always_inline __u64 minus16(__u16 word)
{
	return (__u16)~word;
}

/* Source, destination and ports, as they arrived, taken out of a sum. Length and protocol count
 * alike in both families' pseudo-headers. */
static __always_inline __u64 checksum_minus_addresses(const struct packet *p)
{
	__u64 sum = minus32(*(__u32 *)p->udp);

	if (!p->v6)
		return sum + minus32(p->ip4->saddr) + minus32(p->ip4->daddr);
	for (int i = 0; i < 4; i++)
		sum += minus32(p->ip6->saddr.in6_u.u6_addr32[i]) +
		       minus32(p->ip6->daddr.in6_u.u6_addr32[i]);
	return sum;
}

/* A computed 0 is sent as all ones (RFC 768). */
static __always_inline __u16 checksum_udp_finish(__u64 sum)
{
	__u16 check = ~checksum_fold(sum);

	return check ? check : 0xffff;
}

static __always_inline __u64 checksum_chunk(const __u32 *chunk)
{
	__u64 sum = 0;

	for (unsigned int i = 0; i < CHECKSUM_CHUNK_BYTES / sizeof(*chunk); i++)
		sum += chunk[i];
	return sum;
}

/* The folded sum over a UDP payload at offset in the frame, or -1 where that is not all there. In
 * whole chunks and a rest, so that the verifier has few ways to follow. Not static, as the
 * functions of event.h. */
__noinline int checksum_payload(struct xdp_md *ctx, __u32 offset, __u32 len)
{
	__u32 chunk[CHECKSUM_CHUNK_BYTES / sizeof(__u32)] = {};
	__u64 sum = 0;

	for (int i = 0; i < CHECKSUM_UDP_BYTES_MAX / CHECKSUM_CHUNK_BYTES; i++) {
		if (len < sizeof(chunk))
			break;
		if (bpf_xdp_load_bytes(ctx, offset, chunk, sizeof(chunk)))
			return -1;
		sum += checksum_chunk(chunk);
		offset += sizeof(chunk);
		len -= sizeof(chunk);
	}
	if (len >= sizeof(chunk))
		return -1;
	__builtin_memset(chunk, 0, sizeof(chunk));
	if (len && bpf_xdp_load_bytes(ctx, offset, chunk, length_within(len, sizeof(chunk))))
		return -1;
	return checksum_fold(sum + checksum_chunk(chunk));
}

#endif
