/* SPDX-License-Identifier: BSD-2-Clause */
/* BYEs that have no answer when one daemon is followed by another. */
#include "test_call_restart.h"
#include "test_call_transfer.h"

static char b_invite[TEXT_MAX], bye[TEXT_MAX];

/* What comes at who is text, bit for bit, whatever else may come. */
static void comes_again(struct world *w, enum who who, const char *text)
{
	const char *got;

	do {
		got = receive_any(w, who, PATIENCE_MS);
	} while (*got && strncmp(got, "BYE ", 4) != 0);
	assert_string_equal(got, text);
}

/* A has hung up, B's BYE is on its way. */
static void hang_up_unheard(struct relay *r, struct ua *a, struct ua *b)
{
	relay_open(r);
	establish(&r->w, a, b, b_invite, "100");
	assert_int_equal(stored(r), 1);
	hang_up(&r->w, a);
	copy_text(bye, TEXT_MAX, expect(&r->w, B, "BYE "));
	assert_int_equal(stored(r), 1);
}

static void it_is_sent_again_until_it_is_answered(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	for (unsigned is_killed = 0; is_killed < 2; is_killed++) {
		hang_up_unheard(&r, &a, &b);
		for (unsigned i = 0; i < 2; i++) {
			next_daemon(&r, is_killed);
			assert_int_equal(live_calls(&r.w), 0);
			assert_int_equal(calls_count(r.w.calls), 1);
			assert_int_equal(adoption(&r).adopted + adoption(&r).ended, 0);
			assert_int_equal(adoption(&r).lost, 0);
			comes_again(&r.w, B, bye);
			comes_again(&r.w, B, bye);
		}
		answer(&r.w, B, bye, 200, NULL, NULL);
		world_is_empty(&r.w);
		assert_int_equal(stored(&r), 0);
		assert_int_equal(r.told.count, 1);
		next_daemon(&r, is_killed);
		expect_nothing(&r.w, B);
		relay_close(&r);
	}
}

/* RFC 3261 17.1.2.2 */
static void it_is_given_up_when_timer_f_fires(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	hang_up_unheard(&r, &a, &b);
	next_daemon(&r, true);
	comes_again(&r.w, B, bye);
	world_is_empty(&r.w);
	assert_int_equal(stored(&r), 0);
	assert_int_equal(r.told.count, 1);
	forget_what_came(&r, B);
	relay_close(&r);
}

/* A peer that the configuration has no more is told nothing. */
static void nobody_is_left_to_be_told(void **state)
{
	struct relay r;
	struct ua a, b;
	char *name;

	(void)state;
	hang_up_unheard(&r, &a, &b);
	name = r.w.cfg->peer[B].name;
	r.w.cfg->peer[B].name = (char *)"bb"; /* where b stood in their order */
	next_daemon(&r, true);
	assert_int_equal(calls_count(r.w.calls), 0);
	assert_int_equal(stored(&r), 0);
	expect_nothing(&r.w, B);
	r.w.cfg->peer[B].name = name;
	relay_close(&r);
}

/* The call goes on with those that are joined. */
static void a_leg_whose_place_was_taken_is_told_after_a_restart(void **state)
{
	struct ua a1, a2, b, c;
	struct relay r;

	(void)state;
	relay_open(&r);
	establish(&r.w, &a1, &b, b_invite, "100");
	call_to(&r.w, &a2, C, &c, "300", "c1", SDP_C);
	refer(&r.w, &a1, refer_to_dialog(&a2, "300"));
	follow(&r.w, &c, SDP_C);
	expect_notify(&r.w, &a1, 100);
	follow(&r.w, &b, SDP_B);
	copy_text(bye, TEXT_MAX, expect(&r.w, A, "BYE "));
	assert_string_equal(header(bye, "Call-ID"), a2.call_id);
	stored(&r);
	next_daemon(&r, true);
	comes_again(&r.w, A, bye);
	answer(&r.w, A, bye, 200, NULL, NULL);
	expect_notify(&r.w, &a1, 200);
	expect_bye(&r.w, &a1);
	assert_int_equal(live_calls(&r.w), 1);
	bye_from(&r.w, &b, C);
	world_is_empty(&r.w);
	assert_int_equal(r.told.count, 2);
	forget_what_came(&r, A);
	relay_close(&r);
}

/* ---- and CANCELs ---- */

/* B rings where is_ringing says so, and A has given up. */
static void give_up(struct relay *r, struct ua *a, bool is_ringing)
{
	relay_open(r);
	invite(&r->w, a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r->w, B, "INVITE "));
	if (is_ringing) {
		answer(&r->w, B, b_invite, 180, "b1", NULL);
		expect(&r->w, A, "SIP/2.0 180");
	}
	cancel(&r->w, a);
	has(header(expect(&r->w, A, "SIP/2.0 200"), "CSeq"), "CANCEL");
	ack_refusal(&r->w, a, expect(&r->w, A, "SIP/2.0 487"));
	if (is_ringing)
		expect(&r->w, B, "CANCEL ");
	run_ms(&r->w, 2);
}

