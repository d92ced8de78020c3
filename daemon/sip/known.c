/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/known.h"

#include <stdlib.h>

static uint8_t *count_of(const struct known *k, uint32_t hash)
{
	return k->count + (hash & (KNOWN_SLOTS - 1));
}

void known_add(struct known *k, uint32_t hash)
{
	if (!k->count && !k->failed)
		k->count = calloc(KNOWN_SLOTS, 1);
	k->failed = !k->count;
	if (k->count && *count_of(k, hash) < UINT8_MAX)
		++*count_of(k, hash);
}

void known_drop(struct known *k, uint32_t hash)
{
	uint8_t *count = k->count ? count_of(k, hash) : NULL;

	if (count && *count && *count < UINT8_MAX)
		--*count;
}

bool known_may_be(const struct known *k, uint32_t hash)
{
	return k->count ? *count_of(k, hash) != 0 : k->failed;
}

void known_free(struct known *k)
{
	free(k->count);
	*k = (struct known){0};
}
