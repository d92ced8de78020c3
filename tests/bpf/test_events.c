/* SPDX-License-Identifier: BSD-2-Clause */
/* What user space is told, and that it is told once and never at a packet's cost. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

static const union lab_event *only_event(struct scene *s, uint32_t type)
{
	const union lab_event *found = NULL;

	lab_read_events(s->lab);
	for (unsigned i = 0; i < s->lab->events_count; i++) {
		if (s->lab->events[i].head.type != type)
			continue;
		assert_null(found);
		found = &s->lab->events[i];
	}
	assert_non_null(found);
	assert_int_equal(found->head.cookie, SCENE_COOKIE);
	assert_int_equal(found->head.stream, SCENE_STREAM);
	assert_memory_equal(found->head.addr, s->in.src, 16);
	assert_int_equal(found->head.port_be, htons(s->in.sport));
	assert_true(found->head.time_ns > 0);
	return found;
}

static void first_packet_is_told_once_with_its_source(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		for (int tagged = 0; tagged < 2; tagged++)
			scene_expect(&s, VD_FORWARDED);
		assert_int_equal(only_event(&s, VD_EVENT_FIRST_PACKET)->head.value, SCENE_SSRC);
		assert_int_equal(s.lab->events_count, 1);
	}
}

static void first_packet_behind_a_vlan_tag_names_its_source(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_4; families += 2) {
		scene_open(&s, state, (enum scene_families)families);
		s.in.tci = 9;
		s.local->vlan = 9;
		lab_set_locals(s.lab);
		scene_expect(&s, VD_FORWARDED);
		only_event(&s, VD_EVENT_FIRST_PACKET);
	}
}

static void first_packet_of_rtcp_and_opaque_flows_is_told(void **state)
{
	static const uint16_t flags[] = {VD_FLOW_RTCP, VD_FLOW_OPAQUE};
	struct scene s;

	for (int i = 0; i < 2; i++) {
		scene_open(&s, state, SCENE_4_TO_4);
		s.flow->flags |= flags[i];
		s.rtp[1] = s.rtp_out[1] = 201;
		scene_expect(&s, VD_FORWARDED);
		scene_expect(&s, VD_FORWARDED);
		only_event(&s, VD_EVENT_FIRST_PACKET);
		assert_int_equal(s.lab->events_count, 1);
	}
}

static void rtcp_on_a_shared_port_is_not_the_first_packet(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_MUX;
	s.rtp[1] = s.rtp_out[1] = 201;
	scene_expect(&s, VD_FORWARDED);
	lab_read_events(s.lab);
	assert_int_equal(s.lab->events_count, 0);
	s.rtp[1] = s.rtp_out[1] = 0;
	scene_expect(&s, VD_FORWARDED);
	only_event(&s, VD_EVENT_FIRST_PACKET);
}

static void latching_is_told_once(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_4; families += 2) {
		scene_open(&s, state, (enum scene_families)families);
		s.flow->flags |= VD_FLOW_LATCH;
		s.flow->src_port_be = 0;
		s.in.sport = 4321;
		scene_expect(&s, VD_FORWARDED);
		scene_expect(&s, VD_FORWARDED);
		only_event(&s, VD_EVENT_LATCHED);
	}
}

static void who_is_refused_is_told_whenever_there_were_twice_as_many(void **state)
{
	static const uint32_t at[] = {1, 2, 4, 8, 16, 32, 64};
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_4; families += 2) {
		scene_open(&s, state, (enum scene_families)families);
		s.in.sport = 4321;
		for (int packet = 0; packet < 100; packet++)
			scene_expect(&s, VD_DROP_SOURCE);
		lab_read_events(s.lab);
		assert_int_equal(s.lab->events_count, sizeof(at) / sizeof(at[0]));
		for (unsigned i = 0; i < s.lab->events_count; i++) {
			const struct vd_event *event = &s.lab->events[i].head;

			assert_int_equal(event->type, VD_EVENT_REFUSED);
			assert_int_equal(event->value, at[i]);
			assert_memory_equal(event->addr, s.in.src, 16);
			assert_int_equal(event->port_be, htons(4321));
		}
	}
}

static void new_ssrc_is_told(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	scene_expect(&s, VD_FORWARDED);
	frame_rtp(s.rtp, SCENE_PAYLOAD, 0, 7, 99, 0xdeadbeef);
	memcpy(s.rtp_out, s.rtp, SCENE_PAYLOAD);
	scene_expect(&s, VD_FORWARDED);
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(only_event(&s, VD_EVENT_SSRC)->head.value, 0xdeadbeef);
}

static void alternating_ssrcs_are_counted_all_and_told_up_to_the_limit(void **state)
{
	const unsigned changes = 500;
	struct scene s;
	unsigned told;

	scene_open(&s, state, SCENE_4_TO_4);
	scene_expect(&s, VD_FORWARDED);
	for (unsigned i = 0; i < changes; i++) {
		frame_rtp(s.rtp, SCENE_PAYLOAD, 0, 7, 99, i);
		memcpy(s.rtp_out, s.rtp, SCENE_PAYLOAD);
		scene_expect(&s, VD_FORWARDED);
		lab_read_events(s.lab);
	}
	assert_int_equal(s.stream->ssrc_changes, changes);
	told = lab_count_events(s.lab, VD_EVENT_SSRC);
	/* The test may run over a second's end, or several. */
	assert_true(told >= VD_EVENTS_PER_SECOND && told < changes);
	assert_int_equal(told + lab_events_lost(s.lab), changes);
}

