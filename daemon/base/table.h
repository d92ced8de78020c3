/* SPDX-License-Identifier: BSD-2-Clause */
/* uthash with a hash function that a peer cannot aim at: seeded once from getrandom(2). Include
 * this, never <uthash.h>. A failed allocation leaves the table as it was and is seen by
 * table_add_failed being set. */
#ifndef VIADUCT_BASE_TABLE_H
#define VIADUCT_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t table_hash(const void *key, size_t len);
extern _Thread_local bool table_add_failed;

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(elt)                                                                   \
	do {                                                                                       \
		(void)(elt);                                                                       \
		table_add_failed = true;                                                           \
	} while (0)
#define HASH_FUNCTION(key, len, out) ((out) = table_hash((key), (len)))
#include <uthash.h>

#endif
