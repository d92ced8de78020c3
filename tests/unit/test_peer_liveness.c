/* SPDX-License-Identifier: BSD-2-Clause */
/* OPTIONS to peers: when they go out, what counts as a sign, what as a miss. */
#include "test_peer_world.h"

#define INTERVAL_MS 40
#define PROBE_MS    150
#define WAIT_MS     30 /* for an answer */
#define MISSES      3

static const struct liveness_config quick = {
	.interval_ms = INTERVAL_MS, .misses = MISSES, .probe_ms = PROBE_MS, .timeout_ms = WAIT_MS};

static void open_with(struct world *w, unsigned peers, struct liveness_config liveness)
{
	world_liveness = liveness;
	world_open(w, peers);
}

static void expect_options(struct world *w, struct heard *h)
{
	if (!hear(w, h, PATIENCE_MS))
		fail_msg("expected OPTIONS");
	if (strncmp(h->text, "OPTIONS sip:", 12) != 0)
		fail_msg("expected OPTIONS, got '%s'", h->text);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("expected '%s' in '%s'", part, text);
}

/* Lets its requests go unanswered until it is down. */
static void let_down(struct world *w, unsigned index)
{
	struct heard h;

	wait_for_state(w, index, PEER_DOWN);
	is_in_state(w, index, PEER_DOWN);
	while (hear(w, &h, 0)) {
	}
}

static void a_peer_is_asked_at_its_interval_and_the_request_is_whole(void **state)
{
	static const char *const wanted[] = {"Via: SIP/2.0/UDP 127.0.0.2:",
		"From: <sip:127.0.0.2>;tag=", "To: <sip:127.1.0.1>\r\n", "CSeq: 1 OPTIONS\r\n",
		"Contact: <sip:127.0.0.2:", "Max-Forwards: ", "Accept: application/sdp\r\n",
		"Call-ID: "};
	struct world w;
	struct heard h;
	uint64_t last = 0;

	(void)state;
	open_with(&w, 1, quick);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t now;

		expect_options(&w, &h);
		now = loop_now_ms(w.loop);
		if (last)
			assert_true(now - last >= INTERVAL_MS * 9 / 10 &&
				    now - last <= INTERVAL_MS * 3);
		last = now;
		answer(&w, &h, 200);
	}
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		has(h.text, wanted[i]);
	is_in_state(&w, 0, PEER_UP);
	assert_int_equal(peer_at(&w, 0)->count.options_answered, 4);
	assert_int_equal(w.events, 0);
	world_close(&w);
}

static void interval_0_sends_nothing(void **state)
{
	struct liveness_config off = quick;
	struct world w;
	struct heard h;

	(void)state;
	off.interval_ms = 0;
	open_with(&w, 3, off);
	assert_false(hear(&w, &h, 3 * INTERVAL_MS));
	world_close(&w);
}

static void misses_in_a_row_are_down_and_one_answer_restores(void **state)
{
	struct peer_status status;
	struct world w;
	struct heard h;

	(void)state;
	open_with(&w, 1, quick);
	expect_options(&w, &h);
	answer(&w, &h, 200);
	let_down(&w, 0);
	assert_int_equal(peer_at(&w, 0)->misses, MISSES);
	assert_string_equal(w.last_event,
		"p0: down, was up: no sign on 3 requests in a row, the last: OPTIONS unanswered");
	assert_false(peer_takes_calls(peer_at(&w, 0)));
	expect_options(&w, &h);
	answer(&w, &h, 200);
	is_in_state(&w, 0, PEER_UP);
	assert_string_equal(w.last_event, "p0: up, was down: it has answered");
	assert_int_equal(w.events, 2);
	peer_get_status(peer_at(&w, 0), &status);
	assert_int_equal(status.misses, 0);
	assert_true(status.heard_ms_ago < 1000);
	world_close(&w);
}

static void a_peer_that_is_down_is_asked_at_the_probe_interval(void **state)
{
	struct world w;
	struct heard h;
	uint64_t before;

	(void)state;
	open_with(&w, 1, quick);
	let_down(&w, 0);
	expect_options(&w, &h);
	before = peer_at(&w, 0)->options_ms;
	while (peer_at(&w, 0)->options_ms == before)
		loop_once(w.loop, 1);
	assert_true(peer_at(&w, 0)->options_ms - before >= PROBE_MS * 9 / 10);
	world_close(&w);
}

