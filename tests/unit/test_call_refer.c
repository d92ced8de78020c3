/* SPDX-License-Identifier: BSD-2-Clause */
/* Blind transfers that are carried out here (refer: local). */
#include "test_call_transfer.h"

static char b_invite[TEXT_MAX], c_invite[TEXT_MAX], request[TEXT_MAX];

static void begin_with(struct world *w, struct ua *a, struct ua *b, const char *extra)
{
	world_open_with(w, extra);
	establish(w, a, b, b_invite, "100");
}

static void begin(struct world *w, struct ua *a, struct ua *b)
{
	begin_with(w, a, b, "");
}

/* A refers B to C, who rings. */
static void refer_and_ring(struct world *w, struct ua *a, struct ua *c)
{
	refer(w, a, "<sip:300@127.0.0.1>");
	copy_text(c_invite, TEXT_MAX, expect(w, C, "INVITE "));
	expect_notify(w, a, 100);
	take(c, C, c_invite, "c1");
	answer(w, C, c_invite, 180, "c1", NULL);
	expect_notify(w, a, 180);
}

static void answer_target(struct world *w)
{
	answer_final(w, C, c_invite, 200, "c1", SDP_C);
}

/* B and C are a call, of the dialogs that they had. */
static void joined(struct world *w, struct ua *b, struct ua *c)
{
	struct call *call = the_call(w);
	const char *text;

	run_ms(w, 2);
	assert_int_equal(live_calls(w), 1);
	assert_int_equal(call->state, CALL_ANSWERED);
	assert_int_equal(media_port(call, LEG_A), 5000);
	assert_int_equal(media_port(call, LEG_B), 6000);
	/* Both ways, with what belongs to each dialog. */
	say(w, b, "INFO", NULL);
	text = expect(w, C, "INFO ");
	assert_string_equal(header(text, "Call-ID"), c->call_id);
	answer(w, C, text, 200, NULL, NULL);
	expect(w, B, "SIP/2.0 200");
	say(w, c, "INVITE", SDP_C);
	follow(w, b, SDP_B);
	expect(w, C, "SIP/2.0 200");
	ack(w, c, c->cseq, NULL);
	hang_up(w, c);
	expect_bye(w, b);
}

static void the_callee_is_led_to_the_target(void **state)
{
	struct ua a, b, c;
	struct world w;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	/* As a call of A's for B: B's name, our address. */
	has(header(c_invite, "From"), "sip:100@127.0.0.2");
	has(c_invite, "INVITE sip:300@127.0.0.5");
	has(body(c_invite), "c=IN IP4 127.0.0.2");
	assert_int_equal(live_calls(&w), 2);
	answer_target(&w);
	text = follow(&w, &b, SDP_B);
	has(body(text), "c=IN IP4 127.0.0.2");
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	joined(&w, &b, &c);
	assert_int_equal(counters(&w).transfers, 1);
	world_close(&w);
}

static void the_caller_is_led_by_the_callee(void **state)
{
	struct ua a, b, a2;
	struct world w;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	refer(&w, &b, "<sip:500@127.0.0.2>");
	copy_text(request, TEXT_MAX, expect(&w, A, "INVITE "));
	take(&a2, A, request, "a2");
	has(header(request, "From"), "sip:1000@127.0.0.1");
	expect_notify(&w, &b, 100);
	answer_final(&w, A, request, 200, "a2", SDP("4002", ""));
	follow(&w, &a, SDP_A);
	expect_notify(&w, &b, 200);
	expect_bye(&w, &b);
	run_ms(&w, 2);
	assert_int_equal(media_port(the_call(&w), LEG_A), 4000);
	assert_int_equal(media_port(the_call(&w), LEG_B), 4002);
	hang_up(&w, &a);
	text = expect(&w, A, "BYE ");
	assert_string_equal(header(text, "Call-ID"), a2.call_id);
	answer(&w, A, text, 200, NULL, NULL);
	world_close(&w);
}

