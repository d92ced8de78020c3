/* SPDX-License-Identifier: BSD-2-Clause */
/* Nonces of our own: whose they are, how old, and that no count is taken twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "digest/nonce.h"

#define LIFETIME_MS 1000
#define NOW_MS      5000000

static struct nonces *open_nonces(void)
{
	struct nonces *n = NULL;

	assert_int_equal(nonces_new(&n), 0);
	return n;
}

static void a_nonce_has_its_time_and_its_realm(void **state)
{
	struct nonces *n = open_nonces(), *other = open_nonces();
	struct nonce_id id;
	char text[NONCE_LEN + 1], again[NONCE_LEN + 1];

	(void)state;
	nonce_make(n, text, "r", NOW_MS);
	nonce_make(n, again, "r", NOW_MS);
	assert_string_not_equal(text, again);
	assert_int_equal(strlen(text), NONCE_LEN);
	assert_int_equal(nonce_check(n, text, "r", NOW_MS, LIFETIME_MS, &id), NONCE_FRESH);
	assert_int_equal(id.made_ms, NOW_MS);
	assert_int_equal(nonce_check(n, text, "r", NOW_MS + 1000, LIFETIME_MS, &id), NONCE_FRESH);
	assert_int_equal(nonce_check(n, text, "r", NOW_MS + 1001, LIFETIME_MS, &id), NONCE_OLD);
	assert_int_equal(nonce_check(n, text, "r", NOW_MS - 1, LIFETIME_MS, &id), NONCE_OLD);
	assert_int_equal(nonce_check(n, text, "s", NOW_MS, LIFETIME_MS, &id), NONCE_FOREIGN);
	assert_int_equal(nonce_check(other, text, "r", NOW_MS, LIFETIME_MS, &id), NONCE_FOREIGN);
	nonces_free(n);
	nonces_free(other);
}

static void no_character_of_it_can_be_changed(void **state)
{
	struct nonces *n = open_nonces();
	char text[NONCE_LEN + 2];
	struct nonce_id id;

	(void)state;
	nonce_make(n, text, "r", NOW_MS);
	for (unsigned i = 0; i < NONCE_LEN; i++) {
		char was = text[i];

		text[i] = was == '0' ? '1' : '0';
		assert_int_equal(
			nonce_check(n, text, "r", NOW_MS, LIFETIME_MS, &id), NONCE_FOREIGN);
		text[i] = was;
	}
	assert_int_equal(nonce_check(n, text, "r", NOW_MS, LIFETIME_MS, &id), NONCE_FRESH);
	strcat(text, "0");
	assert_int_equal(nonce_check(n, text, "r", NOW_MS, LIFETIME_MS, &id), NONCE_FOREIGN);
	assert_int_equal(nonce_check(n, "", "r", NOW_MS, LIFETIME_MS, &id), NONCE_FOREIGN);
	nonces_free(n);
}

static void each_count_is_taken_once(void **state)
{
	struct nonces *n = open_nonces();
	struct nonce_id id = {.made_ms = NOW_MS, .number = 7};

	(void)state;
	assert_false(nonce_use(n, &id, 0));
	assert_true(nonce_use(n, &id, 1));
	assert_false(nonce_use(n, &id, 1));
	assert_true(nonce_use(n, &id, 5));
	assert_true(nonce_use(n, &id, 3));
	assert_false(nonce_use(n, &id, 3));
	assert_false(nonce_use(n, &id, 5));
	assert_true(nonce_use(n, &id, 68));
	assert_false(nonce_use(n, &id, 4)); /* too far behind to be told */
	assert_false(nonce_use(n, &id, 5));
	assert_true(nonce_use(n, &id, 6));
	assert_true(nonce_use(n, &id, UINT32_MAX));
	assert_false(nonce_use(n, &id, UINT32_MAX));
	assert_false(nonce_use(n, &id, 68));
	nonces_free(n);
}

static void a_nonce_that_lost_its_place_is_used_up(void **state)
{
	struct nonces *n = open_nonces();
	struct nonce_id first = {.made_ms = NOW_MS, .number = 7};
	struct nonce_id second = {.made_ms = NOW_MS + 1, .number = 7 + NONCES_TRACED};
	struct nonce_id third = {.made_ms = NOW_MS, .number = 7 + 2 * NONCES_TRACED};
	struct nonce_id newest = {.made_ms = NOW_MS + 2, .number = 7};

	(void)state;
	assert_true(nonce_use(n, &first, 1));
	assert_true(nonce_use(n, &second, 1));
	assert_false(nonce_use(n, &first, 1));
	assert_false(nonce_use(n, &first, 2));
	assert_false(nonce_use(n, &third, 1));
	assert_false(nonce_use(n, &second, 1));
	assert_true(nonce_use(n, &second, 2));
	assert_true(nonce_use(n, &newest, 1));
	assert_false(nonce_use(n, &second, 3));
	nonces_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_has_its_time_and_its_realm),
		cmocka_unit_test(no_character_of_it_can_be_changed),
		cmocka_unit_test(each_count_is_taken_once),
		cmocka_unit_test(a_nonce_that_lost_its_place_is_used_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
