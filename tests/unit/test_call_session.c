/* SPDX-License-Identifier: BSD-2-Clause */
/* Session timers (RFC 4028), each leg its own: asked for, granted, refreshed, run out. */
#include "test_call_world.h"

#define TIMER_OF_90 "Supported: timer\r\nSession-Expires: 90\r\n"

static char b_invite[TEXT_MAX], a_answer[TEXT_MAX], request[TEXT_MAX];

static struct session_config *session_of(struct world *w, enum who who)
{
	return &w->cfg->peer[who].session;
}

/* As if so much time had passed on that leg. */
static void age(struct world *w, enum leg leg, unsigned seconds)
{
	struct session_timer *st = &the_call(w)->session_timer[leg];

	assert_true(st->active);
	st->since_ms -= (uint64_t)seconds * 1000;
	loop_timer_start(w->loop, &st->timer, 0);
	loop_once(w->loop, 1);
}

/* A calls B with more header fields, B answers with more; A's 2xx is in a_answer. */
static void call_with(
	struct world *w, struct ua *a, struct ua *b, const char *a_extra, const char *b_extra)
{
	invite_with(w, a, "100", a_extra, SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(w, B, "INVITE "));
	take(b, B, b_invite, "b1");
	answer_more(w, B, b_invite, 200, "b1", b_extra, SDP_B);
	expect(w, B, "ACK ");
	copy_text(a_answer, TEXT_MAX, expect(w, A, "SIP/2.0 200"));
	learn(a, a_answer);
	ack(w, a, 1, NULL);
}

static void nothing_is_asked_for_by_default(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, "Supported: timer\r\n", "Supported: timer\r\n");
	has(header(b_invite, "Supported"), "timer");
	has_not(b_invite, "Session-Expires");
	has_not(a_answer, "Session-Expires");
	assert_false(the_call(&w)->session_timer[LEG_A].active);
	assert_false(the_call(&w)->session_timer[LEG_B].active);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void what_a_peer_asks_for_is_granted_on_its_leg_alone(void **state)
{
	struct call_info info;
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, TIMER_OF_90 "Min-SE: 90\r\n", "");
	has_not(b_invite, "Session-Expires");
	has_not(b_invite, "Min-SE");
	has(a_answer, "Session-Expires: 90;refresher=uac");
	has(a_answer, "Require: timer");
	assert_false(the_call(&w)->session_timer[LEG_B].active);
	call_get_info(the_call(&w), &info);
	assert_int_equal(info.leg[LEG_A].session_s, 90);
	assert_false(info.leg[LEG_A].we_refresh);
	assert_true(info.leg[LEG_A].session_left_ms > 59000);
	assert_int_equal(info.leg[LEG_B].session_s, 0);
	/* RFC 4028 10: min(32 s, 90 s / 3) before its end. */
	age(&w, LEG_A, 59);
	assert_int_equal(the_call(&w)->state, CALL_ANSWERED);
	age(&w, LEG_A, 2);
	has(expect(&w, A, "BYE "), "cause=408");
	expect(&w, B, "BYE ");
	assert_int_equal(w.calls->counters.sessions_expired, 1);
	assert_int_equal(strncmp(w.last_event, "end", 3), 0);
	world_close(&w);
}

static void we_refresh_with_update_where_the_peer_asks_us_to(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b,
		"Supported: timer\r\nSession-Expires: 100;refresher=uas\r\n"
		"Allow: INVITE, UPDATE, BYE\r\n",
		"");
	has(a_answer, "Session-Expires: 100;refresher=uas");
	age(&w, LEG_A, 51);
	copy_text(request, TEXT_MAX, expect(&w, A, "UPDATE "));
	has(request, "Session-Expires: 100;refresher=uac");
	has_not(request, "m=audio");
	answer_more(&w, A, request, 200, NULL, "Session-Expires: 100;refresher=uac\r\n", NULL);
	loop_once(w.loop, 1);
	assert_true(the_call(&w)->session_timer[LEG_A].since_ms + 1000 > loop_now_ms(w.loop));
	expect_nothing(&w, B);
	/* And again, now without an answer in time. */
	age(&w, LEG_A, 51);
	expect(&w, A, "UPDATE ");
	age(&w, LEG_A, 20);
	expect(&w, A, "BYE ");
	expect(&w, B, "BYE ");
	world_close(&w);
}

