/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure parts: slots and their quarantine, a flow as the program reads it, what counters mean.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "dataplane/flow_encode.h"
#include "dataplane/slots.h"
#include "dataplane/stats.h"

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, 0), 0);
	return a;
}

static void a_slot_given_back_is_not_taken_before_the_grace_time(void **state)
{
	struct slots s;

	(void)state;
	assert_int_equal(slots_init(&s, 1, 2, 1000), 0);
	assert_int_equal(slots_take(&s, 0), 1);
	assert_int_equal(slots_take(&s, 0), 2);
	assert_int_equal(slots_take(&s, 0), 0);
	slots_give(&s, 2, 5000);
	slots_give(&s, 1, 5500);
	assert_int_equal(slots_take(&s, 5999), 0);
	assert_int_equal(slots_take(&s, 6000), 2);
	assert_int_equal(slots_take(&s, 6499), 0);
	assert_int_equal(slots_take(&s, 6500), 1);
	slots_destroy(&s);
}

static void slots_come_back_however_often_they_are_used(void **state)
{
	struct slots s;

	(void)state;
	assert_int_equal(slots_init(&s, 1, 3, 0), 0);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t a = slots_take(&s, i), b = slots_take(&s, i);

		assert_int_not_equal(a, 0);
		assert_int_not_equal(b, 0);
		assert_int_not_equal(a, b);
		slots_give(&s, a, i);
		slots_give(&s, b, i);
	}
	slots_destroy(&s);
}

static void slots_left_by_another_are_handed_out_unless_used_and_the_waiting_ones_last(void **state)
{
	/* Index 0 is nobody's. */
	const uint8_t use[] = {SLOT_USED, SLOT_WAITS, SLOT_USED, SLOT_FREE, SLOT_WAITS, SLOT_FREE};
	struct slots s;

	(void)state;
	assert_int_equal(slots_init(&s, 1, 5, 1000), 0);
	slots_restore(&s, use, 5000);
	assert_int_equal(slots_take(&s, 5000), 3);
	assert_int_equal(slots_take(&s, 5000), 5);
	assert_int_equal(slots_take(&s, 5999), 0);
	assert_int_equal(slots_take(&s, 6000), 1);
	assert_int_equal(slots_take(&s, 6000), 4);
	assert_int_equal(slots_take(&s, 9000), 0);
	slots_give(&s, 2, 9000);
	assert_int_equal(slots_take(&s, 10000), 2);
	slots_destroy(&s);
}

static struct dataplane_flow plain_flow(void)
{
	return (struct dataplane_flow){
		.out_side = 1,
		.local = address("10.0.0.1:20000"),
		.remote = address("10.0.0.2:4000"),
		.out_local = address("192.0.2.1:30000"),
		.out_remote = address("192.0.2.9:5000"),
		.clock_rate = 8000,
		.dscp = 46,
		.te_pt = 101,
		.cookie = 7,
	};
}

static void a_plain_flow_admits_its_source_alone(void **state)
{
	static const uint8_t source[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2};
	struct dataplane_flow spec = plain_flow();
	struct vd_flow flow;

	(void)state;
	flow_encode(&flow, &spec, 11, 12, 0);
	assert_memory_equal(flow.src_addr, source, 16);
	assert_int_equal(flow.src_prefix, 128);
	assert_int_equal(ntohs(flow.src_port_be), 4000);
	assert_int_equal(flow.flags, 0);
	assert_int_equal(flow.stream, 11);
	assert_int_equal(flow.nexthop, 12);
	assert_int_equal(flow.cookie, 7);
	assert_int_equal(ntohs(flow.out_sport_be), 30000);
	assert_int_equal(ntohs(flow.out_dport_be), 5000);
}

static void the_constant_checksum_part_is_that_of_the_headers_it_leaves_with(void **state)
{
	struct dataplane_flow spec = plain_flow();
	/* 192.0.2.1 192.0.2.9 30000 5000, and 0xffff of each mapped address. */
	uint32_t sum = 0xc000 + 0x0201 + 0xc000 + 0x0209 + 30000 + 5000 + 0xffff + 0xffff;
	struct vd_flow flow;

	(void)state;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	flow_encode(&flow, &spec, 1, 1, 0);
	assert_int_equal(flow.out_csum, sum);
}

