/* SPDX-License-Identifier: BSD-2-Clause */
/* The next-hop table against a kernel made up by the test: routes and neighbours as told, events
 * as they would come over rtnetlink. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/nexthop.h"
#include "test_clock.h"

#define ELEMENTS     12
#define MANY         400 /* neighbours: more than are looked for at once */
#define DEVICE       3
#define OTHER_DEVICE 4

struct kernel {
	struct loop *loop;
	struct nexthop_table *table;
	struct vd_nexthop array[ELEMENTS];
	struct egress egress;
	/* What it answers. */
	int route_error;
	unsigned route_device;
	struct addr gateway, second; /* family 0: the route has no such */
	enum neighbour_state neighbour;
	uint8_t mac[6];
	bool each_its_own; /* neighbour: no gateway */
	/* What it was asked. */
	unsigned route_asked, used, used_of[MANY];
};

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, 0), 0);
	return a;
}

static int fake_route(void *ctx, const struct addr *src, const struct addr *dst, unsigned ifindex,
	struct route_answer *out)
{
	struct kernel *k = ctx;

	(void)src;
	(void)dst;
	k->route_asked++;
	*out = (struct route_answer){.ifindex = k->route_device};
	if (!k->each_its_own)
		out->gateway = k->gateway;
	if (k->second.family)
		out->other[out->other_count++] = k->second;
	if (k->route_error)
		return k->route_error;
	return ifindex && ifindex != k->route_device ? -ENETUNREACH : 0;
}

static void fake_use(void *ctx, unsigned ifindex, const struct addr *ip)
{
	struct kernel *k = ctx;

	assert_int_equal(ifindex, DEVICE);
	k->used++;
	if (k->each_its_own)
		k->used_of[ip->ip[2] << 8 | ip->ip[3]]++;
}

static bool fake_ask_anew(void *ctx, unsigned ifindex, const struct addr *ip)
{
	fake_use(ctx, ifindex, ip);
	return true;
}

/* What neighbour_get says is the answer. */
static bool fake_confirm(void *ctx, unsigned ifindex, const struct addr *ip)
{
	(void)ctx;
	(void)ip;
	assert_int_equal(ifindex, DEVICE);
	return true;
}

static void fake_fail(void *ctx, unsigned ifindex, const struct addr *ip)
{
	(void)ctx;
	(void)ip;
	assert_int_equal(ifindex, DEVICE);
}

static enum neighbour_state fake_get(
	void *ctx, unsigned ifindex, const struct addr *ip, uint8_t mac[6])
{
	struct kernel *k = ctx;

	assert_int_equal(ifindex, DEVICE);
	memcpy(mac, k->second.family && addr_equal_ip(ip, &k->second) ? mac_b : k->mac, 6);
	return k->neighbour;
}

static void make_table(struct kernel *k)
{
	const struct nexthop_ops ops = {.ctx = k,
		.route = fake_route,
		.neighbour_use = fake_use,
		.neighbour_ask_anew = fake_ask_anew,
		.neighbour_confirm = fake_confirm,
		.neighbour_fail = fake_fail,
		.neighbour_get = fake_get};

	assert_int_equal(nexthop_table_new(&k->table, k->loop, k->array, ELEMENTS, 0, &ops), 0);
}

static int setup(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->route_device = DEVICE;
	k->gateway = address("192.0.2.254");
	k->neighbour = NEIGHBOUR_VALID;
	memcpy(k->mac, mac_a, 6);
	k->egress = (struct egress){.device = "ext0",
		.ifindex = DEVICE,
		.route_ifindex = DEVICE,
		.devmap_index = 1,
		.mac = {2, 0, 0, 0, 0, 1},
		.mtu = 1500,
		.up = true};
	assert_int_equal(loop_new(&k->loop), 0);
	make_table(k);
	nexthop_set_egress(k->table, 1, &k->egress);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kernel *k = *state;

	nexthop_table_free(k->table);
	loop_free(k->loop);
	free(k);
	return 0;
}

static struct destination *get(struct kernel *k, const char *dst)
{
	struct addr src = address("192.0.2.1"), to = address(dst);
	struct destination *d = NULL;

