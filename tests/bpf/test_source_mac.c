/* SPDX-License-Identifier: BSD-2-Clause */
/* From which MAC address a flow's packets come: it is told when it is another one, and packets fare
 * no better or worse for it. */
#include <arpa/inet.h>
#include <string.h>

#include "scene.h"

#define CHANGES 400 /* more than VD_EVENTS_PER_SECOND, in far less than as many seconds */

static uint32_t end_of(const uint8_t mac[6])
{
	uint32_t end;

	memcpy(&end, mac + 2, sizeof(end));
	return end;
}

/* As if the last one told was told a while ago. */
static void let_a_second_pass(struct scene *s)
{
	s->stream->mac_second = 0;
}

static const struct vd_event *last_told(struct scene *s, unsigned told)
{
	const struct vd_event *found = NULL;

	lab_read_events(s->lab);
	assert_int_equal(lab_count_events(s->lab, VD_EVENT_SOURCE_MAC), told);
	for (unsigned i = 0; i < s->lab->events_count; i++)
		if (s->lab->events[i].head.type == VD_EVENT_SOURCE_MAC)
			found = &s->lab->events[i].head;
	return found;
}

static void expect_told(struct scene *s, uint32_t before)
{
	const struct vd_event *event;

	scene_expect(s, VD_FORWARDED);
	event = last_told(s, 1);
	assert_int_equal(event->value, end_of(s->in.smac));
	assert_int_equal(event->before, before);
	assert_int_equal(event->cookie, SCENE_COOKIE);
	assert_int_equal(event->stream, SCENE_STREAM);
	assert_memory_equal(event->addr, s->in.src, 16);
	assert_int_equal(event->port_be, htons(s->in.sport));
	assert_int_equal(s->flow->src_mac, end_of(s->in.smac));
	scene_expect(s, VD_FORWARDED);
	last_told(s, 1);
}

static void the_first_packet_tells_where_it_comes_from(void **state)
{
	struct scene s;

	for (int families = SCENE_4_TO_4; families <= SCENE_6_TO_6; families++) {
		scene_open(&s, state, (enum scene_families)families);
		s.flow->src_mac = 0;
		expect_told(&s, 0);
	}
}

static void each_of_the_last_four_bytes_tells_another_sender(void **state)
{
	struct scene s;

	for (int byte = 2; byte < 6; byte++) {
		uint32_t before;

		scene_open(&s, state, byte & 1 ? SCENE_4_TO_6 : SCENE_6_TO_4);
		before = s.flow->src_mac;
		s.in.smac[byte] ^= 0x80;
		expect_told(&s, before);
	}
}

static void it_is_found_behind_a_vlan_tag(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.tci = 9;
	s.local->vlan = 9;
	lab_set_locals(s.lab);
	scene_expect(&s, VD_FORWARDED);
	last_told(&s, 0);
	s.in.smac[5] = 0x77;
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(last_told(&s, 1)->value, end_of(s.in.smac));
}

static void rtcp_and_what_is_no_rtp_tell_it_too(void **state)
{
	static const uint16_t flags[] = {VD_FLOW_RTCP, VD_FLOW_OPAQUE};
	struct scene s;

	for (int i = 0; i < 2; i++) {
		uint32_t before;

		scene_open(&s, state, SCENE_4_TO_4);
		before = s.flow->src_mac;
		s.flow->flags |= flags[i];
		s.rtp[1] = s.rtp_out[1] = 201;
		s.in.smac[5] = 0x77;
		expect_told(&s, before);
	}
}

static void a_flow_that_sends_nowhere_now_tells_it_as_well(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.flow->flags |= VD_FLOW_BLACKHOLE;
	s.in.smac[5] = 0x77;
	scene_expect(&s, VD_DROP_HELD);
	last_told(&s, 1);
}

static void strangers_and_what_is_refused_tell_nothing(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	s.in.smac[5] = 0x77;
	s.in.sport++;
	scene_expect(&s, VD_DROP_SOURCE);
	s.in.sport--;
	s.in.ttl = 1;
	scene_expect(&s, VD_DROP_TTL);
	s.in.ttl = 60;
	s.rtp[0] = 0;
	scene_expect(&s, VD_DROP_STUN);
	last_told(&s, 0);
	/* What may latch, and does not. */
	s.flow->flags |= VD_FLOW_LATCH;
	scene_expect(&s, VD_DROP_STUN);
	last_told(&s, 0);
	s.rtp[0] = 0x80;
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(lab_count_events(s.lab, VD_EVENT_LATCHED), 0);
	last_told(&s, 1);
	assert_int_equal(lab_count_events(s.lab, VD_EVENT_LATCHED), 1);
}

