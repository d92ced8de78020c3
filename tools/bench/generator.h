/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the generating program and its user-space side share. */
#ifndef BENCH_GENERATOR_H
#define BENCH_GENERATOR_H

#include <linux/types.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#define GENERATOR_STREAMS_MAX    32768
#define GENERATOR_TICKS_A_PACKET 160        /* RTP clock: 20 ms of G.711 */
#define GENERATOR_SSRC_BASE      0x5eed0000 /* stream i sends SSRC base + i */

struct rtp_header {
	__u8 version; /* and padding, extension, CSRC count: 0x80 */
	__u8 payload_type;
	__be16 sequence;
	__be32 timestamp;
	__be32 ssrc;
};

/* The whole head of a generated frame: what is written anew into every packet. Frames start at an
 * even address, and the compiler must know it, or it writes byte by byte. */
struct frame_header {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	struct rtp_header rtp;
} __attribute__((packed, aligned(2)));

struct stream_ports {
	__be16 source, dest;
};

#endif
