/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/nexthop.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "dataplane/slots.h"

#include <utlist.h>

#define TICK_MS             250
#define DESTINATION_IDLE_MS 60000 /* kept this long after its last flow, for the next call */
#define REEXAMINE_A_ROUND   64    /* destinations asked about again in one round of the loop */
#define REEXAMINE_DELAY_MS  1     /* between such rounds */
#define PROBES_A_TICK       256
#define PROBE_FIRST_MS      1000 /* between attempts to find a neighbour, doubled up to … */
#define PROBE_MAX_MS        2000 /* … so: whoever is back is found soon, also if it says nothing */
#define CONFIRM_MS          10000 /* between requests to confirm a neighbour that stays stale */
#define CONFIRM_USED_MS     5000  /* the same for a valid one that flows lead to, which … */
#define CONFIRM_LOOKS       16    /* … so many are looked at for in a tick, in turn */
#define LOOKING_GRACE_MS    4000  /* three unanswered requests, one a second: kernel's default */
#define ASKS_A_TICK         64    /* for neighbours whose packets come from another MAC address */
/* Between two such for one neighbour, doubled while it answers as before up to … so. */
#define ASK_FIRST_MS 1000
#define ASK_MAX_MS   60000

static const char why_no_route[] = "no route";
static const char why_other_device[] = "route leaves by another device";
static const char why_no_local[] = "media address is not on this machine";
static const char why_device_gone[] = "device gone";
static const char why_device_down[] = "device down";
static const char why_no_carrier[] = "no carrier";
static const char why_no_neighbour[] = "no neighbour";
static const char why_not_asked[] = "not asked yet";

static const char change_resolved[] = "resolved";
static const char change_gateway[] = "another gateway";
static const char change_neighbour_mac[] = "the neighbour has another MAC address";
static const char after_its_packets[] = "packets came from it";
static const char change_own_mac[] = "our device has another MAC address";

struct neighbour_key {
	uint32_t ifindex;
	struct addr ip; /* port 0 */
};

struct neighbour {
	struct neighbour_key key;
	UT_hash_handle hh;
	enum neighbour_state state;
	uint8_t mac[6];
	bool reread;  /* events about it were lost */
	bool has_mac; /* the last one known is kept while the kernel looks again, until it fails */
	uint64_t probe_at_ms, confirm_at_ms;
	uint32_t probe_wait_ms;
	uint64_t keep_until_ms; /* has_mac without an entry that backs it: until then */
	/* Packets that lead back to it came from another MAC address, ending so; 0 = never. */
	uint32_t other_mac_end;
	bool doubted;         /* it has to be asked, at ask_at_ms the soonest */
	bool told_by_packets; /* that it has another one than before */
	uint64_t ask_at_ms;
	uint32_t ask_wait_ms;
	struct way *ways;
};

/* One of those by which a destination may be reached: a route may name several gateways. */
struct way {
	struct destination *destination;
	struct neighbour *neighbour;
	struct way *prev, *next;             /* of the neighbour */
	struct way *other_prev, *other_next; /* of the destination */
};

struct destination_key {
	struct addr src, dst; /* ports 0 */
	uint32_t side;
};

struct destination {
	struct destination_key key;
	UT_hash_handle hh;
	uint32_t index; /* in vd_nexthops */
	unsigned refs;
	uint64_t idle_since_ms;
	const char *why; /* NULL: the route is known */
	struct addr gateway;
	/* What packets saw of it so far. */
	bool resolved, ever_resolved;
	struct addr resolved_gateway; /* when it was resolved last */
	const char *unresolved_by;    /* why it was not first, or ceased to be */
	const char *change, *change_of;
	uint64_t changed_at_ms;
	struct way *ways;            /* in the order to take them */
	struct neighbour *neighbour; /* of the one taken, NULL: there is none */
	struct destination *idle_prev, *idle_next;
	bool inherited; /* its element is a dead daemon's still: the kernel was not asked yet */
	bool dirty;
	struct destination *dirty_prev, *dirty_next;
};

