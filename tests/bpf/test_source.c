/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may send into a flow, and how it latches. */
#include <arpa/inet.h>
#include <string.h>

#include "scene.h"

static void stranger_by_address_or_port_is_dropped_and_counted_in_the_stream(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.in.sport++;
		scene_expect(&s, VD_DROP_SOURCE);
		s.in.sport--;
		for (int byte = s.in.v6 ? 0 : 12; byte < 16; byte++) {
			s.in.src[byte] ^= 0x40;
			scene_expect(&s, VD_DROP_SOURCE);
			s.in.src[byte] ^= 0x40;
		}
		scene_expect(&s, VD_FORWARDED);
		assert_int_equal(s.stream->dropped_source, s.in.v6 ? 17 : 5);
		assert_int_equal(scene_packets(&s), 1);
	}
}

static void prefix_narrower_than_the_address_admits_the_prefix_alone(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_4; families += 2)
		for (int bits = families == SCENE_4_TO_4 ? 96 : 0; bits <= 128; bits++) {
			scene_open(&s, state, (enum scene_families)families);
			s.flow->src_prefix = (uint8_t)bits;
			if (bits < 128) { /* the first bit behind the prefix is free */
				s.in.src[bits / 8] ^= (uint8_t)(0x80 >> bits % 8);
				scene_expect(&s, VD_FORWARDED);
				s.in.src[bits / 8] ^= (uint8_t)(0x80 >> bits % 8);
			}
			if (bits > (families == SCENE_4_TO_4 ? 96 : 0)) { /* its last is not */
				s.in.src[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
				scene_expect(&s, VD_DROP_SOURCE);
			}
		}
}

static void unknown_source_admits_nobody_without_a_latch(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	memset(s.flow->src_addr, 0, 16);
	s.flow->src_port_be = 0;
	scene_expect(&s, VD_DROP_SOURCE);
	s.in.sport = 0;
	frame_address(s.in.src, "0.0.0.0");
	scene_expect(&s, VD_DROP_SOURCE);
}

static void open_latching(struct scene *s, void **state, enum scene_families families)
{
	scene_open(s, state, families);
	s->flow->flags |= VD_FLOW_LATCH;
	s->flow->src_port_be = 0;
	s->flow->src_prefix = s->in.v6 ? 64 : 120;
}

static void first_valid_packet_latches_and_strangers_are_dropped_after(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		open_latching(&s, state, (enum scene_families)families);
		s.in.src[15] = 77;
		s.in.sport = 5555;
		scene_expect(&s, VD_FORWARDED);
		assert_int_equal(s.stream->latch_state, VD_LATCH_LOCKED);
		assert_int_equal(s.stream->latched_port_be, htons(5555));
		assert_memory_equal(s.stream->latched_addr, s.in.src, 16);
		scene_expect(&s, VD_FORWARDED);
		s.in.src[15] = 78;
		scene_expect(&s, VD_DROP_SOURCE);
		s.in.src[15] = 77;
		s.in.sport = 5556;
		scene_expect(&s, VD_DROP_SOURCE);
		s.in.sport = 5555;
		scene_expect(&s, VD_FORWARDED);
		assert_int_equal(s.stream->dropped_source, 2);
	}
}

static void latch_takes_nobody_from_outside_the_prefix(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_4; families += 2) {
		open_latching(&s, state, (enum scene_families)families);
		s.in.src[s.in.v6 ? 7 : 14] ^= 1;
		scene_expect(&s, VD_DROP_SOURCE);
		assert_int_equal(s.stream->latch_state, VD_LATCH_OPEN);
		assert_int_equal(s.stream->dropped_source, 1);
	}
}

static void latch_that_names_a_port_takes_that_port_alone(void **state)
{
	struct scene s;

	open_latching(&s, state, SCENE_4_TO_4);
	s.flow->src_port_be = htons(s.in.sport);
	s.in.sport++;
	scene_expect(&s, VD_DROP_SOURCE);
	s.in.sport--;
	scene_expect(&s, VD_FORWARDED);
}

static void stun_dtls_and_rubbish_do_not_latch(void **state)
{
	static const struct {
		uint8_t first;
		enum vd_reason reason;
	} packets[] = {{0, VD_DROP_STUN}, {22, VD_DROP_DTLS}, {0xff, VD_DROP_NOT_RTP}};
	struct scene s;

	open_latching(&s, state, SCENE_4_TO_4);
	for (int i = 0; i < 3; i++) {
		s.rtp[0] = packets[i].first;
		scene_expect(&s, packets[i].reason);
		assert_int_equal(s.stream->latch_state, VD_LATCH_OPEN);
	}
	s.rtp[0] = 0x80;
	s.in.payload_len = 11;
	scene_expect(&s, VD_DROP_NOT_RTP);
	assert_int_equal(s.stream->latch_state, VD_LATCH_OPEN);
}

static void rtcp_and_opaque_packets_latch_their_flows(void **state)
{
	struct scene s;

	open_latching(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_RTCP;
	s.rtp[1] = s.rtp_out[1] = 201;
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(s.stream->latch_state, VD_LATCH_LOCKED);
	open_latching(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_OPAQUE;
	s.in.payload_len = s.expected.payload_len = 3;
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(s.stream->latch_state, VD_LATCH_LOCKED);
}

static void held_flow_latches_all_the_same(void **state)
{
	struct scene s;

	open_latching(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_BLACKHOLE;
	scene_expect(&s, VD_DROP_HELD);
	assert_int_equal(s.stream->latch_state, VD_LATCH_LOCKED);
}

static void while_another_locks_the_packet_is_dropped_and_a_stranger_is_a_stranger(void **state)
{
	struct scene s;

	open_latching(&s, state, SCENE_4_TO_4);
	s.stream->latch_state = VD_LATCH_BUSY;
	scene_expect(&s, VD_DROP_LATCH_BUSY);
	assert_int_equal(s.stream->dropped_source, 0);
	s.in.src[13] ^= 1;
	scene_expect(&s, VD_DROP_SOURCE);
}

static void reopened_latch_takes_a_new_source(void **state)
{
	struct scene s;

	open_latching(&s, state, SCENE_4_TO_4);
	scene_expect(&s, VD_FORWARDED);
	s.in.sport = 6666;
	scene_expect(&s, VD_DROP_SOURCE);
	s.stream->latch_state = VD_LATCH_OPEN;
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(s.stream->latched_port_be, htons(6666));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stranger_by_address_or_port_is_dropped_and_counted_in_the_stream),
		cmocka_unit_test(prefix_narrower_than_the_address_admits_the_prefix_alone),
		cmocka_unit_test(unknown_source_admits_nobody_without_a_latch),
		cmocka_unit_test(first_valid_packet_latches_and_strangers_are_dropped_after),
		cmocka_unit_test(latch_takes_nobody_from_outside_the_prefix),
		cmocka_unit_test(latch_that_names_a_port_takes_that_port_alone),
		cmocka_unit_test(stun_dtls_and_rubbish_do_not_latch),
		cmocka_unit_test(rtcp_and_opaque_packets_latch_their_flows),
		cmocka_unit_test(held_flow_latches_all_the_same),
		cmocka_unit_test(
			while_another_locks_the_packet_is_dropped_and_a_stranger_is_a_stranger),
		cmocka_unit_test(reopened_latch_takes_a_new_source),
	};

	return cmocka_run_group_tests_name("bpf source", tests, lab_setup, lab_teardown);
}
