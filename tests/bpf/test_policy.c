/* SPDX-License-Identifier: BSD-2-Clause */
/* What is passed up untouched, what is dropped, and under which reason. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>

#include "scene.h"

static uint8_t data[FRAME_MAX];

static size_t build(struct scene *s)
{
	return frame_build(data, &s->in);
}

/* The IPv4 header checksum over what the test changed; the program need not look at it. */
static void expect_changed(struct scene *s, size_t len, enum vd_reason reason)
{
	scene_expect_frame(s, data, len, reason);
}

static void arp_is_passed(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	build(&s);
	data[12] = 0x08, data[13] = 0x06;
	expect_changed(&s, 60, VD_PASS_NOT_IP);
}

static void frame_that_ends_behind_ethernet_or_within_a_vlan_tag_is_passed(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	build(&s);
	expect_changed(&s, 14, VD_PASS_NOT_OURS);
	s.in.tci = 5;
	build(&s);
	expect_changed(&s, 16, VD_PASS_NOT_IP);
	expect_changed(&s, 18, VD_PASS_NOT_OURS);
}

static void two_vlan_tags_are_passed(void **state)
{
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.tci = 5;
	len = build(&s);
	data[16] = 0x81, data[17] = 0x00;
	expect_changed(&s, len, VD_PASS_NOT_IP);
}

static void other_address_is_passed(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.in.dst[15] ^= 1;
		scene_expect(&s, VD_PASS_NOT_OURS);
		s.in.dst[15] ^= 1;
		s.in.dst[12] ^= 0x80;
		scene_expect(&s, VD_PASS_NOT_OURS);
	}
}

static void ipv6_address_that_differs_in_its_first_half_is_passed(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_6_TO_6);
	s.in.dst[0] ^= 1;
	scene_expect(&s, VD_PASS_NOT_OURS);
	s.in.dst[0] ^= 1;
	s.in.dst[7] ^= 1;
	scene_expect(&s, VD_PASS_NOT_OURS);
}

static void our_address_on_the_other_device_is_passed_and_counted_on_its_side(void **state)
{
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	s.lab->locals.local[1] = (struct vd_local){
		.ifindex = s.lab->ifindex[1], .side = 1, .family = 4, .addr = {1}};
	s.lab->locals.count = 2;
	lab_set_locals(s.lab);
	len = build(&s);
	lab_run(s.lab, 1, data, len, &s.result);
	assert_int_equal(s.result.verdict, XDP_PASS);
	assert_int_equal(lab_counter(s.lab, 1, VD_PASS_NOT_OURS).packets, 1);
	assert_int_equal(lab_counter(s.lab, 1, VD_PASS_NOT_OURS).bytes, len);
	assert_int_equal(lab_counted(s.lab), 1);
	assert_memory_equal(s.result.data, data, len);
}

static void vlan_must_be_the_addresses_own(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.tci = 7;
	scene_expect(&s, VD_PASS_NOT_OURS);
	s.local->vlan = 7;
	lab_set_locals(s.lab);
	scene_expect(&s, VD_FORWARDED);
	s.in.tci = 8;
	scene_expect(&s, VD_PASS_NOT_OURS);
	s.in.tci = FRAME_NO_VLAN;
	scene_expect(&s, VD_PASS_NOT_OURS);
}

static void priority_tag_counts_as_untagged(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.tci = 5 << 13;
	scene_expect(&s, VD_FORWARDED);
}

static void port_outside_the_media_range_is_passed(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.dport = 5060;
	scene_expect(&s, VD_PASS_NOT_OURS);
	s.in.dport = SCENE_PORT - 1;
	scene_expect(&s, VD_PASS_NOT_OURS);
	s.in.dport = SCENE_PORT_MAX + 1;
	scene_expect(&s, VD_PASS_NOT_OURS);
}

