/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/resting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Then the segment's number, so that they come in order. */
#define KEY_PREFIX "resting-ports-"
#define KEY_MAX    (sizeof(KEY_PREFIX) + 16)

struct pair {
	unsigned side;
	struct addr local; /* of the pool, with its port */
	uint64_t given_ms;
};

struct segment {
	struct segment *next;
	uint64_t number;
	unsigned count;
	bool dirty;
	struct pair pair[RESTING_PAIRS];
};

struct resting {
	struct media *m;
	struct store *store;
	struct segment *first, *last;
	uint64_t last_number;
	struct loop_timer timer;
	bool write_due;
};

static struct store_key key_of(char key[KEY_MAX], uint64_t number)
{
	snprintf(key, KEY_MAX, KEY_PREFIX "%016llx", (unsigned long long)number);
	return STORE_NAME(key);
}

/* ---- writing ---- */

static void write_segment(struct resting *r, struct segment *seg)
{
	VdState__RestingPair pair[RESTING_PAIRS], *list[RESTING_PAIRS];
	VdState__RestingPorts m = VD_STATE__RESTING_PORTS__INIT;
	char key[KEY_MAX];
	uint8_t *value;
	size_t len;

	for (unsigned i = 0; i < seg->count; i++) {
		const struct pair *p = &seg->pair[i];

		vd_state__resting_pair__init(&pair[i]);
		pair[i].side = p->side;
		pair[i].port = p->local.port;
		pair[i].given_ms = p->given_ms;
		pair[i].local.data = (uint8_t *)p->local.ip;
		pair[i].local.len = p->local.family == 4 ? 4 : 16;
		list[i] = &pair[i];
	}
	m.pair = list;
	m.n_pair = seg->count;
	len = vd_state__resting_ports__get_packed_size(&m);
	value = malloc(len);
	if (!value) {
		log_limited(LOG_LEVEL_ERROR, "no memory to write down which ports rest");
		return;
	}
	vd_state__resting_ports__pack(&m, value);
	store_put(r->store, STORE_ROOM, key_of(key, seg->number), value, len);
	seg->dirty = false;
}

static void write_dirty(struct resting *r)
{
	for (struct segment *seg = r->first; r->write_due && seg; seg = seg->next) {
		if (seg->dirty)
			write_segment(r, seg);
	}
	r->write_due = false;
}

static uint64_t due_ms(const struct resting *r, const struct segment *seg)
{
	return seg->count ? seg->pair[seg->count - 1].given_ms + r->m->quarantine_ms : 0;
}

static void forget_rested(struct resting *r, uint64_t now_ms)
{
	struct segment *seg;
	char key[KEY_MAX];

	while ((seg = r->first) && due_ms(r, seg) <= now_ms) {
		r->first = seg->next;
		if (r->last == seg)
			r->last = NULL;
		store_del(r->store, STORE_ROOM, key_of(key, seg->number));
		free(seg);
	}
}

static void on_timer(struct loop_timer *t)
{
	struct resting *r = (struct resting *)(void *)((char *)t - offsetof(struct resting, timer));
	uint64_t now_ms = r->m->now_ms(r->m);

	write_dirty(r);
	forget_rested(r, now_ms);
	if (r->first)
		loop_timer_start(r->m->loop, t, due_ms(r, r->first) - now_ms);
}

static struct segment *segment_new(struct resting *r, uint64_t number)
{
	struct segment *seg = calloc(1, sizeof(*seg));

	if (!seg)
		return NULL;
	seg->number = r->last_number = number;
	if (r->last)
		r->last->next = seg;
	else
		r->first = seg;
	r->last = seg;
	return seg;
}

static void add_pair(
	struct segment *seg, const struct port_pool *pool, uint16_t port, uint64_t given_ms)
{
	struct pair *p = &seg->pair[seg->count++];

	*p = (struct pair){.side = port_pool_side(pool),
		.local = port_pool_address(pool)->local,
		.given_ms = given_ms};
	p->local.port = port;
}

void resting_note(struct resting *r, const struct port_pool *pool, uint16_t port, uint64_t given_ms)
{
	struct segment *seg;

	if (!r || !r->m->quarantine_ms)
		return;
	seg = r->last;
	if (!seg || seg->count == RESTING_PAIRS)
		seg = segment_new(r, r->last_number + 1);
	if (!seg)
		return;
	add_pair(seg, pool, port, given_ms);
	seg->dirty = true;
	if (!r->write_due)
		loop_timer_start(r->m->loop, &r->timer, RESTING_WRITE_MS);
	r->write_due = true;
}

/* ---- taking up ---- */

static void rest_on(struct resting *r, struct segment *seg, const VdState__RestingPair *in)
{
	struct media *m = r->m;
	const uint64_t now_ms = m->now_ms(m),
		       given_ms = in->given_ms < now_ms ? in->given_ms : now_ms;
	struct addr local = {.family = in->local.len == 4 ? 4 : 6};
	struct port_pool *pool;

	if (in->side >= SIDE_COUNT || in->port > UINT16_MAX ||
		(in->local.len != 4 && in->local.len != 16))
		return;
	memcpy(local.ip, in->local.data, in->local.len);
	pool = media_find_pool(m, in->side, &local);
	/* A session may have it, which was given it since. */
	if (pool && given_ms + m->quarantine_ms > now_ms &&
		port_pool_rest(pool, (uint16_t)in->port, given_ms + m->quarantine_ms) == 0)
		add_pair(seg, pool, (uint16_t)in->port, given_ms);
}

static int adopt_segment(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	struct resting *r = ctx;
	VdState__RestingPorts *m;
	struct segment *seg;
	uint64_t number;

	if (!key.name || strncmp(key.name, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) != 0)
		return 0;
	number = strtoull(key.name + sizeof(KEY_PREFIX) - 1, NULL, 16);
	m = vd_state__resting_ports__unpack(NULL, len, value);
	seg = m && m->n_pair <= RESTING_PAIRS && number > r->last_number ? segment_new(r, number)
									 : NULL;
	for (size_t i = 0; seg && i < m->n_pair; i++)
		rest_on(r, seg, m->pair[i]);
	if (m)
		vd_state__resting_ports__free_unpacked(m, NULL);
	return seg ? 0 : -EBADMSG;
}

int resting_open(struct resting **out, struct media *m, struct store *store)
{
	struct resting *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	r->m = m;
	r->store = store;
	r->timer.fire = on_timer;
	ret = store_load(store, STORE_ROOM, adopt_segment, r);
	if (ret) {
		resting_close(r);
		return ret;
	}
	on_timer(&r->timer);
	*out = r;
	return 0;
}

void resting_close(struct resting *r)
{
	struct segment *seg, *next;

	if (!r)
		return;
	loop_timer_stop(r->m->loop, &r->timer);
	write_dirty(r);
	for (seg = r->first; seg; seg = next) {
		next = seg->next;
		free(seg);
	}
	free(r);
}
