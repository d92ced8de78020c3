/* SPDX-License-Identifier: BSD-2-Clause */
/* Attended transfers that are carried out here: the target is another call of the one who refers.
 */
#include "call/session_timer.h"
#include "test_call_transfer.h"

static char b_invite[TEXT_MAX], request[TEXT_MAX];

/* A talks to B, and to C (leg A of both calls); or B has called A, and A is leg B of the first. */
static void begin(struct world *w, struct ua *a1, struct ua *b, struct ua *a2, struct ua *c)
{
	world_open(w);
	establish(w, a1, b, b_invite, "100");
	call_to(w, a2, C, c, "300", "c1", SDP_C);
	assert_int_equal(live_calls(w), 2);
}

static void joined(struct world *w, struct ua *b, struct ua *c)
{
	const char *text;

	run_ms(w, 2);
	assert_int_equal(live_calls(w), 1);
	say(w, b, "INFO", NULL);
	text = expect(w, C, "INFO ");
	assert_string_equal(header(text, "Call-ID"), c->call_id);
	answer(w, C, text, 200, NULL, NULL);
	expect(w, B, "SIP/2.0 200");
	say(w, c, "INVITE", SDP_C);
	follow(w, b, SDP_B);
	expect(w, C, "SIP/2.0 200");
	ack(w, c, c->cseq, NULL);
	bye_from(w, b, C);
}

static void the_far_ends_of_two_calls_are_joined(void **state)
{
	struct ua a1, a2, b, c;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	has_not(body(follow(&w, &c, SDP_C)), "127.0.0.9");
	expect_notify(&w, &a1, 100);
	has(body(follow(&w, &b, SDP_B)), "c=IN IP4 127.0.0.2");
	expect_bye(&w, &a2);
	expect_notify(&w, &a1, 200);
	expect_bye(&w, &a1);
	run_ms(&w, 2);
	assert_int_equal(media_port(call_by_id(w.calls, 2), LEG_A), 5000);
	assert_int_equal(media_port(call_by_id(w.calls, 2), LEG_B), 6000);
	assert_int_equal(counters(&w).transfers, 1);
	joined(&w, &b, &c);
	world_close(&w);
}

static void a_leg_that_was_called_is_taken_as_well(void **state)
{
	struct ua a1, a2, b, c;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	/* In the call with C, to be joined with B: the other way round. */
	refer(&w, &a2, refer_to_dialog(&a1, "100"));
	follow(&w, &b, SDP_B);
	expect_notify(&w, &a2, 100);
	follow(&w, &c, SDP_C);
	expect_bye(&w, &a1);
	expect_notify(&w, &a2, 200);
	expect_bye(&w, &a2);
	run_ms(&w, 2);
	joined(&w, &b, &c);
	world_close(&w);
}

/* We are to refresh that leg's session, now. */
static void refresh_is_due(struct world *w, struct call *call, enum leg leg, bool has_update)
{
	struct session_timer *st = &call->session_timer[leg];

	session_timer_stop(call, leg);
	st->active = st->we_refresh = true;
	st->has_update = has_update;
	st->interval_s = 90;
	st->since_ms = loop_now_ms(w->loop);
	loop_timer_start(w->loop, &st->timer, 0);
	run_ms(w, 2);
}

/* The media that its offer was to be made of has gone meanwhile. */
static void a_refresh_that_waits_outlives_the_media_of_the_call(void **state)
{
	struct ua a1, a2, b, c;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	copy_text(request, TEXT_MAX, expect(&w, C, "INVITE "));
	refresh_is_due(&w, call_by_id(w.calls, 2), LEG_B, false);
	answer_final(&w, C, request, 200, NULL, SDP_C);
	expect_notify(&w, &a1, 100);
	follow(&w, &b, SDP_B);
	expect_bye(&w, &a2);
	expect_notify(&w, &a1, 200);
	expect_bye(&w, &a1);
	has(body(follow(&w, &c, SDP_C)), "m=audio");
	/* C has said nothing new since then: B hears nothing. */
	expect_nothing(&w, B);
	joined(&w, &b, &c);
	world_close(&w);
}