static void second_range_of_the_same_address_is_found(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.lab->locals.local[1] = *s.local;
	s.lab->locals.local[1].port_min = 20000;
	s.lab->locals.local[1].port_max = 20009;
	s.lab->locals.local[1].port_base = 30;
	s.lab->locals.count = 2;
	lab_set_locals(s.lab);
	s.lab->ports[33].flow = SCENE_FLOW;
	s.in.dport = 20003;
	scene_expect(&s, VD_FORWARDED);
	s.in.dport = 20010;
	scene_expect(&s, VD_PASS_NOT_OURS);
}

static void last_of_sixteen_addresses_is_found_and_none_behind_count(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	for (int i = 0; i < VD_LOCALS_MAX; i++) {
		s.lab->locals.local[i] = s.lab->locals.local[0];
		if (i < VD_LOCALS_MAX - 1)
			s.lab->locals.local[i].addr[15] = (uint8_t)(100 + i);
	}
	memcpy(s.lab->locals.local[VD_LOCALS_MAX - 1].addr, s.in.dst, 16);
	s.lab->locals.count = VD_LOCALS_MAX;
	lab_set_locals(s.lab);
	scene_expect(&s, VD_FORWARDED);
	s.lab->locals.count = VD_LOCALS_MAX - 1;
	lab_set_locals(s.lab);
	scene_expect(&s, VD_PASS_NOT_OURS);
}

static void tcp_to_a_media_address_is_passed(void **state)
{
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	len = build(&s);
	data[23] = 6;
	expect_changed(&s, len, VD_PASS_NOT_OURS);
	scene_open(&s, state, SCENE_6_TO_6);
	len = build(&s);
	data[20] = 6;
	expect_changed(&s, len, VD_PASS_NOT_OURS);
}

static void fragments_first_and_later_are_passed(void **state)
{
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	len = build(&s);
	data[20] = 0x20; /* more fragments */
	expect_changed(&s, len, VD_PASS_FRAGMENT);
	data[20] = 0x00;
	data[21] = 0x10; /* offset 128 */
	expect_changed(&s, len, VD_PASS_FRAGMENT);
	scene_open(&s, state, SCENE_6_TO_6);
	len = build(&s);
	data[20] = 44;
	expect_changed(&s, len, VD_PASS_FRAGMENT);
}

static void options_and_extension_headers_are_passed(void **state)
{
	static const uint8_t extensions[] = {0, 43, 50, 51, 60, 135};
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	len = build(&s);
	data[14] = 0x46;
	expect_changed(&s, len, VD_PASS_OPTIONS);
	scene_open(&s, state, SCENE_6_TO_6);
	for (size_t i = 0; i < sizeof(extensions); i++) {
		len = build(&s);
		data[20] = extensions[i];
		expect_changed(&s, len, VD_PASS_OPTIONS);
	}
}

static void icmp_to_a_media_address_is_passed(void **state)
{
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	len = build(&s);
	data[23] = 1;
	expect_changed(&s, len, VD_PASS_ICMP);
	scene_open(&s, state, SCENE_6_TO_6);
	len = build(&s);
	data[20] = 58;
	expect_changed(&s, len, VD_PASS_ICMP);
}

static void other_ip_version_than_the_ethertype_says_is_passed(void **state)
{
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	len = build(&s);
	data[14] = 0x55;
	expect_changed(&s, len, VD_PASS_NOT_OURS);
	scene_open(&s, state, SCENE_6_TO_6);
	len = build(&s);
	data[14] = 0x40;
	expect_changed(&s, len, VD_PASS_NOT_OURS);
}

static void ip_header_cut_short_is_passed(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	build(&s);
	expect_changed(&s, 14 + 19, VD_PASS_NOT_OURS);
	scene_open(&s, state, SCENE_6_TO_6);
	build(&s);
	expect_changed(&s, 14 + 39, VD_PASS_NOT_OURS);
}

static void header_length_below_five_words_is_dropped(void **state)
{
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_4);
	len = build(&s);
	data[14] = 0x44;
	expect_changed(&s, len, VD_DROP_MALFORMED);
}

