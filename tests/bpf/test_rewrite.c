/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets in, packets out, byte for byte. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

static void plain_rewrite_is_bit_exact_in_all_families(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		scene_expect(&s, VD_FORWARDED);
	}
}

/* Written down by hand, so that it does not hang on the builder of the other tests. */
static void one_known_packet_becomes_another_known_packet(void **state)
{
	static const uint8_t in[] = {0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x08,
		0x00, /* Ethernet */
		0x45, 0xb8, 0x00, 0x2a, 0x12, 0x34, 0x40, 0x00, 0x3c, 0x11, 0xa7, 0xcb, /* IPv4 */
		192, 0, 2, 10, 192, 0, 2, 1, 0x0f, 0xa0, 0x27, 0x10, 0x00, 0x16, 0x2d,
		0x07, /* UDP */
		0x80, 0x00, 0x03, 0xe8, 0x00, 0x02, 0x71, 0x00, 0x11, 0x22, 0x33, 0x44, 0xde, 0xad};
	static const uint8_t out[] = {0x02, 0, 0, 0, 0, 0x04, 0x02, 0, 0, 0, 0, 0x03, 0x08, 0x00,
		0x45, 0xb8, 0x00, 0x2a, 0x12, 0x34, 0x40, 0x00, 0x40, 0x11, 0xd3, 0x5a, 198, 51,
		100, 1, 198, 51, 100, 20, 0x4e, 0x20, 0x75, 0x30, 0x00, 0x16, 0xcf, 0xf5, 0x80,
		0x00, 0x03, 0xe8, 0x00, 0x02, 0x71, 0x00, 0x11, 0x22, 0x33, 0x44, 0xde, 0xad};
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	scene_expect_frame(&s, in, sizeof(in), VD_FORWARDED);
	assert_int_equal(s.result.len, sizeof(out));
	assert_memory_equal(s.result.data, out, sizeof(out));
}

static void vlan_tags_are_added_changed_and_stripped(void **state)
{
	static const int vlans[] = {FRAME_NO_VLAN, 7, 300};
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++)
		for (int in = 0; in < 3; in++)
			for (int out = 0; out < 3; out++) {
				scene_open(&s, state, (enum scene_families)families);
				s.in.tci = vlans[in];
				s.local->vlan = vlans[in] < 0 ? 0 : (uint16_t)vlans[in];
				lab_set_locals(s.lab);
				s.expected.tci = vlans[out];
				s.nexthop->vlan = vlans[out] < 0 ? 0 : (uint16_t)vlans[out];
				scene_expect(&s, VD_FORWARDED);
			}
}

static void priority_is_kept_from_tag_to_tag_and_zero_otherwise(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.nexthop->vlan = 300;
	s.expected.tci = 300;
	scene_expect(&s, VD_FORWARDED);
	s.in.tci = 0xd000; /* priority 6, drop eligible, no VLAN */
	s.expected.tci = 0xd000 | 300;
	scene_expect(&s, VD_FORWARDED);
}

static void dscp_is_the_flows_and_ecn_the_packets(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		for (unsigned in = 0; in < 256; in += 5)
			for (unsigned dscp = 0; dscp < 64; dscp += 9) {
				s.in.traffic_class = (uint8_t)in;
				s.flow->dscp = (uint8_t)dscp;
				s.expected.traffic_class = (uint8_t)(dscp << 2 | (in & 3));
				scene_expect(&s, VD_FORWARDED);
			}
	}
}

static void ttl_is_the_flows_or_one_less(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.flow->ttl = 0;
		for (unsigned ttl = 2; ttl < 256; ttl++) {
			s.in.ttl = (uint8_t)ttl;
			s.expected.ttl = (uint8_t)(ttl - 1);
			scene_expect(&s, VD_FORWARDED);
		}
		s.flow->ttl = s.expected.ttl = 255;
		scene_expect(&s, VD_FORWARDED);
	}
}

static void ethernet_padding_travels_on_unharmed(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		scene_rtp(&s, 13, 13, 1, 0); /* comfort noise */
		s.in.padding = s.expected.padding = 5;
		scene_expect(&s, VD_FORWARDED);
		assert_int_equal(s.stream->bytes, 13);
	}
}

static void padding_counts_against_the_mtu(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.nexthop->mtu = 28 + SCENE_PAYLOAD + 1;
	s.in.padding = s.expected.padding = 1;
	scene_expect(&s, VD_FORWARDED);
	s.in.padding = 2;
	scene_expect(&s, VD_DROP_MTU);
}

