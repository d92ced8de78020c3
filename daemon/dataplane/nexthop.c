/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/neighbour.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "dataplane/reachability.h"
#include "dataplane/slots.h"

#include <utlist.h>

#define TICK_MS             250
#define DESTINATION_IDLE_MS 60000 /* kept this long after its last flow, for the next call */
#define REEXAMINE_A_ROUND   64    /* destinations asked about again in one round of the loop */
#define REEXAMINE_DELAY_MS  1     /* between such rounds */

static const char why_no_route[] = "no route";
static const char why_other_device[] = "route leaves by another device";
static const char why_no_local[] = "media address is not on this machine";
static const char why_device_gone[] = "device gone";
static const char why_device_down[] = "device down";
static const char why_no_carrier[] = "no carrier";
static const char why_no_neighbour[] = "no neighbour";
static const char why_not_asked[] = "not asked yet";
static const char why_silent[] = "the neighbour does not answer";
static const char why_back[] = "the neighbour did not answer until just now";

static const char change_resolved[] = "resolved";
static const char change_gateway[] = "another gateway";
static const char change_neighbour_mac[] = "the neighbour has another MAC address";
static const char change_own_mac[] = "our device has another MAC address";

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

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

/* Why a way that is better than n is taken, NULL: n is as good as any. */
static const char *why_left(const struct neighbour *n)
{
	if (!neighbour_usable(n))
		return why_no_neighbour;
	if (!n->reach.silent && n->state != NEIGHBOUR_FAILED)
		return NULL;
	return n->reach.answers ? why_back : why_silent;
}

/* Why that gateway is taken no more, NULL: the route is another one. */
static const char *why_gateway_left(const struct destination *d, const struct addr *gateway)
{
	const struct way *w;

	DL_FOREACH2(d->ways, w, other_next)
	{
		if (addr_equal_ip(&w->neighbour->key.ip, gateway))
			return why_left(w->neighbour);
	}
	return d->left_by;
}

/* Called before `now` takes the place of what the element says. */
static void note_what_changes(
	const struct nexthop_table *t, struct destination *d, const struct vd_nexthop *now)
{
	const struct vd_nexthop *was = &t->array[d->index];
	const char *why = unresolved_why(t, d), *of = d->resolved ? NULL : d->unresolved_by, *left;

	if (why) {
		if (d->resolved || !d->unresolved_by || d->unresolved_by == why_not_asked)
			d->unresolved_by = why;
		if (why != why_not_asked && d->ever_resolved && (d->resolved || d->change != why))
			note_change(t, d, why, NULL);
		d->resolved = false;
		return;
	}
	left = why_gateway_left(d, &d->resolved_gateway);
	if (d->ever_resolved && !addr_equal_ip(&d->gateway, &d->resolved_gateway))
		note_change(t, d, change_gateway, left ? left : of);
	else if (d->ever_resolved && memcmp(was->dmac, now->dmac, sizeof(now->dmac)) != 0)
		note_change(t, d, change_neighbour_mac, of ? of : d->neighbour->evidence);
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

/* Of those that answer, for a while at least, the first. Else what may be as good as another stays:
 * going from one dead gateway to the next helps nobody. */
static void take_way(struct destination *d)
{
	struct neighbour *taken = NULL, *before = d->neighbour;
	const struct way *w;

	DL_FOREACH2(d->ways, w, other_next)
	{
		struct neighbour *n = w->neighbour;

		if (!taken || reachability_rank(n) > reachability_rank(taken) ||
			(n == before && !neighbour_answers(n) &&
				reachability_rank(n) == reachability_rank(taken)))
			taken = n;
	}
	d->neighbour = taken;
	if (d->neighbour)
		d->gateway = d->neighbour->key.ip;
}

void nexthop_neighbour_moved(const struct nexthop_table *t, const struct neighbour *n)
{
	const struct way *w;

	DL_FOREACH (n->ways, w) {
		take_way(w->destination);
		write_element(t, w->destination);
	}
}

void nexthop_examine_later(struct nexthop_table *t, struct destination *d)
{
	if (d->dirty)
		return;
	d->dirty = true;
	DL_APPEND2(t->dirty, d, dirty_prev, dirty_next);
	if (!loop_timer_is_started(&t->reexamine))
		loop_timer_start(t->loop, &t->reexamine, REEXAMINE_DELAY_MS);
}

/* Whether flows lead over it. */
static void count_way(struct nexthop_table *t, const struct way *w, int count)
{
	const struct destination *d = w->destination;
	struct neighbour *n = w->neighbour;

	if (d->refs)
		neighbour_count_use(t, n, count, !addr_equal_ip(&d->key.dst, &n->key.ip));
}

static void ways_free(struct nexthop_table *t, struct way *ways)
{
	struct way *w, *next;

	DL_FOREACH_SAFE2(ways, w, next, other_next)
	{
		struct neighbour *n = w->neighbour;

		DL_DELETE(n->ways, w);
		count_way(t, w, -1);
		free(w);
		if (!n->ways)
			neighbour_free(t, n);
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
	count_way(t, w, 1);
	DL_APPEND2(*ways, w, other_prev, other_next);
	return 0;
}

static void count_ways(struct nexthop_table *t, const struct destination *d, int count)
{
	const struct way *w;

	DL_FOREACH2(d->ways, w, other_next)
	{
		count_way(t, w, count);
	}
}

/* A neighbour that was one before is one without a break. */
static int ways_set(
	struct nexthop_table *t, struct destination *d, const struct route_answer *answer)
{
	const struct addr *first = answer->gateway.family ? &answer->gateway : &d->key.dst;
	struct way *ways = NULL, *before;
	int ret = way_add(t, d, &ways, answer->ifindex, first);

	for (unsigned i = 0; i < answer->other_count && !ret; i++)
		ret = way_add(t, d, &ways, answer->ifindex, &answer->other[i]);
	if (ret) {
		ways_free(t, ways);
		return ret;
	}
	d->left_by = d->neighbour ? why_left(d->neighbour) : NULL;
	before = d->ways;
	d->ways = ways;
	take_way(d);
	ways_free(t, before);
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
	neighbour_keep(t, n);
	nexthop_neighbour_moved(t, n);
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
		nexthop_examine_later(t, d);
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
		nexthop_examine_later(t, d);
		return;
	}
	d->why = NULL;
	DL_FOREACH2(d->ways, w, other_next)
	{
		if (!w->neighbour->reread)
			continue;
		neighbour_read(t, w->neighbour);
	}
	if (d->inherited)
		neighbour_inherit(t, d);
out:
	d->inherited = false;
	write_element(t, d);
	d->left_by = NULL;
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

static void tick_fire(struct loop_timer *timer)
{
	struct nexthop_table *t = container_of(timer, struct nexthop_table, tick);
	uint64_t now = loop_now_ms(t->loop);

	while (t->idle && t->idle->idle_since_ms + DESTINATION_IDLE_MS <= now)
		destination_drop(t, t->idle);
	neighbours_tick(t, now);
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
	reachability_init(t);
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
	loop_timer_stop(t->loop, &t->turn);
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
		nexthop_examine_later(t, d);
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
		if (!d->refs++) {
			DL_DELETE2(t->idle, d, idle_prev, idle_next);
			count_ways(t, d, 1);
		}
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
		nexthop_examine_later(t, d);
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
	if (!d)
		return;
	if (d->refs == 1)
		count_ways(t, d, -1);
	if (--d->refs)
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

	if (neighbour_answers(n))
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
					.why = why_left(n)};
		out->gateways_left++;
	}
}