	assert_int_equal(nexthop_get(k->table, 1, &src, &to, &d), 0);
	return d;
}

static const struct vd_nexthop *element(const struct kernel *k, const struct destination *d)
{
	return &k->array[nexthop_index(d)];
}

static void assert_why(const struct kernel *k, const struct destination *d, const char *why)
{
	struct dataplane_path path;

	nexthop_path(k->table, d, &path);
	assert_int_equal(path.resolved, why == NULL);
	assert_int_equal(!!(element(k, d)->flags & VD_NEXTHOP_VALID), why == NULL);
	if (why)
		assert_string_equal(path.why, why);
}

/* Lets the table's timers run for a while. */
static void pass(struct kernel *k, unsigned ms)
{
	uint64_t until = loop_now_ms(k->loop) + ms;

	do {
		assert_int_equal(loop_once(k->loop, 20), 0);
	} while (loop_now_ms(k->loop) < until);
}

static void a_known_destination_costs_no_question(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1");
	unsigned asked = k->route_asked;

	assert_why(k, d, NULL);
	assert_memory_equal(element(k, d)->dmac, mac_a, 6);
	assert_memory_equal(element(k, d)->smac, k->egress.mac, 6);
	assert_int_equal(element(k, d)->mtu, 1500);
	assert_int_equal(element(k, d)->device, 1);
	assert_ptr_equal(get(k, "198.51.100.1"), d);
	nexthop_put(k->table, d);
	nexthop_put(k->table, d);
	assert_ptr_equal(get(k, "198.51.100.1"), d);
	assert_int_equal(k->route_asked, asked);
}

static void a_gateways_new_mac_reaches_every_destination_behind_it(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1"), *e = get(k, "198.51.100.2");
	unsigned asked = k->route_asked;

	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_VALID, mac_b);
	assert_memory_equal(element(k, d)->dmac, mac_b, 6);
	assert_memory_equal(element(k, e)->dmac, mac_b, 6);
	assert_int_equal(k->route_asked, asked);
}

static void a_route_change_is_asked_about_by_those_it_touches(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1"), *e = get(k, "203.0.113.1");
	struct addr net = address("198.51.100.0");
	struct dataplane_path path;
	unsigned asked = k->route_asked;

	k->gateway = address("192.0.2.253");
	memcpy(k->mac, mac_b, 6);
	nexthop_route_changed(k->table, &net, 24);
	pass(k, 20);
	assert_int_equal(k->route_asked, asked + 1);
	assert_memory_equal(element(k, d)->dmac, mac_b, 6);
	assert_memory_equal(element(k, e)->dmac, mac_a, 6);
	nexthop_path(k->table, d, &path);
	assert_true(addr_equal_ip(&path.gateway, &k->gateway));
}

static void a_link_that_goes_down_and_up_is_followed(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1");

	k->egress.up = false;
	nexthop_set_egress(k->table, 1, &k->egress);
	assert_why(k, d, "device down");
	k->egress.no_carrier = true;
	nexthop_set_egress(k->table, 1, &k->egress);
	assert_why(k, d, "no carrier");
	pass(k, 20);
	k->egress.up = true;
	k->egress.mac[5] = 9;
	nexthop_set_egress(k->table, 1, &k->egress);
	pass(k, 20);
	assert_why(k, d, NULL);
	assert_int_equal(element(k, d)->smac[5], 9);
}

static void frames_carry_the_sides_vlan(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1");

	assert_int_equal(element(k, d)->vlan, 0);
	k->egress.vlan = 42;
	nexthop_set_egress(k->table, 1, &k->egress);
	assert_int_equal(element(k, d)->vlan, 42);
	assert_why(k, d, NULL);
}

