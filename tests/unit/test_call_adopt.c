/* SPDX-License-Identifier: BSD-2-Clause */
/* Answered calls that one daemon leaves and the next takes up. */
#include "store/message.h"
#include "test_call_restart.h"

static char b_invite[TEXT_MAX], request[TEXT_MAX], led_back[TEXT_MAX];

static void begin(struct relay *r, struct ua *a, struct ua *b)
{
	relay_open(r);
	establish(&r->w, a, b, b_invite, "100");
}

static unsigned cseq_of(const char *text)
{
	return (unsigned)strtoul(header(text, "CSeq"), NULL, 10);
}

/* The number after o='s session id. */
static unsigned long version_of(const char *text)
{
	unsigned long version = 0;
	const char *s = strstr(body(text), "o=");

	assert_non_null(s);
	assert_int_equal(sscanf(s, "o=%*s %*s %lu", &version), 1);
	return version;
}

static void end_from(struct relay *r, struct ua *from, enum who other)
{
	bye_from(&r->w, from, other);
	run_ms(&r->w, 1);
	assert_int_equal(r->told.count, 1);
	assert_string_equal(r->told.ended_by, from->who == A ? "a" : "b");
}

static void a_call_goes_on_and_either_leg_ends_it(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	for (unsigned by = 0; by < 2; by++) {
		struct told before;
		uint64_t id;

		begin(&r, &a, &b);
		id = the_call(&r.w)->id;
		restart(&r);
		before = r.told;
		assert_int_equal(before.count, 0);
		assert_int_equal(adoption(&r).adopted, 1);
		assert_int_equal(adoption(&r).ended + adoption(&r).lost, 0);
		assert_int_equal(call_next(r.w.calls, 0)->id, id);
		assert_int_equal(r.w.calls->live, 1);
		assert_int_equal(live_calls_of(&r.w, "a"), 1);
		assert_int_equal(live_calls_of(&r.w, "b"), 1);
		end_from(&r, by == 0 ? &a : &b, by == 0 ? B : A);
		assert_int_equal(r.told.id, id);
		relay_close(&r);
	}
}

static void our_requests_go_on_far_behind_their_last_cseq(void **state)
{
	struct relay r;
	struct ua a, b;
	unsigned before;

	(void)state;
	begin(&r, &a, &b);
	before = cseq_of(b_invite);
	restart(&r);
	say(&r.w, &a, "INFO", NULL);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INFO "));
	assert_true(cseq_of(request) >= before + 100);
	answer(&r.w, B, request, 200, NULL, NULL);
	expect(&r.w, A, "SIP/2.0 200");
	restart(&r);
	end_from(&r, &a, B);
	relay_close(&r);
}

struct kept {
	void *value;
	size_t len;
};

static int keep_value(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	struct kept *kept = ctx;

	(void)key;
	kept->value = malloc(len);
	assert_non_null(kept->value);
	memcpy(kept->value, value, len);
	kept->len = len;
	return 0;
}

/* Of many calls the journal has no room for what their adoption changes: a kill soon after it finds
 * them as the first daemon wrote them. */
static void a_second_kill_that_finds_what_the_first_found_uses_no_cseq_again(void **state)
{
	struct kept kept = {0};
	struct relay r;
	struct ua a, b;
	unsigned before;
	uint64_t id;

	(void)state;
	begin(&r, &a, &b);
	id = the_call(&r.w)->id;
	assert_int_equal(stored(&r), 1);
	assert_int_equal(store_load(r.store, STORE_CALL, keep_value, &kept), 0);
	die(&r);
	come_back(&r);
	say(&r.w, &a, "INFO", NULL);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INFO "));
	before = cseq_of(request);
	answer(&r.w, B, request, 200, NULL, NULL);
	expect(&r.w, A, "SIP/2.0 200");
	run_ms(&r.w, 2);
	store_put(r.store, STORE_CALL, STORE_NUMBER(id), kept.value, kept.len);
	die(&r);
	come_back(&r);
	assert_int_equal(adoption(&r).adopted, 1);
	hang_up(&r.w, &a);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "BYE "));
	assert_true(cseq_of(request) > before);
	answer(&r.w, B, request, 200, NULL, NULL);
	relay_close(&r);
}

