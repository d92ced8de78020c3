/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"

#define PIECES 3000

static void pieces_are_apart_and_aligned(void **state)
{
	struct arena a = {0};
	unsigned char *piece[PIECES];

	(void)state;
	for (unsigned i = 0; i < PIECES; i++) {
		piece[i] = arena_take(&a, i % 97 + 1);
		assert_non_null(piece[i]);
		assert_int_equal((uintptr_t)piece[i] % _Alignof(max_align_t), 0);
		memset(piece[i], (int)(i % 251), i % 97 + 1);
	}
	for (unsigned i = 0; i < PIECES; i++) {
		for (unsigned j = 0; j < i % 97 + 1; j++)
			assert_int_equal(piece[i][j], i % 251);
	}
	assert_false(arena_failed(&a));
	arena_free(&a);
}

static void large_piece_has_a_block_of_its_own(void **state)
{
	struct arena a = {0};
	unsigned char *large;

	(void)state;
	arena_take(&a, 10);
	large = arena_array(&a, 1000, 1000);
	assert_non_null(large);
	for (unsigned i = 0; i < 1000 * 1000; i++)
		assert_int_equal(large[i], 0);
	arena_free(&a);
}

static void reset_gives_the_same_memory_again(void **state)
{
	struct arena a = {0};
	void *first = arena_take(&a, 100);

	(void)state;
	arena_reset(&a);
	assert_ptr_equal(arena_take(&a, 100), first);
	arena_free(&a);
}

static void size_that_cannot_be_fails_and_sticks_until_reset(void **state)
{
	struct arena a = {0};

	(void)state;
	assert_null(arena_array(&a, SIZE_MAX / 4, 8));
	assert_null(arena_take(&a, SIZE_MAX - 3));
	assert_non_null(arena_take(&a, 8));
	assert_true(arena_failed(&a));
	arena_reset(&a);
	assert_false(arena_failed(&a));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_apart_and_aligned),
		cmocka_unit_test(large_piece_has_a_block_of_its_own),
		cmocka_unit_test(reset_gives_the_same_memory_again),
		cmocka_unit_test(size_that_cannot_be_fails_and_sticks_until_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
