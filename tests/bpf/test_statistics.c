/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stream's element says after known packets (RFC 3550 A.1, A.3, A.8). */
#include <string.h>
#include <time.h>

#include "scene.h"

#define CLOCK_MULT_8000 34360 /* 8000 Hz << 32 / 1e9 */

static void send_seq(struct scene *s, unsigned seq)
{
	scene_rtp(s, SCENE_PAYLOAD, 0, (uint16_t)seq, SCENE_TIMESTAMP + seq * 160);
	scene_expect(s, VD_FORWARDED);
}

static int lost(const struct vd_stream *stream)
{
	return (int)(stream->ext_max_seq - stream->base_seq + 1 - stream->received_ssrc);
}

static void packets_in_order_lose_none(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	for (unsigned i = 0; i < 100; i++)
		send_seq(&s, SCENE_SEQ + i);
	assert_int_equal(scene_packets(&s), 100);
	assert_int_equal(s.stream->bytes, 100 * SCENE_PAYLOAD);
	assert_int_equal(s.stream->received_ssrc, 100);
	assert_int_equal(s.stream->base_seq, SCENE_SEQ);
	assert_int_equal(s.stream->ext_max_seq, SCENE_SEQ + 99);
	assert_int_equal(s.stream->ssrc, SCENE_SSRC);
	assert_int_equal(s.stream->ssrc_changes, 0);
	assert_int_equal(s.stream->out_of_order, 0);
	assert_int_equal(lost(s.stream), 0);
}

static void gaps_are_lost_until_the_late_packet_comes(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_seq(&s, 10);
	send_seq(&s, 13);
	assert_int_equal(lost(s.stream), 2);
	send_seq(&s, 11);
	assert_int_equal(lost(s.stream), 1);
	assert_int_equal(s.stream->out_of_order, 1);
	assert_int_equal(s.stream->ext_max_seq, 13);
}

static void duplicates_make_lost_negative_not_the_maximum_move(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_seq(&s, 10);
	send_seq(&s, 10);
	send_seq(&s, 10);
	assert_int_equal(scene_packets(&s), 3);
	assert_int_equal(s.stream->ext_max_seq, 10);
	assert_int_equal(s.stream->out_of_order, 0);
	assert_int_equal(lost(s.stream), -2);
}

static void wrapped_sequence_number_counts_a_cycle(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_seq(&s, 65534);
	send_seq(&s, 0);
	assert_int_equal(s.stream->ext_max_seq, 0x10000);
	send_seq(&s, 65535);
	assert_int_equal(s.stream->ext_max_seq, 0x10000);
	assert_int_equal(s.stream->out_of_order, 1);
	assert_int_equal(lost(s.stream), 0);
}

static void jump_below_max_dropout_is_a_gap_and_one_above_is_not_believed(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_seq(&s, 0);
	send_seq(&s, 2999);
	assert_int_equal(s.stream->ext_max_seq, 2999);
	send_seq(&s, 2999 + 3000);
	assert_int_equal(s.stream->ext_max_seq, 2999);
	assert_int_equal(s.stream->received_ssrc, 2);
	assert_int_equal(scene_packets(&s), 3);
}

static void misorder_reaches_a_hundred_back(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_seq(&s, 5000);
	send_seq(&s, 5000 - 99);
	assert_int_equal(s.stream->out_of_order, 1);
	send_seq(&s, 5000 - 100);
	assert_int_equal(s.stream->out_of_order, 1);
	assert_int_equal(s.stream->received_ssrc, 2);
}

static void two_in_order_after_a_big_jump_start_anew_and_keep_what_was_lost(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_seq(&s, 100);
	send_seq(&s, 104); /* 3 lost */
	send_seq(&s, 30000);
	assert_int_equal(s.stream->base_seq, 100);
	send_seq(&s, 30001);
	assert_int_equal(s.stream->base_seq, 30001);
	assert_int_equal(s.stream->ext_max_seq, 30001);
	assert_int_equal(s.stream->received_ssrc, 1);
	assert_int_equal(s.stream->lost_before, 3);
	assert_int_equal(s.stream->ssrc_changes, 0);
	assert_int_equal(scene_packets(&s), 4);
}

static void two_jumps_that_do_not_follow_each_other_change_nothing(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_seq(&s, 100);
	send_seq(&s, 30000);
	send_seq(&s, 30002);
	send_seq(&s, 101);
	assert_int_equal(s.stream->base_seq, 100);
	assert_int_equal(s.stream->ext_max_seq, 101);
	assert_int_equal(s.stream->received_ssrc, 2);
}

static void new_ssrc_starts_anew_and_keeps_what_was_lost(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_seq(&s, 100);
	send_seq(&s, 110);
	frame_rtp(s.rtp, SCENE_PAYLOAD, 0, 7, 99, 0xdeadbeef);
	memcpy(s.rtp_out, s.rtp, SCENE_PAYLOAD);
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(s.stream->ssrc, 0xdeadbeef);
	assert_int_equal(s.stream->ssrc_changes, 1);
	assert_int_equal(s.stream->lost_before, 9);
	assert_int_equal(s.stream->base_seq, 7);
	assert_int_equal(s.stream->received_ssrc, 1);
	assert_int_equal(scene_packets(&s), 3);
	assert_int_equal(s.stream->jitter, 0);
}

