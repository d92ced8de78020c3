/* SPDX-License-Identifier: BSD-2-Clause */
/* Media ports of one local address, in pairs: RTP even, RTCP the odd one above (RFC 3550 11). A
 * pair that was used rests in quarantine before it is given again, so that late packets of a call
 * never reach the next one. Which of the free pairs comes next is random. */
#ifndef VIADUCT_MEDIA_PORT_POOL_H
#define VIADUCT_MEDIA_PORT_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define PORTS_A_PAIR 2

struct port_pool;

/* min and max inclusive; pairs that lie wholly within are given. 0 or -ENOMEM. */
int port_pool_new(struct port_pool **out, unsigned side, const struct side_address *address,
	uint16_t min, uint16_t max);
void port_pool_free(struct port_pool *pool);
/* Another range from now on (min > max: none). Pairs in use stay in use; those outside the new
 * range are not given again once they come back. */
void port_pool_set_range(struct port_pool *pool, uint16_t min, uint16_t max);
void port_pool_set_advertised(struct port_pool *pool, const struct addr *advertised);
unsigned port_pool_side(const struct port_pool *pool);
const struct side_address *port_pool_address(const struct port_pool *pool);

/* Writes the even port of a pair. O(1). 0 or -ENOSPC. now_ms: monotonic. */
int port_pool_take(struct port_pool *pool, uint64_t now_ms, uint16_t *port);
/* That pair, by its even port, in the range or not: of a session that is adopted. O(1). 0; -EINVAL
 * no even port; -EEXIST it is in use or rests. */
int port_pool_claim(struct port_pool *pool, uint16_t port);
/* A pair that is free begins to rest: it was given back to the daemon before. In the order of
 * due_ms. O(1). Errors as port_pool_claim. */
int port_pool_rest(struct port_pool *pool, uint16_t port, uint64_t due_ms);
/* The pair whose quarantine would end first. O(1) but for those outside of the range. 0 or
 * -ENOSPC. */
int port_pool_take_resting(struct port_pool *pool, uint16_t *port);
/* Gives a pair back, to be taken again after quarantine_ms. O(1). */
void port_pool_give(struct port_pool *pool, uint16_t port, uint64_t now_ms, uint64_t quarantine_ms);

/* Counted in ports, not pairs. */
struct port_pool_status {
	/* Used and quarantined: those outside of the range as well, which a reload has left there.
	 * Left: what can be taken now. */
	unsigned total, used, quarantined, left;
};
void port_pool_get_status(struct port_pool *pool, uint64_t now_ms, struct port_pool_status *out);

#endif
