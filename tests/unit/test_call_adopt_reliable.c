/* SPDX-License-Identifier: BSD-2-Clause */
/* Reliable provisional responses (RFC 3262) that have no PRACK yet while one daemon leaves and the
 * next takes up. */
#include "test_call_restart.h"

#define CAN   "Supported: 100rel\r\n"
#define NEEDS "Require: 100rel\r\n"

static char b_invite[TEXT_MAX], seen[TEXT_MAX], again[TEXT_MAX], request[TEXT_MAX];

static void begin(struct relay *r, struct ua *a, struct ua *b, const char *extra)
{
	invite_with(&r->w, a, "100", extra, SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r->w, B, "INVITE "));
	take(b, B, b_invite, "b1");
}

static unsigned rseq_of(const char *text)
{
	return (unsigned)strtoul(header(text, "RSeq"), NULL, 10);
}

static void go_on(struct relay *r)
{
	restart_at_once(r);
	assert_int_equal(adoption(r).adopted, 1);
}

/* A has the next daemon's copy of what it has seen. */
static void comes_again(struct relay *r)
{
	copy_text(again, TEXT_MAX, receive_any(&r->w, A, PATIENCE_MS));
	assert_int_equal(rseq_of(again), rseq_of(seen));
	assert_string_equal(header(again, "To"), header(seen, "To"));
	assert_string_equal(body(again), body(seen));
}

static void acknowledge(struct relay *r, struct ua *a, unsigned rseq)
{
	prack(&r->w, a, rseq, NULL);
	has(header(expect(&r->w, A, "SIP/2.0 200"), "CSeq"), "PRACK");
}

static void answered_by_b(struct relay *r, struct ua *a, const char *sdp)
{
	answer_final(&r->w, B, b_invite, 200, "b1", sdp);
	expect_answer(&r->w, a, 1);
	bye_from(&r->w, a, B);
	relay_close(r);
}

static void a_response_of_ours_comes_again_until_its_prack(void **state)
{
	struct relay r;
	struct ua a, b;
	unsigned rseq;

	(void)state;
	relay_open(&r);
	begin(&r, &a, &b, NEEDS);
	answer(&r.w, B, b_invite, 183, "b1", SDP_B);
	copy_text(seen, TEXT_MAX, expect(&r.w, A, "SIP/2.0 183"));
	has(seen, "m=audio");
	rseq = rseq_of(seen);
	/* One more waits for its turn. */
	answer(&r.w, B, b_invite, 180, "b1", NULL);
	run_ms(&r.w, 2);
	go_on(&r);
	comes_again(&r);
	comes_again(&r);
	learn(&a, seen);
	prack(&r.w, &a, rseq + 1, NULL);
	do
		copy_text(again, TEXT_MAX, expect(&r.w, A, "SIP/2.0 "));
	while (strncmp(again, "SIP/2.0 183", 11) == 0); /* as the next daemon prints it */
	has(again, "SIP/2.0 481");
	acknowledge(&r, &a, rseq);
	copy_text(seen, TEXT_MAX, expect(&r.w, A, "SIP/2.0 180"));
	assert_int_equal(rseq_of(seen), rseq + 1);
	go_on(&r);
	comes_again(&r);
	acknowledge(&r, &a, rseq + 1);
	answered_by_b(&r, &a, SDP_B);
}

static void a_2xx_that_waits_for_a_prack_is_no_end_of_the_call(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	relay_open(&r);
	begin(&r, &a, &b, NEEDS);
	answer(&r.w, B, b_invite, 183, "b1", SDP_B);
	copy_text(seen, TEXT_MAX, expect(&r.w, A, "SIP/2.0 183"));
	run_ms(&r.w, 20);
	answer(&r.w, B, b_invite, 200, "b1", SDP_B);
	run_ms(&r.w, 2);
	go_on(&r);
	comes_again(&r);
	/* B has no ACK: its 2xx comes again, and waits again. */
	answer(&r.w, B, b_invite, 200, "b1", SDP_B);
	run_ms(&r.w, 2);
	expect_nothing(&r.w, B);
	learn(&a, seen);
	prack(&r.w, &a, rseq_of(seen), NULL);
	expect(&r.w, B, "ACK ");
	for (unsigned i = 0; i < 3; i++) {
		copy_text(again, TEXT_MAX, expect(&r.w, A, "SIP/2.0 "));
		if (strstr(header(again, "CSeq"), "INVITE") &&
			strncmp(again, "SIP/2.0 200", 11) == 0)
			break;
	}
	has(again, "SIP/2.0 200");
	ack(&r.w, &a, 1, NULL);
	bye_from(&r.w, &a, B);
	relay_close(&r);
}

