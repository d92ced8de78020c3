/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours that fall silent, move, and come back, against a kernel and hosts made up by the test,
 * by a clock that stands still but where the loop waits: how long packets go astray, who is asked
 * how often, and what moves nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/nexthop.h"

#include "test_clock.h"

#define HOSTS      1200
#define ELEMENTS   (HOSTS + 1)
#define DEVICE     3
#define SIDE       1
#define ROUND_MS   1    /* of a host's answer */
#define SECOND_MS  1000 /* what packets may go astray for at most */
#define GIVE_UP_MS 4000
#define RATE       125 /* asks a second at most, in all */
#define RATE_BURST 8

/* The first are routers, the others hosts on the link. */
enum { FIRST_ROUTER, SECOND_ROUTER, HOST };

struct host {
	struct addr ip;
	uint8_t mac[6]; /* it has now */
	bool silent;
	unsigned lose;               /* so many answers */
	enum neighbour_state state;  /* of the kernel's entry, which … */
	uint8_t believed[6];         /* … has that one */
	bool imposed, fails_at_once; /* the entry is the administrator's; ucast_solicit is 0 */
	bool answers;                /* when the timer fires */
	unsigned confirmed, asked_all, failed;
};

struct world {
	struct loop *loop;
	struct nexthop_table *table;
	struct vd_nexthop array[ELEMENTS];
	struct host host[HOSTS];
	bool v6, multipath;
	struct loop_timer answer;
	uint64_t late_ms; /* of what the loop hears */
};

static struct addr address(const struct world *w, const char *v4, const char *v6)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, w->v6 ? v6 : v4, 0), 0);
	return a;
}

static struct host *host_of(struct world *w, const struct addr *ip)
{
	unsigned i =
		(unsigned)ip->ip[ip->family == 4 ? 2 : 14] << 8 | ip->ip[ip->family == 4 ? 3 : 15];

	assert_in_range(i, 0, HOSTS - 1);
	return &w->host[i];
}

static struct addr address_of(const struct world *w, unsigned i)
{
	struct addr a = address(w, "192.168.0.0", "2001:db8::");

	a.ip[w->v6 ? 14 : 2] = (uint8_t)(i >> 8);
	a.ip[w->v6 ? 15 : 3] = (uint8_t)i;
	return a;
}

static bool is_local(const struct addr *dst)
{
	return dst->ip[0] == (dst->family == 4 ? 192 : 0x20);
}

/* The kernel: of two routers of IPv6 it leaves the one that failed (RFC 4861 6.3.6). */
static int fake_route(void *ctx, const struct addr *src, const struct addr *dst, unsigned ifindex,
	struct route_answer *out)
{
	struct world *w = ctx;

	(void)src;
	*out = (struct route_answer){.ifindex = ifindex};
	if (is_local(dst))
		return 0;
	out->gateway = w->host[FIRST_ROUTER].ip;
	if (w->v6 && w->host[FIRST_ROUTER].state == NEIGHBOUR_FAILED)
		out->gateway = w->host[SECOND_ROUTER].ip;
	if (w->multipath)
		out->other[out->other_count++] = w->host[SECOND_ROUTER].ip;
	return 0;
}

static void tell(struct world *w, struct host *h)
{
	nexthop_neighbour_changed(w->table, DEVICE, &h->ip, h->state, h->believed);
}

static void answer_fire(struct loop_timer *timer)
{
	struct world *w = (struct world *)(void *)((char *)timer - offsetof(struct world, answer));

	for (unsigned i = 0; i < HOSTS; i++) {
		struct host *h = &w->host[i];

		if (!h->answers)
			continue;
		h->answers = false;
		h->state = NEIGHBOUR_VALID;
		memcpy(h->believed, h->mac, 6);
		tell(w, h);
	}
}