/* Of a request that went to the leg which has been replaced: its 481 is not the new one's. */
static void what_the_replaced_leg_still_answers_ends_nothing(void **state)
{
	static char update[TEXT_MAX];
	struct ua a1, a2, b, c;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	refresh_is_due(&w, call_by_id(w.calls, 2), LEG_A, true);
	copy_text(update, TEXT_MAX, expect(&w, A, "UPDATE "));
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	follow(&w, &c, SDP_C);
	expect_notify(&w, &a1, 100);
	follow(&w, &b, SDP_B);
	expect_bye(&w, &a2);
	answer(&w, A, update, 481, NULL, NULL);
	expect_notify(&w, &a1, 200);
	expect_bye(&w, &a1);
	joined(&w, &b, &c);
	world_close(&w);
}

static void what_is_no_dialog_of_its_own_is_no_target(void **state)
{
	struct ua a1, a2, b, c, other;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	other = a2;
	other.call_id[0] = 'x';
	refer(&w, &a1, refer_to_dialog(&other, "300"));
	expect_notify(&w, &a1, 100);
	expect_notify(&w, &a1, 481);
	run_ms(&w, 2);
	/* Itself. */
	refer(&w, &a1, refer_to_dialog(&a1, "300"));
	expect_notify(&w, &a1, 100);
	expect_notify(&w, &a1, 481);
	run_ms(&w, 2);
	/* A leg of another peer, even one of the same side. */
	refer(&w, &b, refer_to_dialog(&c, "300"));
	expect_notify(&w, &b, 100);
	expect_notify(&w, &b, 403);
	run_ms(&w, 2);
	expect_nothing(&w, C);
	bye_from(&w, &a1, B);
	bye_from(&w, &a2, C);
	world_close(&w);
}

static void a_far_end_that_refuses_stays_where_it_was(void **state)
{
	struct ua a1, a2, b, c;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	answer_final(&w, C, expect(&w, C, "INVITE "), 488, NULL, NULL);
	expect_notify(&w, &a1, 100);
	expect_notify(&w, &a1, 488);
	expect_nothing(&w, B);
	run_ms(&w, 2);
	/* The other end refuses when the first one has been led away already: it is led back. */
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	follow(&w, &c, SDP("6002", ""));
	expect_notify(&w, &a1, 100);
	answer_final(&w, B, expect(&w, B, "INVITE "), 603, NULL, NULL);
	follow(&w, &c, SDP("6004", ""));
	expect_notify(&w, &a1, 603);
	run_ms(&w, 2);
	assert_int_equal(live_calls(&w), 2);
	assert_int_equal(media_port(call_by_id(w.calls, 2), LEG_B), 6004);
	assert_int_equal(media_port(call_by_id(w.calls, 1), LEG_B), 5000);
	bye_from(&w, &a1, B);
	bye_from(&w, &a2, C);
	world_close(&w);
}

static void a_referrer_that_hangs_up_both_is_not_waited_for(void **state)
{
	struct ua a1, a2, b, c;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	copy_text(request, TEXT_MAX, expect(&w, C, "INVITE "));
	expect_notify(&w, &a1, 100);
	hang_up(&w, &a1);
	hang_up(&w, &a2);
	answer_final(&w, C, request, 200, NULL, SDP_C);
	follow(&w, &b, SDP_B);
	expect_nothing(&w, A);
	joined(&w, &b, &c);
	world_close(&w);
	/* And nobody is left alone when it fails. */
	begin(&w, &a1, &b, &a2, &c);
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	copy_text(request, TEXT_MAX, expect(&w, C, "INVITE "));
	expect_notify(&w, &a1, 100);
	hang_up(&w, &a1);
	hang_up(&w, &a2);
	answer_final(&w, C, request, 488, NULL, NULL);
	expect_bye(&w, &c);
	expect_bye(&w, &b);
	world_close(&w);
}

static void either_far_end_may_hang_up_meanwhile(void **state)
{
	struct ua a1, a2, b, c;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	copy_text(request, TEXT_MAX, expect(&w, C, "INVITE "));
	expect_notify(&w, &a1, 100);
	hang_up(&w, &c);
	expect_bye(&w, &a2);
	expect_notify(&w, &a1, 480);
	answer_final(&w, C, request, 487, NULL, NULL);
	run_ms(&w, 2);
	bye_from(&w, &a1, B);
	world_close(&w);
	begin(&w, &a1, &b, &a2, &c);
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	follow(&w, &c, SDP_C);
	expect_notify(&w, &a1, 100);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	hang_up(&w, &b);
	expect_bye(&w, &a1);
	/* The other call goes on as it was. */
	follow(&w, &c, SDP_C);
	answer_final(&w, B, request, 487, NULL, NULL);
	bye_from(&w, &a2, C);
	world_close(&w);
}

