/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that outlives a kill -9: a file of one size, mapped. The daemon that starts next finds in
 * it all that the one before had stored there, in that order. Not after a reboot.
 *
 * Nothing is synced. The page cache may keep what is written to it here, and a write costs no
 * system call. */
#ifndef VIADUCT_BASE_MAPPED_H
#define VIADUCT_BASE_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/boot.h"

/* The file begins with it. */
struct mapped {
	char magic[16];
	uint32_t layout, count;
	char boot_id[BOOT_ID_MAX];
};

/* What it is, of which layout, with room for how many. */
struct mapped_kind {
	const char *magic; /* at most 15 characters */
	uint32_t layout, count;
};

/* *had: it is of this boot and of that kind, and as the daemon before has left it. Else it is to be
 * begun. path "": in memory alone, which nothing outlives. 0; -EPERM: it is not a file of ours
 * alone; -errno. */
int mapped_open(struct mapped **out, const char *path, size_t size, const struct mapped_kind *kind,
	bool *had);
/* When what follows the head is as it is to begin with. 0 or -errno: the boot has no name. */
int mapped_begin(struct mapped *m, const struct mapped_kind *kind);
void mapped_close(struct mapped *m, size_t size);

/* Behind all stores before it, and before all that follow: a process that is killed stops between
 * two of its stores, so that what a counter says is there before the counter says it. */
#define MAPPED_PUBLISH(field, value)                                                               \
	do {                                                                                       \
		__atomic_signal_fence(__ATOMIC_SEQ_CST);                                           \
		__atomic_store_n(&(field), (value), __ATOMIC_RELEASE);                             \
		__atomic_signal_fence(__ATOMIC_SEQ_CST);                                           \
	} while (0)

#endif