struct nexthop_table {
	struct loop *loop;
	struct nexthop_ops ops;
	struct vd_nexthop *array;
	struct slots slots;
	uint8_t *kept; /* by index, while adopting: not 0 where the element waits for its
			  destination */
	uint32_t count;
	struct egress egress[SIDE_COUNT];
	struct destination *destinations;
	struct neighbour *neighbours, *probe_next, *confirm_next; /* NULL: the first one */
	struct destination *idle;                                 /* oldest first */
	struct destination *dirty;                                /* first in, first examined */
	struct loop_timer tick, reexamine;
	unsigned asks;  /* since the last tick */
	uint64_t asked; /* in all */
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static bool neighbour_usable(const struct neighbour *n)
{
	return n && n->has_mac;
}

const char *egress_why(const struct egress *e)
{
	if (e->up)
		return NULL;
	if (!e->ifindex)
		return why_device_gone;
	return e->no_carrier ? why_no_carrier : why_device_down;
}

/* Why packets to d cannot leave, NULL if they can. */
static const char *unresolved_why(const struct nexthop_table *t, const struct destination *d)
{
	const struct egress *e = &t->egress[d->key.side];

	if (!e->up)
		return egress_why(e);
	if (d->inherited)
		return t->array[d->index].flags & VD_NEXTHOP_VALID ? NULL : why_not_asked;
	if (d->why)
		return d->why;
	return neighbour_usable(d->neighbour) ? NULL : why_no_neighbour;
}

/* The element as two words of eight bytes, so that no packet sees half a MAC address. */
struct nexthop_words {
	uint64_t word[2];
};
_Static_assert(offsetof(struct vd_nexthop, smac) == 6, "dmac and two bytes of smac");
_Static_assert(offsetof(struct vd_nexthop, device) == 16, "smac's rest, VLAN and flags");

static void note_change(
	const struct nexthop_table *t, struct destination *d, const char *change, const char *of)
{
	const struct egress *e = &t->egress[d->key.side];
	char to[ADDR_TEXT_MAX];

	d->change = change;
	d->change_of = of;
	d->changed_at_ms = loop_now_ms(t->loop);
	if (d->refs && d->ever_resolved)
		log_limited(LOG_LEVEL_WARN, "dataplane: next hop to %s on %s: %s%s%s",
			addr_print_ip(&d->key.dst, to), e->device, change, of ? " after: " : "",
			of ? of : "");
}

/* What made the kernel ask for the MAC address that it has now, where that was we. */
static const char *evidence_of(const struct neighbour *n)
{
	return n && n->told_by_packets ? after_its_packets : NULL;
}

static bool is_left(const struct destination *d, const struct addr *gateway)
{
	const struct way *w;

	DL_FOREACH2(d->ways, w, other_next)
	{
		if (addr_equal_ip(&w->neighbour->key.ip, gateway))
			return !neighbour_usable(w->neighbour);
	}
	return false;
}

/* Called before `now` takes the place of what the element says. */
static void note_what_changes(
	const struct nexthop_table *t, struct destination *d, const struct vd_nexthop *now)
{
	const struct vd_nexthop *was = &t->array[d->index];
	const char *why = unresolved_why(t, d), *of = d->resolved ? NULL : d->unresolved_by;

	if (why) {
		if (d->resolved || !d->unresolved_by || d->unresolved_by == why_not_asked)
			d->unresolved_by = why;
		if (why != why_not_asked && d->ever_resolved && (d->resolved || d->change != why))
			note_change(t, d, why, NULL);
		d->resolved = false;
		return;
	}
	if (d->ever_resolved && !addr_equal_ip(&d->gateway, &d->resolved_gateway))
		note_change(t, d, change_gateway,
			is_left(d, &d->resolved_gateway) ? why_no_neighbour : of);
	else if (d->ever_resolved && memcmp(was->dmac, now->dmac, sizeof(now->dmac)) != 0)
		note_change(t, d, change_neighbour_mac, of ? of : evidence_of(d->neighbour));
	else if (of && of != why_not_asked)
		note_change(t, d, change_resolved, of);
	else if (d->ever_resolved && memcmp(was->smac, now->smac, sizeof(now->smac)) != 0)
		note_change(t, d, change_own_mac, NULL);
	d->resolved = d->ever_resolved = true;
	d->resolved_gateway = d->gateway;
}

static void write_element(const struct nexthop_table *t, struct destination *d)
{
	const struct egress *e = &t->egress[d->key.side];
	struct vd_nexthop *to = &t->array[d->index];
	struct vd_nexthop now = {
		.device = e->devmap_index, .mtu = e->mtu, .vlan = e->vlan, .ifindex = e->ifindex};
	struct nexthop_words words;
	uint64_t *out = (uint64_t *)(void *)to;

	if (d->inherited)
		return;
	if (!unresolved_why(t, d)) {
		now.flags = VD_NEXTHOP_VALID;
		memcpy(now.dmac, d->neighbour->mac, sizeof(now.dmac));
	}
	memcpy(now.smac, e->mac, sizeof(now.smac));
	note_what_changes(t, d, &now);
	memcpy(&words, &now, sizeof(words));
	if (!(now.flags & VD_NEXTHOP_VALID)) {
		/* Invalid first: then the rest does not matter. */
		__atomic_store_n(&out[1], words.word[1], __ATOMIC_SEQ_CST);
		return;
	}
	__atomic_store_n(&to->device, now.device, __ATOMIC_RELAXED);
	__atomic_store_n(&to->mtu, now.mtu, __ATOMIC_RELAXED);
	__atomic_store_n(&to->ifindex, now.ifindex, __ATOMIC_RELAXED);
	__atomic_store_n(&out[0], words.word[0], __ATOMIC_RELEASE);
	__atomic_store_n(&out[1], words.word[1], __ATOMIC_RELEASE);
}

/* The first that answers; where none does, the first. */
static void take_way(struct destination *d)
{
	const struct way *w, *taken = d->ways;

	DL_FOREACH2(d->ways, w, other_next)
	{
		if (neighbour_usable(w->neighbour)) {
			taken = w;
			break;
		}
	}
	d->neighbour = taken ? taken->neighbour : NULL;
	if (d->neighbour)
		d->gateway = d->neighbour->key.ip;
}

static void write_neighbour(const struct nexthop_table *t, const struct neighbour *n)
{
	const struct way *w;

	DL_FOREACH (n->ways, w) {
		take_way(w->destination);
		write_element(t, w->destination);
	}
}

static void mark_dirty(struct nexthop_table *t, struct destination *d)
{
	if (d->dirty)
		return;
	d->dirty = true;
	DL_APPEND2(t->dirty, d, dirty_prev, dirty_next);
	if (!loop_timer_is_started(&t->reexamine))
		loop_timer_start(t->loop, &t->reexamine, REEXAMINE_DELAY_MS);
}

/* As vd_flow.src_mac has it. */
static uint32_t mac_end(const uint8_t mac[6])
{
	uint32_t end;

	memcpy(&end, mac + 2, sizeof(end));
	return end;
}

/* It has another MAC address than before: what was doubted is settled. */
static void neighbour_settle(struct neighbour *n, const uint8_t *mac, uint64_t now)
{
	n->told_by_packets = n->other_mac_end && n->other_mac_end == mac_end(mac);
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
			mark_dirty(t, w->destination);
	}
}