static void calls_in_another_transfer_are_left_alone(void **state)
{
	struct ua a1, a2, b, c;
	struct world w;

	(void)state;
	begin(&w, &a1, &b, &a2, &c);
	refer(&w, &a1, refer_to_dialog(&a2, "300"));
	copy_text(request, TEXT_MAX, expect(&w, C, "INVITE "));
	expect_notify(&w, &a1, 100);
	refer_with(&w, &a2, refer_to_dialog(&a1, "100"), "", "SIP/2.0 491");
	answer_final(&w, C, request, 200, NULL, SDP_C);
	follow(&w, &b, SDP_B);
	expect_bye(&w, &a2);
	expect_notify(&w, &a1, 200);
	expect_bye(&w, &a1);
	joined(&w, &b, &c);
	world_close(&w);
}

static void begin_as_leg_b(
	struct world *w, struct ua *a1, struct ua *a2, const char *extra, const char *number)
{
	world_peer_keys[A] = identity_keys;
	world_routes =
		"  - {name: hidden, from: a, called: '8.*', to: [b], caller: {suppress: true}}\n"
		"  - {name: other, from: a, called: '9.*', to: [b], caller: {number: '77'}}\n";
	world_open(w);
	world_peer_keys[A] = world_routes = "";
	join_as_leg_b(w, a1, a2, extra, number);
}

static void who_was_shown_as_nobody_or_another_is_unnamed_as_leg_b_of_the_call_it_is_led_to(
	void **state)
{
	static const struct {
		const char *extra, *number;
		bool is_named;
	} callers[] = {{SAYS_WHO "Privacy: user\r\n", "100", false}, {SAYS_WHO, "800", false},
		{SAYS_WHO, "900", false}, {SAYS_WHO, "100", true}};
	struct ua a1, a2;
	struct world w;

	(void)state;
	for (unsigned i = 0; i < sizeof(callers) / sizeof(callers[0]); i++) {
		begin_as_leg_b(&w, &a1, &a2, callers[i].extra, callers[i].number);
		is_named_to(&w, &a1, &a2, callers[i].is_named);
		bye_from(&w, &a1, A);
		world_close(&w);
	}
}

static void who_is_unnamed_as_leg_b_is_so_to_whom_the_caller_refers_it_to(void **state)
{
	struct ua a1, a2;
	struct world w;

	(void)state;
	begin_as_leg_b(&w, &a1, &a2, "Privacy: user\r\n", "100");
	refer(&w, &a2, "<sip:300@127.0.0.1>");
	copy_text(request, TEXT_MAX, expect(&w, C, "INVITE "));
	expect_notify(&w, &a2, 100);
	has(header(request, "From"), "sip:anonymous@anonymous.invalid");
	assert_string_equal(header(request, "Privacy"), "id");
	has_not(request, "1000@");
	answer_final(&w, C, request, 486, "c1", NULL);
	expect_notify(&w, &a2, 486);
	bye_from(&w, &a1, A);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_far_ends_of_two_calls_are_joined),
		cmocka_unit_test(a_leg_that_was_called_is_taken_as_well),
		cmocka_unit_test(a_refresh_that_waits_outlives_the_media_of_the_call),
		cmocka_unit_test(what_the_replaced_leg_still_answers_ends_nothing),
		cmocka_unit_test(what_is_no_dialog_of_its_own_is_no_target),
		cmocka_unit_test(a_far_end_that_refuses_stays_where_it_was),
		cmocka_unit_test(a_referrer_that_hangs_up_both_is_not_waited_for),
		cmocka_unit_test(either_far_end_may_hang_up_meanwhile),
		cmocka_unit_test(calls_in_another_transfer_are_left_alone),
		cmocka_unit_test(
			who_was_shown_as_nobody_or_another_is_unnamed_as_leg_b_of_the_call_it_is_led_to),
		cmocka_unit_test(who_is_unnamed_as_leg_b_is_so_to_whom_the_caller_refers_it_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
