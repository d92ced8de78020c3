/* SPDX-License-Identifier: BSD-2-Clause */
/* Which silence ends a call, by a clock of the test's own. */
#include "media/watchdog.h"
#include "test_media_room.h"

static void seen(struct test_room *r, enum leg leg, enum component component, uint64_t ms_ago)
{
	struct dataplane_stats stats = {.packets = 1, .last_seen_ms_ago = ms_ago};

	dataplane_null_set_stats(
		media_dataplane(r->m), r->s->stream[0]->flow[leg][component], &stats);
}

/* Lets time pass, and the whole table be looked at. */
static void pass(struct test_room *r, uint64_t ms)
{
	test_now_ms += ms;
	for (unsigned i = 0; i < WATCHDOG_PERIOD_MS / WATCHDOG_TICK_MS; i++)
		watchdog_tick(r->m);
}

static void call_between(struct test_room *r, const char *a_direction, const char *b_direction)
{
	char a[512], b[512];

	test_room_open(r);
	snprintf(a, sizeof(a), SDP_AUDIO_A "%s", a_direction);
	snprintf(b, sizeof(b), SDP_AUDIO_B "%s", b_direction);
	test_offer(r, LEG_A, a, NULL);
	test_answer(r, LEG_B, b, true, NULL);
	media_session_start(r->s);
}

static void silence_ends_an_active_call_once(void **state)
{
	struct test_room r;

	(void)state;
	call_between(&r, "", "");
	pass(&r, 29000);
	assert_int_equal(r.timeouts, 0);
	seen(&r, LEG_A, COMPONENT_RTP, 10);
	pass(&r, 1000);
	assert_int_equal(r.timeouts, 1);
	assert_int_equal(r.timeout_leg, LEG_B);
	assert_false(r.timeout_held);
	pass(&r, 100000);
	assert_int_equal(r.timeouts, 1);
	test_room_close(&r);
}

static void rtcp_alone_keeps_a_call(void **state)
{
	struct test_room r;

	(void)state;
	call_between(&r, "", "");
	seen(&r, LEG_A, COMPONENT_RTP, 50000);
	seen(&r, LEG_A, COMPONENT_RTCP, 4000);
	seen(&r, LEG_B, COMPONENT_RTCP, 4000);
	pass(&r, 60000);
	assert_int_equal(r.timeouts, 0);
	seen(&r, LEG_B, COMPONENT_RTCP, 30000);
	pass(&r, 0);
	assert_int_equal(r.timeouts, 1);
	test_room_close(&r);
}

static void unanswered_call_is_not_watched(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, false, NULL);
	pass(&r, 1000000);
	assert_int_equal(r.timeouts, 0);
	test_room_close(&r);
}

static void leg_that_sends_nothing_has_the_time_of_held_calls(void **state)
{
	struct test_room r;

	(void)state;
	call_between(&r, "a=sendonly\r\n", "a=recvonly\r\n");
	seen(&r, LEG_A, COMPONENT_RTP, 20);
	pass(&r, 119000);
	assert_int_equal(r.timeouts, 0);
	pass(&r, 1000);
	assert_int_equal(r.timeouts, 1);
	assert_int_equal(r.timeout_leg, LEG_B);
	assert_true(r.timeout_held);
	test_room_close(&r);
}

static void timeout_of_zero_is_never(void **state)
{
	struct test_room r;

	(void)state;
	call_between(&r, "a=inactive\r\n", "a=inactive\r\n");
	r.a.rtp_timeout_held_s = r.b.rtp_timeout_held_s = 0;
	pass(&r, 100000000);
	assert_int_equal(r.timeouts, 0);
	test_room_close(&r);
}

static void resume_starts_the_time_anew(void **state)
{
	struct test_room r;

	(void)state;
	call_between(&r, "a=inactive\r\n", "a=inactive\r\n");
	pass(&r, 100000);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	pass(&r, 29000);
	assert_int_equal(r.timeouts, 0);
	pass(&r, 1000);
	assert_int_equal(r.timeouts, 1);
	test_room_close(&r);
}

