/* SPDX-License-Identifier: BSD-2-Clause */
/* A call's reception over its time, from what the kernel had counted at each sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "media/samples.h"

#define CLOCK_HZ 8000
#define PERIOD   2000
#define EPSILON  0.001

struct course {
	struct samples s;
	struct dataplane_stats stats;
	uint64_t now_ms;
};

/* Two seconds more: so many packets expected, of those lost. */
static void go_on(struct course *c, unsigned expected, int lost, unsigned jitter_ms)
{
	c->stats.expected += expected;
	c->stats.lost += lost;
	c->stats.jitter = jitter_ms * CLOCK_HZ / 1000;
	c->now_ms += PERIOD;
	samples_take(&c->s, &c->stats, CLOCK_HZ, c->now_ms);
}

static void begin(struct course *c)
{
	*c = (struct course){.now_ms = 1000};
	samples_take(&c->s, &c->stats, CLOCK_HZ, c->now_ms);
	assert_int_equal(c->s.count, 0);
}

static void jitter_and_loss_have_a_mean_and_a_maximum(void **state)
{
	struct course c;

	(void)state;
	begin(&c);
	go_on(&c, 100, 0, 2);
	go_on(&c, 100, 6, 10);
	go_on(&c, 100, 1, 3);
	assert_float_equal(samples_jitter_mean(&c.s), 5, EPSILON);
	assert_float_equal(c.s.jitter_max_ms, 10, EPSILON);
	assert_float_equal(c.s.loss_max_percent, 6, EPSILON);
	assert_int_equal(c.s.burst.runs, 0); /* 6 of 100 are less than 1 in 16 */
	assert_int_equal(c.s.gap.runs, 1);
}

static void dense_loss_is_a_burst_as_long_as_it_goes_on(void **state)
{
	struct course c;

	(void)state;
	begin(&c);
	go_on(&c, 100, 1, 0);
	go_on(&c, 100, 7, 0);
	go_on(&c, 100, 13, 0);
	go_on(&c, 100, 0, 0);
	go_on(&c, 100, 1, 0);
	go_on(&c, 100, 100, 0);
	assert_int_equal(c.s.burst.runs, 2);
	assert_float_equal(sample_density(&c.s.burst), 40, EPSILON);
	assert_float_equal(sample_duration(&c.s.burst), 3 * PERIOD / 2.0, EPSILON);
	assert_int_equal(c.s.gap.runs, 2);
	assert_float_equal(sample_density(&c.s.gap), 2 / 3.0, EPSILON);
	assert_float_equal(sample_duration(&c.s.gap), 3 * PERIOD / 2.0, EPSILON);
}

static void few_packets_wait_for_more_and_late_ones_are_no_loss(void **state)
{
	struct course c;

	(void)state;
	begin(&c);
	go_on(&c, SAMPLE_PACKETS_MIN - 1, SAMPLE_PACKETS_MIN - 1, 0);
	assert_int_equal(c.s.count, 0);
	go_on(&c, 1, 0, 0);
	assert_int_equal(c.s.count, 1);
	assert_float_equal(c.s.loss_max_percent, 95, EPSILON);
	go_on(&c, 100, -19, 0);
	assert_int_equal(c.s.count, 2);
	assert_float_equal(sample_density(&c.s.gap), 0, EPSILON);
	go_on(&c, 100, 300, 0); /* more than there can be */
	assert_float_equal(c.s.loss_max_percent, 100, EPSILON);
}

static void a_flow_that_counts_from_nothing_again_goes_on(void **state)
{
	struct course c;

	(void)state;
	begin(&c);
	go_on(&c, 1000, 10, 0);
	c.stats = (struct dataplane_stats){0};
	go_on(&c, 100, 50, 0);
	assert_int_equal(c.s.count, 2);
	assert_float_equal(c.s.loss_max_percent, 50, EPSILON);
}

static void without_samples_there_is_nothing_to_tell(void **state)
{
	struct samples s = {0};

	(void)state;
	assert_float_equal(samples_jitter_mean(&s), 0, 0);
	assert_float_equal(sample_density(&s.burst), 0, 0);
	assert_float_equal(sample_duration(&s.gap), 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jitter_and_loss_have_a_mean_and_a_maximum),
		cmocka_unit_test(dense_loss_is_a_burst_as_long_as_it_goes_on),
		cmocka_unit_test(few_packets_wait_for_more_and_late_ones_are_no_loss),
		cmocka_unit_test(a_flow_that_counts_from_nothing_again_goes_on),
		cmocka_unit_test(without_samples_there_is_nothing_to_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
