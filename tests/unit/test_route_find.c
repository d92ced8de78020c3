/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "base/strbuf.h"
#include "config_text.h"
#include "route/route.h"

#define HEAD                                                                                       \
	"sides: {internal: {device: a, addresses: [10.0.0.1]},\n"                                  \
	"  external: {device: b, addresses: [192.0.2.1]}}\n"                                       \
	"listeners: [{name: in, side: internal, transport: udp},\n"                                \
	"  {name: ex, side: external, transport: udp}]\n"                                          \
	"peers: [{name: pbx, kind: direct, listener: in, address: 10.0.0.2},\n"                    \
	"  {name: gw, kind: direct, listener: in, address: 10.0.0.3},\n"                           \
	"  {name: itsp-a, kind: trunk, listener: ex, address: 192.0.2.2},\n"                       \
	"  {name: itsp-b, kind: trunk, listener: ex, address: 192.0.2.3}]\n"                       \
	"routes:\n"

static struct config *cfg;
static struct route_result result; /* of the last decision */

static void add_line(void *ctx, const char *line)
{
	strbuf_addf(ctx, "%s\n", line);
}

/* The decision as text: "1 itsp-a itsp-b", "denied 3", "none"; with the trace where asked. */
static const char *decide_calling(
	const char *from, const char *calling, const char *called, struct strbuf *trace)
{
	const struct route_query query = {
		.from = config_peer_by_name(cfg, from), .calling = calling, .called = called};
	static char text[256];
	size_t n;

	route_find(cfg, &query, &result, trace ? add_line : NULL, trace);
	switch (result.verdict) {
	case ROUTE_NONE:
		assert_null(result.route);
		return "none";
	case ROUTE_DENIED:
		assert_ptr_equal(result.route, &cfg->route[result.route_index]);
		snprintf(text, sizeof(text), "denied %u", result.route_index);
		return text;
	case ROUTE_FOUND:
		n = (size_t)snprintf(text, sizeof(text), "%u", result.route_index);
		for (unsigned i = 0; i < result.candidate_count; i++)
			n += (size_t)snprintf(
				text + n, sizeof(text) - n, " %s", result.candidate[i].peer->name);
		assert_ptr_equal(result.route, &cfg->route[result.route_index]);
		return text;
	}
	return NULL;
}

static const char *decide(const char *from, const char *called, struct strbuf *trace)
{
	return decide_calling(from, "", called, trace);
}

/* Loads other routes for one test; load_others(NULL) brings the first ones back. */
static void load_others(const char *text)
{
	static struct config *kept;

	if (text) {
		kept = cfg;
		cfg = load_good(text);
	} else {
		config_unref(cfg);
		cfg = kept;
	}
}

static int load(void **state)
{
	(void)state;
	cfg = load_good(
		HEAD "  - {name: out, from: pbx, called: '\\+?[0-9]{3,5}', to: [itsp-a, itsp-b]}\n"
		     "  - {name: mixed, called: '8.*', to: [itsp-a, gw, itsp-b]}\n"
		     "  - {name: emergency, from: any, called: '110|112', to: [gw]}\n"
		     "  - {name: toll, called: '00.*', to: [itsp-b]}\n"
		     "  - {name: transit, from: itsp-a, called: '44.*', to: [itsp-b],\n"
		     "     trunk_to_trunk: true}\n"
		     "  - {name: in, from: itsp-a, to: [pbx]}\n");
	return 0;
}

static int unload(void **state)
{
	(void)state;
	config_unref(cfg);
	return 0;
}

static void the_first_route_that_fits_is_taken_in_file_order(void **state)
{
	(void)state;
	assert_string_equal(decide("pbx", "+4930", NULL), "0 itsp-a itsp-b");
	assert_string_equal(decide("pbx", "112", NULL), "0 itsp-a itsp-b");
	assert_string_equal(decide("gw", "112", NULL), "2 gw");
	assert_string_equal(decide("itsp-a", "112", NULL), "2 gw");
	assert_string_equal(decide("itsp-a", "anything", NULL), "5 pbx");
	assert_string_equal(decide("itsp-a", "", NULL), "5 pbx");
	assert_string_equal(decide("gw", "4930", NULL), "none");
	assert_string_equal(decide("itsp-b", "4930", NULL), "none");
}

