/* SPDX-License-Identifier: BSD-2-Clause */
/* One peer after the other: what has a call move on, what the caller hears of it, and what the
 * peers' states learn. */
#include "test_call_world.h"
#include "test_dns_server.h"
#include "peer/internal.h"

static char b_invite[TEXT_MAX];

static struct peer *live(struct world *w, const char *name)
{
	struct peer *peer = peer_by_name(calls_peers(w->calls), name);

	assert_non_null(peer);
	return peer;
}

static void is_in_state(struct world *w, const char *name, enum peer_state state)
{
	struct peer *peer = live(w, name);

	if (peer->state != state)
		fail_msg("%s is %s (%s)", name, peer_state_name(peer->state), peer->why);
}

static void turn_down_with(struct world *w, enum who who, int code, const char *extra)
{
	char text[TEXT_MAX];

	copy_text(text, sizeof(text), expect(w, who, "INVITE "));
	answer_with(w, who, text, code, "x1", extra, NULL);
	expect(w, who, "ACK ");
}

static void turn_down(struct world *w, enum who who, int code)
{
	turn_down_with(w, who, code, "");
}

static void turn_down_for(struct world *w, enum who who, const char *seconds)
{
	char extra[64];

	snprintf(extra, sizeof(extra), "Retry-After: %s\r\n", seconds);
	turn_down_with(w, who, 503, extra);
}

static void each_code_of_the_set_moves_on_and_no_other(void **state)
{
	static const int moves[] = {408, 500, 502, 503, 504},
			 stays[] = {404, 480, 486, 501, 600, 603};
	struct world w;
	struct ua a;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		world_open(&w);
		invite(&w, &a, "200", SDP_A);
		turn_down(&w, B, moves[i]);
		turn_down(&w, C, 486);
		expect_refusal(&w, &a, "SIP/2.0 486");
		assert_int_equal(w.calls->counters.failovers, 1);
		assert_int_equal(live(&w, "b")->count.attempts_failed, 1);
		assert_int_equal(live(&w, "c")->count.attempts_failed, 0);
		world_close(&w);
	}
	world_open(&w);
	for (unsigned i = 0; i < 6; i++) {
		char start[32];

		snprintf(start, sizeof(start), "SIP/2.0 %d", stays[i]);
		invite(&w, &a, "200", SDP_A);
		turn_down(&w, B, stays[i]);
		expect_refusal(&w, &a, start);
		expect_nothing(&w, C);
	}
	assert_int_equal(w.calls->counters.failovers, 0);
	assert_int_equal(live(&w, "b")->count.attempts_failed, 0);
	world_close(&w);
}

static void a_peer_has_codes_of_its_own(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	memset(w.cfg->peer[1].failover.code, 0, sizeof(w.cfg->peer[1].failover.code));
	w.cfg->peer[1].failover.code[4 / 8] |= 1 << 4 % 8; /* 404 */
	invite(&w, &a, "200", SDP_A);
	turn_down(&w, B, 503);
	expect_refusal(&w, &a, "SIP/2.0 503");
	invite(&w, &a, "200", SDP_A);
	turn_down(&w, B, 404);
	turn_down(&w, C, 486);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void the_caller_hears_the_best_of_what_the_peers_said(void **state)
{
	static const struct {
		int b, c;
		const char *seen;
	} cases[] = {
		{408, 408, "SIP/2.0 408"},
		{503, 408, "SIP/2.0 503"},
		{408, 503, "SIP/2.0 503"},
		{500, 503, "SIP/2.0 500"},
		{503, 502, "SIP/2.0 502"},
		{500, 504, "SIP/2.0 504"},
		{504, 404, "SIP/2.0 404"},
		{503, 603, "SIP/2.0 603"},
	};
	struct world w;
	struct ua a;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_open(&w);
		invite(&w, &a, "200", SDP_A);
		turn_down(&w, B, cases[i].b);
		turn_down(&w, C, cases[i].c);
		expect_refusal(&w, &a, cases[i].seen);
		world_close(&w);
	}
}