static void send_digit(struct scene *s, uint16_t seq, uint32_t timestamp, uint8_t event, bool end,
	uint16_t duration)
{
	scene_rtp(s, 16, SCENE_TE_PT, seq, timestamp);
	s->rtp[12] = event;
	s->rtp[13] = end ? 0x8a : 0x0a;
	s->rtp[14] = (uint8_t)(duration >> 8);
	s->rtp[15] = (uint8_t)duration;
	memcpy(s->rtp_out, s->rtp, 16);
	scene_expect(s, VD_FORWARDED);
}

static void telephone_event_is_told_at_its_end_once(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	send_digit(&s, 1, 0, 11, false, 160);
	assert_int_equal(s.stream->te_event, 11 | 0x8000);
	send_digit(&s, 2, 0, 11, false, 320);
	lab_read_events(s.lab);
	assert_int_equal(lab_count_events(s.lab, VD_EVENT_DTMF_END), 0);
	for (uint16_t i = 0; i < 3; i++)
		send_digit(&s, (uint16_t)(3 + i), 0, 11, true, 800);
	assert_int_equal(only_event(&s, VD_EVENT_DTMF_END)->head.value, 11 | 800 << 16);
	assert_int_equal(s.stream->te_event, 0);
	send_digit(&s, 6, 0, 11, false, 640); /* late */
	assert_int_equal(s.stream->te_event, 0);
	send_digit(&s, 7, 1600, 11, true, 800);
	lab_read_events(s.lab);
	assert_int_equal(lab_count_events(s.lab, VD_EVENT_DTMF_END), 2);
}

static void telephone_event_is_found_behind_csrcs_and_header_extension(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_6_TO_4);
	scene_rtp(&s, 12 + 8 + 4 + 4 + 4, SCENE_TE_PT, 1, 160);
	s.rtp[0] = 0x92;              /* extension, two CSRCs */
	s.rtp[22] = 0, s.rtp[23] = 1; /* one word */
	s.rtp[28] = 5, s.rtp[29] = 0x80, s.rtp[30] = 0, s.rtp[31] = 99;
	memcpy(s.rtp_out, s.rtp, 32);
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(only_event(&s, VD_EVENT_DTMF_END)->head.value, 5 | 99 << 16);
}

static void telephone_event_cut_short_or_encrypted_or_of_another_type_is_not_told(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	scene_rtp(&s, 15, SCENE_TE_PT, 1, 0);
	s.rtp[13] = s.rtp_out[13] = 0x80;
	s.in.padding = s.expected.padding = 4;
	scene_expect(&s, VD_FORWARDED);
	scene_rtp(&s, 16, SCENE_TE_PT, 2, 0);
	s.rtp[0] = s.rtp_out[0] = 0x90; /* an extension that reaches beyond the packet */
	s.rtp[14] = s.rtp_out[14] = 0xff;
	scene_expect(&s, VD_FORWARDED);
	s.in.padding = s.expected.padding = 0;
	s.flow->flags |= VD_FLOW_SECURE;
	send_digit(&s, 3, 0, 1, true, 800);
	s.flow->flags &= (uint16_t)~VD_FLOW_SECURE;
	s.flow->te_pt = 0xff;
	send_digit(&s, 4, 0, 1, true, 800);
	lab_read_events(s.lab);
	assert_int_equal(lab_count_events(s.lab, VD_EVENT_DTMF_END), 0);
	assert_int_equal(scene_packets(&s), 4);
}

static void send_rtcp(struct scene *s, uint8_t type, size_t len)
{
	scene_rtp(s, len, type, 0, 0);
	scene_expect(s, VD_FORWARDED);
}

static void rtcp_reports_are_copied_as_they_came_up_to_the_limit(void **state)
{
	static const size_t lengths[] = {12, 28, 127, 128, 129, 400};
	struct scene s;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		size_t len = lengths[i] < VD_EVENT_RTCP_BYTES ? lengths[i] : VD_EVENT_RTCP_BYTES;
		const union lab_event *event;

		scene_open(&s, state, i & 1 ? SCENE_6_TO_4 : SCENE_4_TO_6);
		s.flow->flags |= VD_FLOW_MUX | VD_FLOW_RTCP_COPY;
		s.in.padding = s.expected.padding = 7;
		send_rtcp(&s, 200, lengths[i]);
		event = only_event(&s, VD_EVENT_RTCP);
		assert_int_equal(event->head.len, len);
		assert_memory_equal(event->head.data, s.rtp, len);
	}
}