static void reasons_are_told_apart(void **state)
{
	struct kernel *k = *state;
	struct destination *d;

	k->route_error = -ENETUNREACH;
	d = get(k, "198.51.100.1");
	assert_why(k, d, "no route");
	k->route_error = 0;
	k->route_device = OTHER_DEVICE;
	d = get(k, "198.51.100.2");
	assert_why(k, d, "route leaves by another device");
	k->route_device = DEVICE;
	k->neighbour = NEIGHBOUR_LOOKING;
	d = get(k, "198.51.100.3");
	assert_why(k, d, "no neighbour");
	k->route_error = -EINVAL;
	d = get(k, "198.51.100.4");
	assert_why(k, d, "media address is not on this machine");
}

static void a_missing_neighbour_that_no_flow_leads_to_is_looked_for_with_growing_pauses(
	void **state)
{
	struct kernel *k = *state;
	struct destination *d;
	unsigned asked;

	k->neighbour = NEIGHBOUR_LOOKING;
	d = get(k, "198.51.100.1");
	nexthop_put(k->table, d);
	assert_int_equal(k->used, 1);
	pass(k, 1600);
	asked = k->used;
	assert_in_range(asked, 2, 3);
	pass(k, 1000);
	assert_int_equal(k->used, asked);
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_VALID, mac_a);
	assert_why(k, d, NULL);
}

static struct addr one_of_many(unsigned i)
{
	struct addr a = address("198.51.0.0");

	a.ip[2] = (uint8_t)(i >> 8);
	a.ip[3] = (uint8_t)i;
	return a;
}

/* A table of that many neighbours, none of which has a flow now. Returns its elements. */
static struct vd_nexthop *make_many(struct kernel *k, enum neighbour_state state)
{
	const struct nexthop_ops ops = {.ctx = k,
		.route = fake_route,
		.neighbour_use = fake_use,
		.neighbour_ask_anew = fake_ask_anew,
		.neighbour_confirm = fake_confirm,
		.neighbour_fail = fake_fail,
		.neighbour_get = fake_get};
	struct vd_nexthop *array = calloc(MANY + 1, sizeof(*array));
	struct addr src = address("192.0.2.1"), dst;
	struct destination *d;

	nexthop_table_free(k->table);
	assert_int_equal(nexthop_table_new(&k->table, k->loop, array, MANY + 1, 0, &ops), 0);
	nexthop_set_egress(k->table, 1, &k->egress);
	k->each_its_own = true;
	k->neighbour = state;
	for (unsigned i = 0; i < MANY; i++) {
		dst = one_of_many(i);
		assert_int_equal(nexthop_get(k->table, 1, &src, &dst, &d), 0);
		nexthop_put(k->table, d);
	}
	return array;
}

static void free_many(struct kernel *k, struct vd_nexthop *array)
{
	nexthop_table_free(k->table);
	free(array);
	make_table(k);
}

/* All of them are due at every tick: those at the end would wait for ever, were it not for turns.
 */
static void many_missing_neighbours_are_looked_for_in_turn(void **state)
{
	struct kernel *k = *state;
	struct vd_nexthop *array = make_many(k, NEIGHBOUR_NONE);
	struct addr dst;

	memset(k->used_of, 0, sizeof(k->used_of));
	k->used = 0;
	while (k->used < 2 * MANY) {
		for (unsigned i = 0; i < MANY; i++) {
			dst = one_of_many(i);
			nexthop_neighbour_changed(k->table, DEVICE, &dst, NEIGHBOUR_NONE, NULL);
		}
		assert_int_equal(loop_once(k->loop, 20), 0);
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_in_range(k->used_of[i], 2, 3);
	free_many(k, array);
}

static void a_stale_neighbour_is_used_and_confirmed(void **state)
{
	struct kernel *k = *state;
	struct destination *d;

	k->neighbour = NEIGHBOUR_STALE;
	d = get(k, "198.51.100.1");
	nexthop_put(k->table, d);
	assert_why(k, d, NULL);
	pass(k, 600);
	assert_int_equal(k->used, 1);
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_VALID, mac_a);
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_STALE, mac_a);
	pass(k, 300);
	assert_int_equal(k->used, 2);
}