static void a_caller_withheld_from_the_callee_is_withheld_from_whom_that_refers_it_to(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	world_open(&w);
	invite_with(&w, &a, "100", "Privacy: user\r\n", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	has(header(b_invite, "From"), "sip:anonymous@anonymous.invalid");
	take(&b, B, b_invite, "b1");
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect_answer(&w, &a, 1);
	refer(&w, &b, "<sip:700@127.0.0.2>");
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	expect_notify(&w, &b, 100);
	has(header(c_invite, "From"), "sip:anonymous@anonymous.invalid");
	has_not(c_invite, "1000@");
	answer_final(&w, C, c_invite, 486, "c1", NULL);
	expect_notify(&w, &b, 486);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_target_that_refuses_leaves_the_call_as_it_was(void **state)
{
	static const int codes[] = {486, 603, 404};
	struct ua a, b;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	for (unsigned i = 0; i < 3; i++) {
		refer(&w, &a, "<sip:300@127.0.0.1>");
		copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
		/* RFC 3515 2.4.6: the second and later ones have an id. */
		assert_int_equal(
			strstr(header(expect_notify(&w, &a, 100), "Event"), ";id=") != NULL, i > 0);
		answer_final(&w, C, c_invite, codes[i], "c1", NULL);
		expect_notify(&w, &a, codes[i]);
		run_ms(&w, 2);
	}
	expect_nothing(&w, B);
	assert_int_equal(live_calls(&w), 1);
	assert_int_equal(counters(&w).transfers_failed, 3);
	say(&w, &a, "INVITE", SDP_HOLD);
	follow(&w, &b, SDP("5000", "a=recvonly\r\n"));
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, NULL);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void routes_decide_whom_a_peer_may_refer_to(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer(&w, &b, "<sip:999@127.0.0.2>");
	expect_notify(&w, &b, 100);
	expect_notify(&w, &b, 404);
	run_ms(&w, 2);
	/* From outside to outside only where a route says so by name. */
	refer(&w, &b, "<sip:600@127.0.0.2>");
	expect_notify(&w, &b, 100);
	expect_notify(&w, &b, 403);
	run_ms(&w, 2);
	refer(&w, &b, "<sip:700@127.0.0.2>");
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	take(&c, C, c_invite, "c1");
	expect_notify(&w, &b, 100);
	answer_target(&w);
	follow(&w, &a, SDP_A);
	expect_notify(&w, &b, 200);
	expect_bye(&w, &b);
	bye_from(&w, &a, C);
	world_close(&w);
}

static void media_on_hold_is_taken_off(void **state)
{
	struct ua a, b, c;
	struct world w;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", SDP("4000", "a=inactive\r\n"));
	follow(&w, &b, SDP("5000", "a=inactive\r\n"));
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, NULL);
	refer_and_ring(&w, &a, &c);
	has_not(c_invite, "a=inactive");
	answer_target(&w);
	text = follow(&w, &b, SDP_B);
	has_not(text, "a=inactive");
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	assert_false(the_call(&w)->held);
	joined(&w, &b, &c);
	world_close(&w);
}

static void new_keys_reach_the_other_end(void **state)
{
	static const char keys[] = SDP("5000", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:new\r\n");
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	answer_target(&w);
	follow(&w, &b, keys);
	has(follow(&w, &c, SDP_C), "inline:new");
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	joined(&w, &b, &c);
	world_close(&w);
}

static void a_referrer_that_hangs_up_is_not_waited_for(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	hang_up(&w, &a);
	expect_nothing(&w, B);
	/* Nobody hears what the remaining one says meanwhile. */
	say(&w, &b, "INVITE", SDP_B);
	expect(&w, B, "SIP/2.0 491");
	say(&w, &b, "INFO", NULL);
	expect(&w, B, "SIP/2.0 500");
	answer_target(&w);
	follow(&w, &b, SDP_B);
	expect_nothing(&w, A);
	joined(&w, &b, &c);
	world_close(&w);
}

static void the_remaining_one_is_let_go_when_nobody_is_left(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	hang_up(&w, &a);
	answer_final(&w, C, c_invite, 486, "c1", NULL);
	expect_bye(&w, &b);
	expect_nothing(&w, A);
	world_close(&w);
}

static void a_remaining_one_that_hangs_up_ends_all(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	hang_up(&w, &b);
	answer(&w, C, expect(&w, C, "CANCEL "), 200, NULL, NULL);
	answer_final(&w, C, c_invite, 487, "c1", NULL);
	expect_bye(&w, &a);
	world_close(&w);
	/* While it is led over. */
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	answer_target(&w);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	hang_up(&w, &b);
	expect_bye(&w, &a);
	expect_bye(&w, &c);
	answer_final(&w, B, request, 487, NULL, NULL);
	world_close(&w);
}

/* C's other end n asks for the call that rings with C; who rang is told so. */
static void pick_up_target(struct world *w, const struct ua *c, struct ua *n, const char *sdp)
{
	const char *text;

	invite_replacing_from(w, n, C, c->call_id, c->remote, c->local, ";early-only", sdp);
	text = expect(w, C, "CANCEL ");
	has(header(text, "Reason"), "cause=200");
	answer(w, C, text, 200, NULL, NULL);
	answer_final(w, C, c_invite, 487, "c1", NULL);
}

static void a_target_that_rings_is_picked_up(void **state)
{
	struct ua a, b, c, n;
	struct world w;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	pick_up_target(&w, &c, &n, SDP("6002", ""));
	/* B leaves A for the place of C, who says nothing; then N moves in there. */
	has(body(follow(&w, &b, SDP("5000", "a=inactive\r\n"))), "a=inactive\r\n");
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	assert_null(strstr(body(follow(&w, &b, SDP_B)), "a=inactive"));
	text = expect(&w, C, "SIP/2.0 200");
	learn(&n, text);
	ack(&w, &n, 1, NULL);
	run_ms(&w, 2);
	assert_int_equal(live_calls(&w), 1);
	assert_int_equal(media_port(the_call(&w), LEG_A), 5000);
	assert_int_equal(media_port(the_call(&w), LEG_B), 6002);
	assert_int_equal(counters(&w).transfers, 2);
	bye_from(&w, &n, B);
	world_close(&w);
}

static void a_pickup_of_a_target_that_comes_to_nothing_leaves_the_call_as_it_was(void **state)
{
	struct ua a, b, c, n;
	struct world w;

	(void)state;
	/* B does not follow. */
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	pick_up_target(&w, &c, &n, SDP("6002", ""));
	answer_final(&w, B, expect(&w, B, "INVITE "), 488, NULL, NULL);
	expect_refusal(&w, &n, "SIP/2.0 603");
	expect_notify(&w, &a, 488);
	bye_from(&w, &a, B);
	world_close(&w);
	/* Who has picked up thinks better of it. */
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	pick_up_target(&w, &c, &n, SDP("6002", ""));
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, request, 100, NULL, NULL);
	cancel(&w, &n);
	expect(&w, C, "SIP/2.0 200");
	expect_refusal(&w, &n, "SIP/2.0 487");
	expect_notify(&w, &a, 480);
	answer(&w, B, expect(&w, B, "CANCEL "), 200, NULL, NULL);
	answer_final(&w, B, request, 487, NULL, NULL);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_target_that_rings_for_ever_is_given_up(void **state)
{
	struct ua a, b, c;
	struct world w;
	const char *text;

	(void)state;
	begin_with(&w, &a, &b, "timers: {transfer: 1}\n");
	refer_and_ring(&w, &a, &c);
	text = receive(&w, C, 1500);
	has(text, "CANCEL ");
	answer(&w, C, text, 200, NULL, NULL);
	answer_final(&w, C, c_invite, 487, "c1", NULL);
	expect_notify(&w, &a, 408);
	run_ms(&w, 2);
	assert_int_equal(live_calls(&w), 1);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_remaining_one_that_refuses_stays_where_it_was(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	answer_target(&w);
	answer_final(&w, B, expect(&w, B, "INVITE "), 488, NULL, NULL);
	expect_bye(&w, &c);
	expect_notify(&w, &a, 488);
	run_ms(&w, 2);
	assert_int_equal(live_calls(&w), 1);
	/* One whose answer is of no use has left all the same: it is led back. */
	refer_and_ring(&w, &a, &c);
	answer_target(&w);
	answer_final(&w, B, expect(&w, B, "INVITE "), 200, NULL, NULL);
	expect_bye(&w, &c);
	follow(&w, &b, SDP_B);
	expect_notify(&w, &a, 488);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_target_that_hangs_up_meanwhile_is_no_transfer(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	answer_target(&w);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	/* It knows no other leg yet. */
	say(&w, &c, "INFO", NULL);
	expect(&w, C, "SIP/2.0 500");
	say(&w, &c, "INVITE", SDP_C);
	expect(&w, C, "SIP/2.0 491");
	hang_up(&w, &c);
	/* The re-INVITE was accepted all the same: back to what was. */
	answer_final(&w, B, request, 200, NULL, SDP("5004", ""));
	follow(&w, &b, SDP("5006", ""));
	expect_notify(&w, &a, 480);
	run_ms(&w, 2);
	assert_int_equal(media_port(call_by_id(w.calls, 1), LEG_B), 5006);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void one_transfer_at_a_time(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	refer_with(&w, &a, "<sip:301@127.0.0.1>", "", "SIP/2.0 491");
	refer_with(&w, &b, "<sip:500@127.0.0.2>", "", "SIP/2.0 491");
	/* The one under way goes on; media changes meanwhile are no trouble. */
	say(&w, &b, "INVITE", SDP("5008", ""));
	answer_final(&w, A, expect(&w, A, "INVITE "), 200, NULL, SDP_A);
	expect(&w, B, "SIP/2.0 200");
	ack(&w, &b, b.cseq, NULL);
	answer_target(&w);
	follow(&w, &b, SDP_B);
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	joined(&w, &b, &c);
	world_close(&w);
}

static void a_glare_is_waited_out(void **state)
{
	struct ua a, b, c;
	struct world w;
	unsigned cseq;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	say(&w, &b, "INVITE", SDP_B);
	cseq = b.cseq;
	copy_text(request, TEXT_MAX, expect(&w, A, "INVITE "));
	answer_target(&w);
	expect_nothing(&w, B);
	answer_final(&w, A, request, 200, NULL, SDP_A);
	expect(&w, B, "SIP/2.0 200");
	ack(&w, &b, cseq, NULL);
	follow(&w, &b, SDP_B);
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	joined(&w, &b, &c);
	world_close(&w);
}

static void a_referrer_may_want_no_notify(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	say_with(&w, &a, "REFER", 0, new_branch(),
		"Refer-To: <sip:300@127.0.0.1>\r\nRefer-Sub: false\r\n"
		"Require: norefersub\r\n",
		NULL);
	has(expect(&w, A, "SIP/2.0 202"), "Refer-Sub: false");
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	take(&c, C, c_invite, "c1");
	answer_target(&w);
	follow(&w, &b, SDP_B);
	expect_bye(&w, &a);
	joined(&w, &b, &c);
	world_close(&w);
}

static void a_notify_that_nobody_answers_holds_nothing_up(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer(&w, &a, "<sip:300@127.0.0.1>");
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	take(&c, C, c_invite, "c1");
	expect(&w, A, "NOTIFY ");
	answer_target(&w);
	follow(&w, &b, SDP_B);
	run_ms(&w, 2);
	/* The joined ones talk; the referring call ends when its NOTIFY has timed out. */
	assert_int_equal(live_calls(&w), 2);
	expect_bye(&w, &a);
	joined(&w, &b, &c);
	world_close(&w);
}

static void what_is_no_call_to_a_number_is_refused(void **state)
{
	static const struct {
		const char *refer_to, *answer;
	} bad[] = {
		{"<http://example.com>", "SIP/2.0 603"},
		{"<sip:300@127.0.0.1;method=BYE>", "SIP/2.0 603"},
		{"<sip:127.0.0.1>", "SIP/2.0 400"},
		{"<sip:300@127.0.0.1>\r\nRefer-To: <sip:301@127.0.0.1>", "SIP/2.0 400"},
		{"<sip:300@127.0.0.1?Replaces=nonsense>", "SIP/2.0 400"},
	};
	static char longest[2200];
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refer_with(&w, &a, bad[i].refer_to, "", bad[i].answer);
	say_with(&w, &a, "REFER", 0, new_branch(), "", NULL);
	expect(&w, A, "SIP/2.0 400");
	snprintf(longest, sizeof(longest), "<sip:300@127.0.0.1;x=%02100d>", 1);
	refer_with(&w, &a, longest, "", "SIP/2.0 400");
	assert_int_equal(live_calls(&w), 1);
	/* Long ones that are not too long. */
	snprintf(longest, sizeof(longest), "\"%0200d\" <sip:300@127.0.0.1;x=%01200d>", 1, 1);
	refer(&w, &a, longest);
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	take(&c, C, c_invite, "c1");
	expect_notify(&w, &a, 100);
	answer_target(&w);
	follow(&w, &b, SDP_B);
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	joined(&w, &b, &c);
	world_close(&w);
}

static void where_refer_is_refused_it_is_not_offered(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	world_peer_keys[A] = ", refer: refuse";
	begin(&w, &a, &b);
	world_peer_keys[A] = "";
	has(header(b_invite, "Allow"), "REFER");
	refer_with(&w, &a, "<sip:300@127.0.0.1>", "", "SIP/2.0 405");
	say(&w, &a, "OPTIONS", NULL);
	has_not(expect(&w, A, "SIP/2.0 200"), "REFER");
	expect_nothing(&w, C);
	assert_int_equal(counters(&w).transfers_refused, 1);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void outside_a_dialog_refer_is_refused(void **state)
{
	struct ua a;
	struct world w;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A); /* for a dialog's names */
	expect(&w, B, "INVITE ");
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &a, "SIP/2.0 487");
	a.remote[strcspn(a.remote, ">") + 1] = '\0';
	refer_with(&w, &a, "<sip:300@127.0.0.1>", "", "SIP/2.0 405");
	world_free(&w);
}

static void before_the_answer_refer_is_refused(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer(&w, B, b_invite, 180, "b1", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	refer_with(&w, &a, "<sip:300@127.0.0.1>", "", "SIP/2.0 491");
	refer_with(&w, &b, "<sip:300@127.0.0.1>", "", "SIP/2.0 491");
	expect_nothing(&w, C);
	/* And then it is not. */
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect_answer(&w, &a, 1);
	refer_with(&w, &a, "<sip:300@127.0.0.1>", "", "SIP/2.0 202");
	expect(&w, C, "INVITE ");
	world_free(&w);
}

/* A phone whose user lets go while the one asked still rings. */
static void a_refer_to_a_call_that_rings_calls_its_callee_anew(void **state)
{
	struct ua a, b, a2, c;
	struct world w;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	invite(&w, &a2, "300", SDP_A);
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	answer(&w, C, c_invite, 180, "c0", NULL);
	learn(&a2, expect(&w, A, "SIP/2.0 180"));
	refer(&w, &a, refer_to_dialog(&a2, "300"));
	expect_refusal(&w, &a2, "SIP/2.0 487");
	text = expect(&w, C, "CANCEL ");
	answer(&w, C, text, 200, NULL, NULL);
	copy_text(request, TEXT_MAX, c_invite);
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	answer_final(&w, C, request, 487, "c0", NULL);
	expect_notify(&w, &a, 100);
	take(&c, C, c_invite, "c1");
	has(header(c_invite, "From"), "<sip:100@");
	answer_target(&w);
	follow(&w, &b, SDP_B);
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	joined(&w, &b, &c);
	world_close(&w);
}

/* Its own: C's early dialog is none of A's, nor is B's call to somebody. */
static void another_ones_call_that_rings_is_left_alone(void **state)
{
	struct ua a, b, a2, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	invite(&w, &a2, "300", SDP_A);
	copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
	take(&c, C, c_invite, "c0");
	answer(&w, C, c_invite, 180, "c0", NULL);
	learn(&a2, expect(&w, A, "SIP/2.0 180"));
	refer(&w, &a, refer_to_dialog(&c, "300"));
	expect_notify(&w, &a, 100);
	expect_notify(&w, &a, 481);
	refer(&w, &b, refer_to_dialog(&a2, "300"));
	expect_notify(&w, &b, 100);
	expect_notify(&w, &b, 481);
	expect_nothing(&w, C);
	answer_final(&w, C, c_invite, 200, "c0", SDP_C);
	expect_answer(&w, &a2, 1);
	world_free(&w);
}

static void limits_hold_for_transfers_too(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	begin_with(&w, &a, &b, "limits: {calls: 1}\n");
	refer(&w, &a, "<sip:300@127.0.0.1>");
	expect_notify(&w, &a, 100);
	expect_notify(&w, &a, 503);
	run_ms(&w, 2);
	the_call(&w)->transfers = CALL_TRANSFERS_MAX;
	refer(&w, &a, "<sip:300@127.0.0.1>");
	expect_notify(&w, &a, 100);
	expect_notify(&w, &a, 403);
	run_ms(&w, 2);
	the_call(&w)->refers = CALL_REFERS_MAX;
	refer_with(&w, &a, "<sip:300@127.0.0.1>", "", "SIP/2.0 403");
	bye_from(&w, &a, B);
	world_close(&w);
}

/* C, led to B, is sent on to A by B: three calls, two transfers, each of another kind of leg. */
static void a_transferred_call_is_transferred_again(void **state)
{
	struct ua a, b, c, a2;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	answer_target(&w);
	follow(&w, &b, SDP_B);
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	run_ms(&w, 2);
	refer(&w, &b, "<sip:501@127.0.0.2>");
	copy_text(request, TEXT_MAX, expect(&w, A, "INVITE "));
	take(&a2, A, request, "a2");
	has(header(request, "From"), "sip:300@");
	expect_notify(&w, &b, 100);
	answer_final(&w, A, request, 200, "a2", SDP_A);
	follow(&w, &c, SDP_C);
	expect_notify(&w, &b, 200);
	expect_bye(&w, &b);
	run_ms(&w, 2);
	assert_int_equal(live_calls(&w), 1);
	assert_int_equal(the_call(&w)->transfers, 2);
	assert_int_equal(the_call(&w)->came_of, 2);
	bye_from(&w, &c, A);
	world_close(&w);
}

static void a_call_hung_up_here_ends_its_transfer(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	call_hangup(call_by_id(w.calls, 1), "enough");
	expect_bye(&w, &a);
	expect_bye(&w, &b);
	answer(&w, C, expect(&w, C, "CANCEL "), 200, NULL, NULL);
	answer_final(&w, C, c_invite, 487, "c1", NULL);
	world_close(&w);
	/* And all at once, wherever it stands. */
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	answer_target(&w);
	expect(&w, B, "INVITE ");
	world_free(&w);
	begin(&w, &a, &b);
	refer_and_ring(&w, &a, &c);
	world_free(&w);
}

static void a_reload_without_the_peers_keeps_the_joined_call(void **state)
{
	struct config *cfg;
	struct ua a, b, c;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	cfg = world_config(&w, "timers: {ring: 100}\n");
	assert_int_equal(calls_reload(w.calls, cfg, stderr), 0);
	refer_and_ring(&w, &a, &c);
	answer_target(&w);
	follow(&w, &b, SDP_B);
	expect_notify(&w, &a, 200);
	expect_bye(&w, &a);
	run_ms(&w, 2);
	/* B's leg is of the first configuration, whose call is over. */
	assert_int_equal(the_call(&w)->held_cfg_count, 1);
	joined(&w, &b, &c);
	world_is_empty(&w);
	calls_free(w.calls);
	assert_int_equal(cfg->refs, 1);
	config_unref(cfg);
	assert_int_equal(w.cfg->refs, 1);
	config_unref(w.cfg);
	loop_free(w.loop);
	for (unsigned i = 0; i < PEERS; i++)
		close(w.fd[i]);
}

/* A and C are left. */
static void reload_without_b(struct world *w)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"sides:\n"
		"  internal: {device: test-in, addresses: [127.0.0.1], media_ports: 20000-20399}\n"
		"  external: {device: test-out, addresses: [127.0.0.2], media_ports: 20000-20399}\n"
		"listeners:\n"
		"  - {name: in, side: internal, transport: udp, port: %u}\n"
		"  - {name: out, side: external, transport: udp, port: %u}\n"
		"peers:\n"
		"  - {name: a, kind: direct, listener: in, address: \"127.0.0.3:%u\"}\n"
		"  - {name: c, kind: trunk, listener: out, liveness: {interval: 0}, address: "
		"\"127.0.0.5:%u\"}\n"
		"routes:\n"
		"  - {name: all, to: [c], trunk_to_trunk: true}\n"
		"overload: {shed_all: 0}\n",
		w->listener_port[0], w->listener_port[1], w->port[A], w->port[C]);
	world_put_in_force(w, world_load(text));
}

/* Its call stands. One that is configured again may refer again. */
static void who_was_dropped_by_a_reload_has_nobody_called(void **state)
{
	static const struct {
		const char *keys, *refer_to;
	} as[] = {{"", "<sip:700@127.0.0.2>"}, {", refer: back", "<sip:127.0.0.4;x=1>"},
		{", refer: pass", "<sip:700@127.0.0.2>"}};
	struct ua a, b;
	struct world w;

	(void)state;
	for (unsigned i = 0; i < sizeof(as) / sizeof(as[0]); i++) {
		world_peer_keys[B] = as[i].keys;
		begin(&w, &a, &b);
		world_peer_keys[B] = "";
		reload_without_b(&w);
		if (strstr(as[i].keys, "pass")) {
			refer_with(&w, &b, as[i].refer_to, "", "SIP/2.0 403");
		} else {
			refer(&w, &b, as[i].refer_to);
			expect_notify(&w, &b, 100);
			expect_notify(&w, &b, 403);
			assert_int_equal(counters(&w).transfers_failed, 1);
		}
		expect_nothing(&w, A);
		expect_nothing(&w, B);
		expect_nothing(&w, C);
		say(&w, &b, "INFO", NULL);
		answer(&w, A, expect(&w, A, "INFO "), 200, NULL, NULL);
		expect(&w, B, "SIP/2.0 200");
		world_reload(&w, "");
		if (!i) {
			refer(&w, &b, as[i].refer_to);
			copy_text(c_invite, TEXT_MAX, expect(&w, C, "INVITE "));
			expect_notify(&w, &b, 100);
			answer_final(&w, C, c_invite, 486, "c1", NULL);
			expect_notify(&w, &b, 486);
		}
		bye_from(&w, &b, A);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_callee_is_led_to_the_target),
		cmocka_unit_test(the_caller_is_led_by_the_callee),
		cmocka_unit_test(
			a_caller_withheld_from_the_callee_is_withheld_from_whom_that_refers_it_to),
		cmocka_unit_test(a_target_that_refuses_leaves_the_call_as_it_was),
		cmocka_unit_test(routes_decide_whom_a_peer_may_refer_to),
		cmocka_unit_test(media_on_hold_is_taken_off),
		cmocka_unit_test(new_keys_reach_the_other_end),
		cmocka_unit_test(a_referrer_that_hangs_up_is_not_waited_for),
		cmocka_unit_test(the_remaining_one_is_let_go_when_nobody_is_left),
		cmocka_unit_test(a_remaining_one_that_hangs_up_ends_all),
		cmocka_unit_test(a_target_that_rings_is_picked_up),
		cmocka_unit_test(
			a_pickup_of_a_target_that_comes_to_nothing_leaves_the_call_as_it_was),
		cmocka_unit_test(a_target_that_rings_for_ever_is_given_up),
		cmocka_unit_test(a_remaining_one_that_refuses_stays_where_it_was),
		cmocka_unit_test(a_target_that_hangs_up_meanwhile_is_no_transfer),
		cmocka_unit_test(one_transfer_at_a_time),
		cmocka_unit_test(a_glare_is_waited_out),
		cmocka_unit_test(a_referrer_may_want_no_notify),
		cmocka_unit_test(a_notify_that_nobody_answers_holds_nothing_up),
		cmocka_unit_test(what_is_no_call_to_a_number_is_refused),
		cmocka_unit_test(where_refer_is_refused_it_is_not_offered),
		cmocka_unit_test(outside_a_dialog_refer_is_refused),
		cmocka_unit_test(before_the_answer_refer_is_refused),
		cmocka_unit_test(a_refer_to_a_call_that_rings_calls_its_callee_anew),
		cmocka_unit_test(another_ones_call_that_rings_is_left_alone),
		cmocka_unit_test(limits_hold_for_transfers_too),
		cmocka_unit_test(a_transferred_call_is_transferred_again),
		cmocka_unit_test(a_call_hung_up_here_ends_its_transfer),
		cmocka_unit_test(a_reload_without_the_peers_keeps_the_joined_call),
		cmocka_unit_test(who_was_dropped_by_a_reload_has_nobody_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