/* Where the kernel leaves gateways that do not answer as well (IPv6;
 * net.ipv4.fib_multipath_use_neigh) it may name this one again. */
static void neighbour_is_back(struct nexthop_table *t, const struct neighbour *n)
{
	const struct way *w;

	DL_FOREACH (n->ways, w) {
		if (w->destination->neighbour != n)
			mark_dirty(t, w->destination);
	}
}

static void neighbour_learn(struct nexthop_table *t, struct neighbour *n,
	enum neighbour_state state, const uint8_t *mac)
{
	uint64_t now = loop_now_ms(t->loop);

	n->state = state;
	switch (state) {
	case NEIGHBOUR_VALID:
	case NEIGHBOUR_STALE:
		if (n->has_mac && memcmp(n->mac, mac, sizeof(n->mac)) != 0)
			neighbour_settle(n, mac, now);
		if (!n->has_mac)
			neighbour_is_back(t, n);
		memcpy(n->mac, mac, sizeof(n->mac));
		n->has_mac = true;
		n->probe_wait_ms = PROBE_FIRST_MS;
		n->probe_at_ms = now; /* looked at for stale ones alone */
		break;
	case NEIGHBOUR_FAILED:
		n->has_mac = false;
		n->probe_at_ms = now + n->probe_wait_ms;
		neighbour_failed(t, n);
		break;
	case NEIGHBOUR_NONE:
		n->probe_at_ms = now;
		n->keep_until_ms = now + LOOKING_GRACE_MS;
		break;
	case NEIGHBOUR_LOOKING:
		n->keep_until_ms = now + LOOKING_GRACE_MS;
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

static void neighbour_read(struct nexthop_table *t, struct neighbour *n)
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
	/* What else came before the answer is about the same. */
	neighbour_read(t, n);
	write_neighbour(t, n);
}

/* Where the wait since the last time, and this tick's share, leave room for it. */
static void ask_if_doubted(struct nexthop_table *t, struct neighbour *n)
{
	if (n->doubted && n->ask_at_ms <= loop_now_ms(t->loop) && t->asks < ASKS_A_TICK)
		neighbour_ask_anew(t, n);
}

static struct neighbour *neighbour_find(
	const struct nexthop_table *t, unsigned ifindex, const struct addr *ip)
{
	struct neighbour_key key = {.ifindex = ifindex, .ip = *ip};
	struct neighbour *n;

	key.ip.port = 0;
	HASH_FIND(hh, t->neighbours, &key, sizeof(key), n);
	return n;
}

static struct neighbour *neighbour_make(
	struct nexthop_table *t, unsigned ifindex, const struct addr *ip)
{
	struct neighbour *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->key.ifindex = ifindex;
	n->key.ip = *ip;
	n->key.ip.port = 0;
	n->probe_wait_ms = PROBE_FIRST_MS;
	n->ask_wait_ms = ASK_FIRST_MS;
	n->confirm_at_ms = loop_now_ms(t->loop) + CONFIRM_USED_MS;
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

static void ways_free(struct nexthop_table *t, struct way *ways)
{
	struct way *w, *next;

	DL_FOREACH_SAFE2(ways, w, next, other_next)
	{
		struct neighbour *n = w->neighbour;

		DL_DELETE(n->ways, w);
		free(w);
		if (n->ways)
			continue;
		if (t->probe_next == n)
			t->probe_next = n->hh.next;
		if (t->confirm_next == n)
			t->confirm_next = n->hh.next;
		HASH_DEL(t->neighbours, n);
		free(n);
	}
}

static void ways_leave(struct nexthop_table *t, struct destination *d)
{
	ways_free(t, d->ways);
	d->ways = NULL;
	d->neighbour = NULL;
}

static int way_add(struct nexthop_table *t, struct destination *d, struct way **ways,
	unsigned ifindex, const struct addr *ip)
{
	struct way *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->destination = d;
	w->neighbour = neighbour_find(t, ifindex, ip);
	if (!w->neighbour)
		w->neighbour = neighbour_make(t, ifindex, ip);
	if (!w->neighbour) {
		free(w);
		return -ENOMEM;
	}
	DL_APPEND(w->neighbour->ways, w);
	DL_APPEND2(*ways, w, other_prev, other_next);
	return 0;
}

/* A neighbour that was one before is one without a break. */
static int ways_set(
	struct nexthop_table *t, struct destination *d, const struct route_answer *answer)
{
	const struct addr *first = answer->gateway.family ? &answer->gateway : &d->key.dst;
	struct way *ways = NULL;
	int ret = way_add(t, d, &ways, answer->ifindex, first);

