/* SPDX-License-Identifier: BSD-2-Clause */
/* Two peers of one site keep their SDP, and nothing of the call's media is ours. */
#include "test_media_room.h"

#include <errno.h>

#include "media/watchdog.h"

#define SDP_HOLD SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8 0\r\na=sendonly\r\n"

static char site[] = "hq", other_site[] = "branch";

static void open_at(struct test_room *r, char *site_of_a, char *site_of_b)
{
	test_room_config(r);
	r->a.bypass = site_of_a;
	r->b.bypass = site_of_b;
	test_room_start(r);
}

static void crosses(struct test_room *r, enum leg from, const char *offer, const char *answer)
{
	char *out = NULL;
	size_t len;

	assert_int_equal(media_offer(r->s, from, offer, strlen(offer), &out, &len), 0);
	assert_string_equal(out, offer);
	free(out);
	assert_int_equal(
		media_answer(r->s, OTHER_LEG(from), answer, strlen(answer), true, &out, &len), 0);
	assert_string_equal(out, answer);
	assert_int_equal(len, strlen(answer));
	free(out);
}

static void one_site_keeps_its_sdp_and_takes_no_port_or_flow(void **state)
{
	struct media_status st;
	struct test_room r;

	(void)state;
	open_at(&r, site, site);
	assert_null(media_bypass(r.s));
	crosses(&r, LEG_A, SDP_AUDIO_A, SDP_AUDIO_B);
	crosses(&r, LEG_B, SDP_AUDIO_B, SDP_HOLD);
	assert_string_equal(media_bypass(r.s), "hq");
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_used[SIDE_INTERNAL] + st.ports_used[SIDE_EXTERNAL], 0);
	assert_int_equal(test_flow_count(&r), 0);
	assert_int_equal(media_stream_count(r.s), 0);
	test_room_close(&r);
}

static void two_sites_or_none_are_relayed(void **state)
{
	char *const sites[][2] = {{site, other_site}, {site, NULL}, {NULL, site}, {NULL, NULL}};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct test_room r;

		open_at(&r, sites[i][0], sites[i][1]);
		test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
		test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
		assert_null(media_bypass(r.s));
		assert_int_equal(test_flow_count(&r), 4);
		test_room_close(&r);
	}
}

/* A call without our flows has no packets to miss. */
static void the_watchdog_does_not_watch_what_goes_past_us(void **state)
{
	struct test_room r;

	(void)state;
	open_at(&r, site, site);
	crosses(&r, LEG_A, SDP_AUDIO_A, SDP_AUDIO_B);
	media_session_start(r.s);
	test_now_ms += 1000 * 1000;
	for (unsigned i = 0; i < WATCHDOG_PERIOD_MS / WATCHDOG_TICK_MS; i++)
		watchdog_tick(r.m);
	assert_int_equal(r.timeouts, 0);
	test_room_close(&r);
}

/* The first peer tried is elsewhere: ports were taken for it, and are given back. */
static void a_further_attempt_at_the_same_site_goes_past_us(void **state)
{
	struct media_status st;
	struct test_room r;

	(void)state;
	open_at(&r, site, NULL);
	r.c.bypass = site;
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	assert_int_equal(media_session_set_peer(r.s, LEG_B, &r.c), 0);
	crosses(&r, LEG_A, SDP_AUDIO_A, SDP_AUDIO_B);
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_used[SIDE_INTERNAL] + st.ports_used[SIDE_EXTERNAL], 0);
	test_room_close(&r);
}

/* RFC 3264 8: o= of what a leg is shown stays one session's. */
static void a_leg_that_saw_our_sdp_is_relayed_on(void **state)
{
	struct test_room r;

	(void)state;
	open_at(&r, site, NULL);
	r.c.bypass = site;
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, false, NULL);
	assert_int_equal(media_session_set_peer(r.s, LEG_B, &r.c), 0);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	assert_null(media_bypass(r.s));
	test_room_close(&r);
}

static void an_answer_with_other_lines_than_the_offer_is_refused(void **state)
{
	struct test_room r;

	(void)state;
	open_at(&r, site, site);
	assert_int_equal(test_try_offer(&r, LEG_A, SDP_AUDIO_A), 0);
	assert_int_equal(
		test_try_answer(&r, LEG_B, SDP_AUDIO_B "m=video 5000 RTP/AVP 99\r\n", true),
		-EINVAL);
	assert_int_equal(test_try_answer(&r, LEG_B, SDP_AUDIO_B, true), 0);
	assert_int_equal(test_try_offer(&r, LEG_A, "v=0\r\n"), -EINVAL);
	test_room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_site_keeps_its_sdp_and_takes_no_port_or_flow),
		cmocka_unit_test(two_sites_or_none_are_relayed),
		cmocka_unit_test(the_watchdog_does_not_watch_what_goes_past_us),
		cmocka_unit_test(a_further_attempt_at_the_same_site_goes_past_us),
		cmocka_unit_test(a_leg_that_saw_our_sdp_is_relayed_on),
		cmocka_unit_test(an_answer_with_other_lines_than_the_offer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