static void the_last_mac_serves_while_the_kernel_looks_and_not_once_it_failed(void **state)
{
	static const uint8_t none[6];
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1");

	nexthop_put(k->table, d);
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_NONE, none);
	assert_why(k, d, NULL);
	pass(k, 300);
	assert_int_equal(k->used, 1);
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_FAILED, none);
	assert_why(k, d, "no neighbour");
}

/* Of two routers the kernel takes the other one, and tells no change of a route. */
static void a_router_that_fails_is_left_for_the_one_that_the_kernel_names_then(void **state)
{
	static const uint8_t none[6];
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1"), *e = get(k, "203.0.113.1");
	struct addr dead = k->gateway;
	struct dataplane_path path;
	unsigned asked = k->route_asked;

	k->gateway = address("192.0.2.253");
	memcpy(k->mac, mac_b, 6);
	pass(k, 300); /* it was asked, and has answered */
	k->used = 0;
	nexthop_neighbour_changed(k->table, DEVICE, &dead, NEIGHBOUR_FAILED, none);
	assert_why(k, d, NULL);
	pass(k, 20);
	/* The dead one was not looked for again before: the kernel would name it anew. */
	assert_int_equal(k->used, 0);
	assert_int_equal(k->route_asked, asked + 2);
	assert_memory_equal(element(k, d)->dmac, mac_b, 6);
	assert_memory_equal(element(k, e)->dmac, mac_b, 6);
	nexthop_path(k->table, d, &path);
	assert_string_equal(path.change, "another gateway");
	assert_string_equal(path.change_of, "the neighbour does not answer");
}

/* In IPv4 the kernel names the dead one for ever. */
static void of_a_multipath_route_a_gateway_that_fails_is_left_until_it_answers(void **state)
{
	static const uint8_t none[6];
	struct kernel *k = *state;
	struct dataplane_status status;
	struct dataplane_path path;
	struct destination *d;

	k->second = address("192.0.2.253");
	d = get(k, "198.51.100.1");
	assert_memory_equal(element(k, d)->dmac, mac_a, 6);
	nexthop_survey(k->table, &status);
	assert_int_equal(status.gateways_left, 0);
	pass(k, 300); /* it was asked, and has answered */
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_FAILED, none);
	/* At once: the other one was asked for as well. */
	assert_why(k, d, NULL);
	assert_memory_equal(element(k, d)->dmac, mac_b, 6);
	nexthop_path(k->table, d, &path);
	assert_true(addr_equal_ip(&path.gateway, &k->second));
	assert_string_equal(path.change, "another gateway");
	assert_string_equal(path.change_of, "the neighbour does not answer");
	nexthop_survey(k->table, &status);
	assert_string_equal(status.last_change.change, "another gateway");
	assert_string_equal(status.last_change.change_of, "the neighbour does not answer");
	assert_int_equal(status.nexthops_unresolved, 0);
	assert_int_equal(status.gateways_left, 1);
	assert_true(addr_equal_ip(&status.left[0].gateway, &k->gateway));
	/* It is looked for although nothing goes by it. */
	k->used = 0;
	pass(k, 1000);
	assert_true(k->used > 0);
	/* Its answers come for a while before it is taken again. */
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_VALID, mac_a);
	assert_memory_equal(element(k, d)->dmac, mac_b, 6);
	pass(k, 4000);
	assert_memory_equal(element(k, d)->dmac, mac_a, 6);
	nexthop_survey(k->table, &status);
	assert_int_equal(status.gateways_left, 0);
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_FAILED, none);
	k->neighbour = NEIGHBOUR_LOOKING;
	nexthop_neighbour_changed(k->table, DEVICE, &k->second, NEIGHBOUR_FAILED, none);
	pass(k, 5000);
	assert_why(k, d, "no neighbour");
}

static void packets_that_come_by_another_gateway_of_the_route_make_nobody_ask(void **state)
{
	struct kernel *k = *state;
	struct addr local = address("192.0.2.1"), source = address("198.51.100.1");
	uint32_t end;

	k->second = address("192.0.2.253");
	get(k, "198.51.100.1");
	memcpy(&end, mac_b + 2, sizeof(end));
	/* The table of this test cannot ask anew: it would crash. */
	nexthop_came_from(k->table, 1, &local, &source, end, true);
	pass(k, 600);
}