static void without_update_we_refresh_with_the_same_offer(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, "", "Session-Expires: 200;refresher=uac\r\nRequire: timer\r\n");
	assert_false(the_call(&w)->session_timer[LEG_A].active);
	age(&w, LEG_B, 101);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_string_equal(body(request), body(b_invite));
	has(request, "Session-Expires: 200;refresher=uac");
	answer_more(&w, B, request, 200, NULL, "Session-Expires: 200;refresher=uac\r\n", SDP_B);
	has(expect(&w, B, "ACK "), "CSeq: 2 ACK");
	/* Its 200 again: our ACK again. */
	answer_more(&w, B, request, 200, NULL, "", SDP_B);
	has(receive_any(&w, B, PATIENCE_MS), "ACK ");
	expect_nothing(&w, A);
	assert_false(media_offer_pending(call_media(the_call(&w))));
	/* What either leg says next counts on from there. */
	say(&w, &a, "INVITE", SDP("4444", ""));
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	has(request, "CSeq: 3 INVITE");
	has(request, "Session-Expires: 200;refresher=uac"); /* it refreshes too */
	answer_final(&w, B, request, 200, NULL, SDP_B);
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, NULL);
	/* No Session-Expires in that 200: the session has no end any more (RFC 4028 7.2). */
	assert_false(the_call(&w)->session_timer[LEG_B].active);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void an_answer_that_moves_the_media_is_followed(void **state)
{
	struct media_stream_info info;
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, "", "Session-Expires: 200;refresher=uac\r\n");
	age(&w, LEG_B, 101);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_more(&w, B, request, 200, NULL, "Session-Expires: 200;refresher=uac\r\n",
		SDP("5555", ""));
	expect(&w, B, "ACK ");
	media_stream_info(call_media(the_call(&w)), 0, &info);
	assert_int_equal(info.leg[LEG_B].remote.port, 5555);
	assert_int_equal(info.leg[LEG_A].remote.port, 4000);
	/* One that makes no sense changes nothing, and the session goes on. */
	age(&w, LEG_B, 101);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_more(
		&w, B, request, 200, NULL, "Session-Expires: 200;refresher=uac\r\n", "v=no\r\n");
	expect(&w, B, "ACK ");
	media_stream_info(call_media(the_call(&w)), 0, &info);
	assert_int_equal(info.leg[LEG_B].remote.port, 5555);
	assert_true(the_call(&w)->session_timer[LEG_B].active);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_refresh_of_one_leg_is_not_heard_on_the_other(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, TIMER_OF_90, "");
	age(&w, LEG_A, 50);
	say_with(&w, &a, "UPDATE", 0, new_branch(), TIMER_OF_90, NULL);
	has(expect(&w, A, "SIP/2.0 200"), "Session-Expires: 90;refresher=uac");
	age(&w, LEG_A, 50);
	say_with(&w, &a, "INVITE", 0, new_branch(), TIMER_OF_90, SDP_A);
	copy_text(request, TEXT_MAX, expect(&w, A, "SIP/2.0 200"));
	has(request, "Session-Expires: 90;refresher=uac");
	has(header(request, "Allow"), "REFER"); /* as it was told in the call */
	assert_string_equal(body(request), body(a_answer));
	ack(&w, &a, a.cseq, NULL);
	expect_nothing(&w, B);
	assert_int_equal(the_call(&w)->state, CALL_ANSWERED);
	assert_false(media_offer_pending(call_media(the_call(&w))));
	/* A new offer is no mere refresh. */
	say_with(&w, &a, "INVITE", 0, new_branch(), TIMER_OF_90, SDP_HOLD);
	answer_final(&w, B, expect(&w, B, "INVITE "), 200, NULL, SDP("5000", "a=recvonly\r\n"));
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, NULL);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_refresh_that_nobody_acknowledges_ends_the_call(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, TIMER_OF_90, "");
	say_with(&w, &a, "INVITE", 0, new_branch(), TIMER_OF_90, SDP_A);
	expect(&w, A, "SIP/2.0 200");
	expect(&w, A, "BYE ");
	expect(&w, B, "BYE ");
	assert_int_equal(w.calls->counters.not_acked, 1);
	world_close(&w);
}