/* Whoever is there answers in a while, what is lost aside. */
static void hear(struct world *w, struct host *h)
{
	if (h->silent)
		return;
	if (h->lose) {
		h->lose--;
		return;
	}
	h->answers = true;
	if (!loop_timer_is_started(&w->answer))
		loop_timer_start(w->loop, &w->answer, ROUND_MS + w->late_ms);
}

static void fake_use(void *ctx, unsigned ifindex, const struct addr *ip)
{
	struct host *h = host_of(ctx, ip);

	(void)ifindex;
	if (h->state == NEIGHBOUR_NONE || h->state == NEIGHBOUR_FAILED)
		h->state = NEIGHBOUR_LOOKING;
	hear(ctx, h);
}

static bool fake_ask_anew(void *ctx, unsigned ifindex, const struct addr *ip)
{
	struct host *h = host_of(ctx, ip);

	(void)ifindex;
	if (h->imposed)
		return false;
	h->asked_all++;
	h->state = NEIGHBOUR_LOOKING;
	hear(ctx, h);
	return true;
}

static bool fake_confirm(void *ctx, unsigned ifindex, const struct addr *ip)
{
	struct world *w = ctx;
	struct host *h = host_of(w, ip);

	(void)ifindex;
	if (h->imposed)
		return false;
	h->confirmed++;
	if (h->state != NEIGHBOUR_VALID && h->state != NEIGHBOUR_STALE)
		return true;
	h->state = h->fails_at_once ? NEIGHBOUR_FAILED : NEIGHBOUR_PROBED;
	tell(w, h);
	if (!h->fails_at_once && memcmp(h->believed, h->mac, 6) == 0)
		hear(w, h);
	return true;
}

static void fake_fail(void *ctx, unsigned ifindex, const struct addr *ip)
{
	struct world *w = ctx;
	struct host *h = host_of(w, ip);

	(void)ifindex;
	h->failed++;
	h->state = NEIGHBOUR_FAILED;
	tell(w, h);
}

static enum neighbour_state fake_get(
	void *ctx, unsigned ifindex, const struct addr *ip, uint8_t mac[6])
{
	struct host *h = host_of(ctx, ip);

	(void)ifindex;
	memcpy(mac, h->believed, 6);
	return h->state;
}

static void make(struct world *w)
{
	const struct egress egress = {.device = "ext0",
		.ifindex = DEVICE,
		.route_ifindex = DEVICE,
		.devmap_index = 1,
		.mtu = 1500,
		.up = true};
	const struct nexthop_ops ops = {.ctx = w,
		.route = fake_route,
		.neighbour_use = fake_use,
		.neighbour_ask_anew = fake_ask_anew,
		.neighbour_confirm = fake_confirm,
		.neighbour_fail = fake_fail,
		.neighbour_get = fake_get};

	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(nexthop_table_new(&w->table, w->loop, w->array, ELEMENTS, 0, &ops), 0);
	nexthop_set_egress(w->table, SIDE, &egress);
	w->answer.fire = answer_fire;
	for (unsigned i = 0; i < HOSTS; i++) {
		struct host *h = &w->host[i];

		h->ip = address_of(w, i);
		h->state = NEIGHBOUR_VALID;
		h->mac[0] = 2;
		h->mac[4] = (uint8_t)(i >> 8);
		h->mac[5] = (uint8_t)i;
		memcpy(h->believed, h->mac, 6);
	}
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct world));
	assert_non_null(*state);
	make(*state);
	return 0;
}