static void for_a_neighbour_on_link_that_fails_no_route_is_asked(void **state)
{
	static const uint8_t none[6];
	struct kernel *k = *state;
	struct addr own = address("192.0.2.9");
	unsigned asked;

	memset(&k->gateway, 0, sizeof(k->gateway));
	get(k, "192.0.2.9");
	asked = k->route_asked;
	nexthop_neighbour_changed(k->table, DEVICE, &own, NEIGHBOUR_FAILED, none);
	pass(k, 20);
	assert_int_equal(k->route_asked, asked);
}

static void lost_events_are_made_good_by_asking_again(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1");

	memcpy(k->mac, mac_b, 6);
	nexthop_resync(k->table);
	pass(k, 20);
	assert_memory_equal(element(k, d)->dmac, mac_b, 6);
}

static void a_full_table_refuses_and_idle_destinations_make_room(void **state)
{
	struct kernel *k = *state;
	struct addr src = address("192.0.2.1"), dst = address("198.51.100.0");
	struct destination *d[ELEMENTS];
	struct dataplane_status status;

	for (unsigned i = 0; i < ELEMENTS - 1; i++) {
		dst.ip[3] = (uint8_t)i;
		assert_int_equal(nexthop_get(k->table, 1, &src, &dst, &d[i]), 0);
	}
	dst.ip[3] = 100;
	assert_int_equal(nexthop_get(k->table, 1, &src, &dst, &d[ELEMENTS - 1]), -ENOSPC);
	nexthop_put(k->table, d[2]);
	assert_int_equal(nexthop_get(k->table, 1, &src, &dst, &d[ELEMENTS - 1]), 0);
	nexthop_survey(k->table, &status);
	assert_int_equal(status.nexthops, ELEMENTS - 1);
	assert_int_equal(status.nexthops_unresolved, 0);
}

static void those_not_resolved_are_counted_and_the_first_are_shown(void **state)
{
	struct kernel *k = *state;
	struct destination *good = get(k, "198.51.100.1");
	struct dataplane_status status;

	k->route_error = -ENETUNREACH;
	for (unsigned i = 0; i < ELEMENTS - 2; i++) {
		struct addr src = address("192.0.2.1"), dst = address("203.0.113.0");
		struct destination *d;

		dst.ip[3] = (uint8_t)i;
		assert_int_equal(nexthop_get(k->table, 1, &src, &dst, &d), 0);
	}
	nexthop_survey(k->table, &status);
	assert_int_equal(status.nexthops, ELEMENTS - 1);
	assert_int_equal(status.nexthops_unresolved, ELEMENTS - 2);
	assert_true(ELEMENTS - 2 >= DATAPLANE_UNRESOLVED_SHOWN);
	for (unsigned i = 0; i < DATAPLANE_UNRESOLVED_SHOWN; i++) {
		const struct dataplane_unresolved *u = &status.unresolved[i];

		assert_int_equal(u->side, 1);
		assert_int_equal(u->to.ip[0], 203);
		assert_int_equal(u->gateway.family, 0);
		assert_string_equal(u->why, "no route");
		assert_true(u->since_ms == UINT64_MAX);
	}
	/* Nobody sends to one that is idle: it does not count. */
	nexthop_put(k->table, good);
	nexthop_survey(k->table, &status);
	assert_int_equal(status.nexthops, ELEMENTS - 2);
}

static void assert_change(
	const struct kernel *k, const struct destination *d, const char *change, const char *of)
{
	struct dataplane_path path;

	nexthop_path(k->table, d, &path);
	assert_non_null(path.change);
	assert_string_equal(path.change, change);
	if (of)
		assert_string_equal(path.change_of, of);
	else
		assert_null(path.change_of);
}