/* Of the next daemon, whatever B has seen before. */
static const char *expect_again(struct relay *r, const char *start)
{
	const char *got;

	do
		got = receive_any(&r->w, B, PATIENCE_MS);
	while (*got && strncmp(got, start, strlen(start)) != 0);
	assert_true(*got);
	return got;
}

static void a_cancel_that_was_not_answered_is_sent_again(void **state)
{
	char text[TEXT_MAX];
	struct relay r;
	struct ua a;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		give_up(&r, &a, i % 2);
		next_daemon(&r, i / 2);
		assert_int_equal(live_calls(&r.w), 0);
		assert_string_equal(expect_again(&r, "INVITE "), b_invite);
		answer(&r.w, B, b_invite, 180, "b1", NULL);
		copy_text(text, TEXT_MAX, expect_again(&r, "CANCEL "));
		answer(&r.w, B, text, 200, NULL, NULL);
		answer(&r.w, B, b_invite, 487, "b1", NULL);
		expect_again(&r, "ACK ");
		world_is_empty(&r.w);
		assert_int_equal(stored(&r), 0);
		assert_int_equal(r.told.count, 1);
		next_daemon(&r, true);
		expect_nothing(&r.w, B);
		relay_close(&r);
	}
}

/* B has not answered in time, and C was asked in its place. */
static void fail_over(struct relay *r, struct ua *a, struct ua *c, char c_invite[TEXT_MAX])
{
	relay_open(r);
	invite(&r->w, a, "200", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r->w, B, "INVITE "));
	loop_timer_start(r->w.loop, &the_call(&r->w)->attempt_timer, 0);
	copy_text(c_invite, TEXT_MAX, expect(&r->w, C, "INVITE "));
	take(c, C, c_invite, "c1");
}

/* The call is ringing at C, or answered there, when the daemon is killed. */
static void whom_the_call_has_left_for_another_is_cancelled_by_the_next_daemon(void **state)
{
	char text[TEXT_MAX], c_invite[TEXT_MAX];
	struct relay r;
	struct ua a, c;

	(void)state;
	for (unsigned is_answered = 0; is_answered < 2; is_answered++) {
		fail_over(&r, &a, &c, c_invite);
		if (is_answered) {
			answer(&r.w, C, c_invite, 200, "c1", SDP_C);
			expect(&r.w, C, "ACK ");
			expect_answer(&r.w, &a, 1);
		}
		next_daemon(&r, true);
		assert_int_equal(live_calls(&r.w), 1);
		assert_string_equal(expect_again(&r, "INVITE "), b_invite);
		answer(&r.w, B, b_invite, 180, "b1", NULL);
		copy_text(text, TEXT_MAX, expect_again(&r, "CANCEL "));
		answer(&r.w, B, text, 200, NULL, NULL);
		answer(&r.w, B, b_invite, 487, "b1", NULL);
		expect_again(&r, "ACK ");
		if (!is_answered) {
			answer(&r.w, C, c_invite, 200, "c1", SDP_C);
			expect(&r.w, C, "ACK ");
			expect_answer(&r.w, &a, 1);
		}
		next_daemon(&r, true);
		expect_nothing(&r.w, B);
		bye_from(&r.w, &c, A);
		world_is_empty(&r.w);
		assert_int_equal(r.told.count, 1);
		relay_close(&r);
	}
}

static void a_2xx_that_crosses_the_cancel_has_its_ack_and_bye_from_the_next_daemon(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	give_up(&r, &a, true);
	next_daemon(&r, true);
	answer(&r.w, B, b_invite, 200, "b1", SDP_B);
	expect_again(&r, "ACK ");
	copy_text(bye, TEXT_MAX, expect_again(&r, "BYE "));
	answer(&r.w, B, bye, 200, NULL, NULL);
	world_is_empty(&r.w);
	assert_int_equal(stored(&r), 0);
	assert_int_equal(r.told.count, 1);
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_sent_again_until_it_is_answered),
		cmocka_unit_test(it_is_given_up_when_timer_f_fires),
		cmocka_unit_test(nobody_is_left_to_be_told),
		cmocka_unit_test(a_leg_whose_place_was_taken_is_told_after_a_restart),
		cmocka_unit_test(a_cancel_that_was_not_answered_is_sent_again),
		cmocka_unit_test(
			whom_the_call_has_left_for_another_is_cancelled_by_the_next_daemon),
		cmocka_unit_test(
			a_2xx_that_crosses_the_cancel_has_its_ack_and_bye_from_the_next_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