static void its_record_tells_all_of_it_once(void **state)
{
	uint64_t setup, answered;
	struct relay r;
	struct ua a, b;

	(void)state;
	begin(&r, &a, &b);
	setup = the_call(&r.w)->history.setup_ms;
	answered = the_call(&r.w)->history.answer_ms;
	for (unsigned i = 0; i < 3; i++)
		restart(&r);
	end_from(&r, &b, A);
	assert_int_equal(r.told.code, 200);
	assert_int_equal(r.told.attempts, 1);
	assert_int_equal(r.told.setup_ms, setup);
	assert_int_equal(r.told.answer_ms, answered);
	assert_true(r.told.end_ms >= answered);
	assert_string_equal(r.told.from, "1000");
	assert_string_equal(r.told.to, "100");
	relay_close(&r);
}

static void change_of(struct relay *r, struct ua *from, enum who other, const char *sdp)
{
	unsigned cseq;

	say(&r->w, from, "INVITE", sdp);
	cseq = from->cseq;
	copy_text(request, TEXT_MAX, expect(&r->w, other, "INVITE "));
	answer(&r->w, other, request, 200, NULL, other == A ? SDP_A : SDP_B);
	expect(&r->w, other, "ACK ");
	expect(&r->w, from->who, "SIP/2.0 200");
	ack(&r->w, from, cseq, NULL);
}

static void either_leg_changes_its_media_and_the_version_goes_on(void **state)
{
	unsigned long before;
	struct relay r;
	struct ua a, b;

	(void)state;
	begin(&r, &a, &b);
	before = version_of(b_invite);
	restart(&r);
	change_of(&r, &a, B, SDP_HOLD);
	assert_true(version_of(request) == before + 1);
	assert_true(call_next(r.w.calls, 0)->held);
	restart(&r);
	assert_true(call_next(r.w.calls, 0)->held);
	change_of(&r, &a, B, SDP_A);
	assert_true(version_of(request) == before + 2);
	assert_false(call_next(r.w.calls, 0)->held);
	change_of(&r, &b, A, SDP("5002", ""));
	restart(&r);
	end_from(&r, &a, B);
	relay_close(&r);
}

static void ids_go_on(void **state)
{
	struct relay r;
	struct ua a, b, a2, b2;
	uint64_t first, second;

	(void)state;
	begin(&r, &a, &b);
	first = the_call(&r.w)->id;
	establish(&r.w, &a2, &b2, b_invite, "100");
	second = the_call(&r.w)->id;
	bye_from(&r.w, &a2, B);
	restart(&r);
	assert_int_equal(call_next(r.w.calls, 0)->id, first);
	establish(&r.w, &a2, &b2, b_invite, "100");
	assert_true(the_call(&r.w)->id > second);
	bye_from(&r.w, &a2, B);
	bye_from(&r.w, &b, A);
	relay_close(&r);
}

static void what_has_ended_is_not_in_the_store(void **state)
{
	struct relay r;
	struct ua a, b;
	uint64_t empty;

	(void)state;
	begin(&r, &a, &b);
	run_ms(&r.w, 20);
	empty = stored(&r) - 1;
	end_from(&r, &a, B);
	world_is_empty(&r.w);
	assert_int_equal(stored(&r), empty);
	restart(&r);
	assert_int_equal(adoption(&r).adopted, 0);
	assert_int_equal(calls_count(r.w.calls), 0);
	relay_close(&r);
}