static void what_the_network_changed_last_is_told(void **state)
{
	struct kernel *k = *state;
	struct addr anything = {0};
	struct destination *d = get(k, "198.51.100.1");
	struct dataplane_status status;
	struct dataplane_path path;

	nexthop_path(k->table, d, &path);
	assert_null(path.change);
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_VALID, mac_b);
	assert_change(k, d, "the neighbour has another MAC address", NULL);
	k->gateway = address("192.0.2.253");
	nexthop_route_changed(k->table, &anything, 0);
	pass(k, 20);
	assert_change(k, d, "another gateway", NULL);
	k->egress.mac[5] = 9;
	nexthop_set_egress(k->table, 1, &k->egress);
	assert_change(k, d, "our device has another MAC address", NULL);
	k->route_error = -ENETUNREACH;
	nexthop_route_changed(k->table, &anything, 0);
	pass(k, 20);
	assert_change(k, d, "no route", NULL);
	nexthop_survey(k->table, &status);
	assert_string_equal(status.unresolved[0].why, "no route");
	assert_true(status.unresolved[0].since_ms < 60000);
	k->route_error = 0;
	k->gateway = address("192.0.2.254");
	nexthop_route_changed(k->table, &anything, 0);
	pass(k, 20);
	assert_change(k, d, "another gateway", "no route");
}

/* Whatever was in the way meanwhile. */
static void that_it_is_resolved_again_is_told_with_what_began_it(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get(k, "198.51.100.1"), *late;
	struct egress gone = {.device = "ext0", .devmap_index = 1};

	nexthop_set_egress(k->table, 1, &gone);
	assert_why(k, d, "device gone");
	assert_change(k, d, "device gone", NULL);
	k->route_error = -ENETUNREACH;
	nexthop_set_egress(k->table, 1, &k->egress);
	pass(k, 20);
	assert_change(k, d, "no route", NULL);
	late = get(k, "198.51.100.2");
	k->route_error = 0;
	nexthop_route_changed(k->table, &k->gateway, 0);
	pass(k, 20);
	assert_why(k, d, NULL);
	assert_change(k, d, "resolved", "device gone");
	assert_change(k, late, "resolved", "no route");
}

/* Another table over the array as it stands; flows lead to the elements in use. */
static void start_again(struct kernel *k, const uint8_t use[ELEMENTS])
{
	nexthop_table_free(k->table);
	make_table(k);
	nexthop_set_egress(k->table, 1, &k->egress);
	assert_int_equal(nexthop_adoption_begin(k->table, use), 0);
}

static struct destination *adopt(struct kernel *k, const char *dst, uint32_t index)
{
	struct addr src = address("192.0.2.1"), to = address(dst);
	struct destination *d = NULL;

	assert_int_equal(nexthop_adopt(k->table, 1, &src, &to, index, &d), 0);
	return d;
}

static void an_element_stays_until_the_kernel_has_answered(void **state)
{
	struct kernel *k = *state;
	const uint8_t use[ELEMENTS] = {[1] = 1};
	struct vd_nexthop before;
	struct destination *d = get(k, "198.51.100.1");
	unsigned asked;

	assert_int_equal(nexthop_index(d), 1);
	before = k->array[1];
	memcpy(k->mac, mac_b, 6);
	start_again(k, use);
	asked = k->route_asked;
	d = adopt(k, "198.51.100.1", 1);
	assert_int_equal(nexthop_index(d), 1);
	assert_memory_equal(&k->array[1], &before, sizeof(before));
	assert_why(k, d, NULL);
	assert_int_equal(k->route_asked, asked);
	k->route_error = -EAGAIN;
	pass(k, 20);
	assert_true(k->route_asked > asked);
	assert_memory_equal(&k->array[1], &before, sizeof(before));
	k->route_error = 0;
	pass(k, 20);
	assert_why(k, d, NULL);
	assert_memory_equal(k->array[1].dmac, mac_b, 6);
}

