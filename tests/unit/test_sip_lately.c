/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sip/known.h"
#include "sip/lately.h"

#define FOR_MS 32000
#define NOW_MS 1000000

static void a_request_is_known_for_a_while_with_its_code(void **state)
{
	struct lately l = {0};

	(void)state;
	assert_int_equal(lately_code(&l, 7, NOW_MS, FOR_MS), 0);
	lately_add(&l, 7, NOW_MS, 503);
	lately_add(&l, 0, NOW_MS, 483);
	assert_int_equal(lately_code(&l, 7, NOW_MS + FOR_MS - 1, FOR_MS), 503);
	assert_int_equal(lately_code(&l, 0, NOW_MS, FOR_MS), 483);
	assert_int_equal(lately_code(&l, 7 + LATELY_SETS, NOW_MS, FOR_MS), 0);
	assert_int_equal(lately_code(&l, 7, NOW_MS + FOR_MS, FOR_MS), 0);
	lately_free(&l);
	assert_int_equal(lately_code(&l, 7, NOW_MS, FOR_MS), 0);
}

static void of_one_set_the_oldest_gives_way(void **state)
{
	struct lately l = {0};

	(void)state;
	for (unsigned i = 0; i <= LATELY_WAYS; i++)
		lately_add(&l, 5 + (uint64_t)i * LATELY_SETS, NOW_MS + i, 503);
	assert_int_equal(lately_code(&l, 5, NOW_MS + LATELY_WAYS, FOR_MS), 0);
	for (unsigned i = 1; i <= LATELY_WAYS; i++)
		assert_int_equal(lately_code(&l, 5 + (uint64_t)i * LATELY_SETS,
					 NOW_MS + LATELY_WAYS, FOR_MS),
			503);
	lately_free(&l);
}

static void the_clock_that_is_kept_may_come_round(void **state)
{
	uint64_t before = UINT32_MAX - 10;
	struct lately l = {0};

	(void)state;
	lately_add(&l, 7, before, 503);
	assert_int_equal(lately_code(&l, 7, before + 100, FOR_MS), 503);
	assert_int_equal(lately_code(&l, 7, before + FOR_MS, FOR_MS), 0);
	lately_free(&l);
}

static void what_is_known_is_found_until_the_last_of_its_kind_is_gone(void **state)
{
	struct known k = {0};

	(void)state;
	assert_false(known_may_be(&k, 7));
	known_drop(&k, 7);
	known_add(&k, 7);
	known_add(&k, 7 + KNOWN_SLOTS);
	assert_true(known_may_be(&k, 7));
	assert_false(known_may_be(&k, 8));
	known_drop(&k, 7);
	assert_true(known_may_be(&k, 7));
	known_drop(&k, 7);
	assert_false(known_may_be(&k, 7));
	known_free(&k);
	assert_false(known_may_be(&k, 7));
}

/* Rather one look too many than a transaction that is taken for a new one. */
static void more_than_can_be_counted_stay_known(void **state)
{
	struct known k = {0};

	(void)state;
	for (unsigned i = 0; i <= UINT8_MAX; i++)
		known_add(&k, 7);
	for (unsigned i = 0; i <= UINT8_MAX; i++)
		known_drop(&k, 7);
	assert_true(known_may_be(&k, 7));
	known_free(&k);
	k.failed = true; /* no memory for it */
	assert_true(known_may_be(&k, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clock_that_is_kept_may_come_round),
		cmocka_unit_test(what_is_known_is_found_until_the_last_of_its_kind_is_gone),
		cmocka_unit_test(more_than_can_be_counted_stay_known),
		cmocka_unit_test(a_request_is_known_for_a_while_with_its_code),
		cmocka_unit_test(of_one_set_the_oldest_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
