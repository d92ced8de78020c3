/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/neighbour.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "dataplane/reachability.h"

#include <utlist.h>

#define PROBES_A_TICK  256
#define PROBE_FIRST_MS 1000  /* between attempts to find a neighbour, doubled up to … */
#define PROBE_MAX_MS   2000  /* … so: whoever is back is found soon, also if it says nothing */
#define CONFIRM_MS     10000 /* between requests to confirm a neighbour that stays stale */
#define ASKS_A_TICK    64    /* for neighbours whose packets come from another MAC address */
/* Between two such for one neighbour, doubled while it answers as before up to … so. */
#define ASK_FIRST_MS 1000
#define ASK_MAX_MS   60000

static const char evidence_packets[] = "packets came from it";
static const char evidence_silence[] = "the one before did not answer";

/* As vd_flow.src_mac has it. */
static uint32_t mac_end(const uint8_t mac[6])
{
	uint32_t end;

	memcpy(&end, mac + 2, sizeof(end));
	return end;
}

uint32_t neighbour_mac_end(const struct neighbour *n)
{
	return mac_end(n->mac);
}

/* It has another MAC address than before: what was doubted is settled. */
static void neighbour_settle(struct neighbour *n, const uint8_t *mac, uint64_t now)
{
	if (n->other_mac_end && n->other_mac_end == mac_end(mac))
		n->evidence = evidence_packets;
	else
		n->evidence = reachability_is_open(n) ? evidence_silence : NULL;
	n->other_mac_end = 0;
	n->doubted = false;
	n->ask_wait_ms = ASK_FIRST_MS;
	n->ask_at_ms = now + ASK_FIRST_MS;
}

/* Of two routers the kernel leaves the one that does not answer (RFC 4861 6.3.6), and tells nobody:
 * no route has changed. It goes back to one that is asked for again, so this comes before that. */
static void neighbour_failed(struct nexthop_table *t, const struct neighbour *n)
{
	const struct way *w;

	DL_FOREACH (n->ways, w) {
		if (w->destination->neighbour == n &&
			!addr_equal_ip(&w->destination->key.dst, &n->key.ip))
			nexthop_examine_later(t, w->destination);
	}
}

void neighbour_is_back(struct nexthop_table *t, const struct neighbour *n)
{
	const struct way *w;

	DL_FOREACH (n->ways, w) {
		if (w->destination->neighbour != n)
			nexthop_examine_later(t, w->destination);
	}
}

/* What it had counts for a while, from when the kernel has it no more. */
static void keep_from_now(
	const struct nexthop_table *t, struct neighbour *n, enum neighbour_state before)
{
	if (neighbour_state_has_mac(before))
		n->keep_until_ms = loop_now_ms(t->loop) + NEIGHBOUR_GRACE_MS;
}

static void learn_mac(struct nexthop_table *t, struct neighbour *n, const uint8_t *mac)
{
	uint64_t now = loop_now_ms(t->loop);
	bool other = !n->has_mac || memcmp(n->mac, mac, sizeof(n->mac)) != 0;

	if (n->has_mac && other)
		neighbour_settle(n, mac, now);
	if (!n->has_mac)
		neighbour_is_back(t, n);
	memcpy(n->mac, mac, sizeof(n->mac));
	n->has_mac = true;
	n->probe_wait_ms = PROBE_FIRST_MS;
	n->probe_at_ms = now; /* looked at for stale ones alone */
	if (other)
		nexthop_neighbour_moved(t, n);
}

/* Of one that is watched the watch has the say: the kernel may be set to give up at once. */
static void learn_failure(struct nexthop_table *t, struct neighbour *n, enum neighbour_state before)
{
	bool had_mac = n->has_mac;

	keep_from_now(t, n, before);
	n->has_mac = had_mac && reachability_keeps(t, n);
	n->probe_at_ms = loop_now_ms(t->loop) + n->probe_wait_ms;
	if (had_mac && !n->has_mac)
		nexthop_neighbour_moved(t, n);
	neighbour_failed(t, n);
	reachability_lost(t, n);
}

void neighbour_learn(struct nexthop_table *t, struct neighbour *n, enum neighbour_state state,
	const uint8_t *mac)
{
	enum neighbour_state before = n->state;

	n->state = state;
	switch (state) {
	case NEIGHBOUR_VALID:
	case NEIGHBOUR_STALE:
		learn_mac(t, n, mac);
		reachability_heard(t, n);
		break;
	case NEIGHBOUR_PROBED:
		learn_mac(t, n, mac);
		break;
	case NEIGHBOUR_FAILED:
		learn_failure(t, n, before);
		break;
	case NEIGHBOUR_NONE:
		n->probe_at_ms = loop_now_ms(t->loop);
		keep_from_now(t, n, before);
		reachability_lost(t, n);
		break;
	case NEIGHBOUR_LOOKING:
		keep_from_now(t, n, before);
		break;
	}
}

static void neighbour_probe(struct nexthop_table *t, struct neighbour *n)
{
	uint64_t now = loop_now_ms(t->loop);

	t->ops.neighbour_use(t->ops.ctx, n->key.ifindex, &n->key.ip);
	if (n->state == NEIGHBOUR_STALE) {
		n->probe_at_ms = now + CONFIRM_MS;
		return;
	}
	n->probe_at_ms = now + n->probe_wait_ms;
	n->probe_wait_ms *= 2;
	if (n->probe_wait_ms > PROBE_MAX_MS)
		n->probe_wait_ms = PROBE_MAX_MS;
}

