/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/table.h"

#include <string.h>
#include <sys/random.h>

_Thread_local bool table_add_failed;

static uint64_t seed[2];

static uint64_t rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

#define SIP_ROUND(v0, v1, v2, v3)                                                                  \
	do {                                                                                       \
		v0 += v1;                                                                          \
		v1 = rotl(v1, 13) ^ v0;                                                            \
		v0 = rotl(v0, 32);                                                                 \
		v2 += v3;                                                                          \
		v3 = rotl(v3, 16) ^ v2;                                                            \
		v0 += v3;                                                                          \
		v3 = rotl(v3, 21) ^ v0;                                                            \
		v2 += v1;                                                                          \
		v1 = rotl(v1, 17) ^ v2;                                                            \
		v2 = rotl(v2, 32);                                                                 \
	} while (0)

/* SipHash-1-3 (Aumasson, Bernstein), cut to 32 bits. */
uint32_t table_hash(const void *key, size_t len)
{
	const uint8_t *p = key;
	uint64_t v0, v1, v2, v3, m;
	size_t left = len;

	if (seed[0] == 0 && getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		seed[0] = 0x9e3779b97f4a7c15u;
	v0 = seed[0] ^ 0x736f6d6570736575u;
	v1 = seed[1] ^ 0x646f72616e646f6du;
	v2 = seed[0] ^ 0x6c7967656e657261u;
	v3 = seed[1] ^ 0x7465646279746573u;
	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&m, p, 8);
		v3 ^= m;
		SIP_ROUND(v0, v1, v2, v3);
		v0 ^= m;
	}
	m = 0;
	memcpy(&m, p, left);
	m |= (uint64_t)len << 56;
	v3 ^= m;
	SIP_ROUND(v0, v1, v2, v3);
	v0 ^= m;
	v2 ^= 0xff;
	SIP_ROUND(v0, v1, v2, v3);
	SIP_ROUND(v0, v1, v2, v3);
	SIP_ROUND(v0, v1, v2, v3);
	return (uint32_t)(v0 ^ v1 ^ v2 ^ v3);
}
