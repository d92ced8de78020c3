/* SPDX-License-Identifier: BSD-2-Clause */
/* Thousands of sessions, and failure at every step: ports, flows and memory end where they began.
 */
#include <errno.h>
#include <malloc.h>

#include "test_media_room.h"

#ifndef __SANITIZE_ADDRESS__
#include "failing_memory.h"

/* Allocation fails for once when the countdown reaches 0 (-1: never). Under AddressSanitizer, which
 * has these functions for itself, that test is skipped and the leak checker does its work. */
static long fail_after = -1;

static int memory_fails(const void *caller)
{
	(void)caller;
	return fail_after >= 0 && fail_after-- == 0;
}
#endif

static const char offer_two[] =
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n"
			     "m=video 4002 RTP/AVP 31\r\n";
static const char answer_two[] =
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/8000\r\n"
				 "m=video 6002 RTP/AVP 31\r\n";

/* One call's life, as far as it gets; how varies with the turn. 0 or what went wrong. */
static int one_call(struct test_room *r, unsigned turn)
{
	int ret = media_session_new(r->m, r, &r->a, &r->b, &r->s);

	if (ret)
		return ret;
	ret = test_try_offer(r, LEG_A, offer_two);
	if (ret || turn % 7 == 0)
		goto out; /* cancelled before an answer */
	if (turn % 3 == 0)
		ret = test_try_answer(r, LEG_B, answer_two, false);
	if (!ret && turn % 6 == 0) {
		ret = media_session_set_peer(r->s, LEG_B, &r->c);
		if (!ret)
			ret = test_try_offer(r, LEG_A, offer_two);
	}
	if (!ret)
		ret = test_try_answer(r, LEG_B, answer_two, true);
	if (ret)
		goto out;
	media_session_start(r->s);
	ret = test_try_offer(r, LEG_B, SDP_AUDIO_B);
	if (!ret && turn % 5 == 0)
		media_offer_failed(r->s);
	else if (!ret)
		ret = test_try_answer(r, LEG_A, SDP_AUDIO_A, true);
	if (!ret && turn % 11 == 0)
		test_try_offer(r, LEG_A, offer_two); /* and gone while it is pending */
out:
	media_session_free(r->s);
	r->s = NULL;
	return ret;
}

#define AT_HAND_BYTES 8192

static void nothing_is_left_after_ten_thousand_calls(void **state)
{
	struct test_room r;
	struct media_status st;
	size_t before = 0;

	(void)state;
	test_room_open(&r);
	media_session_free(r.s);
	r.s = NULL;
	for (unsigned i = 0; i < 11000; i++) {
		test_now_ms += 500;
		if (i == 1000)
			before = mallinfo2().uordblks;
		assert_int_equal(one_call(&r, i), 0);
	}
	/* What malloc keeps at hand counts as used; a leak in every call would be far more. */
	assert_true(mallinfo2().uordblks <= before + AT_HAND_BYTES);
	test_now_ms += 5000;
	media_get_status(r.m, &st);
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		assert_int_equal(st.ports_used[side], 0);
		assert_int_equal(st.ports_quarantined[side], 0);
	}
	assert_int_equal(test_flow_count(&r), 0);
	assert_int_equal(r.m->started_count, 0);
	test_room_close(&r);
}

static void exhausted_ports_refuse_the_next_call_and_leak_nothing(void **state)
{
	struct test_room r;
	struct media_session *s[64];
	struct media_status st;
	unsigned n = 0;
	int ret = 0;

	(void)state;
	test_room_config(&r);
	r.cfg.side[SIDE_EXTERNAL].media_port_max = 20019; /* ten pairs; inside there are more */
	test_room_start(&r);
	media_session_free(r.s);
	while (n < 64) {
		assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &r.s), 0);
		s[n++] = r.s;
		ret = test_try_offer(&r, LEG_A, offer_two);
		if (ret)
			break;
	}
	assert_int_equal(ret, -ENOSPC);
	assert_int_equal(n, 6);
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_used[SIDE_INTERNAL], st.ports_used[SIDE_EXTERNAL]);
	/* One stream more is too many for a call that stands; it keeps what it has. */
	r.s = s[0];
	test_answer(&r, LEG_B, answer_two, true, NULL);
	assert_int_equal(test_try_offer(&r, LEG_A,
				 SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\n"
						      "m=video 4002 RTP/AVP 31\r\n"
						      "m=video 4004 RTP/AVP 31\r\n"),
		-ENOSPC);
	assert_int_equal(test_flow_count(&r), 8);
	for (unsigned i = 0; i < n; i++)
		media_session_free(s[i]);
	r.s = NULL;
	test_room_close(&r);
}

