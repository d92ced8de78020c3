/* SPDX-License-Identifier: BSD-2-Clause */
/* The literal beginnings of patterns: what they are, and that no number that matches is missed. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/prefixes.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* As "a b c", sorted; "" for the empty one. */
static const char *beginnings(const char *pattern)
{
	static char text[PREFIXES_MAX * (PREFIX_MAX + 2)];
	char one[PREFIXES_MAX][PREFIX_MAX + 1];
	struct prefixes p;

	prefixes_of(&p, pattern);
	assert_in_range(p.count, 1, PREFIXES_MAX);
	for (unsigned i = 0; i < p.count; i++) {
		memcpy(one[i], p.one[i].text, p.one[i].len);
		one[i][p.one[i].len] = '\0';
	}
	qsort(one, p.count, sizeof(one[0]), by_text);
	text[0] = '\0';
	for (unsigned i = 0; i < p.count; i++)
		strcat(strcat(text, i ? " " : ""), one[i]);
	return text;
}

static void literal_beginnings_are_found(void **state)
{
	(void)state;
	assert_string_equal(beginnings("\\+49.*"), "+49");
	assert_string_equal(beginnings("0049\\d+"),
		"00490 00491 00492 00493 00494 00495 00496 00497 00498 00499");
	assert_string_equal(beginnings("\\+?1[2-4]\\d{9}"), "+12 +13 +14 12 13 14");
	assert_string_equal(beginnings("110|112"), "110 112");
	assert_string_equal(beginnings("(?:0|00)49"), "0049 049");
	assert_string_equal(beginnings("1(1|2)?3"), "113 123 13");
	assert_string_equal(beginnings("49{3}.*"), "4999");
	assert_string_equal(beginnings("(12){2,}9"), "1212");
	assert_string_equal(beginnings("12+3"), "12");
	assert_string_equal(beginnings("12*3"), "1");
	assert_string_equal(beginnings("12??3"), "123 13");
	assert_string_equal(beginnings("^123$"), "123");
	assert_string_equal(beginnings("\\*21\\*.*#"), "*21*");
	assert_string_equal(beginnings("[+0]49"), "+49 049");
	assert_string_equal(beginnings("123456789012345678"), "123456789012345");
	assert_string_equal(beginnings("alice"), "alice");
	assert_string_equal(beginnings("4|49|5"), "4 5");
}

static void what_may_begin_with_anything_has_the_empty_one(void **state)
{
	static const char *const patterns[] = {".*", "[0-9]*1", "\\w+", "", "(?i)ab", "(a)\\1",
		"(?=12)1.*", "1|", "[^0-9]1", "\\Q1.\\E", "(?<n>12)", "[[:digit:]]1", "1?",
		"(?>12)", "x{0}.*", "12|\\x31", "a|^b"};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		assert_string_equal(beginnings(patterns[i]), "");
	assert_string_equal(beginnings(NULL), "");
}

static void too_many_beginnings_are_cut_before_they_branch(void **state)
{
	struct prefixes p;

	(void)state;
	assert_string_equal(beginnings("7[0-9][0-9][0-9]"), "70 71 72 73 74 75 76 77 78 79");
	prefixes_of(&p, "(((((((((((((((((((1)))))))))))))))))))");
	assert_int_equal(p.one[0].len, 0); /* nested too deep to be looked into */
}

/* ---- no number is missed ---- */

static unsigned long seed = 20261126;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(seed >> 33) % n;
}

static void append_pattern(char *text, unsigned depth)
{
	static const char *const atoms[] = {"1", "2", "3", "12", ".", "\\d", "[12]", "[^1]",
		"[1-3]", "\\+", "[\\d+]", "$", "\\w"};
	static const char *const quantifiers[] = {
		"", "", "", "", "?", "*", "+", "{2}", "{1,2}", "{0,1}", "{2,}", "??", "*+", "{0}"};
	unsigned count = 1 + pick(4);

	for (unsigned i = 0; i < count; i++) {
		if (depth < 3 && pick(4) == 0) {
			strcat(text, pick(2) ? "(" : "(?:");
			append_pattern(text, depth + 1);
			strcat(text, ")");
		} else {
			strcat(text, atoms[pick(sizeof(atoms) / sizeof(atoms[0]))]);
		}
		strcat(text, quantifiers[pick(sizeof(quantifiers) / sizeof(quantifiers[0]))]);
		if (pick(8) == 0)
			strcat(text, "|");
	}
}

static bool begins_with_one(const char *number, const struct prefixes *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (strncmp(number, p->one[i].text, p->one[i].len) == 0)
			return true;
	}
	return false;
}

static void a_number_that_matches_begins_with_one_of_them(void **state)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	unsigned matched = 0, narrow = 0;

	(void)state;
	for (unsigned i = 0; i < 6000; i++) {
		char pattern[4096] = "";
		struct prefixes p;
		PCRE2_SIZE offset;
		pcre2_code *code;
		int error;

		append_pattern(pattern, 0);
		code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
			PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &offset, NULL);
		if (!code)
			continue;
		prefixes_of(&p, pattern);
		narrow += p.one[0].len > 0;
		for (unsigned j = 0; j < 40; j++) {
			char number[8] = "";
			unsigned len = pick(8);

			for (unsigned k = 0; k < len; k++)
				number[k] = "123+"[pick(4)];
			if (pcre2_match(code, (PCRE2_SPTR)number, len, 0, 0, data, NULL) < 0)
				continue;
			matched++;
			if (!begins_with_one(number, &p))
				fail_msg("%s matches %s, which begins with none of: %s", number,
					pattern, beginnings(pattern));
		}
		pcre2_code_free(code);
	}
	pcre2_match_data_free(data);
	/* That it was tested at all. */
	assert_true(matched > 5000 && narrow > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literal_beginnings_are_found),
		cmocka_unit_test(what_may_begin_with_anything_has_the_empty_one),
		cmocka_unit_test(too_many_beginnings_are_cut_before_they_branch),
		cmocka_unit_test(a_number_that_matches_begins_with_one_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
