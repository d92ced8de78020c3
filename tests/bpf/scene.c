/* SPDX-License-Identifier: BSD-2-Clause */
#include "scene.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

static const uint8_t pbx_mac[6] = {2, 0, 0, 0, 0, 1}, our_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t out_mac[6] = {2, 0, 0, 0, 0, 3}, trunk_mac[6] = {2, 0, 0, 0, 0, 4};

void scene_set_output(struct scene *s, struct vd_flow *flow)
{
	frame_set_output(flow, &s->expected);
}

static void set_frames(struct scene *s, bool in_v6, bool out_v6)
{
	struct frame *in = &s->in, *out = &s->expected;

	*in = (struct frame){.tci = FRAME_NO_VLAN,
		.v6 = in_v6,
		.sport = 4000,
		.dport = SCENE_PORT,
		.traffic_class = 0xb9,
		.ttl = 60,
		.id = in_v6 ? 0 : 0x1234,
		.dont_fragment = !in_v6,
		.flow_label = in_v6 ? 0x54321 : 0,
		.payload = s->rtp};
	memcpy(in->smac, pbx_mac, 6);
	memcpy(in->dmac, our_mac, 6);
	frame_address(in->src, in_v6 ? "2001:db8:1::10" : "192.0.2.10");
	frame_address(in->dst, in_v6 ? "2001:db8:1::1" : "192.0.2.1");

	*out = (struct frame){.tci = FRAME_NO_VLAN,
		.v6 = out_v6,
		.sport = 20000,
		.dport = 30000,
		.traffic_class = 46 << 2 | 1,
		.ttl = 64,
		.payload = s->rtp_out};
	out->id = in_v6 == out_v6 ? in->id : 0;
	out->dont_fragment = true;
	out->flow_label = in_v6 == out_v6 ? in->flow_label : 0;
	memcpy(out->smac, out_mac, 6);
	memcpy(out->dmac, trunk_mac, 6);
	frame_address(out->src, out_v6 ? "2001:db8:2::1" : "198.51.100.1");
	frame_address(out->dst, out_v6 ? "2001:db8:2::20" : "198.51.100.20");
}

void scene_open(struct scene *s, void **state, enum scene_families families)
{
	bool in_v6 = families == SCENE_6_TO_4 || families == SCENE_6_TO_6;
	bool out_v6 = families == SCENE_4_TO_6 || families == SCENE_6_TO_6;
	struct lab *lab = *state;

	lab_reset(state);
	memset(s, 0, sizeof(*s));
	s->lab = lab;
	set_frames(s, in_v6, out_v6);

	s->local = &lab->locals.local[0];
	*s->local = (struct vd_local){.ifindex = lab->ifindex[0],
		.port_base = 4,
		.port_min = SCENE_PORT,
		.port_max = SCENE_PORT_MAX,
		.side = 0,
		.family = in_v6 ? 6 : 4};
	memcpy(s->local->addr, s->in.dst, 16);
	lab->locals.count = 1;
	lab_set_locals(lab);

	s->stream = &lab->flows[SCENE_STREAM].own;
	s->nexthop = &lab->nexthops[SCENE_NEXTHOP];
	*s->nexthop =
		(struct vd_nexthop){.flags = VD_NEXTHOP_VALID, .device = SCENE_DEVICE, .mtu = 1500};
	memcpy(s->nexthop->dmac, trunk_mac, 6);
	memcpy(s->nexthop->smac, out_mac, 6);
	lab_set_device(lab, SCENE_DEVICE, lab->ifindex[1]);

	s->flow = &lab->flows[SCENE_FLOW];
	*s->flow = (struct vd_flow){.src_port_be = htons(s->in.sport),
		.stream = SCENE_STREAM,
		.nexthop = SCENE_NEXTHOP,
		.src_prefix = 128,
		.dscp = 46,
		.ttl = 64,
		.te_pt = SCENE_TE_PT,
		.cookie = SCENE_COOKIE,
		.flags = in_v6 ? VD_FLOW_IN_V6 : 0};
	memcpy(s->flow->src_addr, s->in.src, 16);
	/* It came from there before. */
	memcpy(&s->flow->src_mac, pbx_mac + 2, sizeof(s->flow->src_mac));
	scene_set_output(s, s->flow);
	lab->ports[4].flow = SCENE_FLOW;
	scene_rtp(s, SCENE_PAYLOAD, 0, SCENE_SEQ, SCENE_TIMESTAMP);
}

void scene_rtp(struct scene *s, size_t len, uint8_t marker_pt, uint16_t seq, uint32_t timestamp)
{
	frame_rtp(s->rtp, len, marker_pt, seq, timestamp, SCENE_SSRC);
	memcpy(s->rtp_out, s->rtp, len);
	s->in.payload_len = len;
	s->expected.payload_len = len;
}

static void assert_bytes(const struct lab_result *got, const uint8_t *expected, size_t len)
{
	if (got->len == len && !memcmp(got->data, expected, len))
		return;
	print_error("came out as %zu bytes, expected %zu\n", got->len, len);
	for (size_t i = 0; i < len || i < got->len; i++)
		if (i >= len || i >= got->len || got->data[i] != expected[i])
			print_error("  [%zu] got %02x expected %02x\n", i,
				i < got->len ? got->data[i] : 0, i < len ? expected[i] : 0);
	fail();
}

void scene_expect_frame(struct scene *s, const uint8_t *data, size_t len, enum vd_reason reason)
{
	struct vd_counter before = lab_counter(s->lab, 0, reason), after;
	uint64_t counted = lab_counted(s->lab);

	lab_run(s->lab, 0, data, len, &s->result);
	after = lab_counter(s->lab, 0, reason);
	if (after.packets != before.packets + 1)
		for (unsigned i = 0; i < VD_REASON_MAX; i++)
			print_error("%s %lu\n", lab_reason_name(i),
				(unsigned long)lab_counter(s->lab, 0, i).packets);
	assert_int_equal(after.packets, before.packets + 1);
	assert_int_equal(after.bytes, before.bytes + len);
	assert_int_equal(lab_counted(s->lab), counted + 1);
	assert_int_equal(s->result.verdict, lab_reason_verdict(reason));
	if (s->result.verdict == XDP_PASS)
		assert_bytes(&s->result, data, len);
}

uint64_t scene_packets(const struct scene *s)
{
	return s->stream->packets_apart + s->stream->received_ssrc;
}

void scene_expect(struct scene *s, enum vd_reason reason)
{
	uint8_t data[FRAME_MAX], expected[FRAME_MAX];
	size_t len = frame_build(data, &s->in), expected_len;

	scene_expect_frame(s, data, len, reason);
	if (reason != VD_FORWARDED)
		return;
	expected_len = frame_build(expected, &s->expected);
	assert_bytes(&s->result, expected, expected_len);
}