static int setup_v6(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->v6 = true;
	make(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	nexthop_table_free(w->table);
	loop_free(w->loop);
	free(w);
	return 0;
}

static struct destination *get(struct world *w, const struct addr *to)
{
	struct addr src = address(w, "192.0.2.1", "fd00::1");
	struct destination *d = NULL;

	assert_int_equal(nexthop_get(w->table, SIDE, &src, to, &d), 0);
	return d;
}

static struct destination *get_host(struct world *w, unsigned i)
{
	struct addr to = address_of(w, i);

	return get(w, &to);
}

static struct destination *get_behind(struct world *w)
{
	struct addr to = address(w, "10.0.0.1", "fd01::1");

	return get(w, &to);
}

static void step(struct world *w)
{
	assert_int_equal(loop_once(w->loop, 1), 0);
}

static void pass(struct world *w, uint64_t ms)
{
	uint64_t until = loop_now_ms(w->loop) + ms;

	while (loop_now_ms(w->loop) < until)
		step(w);
}

static const struct vd_nexthop *element(const struct world *w, const struct destination *d)
{
	return &w->array[nexthop_index(d)];
}

static bool leads_to(const struct world *w, const struct destination *d, const uint8_t mac[6])
{
	const struct vd_nexthop *e = element(w, d);

	return e->flags & VD_NEXTHOP_VALID && memcmp(e->dmac, mac, 6) == 0;
}

/* Milliseconds until packets to d go there; a second and more than that is none. */
static uint64_t takes(struct world *w, const struct destination *d, const uint8_t mac[6])
{
	uint64_t begun = loop_now_ms(w->loop);

	while (!leads_to(w, d, mac) && loop_now_ms(w->loop) < begun + 60000)
		step(w);
	return loop_now_ms(w->loop) - begun;
}

static struct dataplane_path path_of(const struct world *w, const struct destination *d)
{
	struct dataplane_path path;

	nexthop_path(w->table, d, &path);
	return path;
}

static struct dataplane_status survey(const struct world *w)
{
	struct dataplane_status status;

	nexthop_survey(w->table, &status);
	return status;
}

static void move(struct host *h)
{
	h->mac[3]++;
}

/* At whatever moment: the worst of 100 that lie apart by what divides nothing. */
static void a_mac_address_that_changes_without_a_word_is_followed_within_a_second(void **state)
{
	struct world *w = *state;
	struct host *h = &w->host[HOST];
	struct destination *d = get_host(w, HOST);
	uint64_t worst = 0;

	for (unsigned i = 0; i < 100; i++) {
		uint64_t took;

		pass(w, 1000 + 13 * i);
		move(h);
		took = takes(w, d, h->mac);
		worst = took > worst ? took : worst;
		assert_string_equal(path_of(w, d).change, "the neighbour has another MAC address");
		assert_string_equal(path_of(w, d).change_of, "the one before did not answer");
	}
	assert_in_range(worst, 400, 700);
}

static void check_gateway(struct world *w)
{
	struct host *first = &w->host[FIRST_ROUTER], *second = &w->host[SECOND_ROUTER];
	struct destination *d = get_behind(w);
	uint64_t worst = 0;

	for (unsigned i = 0; i < 100; i++) {
		uint64_t took;

		pass(w, 10000 + 13 * i);
		if (w->v6 && !w->multipath) {
			/* It stays where it went: the kernel asks for no other. */
			struct addr anything = {0};

			first->state = NEIGHBOUR_VALID;
			nexthop_route_changed(w->table, &anything, 0);
			pass(w, 1000);
		}
		assert_true(leads_to(w, d, first->mac));
		first->silent = true;
		took = takes(w, d, second->mac);
		worst = took > worst ? took : worst;
		assert_string_equal(path_of(w, d).change, "another gateway");
		assert_string_equal(path_of(w, d).change_of, "the neighbour does not answer");
		first->silent = false;
	}
	assert_in_range(worst, 600, SECOND_MS - 50);
}

static void a_gateway_of_several_that_falls_silent_is_left_within_a_second(void **state)
{
	struct world *w = *state;

	w->multipath = true;
	check_gateway(w);
	assert_int_equal(w->host[FIRST_ROUTER].failed, 0);
}

static void of_two_routers_the_kernel_is_had_leave_the_one_that_falls_silent(void **state)
{
	struct world *w = *state;

	check_gateway(w);
	assert_int_equal(w->host[FIRST_ROUTER].failed, 100);
}

static void one_answer_that_is_lost_moves_nothing(void **state)
{
	struct world *w = *state;
	struct host *first = &w->host[FIRST_ROUTER];
	struct destination *d;
	unsigned asked;

	w->multipath = true;
	d = get_behind(w);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t until = loop_now_ms(w->loop) + 1500;

		asked = first->asked_all;
		first->lose = 1;
		while (loop_now_ms(w->loop) < until) {
			step(w);
			assert_true(leads_to(w, d, first->mac));
		}
		/* It had everybody asked. */
		assert_int_equal(first->asked_all, asked + 1);
	}
	assert_null(path_of(w, d).change);
	assert_int_equal(survey(w).gateways_left, 0);
}

