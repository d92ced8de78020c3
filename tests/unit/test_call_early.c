/* SPDX-License-Identifier: BSD-2-Clause */
/* Early dialogs: forks, early media, reliable provisional responses, UPDATE before the answer. */
#include "test_call_world.h"

static char b_invite[TEXT_MAX];

/* A's INVITE reaches B; B's dialog with that tag. */
static void begin(struct world *w, struct ua *a, struct ua *b, const char *number, const char *sdp)
{
	world_open(w);
	invite_with(w, a, number, "Supported: 100rel\r\n", sdp);
	copy_text(b_invite, TEXT_MAX, expect(w, B, "INVITE "));
	take(b, B, b_invite, "b1");
}

/* A PRACK with or without SDP, answered. */
static const char *prack_through(
	struct world *w, struct ua *a, unsigned rseq, const char *sdp, const char *answer_sdp)
{
	const char *text;

	prack(w, a, rseq, sdp);
	text = expect(w, B, "PRACK ");
	answer(w, B, text, 200, NULL, answer_sdp);
	expect(w, A, "SIP/2.0 200");
	return text;
}

static void finish(struct world *w, struct ua *a)
{
	answer_final(w, B, b_invite, 200, "b1", SDP_B);
	expect_answer(w, a, 1);
	bye_from(w, a, B);
	world_close(w);
}

