/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's allocations, any of which the test that includes this may have fail. Not where a
 * sanitizer owns malloc (sanitized.h). */
#ifndef TEST_FAILING_MEMORY_H
#define TEST_FAILING_MEMORY_H

#include <stddef.h>

/* The test's own: whether the allocation that is asked for there fails. */
static int memory_fails(const void *caller);

static long memory_live; /* blocks that are not given back */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

void *malloc(size_t size)
{
	void *p = memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);

	memory_live += p != NULL;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);

	memory_live += p != NULL;
	return p;
}

void *realloc(void *old, size_t size)
{
	void *p = memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);

	memory_live += p != NULL && old == NULL;
	return p;
}

void free(void *p)
{
	memory_live -= p != NULL;
	__libc_free(p);
}

#endif
