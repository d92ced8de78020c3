/* SPDX-License-Identifier: BSD-2-Clause */
/* How calls end: BYE and what it crosses, from us, by reload, and with peers that say nothing. */
#include "test_call_world.h"

static char b_invite[TEXT_MAX], text_a[TEXT_MAX];

static void byes_that_cross_are_both_answered(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	say(&w, &a, "BYE", NULL);
	say(&w, &b, "BYE", NULL);
	expect(&w, A, "SIP/2.0 200");
	copy_text(text_a, TEXT_MAX, expect(&w, B, "BYE "));
	expect(&w, B, "SIP/2.0 200");
	answer(&w, B, text_a, 481, NULL, NULL);
	expect_nothing(&w, A);
	world_close(&w);
}

/* A calls B with that offer, or none, and B answers; A has not acknowledged it yet. */
static void answered_without_ack(struct world *w, struct ua *a, struct ua *b, const char *sdp)
{
	world_open(w);
	invite(w, a, "100", sdp);
	copy_text(b_invite, TEXT_MAX, expect(w, B, "INVITE "));
	take(b, B, b_invite, "b1");
	answer(w, B, b_invite, 200, "b1", SDP_B);
	learn(a, expect(w, A, "SIP/2.0 200"));
}

static void bye_of_the_callee_waits_for_the_callers_ack(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	answered_without_ack(&w, &a, &b, SDP_A);
	expect(&w, B, "ACK ");
	hang_up(&w, &b);
	assert_int_equal(w.calls->live, 0);
	expect_nothing(&w, A);
	ack(&w, &a, 1, NULL);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void and_goes_out_in_the_end_without_it(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	answered_without_ack(&w, &a, &b, SDP_A);
	say(&w, &b, "BYE", NULL);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void the_caller_may_end_before_its_ack(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	answered_without_ack(&w, &a, &b, SDP_A);
	expect(&w, B, "ACK ");
	hang_up(&w, &a);
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	ack(&w, &a, 1, NULL);
	world_close(&w);
}

static void a_delayed_offer_still_open_is_acknowledged_without_answer(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	answered_without_ack(&w, &a, &b, NULL);
	call_hangup(the_call(&w), "Enough");
	expect(&w, B, "ACK ");
	has(expect(&w, B, "BYE "), "Enough");
	expect_nothing(&w, A);
	ack(&w, &a, 1, SDP_A);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void a_bye_that_nobody_answers_is_given_up(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	call_hangup(the_call(&w), "Enough");
	expect(&w, A, "BYE ");
	expect(&w, B, "BYE ");
	assert_int_equal(w.calls->live, 0);
	assert_int_equal(calls_count(w.calls), 1);
	world_close(&w);
}

static void a_call_is_hung_up_in_every_state(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	for (unsigned ringing = 0; ringing < 2; ringing++) {
		invite(&w, &a, "100", SDP_A);
		copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
		if (ringing) {
			answer(&w, B, b_invite, 180, "b1", NULL);
			expect(&w, A, "SIP/2.0 180");
		}
		call_hangup(the_call(&w), "Enough");
		call_hangup(the_call(&w), "Twice");
		expect_refusal(&w, &a, "SIP/2.0 480");
		if (!ringing)
			answer(&w, B, b_invite, 180, "b1", NULL);
		has(expect(&w, B, "CANCEL "), "Enough");
		answer_final(&w, B, b_invite, 487, "b1", NULL);
		world_is_empty(&w);
	}
	world_close(&w);
}

static void shutting_down_ends_all_and_takes_no_more(void **state)
{
	struct world w;
	struct ua a, b, late;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	calls_shutdown(w.calls);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	invite(&w, &late, "100", SDP_A);
	expect_refusal(&w, &late, "SIP/2.0 503");
	world_close(&w);
}

static void a_request_after_the_end_finds_no_dialog(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	bye_from(&w, &a, B);
	world_is_empty(&w);
	say(&w, &a, "INFO", NULL);
	expect(&w, A, "SIP/2.0 481");
	say(&w, &b, "BYE", NULL);
	expect(&w, B, "SIP/2.0 481");
	world_close(&w);
}

/* ---- reload ---- */

/* The same configuration with the internal listener on another port. */
static void move_listener(struct world *w)
{
	uint16_t port;
	int fd = udp_socket("127.0.0.1", &port);

	close(fd);
	w->listener_port[SIDE_INTERNAL] = port;
	world_reload(w, "");
	run_ms(w, 2);
}

static void a_listener_that_goes_takes_its_unanswered_calls_along(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_invite, 180, "b1", NULL);
	move_listener(&w);
	answer(&w, B, expect(&w, B, "CANCEL "), 200, "b1", NULL);
	answer(&w, B, b_invite, 487, "b1", NULL);
	world_close(&w);
}

static void an_answered_call_moves_to_the_new_listener(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	move_listener(&w);
	say(&w, &b, "INFO", NULL);
	answer(&w, A, expect(&w, A, "INFO "), 200, NULL, NULL);
	expect(&w, B, "SIP/2.0 200");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_listener_that_goes_before_the_ack_ends_the_call(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 200, "b1", SDP_B);
	expect(&w, A, "SIP/2.0 200");
	expect(&w, B, "ACK ");
	move_listener(&w);
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void a_listener_that_goes_during_a_change_leaves_the_call_usable(void **state)
{
	struct world w;
	struct ua a, b;
	unsigned cseq;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	say(&w, &a, "INVITE", SDP_HOLD);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_invite, 100, NULL, NULL);
	move_listener(&w);
	expect(&w, B, "CANCEL ");
	answer_final(&w, B, b_invite, 487, NULL, NULL);
	say(&w, &b, "INVITE", SDP_B);
	cseq = b.cseq;
	answer(&w, A, expect(&w, A, "INVITE "), 200, NULL, SDP_A);
	expect(&w, B, "SIP/2.0 200");
	expect(&w, A, "ACK ");
	ack(&w, &b, cseq, NULL);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void calls_that_still_are_when_the_room_closes_leave_nothing(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	say(&w, &a, "INVITE", SDP_A);
	invite(&w, &a, "100", SDP_A);
	invite(&w, &a, "200", NULL);
	run_ms(&w, 5);
	assert_int_equal(calls_count(w.calls), 3);
	world_free(&w);
}

static void note_length(void *ctx, const struct call_record *record)
{
	*(uint64_t *)ctx = record->talk_ms;
}

static void a_clock_that_is_set_makes_no_call_longer(void **state)
{
	char invite_text[TEXT_MAX];
	uint64_t talk_ms = 0;
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	calls_set_recorder(w.calls, note_length, &talk_ms);
	establish(&w, &a, &b, invite_text, "200");
	run_ms(&w, 100);
	test_clock_late_ms = 3600000;
	bye_from(&w, &a, B);
	test_clock_late_ms = 0;
	assert_in_range(talk_ms, 100, PATIENCE_MS);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(byes_that_cross_are_both_answered),
		cmocka_unit_test(bye_of_the_callee_waits_for_the_callers_ack),
		cmocka_unit_test(and_goes_out_in_the_end_without_it),
		cmocka_unit_test(the_caller_may_end_before_its_ack),
		cmocka_unit_test(a_delayed_offer_still_open_is_acknowledged_without_answer),
		cmocka_unit_test(a_bye_that_nobody_answers_is_given_up),
		cmocka_unit_test(a_call_is_hung_up_in_every_state),
		cmocka_unit_test(shutting_down_ends_all_and_takes_no_more),
		cmocka_unit_test(a_request_after_the_end_finds_no_dialog),
		cmocka_unit_test(a_listener_that_goes_takes_its_unanswered_calls_along),
		cmocka_unit_test(an_answered_call_moves_to_the_new_listener),
		cmocka_unit_test(a_listener_that_goes_before_the_ack_ends_the_call),
		cmocka_unit_test(a_listener_that_goes_during_a_change_leaves_the_call_usable),
		cmocka_unit_test(calls_that_still_are_when_the_room_closes_leave_nothing),
		cmocka_unit_test(a_clock_that_is_set_makes_no_call_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