static void udp_header_cut_short_is_dropped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	build(&s);
	expect_changed(&s, 14 + 20 + 7, VD_DROP_MALFORMED);
	scene_open(&s, state, SCENE_6_TO_6);
	build(&s);
	expect_changed(&s, 14 + 40 + 7, VD_DROP_MALFORMED);
}

static void lengths_that_disagree_are_dropped(void **state)
{
	struct scene s;
	size_t len;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		size_t udp, ip_len;

		scene_open(&s, state, (enum scene_families)families);
		udp = frame_udp(&s.in);
		ip_len = s.in.v6 ? 18 : 16;
		len = build(&s);
		data[udp + 5]--; /* UDP shorter than IP carries */
		expect_changed(&s, len, VD_DROP_MALFORMED);
		data[udp + 5] += 2; /* and longer */
		expect_changed(&s, len, VD_DROP_MALFORMED);
		len = build(&s);
		data[ip_len + 1]++; /* IP longer than the frame, UDP with it */
		data[udp + 5]++;
		expect_changed(&s, len, VD_DROP_MALFORMED);
		len = build(&s);
		data[udp + 4] = 0, data[udp + 5] = 7; /* UDP shorter than its header */
		data[ip_len] = 0, data[ip_len + 1] = s.in.v6 ? 7 : 27;
		expect_changed(&s, len, VD_DROP_MALFORMED);
	}
	assert_int_equal(scene_packets(&s), 0);
}

/* Not ours to judge, though the address is. */
static void lengths_that_disagree_at_another_port_are_passed(void **state)
{
	struct scene s;
	size_t len;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.in.dport = SCENE_PORT_MAX + 1;
		len = build(&s);
		data[frame_udp(&s.in) + 5]--;
		expect_changed(&s, len, VD_PASS_NOT_OURS);
	}
}

static void media_port_without_flow_is_dropped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.dport = SCENE_PORT + 1;
	scene_expect(&s, VD_DROP_NO_FLOW);
	s.in.dport = SCENE_PORT_MAX;
	scene_expect(&s, VD_DROP_NO_FLOW);
}

static void flow_that_names_what_does_not_exist_is_dropped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->nexthop = LAB_NEXTHOPS;
	scene_expect(&s, VD_DROP_NO_NEIGHBOUR);
	s.flow->stream = LAB_FLOWS;
	scene_expect(&s, VD_DROP_NO_FLOW);
	s.lab->ports[4].flow = LAB_FLOWS;
	scene_expect(&s, VD_DROP_NO_FLOW);
	s.local->port_base = LAB_PORTS;
	lab_set_locals(s.lab);
	scene_expect(&s, VD_DROP_NO_FLOW);
}

static void ttl_of_one_or_none_is_dropped(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.in.ttl = 1;
		scene_expect(&s, VD_DROP_TTL);
		s.in.ttl = 0;
		scene_expect(&s, VD_DROP_TTL);
		s.in.ttl = 2;
		scene_expect(&s, VD_FORWARDED);
	}
}

static void ipv6_without_udp_checksum_is_dropped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_6_TO_6);
	s.in.no_checksum = true;
	scene_expect(&s, VD_DROP_ZERO_CSUM);
}

/* RFC 7983 7, all 256 first bytes. */
static void first_byte_decides_what_a_packet_is(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	for (int first = 0; first < 256; first++) {
		enum vd_reason reason = VD_DROP_NOT_RTP;

		if (first <= 3)
			reason = VD_DROP_STUN;
		else if (first >= 20 && first <= 63)
			reason = VD_DROP_DTLS;
		else if (first >= 128 && first <= 191)
			reason = VD_FORWARDED;
		s.rtp[0] = s.rtp_out[0] = (uint8_t)first;
		scene_expect(&s, reason);
	}
}

static void empty_payload_is_not_rtp(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.payload_len = 0;
	scene_expect(&s, VD_DROP_NOT_RTP);
	s.in.padding = 18; /* what follows the IP packet is no payload */
	scene_expect(&s, VD_DROP_NOT_RTP);
	assert_int_equal(scene_packets(&s), 0);
}

