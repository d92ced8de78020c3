/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for what is built, used and thrown away together: taken piece by piece, given back whole.
 * A failure sticks: take freely, then ask arena_failed() once. */
#ifndef VIADUCT_BASE_ARENA_H
#define VIADUCT_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

/* Zeroed before its first use. */
struct arena {
	struct arena_block *block; /* the one that is filled; those before it follow */
	bool failed;
};

/* Aligned for any type, not zeroed. NULL where there is no memory. */
void *arena_take(struct arena *a, size_t size);
/* Zeroed, of count elements. */
void *arena_array(struct arena *a, size_t count, size_t size);
bool arena_failed(const struct arena *a);
/* What was taken is gone; one block stays for the next round. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
