/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows that a data plane left behind and the next one finds. */
#include "test_dataplane_world.h"

/* What stood in the tables, to be compared with what stands there later. */
struct before {
	uint32_t slot, stream, nexthop;
	uint32_t zero; /* in place of padding: it is compared whole */
	struct vd_flow flow;
	struct vd_nexthop element;
};

static struct before look(const struct world *w, const char *ip, uint16_t port)
{
	const struct vd_flow *f = published(w, ip, port);
	struct before b;

	assert_non_null(f);
	b = (struct before){.slot = (uint32_t)(f - w->dp->null.flows),
		.stream = f->stream,
		.nexthop = f->nexthop,
		.flow = *f,
		.element = w->dp->null.nexthops[f->nexthop]};
	return b;
}

/* The daemon dies, another one starts. */
static void again(struct world *w, unsigned capacity)
{
	dataplane_leave(w->dp);
	w->dp = NULL;
	assert_int_equal(open_dataplane(w, capacity), 0);
}

static dataplane_flow_id add(struct world *w, const struct dataplane_flow *spec)
{
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, spec, &id), 0);
	return id;
}

static dataplane_flow_id adopt(struct world *w, const struct dataplane_flow *spec)
{
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_adopt(w->dp, spec, &id), 0);
	return id;
}

static void a_flow_is_taken_over_as_it_stands(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct dataplane_stats stats;
	struct dataplane_path path;
	struct before before, after;
	dataplane_flow_id id;

	add(w, &spec);
	before = look(w, "10.0.0.1", 20010);
	/* The program's to write. */
	before.flow.own.packets_apart = w->dp->null.flows[before.stream].own.packets_apart = 17;
	before.flow.src_mac = w->dp->null.flows[before.slot].src_mac = 0x01020304;
	again(w, CAPACITY);
	assert_memory_equal(published(w, "10.0.0.1", 20010), &before.flow, sizeof(before.flow));
	id = adopt(w, &spec);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
	after = look(w, "10.0.0.1", 20010);
	assert_memory_equal(&after, &before, sizeof(before));
	assert_memory_equal(dataplane_flow_get(w->dp, id), &spec, sizeof(spec));
	w->dp->null.flows[before.stream].own.packets_apart++;
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 18);
	assert_int_equal(dataplane_flow_path(w->dp, id, &path), 0);
	assert_true(path.resolved);
}

static void what_nobody_adopts_is_removed(void **state)
{
	struct world *w = *state;
	struct dataplane_flow kept = flow(20010), orphan = flow(20012), next = flow(20012);
	struct dataplane_status status;

	add(w, &kept);
	add(w, &orphan);
	again(w, CAPACITY);
	adopt(w, &kept);
	assert_non_null(published(w, "10.0.0.1", 20012));
	assert_int_equal(dataplane_adoption_done(w->dp), 1);
	assert_null(published(w, "10.0.0.1", 20012));
	assert_non_null(published(w, "10.0.0.1", 20010));
	assert_int_equal(dataplane_status(w->dp, &status), 0);
	assert_int_equal(status.flows, 1);
	next.cookie = 4;
	add(w, &next);
	assert_int_equal(published(w, "10.0.0.1", 20012)->cookie, 4);
}

static void a_flow_is_known_by_its_port_and_its_cookie(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010), other = spec;
	dataplane_flow_id id;

	add(w, &spec);
	again(w, CAPACITY);
	other.cookie = 1;
	assert_int_equal(dataplane_flow_adopt(w->dp, &other, &id), -ENOENT);
	other = flow(20012);
	other.cookie = spec.cookie;
	assert_int_equal(dataplane_flow_adopt(w->dp, &other, &id), -ENOENT);
	other = spec;
	other.in_side = 1;
	assert_int_equal(dataplane_flow_adopt(w->dp, &other, &id), -ENOENT);
	other = spec;
	other.rtcp_flow = 77;
	assert_int_equal(dataplane_flow_adopt(w->dp, &other, &id), -EINVAL);
	adopt(w, &spec);
	/* Once. */
	assert_int_equal(dataplane_flow_adopt(w->dp, &spec, &id), -ENOENT);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
}