static void one_byte_payload_is_still_told_apart(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.payload_len = 1;
	scene_expect(&s, VD_DROP_NOT_RTP);
	s.rtp[0] = 22;
	scene_expect(&s, VD_DROP_DTLS);
	s.rtp[0] = 1;
	scene_expect(&s, VD_DROP_STUN);
}

static void rtp_shorter_than_its_header_and_csrcs_is_dropped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.payload_len = 11;
	s.in.padding = 20;
	scene_expect(&s, VD_DROP_NOT_RTP);
	s.rtp[0] = 0x8f;
	s.in.payload_len = 12 + 15 * 4 - 1;
	scene_expect(&s, VD_DROP_NOT_RTP);
	s.rtp_out[0] = 0x8f;
	s.in.payload_len = s.expected.payload_len = 12 + 15 * 4;
	s.expected.padding = 20;
	scene_expect(&s, VD_FORWARDED);
}

static void rtcp_on_a_port_for_rtp_alone_is_dropped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	for (int type = 192; type <= 223; type++) {
		s.rtp[1] = s.rtp_out[1] = (uint8_t)type;
		scene_expect(&s, type >= 200 && type <= 204 ? VD_DROP_NOT_RTP : VD_FORWARDED);
	}
}

static void rtp_on_a_port_for_rtcp_alone_is_dropped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_RTCP;
	for (int type = 0; type < 256; type++) {
		s.rtp[1] = s.rtp_out[1] = (uint8_t)type;
		scene_expect(&s, type >= 192 && type <= 223 ? VD_FORWARDED : VD_DROP_NOT_RTP);
	}
	assert_int_equal(s.stream->rtcp_packets, 32);
	assert_int_equal(scene_packets(&s), 0);
}

static void rtcp_below_eight_bytes_is_dropped(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_RTCP;
	s.rtp[1] = s.rtp_out[1] = 201;
	s.in.payload_len = 7;
	scene_expect(&s, VD_DROP_NOT_RTP);
	s.in.payload_len = s.expected.payload_len = 8;
	scene_expect(&s, VD_FORWARDED);
}

static void shared_port_tells_rtcp_by_its_type(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_MUX;
	for (int type = 0; type < 256; type++) {
		s.rtp[1] = s.rtp_out[1] = (uint8_t)type;
		scene_expect(&s, VD_FORWARDED);
	}
	assert_int_equal(s.stream->rtcp_packets, 32);
	assert_int_equal(scene_packets(&s), 256 - 32);
}

static void opaque_flow_takes_anything(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_OPAQUE;
	for (int first = 0; first < 256; first++) {
		s.rtp[0] = s.rtp_out[0] = (uint8_t)first;
		scene_expect(&s, VD_FORWARDED);
	}
	s.in.payload_len = s.expected.payload_len = 0;
	scene_expect(&s, VD_FORWARDED);
	s.in.payload_len = s.expected.payload_len = 1;
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(scene_packets(&s), 258);
	assert_int_equal(s.stream->bytes, 256 * SCENE_PAYLOAD + 1);
}

static void held_stream_is_dropped_and_measured(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_BLACKHOLE;
	s.nexthop->flags = 0;
	scene_expect(&s, VD_DROP_HELD);
	assert_int_equal(scene_packets(&s), 1);
	assert_int_equal(s.stream->ext_max_seq, SCENE_SEQ);
}

static void next_hop_without_neighbour_drops(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.nexthop->flags = 0;
	scene_expect(&s, VD_DROP_NO_NEIGHBOUR);
	assert_int_equal(scene_packets(&s), 1);
}

static void mtu_is_what_ip_may_take(void **state)
{
	static const int header[] = {20, 40, 20, 40};
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.nexthop->mtu = (uint32_t)(header[families] + 8 + SCENE_PAYLOAD);
		scene_expect(&s, VD_FORWARDED);
		s.nexthop->mtu--;
		scene_expect(&s, VD_DROP_MTU);
	}
}

