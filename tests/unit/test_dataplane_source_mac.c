/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that come from another MAC address than their next hop has: when the kernel is made to
 * ask, how often, and that nothing but its answer moves a flow. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/nexthop.h"

#include "test_clock.h"

#define MANY        200 /* next hops: more than are asked at once */
#define ELEMENTS    (MANY + 1)
#define ASKS_A_TICK 64
#define DEVICE      3
#define SIDE        1
#define HOUR_MS     3600000u

struct kernel {
	struct loop *loop;
	struct nexthop_table *table;
	struct vd_nexthop array[ELEMENTS];
	enum neighbour_state state;
	uint8_t mac[6];
	bool imposed; /* the entry is the administrator's */
	unsigned used;
};

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb},
		     mac_c[6] = {2, 0, 0, 0, 0, 0xc};

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, 0), 0);
	return a;
}

static int fake_route(void *ctx, const struct addr *src, const struct addr *dst, unsigned ifindex,
	struct route_answer *out)
{
	(void)ctx;
	(void)src;
	(void)dst;
	*out = (struct route_answer){.ifindex = ifindex};
	return 0;
}

static void fake_use(void *ctx, unsigned ifindex, const struct addr *ip)
{
	struct kernel *k = ctx;

	(void)ifindex;
	(void)ip;
	k->used++;
}

/* The answer is for the test to give. */
static bool fake_ask_anew(void *ctx, unsigned ifindex, const struct addr *ip)
{
	struct kernel *k = ctx;

	(void)ip;
	assert_int_equal(ifindex, DEVICE);
	if (k->imposed)
		return false;
	k->state = NEIGHBOUR_LOOKING;
	return true;
}

/* It has not moved. */
static bool fake_confirm(void *ctx, unsigned ifindex, const struct addr *ip)
{
	const struct kernel *k = ctx;

	(void)ifindex;
	(void)ip;
	return !k->imposed;
}

static void fake_fail(void *ctx, unsigned ifindex, const struct addr *ip)
{
	struct kernel *k = ctx;

	k->state = NEIGHBOUR_FAILED;
	nexthop_neighbour_changed(k->table, ifindex, ip, k->state, k->mac);
}

static enum neighbour_state fake_get(
	void *ctx, unsigned ifindex, const struct addr *ip, uint8_t mac[6])
{
	struct kernel *k = ctx;

	(void)ifindex;
	(void)ip;
	memcpy(mac, k->mac, 6);
	return k->state;
}

static void make_table(struct kernel *k)
{
	const struct egress egress = {.device = "ext0",
		.ifindex = DEVICE,
		.route_ifindex = DEVICE,
		.devmap_index = 1,
		.mtu = 1500,
		.up = true};
	const struct nexthop_ops ops = {.ctx = k,
		.route = fake_route,
		.neighbour_use = fake_use,
		.neighbour_ask_anew = fake_ask_anew,
		.neighbour_confirm = fake_confirm,
		.neighbour_fail = fake_fail,
		.neighbour_get = fake_get};

	assert_int_equal(nexthop_table_new(&k->table, k->loop, k->array, ELEMENTS, 0, &ops), 0);
	nexthop_set_egress(k->table, SIDE, &egress);
}

