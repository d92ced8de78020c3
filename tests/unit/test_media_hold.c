/* SPDX-License-Identifier: BSD-2-Clause */
/* Hold as each peer is told of it, and offers that are answered without the other leg. */
#include <errno.h>

#include "test_media_room.h"

#define AUDIO_A    SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\n"
#define AUDIO_B    SDP_HEAD("198.51.100.9") "m=audio 5000 RTP/AVP 8\r\n"
#define ZERO_A     SDP_HEAD("0.0.0.0") "m=audio 4000 RTP/AVP 8\r\n"
#define OURS       "c=IN IP4 203.0.113.1\r\n"
#define NO_ADDRESS "c=IN IP4 0.0.0.0\r\n"

static void begin(struct test_room *r, enum hold_mode told_to_b)
{
	test_room_open(r);
	r->b.session.hold = told_to_b;
	test_offer(r, LEG_A, AUDIO_A, NULL);
	test_answer(r, LEG_B, AUDIO_B, true, NULL);
}

/* A offers, B is told; m-section from its c= line, or else from its attributes. */
static char *offer(struct test_room *r, const char *sdp)
{
	char *out = NULL;
	size_t len;

	assert_int_equal(media_offer(r->s, LEG_A, sdp, strlen(sdp), &out, &len), 0);
	return out;
}

static void answer(struct test_room *r, const char *sdp, const char *direction)
{
	char *out = NULL;
	size_t len;

	assert_int_equal(media_answer(r->s, LEG_B, sdp, strlen(sdp), true, &out, &len), 0);
	if (!strstr(out, direction))
		fail_msg("expected '%s' in:\n%s", direction, out);
	free(out);
}

