/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/thread.h"

#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

struct start {
	void *(*run)(void *);
	void *arg;
	sem_t ready;
};

static void *begin(void *arg)
{
	struct start *start = arg, own = *start;
	/* jemalloc makes a thread's arena with its first block, be it one that is freed, and dies
	 * where there is no memory for it. Volatile: or the compiler would leave both calls out. */
	void *volatile block = malloc(1);

	free(block);
	sem_post(&start->ready); /* nothing of it is there afterwards */
	return own.run(own.arg);
}

int thread_start(pthread_t *out, void *(*run)(void *), void *arg)
{
	struct start start = {.run = run, .arg = arg};
	sigset_t all, before;
	int ret;

	sem_init(&start.ready, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(out, NULL, begin, &start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	while (!ret && sem_wait(&start.ready)) {
	}
	sem_destroy(&start.ready);
	return ret;
}
