/* SPDX-License-Identifier: BSD-2-Clause */
/* Reliable provisional responses (RFC 3262) where one leg has them and the other has not. */
#include "test_call_world.h"

#define CAN   "Supported: 100rel\r\n"
#define NEEDS "Require: 100rel\r\n"

static char b_invite[TEXT_MAX], seen[TEXT_MAX];

static struct session_config *session_of(struct world *w, enum who who)
{
	return &w->cfg->peer[who].session;
}

static void begin_with(
	struct world *w, struct ua *a, struct ua *b, const char *extra, const char *sdp)
{
	invite_with(w, a, "100", extra, sdp);
	copy_text(b_invite, TEXT_MAX, expect(w, B, "INVITE "));
	take(b, B, b_invite, "b1");
}

static void begin(struct world *w, struct ua *a, struct ua *b, const char *extra)
{
	world_open(w);
	begin_with(w, a, b, extra, SDP_A);
}

/* B answers, A is answered and acknowledges. */
static void finish(struct world *w, struct ua *a, const char *sdp)
{
	answer_final(w, B, b_invite, 200, "b1", sdp);
	copy_text(seen, TEXT_MAX, expect(w, A, "SIP/2.0 200"));
	learn(a, seen);
	ack(w, a, 1, NULL);
	bye_from(w, a, B);
	world_close(w);
}

static unsigned rseq_of(const char *text)
{
	return (unsigned)strtoul(header(text, "RSeq"), NULL, 10);
}

static void we_acknowledge_for_a_caller_that_cannot(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	session_of(&w, B)->reliable = RELIABLE_END;
	begin_with(&w, &a, &b, "", SDP_A);
	has(header(b_invite, "Supported"), "100rel");
	answer_reliably(&w, B, b_invite, 183, "b1", 7, SDP_B);
	text = expect(&w, A, "SIP/2.0 183");
	has(text, "m=audio");
	has_not(text, "100rel");
	has_not(text, "RSeq");
	text = expect(&w, B, "PRACK ");
	has(text, "RAck: 7 1 INVITE");
	answer(&w, B, text, 200, NULL, NULL);
	/* The same again is acknowledged no more, one out of order not yet. */
	answer_reliably(&w, B, b_invite, 183, "b1", 7, SDP_B);
	answer_reliably(&w, B, b_invite, 180, "b1", 9, NULL);
	expect_nothing(&w, A);
	expect_nothing(&w, B);
	answer_reliably(&w, B, b_invite, 180, "b1", 8, NULL);
	expect(&w, A, "SIP/2.0 180");
	has(expect(&w, B, "PRACK "), "RAck: 8 1 INVITE");
	/* The 2xx need not have the answer; for A it has (it had it from nowhere for good). */
	finish(&w, &a, NULL);
	has(seen, "m=audio");
}

static void each_branch_is_acknowledged_by_its_own_numbers(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->reliable = RELIABLE_END;
	begin_with(&w, &a, &b, "", SDP_A);
	answer_reliably(&w, B, b_invite, 180, "b1", 100, NULL);
	expect(&w, A, "SIP/2.0 180");
	expect(&w, B, "PRACK ");
	answer_reliably(&w, B, b_invite, 180, "b2", 5, NULL);
	expect(&w, A, "SIP/2.0 180");
	has(expect(&w, B, "PRACK "), "RAck: 5 1 INVITE");
	finish(&w, &a, SDP_B);
}