static void senders_who_take_turns_are_told_once_a_second_and_cost_no_other_event(void **state)
{
	struct scene s;
	unsigned told;

	scene_open(&s, state, SCENE_4_TO_4);
	for (unsigned i = 0; i < CHANGES; i++) {
		s.in.smac[5] = i & 1 ? 0x77 : 0x78;
		scene_expect(&s, VD_FORWARDED);
		lab_read_events(s.lab);
	}
	told = lab_count_events(s.lab, VD_EVENT_SOURCE_MAC);
	/* The test may run over a second's end, or several. */
	assert_in_range(told, 1, CHANGES / 4);
	assert_int_equal(s.stream->event_count, 0);
	assert_int_equal(lab_events_lost(s.lab), 0);
}

static void what_the_second_has_no_room_for_is_told_in_a_later_one(void **state)
{
	struct scene s;
	uint32_t before;

	scene_open(&s, state, SCENE_4_TO_4);
	/* Until both come within one. */
	do {
		let_a_second_pass(&s);
		s.lab->events_count = 0;
		s.in.smac[5] = 0x77;
		s.flow->src_mac = 0;
		scene_expect(&s, VD_FORWARDED);
		before = s.stream->mac_second;
		s.in.smac[5] = 0x78;
		scene_expect(&s, VD_FORWARDED);
	} while (s.stream->mac_second != before);
	s.in.smac[5] = 0x77;
	assert_int_equal(s.flow->src_mac, end_of(s.in.smac));
	last_told(&s, 1);
	let_a_second_pass(&s);
	s.in.smac[5] = 0x78;
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(s.flow->src_mac, end_of(s.in.smac));
	assert_int_equal(last_told(&s, 2)->value, end_of(s.in.smac));
}

static void what_the_ring_buffer_has_no_room_for_is_told_later(void **state)
{
	struct scene s;
	uint32_t before;

	scene_open(&s, state, SCENE_4_TO_4);
	while (!lab_events_lost(s.lab)) { /* a first packet is told at any rate */
		memset(s.stream, 0, sizeof(*s.stream));
		scene_expect(&s, VD_FORWARDED);
	}
	before = s.flow->src_mac;
	s.in.smac[5] = 0x77;
	scene_expect(&s, VD_FORWARDED);
	assert_int_equal(s.flow->src_mac, before);
	lab_read_events(s.lab);
	s.lab->events_count = 0;
	let_a_second_pass(&s);
	expect_told(&s, before);
}

/* 0 stands for one that is not known. */
static void a_mac_address_that_ends_in_zeroes_is_none(void **state)
{
	struct scene s;
	uint32_t before;

	scene_open(&s, state, SCENE_4_TO_4);
	before = s.flow->src_mac;
	memset(s.in.smac + 2, 0, 4);
	scene_expect(&s, VD_FORWARDED);
	last_told(&s, 0);
	assert_int_equal(s.flow->src_mac, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_packet_tells_where_it_comes_from),
		cmocka_unit_test(each_of_the_last_four_bytes_tells_another_sender),
		cmocka_unit_test(it_is_found_behind_a_vlan_tag),
		cmocka_unit_test(rtcp_and_what_is_no_rtp_tell_it_too),
		cmocka_unit_test(a_flow_that_sends_nowhere_now_tells_it_as_well),
		cmocka_unit_test(strangers_and_what_is_refused_tell_nothing),
		cmocka_unit_test(
			senders_who_take_turns_are_told_once_a_second_and_cost_no_other_event),
		cmocka_unit_test(what_the_second_has_no_room_for_is_told_in_a_later_one),
		cmocka_unit_test(what_the_ring_buffer_has_no_room_for_is_told_later),
		cmocka_unit_test(a_mac_address_that_ends_in_zeroes_is_none),
	};

	return cmocka_run_group_tests_name("bpf source MAC", tests, lab_setup, lab_teardown);
}