static void nothing_is_adopted_but_between_start_and_done(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	dataplane_flow_id id;

	assert_int_equal(dataplane_adoption_done(w->dp), 0);
	add(w, &spec);
	assert_int_equal(dataplane_flow_adopt(w->dp, &spec, &id), -ENOENT);
	again(w, CAPACITY);
	assert_int_equal(dataplane_adoption_done(w->dp), 1);
	assert_int_equal(dataplane_flow_adopt(w->dp, &spec, &id), -ENOENT);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
}

static void what_is_closed_is_not_found(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	dataplane_flow_id id;

	add(w, &spec);
	dataplane_close(w->dp);
	assert_int_equal(open_dataplane(w, CAPACITY), 0);
	assert_null(published(w, "10.0.0.1", 20010));
	assert_int_equal(dataplane_flow_adopt(w->dp, &spec, &id), -ENOENT);
}

static void another_instance_finds_its_own_alone(void **state)
{
	static char other[] = "other";
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);

	add(w, &spec);
	dataplane_leave(w->dp);
	w->cfg.instance = other;
	assert_int_equal(open_dataplane(w, CAPACITY), 0);
	assert_null(published(w, "10.0.0.1", 20010));
	dataplane_close(w->dp);
	w->cfg.instance = NULL;
	assert_int_equal(open_dataplane(w, CAPACITY), 0);
	assert_non_null(published(w, "10.0.0.1", 20010));
}

static void another_specification_takes_the_flows_place_with_its_statistics(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct dataplane_stats stats;
	struct before before;
	dataplane_flow_id id;

	add(w, &spec);
	before = look(w, "10.0.0.1", 20010);
	w->dp->null.flows[before.stream].own.packets_apart = 17;
	again(w, CAPACITY);
	spec.out_remote = address("192.0.2.10", 6000);
	spec.dscp = 10;
	id = adopt(w, &spec);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
	assert_int_not_equal(look(w, "10.0.0.1", 20010).slot, before.slot);
	assert_int_equal(ntohs(published(w, "10.0.0.1", 20010)->out_dport_be), 6000);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 17);
}

static void a_latched_source_stays_until_the_latch_is_another(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct dataplane_stats stats;
	struct vd_stream *stream;
	struct before before;
	dataplane_flow_id id;

	spec.latch = true;
	spec.latch_prefix = 24;
	id = add(w, &spec);
	before = look(w, "10.0.0.1", 20010);
	stream = flow_table_stream(w->dp->flows, id);
	stream->latch_state = VD_LATCH_LOCKED;
	memcpy(stream->latched_addr, before.flow.src_addr, 16);
	stream->latched_port_be = htons(4444);
	again(w, CAPACITY);
	spec.out_remote.port = 7000;
	id = adopt(w, &spec);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.latched.port, 4444);
	dataplane_adoption_done(w->dp);

	again(w, CAPACITY);
	spec.latch_prefix = 28;
	id = adopt(w, &spec);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.latched.family, 0);
	dataplane_adoption_done(w->dp);
}

static void rtcp_of_a_muxed_leg_is_found_behind_its_user(void **state)
{
	struct world *w = *state;
	struct dataplane_flow rtcp = flow(20011), mux = flow(20010);
	struct before before;
	uint32_t rtcp_slot;

	rtcp.unindexed = true;
	rtcp.rtcp = true;
	mux.mux = true;
	mux.rtcp_flow = add(w, &rtcp);
	add(w, &mux);
	before = look(w, "10.0.0.1", 20010);
	again(w, CAPACITY);
	mux.rtcp_flow = adopt(w, &rtcp);
	adopt(w, &mux);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
	assert_memory_equal(published(w, "10.0.0.1", 20010), &before.flow, sizeof(before.flow));

	/* Its user follows where it changes, adopted or not. */
	again(w, CAPACITY);
	rtcp.dscp = 3;
	mux.rtcp_flow = adopt(w, &rtcp);
	rtcp_slot = published(w, "10.0.0.1", 20010)->rtcp_flow;
	assert_int_not_equal(rtcp_slot, before.flow.rtcp_flow);
	assert_int_equal(w->dp->null.flows[rtcp_slot].dscp, 3);
	adopt(w, &mux);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
	assert_int_equal(published(w, "10.0.0.1", 20010)->rtcp_flow, rtcp_slot);

	/* And is left by it when nobody wants it any more. */
	again(w, CAPACITY);
	mux.rtcp_flow = 0;
	adopt(w, &mux);
	assert_int_equal(dataplane_adoption_done(w->dp), 1);
	assert_int_equal(published(w, "10.0.0.1", 20010)->rtcp_flow, 0);
}