static void flows_are_reserved_before_setup(void **state)
{
	struct test_room r;
	struct media_session *s[200];
	unsigned n = 0;
	int ret = 0;

	(void)state;
	test_room_config(&r);
	r.cfg.calls_max = 1;
	test_room_start(&r);
	media_session_free(r.s);
	while (n < 200 && !ret) {
		assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &r.s), 0);
		s[n++] = r.s;
		ret = test_try_offer(&r, LEG_A, SDP_AUDIO_A);
	}
	assert_int_equal(ret, -ENOSPC);
	assert_int_equal(n - 1, r.m->flows_max / 4);
	/* Those that were let in get their flows. */
	for (unsigned i = 0; i < n - 1; i++) {
		r.s = s[i];
		test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	}
	for (unsigned i = 0; i < n; i++)
		media_session_free(s[i]);
	r.s = NULL;
	test_room_close(&r);
}

static void failed_allocation_at_any_step_leaks_nothing(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	(void)state;
	skip();
#else
	struct test_room r;
	size_t before = 0;
	unsigned failed = 0;

	(void)state;
	test_room_open(&r);
	media_session_free(r.s);
	r.s = NULL;
	for (unsigned turn = 0; turn < 30; turn++) {
		int ret;

		assert_int_equal(one_call(&r, turn), 0);
		for (long step = 0;; step++) {
			struct media_status st;
			bool reached;

			test_now_ms += 10000;
			fail_after = step;
			ret = one_call(&r, turn);
			reached = fail_after < 0;
			fail_after = -1;
			if (!reached)
				break;
			failed += ret != 0;
			if (ret && ret != -ENOMEM && ret != -ENOSPC)
				fail_msg("turn %u step %ld: %d", turn, step, ret);
			media_get_status(r.m, &st);
			assert_int_equal(st.sessions, 0);
			assert_int_equal(st.ports_used[SIDE_INTERNAL], 0);
			assert_int_equal(st.ports_used[SIDE_EXTERNAL], 0);
			assert_int_equal(r.m->flows_reserved, 0);
			assert_int_equal(test_flow_count(&r), 0);
			assert_true(step < 1000);
		}
		if (turn == 0)
			before = mallinfo2().uordblks;
	}
	assert_true(failed > 100);
	/* What grows once and stays (the loop's heap, the data plane's tables) is small. */
	assert_true(mallinfo2().uordblks <= before + 4096);
	test_room_close(&r);
#endif
}

static void a_plain_call_takes_little_memory(void **state)
{
	struct test_room r;
	struct media_session *s[10];
	size_t before;

	(void)state;
	test_room_open(&r);
	media_session_free(r.s);
	before = mallinfo2().uordblks;
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &s[i]), 0);
		r.s = s[i];
		test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
		test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	}
	assert_true((mallinfo2().uordblks - before) / 10 <= 4096);
	for (unsigned i = 0; i < 10; i++)
		media_session_free(s[i]);
	r.s = NULL;
	test_room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_after_ten_thousand_calls),
		cmocka_unit_test(exhausted_ports_refuse_the_next_call_and_leak_nothing),
		cmocka_unit_test(flows_are_reserved_before_setup),
		cmocka_unit_test(failed_allocation_at_any_step_leaks_nothing),
		cmocka_unit_test(a_plain_call_takes_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
