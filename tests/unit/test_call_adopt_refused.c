/* SPDX-License-Identifier: BSD-2-Clause */
/* Refusals of leg A's INVITE that have no ACK when one daemon is followed by another. */
#include "test_call_restart.h"
#include "test_call_transfer.h"

static char b_invite[TEXT_MAX], refusal[TEXT_MAX];

static void call_and_ring(struct relay *r, struct ua *a)
{
	relay_open(r);
	invite(&r->w, a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r->w, B, "INVITE "));
	answer(&r->w, B, b_invite, 180, "b1", NULL);
	expect(&r->w, A, "SIP/2.0 180");
	assert_int_equal(stored(r), 1);
}

/* B is busy; A is told, and does not hear it. */
static void refuse_unheard(struct relay *r, struct ua *a)
{
	call_and_ring(r, a);
	answer_final(&r->w, B, b_invite, 486, "b1", NULL);
	copy_text(refusal, TEXT_MAX, expect(&r->w, A, "SIP/2.0 486"));
	assert_int_equal(stored(r), 1);
	assert_int_equal(live_calls(&r->w), 0);
}

static void comes_again(struct relay *r)
{
	assert_string_equal(receive_any(&r->w, A, PATIENCE_MS), refusal);
}

/* Also one that has come before. */
static const char *hear(struct relay *r, enum who who, const char *start)
{
	const char *text;

	do
		text = receive_any(&r->w, who, PATIENCE_MS);
	while (*text && strncmp(text, start, strlen(start)) != 0);
	assert_string_not_equal(text, "");
	return text;
}

static void it_is_given_again_until_it_is_acknowledged(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	for (unsigned is_killed = 0; is_killed < 2; is_killed++) {
		refuse_unheard(&r, &a);
		for (unsigned i = 0; i < 2; i++) {
			next_daemon(&r, is_killed);
			assert_int_equal(live_calls(&r.w), 0);
			assert_int_equal(adoption(&r).adopted + adoption(&r).ended, 0);
			assert_int_equal(adoption(&r).lost, 0);
			comes_again(&r);
			comes_again(&r);
		}
		ack_refusal(&r.w, &a, refusal);
		world_is_empty(&r.w);
		assert_int_equal(stored(&r), 0);
		assert_int_equal(r.told.count, 1);
		forget_what_came(&r, A);
		next_daemon(&r, is_killed);
		expect_nothing(&r.w, A);
		expect_nothing(&r.w, B);
		relay_close(&r);
	}
}

/* RFC 3261 17.2.1: nobody is called a second time. */
static void an_invite_that_comes_again_gets_it_and_calls_nobody(void **state)
{
	char again[TEXT_MAX];
	struct relay r;
	struct ua a;

	(void)state;
	refuse_unheard(&r, &a);
	copy_text(again, TEXT_MAX, a.request);
	next_daemon(&r, true);
	comes_again(&r);
	send_text(&r.w, A, again);
	comes_again(&r);
	expect_nothing(&r.w, B);
	assert_int_equal(calls_count(r.w.calls), 1);
	ack_refusal(&r.w, &a, refusal);
	relay_close(&r);
}

/* RFC 3261 9.2: it changes nothing any more, and has a transaction. */
static void a_cancel_that_comes_too_late_is_answered(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	refuse_unheard(&r, &a);
	next_daemon(&r, true);
	cancel(&r.w, &a);
	hear(&r, A, "SIP/2.0 200");
	ack_refusal(&r.w, &a, refusal);
	relay_close(&r);
}

/* The CANCEL to leg B and the 487 to leg A wait side by side. */
static void what_ends_a_cancelled_call_outlives_a_kill_on_both_legs(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	call_and_ring(&r, &a);
	cancel(&r.w, &a);
	expect(&r.w, A, "SIP/2.0 200");
	copy_text(refusal, TEXT_MAX, expect(&r.w, A, "SIP/2.0 487"));
	expect(&r.w, B, "CANCEL ");
	assert_int_equal(stored(&r), 1);
	for (unsigned i = 0; i < 2; i++) {
		next_daemon(&r, true);
		comes_again(&r);
		assert_int_equal(stored(&r), 1);
	}
	ack_refusal(&r.w, &a, refusal);
	run_ms(&r.w, 2);
	assert_int_equal(stored(&r), 1);
	answer(&r.w, B, b_invite, 180, "b1", NULL);
	answer(&r.w, B, hear(&r, B, "CANCEL "), 200, NULL, NULL);
	answer_final(&r.w, B, b_invite, 487, "b1", NULL);
	world_is_empty(&r.w);
	assert_int_equal(stored(&r), 0);
	assert_int_equal(r.told.count, 1);
	relay_close(&r);
}

static void the_caller_is_told_also_where_the_callee_is_configured_no_more(void **state)
{
	struct relay r;
	struct ua a;
	char *name;

	(void)state;
	call_and_ring(&r, &a);
	cancel(&r.w, &a);
	expect(&r.w, A, "SIP/2.0 200");
	copy_text(refusal, TEXT_MAX, expect(&r.w, A, "SIP/2.0 487"));
	assert_int_equal(stored(&r), 1);
	name = r.w.cfg->peer[B].name;
	r.w.cfg->peer[B].name = (char *)"bb"; /* where b stood in their order */
	next_daemon(&r, true);
	comes_again(&r);
	ack_refusal(&r.w, &a, refusal);
	world_is_empty(&r.w);
	assert_int_equal(stored(&r), 0);
	r.w.cfg->peer[B].name = name;
	relay_close(&r);
}

/* Timer H */
static void it_is_given_up_where_nobody_acknowledges(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	refuse_unheard(&r, &a);
	next_daemon(&r, true);
	comes_again(&r);
	world_is_empty(&r.w);
	assert_int_equal(stored(&r), 0);
	forget_what_came(&r, A);
	relay_close(&r);
}

/* A peer that the configuration has no more is told nothing. */
static void nobody_is_left_to_be_told(void **state)
{
	struct relay r;
	struct ua a;
	char *name;

	(void)state;
	refuse_unheard(&r, &a);
	name = r.w.cfg->peer[A].name;
	r.w.cfg->peer[A].name = (char *)"aa"; /* where a stood in their order */
	next_daemon(&r, true);
	assert_int_equal(calls_count(r.w.calls), 0);
	assert_int_equal(stored(&r), 0);
	expect_nothing(&r.w, A);
	r.w.cfg->peer[A].name = name;
	relay_close(&r);
}

/* What was refused before anybody was asked is refused anew when its INVITE comes again. */
static void a_call_that_reached_nobody_is_not_written_down(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	relay_open(&r);
	invite(&r.w, &a, "no route leads there", SDP_A);
	copy_text(refusal, TEXT_MAX, expect(&r.w, A, "SIP/2.0 4"));
	assert_int_equal(stored(&r), 0);
	ack_refusal(&r.w, &a, refusal);
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_given_again_until_it_is_acknowledged),
		cmocka_unit_test(an_invite_that_comes_again_gets_it_and_calls_nobody),
		cmocka_unit_test(a_cancel_that_comes_too_late_is_answered),
		cmocka_unit_test(what_ends_a_cancelled_call_outlives_a_kill_on_both_legs),
		cmocka_unit_test(the_caller_is_told_also_where_the_callee_is_configured_no_more),
		cmocka_unit_test(it_is_given_up_where_nobody_acknowledges),
		cmocka_unit_test(nobody_is_left_to_be_told),
		cmocka_unit_test(a_call_that_reached_nobody_is_not_written_down),
	};

	return cmocka_run_group_tests_name("call adopt refused", tests, NULL, NULL);
}