static void keep_last_change(const struct nexthop_table *t, const struct destination *d,
	struct dataplane_last_change *out)
{
	uint64_t ms_ago = loop_now_ms(t->loop) - d->changed_at_ms;

	if (!d->change || (out->change && out->ms_ago <= ms_ago))
		return;
	*out = (struct dataplane_last_change){.side = (uint8_t)d->key.side,
		.to = d->key.dst,
		.change = d->change,
		.change_of = d->change_of,
		.ms_ago = ms_ago};
}

void nexthop_survey(const struct nexthop_table *t, struct dataplane_status *out)
{
	struct destination *d, *next;

	out->nexthops = out->nexthops_unresolved = 0;
	out->nexthops_asked = t->asked;
	out->last_change.change = NULL;
	survey_gateways(t, out);
	HASH_ITER (hh, t->destinations, d, next) {
		const char *why = unresolved_why(t, d);
		unsigned n = out->nexthops_unresolved;

		if (!d->refs)
			continue;
		out->nexthops++;
		keep_last_change(t, d, &out->last_change);
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
			nexthop_examine_later(t, d);
	}
}

void nexthop_neighbour_changed(struct nexthop_table *t, unsigned ifindex, const struct addr *ip,
	enum neighbour_state state, const uint8_t mac[6])
{
	struct neighbour *n = neighbour_find(t, ifindex, ip);

	if (!n)
		return;
	neighbour_learn(t, n, state, mac);
}

static bool has_way_with(const struct destination *d, uint32_t end)
{
	const struct way *w;

	DL_FOREACH2(d->ways, w, other_next)
	{
		if (neighbour_usable(w->neighbour) && neighbour_mac_end(w->neighbour) == end)
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
	neighbour_doubt(t, n, end, moved);
}

void nexthop_resync(struct nexthop_table *t)
{
	static const struct addr anything;
	struct neighbour *n, *next;

	HASH_ITER (hh, t->neighbours, n, next)
		n->reread = true;
	nexthop_route_changed(t, &anything, 0);
}