/* The kernel has had it, the daemon was busy with other things and has not read of it. */
static void an_answer_that_waits_to_be_read_is_one(void **state)
{
	struct world *w = *state;
	struct host *h = &w->host[HOST];

	get_host(w, HOST);
	for (unsigned i = 0; i < 20; i++) {
		while (h->state != NEIGHBOUR_PROBED)
			step(w);
		h->answers = false;
		h->state = NEIGHBOUR_VALID;
		test_clock_pass(700);
		step(w);
	}
	assert_int_equal(h->asked_all, 0);
}

static void slow_answers_move_nothing(void **state)
{
	struct world *w = *state;
	struct destination *d;

	w->multipath = true;
	d = get_behind(w);
	w->late_ms = 400;
	for (unsigned i = 0; i < 20000; i++) {
		step(w);
		assert_true(leads_to(w, d, w->host[FIRST_ROUTER].mac));
	}
}

static void one_that_is_back_has_to_answer_for_a_while(void **state)
{
	struct world *w = *state;
	struct host *first = &w->host[FIRST_ROUTER], *second = &w->host[SECOND_ROUTER];
	struct destination *d;
	struct dataplane_status status;

	w->multipath = true;
	d = get_behind(w);
	pass(w, 1000);
	first->silent = true;
	takes(w, d, second->mac);
	status = survey(w);
	assert_int_equal(status.gateways_left, 1);
	assert_true(addr_equal_ip(&status.left[0].gateway, &first->ip));
	assert_string_equal(status.left[0].why, "the neighbour does not answer");
	pass(w, 6000);
	assert_string_equal(survey(w).left[0].why, "no neighbour");
	first->silent = false;
	pass(w, 1000);
	assert_true(leads_to(w, d, second->mac));
	assert_string_equal(survey(w).left[0].why, "the neighbour did not answer until just now");
	/* Every third answer is lost: it never counts as back. */
	for (unsigned i = 0; i < 100; i++) {
		first->lose = 2;
		pass(w, 1700);
		assert_true(leads_to(w, d, second->mac));
	}
	first->lose = 0;
	assert_in_range(takes(w, d, first->mac), 1000, 3000);
	assert_int_equal(survey(w).gateways_left, 0);
}

/* As bad as it is, the one that answers is better than the one that does not. */
static void the_only_one_that_answers_is_taken_at_once(void **state)
{
	struct world *w = *state;
	struct host *first = &w->host[FIRST_ROUTER], *second = &w->host[SECOND_ROUTER];
	struct destination *d;

	w->multipath = true;
	d = get_behind(w);
	pass(w, 1000);
	first->silent = true;
	takes(w, d, second->mac);
	second->silent = true;
	pass(w, 1500);
	/* Neither: where packets went last. */
	assert_true(leads_to(w, d, second->mac));
	first->silent = false;
	assert_in_range(takes(w, d, first->mac), 0, SECOND_MS);
}