static void device_not_in_the_map_drops(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	lab_unset_device(s.lab, SCENE_DEVICE);
	scene_expect(&s, VD_DROP_REDIRECT);
	s.nexthop->device = VD_DEVICES_MAX;
	scene_expect(&s, VD_DROP_REDIRECT);
}

static void no_headroom_to_grow_into_drops(void **state)
{
	/* Nearly all of the headroom. */
	const size_t meta_len = 208;
	struct scene s;
	size_t len;

	scene_open(&s, state, SCENE_4_TO_6);
	len = build(&s);
	if (lab_run_with_meta(s.lab, 0, data, len, meta_len, &s.result)) {
		print_message("this kernel takes no %zu bytes of XDP metadata\n", meta_len);
		skip();
	}
	assert_int_equal(s.result.verdict, XDP_DROP);
	assert_int_equal(lab_counter(s.lab, 0, VD_DROP_ADJUST).packets, 1);
	assert_int_equal(lab_counted(s.lab), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_is_passed),
		cmocka_unit_test(frame_that_ends_behind_ethernet_or_within_a_vlan_tag_is_passed),
		cmocka_unit_test(two_vlan_tags_are_passed),
		cmocka_unit_test(other_address_is_passed),
		cmocka_unit_test(ipv6_address_that_differs_in_its_first_half_is_passed),
		cmocka_unit_test(our_address_on_the_other_device_is_passed_and_counted_on_its_side),
		cmocka_unit_test(vlan_must_be_the_addresses_own),
		cmocka_unit_test(priority_tag_counts_as_untagged),
		cmocka_unit_test(port_outside_the_media_range_is_passed),
		cmocka_unit_test(second_range_of_the_same_address_is_found),
		cmocka_unit_test(last_of_sixteen_addresses_is_found_and_none_behind_count),
		cmocka_unit_test(tcp_to_a_media_address_is_passed),
		cmocka_unit_test(fragments_first_and_later_are_passed),
		cmocka_unit_test(options_and_extension_headers_are_passed),
		cmocka_unit_test(icmp_to_a_media_address_is_passed),
		cmocka_unit_test(other_ip_version_than_the_ethertype_says_is_passed),
		cmocka_unit_test(ip_header_cut_short_is_passed),
		cmocka_unit_test(header_length_below_five_words_is_dropped),
		cmocka_unit_test(udp_header_cut_short_is_dropped),
		cmocka_unit_test(lengths_that_disagree_are_dropped),
		cmocka_unit_test(lengths_that_disagree_at_another_port_are_passed),
		cmocka_unit_test(media_port_without_flow_is_dropped),
		cmocka_unit_test(flow_that_names_what_does_not_exist_is_dropped),
		cmocka_unit_test(ttl_of_one_or_none_is_dropped),
		cmocka_unit_test(ipv6_without_udp_checksum_is_dropped),
		cmocka_unit_test(first_byte_decides_what_a_packet_is),
		cmocka_unit_test(empty_payload_is_not_rtp),
		cmocka_unit_test(one_byte_payload_is_still_told_apart),
		cmocka_unit_test(rtp_shorter_than_its_header_and_csrcs_is_dropped),
		cmocka_unit_test(rtcp_on_a_port_for_rtp_alone_is_dropped),
		cmocka_unit_test(rtp_on_a_port_for_rtcp_alone_is_dropped),
		cmocka_unit_test(rtcp_below_eight_bytes_is_dropped),
		cmocka_unit_test(shared_port_tells_rtcp_by_its_type),
		cmocka_unit_test(opaque_flow_takes_anything),
		cmocka_unit_test(held_stream_is_dropped_and_measured),
		cmocka_unit_test(next_hop_without_neighbour_drops),
		cmocka_unit_test(mtu_is_what_ip_may_take),
		cmocka_unit_test(device_not_in_the_map_drops),
		cmocka_unit_test(no_headroom_to_grow_into_drops),
	};

	return cmocka_run_group_tests_name("bpf policy", tests, lab_setup, lab_teardown) +
	       cmocka_run_group_tests_name(
		       "bpf policy, guessing", tests, lab_setup_guessing, lab_teardown);
}
