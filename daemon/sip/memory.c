/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <stdlib.h>

static uint64_t failures;

static void *take(size_t size)
{
	void *p = malloc(size);

	failures += !p;
	return p;
}

static void *take_again(void *old, size_t size)
{
	void *p = realloc(old, size);

	failures += !p && size;
	return p;
}

void memory_watch(void)
{
	osip_set_allocators(take, take_again, free);
}

uint64_t memory_failures(void)
{
	return failures;
}