static void a_refresh_is_answered_and_the_session_ends_when_none_comes(void **state)
{
	static const char timer[] = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n";
	struct session_timer *st;
	struct relay r;
	struct ua a, b;
	uint64_t since;

	(void)state;
	relay_open(&r);
	invite_with(&r.w, &a, "100", timer, SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r.w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer(&r.w, B, b_invite, 200, "b1", SDP_B);
	expect(&r.w, B, "ACK ");
	copy_text(request, TEXT_MAX, expect(&r.w, A, "SIP/2.0 200"));
	has(request, "Session-Expires: 90;refresher=uac");
	learn(&a, request);
	ack(&r.w, &a, 1, NULL);
	since = call_next(r.w.calls, 0)->session_timer[LEG_A].since_ms;
	restart(&r);
	st = &call_next(r.w.calls, 0)->session_timer[LEG_A];
	assert_true(st->active);
	assert_false(st->we_refresh);
	assert_int_equal(st->interval_s, 90);
	assert_int_equal(st->since_ms, since);
	say_with(&r.w, &a, "UPDATE", 0, new_branch(), timer, NULL);
	has(expect(&r.w, A, "SIP/2.0 200"), "Session-Expires: 90");
	expect_nothing(&r.w, B);
	assert_true(st->since_ms >= since);
	restart(&r);
	st = &call_next(r.w.calls, 0)->session_timer[LEG_A];
	st->since_ms -= 90000;
	assert_int_equal(loop_timer_start(r.w.loop, &st->timer, 0), 0);
	answer(&r.w, A, expect(&r.w, A, "BYE "), 200, NULL, NULL);
	answer(&r.w, B, expect(&r.w, B, "BYE "), 200, NULL, NULL);
	assert_int_equal(r.told.count, 1);
	assert_string_equal(r.told.ended_by, "viaduct");
	relay_close(&r);
}

/* A's re-INVITE has gone on to B: the next daemon refuses it to A. */
static void restart_in_a_change(struct relay *r, struct ua *a, struct ua *b)
{
	begin(r, a, b);
	say(&r->w, a, "INVITE", SDP_HOLD);
	copy_text(request, TEXT_MAX, expect(&r->w, B, "INVITE "));
	restart_at_once(r);
	ack_refusal(&r->w, a, expect(&r->w, A, "SIP/2.0 500"));
}

/* The old daemon's INVITE is answered to the new one, which has no such transaction. */
static void a_2xx_to_a_change_under_way_is_acknowledged_and_the_leg_led_back(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	restart_in_a_change(&r, &a, &b);
	assert_false(media_offer_pending(call_media(call_next(r.w.calls, 0))));
	answer(&r.w, B, request, 200, NULL, SDP_B);
	assert_int_equal(cseq_of(expect(&r.w, B, "ACK ")), cseq_of(request));
	copy_text(led_back, TEXT_MAX, expect(&r.w, B, "INVITE "));
	has_not(body(led_back), "a=sendonly");
	answer(&r.w, B, request, 200, NULL, SDP_B);
	assert_int_equal(cseq_of(expect(&r.w, B, "ACK ")), cseq_of(request));
	answer(&r.w, B, led_back, 200, NULL, SDP_B);
	assert_int_equal(cseq_of(expect(&r.w, B, "ACK ")), cseq_of(led_back));
	expect_nothing(&r.w, B);
	end_from(&r, &a, B);
	relay_close(&r);
}

static void a_leg_that_is_led_back_is_so_by_the_next_daemon_too(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	restart_in_a_change(&r, &a, &b);
	answer(&r.w, B, request, 200, NULL, SDP_B);
	expect(&r.w, B, "ACK ");
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	die(&r);
	come_back(&r);
	copy_text(led_back, TEXT_MAX, expect(&r.w, B, "INVITE "));
	assert_true(cseq_of(led_back) > cseq_of(request));
	has_not(body(led_back), "a=sendonly");
	answer(&r.w, B, led_back, 200, NULL, SDP_B);
	expect(&r.w, B, "ACK ");
	run_ms(&r.w, 2);
	die(&r);
	come_back(&r);
	expect_nothing(&r.w, B);
	end_from(&r, &a, B);
	relay_close(&r);
}

/* The callee hears its INVITE again as it was: a retransmission to it. */
static void ring(struct relay *r, struct ua *a)
{
	relay_open(r);
	invite(&r->w, a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r->w, B, "INVITE "));
	answer(&r->w, B, b_invite, 180, "b1", NULL);
	expect(&r->w, A, "SIP/2.0 180");
	restart(r);
	assert_int_equal(adoption(r).adopted, 1);
	answer(&r->w, B, b_invite, 180, "b1", NULL);
}

