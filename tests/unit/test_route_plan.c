/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups, usages, cost, times: what a call's candidates are and in which order; how many patterns
 * it takes to find them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "base/strbuf.h"
#include "config_text.h"
#include "route/match.h"
#include "route/order.h"
#include "route/route.h"
#include "route/time.h"

#define SIDES                                                                                      \
	"sides: {internal: {device: a, addresses: [10.0.0.1]},\n"                                  \
	"  external: {device: b, addresses: [192.0.2.1]}}\n"                                       \
	"listeners: [{name: in, side: internal, transport: udp},\n"                                \
	"  {name: ex, side: external, transport: udp}]\n"
#define TRUNKS                                                                                     \
	"  - {name: a, kind: trunk, listener: ex, address: 192.0.2.2}\n"                           \
	"  - {name: b, kind: trunk, listener: ex, address: 192.0.2.3}\n"                           \
	"  - {name: c, kind: trunk, listener: ex, address: 192.0.2.4}\n"
#define PBX(more) "peers:\n  - {name: pbx, kind: direct, listener: in, address: 10.0.0.2" more "}\n"

static struct config *cfg;
static struct route_result result; /* of the last decision */
static int64_t now;
static uint64_t seed;

static int unload(void **state)
{
	(void)state;
	config_unref(cfg);
	cfg = NULL;
	seed = 0;
	now = 0;
	return 0;
}

static void load(const char *text)
{
	config_unref(cfg);
	cfg = load_good(text);
}

/* The candidates as "a b | c", a bar between two classes; "none", "denied". */
static const char *decide_from(const char *from, const char *called)
{
	const struct route_query query = {.from = config_peer_by_name(cfg, from),
		.calling = "",
		.called = called,
		.at = now,
		.seed = seed};
	static char text[512];

	route_find(cfg, &query, &result, NULL, NULL);
	text[0] = '\0';
	for (unsigned i = 0; i < result.candidate_count; i++) {
		const struct route_candidate *c = &result.candidate[i];

		if (i)
			strcat(text, c->priority == c[-1].priority ? " " : " | ");
		strcat(text, c->peer->name);
	}
	return result.verdict == ROUTE_FOUND  ? text
	       : result.verdict == ROUTE_NONE ? "none"
					      : "denied";
}

static const char *decide(const char *called)
{
	return decide_from("pbx", called);
}

/* ---- groups ---- */

static void a_group_is_ordered_by_priority_then_cost_then_weight(void **state)
{
	(void)state;
	load(SIDES PBX("") TRUNKS
		"groups: [{name: g, members: [{peer: a, priority: 2, weight: 9},\n"
		"  {peer: b, weight: 1}, {peer: c, weight: 5}]},\n"
		"  {name: cheap, members: [{peer: a, cost: 3}, {peer: b, cost: 1, weight: 0},\n"
		"   {peer: c, cost: 2}]}]\n"
		"routes: [{called: '1', to: [g]}, {called: '2', to: [cheap]},\n"
		"  {called: '3', to: [a, cheap]}]\n");
	assert_string_equal(decide("1"), "c b | a");
	assert_string_equal(decide("2"), "b | c | a");
	assert_string_equal(decide("3"), "a | b | c");
}

static void chance_follows_the_weights(void **state)
{
	unsigned first[3] = {0}, second_b = 0;
	const unsigned calls = 20000;

	(void)state;
	load(SIDES PBX("") TRUNKS "groups: [{name: g, members: [{peer: a, weight: 60},\n"
				  "  {peer: b, weight: 30}, {peer: c, weight: 10}]}]\n"
				  "routes: [{to: [g]}]\n");
	for (unsigned i = 0; i < calls; i++) {
		seed = i + 1;
		decide("1");
		assert_int_equal(result.candidate_count, 3);
		assert_int_equal(result.candidate[0].priority, result.candidate[2].priority);
		first[result.candidate[0].peer->name[0] - 'a']++;
		second_b += result.candidate[0].peer->name[0] == 'a' &&
			    result.candidate[1].peer->name[0] == 'b';
	}
	/* Four standard deviations of the binomial distribution are 277, 260, 170 calls. */
	assert_in_range(first[0], calls * 60 / 100 - 277, calls * 60 / 100 + 277);
	assert_in_range(first[1], calls * 30 / 100 - 260, calls * 30 / 100 + 260);
	assert_in_range(first[2], calls * 10 / 100 - 170, calls * 10 / 100 + 170);
	/* Behind a: b has 30 of the 40 that are left. */
	assert_in_range(second_b, first[0] * 3 / 4 - 200, first[0] * 3 / 4 + 200);
}

