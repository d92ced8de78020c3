/* SPDX-License-Identifier: BSD-2-Clause */
/* The states of peers, what commands make of them, and the order of a route's peers. */
#include "test_peer_world.h"

#define PEERS 6

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("expected '%s' in '%s'", part, text);
}

static void a_peer_is_up_from_the_start(void **state)
{
	struct peer_status status;
	struct world w;

	(void)state;
	world_open(&w, 1);
	run_ms(&w, 3);
	peer_get_status(peer_at(&w, 0), &status);
	assert_int_equal(status.state, PEER_UP);
	assert_true(status.since_ms_ago >= 3 && status.since_ms_ago < 1000);
	assert_true(peer_takes_calls(peer_at(&w, 0)));
	assert_int_equal(w.events, 0);
	assert_null(peer_by_name(w.peers, "nobody"));
	world_close(&w);
}

static void each_change_of_state_is_one_event_with_its_reason(void **state)
{
	struct peer_status status;
	struct world w;
	struct peer *peer;

	(void)state;
	world_open(&w, 1);
	peer = peer_at(&w, 0);
	peer_set_command(peer, PEER_DRAIN);
	assert_string_equal(w.last_event, "p0: draining, was up: drained by the operator");
	peer_set_command(peer, PEER_DRAIN);
	assert_int_equal(w.events, 1);
	peer_set_command(peer, PEER_BLOCK);
	assert_string_equal(w.last_event, "p0: blocked, was draining: blocked by the operator");
	peer_set_command(peer, PEER_DRAIN);
	assert_string_equal(w.last_event, "p0: draining, was blocked: drained by the operator");
	peer_set_command(peer, PEER_RESUME);
	assert_string_equal(w.last_event, "p0: up, was draining: resumed by the operator");
	assert_int_equal(w.events, 4);
	peer_get_status(peer, &status);
	assert_string_equal(status.why, "resumed by the operator");
	world_close(&w);
}

static void a_resumed_peer_that_is_down_is_shown_as_down(void **state)
{
	struct world w;
	struct peer *peer;

	(void)state;
	world_open(&w, 1);
	peer = peer_at(&w, 0);
	peer_set_command(peer, PEER_DRAIN);
	fact_set(peer, FACT_SILENT, "gives no sign");
	is_in_state(&w, 0, PEER_DRAINING);
	assert_false(peer_is_last_resort(peer, false));
	peer_set_command(peer, PEER_RESUME);
	assert_string_equal(w.last_event, "p0: down, was draining: gives no sign");
	assert_true(peer_is_last_resort(peer, false));
	fact_clear(peer, FACT_SILENT, "answered");
	assert_string_equal(w.last_event, "p0: up, was down: answered");
	world_close(&w);
}

static void a_reload_keeps_states_and_commands_and_drops_who_is_gone(void **state)
{
	struct config *cfg;
	struct world w;

	(void)state;
	world_open(&w, 3);
	peer_set_command(peer_at(&w, 1), PEER_BLOCK);
	fact_set(peer_at(&w, 2), FACT_FAILING, "its calls fail");
	cfg = world_config(&w, 1, 5);
	assert_int_equal(peers_reload(w.peers, cfg), 0);
	assert_null(peer_by_name(w.peers, "p0"));
	is_in_state(&w, 1, PEER_BLOCKED);
	is_in_state(&w, 2, PEER_FAILING);
	is_in_state(&w, 3, PEER_UP);
	assert_ptr_equal(peer_at(&w, 1)->config, &cfg->peer[0]);
	assert_ptr_equal(peer_of(w.peers, &cfg->peer[0]), peer_at(&w, 1));
	assert_ptr_equal(peer_of(w.peers, &w.cfg->peer[1]), peer_at(&w, 1));
	assert_null(peer_of(w.peers, &w.cfg->peer[0]));
	assert_int_equal(HASH_COUNT(w.peers->by_name), 4);
	config_unref(cfg);
	world_close(&w);
}

/* The order of p0 … p5 as the digits of a text; priorities too, NULL: all of one. */
static bool is_emergency;

static const char *order_of(struct world *w, const char *priorities, struct peers_choice *choice)
{
	static char text[PEERS + 1];
	struct peers_place place[PEERS];

	for (unsigned i = 0; i < PEERS; i++) {
		place[i].peer = &w->cfg->peer[i];
		place[i].priority = priorities ? (unsigned)(priorities[i] - '0') : 0;
	}
	peers_order(w->peers, place, PEERS, is_emergency, choice, NULL, NULL);
	for (unsigned i = 0; i < choice->count; i++)
		text[i] = (char)('0' + choice->order[i]);
	text[choice->count] = '\0';
	return text;
}

static void failing_peers_come_last_within_their_priority_and_the_order_is_stable(void **state)
{
	struct peers_choice choice;
	struct world w;

	(void)state;
	world_open(&w, PEERS);
	assert_string_equal(order_of(&w, NULL, &choice), "012345");
	fact_set(peer_at(&w, 0), FACT_FAILING, "x");
	fact_set(peer_at(&w, 3), FACT_FAILING, "x");
	assert_string_equal(order_of(&w, NULL, &choice), "124503");
	assert_string_equal(order_of(&w, "000111", &choice), "120453");
	assert_string_equal(order_of(&w, "012345", &choice), "012345");
	assert_false(choice.last_resort);
	world_close(&w);
}