static void an_answer_between_misses_begins_the_count_anew(void **state)
{
	struct world w;
	struct heard h;

	(void)state;
	open_with(&w, 1, quick);
	for (unsigned round = 0; round < 3; round++) {
		while (peer_at(&w, 0)->misses < MISSES - 1)
			loop_once(w.loop, 1);
		while (hear(&w, &h, 0)) {
		}
		expect_options(&w, &h);
		answer(&w, &h, 200);
		assert_int_equal(peer_at(&w, 0)->misses, 0);
	}
	is_in_state(&w, 0, PEER_UP);
	world_close(&w);
}

static void any_final_answer_but_503_is_a_sign_of_life(void **state)
{
	static const int codes[] = {200, 302, 401, 404, 405, 481, 488, 500, 501, 603};
	struct world w;
	struct heard h;

	(void)state;
	open_with(&w, 1, quick);
	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		expect_options(&w, &h);
		fact_set(peer_at(&w, 0), FACT_SILENT, "x");
		answer(&w, &h, codes[i]);
		is_in_state(&w, 0, PEER_UP);
	}
	world_close(&w);
}

static void options_answered_503_are_misses_and_its_retry_after_counts(void **state)
{
	struct world w;
	struct heard h;

	(void)state;
	open_with(&w, 1, quick);
	for (unsigned i = 0; i < MISSES; i++) {
		expect_options(&w, &h);
		answer(&w, &h, 503);
	}
	is_in_state(&w, 0, PEER_DOWN);
	has(peer_at(&w, 0)->why, "OPTIONS answered 503");
	expect_options(&w, &h);
	answer_with(&w, &h, 503, "Retry-After: 7\r\n");
	assert_int_equal(peer_retry_after_s(peer_at(&w, 0)), 7);
	assert_false(peer_is_last_resort(peer_at(&w, 0), false));
	expect_options(&w, &h);
	answer(&w, &h, 200);
	/* It answers; but it has said for how long it wants no calls. */
	is_in_state(&w, 0, PEER_DOWN);
	has(peer_at(&w, 0)->why, "it wants no calls for 7 s");
	world_close(&w);
}

static void a_transport_failure_is_a_miss_at_once(void **state)
{
	struct liveness_config patient = quick;
	struct world w;

	(void)state;
	patient.timeout_ms = 60000;
	open_with(&w, 1, patient);
	close(w.fd); /* ICMP port unreachable */
	wait_for_state(&w, 0, PEER_DOWN);
	is_in_state(&w, 0, PEER_DOWN);
	has(peer_at(&w, 0)->why, "Connection refused");
	w.fd = -1;
	world_close(&w);
}

static void a_sign_in_a_call_since_it_was_sent_makes_it_no_miss(void **state)
{
	struct world w;
	struct heard h;

	(void)state;
	open_with(&w, 1, quick);
	for (unsigned i = 0; i < MISSES + 2; i++) {
		uint64_t sent;

		expect_options(&w, &h);
		sent = peer_at(&w, 0)->options_ms;
		run_ms(&w, 2);
		peer_heard(peer_at(&w, 0));
		while (peer_at(&w, 0)->options_ms == sent)
			loop_once(w.loop, 1);
		assert_int_equal(peer_at(&w, 0)->misses, 0);
	}
	is_in_state(&w, 0, PEER_UP);
	world_close(&w);
}

static void a_request_of_a_peer_that_is_down_has_it_asked_out_of_turn(void **state)
{
	struct liveness_config slow = quick;
	struct world w;
	struct heard h;

	(void)state;
	slow.probe_ms = 3600000;
	open_with(&w, 1, slow);
	let_down(&w, 0);
	peer_asked(peer_at(&w, 0));
	peer_asked(peer_at(&w, 0));
	expect_options(&w, &h);
	answer(&w, &h, 200);
	is_in_state(&w, 0, PEER_UP);
	world_close(&w);
}

