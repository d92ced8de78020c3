/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests within a dialog that are under way when one daemon is followed by another, and do not
 * come again. Over streams: tests/e2e/test_restart_streams.py. */
#include "test_call_restart.h"

static char b_invite[TEXT_MAX], asked[TEXT_MAX];

/* A has asked within the call, B has not answered. */
static void ask(struct relay *r, struct ua *a, struct ua *b, const char *method, const char *sdp)
{
	relay_open(r);
	establish(&r->w, a, b, b_invite, "100");
	say(&r->w, a, method, sdp);
	copy_text(asked, TEXT_MAX, receive(&r->w, B, PATIENCE_MS));
	assert_int_equal(strncmp(asked, method, strlen(method)), 0);
	assert_int_equal(stored(r), 1);
}

static void end(struct relay *r, struct ua *a)
{
	bye_from(&r->w, a, B);
	world_is_empty(&r->w);
	assert_int_equal(r->told.count, 1);
	relay_close(r);
}

static void who_asked_has_the_answer_of_the_next_daemon(void **state)
{
	static const char *const methods[] = {"INFO", "UPDATE"};
	struct relay r;
	struct ua a, b;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		ask(&r, &a, &b, methods[i], i ? SDP("4002", "") : NULL);
		next_daemon(&r, true);
		assert_string_equal(receive_any(&r.w, B, PATIENCE_MS), asked);
		/* It may come again all the same. */
		send_text(&r.w, A, a.request);
		answer(&r.w, B, asked, 200, NULL, i ? SDP("5002", "") : NULL);
		has(header(expect(&r.w, A, "SIP/2.0 200"), "CSeq"), methods[i]);
		forget_what_came(&r, B);
		end(&r, &a);
	}
}

/* What B answers late is written down as answered. */
static void what_has_its_answer_is_not_asked_again(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	ask(&r, &a, &b, "INFO", NULL);
	answer(&r.w, B, asked, 200, NULL, NULL);
	expect(&r.w, A, "SIP/2.0 200");
	assert_int_equal(stored(&r), 1);
	next_daemon(&r, true);
	assert_string_equal(receive_any(&r.w, B, QUIET_MS), "");
	end(&r, &a);
}

/* Over UDP that is B's own word. */
static void a_500_is_passed_on(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	ask(&r, &a, &b, "UPDATE", SDP("4002", ""));
	next_daemon(&r, true);
	answer(&r.w, B, asked, 500, NULL, NULL);
	has(header(expect(&r.w, A, "SIP/2.0 500"), "CSeq"), "UPDATE");
	assert_false(media_offer_pending(call_media(call_next(r.w.calls, 0))));
	forget_what_came(&r, B);
	end(&r, &a);
}

/* B hears of nothing but the end. */
static void what_was_asked_in_a_call_that_is_over_has_its_answer(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	ask(&r, &a, &b, "INFO", NULL);
	r.told.of[0] = the_call(&r.w)->id; /* its record is there: it was over */
	r.told.count = 1;
	next_daemon(&r, true);
	has(header(expect(&r.w, A, "SIP/2.0 481"), "CSeq"), "INFO");
	answer(&r.w, A, expect(&r.w, A, "BYE "), 200, NULL, NULL);
	answer(&r.w, B, expect(&r.w, B, "BYE "), 200, NULL, NULL);
	world_is_empty(&r.w);
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asked_has_the_answer_of_the_next_daemon),
		cmocka_unit_test(what_has_its_answer_is_not_asked_again),
		cmocka_unit_test(a_500_is_passed_on),
		cmocka_unit_test(what_was_asked_in_a_call_that_is_over_has_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
