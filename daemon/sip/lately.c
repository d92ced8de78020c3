/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/lately.h"

#include <stdlib.h>

static struct lately_entry *set_of(const struct lately *l, uint64_t key)
{
	return l->entry + (key & (LATELY_SETS - 1)) * LATELY_WAYS;
}

/* Free ones are the oldest. */
static uint32_t age_of(const struct lately_entry *e, uint64_t now_ms)
{
	return e->code ? (uint32_t)now_ms - e->ms : UINT32_MAX;
}

int lately_code(const struct lately *l, uint64_t key, uint64_t now_ms, unsigned for_ms)
{
	const struct lately_entry *set = l->entry ? set_of(l, key) : NULL;

	for (unsigned i = 0; set && i < LATELY_WAYS; i++) {
		if (set[i].key == key && set[i].code && (uint32_t)now_ms - set[i].ms < for_ms)
			return (int)set[i].code;
	}
	return 0;
}

void lately_add(struct lately *l, uint64_t key, uint64_t now_ms, int code)
{
	struct lately_entry *set, *oldest;

	if (!l->entry)
		l->entry = calloc((size_t)LATELY_SETS * LATELY_WAYS, sizeof(*l->entry));
	if (!l->entry)
		return;
	oldest = set = set_of(l, key);
	for (unsigned i = 1; i < LATELY_WAYS; i++)
		oldest = age_of(&set[i], now_ms) > age_of(oldest, now_ms) ? &set[i] : oldest;
	*oldest = (struct lately_entry){key, (uint32_t)now_ms, (uint32_t)code};
}

void lately_free(struct lately *l)
{
	free(l->entry);
	l->entry = NULL;
}
