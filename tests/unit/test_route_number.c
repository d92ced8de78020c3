/* SPDX-License-Identifier: BSD-2-Clause */
/* Number rules: which is applied, what becomes of the number, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "config_text.h"
#include "route/number.h"

#define HEAD                                                                                       \
	"sides: {internal: {device: a, addresses: [10.0.0.1]},\n"                                  \
	"  external: {device: b, addresses: [192.0.2.1]}}\n"                                       \
	"listeners: [{name: in, side: internal, transport: udp}]\n"
#define PEER "peers:\n  - {name: p, kind: direct, listener: in, address: 10.0.0.2, numbers: {"

static struct config *cfg;
static struct strbuf lines;

static void add_line(void *ctx, const char *line)
{
	strbuf_addf(ctx, "%s\n", line);
}

static void load(const char *numbers, const char *sets)
{
	struct strbuf text = {0};

	strbuf_addf(&text, HEAD PEER "%s}}\n%s", numbers, sets);
	config_unref(cfg);
	cfg = load_good(text.s);
	strbuf_free(&text);
}

static int unload(void **state)
{
	(void)state;
	config_unref(cfg);
	cfg = NULL;
	strbuf_free(&lines);
	return 0;
}

/* The number that came of it, "refused" where none did. */
static const char *in(enum number_kind kind, const char *number)
{
	static char out[NUMBER_MAX + 1];

	strbuf_reset(&lines);
	return number_in(&cfg->peer[0], kind, number, out, add_line, &lines) ? "refused" : out;
}

static const char *out(enum number_kind kind, const char *number)
{
	static char text[NUMBER_MAX + 1];

	strbuf_reset(&lines);
	return number_out(&cfg->peer[0], kind, number, text, add_line, &lines) ? "refused" : text;
}

static void the_first_rule_that_matches_the_whole_number_is_applied(void **state)
{
	(void)state;
	load("called_in: [{match: '00(\\d+)', replace: '+$1'}, {match: '0(\\d+)', replace: "
	     "'+49$1'},"
	     " {match: '\\d{2}', replace: '+4930$0'}]",
		"");
	assert_string_equal(in(NUMBER_CALLED, "0044123"), "+44123");
	assert_string_equal(in(NUMBER_CALLED, "030123"), "+4930123");
	assert_string_equal(in(NUMBER_CALLED, "12"), "+493012");
	assert_string_equal(in(NUMBER_CALLED, "123"), "123");
	assert_string_equal(in(NUMBER_CALLED, "x0044123"), "x0044123");
	assert_string_equal(in(NUMBER_CALLED, ""), "");
}

static void each_direction_and_number_has_its_own_rules(void **state)
{
	(void)state;
	load("called_in: [{match: '1', replace: '11'}], calling_in: [{match: '1', replace: '12'}],"
	     " called_out: [{match: '1', replace: '13'}],"
	     " calling_out: [{match: '1', replace: '14'}]",
		"");
	assert_string_equal(in(NUMBER_CALLED, "1"), "11");
	assert_string_equal(in(NUMBER_CALLING, "1"), "12");
	assert_string_equal(out(NUMBER_CALLED, "1"), "13");
	assert_string_equal(out(NUMBER_CALLING, "1"), "14");
}

static void groups_and_dollar_signs_are_replaced(void **state)
{
	(void)state;
	load("called_in: [{match: '(a)(b)?(.*)', replace: '$3$2$1$10$$$0'}]", "");
	assert_string_equal(in(NUMBER_CALLED, "abc"), "cbaa0$abc");
	assert_string_equal(in(NUMBER_CALLED, "ac"), "caa0$ac");
}

