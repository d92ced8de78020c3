/* SPDX-License-Identifier: BSD-2-Clause */
/* Indexes of a map's elements: handed out once, taken back into a quarantine during which the
 * kernel may still be looking at the element, then handed out again in that order. */
#ifndef VIADUCT_DATAPLANE_SLOTS_H
#define VIADUCT_DATAPLANE_SLOTS_H

#include <stdint.h>

struct slots {
	uint32_t first, count; /* indexes first .. first + count - 1 */
	uint32_t fresh;        /* how many were handed out at least once */
	uint32_t grace_ms;
	/* The free ones that were in use before: a ring in order of their release. */
	struct slots_freed *ring;
	uint32_t head, freed;
};

/* How an index was left by whoever handed them out before us. */
enum slot_use {
	SLOT_FREE,  /* not looked at by anyone */
	SLOT_WAITS, /* given up, perhaps just now: its quarantine begins anew */
	SLOT_USED,
};

/* 0 or -ENOMEM. */
int slots_init(struct slots *s, uint32_t first, uint32_t count, uint32_t grace_ms);
void slots_destroy(struct slots *s);
/* An index, or 0 when none is free or past its quarantine (first is at least 1). now_ms: any clock
 * that does not go back. */
uint32_t slots_take(struct slots *s, uint64_t now_ms);
void slots_give(struct slots *s, uint32_t index, uint64_t now_ms);
/* Right after slots_init: goes on from use[first .. first + count - 1], of enum slot_use. */
void slots_restore(struct slots *s, const uint8_t *use, uint64_t now_ms);

#endif