	for (unsigned i = 0; i < answer->other_count && !ret; i++)
		ret = way_add(t, d, &ways, answer->ifindex, &answer->other[i]);
	if (ret) {
		ways_free(t, ways);
		return ret;
	}
	ways_free(t, d->ways);
	d->ways = ways;
	return 0;
}

static const char *why_of(int error)
{
	switch (error) {
	case -EINVAL: /* the kernel knows no such source address */
	case -EADDRNOTAVAIL:
		return why_no_local;
	default:
		return why_no_route;
	}
}

static void unmark_dirty(struct nexthop_table *t, struct destination *d)
{
	if (!d->dirty)
		return;
	d->dirty = false;
	DL_DELETE2(t->dirty, d, dirty_prev, dirty_next);
}

/* A neighbour that the kernel forgot while no daemon asked for it is looked for again; meanwhile it
 * is where the dead daemon's element says. */
static void neighbour_inherit(struct nexthop_table *t, const struct destination *d)
{
	const struct vd_nexthop *element = &t->array[d->index];
	struct neighbour *n = d->neighbour;

	if (!n || n->has_mac || !(element->flags & VD_NEXTHOP_VALID))
		return;
	memcpy(n->mac, element->dmac, sizeof(n->mac));
	n->has_mac = true;
	n->keep_until_ms = loop_now_ms(t->loop) + LOOKING_GRACE_MS;
	write_neighbour(t, n);
}

/* 0, -EXDEV where the way leads over another device, or why there is none. */
static int ask_route(struct nexthop_table *t, const struct destination *d, unsigned ifindex,
	struct route_answer *answer)
{
	const struct destination_key *key = &d->key;
	int ret = t->ops.route(t->ops.ctx, &key->src, &key->dst, ifindex, answer);

