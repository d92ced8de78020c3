/* SPDX-License-Identifier: BSD-2-Clause */
/* What a call may take, and what is given back. */
#include "test_call_world.h"

#define ROUNDS 300

#define G711_KBIT 93 /* at 20 ms over IPv4, with RTCP */
#define G729_KBIT 34

static char b_invite[TEXT_MAX];

static struct calls_load load_of_peer(struct world *w, const char *peer)
{
	struct calls_load load;

	calls_get_load(w->calls, peer, &load);
	return load;
}

/* B calls a number that no route has. */
static void invite_from_b(struct world *w, const char *number, const char *start)
{
	struct ua d = {.who = B, .local = "<sip:b@127.0.0.4>;tag=from-b", .call_id = "from-b@b"};

	snprintf(d.remote, sizeof(d.remote), "<sip:%s@127.0.0.2>", number);
	snprintf(d.target, sizeof(d.target), "sip:%s@127.0.0.2", number);
	copy_text(d.invite_branch, sizeof(d.invite_branch), new_branch());
	say_with(w, &d, "INVITE", 0, d.invite_branch, "", SDP_B);
	ack_refusal(w, &d, expect(w, B, start));
}

static void calls_beyond_the_limit_get_503_until_one_ends(void **state)
{
	struct world w;
	struct ua a, b, more;

	(void)state;
	world_open_with(&w, "limits: {calls: 1}\n");
	establish(&w, &a, &b, b_invite, "100");
	invite(&w, &more, "100", SDP_A);
	has(expect(&w, A, "SIP/2.0 503"), "Retry-After: ");
	assert_int_equal(w.calls->counters.refused_limit, 1);
	/* The place is free with the BYE, whether it is answered or not. */
	hang_up(&w, &b);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	establish(&w, &a, &b, b_invite, "100");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void calls_that_only_end_are_bounded_too(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open_with(&w, "limits: {calls: 2}\n");
	/* One peer gets two thirds of them: the rest is another's. */
	for (unsigned i = 0; i < CALLS_ENDING_FACTOR * 2 * 2 / 3 + 1; i++) {
		invite(&w, &a, "100", SDP_A);
		expect(&w, B, "INVITE ");
		cancel(&w, &a);
		expect(&w, A, "SIP/2.0 200");
		expect_refusal(&w, &a, "SIP/2.0 487");
	}
	assert_int_equal(w.calls->live, 0);
	invite(&w, &a, "100", SDP_A);
	expect(&w, A, "SIP/2.0 503");
	assert_int_equal(w.calls->counters.limited_ending, 1);
	invite_from_b(&w, "100", "SIP/2.0 404");
	world_is_empty(&w);
	invite(&w, &a, "100", SDP_A);
	answer(&w, B, expect(&w, B, "INVITE "), 486, "b1", NULL);
	expect(&w, A, "SIP/2.0 486");
	world_close(&w);
}

static void a_peer_at_its_limit_is_left_out_and_its_own_code_is_heard_when_none_is_left(
	void **state)
{
	struct world w;
	struct ua a, b, c;
	const char *text;

	(void)state;
	world_peer_keys[B] = ", limits: {calls: 1, code: 486, retry_after: 7}";
	world_open_with(&w, "");
	establish(&w, &a, &b, b_invite, "200");
	/* The next of the route takes it. */
	invite(&w, &c, "200", SDP_A);
	text = expect(&w, C, "INVITE ");
	expect_nothing(&w, B);
	answer_final(&w, C, text, 487, "c1", NULL);
	expect_refusal(&w, &c, "SIP/2.0 487");
	/* Here there is no next. */
	invite(&w, &c, "100", SDP_A);
	text = expect(&w, A, "SIP/2.0 486");
	has(text, "Retry-After: 7\r\n");
	ack_refusal(&w, &c, text);
	assert_int_equal(w.calls->counters.limited_live, 2);
	assert_int_equal(load_of_peer(&w, "b").refused[CALL_LIMIT_LIVE], 2);
	bye_from(&w, &b, A);
	establish(&w, &a, &b, b_invite, "100");
	bye_from(&w, &a, B);
	world_peer_keys[B] = "";
	world_close(&w);
}

static void a_peer_s_own_calls_count_for_its_limit(void **state)
{
	struct world w;
	struct ua a, b, more;

	(void)state;
	world_peer_keys[A] = ", calls_max: 1"; /* the older name of limits.calls */
	world_open_with(&w, "limits: {code: 480, retry_after: 0}\n");
	establish(&w, &a, &b, b_invite, "100");
	invite(&w, &more, "100", SDP_A);
	has(expect(&w, A, "SIP/2.0 503"), "Retry-After: 5\r\n");
	bye_from(&w, &a, B);
	establish(&w, &a, &b, b_invite, "100");
	bye_from(&w, &a, B);
	world_peer_keys[A] = "";
	world_close(&w);
}

static void a_burst_is_taken_at_once_and_then_the_rate_holds(void **state)
{
	struct loads *loads;
	struct refusal why;
	struct call any = {0};
	struct world w;
	uint64_t *filled;

	(void)state;
	world_peer_keys[B] = ", limits: {calls_per_second: 2, burst: 3}";
	world_open_with(&w, "");
	loads = w.calls->loads;
	any.calls = w.calls;
	for (unsigned i = 0; i < 3; i++)
		assert_true(limits_admit_attempt(&any, &w.cfg->peer[B], &why));
	assert_false(limits_admit_attempt(&any, &w.cfg->peer[B], &why));
	assert_int_equal(why.code, 503);
	assert_int_equal(load_of_peer(&w, "b").calls_per_second, 3);
	/* Half a second later there is one more, and after an age no more than a burst. */
	filled = &loads->peer[B].bucket.filled_ms;
	*filled -= 500;
	assert_true(limits_admit_attempt(&any, &w.cfg->peer[B], &why));
	assert_false(limits_admit_attempt(&any, &w.cfg->peer[B], &why));
	*filled -= 100000;
	for (unsigned i = 0; i < 3; i++)
		assert_true(limits_admit_attempt(&any, &w.cfg->peer[B], &why));
	assert_false(limits_admit_attempt(&any, &w.cfg->peer[B], &why));
	/* The other peers have none of it. */
	assert_true(limits_admit(w.calls, &w.cfg->peer[A], &(struct invite_need){0}, &why));
	world_peer_keys[B] = "";
	world_close(&w);
}

static void bandwidth_is_taken_from_the_offer_and_given_back_however_a_call_ends(void **state)
{
	struct world w;
	struct ua a, b, more;
	const char *text;

	(void)state;
	world_peer_keys[B] = ", limits: {bandwidth: 200}"; /* two calls of 93 */
	world_open_with(&w, "");
	establish(&w, &a, &b, b_invite, "100");
	assert_int_equal(load_of_peer(&w, "b").kbit, G711_KBIT);
	invite(&w, &more, "100", SDP_A);
	expect(&w, B, "INVITE ");
	assert_int_equal(load_of_peer(&w, "b").kbit, 2 * G711_KBIT);
	assert_int_equal(load_of_peer(&w, NULL).kbit, 2 * G711_KBIT);
	cancel(&w, &more);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &more, "SIP/2.0 487");
	assert_int_equal(load_of_peer(&w, "b").kbit, G711_KBIT);
	/* Two at once and no third; where another peer has room, it goes there. */
	invite(&w, &more, "100", SDP_A);
	text = expect(&w, B, "INVITE ");
	answer_final(&w, B, text, 200, "b2", SDP_B);
	learn(&more, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &more, 1, NULL);
	invite(&w, &a, "100", SDP_A);
	expect_refusal(&w, &a, "SIP/2.0 503");
	assert_int_equal(w.calls->counters.limited_bandwidth, 1);
	invite(&w, &a, "200", SDP_A);
	text = expect(&w, C, "INVITE ");
	assert_int_equal(load_of_peer(&w, "a").kbit, 3 * G711_KBIT);
	answer_final(&w, C, text, 486, "c1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	bye_from(&w, &b, A);
	bye_from(&w, &more, B);
	world_peer_keys[B] = "";
	world_close(&w);
}

static void the_answer_decides_what_the_offer_reserved(void **state)
{
	static const char both[] =
		"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8 18\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\n";
	static const char g729[] =
		"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"
		"m=audio 5000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n";
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_side_keys[SIDE_EXTERNAL] = ", bandwidth: 100";
	world_open_with(&w, "");
	invite(&w, &a, "100", both);
	text = expect(&w, B, "INVITE ");
	assert_int_equal(w.calls->loads->side[SIDE_EXTERNAL].kbit, G711_KBIT);
	take(&b, B, text, "b1");
	answer_final(&w, B, text, 200, "b1", g729);
	expect_answer(&w, &a, 1);
	assert_int_equal(w.calls->loads->side[SIDE_EXTERNAL].kbit, G729_KBIT);
	/* A change that asks for too much is refused, and the call stays as it was. */
	say(&w, &a, "INVITE",
		"v=0\r\no=- 1 2 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8\r\nm=video 4002 RTP/AVP 34\r\nb=AS:384\r\n");
	text = expect(&w, A, "SIP/2.0 488");
	has(text, "Warning: 370 ");
	ack_refusal(&w, &a, text);
	assert_int_equal(w.calls->loads->side[SIDE_EXTERNAL].kbit, G729_KBIT);
	assert_int_equal(the_call(&w)->state, CALL_ANSWERED);
	/* One that fits is taken, and one that the other side refuses is given back. */
	say(&w, &a, "INVITE", SDP_A);
	text = expect(&w, B, "INVITE ");
	assert_int_equal(w.calls->loads->side[SIDE_EXTERNAL].kbit, G711_KBIT);
	answer_final(&w, B, text, 488, NULL, NULL);
	ack_refusal(&w, &a, expect(&w, A, "SIP/2.0 488"));
	assert_int_equal(w.calls->loads->side[SIDE_EXTERNAL].kbit, G729_KBIT);
	bye_from(&w, &a, B);
	world_side_keys[SIDE_EXTERNAL] = "";
	world_close(&w);
}

static void an_invite_without_an_offer_reserves_the_configured_figure(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	world_open_with(&w, "limits: {bandwidth: 100, audio_bandwidth: 60}\n");
	invite(&w, &a, "100", NULL);
	expect(&w, B, "INVITE ");
	assert_int_equal(load_of_peer(&w, NULL).kbit, 60);
	invite(&w, &a, "100", NULL);
	expect_refusal(&w, &a, "SIP/2.0 503");
	calls_shutdown(w.calls);
	world_close(&w);
}

static void no_limit_holds_for_emergency_calls(void **state)
{
	struct world w;
	struct ua a, b, sos;
	const char *text;

	(void)state;
	world_peer_keys[A] = ", limits: {calls: 1, calls_per_second: 1, bandwidth: 93}";
	world_peer_keys[B] = world_peer_keys[A];
	world_open_with(&w, "emergency: ['112']\n"
			    "limits: {calls: 1, calls_per_second: 1, bandwidth: 93}\n");
	establish(&w, &a, &b, b_invite, "100");
	for (unsigned i = 0; i < 3; i++) {
		invite(&w, &sos, "112", SDP_A);
		text = expect(&w, B, "INVITE ");
		answer_final(&w, B, text, 486, "b2", NULL);
		expect_refusal(&w, &sos, "SIP/2.0 486");
	}
	assert_int_equal(w.calls->counters.refused_limit, 0);
	invite(&w, &sos, "100", SDP_A);
	expect_refusal(&w, &sos, "SIP/2.0 503");
	bye_from(&w, &a, B);
	world_peer_keys[A] = world_peer_keys[B] = "";
	world_close(&w);
}

static void an_emergency_call_takes_the_place_of_another_at_a_full_trunk(void **state)
{
	static const char *const which[] = {"youngest", "longest"};
	char extra[128];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world w;
		struct ua a[2], b[2], sos;
		const char *text;
		unsigned victim = i == 0 ? 1 : 0;

		world_peer_keys[B] = ", limits: {calls: 2}";
		snprintf(extra, sizeof(extra), "emergency: ['112']\nlimits: {preempt: %s}\n",
			which[i]);
		world_open_with(&w, extra);
		establish(&w, &a[0], &b[0], b_invite, "100");
		establish(&w, &a[1], &b[1], b_invite, "101");
		invite(&w, &sos, "112", SDP_A);
		text = expect(&w, A, "BYE ");
		has(text, "Reason: preemption;cause=5");
		has(text, a[victim].call_id);
		answer(&w, A, text, 200, NULL, NULL);
		text = expect(&w, B, "BYE ");
		has(text, "Reason: preemption;cause=5");
		answer(&w, B, text, 200, NULL, NULL);
		text = expect(&w, B, "INVITE ");
		assert_int_equal(load_of_peer(&w, "b").live, 2);
		assert_int_equal(w.calls->counters.preempted, 1);
		answer_final(&w, B, text, 486, "b9", NULL);
		expect_refusal(&w, &sos, "SIP/2.0 486");
		bye_from(&w, &a[1 - victim], B);
		world_peer_keys[B] = "";
		world_close(&w);
	}
}