static void new_calls_take_no_slot_that_an_adopted_flow_has(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec;
	struct before before[8];
	dataplane_flow_id id;

	for (unsigned i = 0; i < 8; i++) {
		spec = flow((uint16_t)(20010 + i));
		spec.out_remote.ip[3] = (uint8_t)(100 + i);
		add(w, &spec);
		before[i] = look(w, "10.0.0.1", (uint16_t)(20010 + i));
	}
	again(w, CAPACITY);
	for (unsigned i = 0; i < 8; i += 2) {
		spec = flow((uint16_t)(20010 + i));
		spec.out_remote.ip[3] = (uint8_t)(100 + i);
		adopt(w, &spec);
	}
	assert_int_equal(dataplane_adoption_done(w->dp), 4);
	/* More of them than there are slots. */
	for (unsigned i = 0; i < 20000; i++) {
		spec = flow(20800);
		spec.out_remote.ip[2] = (uint8_t)(i >> 8);
		spec.out_remote.ip[3] = (uint8_t)i;
		id = add(w, &spec);
		dataplane_flow_del(w->dp, id);
	}
	for (unsigned i = 0; i < 8; i += 2) {
		struct before after = look(w, "10.0.0.1", (uint16_t)(20010 + i));

		assert_memory_equal(&after, &before[i], sizeof(after));
	}
}

static void a_full_table_is_taken_over_whole(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec;
	dataplane_flow_id id;

	for (unsigned i = 0; i < CAPACITY; i++) {
		spec = flow((uint16_t)(20000 + i));
		add(w, &spec);
	}
	again(w, CAPACITY);
	for (unsigned i = 0; i < CAPACITY; i++) {
		spec = flow((uint16_t)(20000 + i));
		adopt(w, &spec);
	}
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
	spec = flow(20900);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), -ENOSPC);
}

static void other_sizes_wait_until_nothing_is_adopted(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct dataplane_status status;

	add(w, &spec);
	again(w, 4 * CAPACITY);
	assert_int_equal(dataplane_status(w->dp, &status), 0);
	assert_int_equal(status.flows_max, CAPACITY);
	adopt(w, &spec);
	dataplane_adoption_done(w->dp);
	again(w, 1);
	assert_int_equal(dataplane_status(w->dp, &status), 0);
	assert_int_equal(status.flows_max, CAPACITY);
	adopt(w, &spec);
	dataplane_adoption_done(w->dp);
}

static void an_address_that_the_configuration_lost_stays_for_its_flows(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010), next = flow(20012);
	dataplane_flow_id id, other;

	add(w, &spec);
	w->cfg.side[0].address[0].local = address("10.0.0.5", 0);
	again(w, CAPACITY);
	id = adopt(w, &spec);
	dataplane_adoption_done(w->dp);
	assert_int_equal(published(w, "10.0.0.1", 20010)->cookie, 20010);
	assert_int_equal(dataplane_flow_add(w->dp, &next, &other), -ENOENT);
	next.local = address("10.0.0.5", 20010);
	add(w, &next);
	dataplane_flow_del(w->dp, id);
	assert_true(locals_drain(&w->dp->locals, 0));
	assert_null(published(w, "10.0.0.1", 20010));
	assert_non_null(published(w, "10.0.0.5", 20010));
}

static void ports_that_the_configuration_lost_stay_for_their_flows(void **state)
{
	struct world *w = *state;
	struct dataplane_flow low = flow(20010), orphan = flow(20014), next = flow(20012);
	dataplane_flow_id id, other;

	add(w, &low);
	add(w, &orphan);
	w->cfg.side[0].media_port_min = 20500;
	w->cfg.side[0].media_port_max = 31000;
	again(w, CAPACITY);
	id = adopt(w, &low);
	assert_int_equal(dataplane_adoption_done(w->dp), 1);
	assert_int_equal(published(w, "10.0.0.1", 20010)->cookie, 20010);
	assert_null(published(w, "10.0.0.1", 20014));
	assert_int_equal(dataplane_flow_add(w->dp, &next, &other), -ENOENT);
	next = flow(31000);
	add(w, &next);
	dataplane_flow_del(w->dp, id);
	assert_true(locals_drain(&w->dp->locals, 0));
	assert_false(locals_draining(&w->dp->locals));
}

