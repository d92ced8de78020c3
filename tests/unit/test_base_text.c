/* SPDX-License-Identifier: BSD-2-Clause */
/* strbuf, token, table, log: the small tools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "base/token.h"

static void a_strbuf_grows_and_stays_terminated(void **state)
{
	struct strbuf b = {0};

	(void)state;
	assert_null(b.s);
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%03d,", i);
	strbuf_addn(&b, "abc", 2);
	assert_int_equal(strbuf_error(&b), 0);
	assert_int_equal(b.len, 4002);
	assert_int_equal(strlen(b.s), b.len);
	assert_string_equal(b.s + 3996, "999,ab");
	strbuf_reset(&b);
	assert_string_equal(b.s, "");
	strbuf_free(&b);
	assert_null(b.s);
}

static void a_strbuf_past_its_limit_keeps_the_error(void **state)
{
	char *large = malloc(STRBUF_LIMIT);
	struct strbuf b = {0};

	(void)state;
	memset(large, 'x', STRBUF_LIMIT);
	strbuf_addn(&b, large, STRBUF_LIMIT - 1);
	assert_int_equal(strbuf_error(&b), 0);
	assert_int_equal(b.len, STRBUF_LIMIT - 1);
	strbuf_add(&b, "y");
	assert_int_equal(strbuf_error(&b), -EMSGSIZE);
	assert_int_equal(b.len, STRBUF_LIMIT - 1);
	strbuf_addf(&b, "%s", "");
	assert_int_equal(strbuf_error(&b), -EMSGSIZE);
	strbuf_reset(&b);
	strbuf_add(&b, "z");
	assert_int_equal(strbuf_error(&b), 0);
	assert_string_equal(b.s, "z");
	strbuf_addn(&b, large, SIZE_MAX);
	assert_int_equal(strbuf_error(&b), -EMSGSIZE);
	strbuf_free(&b);
	free(large);
}

static void tokens_use_their_alphabet_and_do_not_repeat(void **state)
{
	bool seen[256] = {0};
	char a[33], b[33];
	unsigned letters = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		token_make(a, 32);
		token_make(b, 32);
		assert_int_equal(strlen(a), 32);
		assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), 32);
		assert_string_not_equal(a, b);
		for (char *c = a; *c; c++)
			seen[(unsigned char)*c] = true;
	}
	for (int i = 0; i < 256; i++)
		letters += seen[i];
	assert_int_equal(letters, 32);
	token_make(a, 0);
	assert_string_equal(a, "");
	assert_true(token_random64() != token_random64());
}

struct entry {
	uint32_t key;
	UT_hash_handle hh;
};

static void a_table_finds_what_was_put_in(void **state)
{
	struct entry *table = NULL, *e, *next;
	unsigned n = 0;

	(void)state;
	table_add_failed = false;
	for (uint32_t i = 0; i < 5000; i++) {
		e = calloc(1, sizeof(*e));
		e->key = i;
		HASH_ADD(hh, table, key, sizeof(e->key), e);
	}
	assert_false(table_add_failed);
	for (uint32_t i = 0; i < 6000; i++) {
		HASH_FIND(hh, table, &i, sizeof(i), e);
		assert_int_equal(e != NULL, i < 5000);
	}
	HASH_ITER (hh, table, e, next) {
		HASH_DEL(table, e);
		free(e);
		n++;
	}
	assert_int_equal(n, 5000);
	assert_null(table);
}

static void the_hash_depends_on_every_byte_and_the_length(void **state)
{
	uint8_t key[24] = {0};
	uint32_t zero = table_hash(key, sizeof(key));

	(void)state;
	assert_int_equal(table_hash(key, sizeof(key)), zero);
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] = 1;
		assert_int_not_equal(table_hash(key, sizeof(key)), zero);
		key[i] = 0;
	}
	for (size_t len = 0; len < sizeof(key); len++)
		assert_int_not_equal(table_hash(key, len), zero);
}

static void a_log_limit_lets_a_burst_through(void **state)
{
	struct log_limit limit = {0};
	unsigned passed = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		passed += log_limit_ok(&limit);
	assert_int_equal(passed, LOG_LIMIT_BURST);
	assert_int_equal(limit.suppressed, 1000 - LOG_LIMIT_BURST);
}

static void log_levels_have_their_names(void **state)
{
	enum log_level level;

	(void)state;
	for (enum log_level l = LOG_LEVEL_ERROR; l <= LOG_LEVEL_DEBUG; l++) {
		assert_int_equal(log_level_parse(&level, log_level_name(l)), 0);
		assert_int_equal(level, l);
	}
	assert_int_equal(log_level_parse(&level, "loud"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_strbuf_grows_and_stays_terminated),
		cmocka_unit_test(a_strbuf_past_its_limit_keeps_the_error),
		cmocka_unit_test(tokens_use_their_alphabet_and_do_not_repeat),
		cmocka_unit_test(a_table_finds_what_was_put_in),
		cmocka_unit_test(the_hash_depends_on_every_byte_and_the_length),
		cmocka_unit_test(a_log_limit_lets_a_burst_through),
		cmocka_unit_test(log_levels_have_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
