/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "test_media_room.h"

static struct port_pool *pool_of(uint16_t min, uint16_t max)
{
	struct side_address address = {.local = test_addr("192.0.2.1")};
	struct port_pool *pool;

	assert_int_equal(port_pool_new(&pool, SIDE_EXTERNAL, &address, min, max), 0);
	return pool;
}

static void pairs_are_even_distinct_and_within_the_range(void **state)
{
	struct port_pool *pool = pool_of(20000, 20099);
	bool seen[65536] = {false};
	uint16_t port;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(port_pool_take(pool, 0, &port), 0);
		assert_int_equal(port % 2, 0);
		assert_true(port >= 20000 && port < 20099);
		assert_false(seen[port]);
		seen[port] = true;
	}
	assert_int_equal(port_pool_take(pool, 0, &port), -ENOSPC);
	port_pool_free(pool);
}

static void odd_ends_of_a_range_are_left_out(void **state)
{
	struct port_pool *pool = pool_of(20001, 20006);
	struct port_pool_status st;
	uint16_t port, sum = 0;

	(void)state;
	port_pool_get_status(pool, 0, &st);
	assert_int_equal(st.total, 4);
	while (!port_pool_take(pool, 0, &port))
		sum = (uint16_t)(sum + port - 20000);
	assert_int_equal(sum, 2 + 4);
	port_pool_free(pool);
	pool = pool_of(0, 65535);
	port_pool_get_status(pool, 0, &st);
	assert_int_equal(st.total, 65534); /* never port 0, which means "rejected" */
	port_pool_free(pool);
}

static void a_pair_rests_for_the_quarantine(void **state)
{
	struct port_pool *pool = pool_of(20000, 20001);
	struct port_pool_status st;
	uint16_t port;

	(void)state;
	assert_int_equal(port_pool_take(pool, 100, &port), 0);
	port_pool_give(pool, port, 100, 5000);
	port_pool_get_status(pool, 100, &st);
	assert_int_equal(st.quarantined, 2);
	assert_int_equal(st.used, 0);
	assert_int_equal(port_pool_take(pool, 5099, &port), -ENOSPC);
	assert_int_equal(port_pool_take(pool, 5100, &port), 0);
	port_pool_free(pool);
}

static void giving_back_twice_changes_nothing(void **state)
{
	struct port_pool *pool = pool_of(20000, 20003);
	struct port_pool_status st;
	uint16_t port;

	(void)state;
	assert_int_equal(port_pool_take(pool, 0, &port), 0);
	port_pool_give(pool, port, 0, 1000);
	port_pool_give(pool, port, 0, 1000);
	port_pool_get_status(pool, 0, &st);
	assert_int_equal(st.used, 0);
	assert_int_equal(st.quarantined, 2);
	port_pool_get_status(pool, 1000, &st);
	assert_int_equal(st.quarantined, 0);
	port_pool_free(pool);
}

static void a_new_range_takes_in_what_is_used_and_forgets_what_is_outside(void **state)
{
	struct port_pool *pool = pool_of(20000, 20003);
	struct port_pool_status st;
	uint16_t port[2], other;

	(void)state;
	assert_int_equal(port_pool_take(pool, 0, &port[0]), 0);
	assert_int_equal(port_pool_take(pool, 0, &port[1]), 0);
	port_pool_set_range(pool, 20002, 20005);
	port_pool_get_status(pool, 0, &st);
	assert_int_equal(st.used, 4);
	assert_int_equal(st.left, 2); /* 20004: of those used one lies outside */
	assert_int_equal(port_pool_take(pool, 0, &other), 0);
	assert_int_equal(other, 20004);
	assert_int_equal(port_pool_take(pool, 0, &other), -ENOSPC);
	port_pool_give(pool, port[0], 0, 0);
	port_pool_give(pool, port[1], 0, 0);
	assert_int_equal(port_pool_take(pool, 0, &other), 0);
	assert_int_equal(other, 20002);
	assert_int_equal(port_pool_take(pool, 0, &other), -ENOSPC);
	port_pool_set_range(pool, 1, 0);
	port_pool_get_status(pool, 0, &st);
	assert_int_equal(st.total, 0);
	assert_int_equal(st.used, 4);
	assert_int_equal(st.left, 0);
	port_pool_free(pool);
}

static void nothing_is_lost_over_a_million_turns(void **state)
{
	struct port_pool *pool = pool_of(20000, 20999);
	struct port_pool_status st;
	uint16_t held[200];
	unsigned count = 0;
	uint64_t now = 0;

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 1000000; i++) {
		now += (unsigned)rand() % 3;
		if (count < 200 && rand() % 2) {
			if (port_pool_take(pool, now, &held[count]) == 0)
				count++;
		} else if (count) {
			unsigned at = (unsigned)rand() % count;

			port_pool_give(pool, held[at], now, 300);
			held[at] = held[--count];
		}
	}
	port_pool_get_status(pool, now, &st);
	assert_int_equal(st.used, count * 2);
	while (count)
		port_pool_give(pool, held[--count], now, 300);
	port_pool_get_status(pool, now + 300, &st);
	assert_int_equal(st.used + st.quarantined, 0);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(port_pool_take(pool, now + 300, &held[0]), 0);
	assert_int_equal(port_pool_take(pool, now + 300, &held[0]), -ENOSPC);
	port_pool_free(pool);
}

static void the_next_port_is_not_foreseeable(void **state)
{
	unsigned in_step = 0;
	uint16_t last = 0, port;
	struct port_pool *pool = pool_of(20000, 39999);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(port_pool_take(pool, 0, &port), 0);
		in_step += port == last + 2;
		last = port;
	}
	assert_true(in_step < 20);
	port_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_are_even_distinct_and_within_the_range),
		cmocka_unit_test(odd_ends_of_a_range_are_left_out),
		cmocka_unit_test(a_pair_rests_for_the_quarantine),
		cmocka_unit_test(giving_back_twice_changes_nothing),
		cmocka_unit_test(a_new_range_takes_in_what_is_used_and_forgets_what_is_outside),
		cmocka_unit_test(nothing_is_lost_over_a_million_turns),
		cmocka_unit_test(the_next_port_is_not_foreseeable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
