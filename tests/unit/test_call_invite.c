/* SPDX-License-Identifier: BSD-2-Clause */
/* The first INVITE: answered, refused, cancelled, moved on. */
#include "test_call_world.h"

static char b_invite[TEXT_MAX], c_invite[TEXT_MAX];

static void a_call_is_set_up_and_torn_down(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	has(b_invite, "c=IN IP4 127.0.0.2");
	has_not(b_invite, "127.0.0.9");
	has_not(b_invite, "127.0.0.3");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_2xx_that_comes_again_is_acked_again(void **state)
{
	struct world w;
	struct ua a, b;
	char first[TEXT_MAX];

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	copy_text(first, TEXT_MAX, expect(&w, B, "ACK "));
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	assert_string_equal(receive_any(&w, B, PATIENCE_MS), first);
	ack(&w, &a, 1, NULL);
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	assert_string_equal(receive_any(&w, B, PATIENCE_MS), first);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void without_an_ack_both_legs_get_bye(void **state)
{
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	answer_final(&w, B, expect(&w, B, "INVITE "), 200, "b1", SDP_B);
	expect(&w, A, "SIP/2.0 200");
	text = expect(&w, B, "BYE ");
	has(text, "No ACK");
	answer(&w, B, text, 200, NULL, NULL);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	assert_int_equal(w.calls->counters.not_acked, 1);
	world_close(&w);
}

static void cancel_reaches_the_callee_and_the_caller_gets_487(void **state)
{
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_invite, 180, "b1", NULL);
	expect(&w, A, "SIP/2.0 180");
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &a, "SIP/2.0 487");
	text = expect(&w, B, "CANCEL ");
	answer(&w, B, text, 200, "b1", NULL);
	answer_final(&w, B, b_invite, 487, "b1", NULL);
	world_close(&w);
}

static void cancel_waits_for_a_sign_of_the_callee(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &a, "SIP/2.0 487");
	expect_nothing(&w, B);
	answer(&w, B, b_invite, 180, "b1", NULL);
	answer(&w, B, expect(&w, B, "CANCEL "), 200, "b1", NULL);
	answer_final(&w, B, b_invite, 487, "b1", NULL);
	expect_nothing(&w, A);
	world_close(&w);
}

static void a_cancelled_callee_that_says_nothing_is_forgotten(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	expect(&w, B, "INVITE ");
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &a, "SIP/2.0 487");
	world_close(&w);
}

static void a_2xx_that_crosses_cancel_is_acked_and_ended(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_invite, 180, "b1", NULL);
	expect(&w, A, "SIP/2.0 180");
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &a, "SIP/2.0 487");
	expect(&w, B, "CANCEL ");
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	/* Once more: only the ACK is due. */
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect_nothing(&w, B);
	world_close(&w);
}

/* A PRACK has moved the CSeq on: that is no sign of a BYE. */
static void a_2xx_that_crosses_cancel_is_ended_also_after_prack(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite_with(&w, &a, "100", "Supported: 100rel\r\n", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_reliably(&w, B, b_invite, 180, "b1", 7, NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	prack(&w, &a, 7, NULL);
	answer(&w, B, expect(&w, B, "PRACK "), 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	copy_text(a.remote, sizeof(a.remote), "<sip:100@127.0.0.1>");
	copy_text(a.target, sizeof(a.target), "sip:100@127.0.0.1");
	say_with(&w, &a, "CANCEL", 1, a.invite_branch, "", NULL);
	expect(&w, A, "SIP/2.0 200");
	expect(&w, A, "SIP/2.0 487");
	expect(&w, B, "CANCEL ");
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	has(expect(&w, B, "BYE "), "CSeq: 3 BYE");
	world_close(&w);
}

static void a_refusal_reaches_the_caller(void **state)
{
	static const struct {
		int code;
		const char *seen;
	} cases[] = {{486, "SIP/2.0 486"}, {404, "SIP/2.0 404"}, {603, "SIP/2.0 603"},
		{606, "SIP/2.0 606"}, {302, "SIP/2.0 480"}, {401, "SIP/2.0 403"},
		{407, "SIP/2.0 403"}, {699, "SIP/2.0 699"}, {503, "SIP/2.0 503"}};
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		invite(&w, &a, "100", SDP_A);
		answer_final(&w, B, expect(&w, B, "INVITE "), cases[i].code, "b1", NULL);
		expect_refusal(&w, &a, cases[i].seen);
	}
	assert_int_equal(w.calls->counters.failed, sizeof(cases) / sizeof(cases[0]));
	world_close(&w);
}

static void a_peer_in_trouble_is_passed_over(void **state)
{
	static const int codes[] = {503, 408};
	struct world w;
	struct ua a, c;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < 2; i++) {
		invite(&w, &a, "200", SDP_A);
		answer_final(&w, B, expect(&w, B, "INVITE "), codes[i], "b1", NULL);
		copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
		take(&c, C, c_invite, "c1");
		answer_final(&w, C, c_invite, 200, "c1", SDP_B);
		expect_answer(&w, &a, 1);
		bye_from(&w, &a, C);
	}
	assert_int_equal(w.calls->counters.failovers, 2);
	world_close(&w);
}

static void busy_is_no_reason_to_try_the_next_peer(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "200", SDP_A);
	answer_final(&w, B, expect(&w, B, "INVITE "), 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	expect_nothing(&w, C);
	world_close(&w);
}

static void where_every_peer_is_in_trouble_the_last_word_counts(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "200", SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 408, "b1", NULL);
	answer(&w, C, expect(&w, C, "INVITE "), 503, "c1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 503");
	world_close(&w);
}