static void a_neighbour_that_the_kernel_forgot_serves_while_it_is_looked_for(void **state)
{
	struct kernel *k = *state;
	const uint8_t use[ELEMENTS] = {[1] = 1};
	struct destination *d;
	unsigned used;

	get(k, "198.51.100.1");
	k->neighbour = NEIGHBOUR_NONE;
	start_again(k, use);
	d = adopt(k, "198.51.100.1", 1);
	used = k->used;
	pass(k, 20);
	assert_true(k->used > used);
	assert_why(k, d, NULL);
	assert_memory_equal(element(k, d)->dmac, mac_a, 6);
	nexthop_neighbour_changed(k->table, DEVICE, &k->gateway, NEIGHBOUR_FAILED, mac_b);
	assert_why(k, d, NULL);
	k->neighbour = NEIGHBOUR_LOOKING;
	pass(k, 4500);
	assert_why(k, d, "no neighbour");
}

static void an_element_without_a_route_is_taken_up_and_given_up(void **state)
{
	struct kernel *k = *state;
	const uint8_t use[ELEMENTS] = {[1] = 1};
	struct destination *d;

	get(k, "198.51.100.1");
	k->route_error = -ENETUNREACH;
	start_again(k, use);
	d = adopt(k, "198.51.100.1", 1);
	pass(k, 20);
	assert_why(k, d, "no route");
}

static void elements_that_nobody_takes_up_serve_again(void **state)
{
	struct kernel *k = *state;
	const uint8_t use[ELEMENTS] = {[1] = 1, [2] = 1};
	struct destination *taken;

	get(k, "198.51.100.1");
	get(k, "198.51.100.2");
	get(k, "198.51.100.3");
	start_again(k, use);
	/* To the third no flow led. */
	assert_false(k->array[3].flags & VD_NEXTHOP_VALID);
	assert_true(k->array[2].flags & VD_NEXTHOP_VALID);
	taken = adopt(k, "198.51.100.1", 1);
	/* One element for one destination; what is no index is none. */
	assert_int_not_equal(nexthop_index(adopt(k, "198.51.100.4", 1)), 1);
	assert_ptr_equal(adopt(k, "198.51.100.1", 2), taken);
	assert_int_not_equal(nexthop_index(adopt(k, "198.51.100.5", ELEMENTS)), 0);
	assert_int_not_equal(nexthop_index(adopt(k, "198.51.100.6", 0)), 0);
	nexthop_adoption_done(k->table);
	assert_false(k->array[2].flags & VD_NEXTHOP_VALID);
	/* Seven elements in all, four of them taken. */
	get(k, "198.51.100.7");
	get(k, "198.51.100.8");
	get(k, "198.51.100.9");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_known_destination_costs_no_question),
		TEST(a_gateways_new_mac_reaches_every_destination_behind_it),
		TEST(a_route_change_is_asked_about_by_those_it_touches),
		TEST(a_link_that_goes_down_and_up_is_followed),
		TEST(frames_carry_the_sides_vlan),
		TEST(reasons_are_told_apart),
		TEST(a_missing_neighbour_that_no_flow_leads_to_is_looked_for_with_growing_pauses),
		TEST(many_missing_neighbours_are_looked_for_in_turn),
		TEST(a_stale_neighbour_is_used_and_confirmed),
		TEST(the_last_mac_serves_while_the_kernel_looks_and_not_once_it_failed),
		TEST(a_router_that_fails_is_left_for_the_one_that_the_kernel_names_then),
		TEST(of_a_multipath_route_a_gateway_that_fails_is_left_until_it_answers),
		TEST(packets_that_come_by_another_gateway_of_the_route_make_nobody_ask),
		TEST(for_a_neighbour_on_link_that_fails_no_route_is_asked),
		TEST(lost_events_are_made_good_by_asking_again),
		TEST(an_element_stays_until_the_kernel_has_answered),
		TEST(a_neighbour_that_the_kernel_forgot_serves_while_it_is_looked_for),
		TEST(an_element_without_a_route_is_taken_up_and_given_up),
		TEST(elements_that_nobody_takes_up_serve_again),
		TEST(a_full_table_refuses_and_idle_destinations_make_room),
		TEST(those_not_resolved_are_counted_and_the_first_are_shown),
		TEST(what_the_network_changed_last_is_told),
		TEST(that_it_is_resolved_again_is_told_with_what_began_it),
	};

	return cmocka_run_group_tests_name("dataplane next hops", tests, NULL, NULL);
}