static void no_more_than_the_limit_are_waited_for_at_once(void **state)
{
	struct liveness_config rude = {
		.interval_ms = 20, .misses = 100, .probe_ms = 1000, .timeout_ms = 400};
	unsigned most = 0, count = OPTIONS_ROUNDS_MAX + 44;
	struct world w;
	uint64_t end;

	(void)state;
	open_with(&w, count, rude);
	end = loop_now_ms(w.loop) + 1000;
	while (loop_now_ms(w.loop) < end) {
		loop_once(w.loop, 1);
		if (w.peers->rounds > most)
			most = w.peers->rounds;
	}
	assert_int_equal(most, OPTIONS_ROUNDS_MAX);
	assert_true(peers_options_postponed(w.peers) > 0);
	/* Transactions end with the waiting: nothing piles up. */
	assert_true(w.sip->client_count <= OPTIONS_ROUNDS_MAX);
	for (unsigned i = 0; i < count; i++) {
		if (!peer_at(&w, i)->count.options)
			fail_msg("p%u was never asked", i);
		assert_true(
			peer_at(&w, i)->count.options <= 3); /* nobody is asked at others' cost */
	}
	world_close(&w);
}

static void a_thousand_peers_are_spread_over_the_interval(void **state)
{
	const struct liveness_config slow = {
		.interval_ms = 3000000, .misses = 5, .probe_ms = 60000, .timeout_ms = 5000};
	unsigned tenth[10] = {0};
	struct world w;

	(void)state;
	open_with(&w, 1000, slow);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t wait = peer_at(&w, i)->options_timer.due_ms - loop_now_ms(w.loop);

		assert_true(wait <= slow.interval_ms);
		tenth[wait * 10 / (slow.interval_ms + 1)]++;
	}
	for (unsigned i = 0; i < 10; i++)
		assert_true(tenth[i] > 50 && tenth[i] < 150);
	world_close(&w);
}

static void a_reload_takes_up_new_intervals_keeps_waiting_ones_and_forgets_old_addresses(
	void **state)
{
	struct config *cfg;
	struct world w;
	struct heard h;

	(void)state;
	open_with(&w, 2, quick);
	let_down(&w, 0);
	wait_for_state(&w, 1, PEER_DOWN);
	world_liveness.interval_ms = 0;
	cfg = world_config(&w, 0, 2);
	assert_int_equal(peers_reload(w.peers, cfg), 0);
	is_in_state(&w, 0, PEER_UP);
	has(w.last_event, "it is not watched any more");
	while (hear(&w, &h, 2 * INTERVAL_MS)) {
	}
	config_unref(cfg);
	world_liveness = quick;
	cfg = world_config(&w, 0, 2);
	assert_int_equal(peers_reload(w.peers, cfg), 0);
	expect_options(&w, &h);
	let_down(&w, 0);
	config_unref(cfg);
	cfg = world_config(&w, 0, 2);
	cfg->peer[0].address.port++;
	assert_int_equal(peers_reload(w.peers, cfg), 0);
	is_in_state(&w, 0, PEER_UP);
	config_unref(cfg);
	world_close(&w);
}

static void a_peer_dropped_while_it_is_asked_leaves_nothing(void **state)
{
	struct config *cfg;
	struct world w;
	struct heard h;

	(void)state;
	open_with(&w, 2, quick);
	do {
		expect_options(&w, &h);
	} while (h.peer != 0);
	cfg = world_config(&w, 1, 2);
	assert_int_equal(peers_reload(w.peers, cfg), 0);
	answer(&w, &h, 200);
	run_ms(&w, 5);
	assert_true(w.peers->rounds <= 1);
	config_unref(cfg);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_asked_at_its_interval_and_the_request_is_whole),
		cmocka_unit_test(interval_0_sends_nothing),
		cmocka_unit_test(misses_in_a_row_are_down_and_one_answer_restores),
		cmocka_unit_test(a_peer_that_is_down_is_asked_at_the_probe_interval),
		cmocka_unit_test(an_answer_between_misses_begins_the_count_anew),
		cmocka_unit_test(any_final_answer_but_503_is_a_sign_of_life),
		cmocka_unit_test(options_answered_503_are_misses_and_its_retry_after_counts),
		cmocka_unit_test(a_transport_failure_is_a_miss_at_once),
		cmocka_unit_test(a_sign_in_a_call_since_it_was_sent_makes_it_no_miss),
		cmocka_unit_test(a_request_of_a_peer_that_is_down_has_it_asked_out_of_turn),
		cmocka_unit_test(no_more_than_the_limit_are_waited_for_at_once),
		cmocka_unit_test(a_thousand_peers_are_spread_over_the_interval),
		cmocka_unit_test(
			a_reload_takes_up_new_intervals_keeps_waiting_ones_and_forgets_old_addresses),
		cmocka_unit_test(a_peer_dropped_while_it_is_asked_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