static void where_there_is_no_other_way_packets_go_on_until_it_is_given_up(void **state)
{
	struct world *w = *state;
	struct host *h = &w->host[HOST];
	struct destination *d = get_host(w, HOST);
	uint64_t begun;

	pass(w, 1000);
	h->silent = true;
	begun = loop_now_ms(w->loop);
	while (element(w, d)->flags & VD_NEXTHOP_VALID) {
		assert_true(leads_to(w, d, h->mac));
		step(w);
	}
	assert_in_range(loop_now_ms(w->loop) - begun, GIVE_UP_MS, GIVE_UP_MS + 1200);
	assert_string_equal(path_of(w, d).why, "no neighbour");
	pass(w, 60000);
	/* As often as by itself the kernel tells those who wait for it; none asks for ever. */
	assert_in_range(h->failed, 12, 16);
	h->silent = false;
	assert_in_range(takes(w, d, h->mac), 0, SECOND_MS);
	assert_string_equal(path_of(w, d).change, "resolved");
}

/* The kernel names the one that failed: it is the only one. */
static void the_only_router_stays_in_use_although_the_kernel_was_told(void **state)
{
	struct world *w = *state;
	struct host *first = &w->host[FIRST_ROUTER];
	struct destination *d = get_behind(w);

	w->host[SECOND_ROUTER].ip = first->ip;
	pass(w, 1000);
	first->silent = true;
	pass(w, 2500);
	assert_int_equal(first->failed, 1);
	assert_true(leads_to(w, d, first->mac));
	assert_null(path_of(w, d).change);
	first->silent = false;
	pass(w, 1000);
	assert_int_equal(first->state, NEIGHBOUR_VALID);
}

static void those_that_no_flow_leads_to_are_not_asked(void **state)
{
	struct world *w = *state;
	struct destination *d = get_host(w, HOST);

	pass(w, 10000);
	assert_in_range(w->host[HOST].confirmed, 24, 26);
	nexthop_put(w->table, d);
	pass(w, 10000);
	assert_in_range(w->host[HOST].confirmed, 24, 26);
	assert_int_equal(w->host[HOST].asked_all, 0);
	assert_ptr_equal(get_host(w, HOST), d);
	pass(w, 10000);
	assert_in_range(w->host[HOST].confirmed, 48, 52);
}

static void an_entry_of_the_administrators_is_left_alone(void **state)
{
	struct world *w = *state;
	struct host *h = &w->host[HOST];
	struct destination *d = get_host(w, HOST);

	h->imposed = h->silent = true;
	pass(w, 60000);
	assert_true(leads_to(w, d, h->mac));
	assert_int_equal(h->asked_all + h->failed, 0);
	/* It becomes the kernel's again. */
	h->imposed = h->silent = false;
	pass(w, 10000);
	assert_true(h->confirmed > 10);
}

/* net.ipv4.neigh.*.ucast_solicit is 0: the kernel says at once that it failed, having asked nobody.
 */
static void where_requests_to_one_alone_are_not_made_everybody_is_asked(void **state)
{
	struct world *w = *state;
	struct host *h = &w->host[HOST];
	struct destination *d = get_host(w, HOST);

	h->fails_at_once = true;
	for (unsigned i = 0; i < 5000; i++) {
		step(w);
		assert_true(leads_to(w, d, h->mac));
	}
	assert_in_range(h->confirmed, 1, 2);
	assert_in_range(h->asked_all, 11, 14);
	move(h);
	assert_in_range(takes(w, d, h->mac), 0, SECOND_MS);
	assert_string_equal(path_of(w, d).change_of, "the one before did not answer");
}

/* retrans_time_ms is short: the kernel has given up before an answer is missed here. */
static void a_router_that_the_kernel_leaves_sooner_is_left_for_the_same_reason(void **state)
{
	struct world *w = *state;
	struct host *first = &w->host[FIRST_ROUTER];
	struct destination *d = get_behind(w);

	pass(w, 500);
	first->silent = true;
	while (first->state != NEIGHBOUR_LOOKING)
		step(w);
	first->state = NEIGHBOUR_FAILED;
	tell(w, first);
	takes(w, d, w->host[SECOND_ROUTER].mac);
	assert_string_equal(path_of(w, d).change, "another gateway");
	assert_string_equal(path_of(w, d).change_of, "the neighbour does not answer");
}

