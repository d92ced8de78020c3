/* SPDX-License-Identifier: BSD-2-Clause */
/* MOS by the E-model, and round trips from RTCP that passes. */
#include "media/quality.h"
#include "test_media_room.h"

#define NS_A_MS 1000000ull

static void assert_near(double got, double wanted, double within)
{
	if (got < wanted - within || got > wanted + within)
		fail_msg("%f is not within %f of %f", got, within, wanted);
}

static void g711_without_loss_is_toll_quality(void **state)
{
	(void)state;
	/* ITU-T G.107 with all defaults gives R = 93.2, MOS 4.41; our 40 ms of delay cost little.
	 */
	assert_near(quality_mos("PCMA/8000", 0, 0, 0), 4.4, 0.03);
	assert_near(quality_mos("PCMU/8000", 0, 0, -1), 4.4, 0.03);
	/* G.113: G.729A has Ie = 11, MOS about 4.1. */
	assert_near(quality_mos("G729/8000", 0, 0, 0), 4.1, 0.06);
}

static void five_percent_loss_is_clearly_worse(void **state)
{
	(void)state;
	assert_true(quality_mos("PCMA", 5, 0, 0) < quality_mos("PCMA", 0, 0, 0) - 0.4);
	assert_true(quality_mos("G729", 5, 0, 0) < 3.5);
}

static void mos_never_rises_with_loss_jitter_or_delay(void **state)
{
	static const char *const codecs[] = {"PCMA", "G729", "opus/48000/2", "what", ""};

	(void)state;
	for (size_t c = 0; c < sizeof(codecs) / sizeof(codecs[0]); c++) {
		double loss = 5, jitter = 5, rtt = 5;

		for (int i = 0; i <= 100; i++) {
			double l = quality_mos(codecs[c], i, 0, 0);
			double j = quality_mos(codecs[c], 0, i * 10, 0);
			double d = quality_mos(codecs[c], 0, 0, i * 20);

			assert_true(l <= loss && j <= jitter && d <= rtt);
			assert_true(l >= 1 && j >= 1 && d >= 1 && l <= 4.5);
			loss = l;
			jitter = j;
			rtt = d;
		}
		assert_true(loss < 1.5 && rtt < 2);
	}
	assert_true(quality_mos("PCMA", -3, 0, 0) <= 4.5);
	assert_true(quality_mos("PCMA", 1e9, 1e9, 1e9) >= 1);
}

static unsigned put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
	return 4;
}

static unsigned sender_report(uint8_t *p, uint32_t ntp_middle)
{
	unsigned n = put32(p, 0x80c80006);

	n += put32(p + n, 0x1111);
	n += put32(p + n, ntp_middle >> 16);
	n += put32(p + n, ntp_middle << 16);
	n += put32(p + n, 0);
	n += put32(p + n, 0);
	n += put32(p + n, 0);
	return n;
}

static unsigned receiver_report(uint8_t *p, uint32_t last, uint32_t delay)
{
	unsigned n = put32(p, 0x81c90007);

	n += put32(p + n, 0x2222);
	n += put32(p + n, 0x1111);
	n += put32(p + n, 0);
	n += put32(p + n, 0);
	n += put32(p + n, 0);
	n += put32(p + n, last);
	n += put32(p + n, delay);
	return n;
}

static void round_trip_is_between_us_and_who_reports(void **state)
{
	struct rtcp_leg a = {0}, b = {0};
	uint8_t p[256];
	unsigned n;

	(void)state;
	n = sender_report(p, 0xb44db705);
	rtcp_read(&a, &b, p, n, 1000 * NS_A_MS);
	/* B held it for 2 s and its report comes 2040 ms later: 40 ms to B and back. */
	n = receiver_report(p, 0xb44db705, 2 * 65536);
	rtcp_read(&b, &a, p, n, 3040 * NS_A_MS);
	assert_true(b.has_rtt);
	assert_near(b.rtt_ms, 40, 0.01);
	assert_false(a.has_rtt);
	/* One that we never saw, and one whose delay cannot be. */
	n = receiver_report(p, 0x12345678, 0);
	rtcp_read(&b, &a, p, n, 4000 * NS_A_MS);
	n = receiver_report(p, 0xb44db705, 60 * 65536);
	rtcp_read(&b, &a, p, n, 4000 * NS_A_MS);
	assert_near(b.rtt_ms, 40, 0.01);
}