static void an_unreachable_peer_is_passed_over(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	close(w.fd[B]);
	w.fd[B] = -1;
	invite(&w, &a, "200", SDP_A);
	answer(&w, C, expect(&w, C, "INVITE "), 486, "c1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void a_late_2xx_of_a_peer_given_up_is_ended_and_the_call_goes_on(void **state)
{
	struct world w;
	struct ua a, b, c;

	(void)state;
	world_open_with(&w, "timers: {attempt: 1}\n");
	/* The peer has to stay silent, not gone: timer B is made longer than the attempt's. */
	sip_set_timers(calls_sip(w.calls), 50, 100, 50);
	invite(&w, &a, "200", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "same");
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	take(&c, C, c_invite, "same");
	answer(&w, C, c_invite, 180, "same", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	/* The same tag as the other callee's, and still another dialog. */
	answer_final(&w, B, b_invite, 200, "same", SDP_B);
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	expect_nothing(&w, A);
	answer_final(&w, C, c_invite, 200, "same", SDP_B);
	expect_answer(&w, &a, 1);
	say(&w, &b, "BYE", NULL);
	expect(&w, B, "SIP/2.0 481");
	bye_from(&w, &c, A);
	sip_set_timers(calls_sip(w.calls), T1_MS, T2_MS, T4_MS);
	for (unsigned i = 0; i < 3 && calls_count(w.calls); i++)
		run_ms(&w, 1200);
	world_close(&w);
}

static void a_callee_that_rings_for_ever_is_given_up(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open_with(&w, "timers: {ring: 10, attempt: 1}\n");
	w.cfg->ring_timeout_s = 1; /* below what a file may say */
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_invite, 180, "b1", NULL);
	expect(&w, A, "SIP/2.0 180");
	expect_refusal(&w, &a, "SIP/2.0 408");
	expect(&w, B, "CANCEL ");
	answer(&w, B, b_invite, 487, "b1", NULL);
	world_close(&w);
}

static void a_callee_that_says_again_and_again_that_it_rings_is_given_up(void **state)
{
	struct calls_status status = {.live = 1};
	unsigned told = 0, heard = 0;
	struct world w;
	const char *text;
	struct ua a;

	(void)state;
	world_open_with(&w, "timers: {ring: 10, attempt: 1, unanswered: 10}\n");
	w.cfg->unanswered_timeout_s = 1; /* below what a file may say */
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	for (; told < 200 && status.live; told++) {
		answer(&w, B, b_invite, 180, "b1", NULL);
		run_ms(&w, 50);
		calls_get_status(w.calls, &status);
	}
	assert_in_range(told, 2, 199);
	do
		text = receive(&w, A, PATIENCE_MS);
	while (strncmp(text, "SIP/2.0 1", 9) == 0 && heard++ <= told);
	assert_memory_equal(text, "SIP/2.0 408", 11);
	ack_refusal(&w, &a, text);
	expect(&w, B, "CANCEL ");
	answer(&w, B, b_invite, 487, "b1", NULL);
	world_close(&w);
}

static void who_takes_no_sdp_is_told_so(void **state)
{
	static const struct {
		const char *accept;
		bool good;
	} cases[] = {{"text/nobodyKnowsThis", false}, {"application/isup, text/plain", false},
		{"application/sdp;q=0", false}, {"application/sdp;q=0.0, text/*", false},
		{"", false}, {"application/SDP", true}, {"text/plain, application/sdp;q=0.5", true},
		{"*/*", true}, {"application/*", true}, {"application/sdp;level=1", true}};
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char header[64];

		snprintf(header, sizeof(header), "Accept: %s\r\n", cases[i].accept);
		invite_with(&w, &a, "100", header, SDP_A);
		if (cases[i].good) {
			copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
			answer_final(&w, B, b_invite, 486, "b1", NULL);
			expect_refusal(&w, &a, "SIP/2.0 486");
		} else {
			expect_refusal(&w, &a, "SIP/2.0 406");
			expect_nothing(&w, B);
		}
	}
	world_close(&w);
}

static void an_answer_that_is_no_use_ends_the_call_on_both_legs(void **state)
{
	static const struct {
		const char *sdp, *seen;
	} cases[] = {{NULL, "SIP/2.0 502"}, {"v=nonsense\r\n", "SIP/2.0 502"},
		{"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nt=0 0\r\n", "SIP/2.0 502"},
		{SDP_B "m=audio 6000 RTP/AVP 8\r\n", "SIP/2.0 502"}};
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text;

		invite(&w, &a, "100", SDP_A);
		copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
		answer_final(&w, B, b_invite, 200, "b1", cases[i].sdp);
		text = expect(&w, B, "BYE ");
		has(text, "cause=488");
		answer(&w, B, text, 200, NULL, NULL);
		expect_refusal(&w, &a, cases[i].seen);
		/* Its ACK was lost: there it is again. */
		answer(&w, B, b_invite, 200, "b1", cases[i].sdp);
		has(receive_any(&w, B, PATIENCE_MS), "ACK sip:");
		expect_nothing(&w, B);
	}
	assert_int_equal(w.calls->counters.answered, 0);
	world_close(&w);
}