static void a_latch_counts_the_prefix_in_the_mapped_scale_and_takes_any_port(void **state)
{
	struct dataplane_flow spec = plain_flow();
	struct vd_flow flow;

	(void)state;
	spec.latch = true;
	spec.latch_prefix = 24;
	flow_encode(&flow, &spec, 1, 1, 0);
	assert_true(flow.flags & VD_FLOW_LATCH);
	assert_int_equal(flow.src_prefix, 120);
	assert_int_equal(flow.src_port_be, 0);
}

static void a_flow_with_no_known_source_and_no_latch_forwards_nothing(void **state)
{
	struct dataplane_flow spec = plain_flow();
	struct vd_flow flow;

	(void)state;
	memset(&spec.remote, 0, sizeof(spec.remote));
	flow_encode(&flow, &spec, 1, 1, 0);
	assert_int_equal(flow.src_prefix, 128);
	assert_true(flow.flags & VD_FLOW_BLACKHOLE);
}

static void a_flow_between_families_says_how_it_arrives_and_leaves(void **state)
{
	struct dataplane_flow spec = plain_flow();
	struct vd_flow flow;

	(void)state;
	spec.out_local = address("[2001:db8::1]:30000");
	spec.out_remote = address("[2001:db8::9]:5000");
	assert_int_equal(flow_check(&spec), 0);
	flow_encode(&flow, &spec, 1, 1, 0);
	assert_int_equal(flow.flags, VD_FLOW_OUT_V6);
	spec.out_local = address("192.0.2.1:30000");
	assert_int_equal(flow_check(&spec), -EINVAL);
}

static void rtcp_is_copied_where_it_can_be_read(void **state)
{
	struct dataplane_flow spec = plain_flow();
	struct vd_flow flow;

	(void)state;
	spec.rtcp = true;
	flow_encode(&flow, &spec, 1, 1, 0);
	assert_true(flow.flags & VD_FLOW_RTCP_COPY);
	spec.secure = true;
	flow_encode(&flow, &spec, 1, 1, 0);
	assert_false(flow.flags & VD_FLOW_RTCP_COPY);
}

static void the_clock_multiplier_gives_the_ticks_of_a_second(void **state)
{
	static const uint32_t rates[] = {8000, 16000, 48000, 90000};
	const uint64_t second_ns = 1000000000;

	(void)state;
	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t ticks = ((second_ns >> 10) * flow_clock_mult(rates[i])) >> 22;

		assert_in_range(ticks, rates[i] - 2, rates[i] + 2);
	}
	assert_int_equal(flow_clock_mult(0), 0);
}

static void impossible_flows_are_refused(void **state)
{
	struct dataplane_flow spec = plain_flow();

	(void)state;
	spec.dscp = 64;
	assert_int_equal(flow_check(&spec), -EINVAL);
	spec = plain_flow();
	spec.in_side = 2;
	assert_int_equal(flow_check(&spec), -EINVAL);
	spec = plain_flow();
	spec.pt_count = VD_PT_MAP_MAX + 1;
	assert_int_equal(flow_check(&spec), -EINVAL);
	spec = plain_flow();
	spec.pt_count = 1;
	spec.pt_to[0] = 128;
	assert_int_equal(flow_check(&spec), -EINVAL);
	spec = plain_flow();
	spec.latch = true;
	spec.latch_prefix = 33;
	assert_int_equal(flow_check(&spec), -EINVAL);
	spec = plain_flow();
	spec.rtcp = spec.mux = true;
	assert_int_equal(flow_check(&spec), -EINVAL);
}