static void an_interval_below_ours_is_refused_with_422(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	session_of(&w, A)->min_s = 120;
	invite_with(&w, &a, "100", TIMER_OF_90, SDP_A);
	text = expect(&w, A, "SIP/2.0 422");
	has(text, "Min-SE: 120");
	ack_refusal(&w, &a, text);
	expect_nothing(&w, B);
	/* A peer that could make nothing of a 422 is given the longer one (RFC 4028 9). */
	call_with(&w, &a, &b, "Session-Expires: 90\r\n", "");
	has(a_answer, "Session-Expires: 120;refresher=uas");
	has_not(a_answer, "Require: timer");
	/* Within the dialog too. */
	say_with(&w, &a, "UPDATE", 0, new_branch(), TIMER_OF_90, NULL);
	has(expect(&w, A, "SIP/2.0 422"), "Min-SE: 120");
	say_with(&w, &a, "UPDATE", 0, new_branch(), "Session-Expires: soon\r\n", NULL);
	expect(&w, A, "SIP/2.0 400");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void what_we_ask_for_grows_with_each_422(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->timer = SESSION_TIMER_REQUEST;
	session_of(&w, B)->interval_s = 100;
	invite(&w, &a, "100", SDP_A);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	has(request, "Session-Expires: 100\r\n");
	answer_with(&w, B, request, 422, "x1", "Min-SE: 300\r\n", NULL);
	expect(&w, B, "ACK ");
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	has(b_invite, "Session-Expires: 300\r\n");
	has(b_invite, "Min-SE: 300");
	has(b_invite, "CSeq: 2 INVITE");
	assert_string_equal(header(request, "Call-ID"), header(b_invite, "Call-ID"));
	assert_string_equal(header(request, "From"), header(b_invite, "From"));
	assert_string_equal(body(request), body(b_invite));
	/* One that does not go up is the last word. */
	answer_with(&w, B, b_invite, 422, "x2", "Min-SE: 200\r\n", NULL);
	expect(&w, B, "ACK ");
	expect_refusal(&w, &a, "SIP/2.0 500");
	(void)b;
	world_close(&w);
}

static void what_a_peer_wants_is_not_asked_of_the_next(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	for (enum who who = B; who <= C; who++) {
		session_of(&w, who)->timer = SESSION_TIMER_REQUEST;
		session_of(&w, who)->interval_s = 100;
	}
	invite(&w, &a, "200", SDP_A);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_with(&w, B, request, 422, "x1", "Min-SE: 300\r\n", NULL);
	expect(&w, B, "ACK ");
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	has(request, "Session-Expires: 300\r\n");
	answer_final(&w, B, request, 503, "x2", NULL);
	copy_text(request, TEXT_MAX, expect(&w, C, "INVITE "));
	has(request, "Session-Expires: 100\r\n");
	has_not(request, "Min-SE: 300");
	answer_final(&w, C, request, 486, "x3", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

/* A peer that asks for a second more each time. */
static void a_422_without_end_ends(void **state)
{
	unsigned min_s = 100, asked = 0;
	const char *text;
	char extra[32];
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	session_of(&w, B)->timer = SESSION_TIMER_REQUEST;
	session_of(&w, B)->interval_s = 100;
	invite(&w, &a, "100", SDP_A);
	while (*(text = receive(&w, B, 50))) {
		if (strncmp(text, "INVITE ", 7) != 0)
			continue;
		copy_text(request, TEXT_MAX, text);
		assert_true(++asked < 10);
		snprintf(extra, sizeof(extra), "Min-SE: %u\r\n", ++min_s);
		answer_with(&w, B, request, 422, "x1", extra, NULL);
	}
	expect_refusal(&w, &a, "SIP/2.0 500");
	world_close(&w);
}

static void an_answer_has_nobody_refresh_every_second(void **state)
{
	const struct session_timer *st;
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, "", "Allow: UPDATE\r\nSession-Expires: 1;refresher=uac\r\n");
	st = &the_call(&w)->session_timer[LEG_B];
	assert_true(st->active && st->we_refresh);
	assert_int_equal(st->interval_s, 90);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_peer_without_session_timers_is_refreshed_by_us(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, A)->timer = session_of(&w, B)->timer = SESSION_TIMER_REQUEST;
	session_of(&w, A)->interval_s = session_of(&w, B)->interval_s = 100;
	call_with(&w, &a, &b, "Allow: UPDATE\r\n", "Allow: UPDATE\r\n");
	has(a_answer, "Session-Expires: 100;refresher=uas");
	age(&w, LEG_B, 51);
	copy_text(request, TEXT_MAX, expect(&w, B, "UPDATE "));
	/* It knows no UPDATE after all: a re-INVITE follows. */
	answer(&w, B, request, 501, NULL, NULL);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_final(&w, B, request, 200, NULL, SDP_B);
	assert_true(the_call(&w)->session_timer[LEG_B].active);
	/* The dialog is gone there: the call ends. */
	age(&w, LEG_A, 51);
	copy_text(request, TEXT_MAX, expect(&w, A, "UPDATE "));
	answer(&w, A, request, 481, NULL, NULL);
	expect(&w, B, "BYE ");
	expect_nothing(&w, A);
	world_close(&w);
}

static void a_refresh_that_fails_otherwise_is_tried_again(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, "", "Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n");
	age(&w, LEG_B, 59);
	copy_text(request, TEXT_MAX, expect(&w, B, "UPDATE "));
	answer(&w, B, request, 500, NULL, NULL);
	copy_text(request, TEXT_MAX, expect(&w, B, "UPDATE "));
	answer_with(&w, B, request, 422, NULL, "Min-SE: 180\r\n", NULL);
	copy_text(request, TEXT_MAX, expect(&w, B, "UPDATE "));
	has(request, "Session-Expires: 180;refresher=uac");
	answer_more(&w, B, request, 200, NULL, "Session-Expires: 180;refresher=uas\r\n", NULL);
	loop_once(w.loop, 1);
	assert_int_equal(the_call(&w)->session_timer[LEG_B].interval_s, 180);
	assert_false(the_call(&w)->session_timer[LEG_B].we_refresh);
	bye_from(&w, &a, B);
	world_close(&w);
}

/* RFC 3261 14.1: ours and theirs cross. */
static void refreshes_that_cross_give_way(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	call_with(&w, &a, &b, "", "Session-Expires: 200;refresher=uac\r\n");
	age(&w, LEG_B, 101);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	say(&w, &b, "INVITE", SDP_B);
	expect(&w, B, "SIP/2.0 491");
	say(&w, &a, "INVITE", SDP_HOLD);
	expect(&w, A, "SIP/2.0 491");
	answer_more(&w, B, request, 200, NULL, "Session-Expires: 200;refresher=uac\r\n", SDP_B);
	expect(&w, B, "ACK ");
	/* The other way round: theirs is under way, ours waits. */
	say(&w, &a, "INVITE", SDP_HOLD);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	age(&w, LEG_B, 101);
	expect_nothing(&w, B);
	answer_more(&w, B, request, 200, NULL, "Session-Expires: 200;refresher=uac\r\n",
		SDP("5000", "a=recvonly\r\n"));
	expect(&w, B, "ACK ");
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, NULL);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void off_means_not_spoken(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	session_of(&w, A)->timer = session_of(&w, B)->timer = SESSION_TIMER_OFF;
	invite_with(&w, &a, "100", "Require: timer\r\n" TIMER_OF_90, SDP_A);
	text = expect(&w, A, "SIP/2.0 420");
	has(text, "Unsupported: timer");
	ack_refusal(&w, &a, text);
	call_with(&w, &a, &b, TIMER_OF_90, "Session-Expires: 90;refresher=uac\r\n");
	has_not(b_invite, "timer");
	has_not(a_answer, "timer");
	has_not(a_answer, "Session-Expires");
	assert_false(the_call(&w)->session_timer[LEG_B].active);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void require_refuses_who_does_not_know_them(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	session_of(&w, A)->timer = session_of(&w, B)->timer = SESSION_TIMER_REQUIRE;
	session_of(&w, B)->refresher = SESSION_REFRESHER_PEER;
	invite(&w, &a, "100", SDP_A);
	text = expect(&w, A, "SIP/2.0 421");
	has(text, "Require: timer");
	ack_refusal(&w, &a, text);
	call_with(&w, &a, &b, "Supported: timer\r\n", "Session-Expires: 1800;refresher=uas\r\n");
	has(b_invite, "Session-Expires: 1800;refresher=uas");
	has(b_invite, "Require: timer");
	has(a_answer, "Session-Expires: 1800;refresher=uac");
	bye_from(&w, &a, B);
	world_close(&w);
}

/* RFC 3261 16.6, timer C, for a re-INVITE: nothing waits for ever. */
static void a_change_that_is_never_answered_is_given_up(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	w.cfg->ring_timeout_s = 1;
	call_with(&w, &a, &b, "", "");
	say(&w, &a, "INVITE", SDP_HOLD);
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, request, 100, NULL, NULL);
	expect(&w, A, "SIP/2.0 504");
	answer(&w, B, expect(&w, B, "CANCEL "), 200, NULL, NULL);
	assert_int_equal(the_call(&w)->state, CALL_ANSWERED);
	assert_false(media_offer_pending(call_media(the_call(&w))));
	answer_final(&w, B, request, 487, NULL, NULL);
	bye_from(&w, &a, B);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_asked_for_by_default),
		cmocka_unit_test(what_a_peer_asks_for_is_granted_on_its_leg_alone),
		cmocka_unit_test(we_refresh_with_update_where_the_peer_asks_us_to),
		cmocka_unit_test(without_update_we_refresh_with_the_same_offer),
		cmocka_unit_test(an_answer_that_moves_the_media_is_followed),
		cmocka_unit_test(a_refresh_of_one_leg_is_not_heard_on_the_other),
		cmocka_unit_test(a_refresh_that_nobody_acknowledges_ends_the_call),
		cmocka_unit_test(an_interval_below_ours_is_refused_with_422),
		cmocka_unit_test(what_we_ask_for_grows_with_each_422),
		cmocka_unit_test(what_a_peer_wants_is_not_asked_of_the_next),
		cmocka_unit_test(a_422_without_end_ends),
		cmocka_unit_test(an_answer_has_nobody_refresh_every_second),
		cmocka_unit_test(a_peer_without_session_timers_is_refreshed_by_us),
		cmocka_unit_test(a_refresh_that_fails_otherwise_is_tried_again),
		cmocka_unit_test(refreshes_that_cross_give_way),
		cmocka_unit_test(off_means_not_spoken),
		cmocka_unit_test(require_refuses_who_does_not_know_them),
		cmocka_unit_test(a_change_that_is_never_answered_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