static void a_503_with_retry_after_is_told_and_honoured(void **state)
{
	const char *text;
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "200", SDP_A);
	turn_down_for(&w, B, "30");
	turn_down(&w, C, 503);
	text = expect(&w, A, "SIP/2.0 503");
	assert_non_null(strcasestr(text, "\r\nRetry-After: 30\r\n"));
	ack_refusal(&w, &a, text);
	is_in_state(&w, "b", PEER_DOWN);
	has(live(&w, "b")->why, "it wants no calls for 30 s");
	is_in_state(&w, "c", PEER_UP);
	/* The next call leaves it out, and goes to the other at once. */
	invite(&w, &a, "200", SDP_A);
	turn_down(&w, C, 486);
	expect_refusal(&w, &a, "SIP/2.0 486");
	expect_nothing(&w, B);
	/* Where it is the only one, the caller hears how long. */
	invite(&w, &a, "100", SDP_A);
	text = expect(&w, A, "SIP/2.0 503");
	assert_true(strtoul(header(text, "Retry-After"), NULL, 10) >= 29);
	ack_refusal(&w, &a, text);
	expect_nothing(&w, B);
	world_close(&w);
}

static void a_pause_is_bounded_ends_by_itself_and_can_be_ignored(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	w.cfg->peer[1].failover.retry_after_max_s = 1;
	invite(&w, &a, "100", SDP_A);
	turn_down_for(&w, B, "4000000000 (in a while)");
	expect_refusal(&w, &a, "SIP/2.0 503");
	is_in_state(&w, "b", PEER_DOWN);
	assert_int_equal(peer_retry_after_s(live(&w, "b")), 1);
	run_ms(&w, 1050);
	is_in_state(&w, "b", PEER_UP);
	w.cfg->peer[1].failover.retry_after_max_s = 0;
	invite(&w, &a, "100", SDP_A);
	turn_down_for(&w, B, "30");
	expect_refusal(&w, &a, "SIP/2.0 503");
	is_in_state(&w, "b", PEER_UP);
	world_close(&w);
}

/* The defaults of `failing`. */
#define CALLS  10
#define FAILED 5

static void a_peer_whose_calls_fail_comes_last_until_they_succeed(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < FAILED; i++) {
		is_in_state(&w, "b", PEER_UP);
		invite(&w, &a, "200", SDP_A);
		turn_down(&w, B, 500);
		turn_down(&w, C, 486);
		expect_refusal(&w, &a, "SIP/2.0 486");
	}
	is_in_state(&w, "b", PEER_FAILING);
	assert_string_equal(live(&w, "b")->why, "5 of the last 5 calls to it failed");
	invite(&w, &a, "200", SDP_A);
	turn_down(&w, C, 500);
	turn_down(&w, B, 486);
	expect_refusal(&w, &a, "SIP/2.0 486");
	for (unsigned i = 0; i < CALLS - 3; i++) {
		invite(&w, &a, "100", SDP_A);
		turn_down(&w, B, 486);
		expect_refusal(&w, &a, "SIP/2.0 486");
	}
	is_in_state(&w, "b", PEER_UP);
	invite(&w, &a, "200", SDP_A);
	turn_down(&w, B, 486);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void a_failing_peer_is_forgiven_with_time_but_not_all_of_it(void **state)
{
	struct world w;
	struct peer *b;

	(void)state;
	world_open(&w);
	b = live(&w, "b");
	for (unsigned i = 0; i < FAILED; i++)
		peer_attempt_over(b, PEER_OUTCOME_FAILED, 0);
	is_in_state(&w, "b", PEER_FAILING);
	assert_true(loop_timer_is_started(&b->memory_timer));
	b->memory_timer.fire(&b->memory_timer);
	is_in_state(&w, "b", PEER_UP);
	assert_string_equal(b->why, "no call has failed for 60 s");
	peer_attempt_over(b, PEER_OUTCOME_FAILED, 0);
	is_in_state(&w, "b", PEER_UP);
	peer_attempt_over(b, PEER_OUTCOME_FAILED, 0);
	is_in_state(&w, "b", PEER_FAILING);
	b->memory_timer.fire(&b->memory_timer);
	b->memory_timer.fire(&b->memory_timer);
	assert_int_equal(b->outcome_count, 0);
	world_close(&w);
}

