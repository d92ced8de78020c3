/* SPDX-License-Identifier: BSD-2-Clause */
/* 2xx to INVITEs, ours and theirs, whose ACK is still to come when one daemon is followed by
 * another. */
#include "test_call_restart.h"

#define SDP_MOVED SDP("4002", "")

static char request[TEXT_MAX], ok[TEXT_MAX];

static unsigned cseq_of(const char *text)
{
	return (unsigned)strtoul(header(text, "CSeq"), NULL, 10);
}

/* What comes next at who, within ms, is text, bit for bit. */
static bool comes_again(struct world *w, enum who who, const char *text, unsigned ms)
{
	const char *got = receive_any(w, who, ms);

	if (*got)
		assert_string_equal(got, text);
	return *got;
}

static void restart_unheard(struct relay *r, enum who who)
{
	leave_at_once(r);
	forget_what_came(r, who);
	come_back(r);
}

static uint64_t not_acked(struct relay *r)
{
	struct calls_status status;

	calls_get_status(r->w.calls, &status);
	return status.not_acked;
}

/* B has answered and, where it answered an offer, its ACK; A has the 2xx and has not acknowledged
 * it. */
static void answered(struct relay *r, struct ua *a, struct ua *b, const char *offer)
{
	relay_open(r);
	invite(&r->w, a, "100", offer);
	copy_text(request, TEXT_MAX, expect(&r->w, B, "INVITE "));
	take(b, B, request, "b1");
	answer(&r->w, B, request, 200, "b1", SDP_B);
	if (strstr(body(request), "m=audio "))
		expect(&r->w, B, "ACK ");
	copy_text(ok, TEXT_MAX, expect(&r->w, A, "SIP/2.0 200"));
	learn(a, ok);
}

/* That, and the next daemon has taken up. */
static void begin(struct relay *r, struct ua *a, struct ua *b, const char *offer)
{
	answered(r, a, b, offer);
	restart_unheard(r, A);
	assert_int_equal(adoption(r).adopted, 1);
}

static void our_2xx_is_sent_again_until_its_ack(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	begin(&r, &a, &b, SDP_A);
	for (unsigned i = 0; i < 3; i++)
		assert_true(comes_again(&r.w, A, ok, PATIENCE_MS));
	/* One that is followed in its turn. */
	restart_unheard(&r, A);
	assert_true(comes_again(&r.w, A, ok, PATIENCE_MS));
	ack(&r.w, &a, 1, NULL);
	run_ms(&r.w, 2);
	forget_what_came(&r, A);
	assert_false(comes_again(&r.w, A, ok, 3 * T2_MS));
	restart_unheard(&r, A);
	assert_false(comes_again(&r.w, A, ok, 3 * T2_MS));
	bye_from(&r.w, &b, A);
	relay_close(&r);
}

static void without_an_ack_both_legs_end(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	begin(&r, &a, &b, SDP_A);
	answer(&r.w, B, expect(&r.w, B, "BYE "), 200, NULL, NULL);
	answer(&r.w, A, expect(&r.w, A, "BYE "), 200, NULL, NULL);
	assert_int_equal(not_acked(&r), 1);
	assert_int_equal(r.told.count, 1);
	assert_string_equal(r.told.ended_by, "viaduct");
	relay_close(&r);
}

/* It may have sent its ACK while nobody listened: it has T2 to send it again. */
static void one_whose_time_has_run_out_meanwhile_is_asked_once_more(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	answered(&r, &a, &b, SDP_A);
	leave_at_once(&r);
	run_ms(&r.w, TIMEOUT_MS + T1_MS);
	forget_what_came(&r, A);
	come_back_with(&r, PATIENCE_MS);
	assert_true(comes_again(&r.w, A, ok, PATIENCE_MS));
	ack(&r.w, &a, 1, NULL);
	assert_int_equal(not_acked(&r), 0);
	bye_from(&r.w, &b, A);
	relay_close(&r);
}

