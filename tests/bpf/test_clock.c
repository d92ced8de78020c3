/* SPDX-License-Identifier: BSD-2-Clause */
/* When packets are said to have come: each when it came, unless others come right behind it. */
#include <time.h>

#include "scene.h"
#include "viaduct.skel.h"

#define APART_NS  20000    /* far more than CLOCK_CLOSE_NS */
#define JIFFY_NS  10000000 /* the longest there is, at 100 Hz */
#define BURST     1000
#define CLOSE_NS  500 /* CLOCK_CLOSE_NS */
#define SHARE_MAX 16  /* CLOCK_SHARE_MAX */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void wait_ns(uint64_t ns)
{
	uint64_t until = monotonic_ns() + ns;

	while (monotonic_ns() < until)
		;
}

/* A packet that is sent on as it came matches again when it is fed in again. */
static size_t open_loop(struct scene *s, void **state, uint8_t *data)
{
	scene_open(s, state, SCENE_4_TO_4);
	s->expected = s->in;
	s->flow->ttl = s->in.ttl;
	scene_set_output(s, s->flow);
	return frame_build(data, &s->in);
}

static void packets_apart_have_a_reading_each(void **state)
{
	struct scene s;

	scene_open(&s, state, SCENE_4_TO_4);
	for (uint16_t seq = 0; seq < 200; seq++) {
		uint64_t before;

		wait_ns(APART_NS);
		before = monotonic_ns();
		scene_rtp(&s, SCENE_PAYLOAD, 0, seq, seq * 160u);
		scene_expect(&s, VD_FORWARDED);
		assert_in_range(s.stream->last_seen_ns, before, monotonic_ns());
	}
}

static void packets_of_a_burst_share_readings(void **state)
{
	const struct vd_clock *clocks = ((struct lab *)*state)->bpf->bss->clocks;
	uint8_t data[FRAME_MAX];
	struct scene s;
	size_t len = open_loop(&s, state, data);
	unsigned shared = 0;
	uint32_t fastest_ns = UINT32_MAX;

	for (int round = 0; round < 50; round++) {
		uint32_t ns = lab_run_often(s.lab, 0, data, len, BURST);

		if (ns < fastest_ns)
			fastest_ns = ns;
		for (unsigned cpu = 0; cpu < sizeof(s.lab->bpf->bss->clocks) / sizeof(*clocks);
			cpu++) {
			assert_true(clocks[cpu].share <= SHARE_MAX);
			assert_true(clocks[cpu].left <= clocks[cpu].share);
			if (clocks[cpu].share > shared)
				shared = clocks[cpu].share;
		}
	}
	if (fastest_ns >= CLOSE_NS / 2 && shared < SHARE_MAX) {
		print_message("skip: a packet takes %u ns here, too long for bursts\n", fastest_ns);
		skip();
	}
	assert_int_equal(shared, SHARE_MAX);
}

static void no_packet_takes_a_reading_of_an_earlier_jiffy(void **state)
{
	uint8_t data[FRAME_MAX];
	struct scene s;
	size_t len = open_loop(&s, state, data);

	for (int round = 0; round < 20; round++) {
		uint64_t before;

		lab_run_often(s.lab, 0, data, len, BURST);
		wait_ns(2 * JIFFY_NS);
		before = monotonic_ns();
		lab_run_often(s.lab, 0, data, len, 1);
		assert_in_range(s.stream->last_seen_ns, before, monotonic_ns());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_apart_have_a_reading_each),
		cmocka_unit_test(packets_of_a_burst_share_readings),
		cmocka_unit_test(no_packet_takes_a_reading_of_an_earlier_jiffy),
	};

	return cmocka_run_group_tests_name("bpf clock", tests, lab_setup, lab_teardown);
}