static void a_2xx_without_contact_is_answered_where_the_invite_went(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer_with(&w, B, b_invite, 200, "b1", "", SDP_B);
	has(expect(&w, B, "ACK "), "ACK sip:100@127.0.0.4");
	expect_answer(&w, &a, 1);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_delayed_offer_is_answered_in_the_ack(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", NULL);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	has_not(b_invite, "m=audio");
	take(&b, B, b_invite, "b1");
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	text = expect(&w, A, "SIP/2.0 200");
	has(text, "c=IN IP4 127.0.0.1");
	learn(&a, text);
	expect_nothing(&w, B);
	ack(&w, &a, 1, SDP_A);
	has(expect(&w, B, "ACK "), "c=IN IP4 127.0.0.2");
	assert_int_equal(media_stream_count(call_media(the_call(&w))), 1);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_delayed_offer_without_an_answer_ends_the_call(void **state)
{
	static const char *const answers[] = {NULL, "v=nonsense\r\n"};
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < 2; i++) {
		invite(&w, &a, "100", NULL);
		copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
		answer(&w, B, b_invite, 200, "b1", SDP_B);
		learn(&a, expect(&w, A, "SIP/2.0 200"));
		ack(&w, &a, 1, answers[i]);
		expect(&w, B, "ACK ");
		answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
		answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	}
	world_close(&w);
}

static void what_cannot_become_a_call_is_refused_at_once(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", "v=nonsense\r\n");
	expect_refusal(&w, &a, "SIP/2.0 400");
	invite_with(&w, &a, "100", "Require: gruu\r\n", SDP_A);
	has(expect(&w, A, "SIP/2.0 420"), "Unsupported: gruu");
	invite_with(&w, &a, "100", "Contact: <sip:1@127.0.0.3>\r\n", SDP_A);
	expect_refusal(&w, &a, "SIP/2.0 400");
	expect_nothing(&w, B);
	world_close(&w);
}

static void what_one_offer_lacked_is_not_told_of_a_call_that_has_none(void **state)
{
	static const char over_dtls[] = "v=0\r\no=- 1 1 IN IP4 127.0.0.3\r\ns=-\r\n"
					"c=IN IP4 127.0.0.3\r\nt=0 0\r\n"
					"m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n";
	char refusal[TEXT_MAX];
	struct world w;
	struct ua a;

	(void)state;
	world_peer_keys[B] = ", delayed_offer: refuse";
	world_open(&w);
	world_peer_keys[B] = "";
	invite(&w, &a, "100", over_dtls);
	copy_text(refusal, TEXT_MAX, expect(&w, A, "SIP/2.0 488"));
	has(refusal, "Warning: 304 ");
	ack_refusal(&w, &a, refusal);
	invite(&w, &a, "100", NULL);
	copy_text(refusal, TEXT_MAX, expect(&w, A, "SIP/2.0 488"));
	has_not(refusal, "Warning");
	ack_refusal(&w, &a, refusal);
	expect_nothing(&w, B);
	world_close(&w);
}

static void a_caller_that_fits_no_dialog_is_refused_before_anybody_rings(void **state)
{
	char text[TEXT_MAX], name[600];
	struct world w;

	(void)state;
	world_open(&w);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (unsigned i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
			"INVITE sip:100@127.0.0.1 SIP/2.0\r\n"
			"Via: SIP/2.0/UDP 127.0.0.3:%u;branch=%s\r\n"
			"From: <sip:%s@127.0.0.3>;tag=%s\r\nTo: <sip:100@127.0.0.1>\r\n"
			"Call-ID: long%u\r\nCSeq: 1 INVITE\r\nContact: <sip:%s@127.0.0.3>\r\n"
			"Content-Length: 0\r\n\r\n",
			w.port[A], new_branch(), i == 0 ? name : "1", i == 1 ? name : "t", i,
			i == 2 ? name : "1");
		send_text(&w, A, text);
		expect(&w, A, "SIP/2.0 400");
	}
	expect_nothing(&w, B);
	world_close(&w);
}