static void we_make_them_reliable_for_a_caller_that_needs_it(void **state)
{
	struct world w;
	struct ua a, b;
	unsigned rseq;

	(void)state;
	begin(&w, &a, &b, NEEDS);
	has(b_invite, "Require: 100rel");
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 183"));
	has(seen, "Require: 100rel");
	has(seen, "m=audio");
	rseq = rseq_of(seen);
	assert_int_not_equal(rseq, 0);
	/* It comes again until its PRACK; the next waits. */
	answer(&w, B, b_invite, 180, "b1", NULL);
	assert_string_equal(receive_any(&w, A, PATIENCE_MS), seen);
	assert_string_equal(receive_any(&w, A, PATIENCE_MS), seen);
	/* So does an answer: RFC 3262 3. */
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	expect_nothing(&w, A);
	learn(&a, seen);
	prack(&w, &a, rseq + 1, NULL);
	expect(&w, A, "SIP/2.0 481");
	say_with(&w, &a, "PRACK", 0, new_branch(), "RAck: x\r\n", NULL);
	expect(&w, A, "SIP/2.0 400");
	prack(&w, &a, rseq, NULL);
	expect(&w, A, "SIP/2.0 200");
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 180"));
	assert_int_equal(rseq_of(seen), rseq + 1);
	expect(&w, B, "ACK ");
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 200"));
	learn(&a, seen);
	ack(&w, &a, 1, NULL);
	prack(&w, &a, rseq + 1, NULL);
	expect(&w, A, "SIP/2.0 481"); /* the answer has ended that */
	bye_from(&w, &a, B);
	world_close(&w);
}

static void without_a_prack_the_call_is_given_up(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, NEEDS);
	answer(&w, B, b_invite, 180, "b1", NULL);
	expect(&w, A, "SIP/2.0 180");
	expect_refusal(&w, &a, "SIP/2.0 504");
	answer(&w, B, expect(&w, B, "CANCEL "), 200, "b1", NULL);
	answer(&w, B, b_invite, 487, "b1", NULL);
	world_close(&w);
}

static void a_2xx_that_waits_goes_when_the_caller_gives_up(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, NEEDS);
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	expect(&w, A, "SIP/2.0 183");
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &a, "SIP/2.0 487");
	/* It comes again, as it has no ACK, and is ended. */
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void a_2xx_that_waits_is_ended_when_we_stop(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, NEEDS);
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	expect(&w, A, "SIP/2.0 183");
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	run_ms(&w, 5);
	world_free(&w);
}

static void who_refuses_to_be_asked_is_asked_no_more(void **state)
{
	struct world w;
	struct ua a, b;
	char first[TEXT_MAX];

	(void)state;
	begin(&w, &a, &b, NEEDS);
	copy_text(first, TEXT_MAX, b_invite);
	answer_with(&w, B, first, 420, "x1", "Unsupported: 100rel\r\n", NULL);
	expect(&w, B, "ACK ");
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	has_not(b_invite, "Require: 100rel");
	has(b_invite, "CSeq: 2 INVITE");
	assert_string_equal(header(first, "Call-ID"), header(b_invite, "Call-ID"));
	answer(&w, B, b_invite, 180, "b1", NULL);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 180"));
	learn(&a, seen);
	prack(&w, &a, rseq_of(seen), NULL);
	expect(&w, A, "SIP/2.0 200");
	finish(&w, &a, SDP_B);
}

static void an_answer_that_changed_after_the_reliable_one_is_offered_again(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, NEEDS);
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 183"));
	learn(&a, seen);
	prack(&w, &a, rseq_of(seen), NULL);
	expect(&w, A, "SIP/2.0 200");
	/* An offer of A's cannot reach B, whose answer is not given yet. */
	say(&w, &a, "UPDATE", SDP("4100", ""));
	expect(&w, A, "SIP/2.0 491");
	answer_final(&w, B, b_invite, 200, "b1", SDP("5000", "a=recvonly\r\n"));
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, 1, NULL);
	copy_text(seen, TEXT_MAX, expect(&w, A, "INVITE "));
	has(seen, "a=recvonly");
	answer_final(&w, A, seen, 200, NULL, SDP("4000", "a=sendonly\r\n"));
	expect_nothing(&w, B);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void both_ended_both_reliable(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	session_of(&w, A)->reliable = RELIABLE_END;
	begin_with(&w, &a, &b, CAN, SDP_A);
	has(header(b_invite, "Supported"), "100rel");
	answer_reliably(&w, B, b_invite, 183, "b1", 4711, SDP_B);
	text = expect(&w, B, "PRACK ");
	has(text, "RAck: 4711 1 INVITE");
	answer(&w, B, text, 200, NULL, NULL);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 183"));
	assert_true(rseq_of(seen) != 0 && rseq_of(seen) <= 9999);
	learn(&a, seen);
	prack(&w, &a, rseq_of(seen), NULL);
	expect(&w, A, "SIP/2.0 200");
	expect_nothing(&w, B);
	/* Now both have the answer: further offers go through. */
	say(&w, &a, "UPDATE", SDP("4100", ""));
	answer(&w, B, expect(&w, B, "UPDATE "), 200, NULL, SDP_B);
	expect(&w, A, "SIP/2.0 200");
	finish(&w, &a, NULL);
	has_not(seen, "m=audio");
}