	if (ret == 0)
		return answer->ifindex == ifindex ? 0 : -EXDEV;
	if (ret != -EAGAIN && why_of(ret) == why_no_route &&
		t->ops.route(t->ops.ctx, &key->src, &key->dst, 0, answer) == 0 &&
		answer->ifindex != ifindex)
		return -EXDEV;
	return ret;
}

/* Asks for the route, then sees to the neighbour it names. */
static void examine(struct nexthop_table *t, struct destination *d)
{
	const struct egress *e = &t->egress[d->key.side];
	struct route_answer answer = {0};
	struct way *w;
	int ret;

	unmark_dirty(t, d);
	if (!e->ifindex || !e->up) {
		/* No route leads over a device that is down; when it comes up, all are examined. */
		d->why = egress_why(e);
		ways_leave(t, d);
		goto out;
	}
	ret = ask_route(t, d, e->route_ifindex, &answer);
	if (ret == -EAGAIN) {
		mark_dirty(t, d);
		return;
	}
	if (ret) {
		d->why = ret == -EXDEV ? why_other_device : why_of(ret);
		memset(&d->gateway, 0, sizeof(d->gateway));
		ways_leave(t, d);
		goto out;
	}
	ret = ways_set(t, d, &answer);
	if (ret) {
		mark_dirty(t, d);
		return;
	}
	take_way(d);
	d->why = NULL;
	DL_FOREACH2(d->ways, w, other_next)
	{
		if (!w->neighbour->reread)
			continue;
		neighbour_read(t, w->neighbour);
		write_neighbour(t, w->neighbour);
	}
	if (d->inherited)
		neighbour_inherit(t, d);
out:
	d->inherited = false;
	write_element(t, d);
}

static void reexamine_fire(struct loop_timer *timer)
{
	struct nexthop_table *t = container_of(timer, struct nexthop_table, reexamine);

	for (unsigned i = 0; t->dirty && i < REEXAMINE_A_ROUND; i++)
		examine(t, t->dirty);
	if (t->dirty && !loop_timer_is_started(&t->reexamine))
		loop_timer_start(t->loop, &t->reexamine, REEXAMINE_DELAY_MS);
}

/* Its element stays as it is. */
static void destination_free(struct nexthop_table *t, struct destination *d)
{
	ways_leave(t, d);
	unmark_dirty(t, d);
	if (!d->refs)
		DL_DELETE2(t->idle, d, idle_prev, idle_next);
	HASH_DEL(t->destinations, d);
	free(d);
}

static void destination_drop(struct nexthop_table *t, struct destination *d)
{
	__atomic_store_n(&t->array[d->index].flags, 0, __ATOMIC_SEQ_CST);
	slots_give(&t->slots, d->index, loop_now_ms(t->loop));
	destination_free(t, d);
}

static bool wants_probe(const struct nexthop_table *t, const struct neighbour *n, uint64_t now)
{
	return n->state != NEIGHBOUR_VALID && n->probe_at_ms <= now &&
	       t->egress[n->ways->destination->key.side].up;
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

static bool is_used(const struct neighbour *n)
{
	const struct way *w;

	DL_FOREACH (n->ways, w) {
		if (w->destination->refs)
			return true;
	}
	return false;
}

/* Who moves to another MAC address without a word, and sends us nothing that would tell it, is
 * noticed by being asked alone. The kernel believes in it for half a minute. */
static void confirm_some(struct nexthop_table *t, uint64_t now)
{
	struct neighbour *n = t->confirm_next ? t->confirm_next : t->neighbours;
	unsigned count = HASH_COUNT(t->neighbours);

	for (unsigned i = 0; i < count && i < CONFIRM_LOOKS; i++) {
		if (n->state == NEIGHBOUR_VALID && n->confirm_at_ms <= now && is_used(n) &&
			t->egress[n->ways->destination->key.side].up) {
			t->ops.neighbour_confirm(t->ops.ctx, n->key.ifindex, &n->key.ip);
			n->confirm_at_ms = now + CONFIRM_USED_MS;
		}
		n = n->hh.next ? n->hh.next : t->neighbours;
	}
	t->confirm_next = n;
}

static void tick_fire(struct loop_timer *timer)
{
	struct nexthop_table *t = container_of(timer, struct nexthop_table, tick);
	uint64_t now = loop_now_ms(t->loop);
	struct neighbour *n, *next;

	while (t->idle && t->idle->idle_since_ms + DESTINATION_IDLE_MS <= now)
		destination_drop(t, t->idle);
	t->asks = 0;
	HASH_ITER (hh, t->neighbours, n, next) {
		ask_if_doubted(t, n);
		if (n->state != NEIGHBOUR_VALID && n->state != NEIGHBOUR_STALE && n->has_mac &&
			n->keep_until_ms <= now) {
			n->has_mac = false;
			write_neighbour(t, n);
		}
	}
	probe_some(t, now);
	confirm_some(t, now);
	loop_timer_start(t->loop, &t->tick, TICK_MS);
}

int nexthop_table_new(struct nexthop_table **out, struct loop *loop, struct vd_nexthop *array,
	uint32_t count, uint32_t grace_ms, const struct nexthop_ops *ops)
{
	struct nexthop_table *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->count = count;
	t->array = array;
	t->ops = *ops;
	t->tick.fire = tick_fire;
	t->reexamine.fire = reexamine_fire;
	ret = slots_init(&t->slots, 1, count - 1, grace_ms);
	if (ret)
		goto fail;
	ret = loop_timer_start(loop, &t->tick, TICK_MS);
	if (ret)
		goto fail;
	*out = t;
	return 0;
fail:
	slots_destroy(&t->slots);
	free(t);
	return ret;
}

void nexthop_table_free(struct nexthop_table *t)
{
	struct destination *d, *next;

	if (!t)
		return;
	HASH_ITER (hh, t->destinations, d, next)
		destination_free(t, d);
	loop_timer_stop(t->loop, &t->tick);
	loop_timer_stop(t->loop, &t->reexamine);
	slots_destroy(&t->slots);
	free(t->kept);
	free(t);
}

const struct egress *nexthop_egress(const struct nexthop_table *t, uint8_t side)
{
	return &t->egress[side];
}

void nexthop_set_egress(struct nexthop_table *t, uint8_t side, const struct egress *egress)
{
	bool other = t->egress[side].route_ifindex != egress->route_ifindex;
	struct destination *d, *next;

	if (memcmp(&t->egress[side], egress, sizeof(*egress)) == 0)
		return;
	t->egress[side] = *egress;
	HASH_ITER (hh, t->destinations, d, next) {
		if (d->key.side != side)
			continue;
		/* The routes and neighbours of another device went with it. */
		if (other)
			d->why = why_not_asked;
		/* At once what is known (down, a new MAC); the route when its turn comes. */
		write_element(t, d);
		mark_dirty(t, d);
	}
}

/* index: the element to take up, 0 = a free one. */
static struct destination *destination_make(
	struct nexthop_table *t, const struct destination_key *key, uint32_t index)
{
	struct destination *d = calloc(1, sizeof(*d));
	uint64_t now = loop_now_ms(t->loop);

	if (!d)
		return NULL;
	d->index = index ? index : slots_take(&t->slots, now);
	if (!d->index) {
		free(d);
		return NULL;
	}
	d->inherited = index != 0;
	d->key = *key;
	d->why = why_not_asked;
	table_add_failed = false;
	HASH_ADD(hh, t->destinations, key, sizeof(d->key), d);
	if (table_add_failed) {
		if (!index)
			slots_give(&t->slots, d->index, now);
		free(d);
		return NULL;
	}
	return d;
}

static struct destination *destination_find(struct nexthop_table *t, uint8_t side,
	const struct addr *src, const struct addr *dst, struct destination_key *key)
{
	struct destination *d;

	*key = (struct destination_key){.src = *src, .dst = *dst, .side = side};
	key->src.port = 0;
	key->dst.port = 0;
	HASH_FIND(hh, t->destinations, key, sizeof(*key), d);
	return d;
}

static int get_at(struct nexthop_table *t, uint8_t side, const struct addr *src,
	const struct addr *dst, uint32_t index, struct destination **out)
{
	struct destination_key key;
	struct destination *d = destination_find(t, side, src, dst, &key);

	if (d) {
		if (!d->refs++)
			DL_DELETE2(t->idle, d, idle_prev, idle_next);
		*out = d;
		return 0;
	}
	d = destination_make(t, &key, index);
	if (!d && t->idle) {
		/* The table is full: the one that has been idle longest makes room; its element is
		 * taken again after the grace time, by a later call. */
		destination_drop(t, t->idle);
		d = destination_make(t, &key, index);
	}
	if (!d)
		return -ENOSPC;
	if (index)
		t->kept[index] = 0;
	d->refs = 1;
	/* Packets have a way out meanwhile: the kernel is asked in the next rounds of the loop. */
	if (d->inherited)
		mark_dirty(t, d);
	else
		examine(t, d);
	*out = d;
	return 0;
}

int nexthop_get(struct nexthop_table *t, uint8_t side, const struct addr *src,
	const struct addr *dst, struct destination **out)
{
	return get_at(t, side, src, dst, 0, out);
}

int nexthop_adoption_begin(struct nexthop_table *t, const uint8_t *use)
{
	static const struct vd_nexthop unused;
	uint8_t *states = calloc(t->count, 1);

	t->kept = calloc(t->count, 1);
	if (!t->kept || !states) {
		free(states);
		return -ENOMEM;
	}
	for (uint32_t i = 1; i < t->count; i++) {
		t->kept[i] = use[i];
		if (use[i]) {
			states[i] = SLOT_USED;
		} else if (memcmp(&t->array[i], &unused, sizeof(unused)) != 0) {
			__atomic_store_n(&t->array[i].flags, 0, __ATOMIC_SEQ_CST);
			states[i] = SLOT_WAITS;
		}
	}
	slots_restore(&t->slots, states, loop_now_ms(t->loop));
	free(states);
	return 0;
}

int nexthop_adopt(struct nexthop_table *t, uint8_t side, const struct addr *src,
	const struct addr *dst, uint32_t index, struct destination **out)
{
	bool kept = t->kept && index < t->count && t->kept[index];

	return get_at(t, side, src, dst, kept ? index : 0, out);
}

void nexthop_adoption_done(struct nexthop_table *t)
{
	for (uint32_t i = 1; t->kept && i < t->count; i++) {
		if (!t->kept[i])
			continue;
		__atomic_store_n(&t->array[i].flags, 0, __ATOMIC_SEQ_CST);
		slots_give(&t->slots, i, loop_now_ms(t->loop));
	}
	free(t->kept);
	t->kept = NULL;
}

void nexthop_put(struct nexthop_table *t, struct destination *d)
{
	if (!d || --d->refs)
		return;
	d->idle_since_ms = loop_now_ms(t->loop);
	DL_APPEND2(t->idle, d, idle_prev, idle_next);
}

uint32_t nexthop_index(const struct destination *d)
{
	return d ? d->index : 0;
}

void nexthop_path(
	const struct nexthop_table *t, const struct destination *d, struct dataplane_path *out)
{
	const struct egress *e = &t->egress[d->key.side];

	memset(out, 0, sizeof(*out));
	memcpy(out->device, e->device, sizeof(out->device));
	memcpy(out->smac, e->mac, sizeof(out->smac));
	out->vlan = e->vlan;
	out->mtu = e->mtu;
	out->gateway = d->gateway;
	if (d->inherited)
		memcpy(out->dmac, t->array[d->index].dmac, sizeof(out->dmac));
	else if (neighbour_usable(d->neighbour))
		memcpy(out->dmac, d->neighbour->mac, sizeof(out->dmac));
	out->why = unresolved_why(t, d);
	out->resolved = !out->why;
	out->change = d->change;
	out->change_of = d->change_of;
	if (d->change)
		out->changed_ms_ago = loop_now_ms(t->loop) - d->changed_at_ms;
}

static void show_unresolved(const struct nexthop_table *t, const struct destination *d,
	const char *why, struct dataplane_unresolved *out)
{
	*out = (struct dataplane_unresolved){
		.side = (uint8_t)d->key.side,
		.to = d->key.dst,
		.gateway = d->gateway,
		.why = why,
		.since_ms = d->change ? loop_now_ms(t->loop) - d->changed_at_ms : UINT64_MAX,
	};
}

/* A destination in use that has another way than by n, which does not answer; NULL: none has. */
static const struct destination *who_left(const struct neighbour *n)
{
	const struct way *w;

	if (neighbour_usable(n))
		return NULL;
	DL_FOREACH (n->ways, w) {
		const struct destination *d = w->destination;

		if (d->refs && d->neighbour != n && neighbour_usable(d->neighbour))
			return d;
	}
	return NULL;
}

static void survey_gateways(const struct nexthop_table *t, struct dataplane_status *out)
{
	struct neighbour *n, *next;

	out->gateways_left = 0;
	HASH_ITER (hh, t->neighbours, n, next) {
		const struct destination *d = who_left(n);

		if (!d)
			continue;
		if (out->gateways_left < DATAPLANE_GATEWAYS_SHOWN)
			out->left[out->gateways_left] =
				(struct dataplane_gateway_left){.side = (uint8_t)d->key.side,
					.gateway = n->key.ip,
					.why = why_no_neighbour};
		out->gateways_left++;
	}
}

void nexthop_survey(const struct nexthop_table *t, struct dataplane_status *out)
{
	struct destination *d, *next;

	out->nexthops = out->nexthops_unresolved = 0;
	out->nexthops_asked = t->asked;
	survey_gateways(t, out);
	HASH_ITER (hh, t->destinations, d, next) {
		const char *why = unresolved_why(t, d);
		unsigned n = out->nexthops_unresolved;

		if (!d->refs)
			continue;
		out->nexthops++;
		if (!why)
			continue;
		if (n < DATAPLANE_UNRESOLVED_SHOWN)
			show_unresolved(t, d, why, &out->unresolved[n]);
		out->nexthops_unresolved++;
	}
}

void nexthop_route_changed(struct nexthop_table *t, const struct addr *net, unsigned prefix)
{
	struct destination *d, *next;

	HASH_ITER (hh, t->destinations, d, next) {
		if (!net->family || (net->family == d->key.dst.family &&
					    addr_in_prefix(&d->key.dst, net, prefix)))
			mark_dirty(t, d);
	}
}

void nexthop_neighbour_changed(struct nexthop_table *t, unsigned ifindex, const struct addr *ip,
	enum neighbour_state state, const uint8_t mac[6])
{
	struct neighbour *n = neighbour_find(t, ifindex, ip);

	if (!n)
		return;
	neighbour_learn(t, n, state, mac);
	write_neighbour(t, n);
}

static bool has_way_with(const struct destination *d, uint32_t end)
{
	const struct way *w;

	DL_FOREACH2(d->ways, w, other_next)
	{
		if (neighbour_usable(w->neighbour) && mac_end(w->neighbour->mac) == end)
			return true;
	}
	return false;
}

void nexthop_came_from(struct nexthop_table *t, uint8_t side, const struct addr *local,
	const struct addr *source, uint32_t end, bool moved)
{
	struct destination_key key;
	struct destination *d = destination_find(t, side, local, source, &key);
	struct neighbour *n;

	if (d && d->inherited)
		examine(t, d);
	n = d ? d->neighbour : NULL;
	/* They may come back by another gateway than they go by. */
	if (!n || has_way_with(d, end))
		return;
	/* While the kernel looks it will have an answer by itself. */
	if (n->state != NEIGHBOUR_VALID && n->state != NEIGHBOUR_STALE)
		return;
	/* Asymmetric routing, or VRRP from a router's own address: asked about once. */
	if (end == n->other_mac_end && !moved)
		return;
	n->other_mac_end = end;
	n->doubted = true;
	ask_if_doubted(t, n);
}

void nexthop_resync(struct nexthop_table *t)
{
	static const struct addr anything;
	struct neighbour *n, *next;

	HASH_ITER (hh, t->neighbours, n, next)
		n->reread = true;
	nexthop_route_changed(t, &anything, 0);
}
