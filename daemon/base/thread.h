/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Starts a thread that no signal is delivered to: those are the loop's. When this returns, the
 * thread can allocate memory and free it, also where there is none left for what its allocator
 * wants to know of a thread. 0 or -errno. */
int thread_start(pthread_t *out, void *(*run)(void *), void *arg);

#endif
