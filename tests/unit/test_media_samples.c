/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptions as real equipment writes them (tests/unit/data/sdp): offer in, offer out, answer in,
 * answer out, and the flows that follow. Run from the top of the tree. */
#include "test_media_room.h"

#define DIRECTORY "tests/unit/data/sdp/"

static char *read_sample(const char *name, const char *which)
{
	char path[128];
	struct strbuf b = {0};
	char buf[1024];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), DIRECTORY "%s.%s", name, which);
	f = fopen(path, "r");
	if (!f)
		fail_msg("cannot read %s", path);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_addn(&b, buf, n);
	fclose(f);
	assert_non_null(b.s);
	return b.s;
}

static void cross(const char *name, unsigned flows, const char *codec)
{
	char *offer = read_sample(name, "offer.sdp");
	char *offer_expected = read_sample(name, "offer.expected");
	char *answer = read_sample(name, "answer.sdp");
	char *answer_expected = read_sample(name, "answer.expected");
	struct test_room r;
	struct media_stream_info info;
	unsigned index = 0;

	test_room_open(&r);
	test_offer(&r, LEG_A, offer, offer_expected);
	test_answer(&r, LEG_B, answer, true, answer_expected);
	assert_null(strstr(media_last_sdp(r.s, LEG_B), "10.0.0."));
	assert_null(strstr(media_last_sdp(r.s, LEG_A), "198.51.100."));
	assert_int_equal(test_flow_count(&r), flows);
	do
		assert_int_equal(media_stream_info(r.s, index++, &info), 0);
	while (!info.active);
	assert_string_equal(info.codec, codec);
	test_room_close(&r);
	free(offer);
	free(offer_expected);
	free(answer);
	free(answer_expected);
}

static void asterisk_calls_freeswitch(void **state)
{
	(void)state;
	cross("asterisk", 4, "PCMA/8000");
}

static void freeswitch_calls_baresip(void **state)
{
	(void)state;
	cross("freeswitch", 4, "opus/48000/2");
}

static void cisco_gateway_gets_its_own_event_number(void **state)
{
	(void)state;
	cross("cisco", 4, "G729/8000");
}

static void teams_passes_by_sdes_without_its_candidates(void **state)
{
	(void)state;
	cross("teams", 2, "PCMA/8000");
}

static void fax_is_offered_beside_closed_audio(void **state)
{
	(void)state;
	cross("t38", 2, "t38");
}

static void video_crosses_beside_audio(void **state)
{
	(void)state;
	cross("video", 8, "PCMU/8000");
}

static void browser_like_offer_loses_ice_and_bundle(void **state)
{
	(void)state;
	cross("ice", 2, "PCMA/8000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asterisk_calls_freeswitch),
		cmocka_unit_test(freeswitch_calls_baresip),
		cmocka_unit_test(cisco_gateway_gets_its_own_event_number),
		cmocka_unit_test(teams_passes_by_sdes_without_its_candidates),
		cmocka_unit_test(fax_is_offered_beside_closed_audio),
		cmocka_unit_test(video_crosses_beside_audio),
		cmocka_unit_test(browser_like_offer_loses_ice_and_bundle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