void neighbour_read(struct nexthop_table *t, struct neighbour *n)
{
	uint8_t mac[6];
	enum neighbour_state state =
		t->ops.neighbour_get(t->ops.ctx, n->key.ifindex, &n->key.ip, mac);

	n->reread = false;
	neighbour_learn(t, n, state, mac);
}

/* Packets go where they went until there is an answer. */
static void neighbour_ask_anew(struct nexthop_table *t, struct neighbour *n)
{
	char text[ADDR_TEXT_MAX];

	n->doubted = false;
	n->ask_at_ms = loop_now_ms(t->loop) + n->ask_wait_ms;
	n->ask_wait_ms *= 2;
	if (n->ask_wait_ms > ASK_MAX_MS)
		n->ask_wait_ms = ASK_MAX_MS;
	t->asks++;
	if (!t->ops.neighbour_ask_anew(t->ops.ctx, n->key.ifindex, &n->key.ip))
		return;
	t->asked++;
	log_limited(LOG_LEVEL_INFO,
		"dataplane: packets by way of %s come from another MAC address than it has: it is "
		"asked anew",
		addr_print_ip(&n->key.ip, text));
	reachability_asked_all(t, n);
	/* What else came before the answer is about the same. */
	neighbour_read(t, n);
}

/* Where the wait since the last time, and this tick's share, leave room for it. */
static void ask_if_doubted(struct nexthop_table *t, struct neighbour *n)
{
	if (n->doubted && n->ask_at_ms <= loop_now_ms(t->loop) && t->asks < ASKS_A_TICK)
		neighbour_ask_anew(t, n);
}

void neighbour_doubt(struct nexthop_table *t, struct neighbour *n, uint32_t end, bool moved)
{
	/* While the kernel looks it will have an answer by itself. */
	if (!neighbour_state_has_mac(n->state))
		return;
	/* Asymmetric routing, or VRRP from a router's own address: asked about once. */
	if (end == n->other_mac_end && !moved)
		return;
	n->other_mac_end = end;
	n->doubted = true;
	ask_if_doubted(t, n);
}

void neighbour_keep(const struct nexthop_table *t, struct neighbour *n)
{
	n->has_mac = true;
	n->keep_until_ms = loop_now_ms(t->loop) + NEIGHBOUR_GRACE_MS;
}

struct neighbour *neighbour_find(
	const struct nexthop_table *t, unsigned ifindex, const struct addr *ip)
{
	struct neighbour_key key = {.ifindex = ifindex, .ip = *ip};
	struct neighbour *n;

	key.ip.port = 0;
	HASH_FIND(hh, t->neighbours, &key, sizeof(key), n);
	return n;
}

struct neighbour *neighbour_make(struct nexthop_table *t, unsigned ifindex, const struct addr *ip)
{
	struct neighbour *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->key.ifindex = ifindex;
	n->key.ip = *ip;
	n->key.ip.port = 0;
	n->probe_wait_ms = PROBE_FIRST_MS;
	n->ask_wait_ms = ASK_FIRST_MS;
	table_add_failed = false;
	HASH_ADD(hh, t->neighbours, key, sizeof(n->key), n);
	if (table_add_failed) {
		free(n);
		return NULL;
	}
	neighbour_read(t, n);
	if (!n->has_mac) {
		neighbour_probe(t, n);
		neighbour_read(t, n);
	}
	return n;
}

void neighbour_free(struct nexthop_table *t, struct neighbour *n)
{
	if (t->probe_next == n)
		t->probe_next = n->hh.next;
	reachability_unwatch(t, n);
	HASH_DEL(t->neighbours, n);
	free(n);
}

bool neighbour_egress_is_up(const struct nexthop_table *t, const struct neighbour *n)
{
	return t->egress[n->ways->destination->key.side].up;
}

void neighbour_count_use(struct nexthop_table *t, struct neighbour *n, int count, bool as_gateway)
{
	n->used += (unsigned)count;
	if (as_gateway)
		n->used_as_gateway += (unsigned)count;
	if (n->used)
		reachability_watch(t, n);
	else
		reachability_unwatch(t, n);
}

static bool wants_probe(const struct nexthop_table *t, const struct neighbour *n, uint64_t now)
{
	return n->reach.stage == REACHABILITY_UNWATCHED && n->state != NEIGHBOUR_VALID &&
	       n->state != NEIGHBOUR_PROBED && n->probe_at_ms <= now &&
	       neighbour_egress_is_up(t, n);
}

/* In turn: each tick goes on where the one before had done enough. */
static void probe_some(struct nexthop_table *t, uint64_t now)
{
	struct neighbour *n = t->probe_next ? t->probe_next : t->neighbours;
	unsigned count = HASH_COUNT(t->neighbours);

	for (unsigned i = 0, probes = 0; i < count && probes < PROBES_A_TICK; i++) {
		if (wants_probe(t, n, now)) {
			neighbour_probe(t, n);
			probes++;
		}
		n = n->hh.next ? n->hh.next : t->neighbours;
	}
	t->probe_next = n;
}

void neighbours_tick(struct nexthop_table *t, uint64_t now)
{
	struct neighbour *n, *next;

	t->asks = 0;
	HASH_ITER (hh, t->neighbours, n, next) {
		ask_if_doubted(t, n);
		if (!neighbour_state_has_mac(n->state) && n->has_mac && n->keep_until_ms <= now) {
			n->has_mac = false;
			nexthop_neighbour_moved(t, n);
		}
	}
	probe_some(t, now);
}
