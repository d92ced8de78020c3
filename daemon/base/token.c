/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/token.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Fetched from the kernel in batches: a system call for each tag would cost more than the tag. */
static uint8_t pool[512];
static size_t pool_used = sizeof(pool);

static void take(void *out, size_t n)
{
	if (pool_used + n > sizeof(pool)) {
		if (getrandom(pool, sizeof(pool), 0) != sizeof(pool))
			abort(); /* without randomness no call is safe */
		pool_used = 0;
	}
	memcpy(out, pool + pool_used, n);
	memset(pool + pool_used, 0, n);
	pool_used += n;
}

uint64_t token_random64(void)
{
	uint64_t v;

	take(&v, sizeof(v));
	return v;
}

void token_make(char *buf, size_t len)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t bits = 0;
	unsigned left = 0;

	for (size_t i = 0; i < len; i++) {
		if (left < 5) {
			bits = token_random64();
			left = 64;
		}
		buf[i] = alphabet[bits & 31];
		bits >>= 5;
		left -= 5;
	}
	buf[len] = '\0';
}
