/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_V4   0x0800
#define ETHERTYPE_V6   0x86dd
#define UDP            17

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t sum_bytes(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

size_t frame_l3(const struct frame *f)
{
	return f->tci == FRAME_NO_VLAN ? 14 : 18;
}

size_t frame_udp(const struct frame *f)
{
	return frame_l3(f) + (f->v6 ? 40 : 20);
}

static void build_ipv4(uint8_t *ip, const struct frame *f)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = f->traffic_class;
	put16(ip + 2, (unsigned)(28 + f->payload_len));
	put16(ip + 4, f->id);
	put16(ip + 6, f->dont_fragment ? 0x4000 : 0);
	ip[8] = f->ttl;
	ip[9] = UDP;
	memcpy(ip + 12, f->src + 12, 4);
	memcpy(ip + 16, f->dst + 12, 4);
	put16(ip + 10, finish(sum_bytes(ip, 20, 0)));
}

static void build_ipv6(uint8_t *ip, const struct frame *f)
{
	uint32_t first = 6u << 28 | (uint32_t)f->traffic_class << 20 | f->flow_label;

	put16(ip, first >> 16);
	put16(ip + 2, first & 0xffff);
	put16(ip + 4, (unsigned)(8 + f->payload_len));
	ip[6] = UDP;
	ip[7] = f->ttl;
	memcpy(ip + 8, f->src, 16);
	memcpy(ip + 24, f->dst, 16);
}

static void build_udp(uint8_t *udp, const struct frame *f)
{
	size_t len = 8 + f->payload_len;
	const uint8_t *src = f->v6 ? f->src : f->src + 12, *dst = f->v6 ? f->dst : f->dst + 12;
	size_t addr_len = f->v6 ? 16 : 4;
	uint16_t check;

	put16(udp, f->sport);
	put16(udp + 2, f->dport);
	put16(udp + 4, (unsigned)len);
	put16(udp + 6, 0);
	if (f->payload_len)
		memcpy(udp + 8, f->payload, f->payload_len);
	check = finish(sum_bytes(
		udp, len, sum_bytes(src, addr_len, sum_bytes(dst, addr_len, UDP + (uint32_t)len))));
	if (!f->no_checksum)
		put16(udp + 6, check ? check : 0xffff);
}

size_t frame_build(uint8_t *out, const struct frame *f)
{
	size_t udp = frame_udp(f), end = udp + 8 + f->payload_len;

	assert(end + f->padding <= FRAME_MAX);
	memcpy(out, f->dmac, 6);
	memcpy(out + 6, f->smac, 6);
	if (f->tci != FRAME_NO_VLAN) {
		put16(out + 12, ETHERTYPE_VLAN);
		put16(out + 14, (unsigned)f->tci);
	}
	put16(out + frame_l3(f) - 2, f->v6 ? ETHERTYPE_V6 : ETHERTYPE_V4);
	if (f->v6)
		build_ipv6(out + frame_l3(f), f);
	else
		build_ipv4(out + frame_l3(f), f);
	build_udp(out + udp, f);
	memset(out + end, 0xa5, f->padding);
	return end + f->padding;
}

void frame_address(uint8_t out[16], const char *addr)
{
	memset(out, 0, 16);
	if (strchr(addr, ':')) {
		assert(inet_pton(AF_INET6, addr, out) == 1);
		return;
	}
	out[10] = out[11] = 0xff;
	assert(inet_pton(AF_INET, addr, out + 12) == 1);
}

void frame_rtp(uint8_t *out, size_t len, uint8_t marker_pt, uint16_t seq, uint32_t timestamp,
	uint32_t ssrc)
{
	assert(len >= 12);
	out[0] = 0x80;
	out[1] = marker_pt;
	put16(out + 2, seq);
	put16(out + 4, timestamp >> 16);
	put16(out + 6, timestamp & 0xffff);
	put16(out + 8, ssrc >> 16);
	put16(out + 10, ssrc & 0xffff);
	for (size_t i = 12; i < len; i++)
		out[i] = (uint8_t)(i * 7 + seq);
}

static uint32_t add_words(const uint8_t *p, uint32_t sum)
{
	for (int i = 0; i < 16; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

void frame_set_output(struct vd_flow *flow, const struct frame *f)
{
	const size_t high = sizeof(flow->out_src_high);
	uint32_t sum = add_words(f->src, add_words(f->dst, f->sport + f->dport));

	memcpy(flow->out_src_high, f->src, high);
	memcpy(&flow->out_src_low, f->src + high, sizeof(flow->out_src_low));
	memcpy(flow->out_dst_high, f->dst, high);
	memcpy(&flow->out_dst_low, f->dst + high, sizeof(flow->out_dst_low));
	flow->out_sport_be = htons(f->sport);
	flow->out_dport_be = htons(f->dport);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	flow->out_csum = (uint16_t)sum;
	flow->flags &= (uint16_t)~VD_FLOW_OUT_V6;
	if (f->v6)
		flow->flags |= VD_FLOW_OUT_V6;
}