static void loss_is_what_was_expected_less_what_came(void **state)
{
	struct vd_stream stream = {
		.bytes = 9000,
		.flags = VD_STREAM_STARTED,
		.base_seq = 65530,
		.ext_max_seq = 65530 + 99,
		.received_ssrc = 90,
		.jitter = 32,
		.last_seen_ns = 4000000,
	};
	struct dataplane_stats s;

	(void)state;
	stats_from_stream(&s, &stream, 9000000);
	assert_int_equal(s.packets, 90);
	assert_int_equal(s.expected, 100);
	assert_int_equal(s.lost, 10);
	assert_int_equal(s.jitter, 2);
	assert_int_equal(s.last_seen_ms_ago, 5);
	assert_int_equal(s.latched.family, 0);
	stream.received_ssrc = 102;
	stats_from_stream(&s, &stream, 9000000);
	assert_int_equal(s.lost, -2);
	assert_int_equal(s.expected, 100);
	/* Of an SSRC before this one; what was lost of it stands in lost_before. */
	stream.packets_apart = 50;
	stats_from_stream(&s, &stream, 9000000);
	assert_int_equal(s.packets, 152);
	assert_int_equal(s.expected, 150);
}

static void what_is_not_rtp_loses_nothing(void **state)
{
	struct vd_stream stream = {.packets_apart = 5, .flags = VD_STREAM_STARTED};
	struct dataplane_stats s;

	(void)state;
	stats_from_stream(&s, &stream, 1);
	assert_int_equal(s.lost, 0);
	assert_int_equal(s.expected, 5);
	assert_true(s.last_seen_ms_ago == UINT64_MAX);
}

static void two_streams_of_a_flow_add_up(void **state)
{
	struct dataplane_stats sum = {.packets = 10,
				       .expected = 11,
				       .lost = 1,
				       .ssrc = 5,
				       .last_seen_ms_ago = 3},
			       earlier = {.packets = 20,
				       .expected = 22,
				       .lost = 2,
				       .ssrc = 4,
				       .ssrc_changes = 1,
				       .last_seen_ms_ago = 9};

	(void)state;
	stats_merge(&sum, &earlier);
	assert_int_equal(sum.packets, 30);
	assert_int_equal(sum.expected, 33);
	assert_int_equal(sum.lost, 3);
	assert_int_equal(sum.ssrc, 5);
	assert_int_equal(sum.ssrc_changes, 2);
	assert_int_equal(sum.last_seen_ms_ago, 3);
}

static void every_reason_has_a_name_a_text_and_a_verdict(void **state)
{
	(void)state;
	assert_string_equal(dataplane_reason_name(VD_FORWARDED), "forwarded");
	assert_string_equal(dataplane_reason_name(VD_DROP_NO_FLOW), "drop_no_flow");
	assert_string_equal(dataplane_reason_verdict(VD_PASS_NOT_IP), "PASS");
	for (unsigned i = 0; i < VD_REASON_MAX; i++)
		assert_true(strlen(dataplane_reason_text(i)) > 0);
	assert_string_equal(dataplane_reason_name(VD_REASON_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_given_back_is_not_taken_before_the_grace_time),
		cmocka_unit_test(slots_come_back_however_often_they_are_used),
		cmocka_unit_test(
			slots_left_by_another_are_handed_out_unless_used_and_the_waiting_ones_last),
		cmocka_unit_test(a_plain_flow_admits_its_source_alone),
		cmocka_unit_test(the_constant_checksum_part_is_that_of_the_headers_it_leaves_with),
		cmocka_unit_test(a_latch_counts_the_prefix_in_the_mapped_scale_and_takes_any_port),
		cmocka_unit_test(a_flow_with_no_known_source_and_no_latch_forwards_nothing),
		cmocka_unit_test(a_flow_between_families_says_how_it_arrives_and_leaves),
		cmocka_unit_test(rtcp_is_copied_where_it_can_be_read),
		cmocka_unit_test(the_clock_multiplier_gives_the_ticks_of_a_second),
		cmocka_unit_test(impossible_flows_are_refused),
		cmocka_unit_test(loss_is_what_was_expected_less_what_came),
		cmocka_unit_test(what_is_not_rtp_loses_nothing),
		cmocka_unit_test(two_streams_of_a_flow_add_up),
		cmocka_unit_test(every_reason_has_a_name_a_text_and_a_verdict),
	};

	return cmocka_run_group_tests_name("dataplane tables", tests, NULL, NULL);
}
