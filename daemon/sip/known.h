/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a request may belong to a server transaction that we have, or had lately: one look,
 * before those into the tables of them, which are too big for the processor's caches. Most requests
 * do not, and under overload that is what a refusal's time would go into. */
#ifndef VIADUCT_SIP_KNOWN_H
#define VIADUCT_SIP_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#define KNOWN_SLOTS (1u << 20) /* bytes; a power of two, some times the transactions of 64*T1 */

struct known {
	uint8_t *count; /* of transactions by hash; NULL until there is one. UINT8_MAX stays. */
	bool failed;    /* there was no memory for it */
};

/* By the hash of a transaction's key. Without memory all may be known. */
void known_add(struct known *k, uint32_t hash);
void known_drop(struct known *k, uint32_t hash);
bool known_may_be(const struct known *k, uint32_t hash);
void known_free(struct known *k);

#endif