static int setup(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->state = NEIGHBOUR_VALID;
	memcpy(k->mac, mac_a, 6);
	assert_int_equal(loop_new(&k->loop), 0);
	make_table(k);
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

static const char ours[] = "192.0.2.1", theirs[] = "192.0.2.9";

static struct destination *get(struct kernel *k, const struct addr *to)
{
	struct addr src = address(ours);
	struct destination *d = NULL;

	assert_int_equal(nexthop_get(k->table, SIDE, &src, to, &d), 0);
	return d;
}

static struct destination *get_theirs(struct kernel *k)
{
	struct addr to = address(theirs);

	return get(k, &to);
}

static void packets_come(struct kernel *k, const char *from, const uint8_t mac[6], bool moved)
{
	struct addr local = address(ours), source = address(from);
	uint32_t end;

	local.port = 20000;
	source.port = 4000;
	memcpy(&end, mac + 2, sizeof(end));
	nexthop_came_from(k->table, SIDE, &local, &source, end, moved);
}

/* What the kernel finds is told as rtnetlink tells it. */
static void answer(struct kernel *k, const char *whose, const uint8_t mac[6])
{
	struct addr ip = address(whose);

	k->state = NEIGHBOUR_VALID;
	memcpy(k->mac, mac, 6);
	nexthop_neighbour_changed(k->table, DEVICE, &ip, NEIGHBOUR_VALID, mac);
}

static void pass(struct kernel *k, uint64_t ms)
{
	uint64_t until = loop_now_ms(k->loop) + ms;

	while (loop_now_ms(k->loop) < until)
		assert_int_equal(loop_once(k->loop, 20), 0);
}

static const uint8_t *leads_to(const struct kernel *k, const struct destination *d)
{
	const struct vd_nexthop *element = &k->array[nexthop_index(d)];

	assert_true(element->flags & VD_NEXTHOP_VALID);
	return element->dmac;
}

static struct dataplane_path path_of(const struct kernel *k, const struct destination *d)
{
	struct dataplane_path path;

	nexthop_path(k->table, d, &path);
	return path;
}

/* Times that packets were why. */
static unsigned asked(const struct kernel *k)
{
	struct dataplane_status status;

	nexthop_survey(k->table, &status);
	return (unsigned)status.nexthops_asked;
}

static void the_kernel_is_asked_at_once_and_its_answer_is_followed(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get_theirs(k);
	struct dataplane_status status;

	packets_come(k, theirs, mac_b, true);
	assert_int_equal(asked(k), 1);
	assert_memory_equal(leads_to(k, d), mac_a, 6);
	answer(k, theirs, mac_b);
	assert_memory_equal(leads_to(k, d), mac_b, 6);
	assert_string_equal(path_of(k, d).change, "the neighbour has another MAC address");
	assert_string_equal(path_of(k, d).change_of, "packets came from it");
	nexthop_survey(k->table, &status);
	assert_int_equal(status.nexthops_asked, 1);
}

static void a_flow_that_begins_with_another_mac_asks_too(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get_theirs(k);

	packets_come(k, theirs, mac_b, false);
	assert_int_equal(asked(k), 1);
	answer(k, theirs, mac_b);
	assert_memory_equal(leads_to(k, d), mac_b, 6);
}

static void packets_alone_move_nothing(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get_theirs(k);

	packets_come(k, theirs, mac_b, true);
	answer(k, theirs, mac_a);
	assert_memory_equal(leads_to(k, d), mac_a, 6);
	assert_null(path_of(k, d).change);
	/* Another one has it: that is not what the packets said. */
	packets_come(k, theirs, mac_b, true);
	while (asked(k) < 2)
		pass(k, 1);
	answer(k, theirs, mac_c);
	assert_memory_equal(leads_to(k, d), mac_c, 6);
	assert_string_equal(path_of(k, d).change_of, "the one before did not answer");
}

static void the_old_mac_serves_while_nobody_answers_and_then_none(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get_theirs(k);

	packets_come(k, theirs, mac_b, true);
	pass(k, 3500);
	assert_memory_equal(leads_to(k, d), mac_a, 6);
	pass(k, 1000);
	assert_string_equal(path_of(k, d).why, "no neighbour");
}

static void what_says_nothing_new_asks_nothing(void **state)
{
	struct kernel *k = *state;

	get_theirs(k);
	packets_come(k, theirs, mac_a, false);
	packets_come(k, theirs, mac_a, true);
	packets_come(k, "192.0.2.77", mac_b, true); /* nothing is sent there */
	assert_int_equal(asked(k), 0);
	/* The kernel is at it. */
	packets_come(k, theirs, mac_b, true);
	packets_come(k, theirs, mac_c, true);
	pass(k, 3000);
	assert_int_equal(asked(k), 1);
}

static void an_entry_of_the_administrators_is_left_alone(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get_theirs(k);
	struct dataplane_status status;

	k->imposed = true;
	packets_come(k, theirs, mac_b, true);
	pass(k, 1000);
	assert_memory_equal(leads_to(k, d), mac_a, 6);
	nexthop_survey(k->table, &status);
	assert_int_equal(status.nexthops_asked, 0);
	assert_int_equal(k->used, 0);
}

/* VRRP with virtual addresses, asymmetric routing. */
static void a_sender_with_another_mac_for_good_is_asked_about_once(void **state)
{
	struct kernel *k = *state;

	get_theirs(k);
	packets_come(k, theirs, mac_b, false);
	answer(k, theirs, mac_a);
	for (unsigned flows = 0; flows < 1000; flows++) {
		packets_come(k, theirs, mac_b, false);
		pass(k, 100);
	}
	assert_int_equal(asked(k), 1);
	/* A third is news. */
	packets_come(k, theirs, mac_c, false);
	assert_int_equal(asked(k), 2);
}

static void senders_who_take_turns_have_it_asked_once_a_minute_in_the_end(void **state)
{
	struct kernel *k = *state;
	unsigned in_the_first_hour = 0;

	get_theirs(k);
	for (unsigned hour = 0; hour < 2; hour++) {
		uint64_t until = loop_now_ms(k->loop) + HOUR_MS;

		while (loop_now_ms(k->loop) < until) {
			packets_come(k, theirs, asked(k) & 1 ? mac_b : mac_c, true);
			if (k->state == NEIGHBOUR_LOOKING)
				answer(k, theirs, mac_a);
			pass(k, 500);
		}
		if (!hour)
			in_the_first_hour = asked(k);
	}
	assert_in_range(in_the_first_hour, 60, 60 + 7);
	assert_in_range(asked(k) - in_the_first_hour, 58, 60);
}

static void what_comes_within_the_wait_is_asked_after_it(void **state)
{
	struct kernel *k = *state;
	struct destination *d = get_theirs(k);

	packets_come(k, theirs, mac_b, true);
	answer(k, theirs, mac_b);
	packets_come(k, theirs, mac_c, true);
	assert_int_equal(asked(k), 1);
	pass(k, 1300); /* the wait, and a tick */
	assert_int_equal(asked(k), 2);
	answer(k, theirs, mac_c);
	assert_memory_equal(leads_to(k, d), mac_c, 6);
	assert_string_equal(path_of(k, d).change_of, "packets came from it");
}

static void many_at_once_are_asked_in_turn(void **state)
{
	struct kernel *k = *state;
	struct addr to = address(theirs);

	for (unsigned i = 0; i < MANY; i++) {
		to.ip[3] = (uint8_t)(10 + i);
		get(k, &to);
	}
	for (unsigned i = 0; i < MANY; i++) {
		char text[ADDR_TEXT_MAX];

		to.ip[3] = (uint8_t)(10 + i);
		packets_come(k, addr_print_ip(&to, text), mac_b, true);
		k->state = NEIGHBOUR_VALID;
	}
	assert_int_equal(asked(k), ASKS_A_TICK);
	pass(k, 1000);
	assert_int_equal(asked(k), MANY);
}

static void a_start_that_finds_packets_from_elsewhere_asks_as_well(void **state)
{
	struct kernel *k = *state;
	static const uint8_t use[ELEMENTS] = {[1] = 1};
	struct addr src = address(ours), to = address(theirs);
	struct destination *d = get_theirs(k);

	assert_int_equal(nexthop_index(d), 1);
	nexthop_table_free(k->table);
	make_table(k);
	assert_int_equal(nexthop_adoption_begin(k->table, use), 0);
	assert_int_equal(nexthop_adopt(k->table, SIDE, &src, &to, 1, &d), 0);
	nexthop_adoption_done(k->table);
	packets_come(k, theirs, mac_b, true);
	assert_int_equal(asked(k), 1);
	assert_memory_equal(leads_to(k, d), mac_a, 6);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_is_asked_at_once_and_its_answer_is_followed),
		TEST(a_flow_that_begins_with_another_mac_asks_too),
		TEST(packets_alone_move_nothing),
		TEST(the_old_mac_serves_while_nobody_answers_and_then_none),
		TEST(what_says_nothing_new_asks_nothing),
		TEST(an_entry_of_the_administrators_is_left_alone),
		TEST(a_sender_with_another_mac_for_good_is_asked_about_once),
		TEST(senders_who_take_turns_have_it_asked_once_a_minute_in_the_end),
		TEST(what_comes_within_the_wait_is_asked_after_it),
		TEST(many_at_once_are_asked_in_turn),
		TEST(a_start_that_finds_packets_from_elsewhere_asks_as_well),
	};

	return cmocka_run_group_tests_name("dataplane source MAC", tests, NULL, NULL);
}
