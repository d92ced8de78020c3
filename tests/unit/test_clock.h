/* SPDX-License-Identifier: BSD-2-Clause */
/* A clock for tests of timers: it stands while there is anything to do, and moves on where the loop
 * would wait. A machine that stalls is not seen by it, and nobody waits for real.
 *
 * Whoever includes this has it. It stands in place of libc's clock_gettime() and epoll_wait(), so
 * the daemon's rooms, libosip2 and c-ares see the same time, and none of them knows of it.
 * CLOCK_MONOTONIC of the test's own thread alone: other threads, and the time of day, are real; but
 * for test_clock_late_ms. */
#ifndef VIADUCT_TEST_CLOCK_H
#define VIADUCT_TEST_CLOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TEST_NS_A_MS 1000000u
#define TEST_NS_A_S  1000000000u
/* It is this far ahead of the real one: where the test's thread waits for another (store_flush()),
 * until a moment of this clock, that is far enough away to be no limit. */
#define TEST_AHEAD_S 3600

static _Thread_local bool test_clock_is_ours;
static uint64_t test_clock_ns;
static int test_clock_echo; /* a socket that hears itself */
/* The time of day is ahead by that: what a socket gives away now has been in it so much longer. */
static uint64_t test_clock_late_ms;

static inline uint64_t test_clock_real_ns(clockid_t id)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, id, &ts);
	return (uint64_t)ts.tv_sec * TEST_NS_A_S + (uint64_t)ts.tv_nsec;
}

static __attribute__((constructor)) void test_clock_start(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);

	test_clock_ns = test_clock_real_ns(CLOCK_MONOTONIC) + (uint64_t)TEST_AHEAD_S * TEST_NS_A_S;
	test_clock_echo = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(test_clock_echo, (struct sockaddr *)&sin, len) ||
		getsockname(test_clock_echo, (struct sockaddr *)&sin, &len) ||
		connect(test_clock_echo, (struct sockaddr *)&sin, len))
		abort();
	test_clock_is_ours = true;
}

/* How the world's time goes by. */
static inline uint64_t test_clock_real_ms(void)
{
	return test_clock_real_ns(CLOCK_MONOTONIC) / TEST_NS_A_MS;
}

/* Time passes though nothing waits for it. */
static inline void test_clock_pass(uint64_t ms)
{
	test_clock_ns += ms * TEST_NS_A_MS;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t ns;

	if (!test_clock_is_ours || (id != CLOCK_MONOTONIC && id != CLOCK_REALTIME))
		return (int)syscall(SYS_clock_gettime, id, ts);
	ns = id == CLOCK_MONOTONIC ? test_clock_ns
				   : test_clock_real_ns(id) + test_clock_late_ms * TEST_NS_A_MS;
	*ts = (struct timespec){(time_t)(ns / TEST_NS_A_S), (long)(ns % TEST_NS_A_S)};
	return 0;
}

/* What was sent on loopback before is where it belongs: the kernel delivers in order, but on a busy
 * machine it may do so a while later. */
static inline void test_clock_let_deliver(void)
{
	char c = 0;

	if (send(test_clock_echo, &c, 1, 0) != 1 || recv(test_clock_echo, &c, 1, 0) != 1)
		abort();
}

int epoll_wait(int fd, struct epoll_event *events, int room, int timeout_ms)
{
	int n;

	if (!test_clock_is_ours || timeout_ms < 0)
		return epoll_pwait(fd, events, room, timeout_ms, NULL);
	n = epoll_pwait(fd, events, room, 0, NULL);
	if (n == 0 && timeout_ms > 0) {
		test_clock_let_deliver();
		n = epoll_pwait(fd, events, room, 0, NULL);
	}
	if (n == 0)
		test_clock_pass((uint64_t)timeout_ms);
	return n;
}

#endif
