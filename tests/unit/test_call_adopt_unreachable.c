/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls whose peer the configuration of the next daemon has no more: they end, and say why. */
#include "test_call_restart.h"

static char b_invite[TEXT_MAX];

/* The next daemon knows that peer by another name; the order of names stays. */
static void come_back_without(struct relay *r, enum who who)
{
	static char *names[] = {(char *)"aa", (char *)"bb"};

	r->w.cfg->peer[who].name = names[who];
	come_back(r);
}

static void it_has_ended(struct relay *r, enum who gone, int code)
{
	assert_int_equal(adoption(r).adopted + adoption(r).lost, 0);
	assert_int_equal(adoption(r).ended, 1);
	assert_int_equal(r->told.count, 1);
	assert_int_equal(r->told.code, code);
	assert_string_equal(r->told.ended_by, "viaduct");
	assert_string_equal(r->told.why, gone == A ? "peer \"a\" is not configured any more"
						   : "peer \"b\" is not configured any more");
}

/* Nothing of it is left, and the next daemon knows nothing of it. */
static void close_all(struct relay *r, char *names[2])
{
	world_is_empty(&r->w);
	assert_int_equal(stored(r), 0);
	leave(r);
	r->w.cfg->peer[A].name = names[A];
	r->w.cfg->peer[B].name = names[B];
	come_back(r);
	assert_int_equal(adoption(r).ended + adoption(r).adopted + adoption(r).lost, 0);
	assert_int_equal(r->told.count, 1);
	relay_close(r);
}

static void the_other_leg_is_told_bye(void **state)
{
	struct relay r;
	struct ua a, b;
	const char *bye;

	(void)state;
	for (enum who gone = A; gone <= B; gone++) {
		enum who other = gone == A ? B : A;
		char *names[2];

		relay_open(&r);
		names[A] = r.w.cfg->peer[A].name;
		names[B] = r.w.cfg->peer[B].name;
		establish(&r.w, &a, &b, b_invite, "100");
		leave(&r);
		come_back_without(&r, gone);
		it_has_ended(&r, gone, 200);
		bye = expect(&r.w, other, "BYE ");
		has(header(bye, "Reason"), "Peer removed");
		answer(&r.w, other, bye, 200, NULL, NULL);
		expect_nothing(&r.w, gone);
		close_all(&r, names);
	}
}

static void where_neither_is_left_there_is_a_record(void **state)
{
	struct relay r;
	struct ua a, b;
	char *names[2];

	(void)state;
	relay_open(&r);
	names[A] = r.w.cfg->peer[A].name;
	names[B] = r.w.cfg->peer[B].name;
	establish(&r.w, &a, &b, b_invite, "100");
	leave(&r);
	r.w.cfg->peer[B].name = (char *)"bb";
	come_back_without(&r, A);
	it_has_ended(&r, A, 200);
	expect_nothing(&r.w, A);
	expect_nothing(&r.w, B);
	close_all(&r, names);
}

static void ring(struct relay *r, struct ua *a, char *names[2])
{
	relay_open(r);
	names[A] = r->w.cfg->peer[A].name;
	names[B] = r->w.cfg->peer[B].name;
	invite(&r->w, a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r->w, B, "INVITE "));
	answer(&r->w, B, b_invite, 180, "b1", NULL);
	expect(&r->w, A, "SIP/2.0 180");
	leave(r);
	forget_what_came(r, B);
}

static void who_calls_one_that_is_gone_is_refused(void **state)
{
	struct relay r;
	struct ua a;
	char *names[2];

	(void)state;
	ring(&r, &a, names);
	come_back_without(&r, B);
	it_has_ended(&r, B, 500);
	ack_refusal(&r.w, &a, expect(&r.w, A, "SIP/2.0 500"));
	assert_string_equal(receive_any(&r.w, B, QUIET_MS), "");
	close_all(&r, names);
}

static void who_is_called_by_one_that_is_gone_hears_cancel(void **state)
{
	struct relay r;
	struct ua a;
	char *names[2];

	(void)state;
	ring(&r, &a, names);
	come_back_without(&r, A);
	it_has_ended(&r, A, 500);
	assert_string_equal(receive_any(&r.w, B, PATIENCE_MS), b_invite);
	answer(&r.w, B, b_invite, 180, "b1", NULL);
	answer(&r.w, B, expect(&r.w, B, "CANCEL "), 200, NULL, NULL);
	answer(&r.w, B, b_invite, 487, "b1", NULL);
	expect(&r.w, B, "ACK ");
	expect_nothing(&r.w, A);
	close_all(&r, names);
}

/* Another call goes on. */
static void it_costs_itself_alone(void **state)
{
	struct relay r;
	struct ua a, b, a2, c;
	char *name;

	(void)state;
	relay_open(&r);
	establish(&r.w, &a, &b, b_invite, "100");
	invite(&r.w, &a2, "300", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r.w, C, "INVITE "));
	take(&c, C, b_invite, "c1");
	answer(&r.w, C, b_invite, 200, "c1", SDP_B);
	expect(&r.w, C, "ACK ");
	learn(&a2, expect(&r.w, A, "SIP/2.0 200"));
	ack(&r.w, &a2, 1, NULL);
	leave(&r);
	name = r.w.cfg->peer[B].name;
	come_back_without(&r, B);
	assert_int_equal(adoption(&r).adopted, 1);
	assert_int_equal(adoption(&r).ended, 1);
	answer(&r.w, A, expect(&r.w, A, "BYE "), 200, NULL, NULL);
	bye_from(&r.w, &a2, C);
	world_is_empty(&r.w);
	assert_int_equal(r.told.count, 2);
	r.w.cfg->peer[B].name = name;
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_other_leg_is_told_bye),
		cmocka_unit_test(where_neither_is_left_there_is_a_record),
		cmocka_unit_test(who_calls_one_that_is_gone_is_refused),
		cmocka_unit_test(who_is_called_by_one_that_is_gone_hears_cancel),
		cmocka_unit_test(it_costs_itself_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