static void a_peer_is_told_of_a_hold_as_it_understands_it(void **state)
{
	static const struct {
		enum hold_mode mode;
		const char *offered, *told, *answered, *back;
	} cases[] = {
		{HOLD_PASS, AUDIO_A "a=sendonly\r\n", "a=sendonly", "a=recvonly\r\n", "a=recvonly"},
		{HOLD_PASS, AUDIO_A "a=inactive\r\n", "a=inactive", "a=inactive\r\n", "a=inactive"},
		{HOLD_PASS, ZERO_A, "a=sendonly", "a=recvonly\r\n", "a=recvonly"},
		{HOLD_INACTIVE, AUDIO_A "a=sendonly\r\n", "a=inactive", "a=inactive\r\n",
			"a=inactive"},
		{HOLD_INACTIVE, ZERO_A, "a=inactive", "a=inactive\r\n", "a=inactive"},
		{HOLD_SENDONLY, AUDIO_A "a=inactive\r\n", "a=sendonly", "a=recvonly\r\n",
			"a=inactive"},
		{HOLD_SENDONLY, ZERO_A, "a=sendonly", "a=recvonly\r\n", "a=recvonly"},
		{HOLD_ZERO, AUDIO_A "a=sendonly\r\n", NO_ADDRESS "a=sendonly", "", "a=recvonly"},
		{HOLD_ZERO, AUDIO_A "a=inactive\r\n", NO_ADDRESS "a=inactive", "", "a=inactive"},
		{HOLD_ZERO, ZERO_A, NO_ADDRESS "a=sendonly", "", "a=recvonly"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char answered[512], *told;
		struct test_room r;

		begin(&r, cases[i].mode);
		told = offer(&r, cases[i].offered);
		if (!strstr(told, cases[i].told))
			fail_msg("case %u: expected '%s' in:\n%s", i, cases[i].told, told);
		/* One direction is said, no more. */
		assert_null(strstr(strstr(told, "m=audio"), "a=sendrecv"));
		free(told);
		snprintf(answered, sizeof(answered), "%s%s", AUDIO_B, cases[i].answered);
		answer(&r, answered, cases[i].back);
		/* Resumed, it has its address and both directions again. */
		told = offer(&r, AUDIO_A);
		assert_non_null(strstr(told, OURS));
		assert_null(strstr(told, "0.0.0.0"));
		assert_null(strstr(told, "a=inactive"));
		assert_null(strstr(told, "a=sendonly"));
		free(told);
		answer(&r, AUDIO_B, "m=audio");
		assert_false(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->blackhole);
		assert_false(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
		test_room_close(&r);
	}
}

static void music_on_hold_passes_where_the_form_allows_it(void **state)
{
	struct test_room r;

	(void)state;
	begin(&r, HOLD_SENDONLY);
	free(offer(&r, AUDIO_A "a=sendonly\r\n"));
	answer(&r, AUDIO_B "a=recvonly\r\n", "a=recvonly");
	assert_false(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->blackhole);
	assert_true(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
	test_room_close(&r);
}

static void a_call_that_begins_in_one_direction_is_no_hold(void **state)
{
	struct test_room r;
	char *told;

	(void)state;
	test_room_open(&r);
	r.b.session.hold = HOLD_INACTIVE;
	told = offer(&r, AUDIO_A "a=sendonly\r\n");
	assert_non_null(strstr(told, "a=sendonly"));
	free(told);
	answer(&r, AUDIO_B "a=recvonly\r\n", "a=recvonly");
	test_room_close(&r);
}

static void an_answer_that_goes_on_holding_is_told_likewise(void **state)
{
	struct test_room r;

	(void)state;
	begin(&r, HOLD_PASS);
	r.a.session.hold = HOLD_INACTIVE;
	free(offer(&r, AUDIO_A));
	answer(&r, AUDIO_B "a=sendonly\r\n", "a=inactive");
	test_room_close(&r);
}

static void what_was_said_before_is_answered_without_the_other_leg(void **state)
{
	char *first = NULL, *again = NULL, *next;
	struct test_room r;
	uint32_t told;
	size_t len;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, AUDIO_A, NULL);
	assert_int_equal(
		media_answer_again(r.s, LEG_A, AUDIO_A, strlen(AUDIO_A), &again, &len), -EBUSY);
	assert_int_equal(media_answer(r.s, LEG_B, AUDIO_B, strlen(AUDIO_B), true, &first, &len), 0);
	assert_true(media_is_unchanged(r.s, LEG_A, AUDIO_A, strlen(AUDIO_A)));
	assert_false(media_is_unchanged(r.s, LEG_A, AUDIO_A, strlen(AUDIO_A) - 2));
	assert_false(media_is_unchanged(r.s, LEG_B, AUDIO_A, strlen(AUDIO_A)));
	told = media_told(r.s, LEG_B);
	assert_int_equal(media_answer_again(r.s, LEG_A, AUDIO_A, strlen(AUDIO_A), &again, &len), 0);
	assert_string_equal(again, first);
	free(again);
	assert_int_equal(media_answer_again(r.s, LEG_B, AUDIO_B, strlen(AUDIO_B), &again, &len), 0);
	assert_non_null(strstr(again, "m=audio"));
	free(again);
	assert_int_equal(media_told(r.s, LEG_B), told);
	/* A bad one leaves all as it was. */
	assert_int_equal(media_answer_again(r.s, LEG_A, "v=0\r\n", 5, &again, &len), -EINVAL);
	assert_false(media_offer_pending(r.s));
	/* o= counts on from what the leg knows. */
	next = offer(&r, AUDIO_A "a=sendonly\r\n");
	assert_non_null(strstr(next, " 2 IN IP4 203.0.113.1"));
	free(next);
	free(first);
	test_room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_told_of_a_hold_as_it_understands_it),
		cmocka_unit_test(music_on_hold_passes_where_the_form_allows_it),
		cmocka_unit_test(a_call_that_begins_in_one_direction_is_no_hold),
		cmocka_unit_test(an_answer_that_goes_on_holding_is_told_likewise),
		cmocka_unit_test(what_was_said_before_is_answered_without_the_other_leg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