static void who_hears_nothing_is_known_by_reports_that_stand_still(void **state)
{
	struct rtcp_leg a = {0}, b = {0};
	uint8_t p[256];
	unsigned n = receiver_report(p, 0, 0);

	(void)state;
	for (uint8_t highest = 1; highest < 4; highest++) {
		p[8 + 11] = highest;
		rtcp_read(&b, &a, p, n, 1000 * NS_A_MS);
		assert_int_equal(b.unheard, 0);
	}
	rtcp_read(&b, &a, p, n, 2000 * NS_A_MS);
	rtcp_read(&b, &a, p, n, 3000 * NS_A_MS);
	assert_int_equal(b.unheard, RTCP_UNHEARD);
	p[8 + 11]++;
	p[8 + 4] = 64;
	rtcp_read(&b, &a, p, n, 4000 * NS_A_MS);
	assert_int_equal(b.unheard, 0);
	assert_near(b.loss_percent, 25, 0.01);
}

static void compound_packets_and_extended_reports_are_read(void **state)
{
	struct rtcp_leg a = {0}, b = {0};
	uint8_t p[256];
	unsigned n;

	(void)state;
	/* SR with SDES behind; XR with a receiver reference time behind that. */
	n = sender_report(p, 0x00010002);
	n += put32(p + n, 0x81ca0002);
	n += put32(p + n, 0x1111);
	n += put32(p + n, 0x01000000);
	n += put32(p + n, 0x80cf0004);
	n += put32(p + n, 0x1111);
	n += put32(p + n, 0x04000002);
	n += put32(p + n, 0x00000003);
	n += put32(p + n, 0x00040000);
	rtcp_read(&a, &b, p, n, 1000 * NS_A_MS);
	n = put32(p, 0x80cf0005);
	n += put32(p + n, 0x2222);
	n += put32(p + n, 0x05000003);
	n += put32(p + n, 0x1111);
	n += put32(p + n, 0x00030004);
	n += put32(p + n, 65536 / 2);
	rtcp_read(&b, &a, p, n, 1512 * NS_A_MS);
	assert_near(b.rtt_ms, 12, 0.01);
}

static void any_bytes_cut_anywhere_are_harmless(void **state)
{
	struct rtcp_leg a = {0}, b = {0};
	uint8_t p[512];

	(void)state;
	srand(7);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned n = (unsigned)rand() % 128, len;
		uint8_t *exact;

		len = sender_report(p, (uint32_t)rand());
		len += receiver_report(p + len, (uint32_t)rand(), (uint32_t)rand());
		for (unsigned j = 0; j < 6; j++)
			p[(unsigned)rand() % len] = (uint8_t)rand();
		if (n > len)
			n = len;
		exact = malloc(n ? n : 1); /* so that a read past the end is seen */
		memcpy(exact, p, n);
		rtcp_read(&a, &b, exact, n, i);
		rtcp_read(&b, &a, exact, n, i);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g711_without_loss_is_toll_quality),
		cmocka_unit_test(five_percent_loss_is_clearly_worse),
		cmocka_unit_test(mos_never_rises_with_loss_jitter_or_delay),
		cmocka_unit_test(round_trip_is_between_us_and_who_reports),
		cmocka_unit_test(who_hears_nothing_is_known_by_reports_that_stand_still),
		cmocka_unit_test(compound_packets_and_extended_reports_are_read),
		cmocka_unit_test(any_bytes_cut_anywhere_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