static void a_number_too_long_is_refused(void **state)
{
	char number[CALL_NUMBER_MAX + 2];
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	memset(number, '1', sizeof(number));
	number[sizeof(number) - 1] = '\0';
	invite(&w, &a, number, SDP_A);
	expect_refusal(&w, &a, "SIP/2.0 400");
	number[CALL_NUMBER_MAX] = '\0';
	invite(&w, &a, number, SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 404, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 404");
	world_close(&w);
}

static void the_same_invite_by_another_way_is_a_loop(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	say_with(&w, &a, "INVITE", 1, new_branch(), "", SDP_A);
	expect(&w, A, "SIP/2.0 482");
	answer(&w, B, b_invite, 486, "b1", NULL);
	expect(&w, A, "SIP/2.0 486");
	assert_int_equal(w.calls->counters.loops, 1);
	world_close(&w);
}

static void our_own_invite_that_comes_back_is_a_loop(void **state)
{
	char text[TEXT_MAX];
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	snprintf(text, sizeof(text), "%.*s\r\nVia: SIP/2.0/UDP 127.0.0.4:%u;branch=z9hG4bKspiral%s",
		(int)strcspn(b_invite, "\r"), b_invite, w.port[B],
		b_invite + strcspn(b_invite, "\r"));
	send_text(&w, B, text);
	expect(&w, B, "SIP/2.0 482");
	answer(&w, B, b_invite, 482, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 482");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_set_up_and_torn_down),
		cmocka_unit_test(a_2xx_that_comes_again_is_acked_again),
		cmocka_unit_test(without_an_ack_both_legs_get_bye),
		cmocka_unit_test(cancel_reaches_the_callee_and_the_caller_gets_487),
		cmocka_unit_test(cancel_waits_for_a_sign_of_the_callee),
		cmocka_unit_test(a_cancelled_callee_that_says_nothing_is_forgotten),
		cmocka_unit_test(a_2xx_that_crosses_cancel_is_acked_and_ended),
		cmocka_unit_test(a_2xx_that_crosses_cancel_is_ended_also_after_prack),
		cmocka_unit_test(a_refusal_reaches_the_caller),
		cmocka_unit_test(a_peer_in_trouble_is_passed_over),
		cmocka_unit_test(busy_is_no_reason_to_try_the_next_peer),
		cmocka_unit_test(where_every_peer_is_in_trouble_the_last_word_counts),
		cmocka_unit_test(an_unreachable_peer_is_passed_over),
		cmocka_unit_test(a_late_2xx_of_a_peer_given_up_is_ended_and_the_call_goes_on),
		cmocka_unit_test(a_callee_that_rings_for_ever_is_given_up),
		cmocka_unit_test(a_callee_that_says_again_and_again_that_it_rings_is_given_up),
		cmocka_unit_test(who_takes_no_sdp_is_told_so),
		cmocka_unit_test(an_answer_that_is_no_use_ends_the_call_on_both_legs),
		cmocka_unit_test(a_2xx_without_contact_is_answered_where_the_invite_went),
		cmocka_unit_test(a_delayed_offer_is_answered_in_the_ack),
		cmocka_unit_test(a_delayed_offer_without_an_answer_ends_the_call),
		cmocka_unit_test(what_cannot_become_a_call_is_refused_at_once),
		cmocka_unit_test(what_one_offer_lacked_is_not_told_of_a_call_that_has_none),
		cmocka_unit_test(a_caller_that_fits_no_dialog_is_refused_before_anybody_rings),
		cmocka_unit_test(a_number_too_long_is_refused),
		cmocka_unit_test(the_same_invite_by_another_way_is_a_loop),
		cmocka_unit_test(our_own_invite_that_comes_back_is_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