static void weight_0_comes_last_and_among_its_like_by_chance(void **state)
{
	unsigned b_before_c = 0;

	(void)state;
	load(SIDES PBX("") TRUNKS "groups: [{name: g, members: [{peer: a, weight: 1},\n"
				  "  {peer: b, weight: 0}, {peer: c, weight: 0}]}]\n"
				  "routes: [{to: [g]}]\n");
	for (unsigned i = 0; i < 2000; i++) {
		seed = 1 + i * 977;
		decide("1");
		assert_string_equal(result.candidate[0].peer->name, "a");
		b_before_c += result.candidate[1].peer->name[0] == 'b';
	}
	assert_in_range(b_before_c, 1000 - 90, 1000 + 90);
}

static void beyond_24_peers_none_is_tried(void **state)
{
	struct strbuf text = {0};

	(void)state;
	strbuf_addf(&text, SIDES PBX(""));
	for (unsigned i = 0; i < ROUTE_CANDIDATES_MAX + 6; i++)
		strbuf_addf(&text,
			"  - {name: p%u, kind: trunk, listener: ex, address: 192.0.2.%u}\n", i,
			i + 2);
	strbuf_addf(&text, "groups:\n  - name: g\n    members:\n");
	for (unsigned i = 0; i < ROUTE_CANDIDATES_MAX + 6; i++)
		strbuf_addf(&text, "    - {peer: p%u, priority: %u}\n", i, i);
	strbuf_addf(&text, "routes: [{to: [g]}]\n");
	load(text.s);
	decide("1");
	assert_int_equal(result.candidate_count, ROUTE_CANDIDATES_MAX);
	assert_string_equal(result.candidate[ROUTE_CANDIDATES_MAX - 1].peer->name, "p23");
	strbuf_free(&text);
}

/* ---- usages ---- */

#define USAGES                                                                                     \
	"usages: [{name: local, routes: [city, mobile]}, {name: world, routes: [dear, cheap]},\n"  \
	"  {name: last, routes: [rest]}]\n"                                                        \
	"routes:\n"                                                                                \
	"  - {name: flat, called: '.*', to: [c]}\n"                                                \
	"  - {name: rest, called: '.*', to: [c]}\n"                                                \
	"  - {name: city, called: '030.*', to: [a], trunk_to_trunk: true}\n"                       \
	"  - {name: mobile, called: '01.*', to: [b], on_failure: stop}\n"                          \
	"  - {name: dear, called: '0.*', cost: 9, to: [b]}\n"                                      \
	"  - {name: cheap, called: '00.*', cost: 2, to: [a]}\n"

static void usages_are_tried_in_the_order_of_the_peer(void **state)
{
	(void)state;
	load(SIDES PBX(", usages: [local, world, last]") TRUNKS USAGES);
	assert_string_equal(decide("0301"), "a | b | c");
	assert_string_equal(result.candidate[0].route->name, "city");
	assert_string_equal(result.candidate[1].route->name, "dear");
	assert_string_equal(decide("0049"), "a | b | c"); /* cheap before dear */
	assert_string_equal(result.candidate[0].route->name, "cheap");
	assert_string_equal(decide("017"), "b"); /* mobile stops */
	assert_string_equal(decide("99"), "c");
	assert_string_equal(result.route->name, "rest");
}

static void routes_of_usages_are_not_for_peers_without(void **state)
{
	(void)state;
	load(SIDES PBX("") "  - {name: gw, kind: direct, listener: in, address: 10.0.0.3, "
			   "usages: [world]}\n" TRUNKS USAGES);
	assert_string_equal(decide("0301"), "c");
	assert_string_equal(result.route->name, "flat");
	assert_string_equal(decide_from("gw", "0301"), "b");
	assert_string_equal(decide_from("gw", "99"), "none");
}

static void a_usage_respects_from_and_the_trunk_rule(void **state)
{
	(void)state;
	load(SIDES PBX("") "  - {name: t, kind: trunk, listener: ex, address: 192.0.2.9, "
			   "usages: [local, world]}\n" TRUNKS USAGES);
	assert_string_equal(decide_from("t", "0301"), "a"); /* city alone names it */
	assert_string_equal(decide_from("t", "0049"), "denied");
}

static void a_route_goes_on_where_it_says_so(void **state)
{
	(void)state;
	load(SIDES PBX("") TRUNKS "routes:\n"
				  "  - {called: '1.*', to: [a], on_failure: next}\n"
				  "  - {called: '12', to: [b, a]}\n"
				  "  - {called: '1.', to: [c]}\n");
	assert_string_equal(decide("12"), "a | b");
	assert_string_equal(decide("13"), "a | c");
	assert_string_equal(decide("134"), "a");
}