/* A fork: the first 2xx waits for A's PRACK, so the second branch had BYE. It is not taken when the
 * next daemon hears it first. */
static void a_branch_that_was_told_bye_does_not_answer_the_next_daemon(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	relay_open(&r);
	r.w.cfg->peer[A].session.forking = FORKING_FOLD;
	begin(&r, &a, &b, NEEDS);
	answer(&r.w, B, b_invite, 183, "b1", SDP_B);
	copy_text(seen, TEXT_MAX, expect(&r.w, A, "SIP/2.0 183"));
	answer(&r.w, B, b_invite, 200, "b1", SDP_B);
	run_ms(&r.w, 2);
	answer(&r.w, B, b_invite, 200, "b2", SDP("5002", ""));
	expect(&r.w, B, "ACK ");
	copy_text(request, TEXT_MAX, expect(&r.w, B, "BYE "));
	has(header(request, "To"), "tag=b2");
	answer(&r.w, B, request, 200, NULL, NULL);
	run_ms(&r.w, 2);
	die(&r);
	come_back(&r);
	assert_int_equal(adoption(&r).adopted, 1);
	run_ms(&r.w, 2);
	forget_what_came(&r, B);
	answer(&r.w, B, b_invite, 200, "b2", SDP("5002", ""));
	has(header(expect(&r.w, B, "ACK "), "To"), "tag=b2");
	expect_nothing(&r.w, B);
	answer(&r.w, B, b_invite, 200, "b1", SDP_B);
	run_ms(&r.w, 2);
	expect_nothing(&r.w, B);
	learn(&a, seen);
	prack(&r.w, &a, rseq_of(seen), NULL);
	has(header(expect(&r.w, B, "ACK "), "To"), "tag=b1");
	assert_int_equal(call_next(r.w.calls, 0)->state, CALL_ANSWERED);
	run_ms(&r.w, 2);
	forget_what_came(&r, A);
	ack(&r.w, &a, 1, NULL);
	bye_from(&r.w, &a, B);
	relay_close(&r);
}

static void what_we_have_acknowledged_is_nothing_new(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	relay_open(&r);
	r.w.cfg->peer[B].session.reliable = RELIABLE_END;
	begin(&r, &a, &b, "");
	answer_reliably(&r.w, B, b_invite, 183, "b1", 7, SDP_B);
	has(expect(&r.w, A, "SIP/2.0 183"), "m=audio");
	has(expect(&r.w, B, "PRACK "), "RAck: 7 1 INVITE");
	go_on(&r);
	/* The PRACK was lost: it gets one more, and A hears nothing. */
	answer_reliably(&r.w, B, b_invite, 183, "b1", 7, SDP_B);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "PRACK "));
	has(request, "RAck: 7 1 INVITE");
	answer_reliably(&r.w, B, b_invite, 183, "b1", 7, SDP_B);
	answer(&r.w, B, request, 200, NULL, NULL);
	expect_nothing(&r.w, B);
	expect_nothing(&r.w, A);
	answer_reliably(&r.w, B, b_invite, 180, "b1", 8, NULL);
	expect(&r.w, A, "SIP/2.0 180");
	has(expect(&r.w, B, "PRACK "), "RAck: 8 1 INVITE");
	answered_by_b(&r, &a, SDP_B);
}

static void a_prack_is_passed_on_after_a_restart(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	relay_open(&r);
	begin(&r, &a, &b, CAN);
	answer_reliably(&r.w, B, b_invite, 183, "b1", 7, SDP_B);
	copy_text(seen, TEXT_MAX, expect(&r.w, A, "SIP/2.0 183"));
	assert_int_equal(rseq_of(seen), 7);
	run_ms(&r.w, 2);
	go_on(&r);
	/* It comes again to both daemons, with its number. */
	answer_reliably(&r.w, B, b_invite, 183, "b1", 7, SDP_B);
	comes_again(&r);
	learn(&a, seen);
	prack(&r.w, &a, 7, NULL);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "PRACK "));
	has(request, "RAck: 7 1 INVITE");
	answer(&r.w, B, request, 200, NULL, NULL);
	has(header(expect(&r.w, A, "SIP/2.0 200"), "CSeq"), "PRACK");
	answered_by_b(&r, &a, NULL);
}