static void device(struct world *w, bool up)
{
	struct egress egress = *nexthop_egress(w->table, SIDE);

	egress.up = up;
	nexthop_set_egress(w->table, SIDE, &egress);
	pass(w, 20);
}

static void over_a_device_that_is_down_nobody_is_asked(void **state)
{
	struct world *w = *state;
	struct host *h = &w->host[HOST];

	get_host(w, HOST);
	pass(w, 1000);
	device(w, false);
	h->confirmed = 0;
	pass(w, 10000);
	assert_int_equal(h->confirmed + h->asked_all + h->failed, 0);
	device(w, true);
	pass(w, 1000);
	assert_in_range(h->confirmed, 2, 3);
}

static unsigned asks(const struct world *w)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < HOSTS; i++)
		sum += w->host[i].confirmed + w->host[i].asked_all;
	return sum;
}

/* A thousand phones on the link, and two gateways. */
static void many_are_asked_in_turn_and_gateways_first(void **state)
{
	struct world *w = *state;
	struct host *first = &w->host[FIRST_ROUTER], *second = &w->host[SECOND_ROUTER];
	struct destination *d, *last = NULL;
	unsigned before, of_first;

	w->multipath = true;
	d = get_behind(w);
	for (unsigned i = HOST; i < HOSTS; i++)
		last = get_host(w, i);
	pass(w, 10000);
	before = asks(w);
	of_first = first->confirmed;
	pass(w, 60000);
	assert_in_range(asks(w) - before, 60 * (RATE - 5), 60 * RATE + RATE_BURST);
	assert_in_range(first->confirmed - of_first, 145, 151);
	for (unsigned i = HOST; i < HOSTS; i++)
		assert_in_range(w->host[i].confirmed, 6, 8);
	first->silent = true;
	assert_in_range(takes(w, d, second->mac), 400, SECOND_MS - 50);
	move(&w->host[HOSTS - 1]);
	assert_in_range(takes(w, last, w->host[HOSTS - 1].mac), 0, 11000);
	/* All of them fall silent at once. */
	for (unsigned i = 0; i < HOSTS; i++)
		w->host[i].silent = true;
	before = asks(w);
	pass(w, 60000);
	assert_in_range(asks(w) - before, 60 * (RATE - 5), 60 * RATE + RATE_BURST);
	first->silent = false;
	assert_in_range(takes(w, d, first->mac), 0, SECOND_MS);
}

#define TEST(f)    cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_V6(f) cmocka_unit_test_setup_teardown(f, setup_v6, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mac_address_that_changes_without_a_word_is_followed_within_a_second),
		TEST_V6(a_mac_address_that_changes_without_a_word_is_followed_within_a_second),
		TEST(a_gateway_of_several_that_falls_silent_is_left_within_a_second),
		TEST_V6(a_gateway_of_several_that_falls_silent_is_left_within_a_second),
		TEST_V6(of_two_routers_the_kernel_is_had_leave_the_one_that_falls_silent),
		TEST(one_answer_that_is_lost_moves_nothing),
		TEST(an_answer_that_waits_to_be_read_is_one),
		TEST(slow_answers_move_nothing),
		TEST(one_that_is_back_has_to_answer_for_a_while),
		TEST(the_only_one_that_answers_is_taken_at_once),
		TEST(where_there_is_no_other_way_packets_go_on_until_it_is_given_up),
		TEST_V6(the_only_router_stays_in_use_although_the_kernel_was_told),
		TEST(those_that_no_flow_leads_to_are_not_asked),
		TEST(an_entry_of_the_administrators_is_left_alone),
		TEST(where_requests_to_one_alone_are_not_made_everybody_is_asked),
		TEST_V6(a_router_that_the_kernel_leaves_sooner_is_left_for_the_same_reason),
		TEST(over_a_device_that_is_down_nobody_is_asked),
		TEST(many_are_asked_in_turn_and_gateways_first),
	};

	return cmocka_run_group_tests_name("dataplane reachability", tests, NULL, NULL);
}
