/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/port_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/token.h"

#define PAIRS 32768 /* every even port there is */

enum pair_state { PAIR_FREE, PAIR_USED, PAIR_QUARANTINED };

struct port_pool {
	unsigned side;
	struct side_address address;
	unsigned first, last; /* pairs in range; first > last: none */
	unsigned free_count, used_count;
	/* Quarantine: a ring in the order of giving back. Every pair is in it once at most. */
	unsigned ring_head, ring_count;
	uint8_t state[PAIRS];
	uint16_t free[PAIRS]; /* free pairs of the range, in no order */
	uint16_t at[PAIRS];   /* where in free[] a pair is, if it is there */
	struct {
		uint16_t pair;
		uint64_t due_ms;
	} ring[PAIRS];
};

static bool in_range(const struct port_pool *pool, unsigned pair)
{
	return pair >= pool->first && pair <= pool->last;
}

static void add_free(struct port_pool *pool, unsigned pair)
{
	pool->at[pair] = (uint16_t)pool->free_count;
	pool->free[pool->free_count++] = (uint16_t)pair;
}

static void remove_free(struct port_pool *pool, unsigned pair)
{
	uint16_t last = pool->free[--pool->free_count];

	pool->free[pool->at[pair]] = last;
	pool->at[last] = pool->at[pair];
}

static uint16_t use(struct port_pool *pool, unsigned pair)
{
	pool->state[pair] = PAIR_USED;
	pool->used_count++;
	return (uint16_t)(pair * PORTS_A_PAIR);
}

void port_pool_set_range(struct port_pool *pool, uint16_t min, uint16_t max)
{
	/* Both ports of a pair lie within. */
	pool->first = ((unsigned)min + 1) / PORTS_A_PAIR;
	pool->last = 0;
	if (max == 0 || min >= max)
		pool->first = 1;
	else
		pool->last = ((unsigned)max + 1) / PORTS_A_PAIR - 1;
	if (pool->first == 0)
		pool->first = 1; /* port 0 means "rejected" in an m-line */
	pool->free_count = 0;
	for (unsigned pair = pool->first; pair <= pool->last; pair++) {
		if (pool->state[pair] == PAIR_FREE)
			add_free(pool, pair);
	}
}

void port_pool_set_advertised(struct port_pool *pool, const struct addr *advertised)
{
	pool->address.advertised = *advertised;
}

int port_pool_new(struct port_pool **out, unsigned side, const struct side_address *address,
	uint16_t min, uint16_t max)
{
	struct port_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->side = side;
	pool->address = *address;
	port_pool_set_range(pool, min, max);
	*out = pool;
	return 0;
}

void port_pool_free(struct port_pool *pool)
{
	free(pool);
}

unsigned port_pool_side(const struct port_pool *pool)
{
	return pool->side;
}

const struct side_address *port_pool_address(const struct port_pool *pool)
{
	return &pool->address;
}

static void end_quarantine(struct port_pool *pool, uint64_t now_ms)
{
	while (pool->ring_count && pool->ring[pool->ring_head].due_ms <= now_ms) {
		unsigned pair = pool->ring[pool->ring_head].pair;

		pool->ring_head = (pool->ring_head + 1) % PAIRS;
		pool->ring_count--;
		pool->state[pair] = PAIR_FREE;
		if (in_range(pool, pair))
			add_free(pool, pair);
	}
}

int port_pool_take(struct port_pool *pool, uint64_t now_ms, uint16_t *port)
{
	unsigned pair;

	end_quarantine(pool, now_ms);
	if (pool->free_count == 0)
		return -ENOSPC;
	pair = pool->free[token_random64() % pool->free_count];
	remove_free(pool, pair);
	*port = use(pool, pair);
	return 0;
}

int port_pool_claim(struct port_pool *pool, uint16_t port)
{
	unsigned pair = port / PORTS_A_PAIR;

	if (port == 0 || port % PORTS_A_PAIR)
		return -EINVAL;
	if (pool->state[pair] != PAIR_FREE)
		return -EEXIST;
	if (in_range(pool, pair))
		remove_free(pool, pair);
	use(pool, pair);
	return 0;
}

static void quarantine(struct port_pool *pool, unsigned pair, uint64_t due_ms)
{
	unsigned at = (pool->ring_head + pool->ring_count++) % PAIRS;

	pool->state[pair] = PAIR_QUARANTINED;
	pool->ring[at].pair = (uint16_t)pair;
	pool->ring[at].due_ms = due_ms;
}

int port_pool_rest(struct port_pool *pool, uint16_t port, uint64_t due_ms)
{
	int ret = port_pool_claim(pool, port);

	if (ret)
		return ret;
	pool->used_count--;
	quarantine(pool, port / PORTS_A_PAIR, due_ms);
	return 0;
}

int port_pool_take_resting(struct port_pool *pool, uint16_t *port)
{
	while (pool->ring_count) {
		unsigned pair = pool->ring[pool->ring_head].pair;

		pool->ring_head = (pool->ring_head + 1) % PAIRS;
		pool->ring_count--;
		pool->state[pair] = PAIR_FREE;
		if (!in_range(pool, pair))
			continue;
		*port = use(pool, pair);
		return 0;
	}
	return -ENOSPC;
}

void port_pool_give(struct port_pool *pool, uint16_t port, uint64_t now_ms, uint64_t quarantine_ms)
{
	unsigned pair = port / PORTS_A_PAIR;

	if (pool->state[pair] != PAIR_USED) {
		log_limited(LOG_LEVEL_ERROR, "media: port %u given back twice", port);
		return;
	}
	pool->used_count--;
	quarantine(pool, pair, now_ms + quarantine_ms);
}

void port_pool_get_status(struct port_pool *pool, uint64_t now_ms, struct port_pool_status *out)
{
	end_quarantine(pool, now_ms);
	out->total = pool->last >= pool->first ? (pool->last - pool->first + 1) * PORTS_A_PAIR : 0;
	out->used = pool->used_count * PORTS_A_PAIR;
	out->quarantined = pool->ring_count * PORTS_A_PAIR;
	out->left = pool->free_count * PORTS_A_PAIR;
}
