/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/thread.h"
#include "sanitized.h"

#ifndef SANITIZED
void *__libc_malloc(size_t size);

static atomic_uint of_threads; /* blocks asked for by others than the first thread */

void *malloc(size_t size)
{
	of_threads += gettid() != getpid();
	return __libc_malloc(size);
}
#endif

static void *asks_for_signals(void *arg)
{
	pthread_sigmask(SIG_SETMASK, NULL, arg);
	return arg;
}

static void a_thread_has_its_argument_and_no_signals(void **state)
{
	sigset_t in_thread, here;
	pthread_t thread;
	void *returned;

	(void)state;
	assert_int_equal(thread_start(&thread, asks_for_signals, &in_thread), 0);
	assert_int_equal(pthread_join(thread, &returned), 0);
	assert_ptr_equal(returned, &in_thread);
	pthread_sigmask(SIG_SETMASK, NULL, &here);
	for (int sig = 1; sig < 32; sig++) {
		if (sig != SIGKILL && sig != SIGSTOP)
			assert_true(sigismember(&in_thread, sig));
		assert_false(sigismember(&here, sig));
	}
}

#ifdef SANITIZED
static void a_thread_knows_its_allocator_once_it_is_started(void **state)
{
	(void)state;
	skip(); /* the sanitizer owns malloc */
}
#else
static void *asks_for_nothing(void *arg)
{
	return arg;
}

static void a_thread_knows_its_allocator_once_it_is_started(void **state)
{
	pthread_t thread;
	unsigned before = of_threads;

	(void)state;
	assert_int_equal(thread_start(&thread, asks_for_nothing, NULL), 0);
	assert_true(of_threads > before);
	assert_int_equal(pthread_join(thread, NULL), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_has_its_argument_and_no_signals),
		cmocka_unit_test(a_thread_knows_its_allocator_once_it_is_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
