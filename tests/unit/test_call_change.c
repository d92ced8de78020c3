/* SPDX-License-Identifier: BSD-2-Clause */
/* An answered call that changes: re-INVITE, UPDATE, INFO, and what crosses them. */
#include "test_call_world.h"

static char b_invite[TEXT_MAX], a_request[TEXT_MAX], b_request[TEXT_MAX];

static void begin(struct world *w, struct ua *a, struct ua *b)
{
	world_open(w);
	establish(w, a, b, b_invite, "100");
}

/* A re-INVITE of `from`, answered 200 by the other and acknowledged all through. */
static void change(
	struct world *w, struct ua *from, enum who other, const char *offer, const char *answer_sdp)
{
	unsigned cseq;

	say(w, from, "INVITE", offer);
	cseq = from->cseq;
	answer(w, other, expect(w, other, "INVITE "), 200, NULL, answer_sdp);
	expect(w, from->who, "SIP/2.0 200");
	expect(w, other, "ACK ");
	ack(w, from, cseq, NULL);
}

static struct addr remote_of(struct world *w, enum leg leg)
{
	struct media_stream_info info;

	assert_int_equal(media_stream_info(call_media(the_call(w)), 0, &info), 0);
	return info.leg[leg].remote;
}

static void hold_and_resume_are_told(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	change(&w, &a, B, SDP_HOLD, SDP("5000", "a=recvonly\r\n"));
	assert_int_equal(strncmp(w.last_event, "hold", 4), 0);
	assert_true(the_call(&w)->held);
	change(&w, &a, B, SDP_A, SDP_B);
	assert_int_equal(strncmp(w.last_event, "resume", 6), 0);
	change(&w, &b, A, SDP("5000", "a=inactive\r\n"), SDP("4000", "a=inactive\r\n"));
	assert_true(the_call(&w)->held);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_refused_change_leaves_the_media_as_it_was(void **state)
{
	static const int codes[] = {488, 603, 401, 500};
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		char seen[32];

		say(&w, &a, "INVITE", SDP("4444", ""));
		answer_final(&w, B, expect(&w, B, "INVITE "), codes[i], NULL, NULL);
		snprintf(seen, sizeof(seen), "SIP/2.0 %d", codes[i] == 401 ? 403 : codes[i]);
		expect(&w, A, seen);
		assert_int_equal(remote_of(&w, LEG_A).port, 4000);
		assert_false(media_offer_pending(call_media(the_call(&w))));
	}
	change(&w, &a, B, SDP("4444", ""), SDP_B);
	assert_int_equal(remote_of(&w, LEG_A).port, 4444);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void two_changes_that_cross_are_both_refused_491(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	copy_text(a_request, TEXT_MAX, say(&w, &a, "INVITE", SDP_A));
	say(&w, &b, "INVITE", SDP_B);
	expect(&w, B, "INVITE ");
	expect(&w, B, "SIP/2.0 491");
	/* UPDATE too, and a second re-INVITE of the same leg. */
	say(&w, &b, "UPDATE", SDP_B);
	expect(&w, B, "SIP/2.0 491");
	say(&w, &a, "INVITE", SDP_A);
	has(expect(&w, A, "SIP/2.0 500"), "Retry-After: ");
	bye_from(&w, &a, B);
	expect(&w, A, "SIP/2.0 487");
	world_close(&w);
}

static void a_change_waits_for_the_ack_of_the_one_before(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 200, NULL, SDP_B);
	expect(&w, A, "SIP/2.0 200");
	expect(&w, B, "ACK ");
	say(&w, &b, "INVITE", SDP_B);
	expect_nothing(&w, A);
	expect_nothing(&w, B);
	/* One that waits is enough. */
	say(&w, &b, "INVITE", SDP_B);
	expect(&w, B, "SIP/2.0 491");
	ack(&w, &a, a.cseq, NULL);
	answer_final(&w, A, expect(&w, A, "INVITE "), 200, NULL, SDP_A);
	expect(&w, B, "SIP/2.0 200");
	ack(&w, &b, b.cseq - 1, NULL);
	change(&w, &b, A, SDP_B, SDP_A);
	bye_from(&w, &b, A);
	world_close(&w);
}