static void a_set_stands_where_it_is_used(void **state)
{
	(void)state;
	load("called_in: [{match: '1', replace: 'own'}, {use: de}, {match: '3', replace: 'late'}]",
		"number_rules:\n  - {name: de, rules: [{match: '[12]', replace: 'set'},"
		" {match: '3', replace: 'early'}]}\n");
	assert_string_equal(in(NUMBER_CALLED, "1"), "own");
	assert_string_equal(in(NUMBER_CALLED, "2"), "set");
	assert_string_equal(in(NUMBER_CALLED, "3"), "early");
	assert_int_equal(cfg->peer[0].numbers.called_in.count, 4);
}

static void the_plus_is_removed_after_the_outbound_rules(void **state)
{
	(void)state;
	load("remove_plus: true, called_out: [{match: '00(.*)', replace: '+$1'}]", "");
	assert_string_equal(out(NUMBER_CALLED, "0049"), "49");
	assert_string_equal(lines.s,
		"p called_out[0] \"\": \"0049\" matches 00(.*) and becomes \"+49\"\n"
		"p remove_plus: called becomes \"49\"\n");
	assert_string_equal(out(NUMBER_CALLING, "+4930"), "4930");
	assert_string_equal(out(NUMBER_CALLING, "4930+"), "4930+");
	assert_string_equal(in(NUMBER_CALLED, "+49"), "+49");
}

static void a_result_that_is_no_number_is_refused_not_passed_over(void **state)
{
	char longest[NUMBER_MAX + 2];

	(void)state;
	load("called_in: [{name: add, match: '(.*)1', replace: '00$1'}, {match: '2', replace: ''},"
	     " {match: '(.*)3', replace: '$1'}], calling_in: [{match: '2', replace: ''}]",
		"");
	memset(longest, '1', sizeof(longest));
	longest[NUMBER_MAX] = '\0';
	assert_string_equal(in(NUMBER_CALLED, longest), "refused");
	assert_non_null(strstr(lines.s, "refused, gives no number"));
	longest[NUMBER_MAX - 1] = '\0';
	assert_int_equal(strlen(in(NUMBER_CALLED, longest)), NUMBER_MAX);
	assert_string_equal(in(NUMBER_CALLED, "2"), "refused");
	assert_string_equal(in(NUMBER_CALLING, "2"), "");
	assert_string_equal(in(NUMBER_CALLED, "a b3"), "refused");
	assert_string_equal(in(NUMBER_CALLED, "a;b3"), "refused");
	assert_string_equal(in(NUMBER_CALLED, "a\tb3"), "refused");
	assert_string_equal(in(NUMBER_CALLED, "a#b3"), "a#b");
	memset(longest, '9', sizeof(longest));
	longest[NUMBER_MAX + 1] = '\0';
	assert_string_equal(in(NUMBER_CALLED, longest), "refused");
}

static void matching_that_is_given_up_refuses_the_number(void **state)
{
	char number[NUMBER_MAX + 1];

	(void)state;
	load("called_in: [{match: '(1+)+(1+)+(1+)+2', replace: '9'}, {match: '.*', replace: '8'}]",
		"");
	memset(number, '1', NUMBER_MAX);
	number[NUMBER_MAX - 2] = '3';
	number[NUMBER_MAX - 1] = '2';
	number[NUMBER_MAX] = '\0';
	assert_string_equal(in(NUMBER_CALLED, number), "refused");
	assert_non_null(strstr(lines.s, "was given up against"));
	assert_string_equal(in(NUMBER_CALLED, "13"), "8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_rule_that_matches_the_whole_number_is_applied),
		cmocka_unit_test(each_direction_and_number_has_its_own_rules),
		cmocka_unit_test(groups_and_dollar_signs_are_replaced),
		cmocka_unit_test(a_set_stands_where_it_is_used),
		cmocka_unit_test(the_plus_is_removed_after_the_outbound_rules),
		cmocka_unit_test(a_result_that_is_no_number_is_refused_not_passed_over),
		cmocka_unit_test(matching_that_is_given_up_refuses_the_number),
	};

	return cmocka_run_group_tests(tests, NULL, unload);
}
