/* SPDX-License-Identifier: BSD-2-Clause */
/* Time zones: our reading of the tz database against the C library's, and of damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/zone_internal.h"

#define PROBE_S (3 * 3600 + 61) /* no change is missed by more than that */
#define YEARS   29

static int32_t library_offset(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	assert_non_null(localtime_r(&t, &tm));
	return (int32_t)tm.tm_gmtoff;
}

static void assert_like_library(const char *name, int64_t step)
{
	int64_t now = (int64_t)time(NULL);
	struct zone *zone;

	assert_int_equal(zone_new(&zone, name), 0);
	setenv("TZ", name, 1);
	tzset();
	for (int64_t at = now - ZONE_YEAR_S + step; at < now + YEARS * ZONE_YEAR_S; at += step) {
		if (zone_offset(zone, at) != library_offset(at))
			fail_msg("%s at %lld: %d, the library says %d", name, (long long)at,
				zone_offset(zone, at), library_offset(at));
	}
	unsetenv("TZ");
	tzset();
	zone_free(zone);
}

static void offsets_are_those_of_the_c_library(void **state)
{
	/* Rules of both hemispheres, half hours, none, negative summer time, changes that follow
	 * the moon, days of other months. */
	static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Sydney",
		"Australia/Lord_Howe", "Asia/Kolkata", "Europe/Dublin", "Africa/Casablanca", "UTC",
		"America/Santiago", "Asia/Jerusalem", "America/Nuuk", "Pacific/Chatham",
		"Etc/GMT+12"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_like_library(names[i], 7 * PROBE_S);
	assert_like_library("Europe/Berlin", PROBE_S);
}

static void rules_alone_do_as_the_c_library_does(void **state)
{
	static const char *const rules[] = {"CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0",
		"AEST-10AEDT,M10.1.0,M4.1.0/3", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
		"IST-1GMT0,M10.5.0,M3.5.0/1", "XXX3YYY,J60/2,J300/2", "XXX-3YYY,59,299/25",
		"EET-2EEST,M3.4.4/50,M10.4.4/50", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "JST-9"};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		int64_t now = (int64_t)time(NULL);
		struct zone zone = {0};

		assert_int_equal(zone_add_rule(&zone, rules[i], now - ZONE_YEAR_S,
					 now + ZONE_FUTURE_YEARS * ZONE_YEAR_S),
			0);
		setenv("TZ", rules[i], 1);
		tzset();
		for (int64_t at = now; at < now + YEARS * ZONE_YEAR_S; at += 5 * PROBE_S) {
			if (zone_offset(&zone, at) != library_offset(at))
				fail_msg("%s at %lld", rules[i], (long long)at);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const rules[] = {"", "X1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0",
		"CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0", "CET-999", "<CET-1", "CET-1CEST,J0,J5",
		"CET-1CEST,M3.5.0,M1", "CET-1CEST,M3.5.0,M10.5.0x"};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct zone zone = {0};

		if (zone_add_rule(&zone, rules[i], 0, ZONE_YEAR_S) == 0)
			fail_msg("taken: %s", rules[i]);
	}
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	struct zone *zone;

	(void)state;
	assert_int_equal(zone_new(&zone, "/etc/localtime"), -EINVAL);
	assert_int_equal(zone_new(&zone, "../../../etc/localtime"), -EINVAL);
	assert_int_equal(zone_new(&zone, "Europe/Atlantis"), -ENOENT);
	assert_int_equal(zone_new(&zone, "Europe"), -ENOENT);
	assert_int_equal(zone_new(&zone, "tzdata+zi"), -ENOENT);
}

static void a_damaged_file_is_read_without_harm(void **state)
{
	static unsigned char good[65536], bad[65536];
	FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
	struct zone zone;
	unsigned seed = 1;
	size_t len;

	(void)state;
	assert_non_null(f);
	len = fread(good, 1, sizeof(good), f);
	fclose(f);
	memset(&zone, 0, sizeof(zone));
	assert_int_equal(zone_add_file(&zone, good, len, 1700000000, 2500000000), 0);
	assert_true(zone.count > 20);
	for (unsigned i = 0; i < 20000; i++) {
		size_t cut = len;
		unsigned char *exact;

		memcpy(bad, good, len);
		for (unsigned j = 0; j < 1 + i % 4; j++) {
			seed = seed * 1103515245u + 12345u;
			/* Half of them in what counts and orders. */
			bad[(seed >> 8) % (i % 2 ? len : 120)] = (unsigned char)(seed >> 24);
		}
		if (i % 5 == 0)
			cut = (seed >> 8) % len;
		/* In a block of its size: the sanitizer sees what is read beyond. */
		exact = malloc(cut + 1);
		assert_non_null(exact);
		memcpy(exact, bad, cut);
		memset(&zone, 0, sizeof(zone));
		(void)zone_add_file(&zone, exact, cut, 1700000000, 2500000000);
		assert_true(zone.count <= ZONE_CHANGES_MAX);
		free(exact);
	}
}

static void the_host_s_own_zone_follows_tz(void **state)
{
	struct zone *zone;

	(void)state;
	setenv("TZ", "Asia/Tokyo", 1);
	assert_int_equal(zone_new(&zone, ""), 0);
	assert_int_equal(zone_offset(zone, (int64_t)time(NULL)), 9 * 3600);
	zone_free(zone);
	setenv("TZ", "XYZ-3", 1);
	assert_int_equal(zone_new(&zone, ""), 0);
	assert_int_equal(zone_offset(zone, (int64_t)time(NULL)), 3 * 3600);
	zone_free(zone);
	setenv("TZ", "", 1);
	assert_int_equal(zone_new(&zone, ""), 0);
	assert_int_equal(zone_offset(zone, (int64_t)time(NULL)), 0);
	zone_free(zone);
	unsetenv("TZ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_those_of_the_c_library),
		cmocka_unit_test(rules_alone_do_as_the_c_library_does),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(a_damaged_file_is_read_without_harm),
		cmocka_unit_test(the_host_s_own_zone_follows_tz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