static void when_a_peer_is_failing_is_a_setting(void **state)
{
	struct world w;
	struct peer *b, *c;

	(void)state;
	world_peer_keys[B] = ", failing: {calls: 60, failed: 60, well: 59, memory: 7}";
	world_peer_keys[C] = ", failing: {failed: 0}";
	world_open(&w);
	b = live(&w, "b");
	c = live(&w, "c");
	for (unsigned i = 0; i < 60; i++) {
		is_in_state(&w, "b", PEER_UP);
		peer_attempt_over(b, PEER_OUTCOME_FAILED, 0);
		peer_attempt_over(c, PEER_OUTCOME_FAILED, 0);
		is_in_state(&w, "c", PEER_UP);
	}
	is_in_state(&w, "b", PEER_FAILING);
	assert_string_equal(b->why, "60 of the last 60 calls to it failed");
	peer_attempt_over(b, PEER_OUTCOME_GOOD, 0);
	is_in_state(&w, "b", PEER_UP);
	peer_attempt_over(b, PEER_OUTCOME_FAILED, 0);
	is_in_state(&w, "b", PEER_UP);
	for (unsigned i = 0; i < 60; i++)
		peer_attempt_over(b, PEER_OUTCOME_FAILED, 0);
	is_in_state(&w, "b", PEER_FAILING);
	b->memory_timer.fire(&b->memory_timer);
	assert_string_equal(b->why, "no call has failed for 7 s");
	world_close(&w);
	/* Where one is enough, a good one after it is forgotten is none. */
	world_peer_keys[B] = ", failing: {failed: 1, well: 0}";
	world_open(&w);
	b = live(&w, "b");
	peer_attempt_over(b, PEER_OUTCOME_FAILED, 0);
	is_in_state(&w, "b", PEER_FAILING);
	b->memory_timer.fire(&b->memory_timer);
	peer_attempt_over(b, PEER_OUTCOME_GOOD, 0);
	is_in_state(&w, "b", PEER_UP);
	world_close(&w);
	world_peer_keys[B] = world_peer_keys[C] = "";
}

static void early_dialogs_of_a_failed_attempt_end_with_199_where_the_caller_asks(void **state)
{
	static const char *const supported[] = {"Supported: timer, 199\r\n", "k: 199\r\n", ""};
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < 3; i++) {
		char first_to[1024];
		const char *text;

		invite_with(&w, &a, "200", supported[i], SDP_A);
		copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
		answer(&w, B, b_invite, 180, "b1", NULL);
		copy_text(first_to, sizeof(first_to), header(expect(&w, A, "SIP/2.0 180"), "To"));
		answer_final(&w, B, b_invite, 500, "b1", NULL);
		if (*supported[i]) {
			text = expect(&w, A, "SIP/2.0 199");
			assert_string_equal(header(text, "To"), first_to);
			assert_string_equal(header(text, "Reason"), "SIP;cause=500");
		}
		text = expect(&w, C, "INVITE ");
		/* A straggler of the attempt that is over. */
		answer(&w, B, b_invite, 183, "b1", NULL);
		answer(&w, C, text, 180, "c1", NULL);
		text = expect(&w, A, "SIP/2.0 180");
		assert_string_not_equal(header(text, "To"), first_to);
		cancel(&w, &a);
		expect(&w, A, "SIP/2.0 200");
		expect_refusal(&w, &a, "SIP/2.0 487");
		answer(&w, C, expect(&w, C, "CANCEL "), 200, NULL, NULL);
		expect_nothing(&w, C);
	}
	for (unsigned i = 0; i < 2 && calls_count(w.calls); i++)
		run_ms(&w, TIMEOUT_MS);
	world_close(&w);
}

static void a_peer_that_rang_is_not_passed_over_when_nobody_takes_the_call(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open_with(&w, "timers: {ring: 10, attempt: 1}\n");
	w.cfg->ring_timeout_s = 1; /* below what a file may say */
	invite(&w, &a, "200", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_invite, 180, "b1", NULL);
	expect(&w, A, "SIP/2.0 180");
	expect_refusal(&w, &a, "SIP/2.0 408");
	expect(&w, B, "CANCEL ");
	answer(&w, B, b_invite, 487, "b1", NULL);
	expect_nothing(&w, C);
	assert_int_equal(live(&w, "b")->count.attempts_failed, 0);
	world_close(&w);
}