static void the_pattern_covers_the_whole_number(void **state)
{
	(void)state;
	assert_string_equal(decide("pbx", "12", NULL), "none");
	assert_string_equal(decide("pbx", "123456", NULL), "none");
	assert_string_equal(decide("pbx", "x1234", NULL), "none");
	assert_string_equal(decide("pbx", "1234\n", NULL), "none");
	assert_string_equal(decide("gw", "1123", NULL), "none");
	assert_string_equal(decide("gw", "1112", NULL), "none");
}

static void external_to_external_is_denied_unless_the_route_says_so(void **state)
{
	(void)state;
	assert_string_equal(decide("itsp-a", "0012", NULL), "denied 3");
	assert_string_equal(decide("itsp-b", "0012", NULL), "denied 3");
	assert_string_equal(decide("gw", "0012", NULL), "3 itsp-b");
	assert_string_equal(decide("itsp-a", "4420", NULL), "4 itsp-b");
}

static void denied_targets_are_left_out_of_a_mixed_route(void **state)
{
	(void)state;
	assert_string_equal(decide("itsp-b", "81", NULL), "1 gw");
	assert_string_equal(decide("gw", "81", NULL), "1 itsp-a gw itsp-b");
}

static void the_trace_tells_each_step(void **state)
{
	struct strbuf trace = {0};

	(void)state;
	decide("itsp-b", "81", &trace);
	assert_string_equal(trace.s,
		"routes[1] \"mixed\": from any, called \"81\" matches 8.*\n"
		"itsp-a left out: external to external without trunk_to_trunk\n"
		"itsp-b left out: external to external without trunk_to_trunk\n"
		"1 of 6 routes came into question\n"
		"found: try gw\n");
	strbuf_reset(&trace);
	decide("gw", "8\x1b", &trace);
	assert_non_null(strstr(trace.s, "called \"8?\" matches 8.*\n"));
	strbuf_reset(&trace);
	decide("itsp-b", "9", &trace);
	assert_string_equal(trace.s, "0 of 6 routes came into question\nno route matches\n");
	strbuf_reset(&trace);
	decide("itsp-b", "001", &trace);
	assert_non_null(strstr(trace.s, "denied: no peer is left\n"));
	strbuf_free(&trace);
}

static void a_number_that_is_too_long_matches_nothing(void **state)
{
	char called[ROUTE_NUMBER_MAX + 2];

	(void)state;
	memset(called, '8', sizeof(called));
	called[ROUTE_NUMBER_MAX + 1] = '\0';
	assert_string_equal(decide("gw", called, NULL), "none");
	called[ROUTE_NUMBER_MAX] = '\0';
	assert_string_equal(decide("gw", called, NULL), "1 itsp-a gw itsp-b");
}

static void a_number_made_to_backtrack_is_given_up_quickly(void **state)
{
	struct config *kept = cfg;
	char called[ROUTE_NUMBER_MAX + 1];
	struct timespec a, b;
	struct strbuf trace = {0};

	(void)state;
	cfg = load_good(HEAD "  - {called: '(1+)+(1+)+(1+)+2', to: [gw]}\n"
			     "  - {called: '1.*', to: [pbx]}\n");
	memset(called, '1', ROUTE_NUMBER_MAX);
	called[ROUTE_NUMBER_MAX - 2] = '3';
	called[ROUTE_NUMBER_MAX - 1] = '2'; /* else pcre2 sees at once that no 2 is there */
	called[ROUTE_NUMBER_MAX] = '\0';
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_string_equal(decide("gw", called, &trace), "1 pbx");
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_non_null(strstr(trace.s, "was given up against"));
	assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 200);
	strbuf_free(&trace);
	config_unref(cfg);
	cfg = kept;
}

static void without_routes_nothing_is_found(void **state)
{
	(void)state;
	load_others(HEAD "  []\n");
	assert_string_equal(decide("gw", "1", NULL), "none");
	load_others(NULL);
}