/* Of a peer, of a side, of all: one call's place, however many limits it has passed. */
static void an_emergency_call_takes_the_bandwidth_of_another(void **state)
{
	static const struct {
		const char *peer, *side, *all;
	} limits[] = {{", limits: {bandwidth: 93}", "", ""}, {"", ", bandwidth: 93", ""},
		{"", "", ", bandwidth: 93"},
		{", limits: {calls: 1, calls_per_second: 1, bandwidth: 93}", ", bandwidth: 93",
			", calls: 1, bandwidth: 93"}};
	struct ua a, b, sos;
	const char *text;
	char extra[128];
	struct world w;

	(void)state;
	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		world_peer_keys[B] = limits[i].peer;
		world_side_keys[SIDE_EXTERNAL] = limits[i].side;
		snprintf(extra, sizeof(extra),
			"emergency: ['112']\nlimits: {preempt: youngest%s}\n", limits[i].all);
		world_open_with(&w, extra);
		establish(&w, &a, &b, b_invite, "100");
		invite(&w, &sos, "112", SDP_A);
		text = expect(&w, A, "BYE ");
		has(text, "Reason: preemption;cause=5");
		has(text, a.call_id);
		answer(&w, A, text, 200, NULL, NULL);
		text = expect(&w, B, "BYE ");
		answer(&w, B, text, 200, NULL, NULL);
		text = expect(&w, B, "INVITE ");
		assert_int_equal(w.calls->counters.preempted, 1);
		assert_int_equal(load_of_peer(&w, "b").kbit, 93);
		/* What is an emergency itself is not ended. */
		invite(&w, &a, "112", SDP_A);
		copy_text(b_invite, sizeof(b_invite), expect(&w, B, "INVITE "));
		assert_int_equal(w.calls->counters.preempted, 1);
		answer_final(&w, B, b_invite, 486, "b8", NULL);
		expect_refusal(&w, &a, "SIP/2.0 486");
		world_close(&w);
	}
	world_peer_keys[B] = world_side_keys[SIDE_EXTERNAL] = "";
}

