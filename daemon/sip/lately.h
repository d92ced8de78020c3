/* SPDX-License-Identifier: BSD-2-Clause */
/* Which requests were refused lately, when nothing else is kept of them: so that one that comes
 * again is not taken for another. */
#ifndef VIADUCT_SIP_LATELY_H
#define VIADUCT_SIP_LATELY_H

#include <stdint.h>

#define LATELY_SETS 8192 /* a power of two */
#define LATELY_WAYS 4    /* of one set the oldest gives way */

/* A set is as long as a line of the processor's cache. */
struct lately_entry {
	uint64_t key;  /* of a transaction */
	uint32_t ms;   /* when it was refused first; comes round every 49 days */
	uint32_t code; /* 0: free */
};
struct lately {
	struct lately_entry *entry; /* NULL until there is one */
};

/* The code that it was refused with less than for_ms ago; 0 where that is not known, or not any
 * more. */
int lately_code(const struct lately *l, uint64_t key, uint64_t now_ms, unsigned for_ms);
/* Without memory it is not kept. */
void lately_add(struct lately *l, uint64_t key, uint64_t now_ms, int code);
void lately_free(struct lately *l);

#endif