/* ---- damage ---- */

static uint32_t *port_entry(const struct world *w, uint16_t port)
{
	struct addr a = address("10.0.0.1", port);

	const struct locals *l = &w->dp->locals;

	return &l->ports[locals_port(l, (unsigned)locals_find(l, 0, &a), port) - l->ports].flow;
}

static void a_port_that_leads_nowhere_is_given_up(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010), twin = flow(20012), spare = flow(20014);
	struct dataplane_flow lost = flow(20016);
	dataplane_flow_id id;
	uint32_t slots = flow_table_slots_needed(CAPACITY);

	add(w, &spec);
	add(w, &spare);
	*port_entry(w, 20012) = look(w, "10.0.0.1", 20010).slot; /* another's */
	*port_entry(w, 20016) = slots;
	*port_entry(w, 20018) = UINT32_MAX;
	*port_entry(w, 20020) = slots - 1; /* never filled: its stream is 0 */
	again(w, CAPACITY);
	adopt(w, &spec);
	adopt(w, &spare);
	twin.cookie = spec.cookie;
	assert_int_equal(dataplane_flow_adopt(w->dp, &twin, &id), -ENOENT);
	assert_int_equal(dataplane_flow_adopt(w->dp, &lost, &id), -ENOENT);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
	for (uint16_t port = 20012; port <= 20020; port = (uint16_t)(port + 2)) {
		if (port != 20014)
			assert_null(published(w, "10.0.0.1", port));
	}
	add(w, &lost);
}

static void a_stream_of_two_flows_stays_the_firsts(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010), twin = flow(20012), wild = flow(20014);
	dataplane_flow_id id;

	add(w, &spec);
	add(w, &twin);
	add(w, &wild);
	w->dp->null.flows[*port_entry(w, 20012)].stream = published(w, "10.0.0.1", 20010)->stream;
	w->dp->null.flows[*port_entry(w, 20014)].stream = flow_table_slots_needed(CAPACITY);
	again(w, CAPACITY);
	adopt(w, &spec);
	assert_int_equal(dataplane_flow_adopt(w->dp, &twin, &id), -ENOENT);
	assert_int_equal(dataplane_flow_adopt(w->dp, &wild, &id), -ENOENT);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
}

static void rtcp_that_would_leave_by_anothers_flow_leaves_by_its_own(void **state)
{
	struct world *w = *state;
	struct dataplane_flow mux = flow(20010), wild = flow(20012), other = flow(20014);

	mux.mux = wild.mux = true;
	add(w, &mux);
	add(w, &wild);
	add(w, &other);
	w->dp->null.flows[*port_entry(w, 20010)].rtcp_flow = *port_entry(w, 20014);
	w->dp->null.flows[*port_entry(w, 20012)].rtcp_flow = UINT32_MAX;
	again(w, CAPACITY);
	assert_int_equal(published(w, "10.0.0.1", 20010)->rtcp_flow, 0);
	assert_int_equal(published(w, "10.0.0.1", 20012)->rtcp_flow, 0);
	adopt(w, &mux);
	adopt(w, &wild);
	adopt(w, &other);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
}

static void addresses_that_share_ports_or_lie_outside_are_given_up(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct locals *l = &w->dp->locals;
	dataplane_flow_id id;

	add(w, &spec);
	l->local[1].base = l->local[0].base + 5;
	l->local[2].base = UINT32_MAX - 3;
	l->local[3].want.side = 9;
	again(w, CAPACITY);
	adopt(w, &spec);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
	spec.local = address("fd00::1", 20010);
	spec.remote = address("fd00::2", 4000);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
}