/* PBXs move the media as soon as they are answered: their re-INVITE overtakes the caller's ACK. */
static void a_change_waits_for_the_ack_of_the_first_invite(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	say(&w, &b, "INVITE", SDP("5002", ""));
	expect_nothing(&w, B);
	ack(&w, &a, 1, NULL);
	answer_final(&w, A, expect(&w, A, "INVITE "), 200, NULL, SDP_A);
	expect(&w, B, "SIP/2.0 200");
	ack(&w, &b, b.cseq, NULL);
	assert_int_equal(remote_of(&w, LEG_B).port, 5002);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void what_waits_for_an_ack_can_be_cancelled_and_ends_with_the_call(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	for (unsigned i = 0; i < 2; i++) {
		say(&w, &a, "INVITE", SDP_A);
		answer(&w, B, expect(&w, B, "INVITE "), 200, NULL, SDP_B);
		expect(&w, A, "SIP/2.0 200");
		expect(&w, B, "ACK ");
		copy_text(b.invite_branch, sizeof(b.invite_branch), new_branch());
		say_with(&w, &b, "INVITE", 0, b.invite_branch, "", SDP_B);
		if (i == 0) {
			cancel(&w, &b);
			expect(&w, B, "SIP/2.0 200");
			expect(&w, B, "SIP/2.0 487");
			ack(&w, &a, a.cseq, NULL);
			expect_nothing(&w, A);
		}
	}
	hang_up(&w, &a);
	expect(&w, B, "SIP/2.0 487");
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void an_ack_that_stays_away_is_waited_for_a_short_time(void **state)
{
	struct world w;
	struct ua a, b;
	struct loop_timer *t;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 200, NULL, SDP_B);
	expect(&w, A, "SIP/2.0 200");
	expect(&w, B, "ACK ");
	say(&w, &b, "INVITE", SDP_B);
	t = &the_call(&w)->held_back.timer;
	assert_true(t->due_ms <= loop_now_ms(w.loop) + 2000);
	loop_timer_start(w.loop, t, 0);
	expect(&w, B, "SIP/2.0 491");
	ack(&w, &a, a.cseq, NULL);
	expect_nothing(&w, A);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void an_unusable_answer_to_a_change_keeps_what_was(void **state)
{
	static const char *const answers[] = {NULL, "v=nonsense\r\n", SDP("0", "")};
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	for (unsigned i = 0; i < 2; i++) {
		say(&w, &a, "INVITE", SDP("4444", ""));
		answer_final(&w, B, expect(&w, B, "INVITE "), 200, NULL, answers[i]);
		expect(&w, A, "SIP/2.0 488");
		assert_int_equal(remote_of(&w, LEG_A).port, 4000);
		say(&w, &a, "UPDATE", SDP("4444", ""));
		answer(&w, B, expect(&w, B, "UPDATE "), 200, NULL, answers[i]);
		expect(&w, A, "SIP/2.0 488");
		assert_int_equal(remote_of(&w, LEG_A).port, 4000);
	}
	/* And the next one goes through, from either leg. */
	change(&w, &b, A, SDP_B, SDP_A);
	change(&w, &a, B, SDP_A, SDP_B);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void an_early_answer_to_a_change_stands_for_a_2xx_without(void **state)
{
	struct world w;
	struct ua a, b;
	unsigned cseq;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", SDP("4444", ""));
	cseq = a.cseq;
	copy_text(b_request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_request, 183, NULL, SDP_B);
	has(expect(&w, A, "SIP/2.0 183"), "m=audio");
	answer_final(&w, B, b_request, 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, cseq, NULL);
	assert_int_equal(remote_of(&w, LEG_A).port, 4444);
	assert_false(media_offer_pending(call_media(the_call(&w))));
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_delayed_change_is_answered_in_its_ack(void **state)
{
	struct world w;
	struct ua a, b;
	unsigned cseq;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", NULL);
	cseq = a.cseq;
	answer(&w, B, expect(&w, B, "INVITE "), 200, NULL, SDP("5000", "a=sendonly\r\n"));
	has(expect(&w, A, "SIP/2.0 200"), "a=sendonly");
	/* The offer is open until then. */
	say(&w, &a, "UPDATE", SDP_A);
	expect(&w, A, "SIP/2.0 491");
	say(&w, &b, "UPDATE", SDP_B);
	expect(&w, B, "SIP/2.0 500");
	ack(&w, &a, cseq, SDP("4000", "a=recvonly\r\n"));
	has(expect(&w, B, "ACK "), "a=recvonly");
	assert_true(the_call(&w)->held);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_delayed_change_with_an_unusable_offer_ends_the_call(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", NULL);
	answer_final(&w, B, expect(&w, B, "INVITE "), 200, NULL, "v=nonsense\r\n");
	expect(&w, A, "SIP/2.0 488");
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void a_change_is_cancelled_and_the_call_goes_on(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	copy_text(a.invite_branch, sizeof(a.invite_branch), new_branch());
	say_with(&w, &a, "INVITE", 0, a.invite_branch, "", SDP("4444", ""));
	copy_text(b_request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_request, 180, NULL, NULL);
	expect(&w, A, "SIP/2.0 180");
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	answer(&w, B, expect(&w, B, "CANCEL "), 200, NULL, NULL);
	answer_final(&w, B, b_request, 487, NULL, NULL);
	expect(&w, A, "SIP/2.0 487");
	assert_int_equal(remote_of(&w, LEG_A).port, 4000);
	assert_int_equal(the_call(&w)->state, CALL_ANSWERED);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void bye_that_crosses_a_change_ends_both(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", SDP_A);
	copy_text(b_request, TEXT_MAX, expect(&w, B, "INVITE "));
	hang_up(&w, &b);
	expect(&w, A, "SIP/2.0 487");
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	/* Its 200 was on the way: acknowledged, and no more said. */
	answer_final(&w, B, b_request, 200, NULL, SDP_B);
	expect_nothing(&w, B);
	expect_nothing(&w, A);
	world_close(&w);
}

static void a_leg_that_knows_the_dialog_no_more_ends_the_call(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", SDP_A);
	answer_final(&w, B, expect(&w, B, "INVITE "), 481, NULL, NULL);
	expect(&w, A, "SIP/2.0 481");
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	expect_nothing(&w, B);
	world_close(&w);
}

static void a_leg_that_does_not_answer_ends_the_call(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INFO", NULL);
	expect(&w, B, "INFO ");
	expect(&w, A, "SIP/2.0 408");
	expect(&w, B, "BYE ");
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

/* Tells b's re-INVITE 183 until it hears that it was given up. Returns how often. */
static unsigned tell_progress_until_cancelled(struct world *w, char *invite)
{
	unsigned told = 0;
	const char *text = "";

	while (told < 200 && strncmp(text, "CANCEL ", 7) != 0) {
		answer(w, B, invite, 183, NULL, NULL);
		told++;
		text = receive(w, B, 50);
	}
	assert_memory_equal(text, "CANCEL ", 7);
	answer(w, B, text, 200, NULL, NULL);
	return told;
}

/* The next message to a that is no provisional response. */
static const char *expect_final(struct world *w, const char *start)
{
	const char *text;

	do
		text = receive(w, A, PATIENCE_MS);
	while (strncmp(text, "SIP/2.0 1", 9) == 0);
	assert_memory_equal(text, start, strlen(start));
	return text;
}

static void a_change_that_gets_provisional_responses_for_ever_is_given_up(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	w.cfg->reinvite_timeout_s = 1; /* far below timers.ring */
	say(&w, &a, "INVITE", SDP("4444", ""));
	copy_text(b_request, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_in_range(tell_progress_until_cancelled(&w, b_request), 2, 199);
	answer_final(&w, B, b_request, 487, NULL, NULL);
	expect_final(&w, "SIP/2.0 504");
	/* The call is as it was, and may be changed again. */
	assert_int_equal(remote_of(&w, LEG_A).port, 4000);
	assert_false(media_offer_pending(call_media(the_call(&w))));
	change(&w, &a, B, SDP("4446", ""), SDP_B);
	assert_int_equal(remote_of(&w, LEG_A).port, 4446);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_change_that_is_accepted_after_it_was_given_up_is_taken_back(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	w.cfg->reinvite_timeout_s = 1;
	say(&w, &a, "INVITE", SDP_HOLD);
	copy_text(b_request, TEXT_MAX, expect(&w, B, "INVITE "));
	tell_progress_until_cancelled(&w, b_request);
	expect_final(&w, "SIP/2.0 504");
	answer(&w, B, b_request, 200, NULL, SDP("5000", "a=recvonly\r\n"));
	expect(&w, B, "ACK ");
	copy_text(a_request, TEXT_MAX, expect(&w, B, "INVITE "));
	has_not(a_request, "a=sendonly");
	/* Its 2xx again wants its ACK again, and nothing else. */
	answer(&w, B, b_request, 200, NULL, SDP("5000", "a=recvonly\r\n"));
	has(receive_any(&w, B, PATIENCE_MS), "ACK sip:");
	answer(&w, B, a_request, 200, NULL, SDP_B);
	expect(&w, B, "ACK ");
	expect_nothing(&w, B);
	assert_false(the_call(&w)->held);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void requests_out_of_order_are_refused(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	a.cseq = 40;
	say(&w, &a, "INFO", NULL);
	answer(&w, B, expect(&w, B, "INFO "), 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	say_with(&w, &a, "INFO", 40, new_branch(), "", NULL);
	expect(&w, A, "SIP/2.0 500");
	say_with(&w, &a, "INFO", 2, new_branch(), "", NULL);
	expect(&w, A, "SIP/2.0 500");
	say_with(&w, &a, "INFO", 2147483647, new_branch(), "", NULL);
	has(expect(&w, B, "INFO "), "CSeq: 3 INFO");
	say_with(&w, &a, "BYE", 2147483647, new_branch(), "", NULL);
	expect(&w, A, "SIP/2.0 500");
	hang_up(&w, &b);
	expect(&w, A, "SIP/2.0 481"); /* to the INFO that was still open */
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void a_target_moves_only_once_the_change_is_accepted(void **state)
{
	uint16_t port;
	struct world w;
	struct ua a, b;
	int moved = udp_socket(host_of[A], &port), old;

	(void)state;
	begin(&w, &a, &b);
	old = w.port[A];
	w.port[A] = port; /* in Via and Contact */
	copy_text(b_request, TEXT_MAX, say(&w, &a, "INVITE", SDP_A));
	answer_final(&w, B, expect(&w, B, "INVITE "), 488, NULL, NULL);
	say(&w, &b, "INFO", NULL);
	expect(&w, A, "SIP/2.0 488"); /* by rport */
	expect(&w, A, "INFO ");
	change(&w, &a, B, SDP_A, SDP_B);
	say(&w, &b, "INFO", NULL);
	expect_nothing(&w, A);
	w.port[A] = (uint16_t)old;
	close(w.fd[A]);
	w.fd[A] = moved;
	expect(&w, A, "INFO ");
	world_free(&w);
}

static void a_change_that_nobody_acknowledges_ends_the_call(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 200, NULL, SDP_B);
	expect(&w, A, "SIP/2.0 200");
	expect(&w, B, "ACK ");
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hold_and_resume_are_told),
		cmocka_unit_test(a_refused_change_leaves_the_media_as_it_was),
		cmocka_unit_test(two_changes_that_cross_are_both_refused_491),
		cmocka_unit_test(a_change_waits_for_the_ack_of_the_one_before),
		cmocka_unit_test(a_change_waits_for_the_ack_of_the_first_invite),
		cmocka_unit_test(what_waits_for_an_ack_can_be_cancelled_and_ends_with_the_call),
		cmocka_unit_test(an_ack_that_stays_away_is_waited_for_a_short_time),
		cmocka_unit_test(an_unusable_answer_to_a_change_keeps_what_was),
		cmocka_unit_test(an_early_answer_to_a_change_stands_for_a_2xx_without),
		cmocka_unit_test(a_delayed_change_is_answered_in_its_ack),
		cmocka_unit_test(a_delayed_change_with_an_unusable_offer_ends_the_call),
		cmocka_unit_test(a_change_is_cancelled_and_the_call_goes_on),
		cmocka_unit_test(bye_that_crosses_a_change_ends_both),
		cmocka_unit_test(a_leg_that_knows_the_dialog_no_more_ends_the_call),
		cmocka_unit_test(a_leg_that_does_not_answer_ends_the_call),
		cmocka_unit_test(a_change_that_gets_provisional_responses_for_ever_is_given_up),
		cmocka_unit_test(a_change_that_is_accepted_after_it_was_given_up_is_taken_back),
		cmocka_unit_test(requests_out_of_order_are_refused),
		cmocka_unit_test(a_target_moves_only_once_the_change_is_accepted),
		cmocka_unit_test(a_change_that_nobody_acknowledges_ends_the_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