static void a_route_is_of_one_peer_of_several_or_of_all(void **state)
{
	(void)state;
	load_others(HEAD "  - {from: [gw, pbx], called: '1', to: [itsp-a]}\n"
			 "  - {from: [pbx], called: '2', to: [itsp-b]}\n");
	assert_string_equal(decide("pbx", "1", NULL), "0 itsp-a");
	assert_string_equal(decide("gw", "1", NULL), "0 itsp-a");
	assert_string_equal(decide("itsp-a", "1", NULL), "none");
	assert_string_equal(decide("pbx", "2", NULL), "1 itsp-b");
	assert_string_equal(decide("gw", "2", NULL), "none");
	load_others(NULL);
}

static void the_calling_number_can_decide(void **state)
{
	struct strbuf trace = {0};

	(void)state;
	load_others(HEAD "  - {called: '9.*', calling: '30\\d\\d', to: [itsp-a]}\n"
			 "  - {calling: '31.*', to: [itsp-b]}\n");
	assert_string_equal(decide_calling("pbx", "3012", "99", NULL), "0 itsp-a");
	assert_string_equal(decide_calling("pbx", "3112", "99", &trace), "1 itsp-b");
	assert_non_null(strstr(trace.s, "calling \"3112\" does not match 30\\d\\d"));
	assert_string_equal(decide_calling("pbx", "", "99", NULL), "none");
	strbuf_free(&trace);
	load_others(NULL);
}

static void emergency_calls_have_routes_of_their_own_before_all_others(void **state)
{
	(void)state;
	load_others(HEAD "  - {from: pbx, called: '1.*', to: [itsp-b, gw]}\n"
			 "  - {from: pbx, emergency: true, to: [gw]}\n"
			 "  - {from: pbx, called: '112', emergency: true, to: [itsp-a]}\n"
			 "emergency: [110, '112']\n");
	assert_string_equal(decide("pbx", "112", NULL), "1 gw itsp-a itsp-b");
	assert_true(result.is_emergency);
	assert_int_equal(result.candidate[0].priority, 0);
	assert_int_equal(result.candidate[1].priority, 1);
	assert_int_equal(result.candidate[2].priority, 2);
	assert_string_equal(decide("pbx", "1120", NULL), "0 itsp-b gw");
	assert_false(result.is_emergency);
	assert_int_equal(result.candidate[1].priority, 0);
	assert_string_equal(decide("gw", "112", NULL), "none");
	assert_true(route_is_emergency(cfg, "110"));
	assert_false(route_is_emergency(cfg, "11"));
	load_others(NULL);
}

static void a_number_is_an_emergency_as_dialled_too(void **state)
{
	struct route_query query = {.calling = "", .called = "+49112", .dialled = "112"};

	(void)state;
	load_others(HEAD "  - {emergency: true, to: [gw]}\nemergency: ['112']\n");
	query.from = config_peer_by_name(cfg, "pbx");
	route_find(cfg, &query, &result, NULL, NULL);
	assert_int_equal(result.verdict, ROUTE_FOUND);
	assert_true(result.is_emergency);
	load_others(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_route_that_fits_is_taken_in_file_order),
		cmocka_unit_test(the_pattern_covers_the_whole_number),
		cmocka_unit_test(external_to_external_is_denied_unless_the_route_says_so),
		cmocka_unit_test(denied_targets_are_left_out_of_a_mixed_route),
		cmocka_unit_test(the_trace_tells_each_step),
		cmocka_unit_test(a_number_that_is_too_long_matches_nothing),
		cmocka_unit_test(a_number_made_to_backtrack_is_given_up_quickly),
		cmocka_unit_test(without_routes_nothing_is_found),
		cmocka_unit_test(a_route_is_of_one_peer_of_several_or_of_all),
		cmocka_unit_test(the_calling_number_can_decide),
		cmocka_unit_test(emergency_calls_have_routes_of_their_own_before_all_others),
		cmocka_unit_test(a_number_is_an_emergency_as_dialled_too),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