static uint32_t noise(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Whatever stands there: what starts works, and no two flows have anything in common. */
static void no_noise_in_the_tables_harms_the_next_start(void **state)
{
	struct world *w = *state;
	uint32_t seed = 7;

	for (unsigned round = 0; round < 50; round++) {
		struct dataplane_flow spec;
		dataplane_flow_id id[CAPACITY];
		unsigned adopted = 0;

		for (unsigned i = 0; i < CAPACITY; i++) {
			uint16_t port = (uint16_t)(20000 + i);
			uint32_t slot = *port_entry(w, port);

			spec = flow(port);
			spec.mux = i % 2;
			if (!slot)
				add(w, &spec);
		}
		for (unsigned i = 0; i < 30; i++) {
			uint32_t slot = 1 + noise(&seed) % (CAPACITY + 3);
			uint16_t port = (uint16_t)(20000 + noise(&seed) % (CAPACITY + 20));
			uint32_t value = noise(&seed) % (noise(&seed) % 2 ? 100 : 10000);

			switch (noise(&seed) % 5) {
			case 0:
				*port_entry(w, port) = value;
				break;
			case 1:
				w->dp->null.flows[slot].stream = value;
				break;
			case 2:
				w->dp->null.flows[slot].nexthop = value;
				break;
			case 3:
				w->dp->null.flows[slot].rtcp_flow = value;
				break;
			default:
				w->dp->null.flows[slot].cookie = value;
				break;
			}
		}
		again(w, CAPACITY);
		for (unsigned i = 0; i < CAPACITY; i++) {
			spec = flow((uint16_t)(20000 + i));
			spec.mux = i % 2;
			if (dataplane_flow_adopt(w->dp, &spec, &id[adopted]) == 0)
				adopted++;
		}
		dataplane_adoption_done(w->dp);
		assert_int_equal(flow_table_count(w->dp->flows), adopted);
		for (unsigned i = 0; i < adopted; i++) {
			for (unsigned k = i + 1; k < adopted; k++)
				assert_ptr_not_equal(flow_table_stream(w->dp->flows, id[i]),
					flow_table_stream(w->dp->flows, id[k]));
		}
		for (unsigned i = adopted; i < CAPACITY; i++) {
			uint16_t port = (uint16_t)(20100 + i);

			spec = flow(port);
			id[i] = add(w, &spec);
		}
		for (unsigned i = 0; i < CAPACITY; i++)
			dataplane_flow_del(w->dp, id[i]);
	}
}

static void statistics_that_a_test_set_stay_with_their_flow(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010), other = flow(20012);
	struct dataplane_stats stats = {.packets = 50};
	dataplane_flow_id id;

	add(w, &other);
	dataplane_null_set_stats(w->dp, add(w, &spec), &stats);
	again(w, CAPACITY);
	id = adopt(w, &other);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 0);
	id = adopt(w, &spec);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flow_is_taken_over_as_it_stands),
		TEST(what_nobody_adopts_is_removed),
		TEST(a_flow_is_known_by_its_port_and_its_cookie),
		TEST(nothing_is_adopted_but_between_start_and_done),
		TEST(what_is_closed_is_not_found),
		TEST(another_instance_finds_its_own_alone),
		TEST(another_specification_takes_the_flows_place_with_its_statistics),
		TEST(a_latched_source_stays_until_the_latch_is_another),
		TEST(rtcp_of_a_muxed_leg_is_found_behind_its_user),
		TEST(new_calls_take_no_slot_that_an_adopted_flow_has),
		TEST(a_full_table_is_taken_over_whole),
		TEST(other_sizes_wait_until_nothing_is_adopted),
		TEST(an_address_that_the_configuration_lost_stays_for_its_flows),
		TEST(ports_that_the_configuration_lost_stay_for_their_flows),
		TEST(a_port_that_leads_nowhere_is_given_up),
		TEST(a_stream_of_two_flows_stays_the_firsts),
		TEST(rtcp_that_would_leave_by_anothers_flow_leaves_by_its_own),
		TEST(addresses_that_share_ports_or_lie_outside_are_given_up),
		TEST(no_noise_in_the_tables_harms_the_next_start),
		TEST(statistics_that_a_test_set_stay_with_their_flow),
	};

	return cmocka_run_group_tests_name("dataplane adoption", tests, NULL, NULL);
}
