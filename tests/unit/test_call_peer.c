/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls and the states of peers: who is passed over, who is refused, what goes on. */
#include "test_call_world.h"

static void set(struct world *w, const char *name, enum peer_command command)
{
	struct peer *peer = peer_by_name(calls_peers(w->calls), name);

	assert_non_null(peer);
	peer_set_command(peer, command);
}

static void a_drained_peer_gets_no_new_call_and_keeps_the_one_it_has(void **state)
{
	char b_invite[TEXT_MAX];
	struct ua a, b, other;
	struct world w;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "200");
	set(&w, "b", PEER_DRAIN);
	assert_int_equal(live_calls_of(&w, "b"), 1);
	say(&w, &a, "INFO", NULL);
	answer(&w, B, expect(&w, B, "INFO "), 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	invite(&w, &other, "201", SDP_A);
	expect_nothing(&w, B);
	answer(&w, C, expect(&w, C, "INVITE "), 486, "c1", NULL);
	expect_refusal(&w, &other, "SIP/2.0 486");
	bye_from(&w, &a, B);
	run_ms(&w, 5);
	assert_int_equal(live_calls_of(&w, "b"), 0);
	set(&w, "b", PEER_RESUME);
	invite(&w, &other, "202", SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 486, "b2", NULL);
	expect_refusal(&w, &other, "SIP/2.0 486");
	world_close(&w);
}

static void a_drained_peer_hears_503_to_its_own_calls_and_options(void **state)
{
	struct calls_status status;
	struct ua a;
	const char *text;
	struct world w;

	(void)state;
	world_open(&w);
	set(&w, "a", PEER_DRAIN);
	invite(&w, &a, "200", SDP_A);
	text = expect(&w, A, "SIP/2.0 503");
	has(text, "Retry-After: ");
	ack_refusal(&w, &a, text);
	expect_nothing(&w, B);
	memset(&a, 0, sizeof(a));
	a.who = A;
	copy_text(a.call_id, sizeof(a.call_id), "options@a");
	copy_text(a.local, sizeof(a.local), "<sip:a@127.0.0.3>;tag=o");
	copy_text(a.remote, sizeof(a.remote), "<sip:127.0.0.1>");
	copy_text(a.target, sizeof(a.target), "sip:127.0.0.1");
	say(&w, &a, "OPTIONS", NULL);
	has(expect(&w, A, "SIP/2.0 503"), "Retry-After: ");
	set(&w, "a", PEER_RESUME);
	say(&w, &a, "OPTIONS", NULL);
	expect(&w, A, "SIP/2.0 200");
	calls_get_status(w.calls, &status);
	assert_int_equal(status.refused_peer, 1);
	world_close(&w);
}

static void a_blocked_peer_hears_403_and_gets_nothing(void **state)
{
	char b_invite[TEXT_MAX];
	struct ua a, b, other;
	struct world w;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "200");
	set(&w, "a", PEER_BLOCK);
	invite(&w, &other, "200", SDP_A);
	expect_refusal(&w, &other, "SIP/2.0 403");
	/* The call that stands goes on. */
	bye_from(&w, &b, A);
	world_close(&w);
}

static void emergency_calls_go_through_drained_peers_but_not_through_blocked_ones(void **state)
{
	const char *text;
	struct ua a;
	struct world w;

	(void)state;
	world_open_with(&w, "emergency: ['112']\n");
	set(&w, "a", PEER_DRAIN);
	set(&w, "b", PEER_DRAIN);
	invite(&w, &a, "100", SDP_A);
	expect_refusal(&w, &a, "SIP/2.0 503");
	invite(&w, &a, "112", SDP_A);
	text = expect(&w, B, "INVITE ");
	answer(&w, B, text, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	set(&w, "b", PEER_BLOCK);
	invite(&w, &a, "112", SDP_A);
	expect_refusal(&w, &a, "SIP/2.0 503");
	world_close(&w);
}

static void where_every_peer_is_out_of_service_the_caller_hears_503(void **state)
{
	struct ua a;
	struct world w;

	(void)state;
	world_open(&w);
	set(&w, "b", PEER_BLOCK);
	set(&w, "c", PEER_DRAIN);
	invite(&w, &a, "200", SDP_A);
	expect_refusal(&w, &a, "SIP/2.0 503");
	expect_nothing(&w, B);
	expect_nothing(&w, C);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drained_peer_gets_no_new_call_and_keeps_the_one_it_has),
		cmocka_unit_test(a_drained_peer_hears_503_to_its_own_calls_and_options),
		cmocka_unit_test(a_blocked_peer_hears_403_and_gets_nothing),
		cmocka_unit_test(
			emergency_calls_go_through_drained_peers_but_not_through_blocked_ones),
		cmocka_unit_test(where_every_peer_is_out_of_service_the_caller_hears_503),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