static void absent_checksum_stays_absent_over_ipv4(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.no_checksum = s.expected.no_checksum = true;
	scene_expect(&s, VD_FORWARDED);
	s.flow->flags |= VD_FLOW_PT_MAP;
	s.flow->pt_to[0] = 8;
	s.rtp_out[1] = 8;
	scene_expect(&s, VD_FORWARDED);
}

static void absent_checksum_is_made_for_ipv6_at_every_length(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_6);
	s.nexthop->mtu = 9000;
	s.in.no_checksum = true;
	for (size_t len = 12; len < 1400; len += len < 300 ? 1 : 97) {
		scene_rtp(&s, len, 0, (uint16_t)len, 0);
		scene_expect(&s, VD_FORWARDED);
	}
	s.in.padding = s.expected.padding = 9; /* is not summed */
	scene_expect(&s, VD_FORWARDED);
}

static void absent_checksum_is_made_after_the_payload_type_is_mapped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_6);
	s.in.no_checksum = true;
	s.flow->flags |= VD_FLOW_PT_MAP;
	memset(s.flow->pt_from, 0xff, sizeof(s.flow->pt_from));
	s.flow->pt_from[3] = 0;
	s.flow->pt_to[3] = 97;
	s.rtp_out[1] = 97;
	scene_expect(&s, VD_FORWARDED);
}

/* Payloads made so that the checksum that leaves is the one that must not be written as 0. */
static void checksum_that_computes_to_zero_leaves_as_all_ones(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++)
		for (int absent = 0; absent < 2; absent++) {
			unsigned ones = 0, probes = 0;

			scene_open(&s, state, (enum scene_families)families);
			if (absent && families != SCENE_4_TO_6)
				continue;
			s.in.no_checksum = absent;
			for (unsigned word = 0; word < 0x10000; word++) {
				uint8_t built[FRAME_MAX];
				size_t udp = frame_udp(&s.expected);

				s.rtp[20] = s.rtp_out[20] = (uint8_t)(word >> 8);
				s.rtp[21] = s.rtp_out[21] = (uint8_t)word;
				frame_build(built, &s.expected);
				if (built[udp + 6] != 0xff || built[udp + 7] != 0xff)
					continue;
				ones++;
				scene_expect(&s, VD_FORWARDED);
				probes++;
			}
			assert_true(ones >= 1 && probes == ones);
		}
}

static void wrong_udp_checksum_stays_wrong(void **state)
{
	uint8_t data[FRAME_MAX], expected[FRAME_MAX];
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		size_t len, udp;

		scene_open(&s, state, (enum scene_families)families);
		len = frame_build(data, &s.in);
		data[len - 1] ^= 0x10;
		scene_expect_frame(&s, data, len, VD_FORWARDED);
		len = frame_build(expected, &s.expected);
		udp = frame_udp(&s.expected);
		expected[len - 1] ^= 0x10;
		/* As if it had been valid for the payload before it was damaged. */
		assert_memory_equal(s.result.data, expected, len);
		assert_memory_equal(s.result.data + udp + 6, expected + udp + 6, 2);
	}
}

static void wrong_ipv4_checksum_stays_wrong_or_ends_the_way_to_ipv6(void **state)
{
	uint8_t data[FRAME_MAX], expected[FRAME_MAX];
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	len = frame_build(data, &s.in);
	data[18] ^= 0x40; /* identification */
	scene_expect_frame(&s, data, len, VD_FORWARDED);
	frame_build(expected, &s.expected);
	expected[18] ^= 0x40;
	assert_memory_equal(s.result.data, expected, len);
	scene_open(&s, state, SCENE_4_TO_6);
	scene_expect_frame(&s, data, len, VD_DROP_MALFORMED);
}

static void payload_type_is_mapped_and_the_marker_kept(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.flow->flags |= VD_FLOW_PT_MAP;
		for (int i = 0; i < VD_PT_MAP_MAX; i++) {
			s.flow->pt_from[i] = (uint8_t)(96 + i);
			s.flow->pt_to[i] = (uint8_t)(110 - i);
		}
		for (unsigned pt = 90; pt < 120; pt++)
			for (unsigned marker = 0; marker < 256; marker += 128) {
				s.rtp[1] = (uint8_t)(pt | marker);
				s.rtp_out[1] = pt >= 96 && pt < 96 + VD_PT_MAP_MAX
						       ? (uint8_t)((206 - pt) | marker)
						       : s.rtp[1];
				scene_expect(&s, VD_FORWARDED);
			}
	}
}

