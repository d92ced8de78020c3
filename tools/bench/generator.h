/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the generating program and its user-space side share. */
#ifndef BENCH_GENERATOR_H
#define BENCH_GENERATOR_H

#include <linux/types.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#define GENERATOR_STREAMS_MAX    131072     /* a power of two */
#define GENERATOR_CPUS_MAX       8          /* a power of two */
#define GENERATOR_TICKS_A_PACKET 160        /* RTP clock: 20 ms of G.711 */
#define GENERATOR_SSRC_BASE      0x5eed0000 /* stream i sends SSRC base + i */
#define GENERATOR_STAMP_BYTES    4  /* of the payload: the low half of CLOCK_MONOTONIC, or 0 */
#define GENERATOR_STAMP_EACH     16 /* packets, a power of two: one in so many is stamped */
#define GENERATOR_VLAN           5

struct rtp_header {
	__u8 version; /* and padding, extension, CSRC count: 0x80 */
	__u8 payload_type;
	__be16 sequence;
	__be32 timestamp;
	__be32 ssrc;
};

/* The whole head of a generated frame is written anew into every packet: Ethernet, perhaps a tag,
 * IPv4 or IPv6, and this. Frames start at an even address, and the compiler must know it, or it
 * writes byte by byte. */
struct media_header {
	struct udphdr udp;
	struct rtp_header rtp;
	__u16 stamp[2];
} __attribute__((packed, aligned(2)));

#define GENERATOR_TAG_BYTES 4
#define GENERATOR_HEAD_MAX                                                                         \
	(ETH_HLEN + GENERATOR_TAG_BYTES + sizeof(struct ipv6hdr) + sizeof(struct media_header))

/* Where a stream goes: what of the head is its own. */
struct stream_target {
	__be16 source, dest;
	__u16 address[2]; /* the destination address's last 32 bits */
	__u16 ip_check;   /* IPv4 */
	__u16 sum;        /* of ports and address, folded */
	__u32 pad;
};

/* One CPU's own: which streams it sends, which is next, how many each has sent. */
struct generator_state {
	__u32 first, count;
	__u32 stream, turn;
	__u64 sent;
	__u64 pad[5];
};

#endif