static void off_means_not_spoken(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	session_of(&w, A)->reliable = RELIABLE_OFF;
	invite_with(&w, &a, "100", NEEDS, SDP_A);
	text = expect(&w, A, "SIP/2.0 420");
	has(text, "Unsupported: 100rel");
	ack_refusal(&w, &a, text);
	begin_with(&w, &a, &b, CAN, SDP_A);
	has_not(b_invite, "100rel");
	answer(&w, B, b_invite, 180, "b1", NULL);
	has_not(expect(&w, A, "SIP/2.0 180"), "100rel");
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect_answer(&w, &a, 1);
	/* Nor in a re-INVITE, whatever comes of it. */
	say_with(&w, &a, "INVITE", 0, new_branch(), CAN, SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	has_not(b_invite, "100rel");
	answer_reliably(&w, B, b_invite, 183, "b1", 7, SDP_B);
	expect_nothing(&w, A);
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, NULL);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_delayed_offer_is_not_acknowledged_without_its_answer(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->reliable = RELIABLE_END;
	begin_with(&w, &a, &b, "", NULL);
	has_not(b_invite, "100rel"); /* nobody could answer it */
	answer_reliably(&w, B, b_invite, 183, "b1", 7, SDP_B);
	expect_nothing(&w, A);
	expect_nothing(&w, B);
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a, 1, SDP_A);
	expect(&w, B, "ACK ");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void the_queue_of_what_waits_is_bounded(void **state)
{
	struct world w;
	struct ua a, b;
	unsigned rseq;

	(void)state;
	begin(&w, &a, &b, NEEDS);
	answer(&w, B, b_invite, 180, "b1", NULL);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 180"));
	learn(&a, seen);
	rseq = rseq_of(seen);
	for (unsigned i = 0; i < 20; i++)
		answer(&w, B, b_invite, 182, "b1", NULL);
	for (unsigned i = 0; i < 5; i++) {
		prack(&w, &a, rseq++, NULL);
		expect(&w, A, "SIP/2.0 200");
		if (i < 4)
			assert_int_equal(rseq_of(expect(&w, A, "SIP/2.0 182")), rseq);
	}
	expect_nothing(&w, A);
	finish(&w, &a, SDP_B);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(we_acknowledge_for_a_caller_that_cannot),
		cmocka_unit_test(each_branch_is_acknowledged_by_its_own_numbers),
		cmocka_unit_test(we_make_them_reliable_for_a_caller_that_needs_it),
		cmocka_unit_test(without_a_prack_the_call_is_given_up),
		cmocka_unit_test(a_2xx_that_waits_goes_when_the_caller_gives_up),
		cmocka_unit_test(a_2xx_that_waits_is_ended_when_we_stop),
		cmocka_unit_test(who_refuses_to_be_asked_is_asked_no_more),
		cmocka_unit_test(an_answer_that_changed_after_the_reliable_one_is_offered_again),
		cmocka_unit_test(both_ended_both_reliable),
		cmocka_unit_test(off_means_not_spoken),
		cmocka_unit_test(a_delayed_offer_is_not_acknowledged_without_its_answer),
		cmocka_unit_test(the_queue_of_what_waits_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
