/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames for tests, built from what they should say. */
#ifndef VIADUCT_TESTS_FRAME_H
#define VIADUCT_TESTS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "viaduct_xdp.h"

#define FRAME_MAX     3000
#define FRAME_NO_VLAN (-1)

struct frame {
	uint8_t dmac[6], smac[6];
	int tci; /* PCP, DEI, VLAN id; FRAME_NO_VLAN */
	bool v6;
	uint8_t src[16], dst[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t sport, dport;
	uint8_t traffic_class, ttl;
	uint16_t id;         /* IPv4 */
	bool dont_fragment;  /* IPv4 */
	uint32_t flow_label; /* IPv6 */
	bool no_checksum;
	const uint8_t *payload;
	size_t payload_len;
	size_t padding; /* bytes behind the IP packet */
};

/* Returns the frame's length. out has FRAME_MAX bytes. */
size_t frame_build(uint8_t *out, const struct frame *f);
/* Where things are in a frame that frame_build made. */
size_t frame_l3(const struct frame *f);
size_t frame_udp(const struct frame *f);

/* The output half of a flow whose packets leave as f. */
void frame_set_output(struct vd_flow *flow, const struct frame *f);

/* addr as text, IPv4 or IPv6, into the 16 bytes that the maps hold. */
void frame_address(uint8_t out[16], const char *addr);

/* RTP: header and len - 12 bytes of a pattern. */
void frame_rtp(uint8_t *out, size_t len, uint8_t marker_pt, uint16_t seq, uint32_t timestamp,
	uint32_t ssrc);

#endif