static void emergency_calls_do_not_end_each_other(void **state)
{
	struct world w;
	struct ua a, b, sos;
	const char *text;

	(void)state;
	world_peer_keys[B] = ", limits: {calls: 1}";
	world_open_with(&w, "emergency: ['112']\nlimits: {preempt: youngest}\n");
	establish(&w, &a, &b, b_invite, "112");
	invite(&w, &sos, "112", SDP_A);
	text = expect(&w, B, "INVITE ");
	assert_int_equal(w.calls->counters.preempted, 0);
	assert_int_equal(load_of_peer(&w, "b").live, 2);
	answer_final(&w, B, text, 486, "b9", NULL);
	expect_refusal(&w, &sos, "SIP/2.0 486");
	bye_from(&w, &a, B);
	world_peer_keys[B] = "";
	world_close(&w);
}

/* 400 ports of a side are 200 calls: the last one's ports, still warm, go to the emergency call. */
static void an_emergency_call_gets_ports_when_there_are_none(void **state)
{
	struct media_status media;
	struct world w;
	struct ua a, sos;
	unsigned max;
	const char *text;

	(void)state;
	world_open_with(&w, "emergency: ['112']\nlimits: {preempt: youngest}\n");
	media_get_status(calls_media(w.calls), &media);
	max = media.ports_total[SIDE_INTERNAL] / 2;
	for (unsigned i = 0; i < max; i++) {
		invite(&w, &a, "100", SDP_A);
		expect(&w, B, "INVITE ");
	}
	invite(&w, &sos, "112", SDP_A);
	text = expect(&w, A, "SIP/2.0 480"); /* the youngest has no answer yet */
	has(text, "Reason: preemption;cause=5");
	has(text, a.call_id);
	/* Among those that are sent again. */
	for (unsigned i = 0; i < 4 * max; i++) {
		text = receive(&w, B, PATIENCE_MS);
		if (strstr(text, "INVITE sip:112@") == text)
			break;
	}
	has(text, "INVITE sip:112@");
	assert_int_equal(w.calls->counters.preempted, 1);
	calls_shutdown(w.calls);
	world_close(&w);
}