/* ---- times ---- */

static int64_t utc(const char *text)
{
	struct tm tm = {0};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return timegm(&tm);
}

static void load_time(const char *keys)
{
	struct strbuf text = {0};

	strbuf_addf(&text,
		SIDES PBX("") TRUNKS "times: [{name: t, %s}]\n"
				     "routes: [{to: [a], times: t}, {to: [b]}]\n",
		keys);
	load(text.s);
	strbuf_free(&text);
}

static const char *at(const char *text)
{
	now = utc(text);
	return decide("1");
}

static void weekdays_and_hours_hold_in_their_zone(void **state)
{
	(void)state;
	load_time("days: mon-fri, hours: '08:00-18:00', zone: Europe/Berlin");
	/* Thursday, in winter: UTC+1 */
	assert_string_equal(at("2026-11-26 06:59:59"), "b");
	assert_string_equal(at("2026-11-26 07:00:00"), "a");
	assert_string_equal(at("2026-11-26 16:59:59"), "a");
	assert_string_equal(at("2026-11-26 17:00:00"), "b");
	/* Saturday */
	assert_string_equal(at("2026-11-28 12:00:00"), "b");
}

static void hours_follow_daylight_saving_time(void **state)
{
	(void)state;
	load_time("hours: '08:00-18:00', zone: Europe/Berlin");
	/* The clocks go forward on 2027-03-28 at 01:00 UTC, back on 2027-10-31. */
	assert_string_equal(at("2027-03-27 06:30:00"), "b");
	assert_string_equal(at("2027-03-28 06:30:00"), "a");
	assert_string_equal(at("2027-10-30 06:30:00"), "a");
	assert_string_equal(at("2027-10-31 06:30:00"), "b");
	load_time("hours: '01:30-03:30', zone: Europe/Berlin");
	assert_string_equal(at("2027-03-28 00:30:00"), "a");
	assert_string_equal(at("2027-03-28 01:00:00"), "a"); /* 03:00, the hour before is missing */
	assert_string_equal(at("2027-03-28 01:30:00"), "b");
	load_time("hours: '08:00-18:00', zone: America/New_York");
	assert_string_equal(at("2027-01-15 12:30:00"), "b");
	assert_string_equal(at("2027-07-15 12:30:00"), "a");
}

static void hours_past_midnight_belong_to_the_day_they_begin_on(void **state)
{
	(void)state;
	load_time("days: fri, hours: '22:00-06:00', zone: UTC");
	assert_string_equal(at("2026-11-27 21:59:00"), "b");
	assert_string_equal(at("2026-11-27 22:00:00"), "a"); /* Friday */
	assert_string_equal(at("2026-11-28 00:00:00"), "a");
	assert_string_equal(at("2026-11-28 05:59:59"), "a");
	assert_string_equal(at("2026-11-28 06:00:00"), "b");
	assert_string_equal(at("2026-11-27 05:00:00"), "b"); /* of Thursday */
	load_time("hours: ['00:00-24:00'], zone: UTC");
	assert_string_equal(at("2026-11-27 23:59:59"), "a");
	assert_string_equal(at("2026-11-27 00:00:00"), "a");
}

static void dates_and_exceptions_are_days_of_the_zone(void **state)
{
	(void)state;
	load_time("dates: [12-25, 2027-04-05], except: 2028-12-25, zone: Europe/Berlin");
	assert_string_equal(at("2026-12-24 22:59:59"), "b");
	assert_string_equal(at("2026-12-24 23:00:00"), "a");
	assert_string_equal(at("2027-12-25 12:00:00"), "a");
	assert_string_equal(at("2028-12-25 12:00:00"), "b");
	assert_string_equal(at("2027-04-05 12:00:00"), "a");
	assert_string_equal(at("2028-04-05 12:00:00"), "b");
	load_time("days: [mon, wed-thu], except: [11-26], zone: UTC");
	assert_string_equal(at("2026-11-25 12:00:00"), "a");
	assert_string_equal(at("2026-11-26 12:00:00"), "b");
	assert_string_equal(at("2026-11-27 12:00:00"), "b");
}

/* ---- what it costs ---- */

#ifdef __SANITIZE_ADDRESS__
#define MANY 2000
#else
#define MANY 10000
#endif

/* Routes to +1xxxx behind two that are not found by their beginning, or by one of many. */
static void load_many(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fputs(SIDES PBX("") TRUNKS "routes:\n  - {called: '.*#', to: [c]}\n"
				   "  - {called: '\\+1\\d{2}', to: [c]}\n",
		f);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(f, "  - {called: '\\+%u\\d{3,9}', to: [%c]}\n", 10000 + i, "abc"[i % 3]);
	fclose(f);
	load(text);
	free(text);
}

