/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slots_freed {
	uint64_t at_ms;
	uint32_t index;
};

int slots_init(struct slots *s, uint32_t first, uint32_t count, uint32_t grace_ms)
{
	memset(s, 0, sizeof(*s));
	s->ring = calloc(count ? count : 1, sizeof(*s->ring));
	if (!s->ring)
		return -ENOMEM;
	s->first = first;
	s->count = count;
	s->grace_ms = grace_ms;
	return 0;
}

void slots_destroy(struct slots *s)
{
	free(s->ring);
	memset(s, 0, sizeof(*s));
}

uint32_t slots_take(struct slots *s, uint64_t now_ms)
{
	/* Used ones first: the working set, and what the kernel has in its caches, stays small. */
	if (s->freed && s->ring[s->head].at_ms + s->grace_ms <= now_ms) {
		uint32_t index = s->ring[s->head].index;

		s->head = (s->head + 1) % s->count;
		s->freed--;
		return index;
	}
	if (s->fresh < s->count)
		return s->first + s->fresh++;
	return 0;
}

void slots_give(struct slots *s, uint32_t index, uint64_t now_ms)
{
	uint32_t tail = (s->head + s->freed) % s->count;

	s->ring[tail].index = index;
	s->ring[tail].at_ms = now_ms;
	s->freed++;
}

void slots_restore(struct slots *s, const uint8_t *use, uint64_t now_ms)
{
	s->fresh = s->count;
	/* In order of release: those that nobody looks at first. */
	for (uint32_t i = s->first; i < s->first + s->count; i++) {
		if (use[i] == SLOT_FREE)
			slots_give(s, i, 0);
	}
	for (uint32_t i = s->first; i < s->first + s->count; i++) {
		if (use[i] == SLOT_WAITS)
			slots_give(s, i, now_ms);
	}
}