static void a_100_is_a_sign_and_silence_is_none(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open_with(&w, "timers: {attempt: 1}\n");
	sip_set_timers(calls_sip(w.calls), 50, 100, 50);
	invite(&w, &a, "200", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_invite, 100, NULL, NULL);
	run_ms(&w, 1100);
	expect_nothing(&w, C);
	answer_final(&w, B, b_invite, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	invite(&w, &a, "200", SDP_A);
	expect(&w, B, "INVITE ");
	turn_down(&w, C, 486);
	expect_refusal(&w, &a, "SIP/2.0 486");
	assert_int_equal(live(&w, "b")->count.attempts_failed, 1);
	sip_set_timers(calls_sip(w.calls), T1_MS, T2_MS, T4_MS);
	for (unsigned i = 0; i < 4 && calls_count(w.calls); i++)
		run_ms(&w, 1200);
	world_close(&w);
}

static void a_silent_peer_that_is_watched_goes_down_by_its_calls(void **state)
{
	struct world w;
	struct peer *b;
	uint64_t now;

	(void)state;
	world_open(&w);
	b = live(&w, "b");
	now = loop_now_ms(w.loop);
	for (unsigned i = 0; i < 5; i++)
		peer_attempt_over(b, PEER_OUTCOME_SILENT, now);
	is_in_state(&w, "b", PEER_FAILING); /* not watched: nobody would bring it back */
	w.cfg->peer[1].liveness.interval_ms = 3600000;
	for (unsigned i = 0; i < 5; i++)
		peer_attempt_over(b, PEER_OUTCOME_SILENT, now);
	is_in_state(&w, "b", PEER_DOWN);
	assert_string_equal(b->why, "no sign on 5 requests in a row, the last: INVITE");
	peer_heard(b);
	is_in_state(&w, "b", PEER_FAILING);
	/* One answer since they were sent, and they are no misses. */
	run_ms(&w, 2);
	peer_heard(b);
	for (unsigned i = 0; i < 5; i++)
		peer_attempt_over(b, PEER_OUTCOME_SILENT, now);
	is_in_state(&w, "b", PEER_FAILING);
	world_close(&w);
}

static void where_all_peers_are_down_they_are_tried_all_the_same(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	fact_set(live(&w, "b"), FACT_SILENT, "no sign");
	invite(&w, &a, "200", SDP_A);
	turn_down(&w, C, 486);
	expect_refusal(&w, &a, "SIP/2.0 486");
	expect_nothing(&w, B);
	fact_set(live(&w, "c"), FACT_SILENT, "no sign");
	invite(&w, &a, "200", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_invite, 503, "b1", NULL);
	is_in_state(&w, "b", PEER_UP); /* 503 is an answer to a call, and so a sign */
	turn_down(&w, C, 486);
	expect_refusal(&w, &a, "SIP/2.0 486");
	is_in_state(&w, "c", PEER_UP);
	world_close(&w);
}

static void a_peer_that_goes_down_meanwhile_is_not_waited_for(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	invite(&w, &a, "200", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	fact_set(live(&w, "c"), FACT_SILENT, "no sign");
	answer(&w, B, b_invite, 500, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 500");
	expect_nothing(&w, C);
	world_close(&w);
}

/* B is asked, and is the last who may be but for so many. */
static void ask_b(struct world *w, struct ua *a, unsigned left)
{
	char text[TEXT_MAX];

	invite(w, a, "200", SDP_A);
	copy_text(text, sizeof(text), expect(w, B, "INVITE "));
	the_call(w)->attempts.made = CALL_ATTEMPTS_MAX - left;
	answer_with(w, B, text, 500, "x1", "", NULL);
	expect(w, B, "ACK ");
}

/* "PEER CODE …" of those who were asked or left out. */
static void note_attempts(void *ctx, const struct call_record *record)
{
	char *text = ctx;

	text[0] = '\0';
	for (unsigned i = 0; i < record->attempt_count; i++)
		sprintf(text + strlen(text), "%s %d ", record->attempt[i].peer,
			record->attempt[i].code);
}

static void after_so_many_attempts_who_was_not_asked_is_left_out(void **state)
{
	char asked[64];
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	calls_set_recorder(w.calls, note_attempts, asked);
	ask_b(&w, &a, 1);
	turn_down(&w, C, 486);
	expect_refusal(&w, &a, "SIP/2.0 486");
	assert_int_equal(w.calls->counters.attempts_spent, 0);
	/* The last one that may be asked is the last that there is. */
	ask_b(&w, &a, 1);
	turn_down(&w, C, 500);
	expect_refusal(&w, &a, "SIP/2.0 500");
	assert_string_equal(asked, "b 500 c 500 ");
	assert_int_equal(w.calls->counters.attempts_spent, 0);
	ask_b(&w, &a, 0);
	expect_refusal(&w, &a, "SIP/2.0 500");
	assert_string_equal(asked, "b 500 c 503 ");
	expect_nothing(&w, C);
	assert_int_equal(w.calls->counters.attempts_spent, 1);
	world_close(&w);
}

/* B's name stands for two places: B's own, then C's. */
static void give_b_two_places(struct world *w, struct server *server)
{
	struct sip_dest place[PEER_TARGETS_MAX];
	char dns[64];

	server_open(server, w->loop);
	add_srv(server, "_sip._udp.b.test", 60, 1, 0, w->port[B], "b1.test");
	add_srv(server, "_sip._udp.b.test", 60, 2, 0, w->port[C], "b2.test");
	add_a(server, "b1.test", 60, "127.0.0.4");
	add_a(server, "b2.test", 60, "127.0.0.5");
	snprintf(dns, sizeof(dns), "dns: {servers: ['127.0.0.1:%u']}\n", server->addr.port);
	world_b_name = "b.test";
	world_reload(w, dns);
	world_b_name = NULL;
	for (unsigned ms = 0; ms < PATIENCE_MS && peer_targets(live(w, "b"), place) < 2; ms++)
		run_ms(w, 1);
	assert_int_equal(peer_targets(live(w, "b"), place), 2);
}

static void after_so_many_attempts_a_place_that_was_not_asked_is_left_out(void **state)
{
	static struct server server;
	char text[TEXT_MAX];
	struct world w;
	struct ua a;

	(void)state;
	world_open(&w);
	give_b_two_places(&w, &server);
	invite(&w, &a, "100", SDP_A);
	copy_text(text, sizeof(text), expect(&w, B, "INVITE "));
	the_call(&w)->attempts.made = CALL_ATTEMPTS_MAX;
	answer_with(&w, B, text, 503, "x1", "", NULL);
	expect(&w, B, "ACK ");
	expect_refusal(&w, &a, "SIP/2.0 503");
	expect_nothing(&w, C);
	assert_int_equal(w.calls->counters.attempts_spent, 1);
	/* The other place comes first now, and the last that may be asked is the last there is. */
	invite(&w, &a, "100", SDP_A);
	copy_text(text, sizeof(text), expect(&w, C, "INVITE "));
	the_call(&w)->attempts.made = CALL_ATTEMPTS_MAX - 1;
	answer_with(&w, C, text, 503, "x1", "", NULL);
	expect(&w, C, "ACK ");
	turn_down(&w, B, 503);
	expect_refusal(&w, &a, "SIP/2.0 503");
	assert_int_equal(w.calls->counters.attempts_spent, 1);
	server_close(&server);
	world_close(&w);
}

static void each_answer_in_a_call_is_a_sign_of_life(void **state)
{
	char invite_text[TEXT_MAX];
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, invite_text, "200");
	fact_set(live(&w, "b"), FACT_SILENT, "no sign");
	say(&w, &a, "INFO", NULL);
	answer(&w, B, expect(&w, B, "INFO "), 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	is_in_state(&w, "b", PEER_UP);
	fact_set(live(&w, "b"), FACT_SILENT, "no sign");
	bye_from(&w, &a, B);
	run_ms(&w, 2);
	is_in_state(&w, "b", PEER_UP);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_of_the_set_moves_on_and_no_other),
		cmocka_unit_test(a_peer_has_codes_of_its_own),
		cmocka_unit_test(the_caller_hears_the_best_of_what_the_peers_said),
		cmocka_unit_test(a_503_with_retry_after_is_told_and_honoured),
		cmocka_unit_test(a_pause_is_bounded_ends_by_itself_and_can_be_ignored),
		cmocka_unit_test(a_peer_whose_calls_fail_comes_last_until_they_succeed),
		cmocka_unit_test(when_a_peer_is_failing_is_a_setting),
		cmocka_unit_test(a_failing_peer_is_forgiven_with_time_but_not_all_of_it),
		cmocka_unit_test(
			early_dialogs_of_a_failed_attempt_end_with_199_where_the_caller_asks),
		cmocka_unit_test(a_peer_that_rang_is_not_passed_over_when_nobody_takes_the_call),
		cmocka_unit_test(a_100_is_a_sign_and_silence_is_none),
		cmocka_unit_test(a_silent_peer_that_is_watched_goes_down_by_its_calls),
		cmocka_unit_test(where_all_peers_are_down_they_are_tried_all_the_same),
		cmocka_unit_test(a_peer_that_goes_down_meanwhile_is_not_waited_for),
		cmocka_unit_test(after_so_many_attempts_who_was_not_asked_is_left_out),
		cmocka_unit_test(after_so_many_attempts_a_place_that_was_not_asked_is_left_out),
		cmocka_unit_test(each_answer_in_a_call_is_a_sign_of_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
