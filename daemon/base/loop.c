/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_A_ROUND 64
#define HEAP_FIRST     256
#define HEAP_WAYS      4 /* children of a place: one line of the processor's cache, or two */

/* The time stands here too, so that to compare is not to look into timers all over the memory. */
struct heap_entry {
	uint64_t due_ms;
	struct loop_timer *timer;
};

struct loop {
	int epoll_fd;
	bool stop;
	uint64_t now_ms;
	/* heap[1..heap_len] ordered by due_ms; heap[0] is unused so that index 0 says "none". */
	struct heap_entry *heap;
	unsigned heap_len, heap_room;
	struct epoll_event events[EVENTS_A_ROUND];
	int event_count, event_next;
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int loop_new(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int ret;

	if (!loop)
		return -ENOMEM;
	loop->heap_room = HEAP_FIRST;
	loop->heap = calloc(loop->heap_room, sizeof(struct heap_entry));
	if (!loop->heap) {
		ret = -ENOMEM;
		goto fail;
	}
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		ret = -errno;
		goto fail;
	}
	loop->now_ms = clock_ms();
	*out = loop;
	return 0;
fail:
	free(loop->heap);
	free(loop);
	return ret;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

void loop_see_time(struct loop *loop)
{
	loop->now_ms = clock_ms();
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

int loop_fd_add(struct loop *loop, struct loop_fd *lf, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = lf};

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, lf->fd, &ev) ? -errno : 0;
}

int loop_fd_modify(struct loop *loop, struct loop_fd *lf, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = lf};

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, lf->fd, &ev) ? -errno : 0;
}

void loop_fd_remove(struct loop *loop, struct loop_fd *lf)
{
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, lf->fd, NULL);
	for (int i = loop->event_next; i < loop->event_count; i++) {
		if (loop->events[i].data.ptr == lf)
			loop->events[i].data.ptr = NULL;
	}
}

static unsigned parent_of(unsigned i)
{
	return (i - 2) / HEAP_WAYS + 1;
}

static unsigned first_child_of(unsigned i)
{
	return HEAP_WAYS * (i - 1) + 2;
}

static void heap_put(struct loop *loop, unsigned i, struct heap_entry e)
{
	loop->heap[i] = e;
	e.timer->heap_index = i;
}

static void heap_up(struct loop *loop, unsigned i, struct heap_entry e)
{
	while (i > 1 && loop->heap[parent_of(i)].due_ms > e.due_ms) {
		heap_put(loop, i, loop->heap[parent_of(i)]);
		i = parent_of(i);
	}
	heap_put(loop, i, e);
}

/* The child of i that is due first, 0 where it has none. */
static unsigned first_due_child(const struct loop *loop, unsigned i)
{
	unsigned child = first_child_of(i), end = child + HEAP_WAYS, first = child;

	if (child > loop->heap_len)
		return 0;
	if (end > loop->heap_len + 1)
		end = loop->heap_len + 1;
	while (++child < end) {
		if (loop->heap[child].due_ms < loop->heap[first].due_ms)
			first = child;
	}
	return first;
}

static void heap_down(struct loop *loop, unsigned i, struct heap_entry e)
{
	unsigned child;

	while ((child = first_due_child(loop, i)) && loop->heap[child].due_ms < e.due_ms) {
		heap_put(loop, i, loop->heap[child]);
		i = child;
	}
	heap_put(loop, i, e);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *t)
{
	unsigned i = t->heap_index;
	struct heap_entry last;

	if (!i)
		return;
	t->heap_index = 0;
	last = loop->heap[loop->heap_len--];
	if (last.timer == t)
		return;
	if (i > 1 && loop->heap[parent_of(i)].due_ms > last.due_ms)
		heap_up(loop, i, last);
	else
		heap_down(loop, i, last);
}

static int start_at(struct loop *loop, struct loop_timer *t, uint64_t due_ms)
{
	loop_timer_stop(loop, t);
	if (loop->heap_len + 1 >= loop->heap_room) {
		unsigned room = loop->heap_room * 2;
		struct heap_entry *heap = realloc(loop->heap, room * sizeof(struct heap_entry));

		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_room = room;
	}
	t->due_ms = due_ms;
	heap_up(loop, ++loop->heap_len, (struct heap_entry){t->due_ms, t});
	return 0;
}

int loop_timer_start(struct loop *loop, struct loop_timer *t, uint64_t delay_ms)
{
	return start_at(loop, t, loop->now_ms + delay_ms);
}

int loop_timer_start_first(struct loop *loop, struct loop_timer *t)
{
	return start_at(loop, t, 0);
}

bool loop_timer_is_started(const struct loop_timer *t)
{
	return t->heap_index != 0;
}

static int wait_ms(const struct loop *loop, int max_wait_ms)
{
	uint64_t now, left;

	if (loop->heap_len == 0)
		return max_wait_ms;
	now = clock_ms();
	if (loop->heap[1].due_ms <= now)
		return 0;
	left = loop->heap[1].due_ms - now;
	if (left > 60000)
		left = 60000;
	return max_wait_ms >= 0 && (uint64_t)max_wait_ms < left ? max_wait_ms : (int)left;
}

int loop_once(struct loop *loop, int max_wait_ms)
{
	int n = epoll_wait(
		loop->epoll_fd, loop->events, EVENTS_A_ROUND, wait_ms(loop, max_wait_ms));

	if (n < 0)
		n = errno == EINTR ? 0 : -errno;
	loop->now_ms = clock_ms();
	if (n < 0)
		return n;
	loop->event_count = n;
	for (loop->event_next = 0; loop->event_next < loop->event_count;) {
		struct epoll_event *ev = &loop->events[loop->event_next++];
		struct loop_fd *lf = ev->data.ptr;

		if (lf)
			lf->ready(lf, ev->events);
	}
	loop->event_count = loop->event_next = 0;
	while (loop->heap_len && loop->heap[1].due_ms <= loop->now_ms) {
		struct loop_timer *t = loop->heap[1].timer;

		loop_timer_stop(loop, t);
		t->fire(t);
	}
	return 0;
}

int loop_run(struct loop *loop)
{
	int ret = 0;

	loop->stop = false;
	while (!loop->stop && ret == 0)
		ret = loop_once(loop, -1);
	return ret;
}