static void peers_that_take_no_calls_are_left_out(void **state)
{
	struct peers_choice choice;
	struct world w;

	(void)state;
	world_open(&w, PEERS);
	fact_set(peer_at(&w, 1), FACT_SILENT, "x");
	peer_set_command(peer_at(&w, 2), PEER_DRAIN);
	peer_set_command(peer_at(&w, 4), PEER_BLOCK);
	assert_string_equal(order_of(&w, NULL, &choice), "035");
	assert_string_equal(order_of(&w, "011222", &choice), "035");
	assert_false(choice.last_resort);
	world_close(&w);
}

static void where_all_are_down_the_silent_are_tried_and_for_emergencies_all_but_the_blocked(
	void **state)
{
	struct peers_choice choice;
	struct world w;

	(void)state;
	world_open(&w, PEERS);
	for (unsigned i = 0; i < PEERS; i++)
		fact_set(peer_at(&w, i), FACT_SILENT, "x");
	peer_set_command(peer_at(&w, 2), PEER_DRAIN);
	fact_set(peer_at(&w, 3), FACT_PAUSED, "x");
	assert_string_equal(order_of(&w, NULL, &choice), "0145");
	assert_true(choice.last_resort);
	peer_set_command(peer_at(&w, 4), PEER_BLOCK);
	is_emergency = true;
	assert_string_equal(order_of(&w, NULL, &choice), "01235");
	is_emergency = false;
	world_close(&w);
}

static void where_nobody_may_be_tried_the_shortest_pause_is_told(void **state)
{
	struct peers_choice choice;
	struct world w;

	(void)state;
	world_open(&w, PEERS);
	for (unsigned i = 0; i < PEERS; i++) {
		struct peer *peer = peer_at(&w, i);

		if (i % 2) {
			peer_set_command(peer, PEER_BLOCK);
			continue;
		}
		fact_set(peer, FACT_PAUSED, "x");
		peer->paused_until_ms = loop_now_ms(w.loop) + 10000 * (PEERS - i);
	}
	assert_string_equal(order_of(&w, NULL, &choice), "");
	assert_int_equal(choice.retry_after_s, 20);
	world_close(&w);
}

static void trace_line(void *ctx, const char *line)
{
	strcat(ctx, line);
	strcat(ctx, "\n");
}

static void the_trace_names_who_is_passed_over_and_why(void **state)
{
	struct peers_choice choice;
	struct peers_place place[2] = {0};
	char text[1024] = "";
	struct world w;

	(void)state;
	world_open(&w, 2);
	place[0].peer = &w.cfg->peer[0];
	place[1].peer = &w.cfg->peer[1];
	fact_set(peer_at(&w, 0), FACT_SILENT, "5 OPTIONS unanswered");
	fact_set(peer_at(&w, 1), FACT_FAILING, "6 of 10 calls failed");
	peers_order(w.peers, place, 2, false, &choice, trace_line, text);
	has(text, "p0 takes no calls, it is down: 5 OPTIONS unanswered\n");
	has(text, "p1 is failing, so it comes after the others of its priority: 6 of 10 calls "
		  "failed\n");
	world_close(&w);
}

static void who_is_beyond_the_limit_of_one_order_is_left_out_and_named(void **state)
{
	struct peers_place place[PEERS_ORDER_MAX + 1] = {0};
	struct peers_choice choice;
	char text[1024] = "";
	struct world w;

	(void)state;
	world_open(&w, PEERS_ORDER_MAX + 1);
	for (unsigned i = 0; i <= PEERS_ORDER_MAX; i++)
		place[i].peer = &w.cfg->peer[i];
	peers_order(w.peers, place, PEERS_ORDER_MAX, false, &choice, trace_line, text);
	assert_int_equal(choice.count, PEERS_ORDER_MAX);
	assert_string_equal(text, "");
	peers_order(w.peers, place, PEERS_ORDER_MAX + 1, false, &choice, trace_line, text);
	assert_int_equal(choice.count, PEERS_ORDER_MAX);
	assert_int_equal(choice.order[PEERS_ORDER_MAX - 1], PEERS_ORDER_MAX - 1);
	assert_string_equal(text, "p32 left out: more than 32 peers\n");
	world_close(&w);
}

static void commands_are_known_by_name(void **state)
{
	enum peer_command command;

	(void)state;
	assert_int_equal(peer_command_parse(&command, "drain"), 0);
	assert_int_equal(command, PEER_DRAIN);
	assert_int_equal(peer_command_parse(&command, "resume"), 0);
	assert_int_equal(command, PEER_RESUME);
	assert_int_equal(peer_command_parse(&command, "stop"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_up_from_the_start),
		cmocka_unit_test(each_change_of_state_is_one_event_with_its_reason),
		cmocka_unit_test(a_resumed_peer_that_is_down_is_shown_as_down),
		cmocka_unit_test(a_reload_keeps_states_and_commands_and_drops_who_is_gone),
		cmocka_unit_test(
			failing_peers_come_last_within_their_priority_and_the_order_is_stable),
		cmocka_unit_test(peers_that_take_no_calls_are_left_out),
		cmocka_unit_test(
			where_all_are_down_the_silent_are_tried_and_for_emergencies_all_but_the_blocked),
		cmocka_unit_test(where_nobody_may_be_tried_the_shortest_pause_is_told),
		cmocka_unit_test(the_trace_names_who_is_passed_over_and_why),
		cmocka_unit_test(who_is_beyond_the_limit_of_one_order_is_left_out_and_named),
		cmocka_unit_test(commands_are_known_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