/* A's PRACK is with B, in request, and not answered. */
static void prack_passed_on(struct relay *r, struct ua *a, struct ua *b, const char *offer)
{
	relay_open(r);
	begin(r, a, b, CAN);
	answer_reliably(&r->w, B, b_invite, 183, "b1", 7, SDP_B);
	learn(a, expect(&r->w, A, "SIP/2.0 183"));
	prack(&r->w, a, 7, offer);
	copy_text(request, TEXT_MAX, expect(&r->w, B, "PRACK "));
}

/* B has taken the PRACK, and its answer went to the daemon before: what B gets now is that PRACK to
 * the letter. */
/* A does not send it again, as over TCP. */
static void b_has_the_prack_again(struct relay *r)
{
	copy_text(again, TEXT_MAX, receive_any(&r->w, B, PATIENCE_MS));
	while (strncmp(again, "INVITE ", 7) == 0) /* that as well */
		copy_text(again, TEXT_MAX, receive_any(&r->w, B, PATIENCE_MS));
	assert_string_equal(again, request);
}

static void a_prack_whose_answer_was_lost_is_answered(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	prack_passed_on(&r, &a, &b, NULL);
	go_on(&r);
	go_on(&r); /* nor is it forgotten by one that did not hear it */
	forget_what_came(&r, B);
	b_has_the_prack_again(&r);
	answer(&r.w, B, request, 200, NULL, NULL);
	has(header(expect(&r.w, A, "SIP/2.0 200"), "CSeq"), "PRACK");
	/* The same again is a retransmission. */
	send_text(&r.w, A, a.request);
	expect_nothing(&r.w, B);
	answered_by_b(&r, &a, NULL);
}

/* With an offer, whose answer was lost. */
static void a_prack_with_an_offer_whose_answer_was_lost_has_it(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	prack_passed_on(&r, &a, &b, SDP("4002", ""));
	has(body(request), "m=audio ");
	go_on(&r);
	forget_what_came(&r, B);
	b_has_the_prack_again(&r);
	assert_true(media_offer_pending(call_media(the_call(&r.w))));
	answer(&r.w, B, request, 200, NULL, SDP("5002", ""));
	copy_text(seen, TEXT_MAX, expect(&r.w, A, "SIP/2.0 200"));
	has(header(seen, "CSeq"), "PRACK");
	has(body(seen), "m=audio ");
	assert_false(media_offer_pending(call_media(the_call(&r.w))));
	answered_by_b(&r, &a, NULL);
}

/* With the answer to an offer of B's, which the daemon before has taken. */
static void a_prack_with_an_answer_is_not_taken_for_an_offer(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	relay_open(&r);
	invite_with(&r.w, &a, "100", CAN, NULL);
	copy_text(b_invite, TEXT_MAX, expect(&r.w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer_reliably(&r.w, B, b_invite, 183, "b1", 7, SDP_B);
	learn(&a, expect(&r.w, A, "SIP/2.0 183"));
	prack(&r.w, &a, 7, SDP_A);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "PRACK "));
	has(body(request), "m=audio ");
	go_on(&r);
	forget_what_came(&r, B);
	b_has_the_prack_again(&r);
	assert_false(media_offer_pending(call_media(the_call(&r.w))));
	answer(&r.w, B, request, 200, NULL, NULL);
	has(header(expect(&r.w, A, "SIP/2.0 200"), "CSeq"), "PRACK");
	answered_by_b(&r, &a, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_response_of_ours_comes_again_until_its_prack),
		cmocka_unit_test(a_2xx_that_waits_for_a_prack_is_no_end_of_the_call),
		cmocka_unit_test(a_branch_that_was_told_bye_does_not_answer_the_next_daemon),
		cmocka_unit_test(what_we_have_acknowledged_is_nothing_new),
		cmocka_unit_test(a_prack_is_passed_on_after_a_restart),
		cmocka_unit_test(a_prack_whose_answer_was_lost_is_answered),
		cmocka_unit_test(a_prack_with_an_offer_whose_answer_was_lost_has_it),
		cmocka_unit_test(a_prack_with_an_answer_is_not_taken_for_an_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
