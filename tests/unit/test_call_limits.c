/* SPDX-License-Identifier: BSD-2-Clause */
/* What a call may take, and what is given back. */
#include "test_call_world.h"

#define ROUNDS 300

static char b_invite[TEXT_MAX];

static void calls_beyond_the_limit_get_503_until_one_ends(void **state)
{
	struct world w;
	struct ua a, b, more;

	(void)state;
	world_open_with(&w, "limits: {calls: 1}\n");
	establish(&w, &a, &b, b_invite, "100");
	invite(&w, &more, "100", SDP_A);
	has(expect(&w, A, "SIP/2.0 503"), "Retry-After: ");
	assert_int_equal(w.calls->counters.refused_limit, 1);
	/* The place is free with the BYE, whether it is answered or not. */
	say(&w, &b, "BYE", NULL);
	expect(&w, B, "SIP/2.0 200");
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	establish(&w, &a, &b, b_invite, "100");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void calls_that_only_end_are_bounded_too(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open_with(&w, "limits: {calls: 2}\n");
	for (unsigned i = 0; i < CALLS_ENDING_FACTOR * 2; i++) {
		invite(&w, &a, "100", SDP_A);
		expect(&w, B, "INVITE ");
		cancel(&w, &a);
		expect(&w, A, "SIP/2.0 200");
		expect_refusal(&w, &a, "SIP/2.0 487");
	}
	assert_int_equal(w.calls->live, 0);
	invite(&w, &a, "100", SDP_A);
	expect(&w, A, "SIP/2.0 503");
	world_is_empty(&w);
	invite(&w, &a, "100", SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 486, "b1", NULL);
	expect(&w, A, "SIP/2.0 486");
	world_close(&w);
}

static void calls_a_second_are_limited(void **state)
{
	unsigned refused = 0;
	struct world w;
	struct ua a;

	(void)state;
	world_open_with(&w, "limits: {calls_per_second: 3}\n");
	for (unsigned i = 0; i < 6; i++) {
		invite(&w, &a, "999999", "v=nonsense\r\n");
		refused += strncmp(receive(&w, A, PATIENCE_MS), "SIP/2.0 503", 11) == 0;
	}
	assert_in_range(refused, 2, 3); /* a second may begin in between */
	world_close(&w);
}

static void requests_under_way_in_a_call_are_bounded(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	/* One is the INVITE's, which listens for more 2xx. */
	for (unsigned i = 1; i < CALL_EXCHANGES_MAX; i++) {
		say(&w, &a, "INFO", NULL);
		expect(&w, B, "INFO ");
	}
	say(&w, &b, "INFO", NULL);
	has(expect(&w, B, "SIP/2.0 500"), "Retry-After: ");
	say(&w, &b, "BYE", NULL);
	expect(&w, B, "SIP/2.0 200");
	for (unsigned i = 1; i < CALL_EXCHANGES_MAX; i++)
		expect(&w, A, "SIP/2.0 481");
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void without_ports_a_call_is_refused_and_the_next_peer_helps_nothing(void **state)
{
	struct media_status media;
	struct world w;
	struct ua a;
	unsigned i, max;

	(void)state;
	world_open(&w);
	media_get_status(calls_media(w.calls), &media);
	max = media.ports_total[SIDE_INTERNAL] / 2;
	for (i = 0; i < max; i++) {
		invite(&w, &a, "100", SDP_A);
		expect(&w, B, "INVITE ");
	}
	invite(&w, &a, "200", SDP_A);
	has(expect(&w, A, "SIP/2.0 503"), "Retry-After: ");
	assert_in_range(w.calls->counters.refused_ports, 1, 2);
	calls_shutdown(w.calls);
	world_close(&w);
}

/* Calls made and broken in every way, one after the other, leave what they found. */
static void nothing_is_left_of_calls_without_number(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open_with(&w, "timers: {port_quarantine: 0}\n");
	for (unsigned i = 0; i < ROUNDS; i++) {
		switch (i % 4) {
		case 0:
			establish(&w, &a, &b, b_invite, "100");
			bye_from(&w, i % 8 ? &a : &b, i % 8 ? B : A);
			break;
		case 1:
			invite(&w, &a, "200", SDP_A);
			answer(&w, B, expect(&w, B, "INVITE "), 503, "b1", NULL);
			expect(&w, B, "ACK ");
			answer(&w, C, expect(&w, C, "INVITE "), 486, "c1", NULL);
			expect(&w, C, "ACK ");
			expect_refusal(&w, &a, "SIP/2.0 486");
			break;
		case 2:
			invite(&w, &a, "100", i % 8 ? SDP_A : NULL);
			copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
			answer(&w, B, b_invite, 183, "b1", SDP_B);
			expect(&w, A, "SIP/2.0 183");
			cancel(&w, &a);
			expect(&w, A, "SIP/2.0 200");
			expect_refusal(&w, &a, "SIP/2.0 487");
			expect(&w, B, "CANCEL ");
			answer(&w, B, b_invite, 487, "b1", NULL);
			expect(&w, B, "ACK ");
			break;
		default:
			establish(&w, &a, &b, b_invite, "100");
			say(&w, &a, "INVITE", SDP_HOLD);
			expect(&w, B, "INVITE ");
			call_hangup(the_call(&w), "Enough");
			expect(&w, A, "SIP/2.0 487");
			answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
			answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
		}
		if (i % 20 == 19)
			world_is_empty(&w);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_beyond_the_limit_get_503_until_one_ends),
		cmocka_unit_test(calls_that_only_end_are_bounded_too),
		cmocka_unit_test(calls_a_second_are_limited),
		cmocka_unit_test(requests_under_way_in_a_call_are_bounded),
		cmocka_unit_test(without_ports_a_call_is_refused_and_the_next_peer_helps_nothing),
		cmocka_unit_test(nothing_is_left_of_calls_without_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
