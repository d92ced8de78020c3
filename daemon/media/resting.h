/* SPDX-License-Identifier: BSD-2-Clause */
/* Pairs of ports that rest in quarantine, written down for the daemon that comes next: late packets
 * of a call that is over must not reach a call of its. In records of RESTING_PAIRS pairs each, in
 * the order of giving back, so that one that is given back costs little and what has rested
 * enough goes in one stroke. */
#ifndef VIADUCT_MEDIA_RESTING_H
#define VIADUCT_MEDIA_RESTING_H

#include "media/room.h"
#include "store/store.h"

#define RESTING_PAIRS    64
#define RESTING_WRITE_MS 10 /* what is given back meanwhile is written at once */

/* What the daemon before left goes on resting, where no session has it. 0 or -errno. */
int resting_open(struct resting **out, struct media *m, struct store *store);
/* A pair was given back at given_ms (monotonic). r NULL: nothing is written down. */
void resting_note(
	struct resting *r, const struct port_pool *pool, uint16_t port, uint64_t given_ms);
/* Writes what is not written yet. NULL is fine. */
void resting_close(struct resting *r);

#endif