/* With the time taken out: what each packet's transit is, the stream tells itself. */
static void jitter_follows_rfc_3550_a_8(void **state)
{
	struct scene s;
	uint32_t jitter = 0, transit = 0;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->clock_mult = CLOCK_MULT_8000;
	for (unsigned i = 0; i < 200; i++) {
		scene_rtp(&s, SCENE_PAYLOAD, 0, (uint16_t)i, i * i * 37);
		scene_expect(&s, VD_FORWARDED);
		if (i) {
			int32_t d = (int32_t)(s.stream->transit - transit);

			jitter += (uint32_t)(d < 0 ? -d : d) - ((jitter + 8) >> 4);
		}
		transit = s.stream->transit;
		assert_int_equal(s.stream->jitter, jitter);
	}
	assert_true(jitter > 0);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void transit_is_the_arrival_in_ticks_less_the_timestamp(void **state)
{
	struct scene s;
	uint32_t before, after, arrival;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->clock_mult = CLOCK_MULT_8000;
	before = (uint32_t)(monotonic_ns() / 125000);
	send_seq(&s, 5);
	after = (uint32_t)(monotonic_ns() / 125000);
	arrival = s.stream->transit + SCENE_TIMESTAMP + 5 * 160;
	/* CLOCK_MULT_8000 is 8 parts in a million off, 0.06 ticks a second of uptime. */
	assert_true(arrival - before + 1 + before / 100000 <= after - before + 2 + before / 50000);
}

static void telephone_events_do_not_count_as_jitter(void **state)
{
	struct scene s;
	uint64_t timing;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->clock_mult = CLOCK_MULT_8000;
	send_seq(&s, 1);
	send_seq(&s, 2);
	timing = s.stream->timing;
	scene_rtp(&s, 16, SCENE_TE_PT, 3, 7);
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(s.stream->timing, timing);
	assert_int_equal(scene_packets(&s), 3);
}

static void last_seen_is_now_for_rtp_rtcp_and_opaque(void **state)
{
	static const uint16_t flags[] = {0, VD_FLOW_MUX, VD_FLOW_OPAQUE};
	const uint64_t coarse_ns = 20000000; /* two ticks at 100 Hz */
	struct scene s;

	for (int i = 0; i < 3; i++)
		for (uint32_t mult = 0; mult <= CLOCK_MULT_8000; mult += CLOCK_MULT_8000) {
			uint64_t before = monotonic_ns();

			scene_open(&s, state, SCENE_4_TO_4);
			s.flow->flags |= flags[i];
			s.flow->clock_mult = mult;
			if (flags[i] == VD_FLOW_MUX)
				s.rtp[1] = s.rtp_out[1] = 200;
			scene_expect(&s, VD_FORWARDED);
			assert_true(s.stream->last_seen_ns + coarse_ns >= before);
			assert_true(s.stream->last_seen_ns <= monotonic_ns());
		}
}

static void packets_that_are_not_admitted_leave_the_stream_alone(void **state)
{
	struct vd_stream empty = {};
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.rtp[0] = 0;
	scene_expect(&s, VD_DROP_STUN);
	s.rtp[0] = 0x80;
	s.in.ttl = 1;
	scene_expect(&s, VD_DROP_TTL);
	s.in.ttl = 60;
	s.in.sport++;
	scene_expect(&s, VD_DROP_SOURCE);
	empty.dropped_source = 1;
	assert_memory_equal(s.stream, &empty, sizeof(empty));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_in_order_lose_none),
		cmocka_unit_test(gaps_are_lost_until_the_late_packet_comes),
		cmocka_unit_test(duplicates_make_lost_negative_not_the_maximum_move),
		cmocka_unit_test(wrapped_sequence_number_counts_a_cycle),
		cmocka_unit_test(jump_below_max_dropout_is_a_gap_and_one_above_is_not_believed),
		cmocka_unit_test(misorder_reaches_a_hundred_back),
		cmocka_unit_test(two_in_order_after_a_big_jump_start_anew_and_keep_what_was_lost),
		cmocka_unit_test(two_jumps_that_do_not_follow_each_other_change_nothing),
		cmocka_unit_test(new_ssrc_starts_anew_and_keeps_what_was_lost),
		cmocka_unit_test(jitter_follows_rfc_3550_a_8),
		cmocka_unit_test(transit_is_the_arrival_in_ticks_less_the_timestamp),
		cmocka_unit_test(telephone_events_do_not_count_as_jitter),
		cmocka_unit_test(last_seen_is_now_for_rtp_rtcp_and_opaque),
		cmocka_unit_test(packets_that_are_not_admitted_leave_the_stream_alone),
	};

	return cmocka_run_group_tests_name("bpf statistics", tests, lab_setup, lab_teardown);
}
