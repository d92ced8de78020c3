/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/loop.h"

#include "test_clock.h"

#define TIMERS 2000

static struct loop *loop;

struct item {
	struct loop_timer timer;
	uint64_t due;
	unsigned fired;
};

static struct item items[TIMERS];
static uint64_t last_due;
static unsigned fired;

static int begin(void **state)
{
	(void)state;
	fired = 0;
	last_due = 0;
	return loop_new(&loop);
}

static int end(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void fire(struct loop_timer *t)
{
	struct item *item = (struct item *)t;

	assert_false(loop_timer_is_started(t));
	assert_true(item->timer.due_ms >= last_due);
	assert_int_equal(loop_now_ms(loop), item->timer.due_ms);
	last_due = item->timer.due_ms;
	item->fired++;
	fired++;
}

static void timers_fire_once_in_the_order_they_are_due(void **state)
{
	unsigned expected = 0;

	(void)state;
	srandom(7);
	for (unsigned i = 0; i < TIMERS; i++) {
		items[i] = (struct item){.timer.fire = fire};
		assert_int_equal(
			loop_timer_start(loop, &items[i].timer, (uint64_t)random() % 40), 0);
	}
	for (unsigned i = 0; i < TIMERS; i += 3) /* stopped: never */
		loop_timer_stop(loop, &items[i].timer);
	for (unsigned i = 1; i < TIMERS; i += 3) /* started anew: once */
		assert_int_equal(
			loop_timer_start(loop, &items[i].timer, (uint64_t)random() % 40), 0);
	loop_timer_stop(loop, &items[0].timer);
	for (unsigned i = 0; i < TIMERS; i++)
		expected += i % 3 != 0;
	while (fired < expected)
		assert_int_equal(loop_once(loop, 100), 0);
	for (unsigned i = 0; i < TIMERS; i++)
		assert_int_equal(items[i].fired, i % 3 != 0);
}

static void fire_again(struct loop_timer *t)
{
	if (++fired < 3)
		assert_int_equal(loop_timer_start(loop, t, 1), 0);
	else
		loop_stop(loop);
}

static void a_timer_may_restart_itself(void **state)
{
	struct loop_timer t = {.fire = fire_again};

	(void)state;
	assert_int_equal(loop_timer_start(loop, &t, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(fired, 3);
	assert_false(loop_timer_is_started(&t));
}

static void fire_and_stop_the_next(struct loop_timer *t)
{
	fired++;
	loop_timer_stop(loop, t == &items[0].timer ? &items[1].timer : &items[0].timer);
}

static void a_timer_stopped_by_another_in_the_same_round_does_not_fire(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		items[i] = (struct item){.timer.fire = fire_and_stop_the_next};
		assert_int_equal(loop_timer_start(loop, &items[i].timer, 0), 0);
	}
	loop_once(loop, 0);
	loop_once(loop, 0);
	assert_int_equal(fired, 1);
}

struct end_of_pipe {
	struct loop_fd lf;
	struct end_of_pipe *victim;
	unsigned ready;
};

static void ready(struct loop_fd *lf, uint32_t events)
{
	struct end_of_pipe *e = (struct end_of_pipe *)lf;

	assert_true(events & EPOLLIN);
	e->ready++;
	if (e->victim) {
		loop_fd_remove(loop, &e->victim->lf);
		e->victim->victim = NULL;
		free(e->victim);
		e->victim = NULL;
	}
}

/* Both are ready in one round; whichever is first removes and frees the other, which must then not
 * be called: under AddressSanitizer the call would be a use after free. */
static void a_descriptor_removed_in_the_round_is_not_delivered(void **state)
{
	struct end_of_pipe *e[2];
	int pipes[2][2];
	unsigned left = 0;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		e[i] = calloc(1, sizeof(*e[i]));
		e[i]->lf = (struct loop_fd){.fd = pipes[i][0], .ready = ready};
		assert_int_equal(loop_fd_add(loop, &e[i]->lf, EPOLLIN), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
	}
	e[0]->victim = e[1];
	e[1]->victim = NULL;
	/* Level-triggered epoll delivers in the order of readiness: 0 first. */
	assert_int_equal(loop_once(loop, 100), 0);
	left = e[0]->ready;
	assert_int_equal(left, 1);
	assert_null(e[0]->victim);
	assert_int_equal(loop_once(loop, 100), 0);
	assert_int_equal(e[0]->ready, 2);
	loop_fd_remove(loop, &e[0]->lf);
	assert_int_equal(loop_once(loop, 0), 0);
	assert_int_equal(e[0]->ready, 2);
	free(e[0]);
	for (unsigned i = 0; i < 2; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static void waiting_is_bounded_by_the_next_timer(void **state)
{
	struct loop_timer t = {.fire = fire_again};
	uint64_t begun;

	(void)state;
	fired = 2;
	begun = loop_now_ms(loop);
	assert_int_equal(loop_timer_start(loop, &t, 20), 0);
	while (fired < 3)
		assert_int_equal(loop_once(loop, -1), 0);
	assert_int_equal(loop_now_ms(loop) - begun, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			timers_fire_once_in_the_order_they_are_due, begin, end),
		cmocka_unit_test_setup_teardown(a_timer_may_restart_itself, begin, end),
		cmocka_unit_test_setup_teardown(
			a_timer_stopped_by_another_in_the_same_round_does_not_fire, begin, end),
		cmocka_unit_test_setup_teardown(
			a_descriptor_removed_in_the_round_is_not_delivered, begin, end),
		cmocka_unit_test_setup_teardown(waiting_is_bounded_by_the_next_timer, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