static void our_2xx_to_a_change_of_media_is_sent_again(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	relay_open(&r);
	establish(&r.w, &a, &b, request, "100");
	say(&r.w, &a, "INVITE", SDP_MOVED);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	answer_final(&r.w, B, request, 200, NULL, SDP_B);
	copy_text(ok, TEXT_MAX, expect(&r.w, A, "SIP/2.0 200"));
	restart_unheard(&r, A);
	assert_true(comes_again(&r.w, A, ok, PATIENCE_MS));
	ack(&r.w, &a, a.cseq, NULL);
	/* The dialog is free for the next. */
	say(&r.w, &b, "INVITE", SDP_MOVED);
	copy_text(request, TEXT_MAX, expect(&r.w, A, "INVITE "));
	answer_final(&r.w, A, request, 200, NULL, SDP_A);
	expect(&r.w, B, "SIP/2.0 200");
	ack(&r.w, &b, b.cseq, NULL);
	bye_from(&r.w, &a, B);
	relay_close(&r);
}

static void the_answer_in_an_ack_comes_to_the_next_daemon(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	begin(&r, &a, &b, NULL);
	assert_true(media_offer_pending(call_media(the_call(&r.w))));
	/* The callee says it again as well, and is told nothing yet. */
	answer(&r.w, B, request, 200, "b1", SDP_B);
	expect_nothing(&r.w, B);
	ack(&r.w, &a, 1, SDP_A);
	copy_text(ok, TEXT_MAX, expect(&r.w, B, "ACK "));
	has(body(ok), "m=audio ");
	assert_int_equal(cseq_of(ok), cseq_of(request));
	assert_false(media_offer_pending(call_media(the_call(&r.w))));
	bye_from(&r.w, &a, B);
	relay_close(&r);
}

static void an_answer_that_never_comes_ends_the_call(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	begin(&r, &a, &b, NULL);
	expect(&r.w, B, "ACK ");
	answer(&r.w, B, expect(&r.w, B, "BYE "), 200, NULL, NULL);
	answer(&r.w, A, expect(&r.w, A, "BYE "), 200, NULL, NULL);
	relay_close(&r);
}

/* The leg that was made an offer of ours has its ACK; the other one's brings the answer. */
static void a_turned_offer_is_answered_in_the_ack_to_the_next_daemon(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	world_peer_keys[B] = ", delayed_offer: convert";
	relay_open(&r);
	invite(&r.w, &a, "100", NULL);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	has(body(request), "m=audio ");
	take(&b, B, request, "b1");
	answer_final(&r.w, B, request, 200, "b1", SDP_B);
	copy_text(ok, TEXT_MAX, expect(&r.w, A, "SIP/2.0 200"));
	learn(&a, ok);
	restart_unheard(&r, A);
	assert_true(comes_again(&r.w, A, ok, PATIENCE_MS));
	ack(&r.w, &a, 1, SDP_A);
	assert_false(media_offer_pending(call_media(the_call(&r.w))));
	expect_nothing(&r.w, B);
	bye_from(&r.w, &a, B);
	relay_close(&r);
	world_peer_keys[B] = "";
}

/* Our ACK was lost, or the daemon died with it: the peer says 2xx again. */
static void a_2xx_that_had_our_ack_gets_it_again_and_no_more(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	relay_open(&r);
	establish(&r.w, &a, &b, request, "100");
	restart(&r);
	answer(&r.w, B, request, 200, "b1", SDP_B);
	assert_int_equal(cseq_of(expect(&r.w, B, "ACK ")), cseq_of(request));
	expect_nothing(&r.w, B);
	expect_nothing(&r.w, A);
	bye_from(&r.w, &a, B);
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_2xx_is_sent_again_until_its_ack),
		cmocka_unit_test(without_an_ack_both_legs_end),
		cmocka_unit_test(one_whose_time_has_run_out_meanwhile_is_asked_once_more),
		cmocka_unit_test(our_2xx_to_a_change_of_media_is_sent_again),
		cmocka_unit_test(the_answer_in_an_ack_comes_to_the_next_daemon),
		cmocka_unit_test(an_answer_that_never_comes_ends_the_call),
		cmocka_unit_test(a_turned_offer_is_answered_in_the_ack_to_the_next_daemon),
		cmocka_unit_test(a_2xx_that_had_our_ack_gets_it_again_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