static void one_event_tells_that_a_limit_bites_and_one_that_it_does_no_more(void **state)
{
	struct world w;
	struct ua a, b, more;
	unsigned before;

	(void)state;
	world_open_with(&w, "limits: {calls: 1}\n");
	establish(&w, &a, &b, b_invite, "100");
	before = w.events;
	for (unsigned i = 0; i < 5; i++) {
		invite(&w, &more, "100", SDP_A);
		expect(&w, A, "SIP/2.0 503");
	}
	assert_int_equal(w.events, before + 1);
	has(w.last_event, "limit: all peers: live calls at the limit");
	w.calls->loads->all.bites_until_ms[CALL_LIMIT_LIVE] = 1;
	w.calls->limit_timer.fire(&w.calls->limit_timer);
	assert_int_equal(w.events, before + 2);
	has(w.last_event, "below the limit again, 5 refused");
	assert_null(w.calls->loads->biting);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void what_is_taken_is_counted_anew_by_a_reload(void **state)
{
	struct world w;
	struct ua a, b, more;

	(void)state;
	world_open_with(&w, "");
	establish(&w, &a, &b, b_invite, "100");
	world_peer_keys[B] = ", limits: {calls: 1, bandwidth: 90}";
	world_reload(&w, "");
	assert_int_equal(load_of_peer(&w, "b").live, 1);
	assert_int_equal(load_of_peer(&w, "b").kbit, G711_KBIT);
	invite(&w, &more, "100", SDP_A);
	expect_refusal(&w, &more, "SIP/2.0 503");
	bye_from(&w, &a, B);
	/* There is a place, and no bandwidth. */
	invite(&w, &more, "100", SDP_A);
	expect_refusal(&w, &more, "SIP/2.0 503");
	assert_int_equal(w.calls->counters.limited_live, 1);
	assert_int_equal(w.calls->counters.limited_bandwidth, 1);
	world_peer_keys[B] = "";
	world_close(&w);
}

static void calls_a_second_are_limited(void **state)
{
	unsigned refused = 0;
	struct world w;
	struct ua a;

	(void)state;
	world_open_with(&w, "limits: {calls_per_second: 3}\n");
	for (unsigned i = 0; i < 6; i++) {
		invite(&w, &a, "999999", "v=nonsense\r\n");
		refused += strncmp(receive(&w, A, PATIENCE_MS), "SIP/2.0 503", 11) == 0;
	}
	assert_in_range(refused, 2, 3); /* a second may begin in between */
	world_close(&w);
}

static void requests_under_way_in_a_call_are_bounded(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	/* One is the INVITE's, which listens for more 2xx. */
	for (unsigned i = 1; i < CALL_EXCHANGES_MAX; i++) {
		say(&w, &a, "INFO", NULL);
		expect(&w, B, "INFO ");
	}
	say(&w, &b, "INFO", NULL);
	has(expect(&w, B, "SIP/2.0 500"), "Retry-After: ");
	hang_up(&w, &b);
	for (unsigned i = 1; i < CALL_EXCHANGES_MAX; i++)
		expect(&w, A, "SIP/2.0 481");
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void without_ports_a_call_is_refused_and_the_next_peer_helps_nothing(void **state)
{
	struct media_status media;
	struct world w;
	struct ua a;
	unsigned i, max;

	(void)state;
	world_open(&w);
	media_get_status(calls_media(w.calls), &media);
	max = media.ports_total[SIDE_INTERNAL] / 2;
	for (i = 0; i < max; i++) {
		invite(&w, &a, "100", SDP_A);
		expect(&w, B, "INVITE ");
	}
	invite(&w, &a, "200", SDP_A);
	has(expect(&w, A, "SIP/2.0 503"), "Retry-After: ");
	assert_in_range(w.calls->counters.refused_ports, 1, 2);
	calls_shutdown(w.calls);
	world_close(&w);
}

/* Calls made and broken in every way, one after the other, leave what they found. */
static void nothing_is_left_of_calls_without_number(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open_with(&w, "timers: {port_quarantine: 0}\n");
	for (unsigned i = 0; i < ROUNDS; i++) {
		switch (i % 4) {
		case 0:
			establish(&w, &a, &b, b_invite, "100");
			bye_from(&w, i % 8 ? &a : &b, i % 8 ? B : A);
			break;
		case 1:
			invite(&w, &a, "200", SDP_A);
			answer_final(&w, B, expect(&w, B, "INVITE "), 503, "b1", NULL);
			answer_final(&w, C, expect(&w, C, "INVITE "), 486, "c1", NULL);
			expect_refusal(&w, &a, "SIP/2.0 486");
			break;
		case 2:
			invite(&w, &a, "100", i % 8 ? SDP_A : NULL);
			copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
			answer(&w, B, b_invite, 183, "b1", SDP_B);
			expect(&w, A, "SIP/2.0 183");
			cancel(&w, &a);
			expect(&w, A, "SIP/2.0 200");
			expect_refusal(&w, &a, "SIP/2.0 487");
			expect(&w, B, "CANCEL ");
			answer_final(&w, B, b_invite, 487, "b1", NULL);
			break;
		default:
			establish(&w, &a, &b, b_invite, "100");
			say(&w, &a, "INVITE", SDP_HOLD);
			expect(&w, B, "INVITE ");
			call_hangup(the_call(&w), "Enough");
			expect(&w, A, "SIP/2.0 487");
			answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
			answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
		}
		if (i % 20 == 19)
			world_is_empty(&w);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_beyond_the_limit_get_503_until_one_ends),
		cmocka_unit_test(calls_that_only_end_are_bounded_too),
		cmocka_unit_test(
			a_peer_at_its_limit_is_left_out_and_its_own_code_is_heard_when_none_is_left),
		cmocka_unit_test(a_peer_s_own_calls_count_for_its_limit),
		cmocka_unit_test(a_burst_is_taken_at_once_and_then_the_rate_holds),
		cmocka_unit_test(
			bandwidth_is_taken_from_the_offer_and_given_back_however_a_call_ends),
		cmocka_unit_test(the_answer_decides_what_the_offer_reserved),
		cmocka_unit_test(an_invite_without_an_offer_reserves_the_configured_figure),
		cmocka_unit_test(no_limit_holds_for_emergency_calls),
		cmocka_unit_test(an_emergency_call_takes_the_place_of_another_at_a_full_trunk),
		cmocka_unit_test(an_emergency_call_takes_the_bandwidth_of_another),
		cmocka_unit_test(emergency_calls_do_not_end_each_other),
		cmocka_unit_test(an_emergency_call_gets_ports_when_there_are_none),
		cmocka_unit_test(one_event_tells_that_a_limit_bites_and_one_that_it_does_no_more),
		cmocka_unit_test(what_is_taken_is_counted_anew_by_a_reload),
		cmocka_unit_test(calls_a_second_are_limited),
		cmocka_unit_test(requests_under_way_in_a_call_are_bounded),
		cmocka_unit_test(without_ports_a_call_is_refused_and_the_next_peer_helps_nothing),
		cmocka_unit_test(nothing_is_left_of_calls_without_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