static void a_call_that_rings_is_answered_after_a_restart(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	ring(&r, &a);
	answer(&r.w, B, b_invite, 200, "b1", SDP_B);
	assert_int_equal(cseq_of(expect(&r.w, B, "ACK ")), cseq_of(b_invite));
	expect_answer(&r.w, &a, 1);
	assert_int_equal(the_call(&r.w)->state, CALL_ANSWERED);
	end_from(&r, &a, B);
	relay_close(&r);
}

static void a_call_that_rings_is_cancelled_after_a_restart(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	ring(&r, &a);
	cancel(&r.w, &a);
	expect(&r.w, A, "SIP/2.0 200");
	answer(&r.w, B, expect(&r.w, B, "CANCEL "), 200, NULL, NULL);
	answer(&r.w, B, b_invite, 487, "b1", NULL);
	ack_refusal(&r.w, &a, expect(&r.w, A, "SIP/2.0 487"));
	expect(&r.w, B, "ACK ");
	assert_int_equal(r.told.count, 1);
	relay_close(&r);
}

/* A peer's time to answer begins when it is asked again. */
static void a_start_that_takes_long_takes_no_time_of_the_peers(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	relay_open(&r);
	invite(&r.w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r.w, B, "INVITE "));
	r.loading_ms = (r.w.cfg->attempt_timeout_s + 1) * 1000;
	restart_at_once(&r);
	expect_nothing(&r.w, A);
	answer(&r.w, B, b_invite, 200, "b1", SDP_B);
	expect(&r.w, B, "ACK ");
	expect_answer(&r.w, &a, 1);
	end_from(&r, &a, B);
	relay_close(&r);
}

/* RFC 4028 6: what B has insisted on, and what it was asked, outlive the daemon. */
static void a_422_after_a_restart_is_asked_again_for_longer(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	relay_open(&r);
	r.w.cfg->peer[B].session.timer = SESSION_TIMER_REQUEST;
	r.w.cfg->peer[B].session.interval_s = 100;
	invite(&r.w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r.w, B, "INVITE "));
	answer(&r.w, B, b_invite, 180, "b1", NULL);
	expect(&r.w, A, "SIP/2.0 180");
	restart_at_once(&r);
	answer_with(&r.w, B, b_invite, 422, "b1", "Min-SE: 300\r\n", NULL);
	expect(&r.w, B, "ACK ");
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	has(request, "Session-Expires: 300\r\n");
	assert_true(cseq_of(request) > cseq_of(b_invite));
	answer(&r.w, B, request, 180, "b2", NULL);
	expect(&r.w, A, "SIP/2.0 180");
	restart_at_once(&r);
	run_ms(&r.w, 2);
	forget_what_came(&r, A);
	/* One that does not go up is the last word. */
	answer_with(&r.w, B, request, 422, "b2", "Min-SE: 200\r\n", NULL);
	expect(&r.w, B, "ACK ");
	expect_refusal(&r.w, &a, "SIP/2.0 500");
	relay_close(&r);
}

/* What is written is no message, or one that says nothing: it costs itself alone. */
static void a_record_that_makes_no_sense_costs_itself_alone(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	begin(&r, &a, &b);
	run_ms(&r.w, 20);
	store_put(r.store, STORE_CALL, STORE_NUMBER(77001), strdup("nonsense"), 8);
	store_put(r.store, STORE_CALL, STORE_NUMBER(77002), calloc(1, 1), 0);
	store_put(r.store, STORE_CALL, STORE_NAME("what"), strdup("x"), 1);
	restart(&r);
	assert_int_equal(adoption(&r).adopted, 1);
	assert_int_equal(adoption(&r).lost, 2);
	end_from(&r, &a, B);
	restart(&r);
	assert_int_equal(adoption(&r).lost, 0);
	relay_close(&r);
}

/* The store may not know yet, or half of it. */
static void a_kill_when_a_call_has_just_ended_leaves_it_one_record(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	for (unsigned ms = 0; ms < 40; ms += 4) {
		begin(&r, &a, &b);
		assert_int_equal(stored(&r), 1);
		hang_up(&r.w, &a);
		run_ms(&r.w, ms);
		assert_int_equal(r.told.count, 1);
		die(&r);
		come_back(&r);
		assert_int_equal(r.w.calls->live, 0);
		answer(&r.w, B, expect(&r.w, B, "BYE "), 200, NULL, NULL);
		world_is_empty(&r.w);
		assert_int_equal(r.told.count, 1);
		forget_what_came(&r, A);
		relay_close(&r);
	}
}