static void of_thousands_of_routes_a_call_runs_a_handful_of_patterns(void **state)
{
	(void)state;
	load_many();
	for (unsigned i = 0; i < MANY; i += 97) {
		unsigned long before = match_count;
		char called[32], peer[2] = {"abc"[i % 3]};

		snprintf(called, sizeof(called), "+%u1234", 10000 + i);
		assert_string_equal(decide(called), peer);
		assert_int_equal(result.route_index, i + 2);
		assert_int_equal(match_count - before, 3);
	}
	/* One more, where nothing matches. */
	match_count = 0;
	assert_string_equal(decide("+2"), "none");
	assert_int_equal(match_count, 1);
}

/* What the index leaves out is only what does not match. */
static void the_index_changes_no_decision(void **state)
{
	static const char *const heads[] = {"", "\\+", "\\+?", "0", "00?", "(?:0|1)", "[12]", ".*"};
	static const char *const tails[] = {
		".*", "\\d+", "\\d{2}", "1", "[3-5]?", "(2|3).*", "", "2{2,}"};
	unsigned long random = 7, routes = 200;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	fputs(SIDES PBX("") TRUNKS "routes:\n", f);
	for (unsigned i = 0; i < routes; i++) {
		random = random * 6364136223846793005ul + 1442695040888963407ul;
		fprintf(f, "  - {called: '%s%lu%s'%s, to: [a]}\n", heads[(random >> 40) % 8],
			(random >> 44) % 40, tails[(random >> 52) % 8],
			(random >> 57) % 4 ? "" : ", from: pbx");
	}
	fclose(f);
	load(text);
	free(text);
	for (unsigned i = 0; i < 4000; i++) {
		char number[16];
		unsigned first = 0;

		random = random * 6364136223846793005ul + 1442695040888963407ul;
		snprintf(number, sizeof(number), "%s%lu",
			i % 3   ? ""
			: i % 2 ? "+"
				: "0",
			(random >> 40) % (i % 5 ? 500 : 500000));
		while (first < routes &&
			match_number(&cfg->route[first].called, number, strlen(number)) <= 0)
			first++;
		decide(number);
		if (first == routes)
			assert_int_equal(result.verdict, ROUTE_NONE);
		else
			assert_int_equal(result.route_index, first);
	}
}

static void the_calling_number_finds_routes_too(void **state)
{
	struct route_query query = {.called = "1", .calling = "4930777"};

	(void)state;
	load(SIDES PBX("") TRUNKS
		"routes: [{calling: '4940.*', to: [a]}, {calling: '4941.*', to: [a]},\n"
		"  {calling: '4930.*', to: [b]}, {to: [c]}]\n");
	query.from = config_peer_by_name(cfg, "pbx");
	match_count = 0;
	route_find(cfg, &query, &result, NULL, NULL);
	assert_int_equal(result.route_index, 2);
	assert_int_equal(match_count, 1);
}

static void add_line(void *ctx, const char *line)
{
	unsigned *lines = ctx;

	(void)line;
	(*lines)++;
}

static void the_trace_of_thousands_of_routes_is_short(void **state)
{
	struct route_query query = {.calling = "", .called = "+100991234"};
	unsigned lines = 0;

	(void)state;
	load_many();
	query.from = config_peer_by_name(cfg, "pbx");
	route_find(cfg, &query, &result, add_line, &lines);
	assert_int_equal(result.verdict, ROUTE_FOUND);
	assert_true(lines < 8);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, unload)
	const struct CMUnitTest tests[] = {
		TEST(a_group_is_ordered_by_priority_then_cost_then_weight),
		TEST(chance_follows_the_weights),
		TEST(weight_0_comes_last_and_among_its_like_by_chance),
		TEST(beyond_24_peers_none_is_tried),
		TEST(usages_are_tried_in_the_order_of_the_peer),
		TEST(routes_of_usages_are_not_for_peers_without),
		TEST(a_usage_respects_from_and_the_trunk_rule),
		TEST(a_route_goes_on_where_it_says_so),
		TEST(weekdays_and_hours_hold_in_their_zone),
		TEST(hours_follow_daylight_saving_time),
		TEST(hours_past_midnight_belong_to_the_day_they_begin_on),
		TEST(dates_and_exceptions_are_days_of_the_zone),
		TEST(of_thousands_of_routes_a_call_runs_a_handful_of_patterns),
		TEST(the_index_changes_no_decision),
		TEST(the_calling_number_finds_routes_too),
		TEST(the_trace_of_thousands_of_routes_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