static void each_branch_of_a_fork_is_a_dialog_of_its_own(void **state)
{
	char first[512], second[512];
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	copy_text(first, sizeof(first), header(expect(&w, A, "SIP/2.0 180"), "To"));
	answer(&w, B, b_invite, 183, "b2", SDP_B);
	copy_text(second, sizeof(second), header(expect(&w, A, "SIP/2.0 183"), "To"));
	assert_string_not_equal(first, second);
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	has(expect(&w, A, "SIP/2.0 200"), first);
	expect(&w, B, "ACK ");
	copy_text(a.remote, sizeof(a.remote), first);
	ack(&w, &a, 1, NULL);
	/* The other branch answers too: it is acknowledged and ended, once. */
	answer(&w, B, b_invite, 200, "b2", SDP_B);
	has(expect(&w, B, "ACK "), ";tag=b2");
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	answer(&w, B, b_invite, 200, "b2", SDP_B);
	has(expect(&w, B, "ACK "), ";tag=b2");
	expect_nothing(&w, B);
	assert_int_equal(the_call(&w)->state, CALL_ANSWERED);
	/* What the caller still says to the branch that lost finds nobody. */
	copy_text(a.remote, sizeof(a.remote), second);
	say(&w, &a, "INFO", NULL);
	expect(&w, A, "SIP/2.0 481");
	copy_text(a.remote, sizeof(a.remote), first);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_branch_that_answers_after_the_call_is_acknowledged_and_ended(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect_answer(&w, &a, 1);
	bye_from(&w, &a, B);
	answer(&w, B, b_invite, 200, "b2", SDP_B);
	has(expect(&w, B, "ACK "), ";tag=b2");
	has(expect(&w, B, "BYE "), "CSeq: 2 BYE");
	assert_int_equal(w.calls->counters.late_answers, 1);
	/* Without end, that stops. */
	for (unsigned i = 0; i < 2 * LATE_2XX_MAX; i++)
		answer(&w, B, b_invite, 200, "b2", SDP_B);
	assert_int_equal(w.calls->counters.late_answers, LATE_2XX_MAX);
	world_close(&w);
}

static void the_bye_to_a_late_branch_counts_on_from_its_prack(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer_reliably(&w, B, b_invite, 183, "b2", 1, SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 183"));
	prack_through(&w, &a, 1, NULL, NULL);
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect_answer(&w, &a, 1);
	answer_final(&w, B, b_invite, 200, "b2", SDP_B);
	has(expect(&w, B, "BYE "), "CSeq: 3 BYE");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_fork_of_many_branches_is_answered_by_one_more(void **state)
{
	char tag[16];
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	for (unsigned i = 0; i < CALL_PAIRS_MAX + 5; i++) {
		snprintf(tag, sizeof(tag), "t%u", i);
		answer(&w, B, b_invite, 180, tag, NULL);
		if (i < CALL_PAIRS_MAX)
			expect(&w, A, "SIP/2.0 180");
	}
	expect_nothing(&w, A);
	assert_int_equal(the_call(&w)->pair_count, CALL_PAIRS_MAX);
	finish(&w, &a);
}

static void late_branches_without_end_are_bounded(void **state)
{
	char tag[16];
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	expect_answer(&w, &a, 1);
	for (unsigned i = 0; i < 3 * CALL_PAIRS_MAX; i++) {
		snprintf(tag, sizeof(tag), "t%u", i);
		answer(&w, B, b_invite, 200, tag, SDP_B);
	}
	assert_int_equal(the_call(&w)->pair_count, CALL_PAIRS_MAX);
	/* All of them are told BYE, more than are kept. */
	assert_int_equal(the_call(&w)->exchange_count, 1);
	assert_int_equal(the_call(&w)->bye_count, CALL_BYES_MAX);
	assert_int_equal(w.calls->counters.byes_not_kept, CALL_PAIRS_MAX - 1 - CALL_BYES_MAX);
	for (unsigned i = 0; i < CALL_PAIRS_MAX - 1; i++) {
		const char *text;

		do
			text = receive(&w, B, PATIENCE_MS);
		while (strncmp(text, "ACK ", 4) == 0);
		assert_int_equal(strncmp(text, "BYE ", 4), 0);
	}
	hang_up(&w, &a);
	world_close(&w);
}

static void where_every_branch_fails_the_final_refusal_ends_them_all(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	expect(&w, A, "SIP/2.0 183");
	answer(&w, B, b_invite, 183, "b2", SDP("6000", ""));
	expect(&w, A, "SIP/2.0 183");
	answer_final(&w, B, b_invite, 486, "b3", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void prack_names_the_invite_of_its_own_leg(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	invite_with(&w, &a, "100", "Supported: 100rel\r\n", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_reliably(&w, B, b_invite, 183, "b1", 4711, SDP_B);
	text = expect(&w, A, "SIP/2.0 183");
	has(text, "RSeq: 4711");
	has(text, "Require: 100rel");
	learn(&a, text);
	has(prack_through(&w, &a, 4711, NULL, NULL), "RAck: 4711 1 INVITE");
	/* Of an INVITE that there is not. */
	say_with(&w, &a, "PRACK", 0, new_branch(), "RAck: 1 77 INVITE\r\n", NULL);
	expect(&w, A, "SIP/2.0 481");
	say_with(&w, &a, "PRACK", 0, new_branch(), "RAck: nonsense\r\n", NULL);
	expect(&w, A, "SIP/2.0 400");
	say(&w, &a, "PRACK", NULL);
	expect(&w, A, "SIP/2.0 400");
	(void)b;
	finish(&w, &a);
}

static void a_reliable_answer_need_not_come_again_in_the_2xx(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer_reliably(&w, B, b_invite, 183, "b1", 1, SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 183"));
	prack_through(&w, &a, 1, NULL, NULL);
	answer_final(&w, B, b_invite, 200, "b1", NULL);
	expect_answer(&w, &a, 1);
	assert_false(media_offer_pending(call_media(the_call(&w))));
	bye_from(&w, &a, B);
	world_close(&w);
}

static void prack_may_offer_anew_after_a_reliable_answer(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer_reliably(&w, B, b_invite, 183, "b1", 1, SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 183"));
	prack(&w, &a, 1, SDP("4100", ""));
	text = expect(&w, B, "PRACK ");
	has(text, "m=audio");
	answer(&w, B, text, 200, NULL, SDP_B);
	has(expect(&w, A, "SIP/2.0 200"), "m=audio");
	/* The 2xx says the first answer again: that is not for the new offer. */
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	text = expect(&w, A, "SIP/2.0 200");
	has_not(text, "m=audio");
	learn(&a, text);
	ack(&w, &a, 1, NULL);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void prack_with_an_offer_before_the_answer_is_refused(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer_reliably(&w, B, b_invite, 180, "b1", 1, NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	prack(&w, &a, 1, SDP("4100", ""));
	expect(&w, A, "SIP/2.0 500");
	expect_nothing(&w, B);
	finish(&w, &a);
}

static void a_reliable_offer_is_answered_in_the_prack(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	begin(&w, &a, &b, "100", NULL);
	answer_reliably(&w, B, b_invite, 183, "b1", 1, SDP_B);
	text = expect(&w, A, "SIP/2.0 183");
	has(text, "m=audio");
	learn(&a, text);
	/* First a bad one: the offer stays open. */
	prack(&w, &a, 1, "v=nonsense\r\n");
	expect(&w, A, "SIP/2.0 400");
	prack(&w, &a, 1, SDP_A);
	text = expect(&w, B, "PRACK ");
	has(text, "m=audio");
	answer(&w, B, text, 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	answer_final(&w, B, b_invite, 200, "b1", NULL);
	expect_answer(&w, &a, 1);
	assert_int_equal(media_stream_count(call_media(the_call(&w))), 1);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void update_before_the_answer_goes_both_ways(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer_reliably(&w, B, b_invite, 183, "b1", 1, SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 183"));
	prack_through(&w, &a, 1, NULL, NULL);
	say(&w, &b, "UPDATE", SDP("5100", ""));
	text = expect(&w, A, "UPDATE ");
	has(text, "m=audio");
	answer(&w, A, text, 200, NULL, SDP_A);
	text = expect(&w, B, "SIP/2.0 200");
	has(text, "Contact: <sip:127.0.0.2");
	say(&w, &a, "UPDATE", SDP("4100", ""));
	answer(&w, B, expect(&w, B, "UPDATE "), 200, NULL, SDP_B);
	has(expect(&w, A, "SIP/2.0 200"), "m=audio");
	finish(&w, &a);
}

static void an_offer_in_update_waits_for_the_first_answer(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	say(&w, &a, "UPDATE", SDP_A);
	has(expect(&w, A, "SIP/2.0 500"), "Retry-After: ");
	say(&w, &b, "UPDATE", SDP_B);
	expect(&w, B, "SIP/2.0 491");
	finish(&w, &a);
}

static void failing_over_takes_the_early_media_back(void **state)
{
	struct world w;
	struct ua a, b;
	struct dataplane_status flows;
	const char *text;

	(void)state;
	begin(&w, &a, &b, "200", SDP_A);
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	expect(&w, A, "SIP/2.0 183");
	dataplane_status(media_dataplane(calls_media(w.calls)), &flows);
	assert_int_not_equal(flows.flows, 0);
	answer(&w, B, b_invite, 503, "b1", NULL);
	text = expect(&w, C, "INVITE ");
	has(text, "m=audio");
	dataplane_status(media_dataplane(calls_media(w.calls)), &flows);
	assert_int_equal(flows.flows, 0);
	answer(&w, C, text, 200, "c1", SDP_B);
	expect_answer(&w, &a, 1);
	hang_up(&w, &a);
	world_close(&w);
}

/* The caller has had its answer for good: another callee could not be offered anything. */
static void there_is_no_failing_over_once_offer_and_answer_are_done(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "200", NULL);
	answer_reliably(&w, B, b_invite, 183, "b1", 1, SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 183"));
	prack_through(&w, &a, 1, SDP_A, NULL);
	answer_final(&w, B, b_invite, 503, "b1", NULL);
	expect(&w, A, "SIP/2.0 503");
	expect_nothing(&w, C);
	world_close(&w);
}

static void a_branch_that_knows_no_prack_does_not_end_the_call(void **state)
{
	static const int codes[] = {481, 408};
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	for (unsigned i = 0; i < 2; i++) {
		char seen[32];

		answer_reliably(&w, B, b_invite, 183, "b1", i + 1, SDP_B);
		learn(&a, expect(&w, A, "SIP/2.0 183"));
		prack(&w, &a, i + 1, NULL);
		answer(&w, B, expect(&w, B, "PRACK "), codes[i], NULL, NULL);
		snprintf(seen, sizeof(seen), "SIP/2.0 %d", codes[i]);
		expect(&w, A, seen);
	}
	/* Nor does one that is never answered. */
	prack(&w, &a, 2, NULL);
	expect(&w, B, "PRACK ");
	expect(&w, A, "SIP/2.0 408");
	finish(&w, &a);
}

static void bye_of_the_caller_ends_an_early_call(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	hang_up(&w, &a);
	expect(&w, A, "SIP/2.0 487");
	answer(&w, B, expect(&w, B, "CANCEL "), 200, "b1", NULL);
	answer(&w, B, b_invite, 487, "b1", NULL);
	world_close(&w);
}

static void bye_of_the_callee_does_not_end_an_early_call(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	say(&w, &b, "BYE", NULL);
	expect(&w, B, "SIP/2.0 481");
	finish(&w, &a);
}

static void a_request_under_way_early_is_answered_when_the_call_fails(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b, "100", SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	say(&w, &a, "INFO", NULL);
	expect(&w, B, "INFO ");
	answer(&w, B, b_invite, 486, "b1", NULL);
	expect(&w, A, "SIP/2.0 486");
	expect(&w, A, "SIP/2.0 481");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_branch_of_a_fork_is_a_dialog_of_its_own),
		cmocka_unit_test(a_branch_that_answers_after_the_call_is_acknowledged_and_ended),
		cmocka_unit_test(the_bye_to_a_late_branch_counts_on_from_its_prack),
		cmocka_unit_test(a_fork_of_many_branches_is_answered_by_one_more),
		cmocka_unit_test(late_branches_without_end_are_bounded),
		cmocka_unit_test(where_every_branch_fails_the_final_refusal_ends_them_all),
		cmocka_unit_test(prack_names_the_invite_of_its_own_leg),
		cmocka_unit_test(a_reliable_answer_need_not_come_again_in_the_2xx),
		cmocka_unit_test(prack_may_offer_anew_after_a_reliable_answer),
		cmocka_unit_test(prack_with_an_offer_before_the_answer_is_refused),
		cmocka_unit_test(a_reliable_offer_is_answered_in_the_prack),
		cmocka_unit_test(update_before_the_answer_goes_both_ways),
		cmocka_unit_test(an_offer_in_update_waits_for_the_first_answer),
		cmocka_unit_test(failing_over_takes_the_early_media_back),
		cmocka_unit_test(there_is_no_failing_over_once_offer_and_answer_are_done),
		cmocka_unit_test(a_branch_that_knows_no_prack_does_not_end_the_call),
		cmocka_unit_test(bye_of_the_caller_ends_an_early_call),
		cmocka_unit_test(bye_of_the_callee_does_not_end_an_early_call),
		cmocka_unit_test(a_request_under_way_early_is_answered_when_the_call_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