static void a_kill_when_a_call_was_just_refused_leaves_it_one_record(void **state)
{
	struct relay r;
	struct ua a;

	(void)state;
	for (unsigned ms = 0; ms < 40; ms += 8) {
		relay_open(&r);
		invite(&r.w, &a, "100", SDP_A);
		copy_text(b_invite, TEXT_MAX, expect(&r.w, B, "INVITE "));
		answer(&r.w, B, b_invite, 180, "b1", NULL);
		expect(&r.w, A, "SIP/2.0 180");
		assert_int_equal(stored(&r), 1);
		answer(&r.w, B, b_invite, 486, "b1", NULL);
		ack_refusal(&r.w, &a, expect(&r.w, A, "SIP/2.0 486"));
		run_ms(&r.w, ms);
		die(&r);
		come_back(&r);
		world_is_empty(&r.w);
		assert_int_equal(r.told.count, 1);
		relay_close(&r);
	}
}

static void killed(struct relay *r, enum call_state state)
{
	die(r);
	forget_what_came(r, A);
	forget_what_came(r, B);
	come_back(r);
	assert_int_equal(adoption(r).adopted, 1);
	assert_int_equal(call_next(r->w.calls, 0)->state, state);
}

/* Nothing is waited for. */
static void a_kill_right_after_a_peer_was_told_leaves_the_call_as_it_was_told(void **state)
{
	struct relay r;
	struct ua a, b;

	(void)state;
	relay_open(&r);
	invite(&r.w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&r.w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	killed(&r, CALL_SETUP);
	answer(&r.w, B, b_invite, 180, "b1", NULL);
	expect(&r.w, A, "SIP/2.0 180");
	killed(&r, CALL_RINGING);
	answer_final(&r.w, B, b_invite, 200, "b1", SDP_B);
	learn(&a, expect(&r.w, A, "SIP/2.0 200"));
	killed(&r, CALL_ANSWERED);
	ack(&r.w, &a, 1, NULL);
	run_ms(&r.w, 2);
	forget_what_came(&r, A);
	hang_up(&r.w, &b);
	die(&r);
	forget_what_came(&r, A);
	come_back(&r);
	assert_int_equal(r.w.calls->live, 0);
	answer(&r.w, A, expect(&r.w, A, "BYE "), 200, NULL, NULL);
	world_is_empty(&r.w);
	assert_int_equal(r.told.count, 1);
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_goes_on_and_either_leg_ends_it),
		cmocka_unit_test(our_requests_go_on_far_behind_their_last_cseq),
		cmocka_unit_test(a_second_kill_that_finds_what_the_first_found_uses_no_cseq_again),
		cmocka_unit_test(its_record_tells_all_of_it_once),
		cmocka_unit_test(either_leg_changes_its_media_and_the_version_goes_on),
		cmocka_unit_test(ids_go_on),
		cmocka_unit_test(what_has_ended_is_not_in_the_store),
		cmocka_unit_test(a_refresh_is_answered_and_the_session_ends_when_none_comes),
		cmocka_unit_test(a_2xx_to_a_change_under_way_is_acknowledged_and_the_leg_led_back),
		cmocka_unit_test(a_leg_that_is_led_back_is_so_by_the_next_daemon_too),
		cmocka_unit_test(a_call_that_rings_is_answered_after_a_restart),
		cmocka_unit_test(a_call_that_rings_is_cancelled_after_a_restart),
		cmocka_unit_test(a_start_that_takes_long_takes_no_time_of_the_peers),
		cmocka_unit_test(a_422_after_a_restart_is_asked_again_for_longer),
		cmocka_unit_test(a_kill_when_a_call_has_just_ended_leaves_it_one_record),
		cmocka_unit_test(a_kill_when_a_call_was_just_refused_leaves_it_one_record),
		cmocka_unit_test(a_kill_right_after_a_peer_was_told_leaves_the_call_as_it_was_told),
		cmocka_unit_test(a_record_that_makes_no_sense_costs_itself_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
