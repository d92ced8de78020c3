/* SPDX-License-Identifier: BSD-2-Clause */
/* What SDP says of bandwidth, against figures worked out by hand: payload, 40 (IPv6: 60) bytes of
 * RTP, UDP and IP, 18 of Ethernet, 10 of SRTP, rounded up; a twentieth more for RTCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "media/bandwidth.h"

static const struct bandwidth_defaults defaults = {.audio_kbit = 100, .video_kbit = 1500};

struct figure {
	const char *media; /* from the m-line on */
	unsigned ptime;    /* the other end's */
	uint8_t family;
	bool secure;
	unsigned kbit;
};

static unsigned reckon(const struct figure *f)
{
	static struct sdp sdp;
	struct payload list[SDP_FORMATS_MAX];
	struct media_rate rate;
	char text[1024];
	unsigned count;
	int n = snprintf(text, sizeof(text),
		"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n%s",
		f->media);

	assert_int_equal(sdp_parse(&sdp, text, (size_t)n), 0);
	count = sdp.media[0].transport == SDP_TRANSPORT_UDPTL
			? 0
			: payload_read(&sdp, &sdp.media[0], list);
	bandwidth_read(&rate, &sdp, &sdp.media[0], list, count, f->ptime, &defaults);
	return bandwidth_kbit(&rate, f->family, f->secure);
}

#define AUDIO "m=audio 4000 RTP/AVP "
#define VIDEO "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"

static void figures_are_those_worked_out_by_hand(void **state)
{
	static const struct figure figures[] = {
		/* 218 bytes 50 times: 87.2, 88, with RTCP 93; SRTP: 91.2, 92, 97 */
		{AUDIO "8\r\n", 0, 4, false, 93},
		{AUDIO "8\r\n", 0, 4, true, 97},
		{AUDIO "0\r\n", 0, 6, false, 101},               /* 95.2, 96 */
		{AUDIO "8\r\na=ptime:10\r\n", 0, 4, false, 117}, /* 110.4, 111 */
		{AUDIO "8\r\na=ptime:30\r\n", 0, 4, false, 84},  /* 34 packets: 79.78, 80 */
		{AUDIO "8\r\na=ptime:30\r\n", 10, 4, false, 117},
		{AUDIO "8\r\n", 30, 4, false, 84},
		{AUDIO "8\r\na=maxptime:10\r\n", 0, 4, false, 117},
		{AUDIO "8\r\na=maxptime:150\r\n", 0, 4, false, 93},
		{AUDIO "8\r\na=ptime:1\r\n", 0, 4, false, 165}, /* as 5 ms: 156.8, 157 */
		{AUDIO "8\r\na=ptime:x\r\n", 0, 4, false, 93},
		{AUDIO "18\r\n", 0, 4, false, 34}, /* 31.2, 32 */
		{AUDIO "4\r\n", 0, 4, false, 25},  /* 34 packets: 22.2, 23 */
		{AUDIO "18 8 101\r\na=rtpmap:101 telephone-event/8000\r\n", 0, 4, false, 93},
		{AUDIO "96\r\na=rtpmap:96 L16/16000\r\n", 0, 4, false, 294}, /* 279.2, 280 */
		/* Not in the table: b=, or the configured figure as it is. */
		{AUDIO "96\r\na=rtpmap:96 X-NEW/8000\r\n", 0, 4, false, 100},
		{AUDIO "96\r\nb=AS:50\r\na=rtpmap:96 X-NEW/8000\r\n", 0, 4, false, 61}, /* 57.2 */
		{AUDIO "96\r\nb=TIAS:16000\r\na=rtpmap:96 X-NEW/8000\r\n", 0, 4, false,
			42}, /* 39.2 */
		{AUDIO "8 96\r\nb=AS:50\r\na=rtpmap:96 X-NEW/8000\r\n", 0, 4, false, 93},
		{VIDEO, 0, 4, false, 1500},
		{VIDEO "b=AS:512\r\n", 0, 4, false, 546}, /* 53 packets, 519.6 */
		/* RFC 3890 before AS: 500 000 bits, 52 packets, 524.1 */
		{VIDEO "b=AS:512\r\nb=TIAS:500000\r\n", 0, 4, false, 552},
		{VIDEO "b=TIAS:500000\r\nb=AS:512\r\n", 0, 4, false, 552},
		{"m=image 4000 udptl t38\r\n", 0, 4, false, 80},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		unsigned kbit = reckon(&figures[i]);

		if (kbit != figures[i].kbit)
			fail_msg("%s: %u, expected %u", figures[i].media, kbit, figures[i].kbit);
	}
}

static void numbers_beyond_reason_do_not_overflow(void **state)
{
	static const struct figure huge = {VIDEO "b=AS:999999999\r\n", 0, 6, true, 0};
	static const struct figure too_much = {VIDEO "b=AS:99999999999\r\n", 0, 6, true, 0};
	static const struct figure negative = {VIDEO "b=AS:-5\r\n", 0, 6, true, 0};

	(void)state;
	assert_int_equal(reckon(&huge), 10000000);
	assert_int_equal(reckon(&too_much), 1500);
	assert_int_equal(reckon(&negative), 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_those_worked_out_by_hand),
		cmocka_unit_test(numbers_beyond_reason_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