static void fax_counts_the_packets_of_either_leg(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_HEAD("10.0.0.5") "m=image 4000 udptl t38\r\n", NULL);
	test_answer(&r, LEG_B, SDP_HEAD("198.51.100.9") "m=image 6000 udptl t38\r\n", true, NULL);
	media_session_start(r.s);
	seen(&r, LEG_A, COMPONENT_RTP, 100);
	pass(&r, 100000);
	assert_int_equal(r.timeouts, 0);
	seen(&r, LEG_A, COMPONENT_RTP, 30000);
	pass(&r, 0);
	assert_int_equal(r.timeouts, 1);
	test_room_close(&r);
}

/* Else a peer could leave such calls behind until the limit of live calls is full of them. */
static void call_without_a_stream_counts_as_held(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	media_session_start(r.s);
	pass(&r, 119000);
	assert_int_equal(r.timeouts, 0);
	pass(&r, 1000);
	assert_int_equal(r.timeouts, 1);
	assert_true(r.timeout_held);
	test_room_close(&r);
}

static void free_in_handler(void *ctx, void *owner, enum leg leg, unsigned seconds, bool held)
{
	struct test_room *r = ctx;

	(void)owner;
	(void)leg;
	(void)seconds;
	(void)held;
	media_session_free(r->s);
	r->s = NULL;
	r->timeouts++;
}

static void handler_may_free_the_session(void **state)
{
	struct test_room r;

	(void)state;
	call_between(&r, "", "");
	r.m->handlers.timeout = free_in_handler;
	pass(&r, 30000);
	assert_int_equal(r.timeouts, 1);
	test_room_close(&r);
}

static void every_session_is_seen_in_a_period_in_even_slices(void **state)
{
	struct test_room r;
	struct media_session *s[1000];
	unsigned most = 0, last = 0;

	(void)state;
	test_room_config(&r);
	for (unsigned i = 0; i < SIDE_COUNT; i++)
		r.cfg.side[i].media_port_max = 29999;
	r.cfg.calls_max = 1001;
	test_room_start(&r);
	for (unsigned i = 0; i < 1000; i++) {
		struct media_session *first = r.s;

		assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &s[i]), 0);
		r.s = s[i];
		test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
		test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
		media_session_start(s[i]);
		r.s = first;
	}
	test_now_ms += 30000;
	for (unsigned i = 0; i < WATCHDOG_PERIOD_MS / WATCHDOG_TICK_MS; i++) {
		watchdog_tick(r.m);
		if (r.timeouts - last > most)
			most = r.timeouts - last;
		last = r.timeouts;
	}
	assert_int_equal(r.timeouts, 1000);
	assert_true(most <= 1024 / (WATCHDOG_PERIOD_MS / WATCHDOG_TICK_MS) + 1);
	for (unsigned i = 0; i < 1000; i++)
		media_session_free(s[i]);
	test_room_close(&r);
}

static void the_loop_drives_it(void **state)
{
	struct test_room r;

	(void)state;
	call_between(&r, "", "");
	test_now_ms += 30000;
	for (unsigned i = 0; i < 200 && !r.timeouts; i++)
		loop_once(r.loop, 100);
	assert_int_equal(r.timeouts, 1);
	test_room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_ends_an_active_call_once),
		cmocka_unit_test(rtcp_alone_keeps_a_call),
		cmocka_unit_test(unanswered_call_is_not_watched),
		cmocka_unit_test(leg_that_sends_nothing_has_the_time_of_held_calls),
		cmocka_unit_test(timeout_of_zero_is_never),
		cmocka_unit_test(resume_starts_the_time_anew),
		cmocka_unit_test(fax_counts_the_packets_of_either_leg),
		cmocka_unit_test(call_without_a_stream_counts_as_held),
		cmocka_unit_test(handler_may_free_the_session),
		cmocka_unit_test(every_session_is_seen_in_a_period_in_even_slices),
		cmocka_unit_test(the_loop_drives_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