static void payload_types_are_left_without_the_flag_and_in_rtcp_and_in_opaque_flows(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->pt_from[0] = 0;
	s.flow->pt_to[0] = 99;
	scene_expect(&s, VD_FORWARDED);
	s.flow->flags |= VD_FLOW_PT_MAP | VD_FLOW_MUX;
	s.flow->pt_from[0] = 200 & 0x7f;
	s.rtp[1] = s.rtp_out[1] = 200;
	scene_expect(&s, VD_FORWARDED);
	s.flow->flags = VD_FLOW_PT_MAP | VD_FLOW_OPAQUE;
	scene_expect(&s, VD_FORWARDED);
}

static void rtcp_of_a_shared_port_leaves_by_its_own_flow(void **state)
{
	struct vd_flow *rtcp;
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.flow->flags |= VD_FLOW_MUX;
		s.flow->rtcp_flow = SCENE_FLOW_RTCP;
		scene_expect(&s, VD_FORWARDED);

		rtcp = &s.lab->flows[SCENE_FLOW_RTCP];
		*rtcp = (struct vd_flow){.nexthop = SCENE_NEXTHOP, .dscp = 10, .ttl = 33};
		s.expected.sport = 20001;
		s.expected.dport = 30001;
		s.expected.ttl = 33;
		s.expected.traffic_class = 10 << 2 | 1;
		scene_set_output(&s, rtcp);
		s.rtp[1] = s.rtp_out[1] = 201;
		scene_expect(&s, VD_FORWARDED);
		assert_int_equal(s.stream->rtcp_packets, 1);
		rtcp->flags |= VD_FLOW_BLACKHOLE;
		scene_expect(&s, VD_DROP_HELD);
		s.flow->rtcp_flow = LAB_FLOWS;
		scene_expect(&s, VD_DROP_NO_FLOW);
	}
}

static void fragmentable_ipv4_stays_so(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.dont_fragment = s.expected.dont_fragment = false;
	scene_expect(&s, VD_FORWARDED);
	scene_open(&s, state, SCENE_4_TO_6);
	s.in.dont_fragment = false;
	scene_expect(&s, VD_FORWARDED);
}

static void payload_of_every_length_is_carried_whole(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		for (size_t len = 12; len <= 1452; len += 9) {
			scene_rtp(&s, len, 0, (uint16_t)len, 0);
			scene_expect(&s, VD_FORWARDED);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_rewrite_is_bit_exact_in_all_families),
		cmocka_unit_test(one_known_packet_becomes_another_known_packet),
		cmocka_unit_test(vlan_tags_are_added_changed_and_stripped),
		cmocka_unit_test(priority_is_kept_from_tag_to_tag_and_zero_otherwise),
		cmocka_unit_test(dscp_is_the_flows_and_ecn_the_packets),
		cmocka_unit_test(ttl_is_the_flows_or_one_less),
		cmocka_unit_test(ethernet_padding_travels_on_unharmed),
		cmocka_unit_test(padding_counts_against_the_mtu),
		cmocka_unit_test(absent_checksum_stays_absent_over_ipv4),
		cmocka_unit_test(absent_checksum_is_made_for_ipv6_at_every_length),
		cmocka_unit_test(absent_checksum_is_made_after_the_payload_type_is_mapped),
		cmocka_unit_test(checksum_that_computes_to_zero_leaves_as_all_ones),
		cmocka_unit_test(wrong_udp_checksum_stays_wrong),
		cmocka_unit_test(wrong_ipv4_checksum_stays_wrong_or_ends_the_way_to_ipv6),
		cmocka_unit_test(payload_type_is_mapped_and_the_marker_kept),
		cmocka_unit_test(
			payload_types_are_left_without_the_flag_and_in_rtcp_and_in_opaque_flows),
		cmocka_unit_test(rtcp_of_a_shared_port_leaves_by_its_own_flow),
		cmocka_unit_test(fragmentable_ipv4_stays_so),
		cmocka_unit_test(payload_of_every_length_is_carried_whole),
	};

	return cmocka_run_group_tests_name("bpf rewrite", tests, lab_setup, lab_teardown);
}