static void sr_rr_bye_and_xr_are_copied_and_no_others(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_RTCP | VD_FLOW_RTCP_COPY;
	for (unsigned type = 192; type <= 223; type++) {
		unsigned before;

		lab_read_events(s.lab);
		before = lab_count_events(s.lab, VD_EVENT_RTCP);
		send_rtcp(&s, (uint8_t)type, 28);
		lab_read_events(s.lab);
		assert_int_equal(lab_count_events(s.lab, VD_EVENT_RTCP) - before,
			type == 200 || type == 201 || type == 203 || type == 207);
	}
}

static void rtcp_is_not_copied_without_the_flag_or_when_encrypted(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_MUX;
	send_rtcp(&s, 200, 28);
	s.flow->flags |= VD_FLOW_RTCP_COPY | VD_FLOW_SECURE;
	send_rtcp(&s, 200, 28);
	lab_read_events(s.lab);
	assert_int_equal(lab_count_events(s.lab, VD_EVENT_RTCP), 0);
}

static void flood_of_rtcp_is_forwarded_whole_and_copied_up_to_the_limit(void **state)
{
	const unsigned packets = 400;
	struct scene s;
	unsigned told;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_MUX | VD_FLOW_RTCP_COPY;
	for (unsigned i = 0; i < packets; i++) {
		send_rtcp(&s, 200, 128);
		lab_read_events(s.lab);
	}
	told = lab_count_events(s.lab, VD_EVENT_RTCP);
	assert_true(told >= VD_EVENTS_PER_SECOND && told < packets);
	assert_int_equal(told + lab_events_lost(s.lab), packets);
	assert_int_equal(lab_counter(s.lab, 0, VD_FORWARDED).packets, packets);
}

static void full_ring_buffer_costs_events_not_packets(void **state)
{
	const unsigned packets = 300;
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	for (unsigned i = 0; i < packets; i++) { /* a first packet is told at any rate */
		memset(s.stream, 0, sizeof(*s.stream));
		scene_expect(&s, VD_FORWARDED);
	}
	lab_read_events(s.lab);
	assert_true(lab_events_lost(s.lab) > 0);
	assert_int_equal(s.lab->events_count + lab_events_lost(s.lab), packets);
	assert_int_equal(lab_counter(s.lab, 0, VD_FORWARDED).packets, packets);
}

/* Who sweeps all ports makes an event at each: those of the calls themselves find room all the
 * same. */
static void what_strangers_cause_leaves_half_of_the_ring_to_the_calls(void **state)
{
	const unsigned strangers = 300;
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.sport = 4321;
	for (unsigned i = 0; i < strangers; i++) { /* the first of a stream is told at any rate */
		memset(s.stream, 0, sizeof(*s.stream));
		scene_expect(&s, VD_DROP_SOURCE);
	}
	s.in.sport = 4000;
	s.flow->flags |= VD_FLOW_LATCH;
	s.flow->src_port_be = 0;
	scene_expect(&s, VD_FORWARDED);
	only_event(&s, VD_EVENT_LATCHED);
	only_event(&s, VD_EVENT_FIRST_PACKET);
	assert_int_equal(s.lab->events_count + lab_events_lost(s.lab), strangers + 2);
	assert_in_range(lab_count_events(s.lab, VD_EVENT_REFUSED), 1,
		sysconf(_SC_PAGESIZE) / 2 / sizeof(struct vd_event));
	assert_int_equal(lab_counter(s.lab, 0, VD_DROP_SOURCE).packets, strangers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_packet_is_told_once_with_its_source),
		cmocka_unit_test(first_packet_behind_a_vlan_tag_names_its_source),
		cmocka_unit_test(first_packet_of_rtcp_and_opaque_flows_is_told),
		cmocka_unit_test(rtcp_on_a_shared_port_is_not_the_first_packet),
		cmocka_unit_test(latching_is_told_once),
		cmocka_unit_test(who_is_refused_is_told_whenever_there_were_twice_as_many),
		cmocka_unit_test(new_ssrc_is_told),
		cmocka_unit_test(alternating_ssrcs_are_counted_all_and_told_up_to_the_limit),
		cmocka_unit_test(telephone_event_is_told_at_its_end_once),
		cmocka_unit_test(telephone_event_is_found_behind_csrcs_and_header_extension),
		cmocka_unit_test(
			telephone_event_cut_short_or_encrypted_or_of_another_type_is_not_told),
		cmocka_unit_test(rtcp_reports_are_copied_as_they_came_up_to_the_limit),
		cmocka_unit_test(sr_rr_bye_and_xr_are_copied_and_no_others),
		cmocka_unit_test(rtcp_is_not_copied_without_the_flag_or_when_encrypted),
		cmocka_unit_test(flood_of_rtcp_is_forwarded_whole_and_copied_up_to_the_limit),
		cmocka_unit_test(full_ring_buffer_costs_events_not_packets),
		cmocka_unit_test(what_strangers_cause_leaves_half_of_the_ring_to_the_calls),
	};

	return cmocka_run_group_tests_name("bpf events", tests, lab_setup, lab_teardown);
}
