/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the program looks first for an address of ours. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "dataplane/locals.h"

#define ROUNDS 200

static struct vd_local local_of(uint32_t low, uint32_t base)
{
	struct vd_local local = {.ifindex = 1, .family = 4, .port_base = base};

	memcpy(local.addr + 12, &low, sizeof(low));
	return local;
}

static unsigned likely_of(const struct vd_locals *locals, uint32_t low)
{
	return locals->likely[VD_LOCALS_LIKELY_AT(low, locals->factor)];
}

/* Neighbours, as addresses of one host are, and any. */
static void each_address_has_a_place_of_its_own(void **state)
{
	uint32_t seed = 7, low[VD_LOCALS_MAX];

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct vd_locals locals = {.count = VD_LOCALS_MAX};
		unsigned found = 0;

		for (unsigned i = 0; i < VD_LOCALS_MAX; i++) {
			seed = seed * 1664525u + 1013904223u;
			low[i] = round % 2 ? seed : round << 8 | i << 24 | 10;
			locals.local[i] = local_of(low[i], i);
		}
		locals_spread(&locals);
		assert_int_equal(locals.factor & 1, 1);
		for (unsigned i = 0; i < VD_LOCALS_MAX; i++)
			found += likely_of(&locals, low[i]) == i;
		/* Of sixteen, a few may have to be looked for. */
		assert_in_range(found, VD_LOCALS_MAX - 3, VD_LOCALS_MAX);
	}
}

static void the_first_of_an_address_that_stands_there_twice_is_likely(void **state)
{
	struct vd_locals locals = {.count = 4};

	(void)state;
	locals.local[0] = local_of(1, 0);
	locals.local[1] = local_of(2, 1);
	locals.local[1].ifindex = 0; /* given up */
	locals.local[2] = local_of(2, 2);
	locals.local[3] = local_of(2, 3);
	locals_spread(&locals);
	assert_int_equal(likely_of(&locals, 1), 0);
	assert_int_equal(likely_of(&locals, 2), 2);
}

static void two_addresses_of_a_family_on_a_side_are_worth_a_guess(void **state)
{
	static struct config cfg;
	struct side_config *side = &cfg.side[1];

	(void)state;
	side->address_count = 2;
	side->address[0].local.family = 4;
	side->address[1].local.family = 6;
	cfg.side[0].address_count = 1;
	cfg.side[0].address[0].local.family = 4;
	assert_false(locals_want_guesses(&cfg));
	side->address[1].local.family = 4;
	assert_true(locals_want_guesses(&cfg));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_has_a_place_of_its_own),
		cmocka_unit_test(the_first_of_an_address_that_stands_there_twice_is_likely),
		cmocka_unit_test(two_addresses_of_a_family_on_a_side_are_worth_a_guess),
	};

	return cmocka_run_group_tests_name("dataplane likely", tests, NULL, NULL);
}
