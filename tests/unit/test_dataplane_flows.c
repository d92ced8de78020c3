/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows over their life. */
#include "test_dataplane_world.h"

static void an_added_flow_is_published_under_its_port(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	dataplane_flow_id id;

	assert_null(published(w, "10.0.0.1", 20010));
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	assert_non_null(published(w, "10.0.0.1", 20010));
	assert_int_equal(published(w, "10.0.0.1", 20010)->cookie, 20010);
	assert_null(published(w, "10.0.0.1", 20011));
	assert_memory_equal(dataplane_flow_get(w->dp, id), &spec, sizeof(spec));
	assert_ptr_equal(dataplane_null_find(w->dp, 0, &spec.local), dataplane_flow_get(w->dp, id));
	assert_null(dataplane_null_find(w->dp, 1, &spec.local));
	dataplane_flow_del(w->dp, id);
	assert_null(published(w, "10.0.0.1", 20010));
	assert_null(dataplane_null_find(w->dp, 0, &spec.local));
}

static void a_port_has_one_flow(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	dataplane_flow_id id, other = 99;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &other), -EEXIST);
	assert_int_equal(other, 99);
	dataplane_flow_del(w->dp, id);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &other), 0);
}

static void an_address_or_port_that_is_not_ours_is_refused(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(19998);
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), -ENOENT);
	spec = flow(21000);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), -ENOENT);
	spec = flow(20000);
	spec.local = address("10.0.0.77", 20000);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), -ENOENT);
	spec = flow(20000);
	spec.in_side = 1; /* the internal address, asked for on the external side */
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), -ENOENT);
}

static void a_full_table_refuses_the_next_flow_and_evicts_none(void **state)
{
	struct world *w = *state;
	dataplane_flow_id id[CAPACITY + 1];
	struct dataplane_flow spec;

	for (unsigned i = 0; i < CAPACITY; i++) {
		spec = flow((uint16_t)(20000 + i));
		assert_int_equal(dataplane_flow_add(w->dp, &spec, &id[i]), 0);
	}
	spec = flow(20900);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id[CAPACITY]), -ENOSPC);
	for (unsigned i = 0; i < CAPACITY; i++)
		assert_non_null(published(w, "10.0.0.1", (uint16_t)(20000 + i)));
	dataplane_flow_del(w->dp, id[3]);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id[CAPACITY]), 0);
}

static void an_id_of_a_deleted_flow_finds_nothing(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct dataplane_stats stats;
	struct dataplane_path path;
	dataplane_flow_id id, next;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	dataplane_flow_del(w->dp, id);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &next), 0);
	assert_int_not_equal(id, next);
	assert_null(dataplane_flow_get(w->dp, id));
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), -ENOENT);
	assert_int_equal(dataplane_flow_path(w->dp, id, &path), -ENOENT);
	assert_int_equal(dataplane_flow_update(w->dp, id, &spec), -ENOENT);
	dataplane_flow_del(w->dp, id);
	assert_non_null(dataplane_flow_get(w->dp, next));
}

static void an_update_swings_the_port_to_another_slot_and_keeps_statistics(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	const struct vd_flow *before, *after;
	struct dataplane_stats stats;
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	before = published(w, "10.0.0.1", 20010);
	flow_table_stream(w->dp->flows, id)->packets_apart = 17;
	spec.out_remote = address("192.0.2.10", 5002);
	spec.local.port = 20500; /* not for an update to change */
	assert_int_equal(dataplane_flow_update(w->dp, id, &spec), 0);
	after = published(w, "10.0.0.1", 20010);
	assert_ptr_not_equal(before, after);
	assert_int_equal(ntohs(after->out_dport_be), 5002);
	assert_int_equal(before->stream, after->stream);
	assert_null(published(w, "10.0.0.1", 20500));
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 17);
}

static void a_latched_source_is_kept_while_remote_and_latch_stay(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct vd_stream *stream;
	struct dataplane_stats stats;
	dataplane_flow_id id;

	spec.latch = true;
	spec.latch_prefix = 24;
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	stream = flow_table_stream(w->dp->flows, id);
	stream->packets_apart = 5;
	stream->latch_state = VD_LATCH_LOCKED;
	memcpy(stream->latched_addr, published(w, "10.0.0.1", 20010)->src_addr, 16);
	stream->latched_port_be = htons(4444);
	spec.out_remote.port = 6000;
	assert_int_equal(dataplane_flow_update(w->dp, id, &spec), 0);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.latched.port, 4444);
	/* New SDP, new latch; what was counted stays counted. */
	spec.remote = address("10.0.0.3", 4000);
	assert_int_equal(dataplane_flow_update(w->dp, id, &spec), 0);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.latched.family, 0);
	assert_int_equal(stats.packets, 5);
	flow_table_stream(w->dp->flows, id)->packets_apart = 3;
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 8);
	/* A packet that had the old flow in its hands locks the old stream, which nobody reads. */
	assert_ptr_not_equal(stream, flow_table_stream(w->dp->flows, id));
}

static void rtcp_of_a_muxed_leg_follows_its_flow_through_updates(void **state)
{
	struct world *w = *state;
	struct dataplane_flow rtcp = flow(20011), mux = flow(20010);
	dataplane_flow_id rtcp_id, mux_id;
	uint32_t slot;

	rtcp.unindexed = true;
	rtcp.rtcp = true;
	assert_int_equal(dataplane_flow_add(w->dp, &rtcp, &rtcp_id), 0);
	assert_null(published(w, "10.0.0.1", 20011));
	mux.mux = true;
	mux.rtcp_flow = rtcp_id;
	assert_int_equal(dataplane_flow_add(w->dp, &mux, &mux_id), 0);
	slot = published(w, "10.0.0.1", 20010)->rtcp_flow;
	assert_int_equal(w->dp->null.flows[slot].cookie, 20011);
	rtcp.cookie = 5;
	assert_int_equal(dataplane_flow_update(w->dp, rtcp_id, &rtcp), 0);
	slot = published(w, "10.0.0.1", 20010)->rtcp_flow;
	assert_int_equal(w->dp->null.flows[slot].cookie, 5);
	mux.out_remote.port = 7000;
	assert_int_equal(dataplane_flow_update(w->dp, mux_id, &mux), 0);
	slot = published(w, "10.0.0.1", 20010)->rtcp_flow;
	assert_int_equal(w->dp->null.flows[slot].cookie, 5);
	dataplane_flow_del(w->dp, rtcp_id);
	assert_int_equal(published(w, "10.0.0.1", 20010)->rtcp_flow, 0);
	assert_int_equal(dataplane_flow_update(w->dp, mux_id, &mux), -EINVAL);
}

static void a_blackhole_is_published_and_leads_nowhere(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct dataplane_path path;
	dataplane_flow_id id;

	spec.blackhole = true;
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	assert_true(published(w, "10.0.0.1", 20010)->flags & VD_FLOW_BLACKHOLE);
	assert_int_equal(published(w, "10.0.0.1", 20010)->nexthop, 0);
	assert_int_equal(dataplane_flow_path(w->dp, id, &path), 0);
	assert_false(path.resolved);
	assert_string_equal(path.why, "held");
	spec.blackhole = false;
	assert_int_equal(dataplane_flow_update(w->dp, id, &spec), 0);
	assert_int_equal(dataplane_flow_path(w->dp, id, &path), 0);
	assert_true(path.resolved);
	assert_string_equal(path.device, "ext0");
}

static void thousands_of_calls_leave_every_table_where_it_was(void **state)
{
	struct world *w = *state;
	struct dataplane_status status;
	dataplane_flow_id id[4];

	for (unsigned call = 0; call < 20000; call++) {
		for (unsigned i = 0; i < 4; i++) {
			struct dataplane_flow spec =
				flow((uint16_t)(20000 + (call * 4 + i) % 1000));

			assert_int_equal(dataplane_flow_add(w->dp, &spec, &id[i]), 0);
			spec.latch = true;
			assert_int_equal(dataplane_flow_update(w->dp, id[i], &spec), 0);
		}
		for (unsigned i = 0; i < 4; i++)
			dataplane_flow_del(w->dp, id[i]);
	}
	assert_int_equal(dataplane_status(w->dp, &status), 0);
	assert_int_equal(status.flows, 0);
	assert_int_equal(status.flows_max, CAPACITY);
	assert_int_equal(status.nexthops, 0);
}

static void stats_set_by_a_test_are_what_is_read(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct dataplane_stats stats = {.packets = 50, .jitter = 7};
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	dataplane_null_set_stats(w->dp, id, &stats);
	memset(&stats, 0, sizeof(stats));
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 50);
	assert_int_equal(stats.jitter, 7);
	dataplane_flow_del(w->dp, id);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), -ENOENT);
}

static void an_event_reaches_its_flow_alone(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	const struct dataplane_handlers handlers = {
		.ctx = w, .first_packet = on_first_packet, .dtmf = on_dtmf};
	struct vd_event event = {.type = VD_EVENT_FIRST_PACKET, .cookie = 20010};
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	event.stream = published(w, "10.0.0.1", 20010)->stream;
	events_deliver(w->dp->flows, &handlers, &event, sizeof(event));
	assert_int_equal(w->firsts, 1);
	assert_int_equal(w->cookie, 20010);
	event.type = VD_EVENT_DTMF_END;
	event.value = 5 | 800 << 16;
	events_deliver(w->dp->flows, &handlers, &event, sizeof(event));
	assert_int_equal(w->dtmfs, 1);
	/* Too short, longer than it says, of another flow, of none. */
	events_deliver(w->dp->flows, &handlers, &event, sizeof(event) - 1);
	event.len = 1;
	events_deliver(w->dp->flows, &handlers, &event, sizeof(event));
	event.len = 0;
	event.cookie = 1;
	events_deliver(w->dp->flows, &handlers, &event, sizeof(event));
	event.cookie = 20010;
	event.stream = UINT32_MAX;
	events_deliver(w->dp->flows, &handlers, &event, sizeof(event));
	event.stream = published(w, "10.0.0.1", 20010)->stream;
	dataplane_flow_del(w->dp, id);
	events_deliver(w->dp->flows, &handlers, &event, sizeof(event));
	assert_int_equal(w->dtmfs, 1);
}

static void a_reload_that_moves_the_port_range_keeps_live_flows_reachable(void **state)
{
	struct world *w = *state;
	struct dataplane_flow low = flow(20010), high = flow(20990), wide = flow(30000);
	struct config next = w->cfg;
	dataplane_flow_id low_id, high_id, wide_id;

	assert_int_equal(dataplane_flow_add(w->dp, &low, &low_id), 0);
	assert_int_equal(dataplane_flow_add(w->dp, &high, &high_id), 0);
	next.side[0].media_port_min = 20500;
	next.side[0].media_port_max = 31000;
	assert_int_equal(dataplane_reload(w->dp, &next), 0);
	assert_int_equal(published(w, "10.0.0.1", 20010)->cookie, 20010);
	assert_int_equal(published(w, "10.0.0.1", 20990)->cookie, 20990);
	assert_int_equal(dataplane_flow_add(w->dp, &wide, &wide_id), 0);
	assert_int_equal(published(w, "10.0.0.1", 30000)->cookie, 30000);
	/* Below the new range a live flow goes on and is changed, a new one is refused. */
	low.cookie = 1;
	assert_int_equal(dataplane_flow_update(w->dp, low_id, &low), 0);
	assert_int_equal(published(w, "10.0.0.1", 20010)->cookie, 1);
	low.local.port = 20012;
	assert_int_equal(dataplane_flow_add(w->dp, &low, &low_id), -ENOENT);
}

static void a_retired_address_goes_when_its_last_flow_has_gone(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct config next = w->cfg;
	struct vd_locals locals;
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	next.side[0].address[0].local = address("10.0.0.5", 0);
	assert_int_equal(dataplane_reload(w->dp, &next), 0);
	assert_int_equal(published(w, "10.0.0.1", 20010)->cookie, 20010);
	assert_true(locals_draining(&w->dp->locals));
	assert_false(locals_drain(&w->dp->locals, 0));
	dataplane_flow_del(w->dp, id);
	assert_true(locals_drain(&w->dp->locals, 0));
	assert_false(locals_draining(&w->dp->locals));
	locals_encode(&w->dp->locals, &locals);
	for (unsigned i = 0; i < locals.count; i++)
		assert_false(locals.local[i].addr[12] == 10 && locals.local[i].addr[15] == 1);
	spec.local = address("10.0.0.5", 20010);
	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
}

/* In tables that are not ours to read. */
static void a_flow_that_had_latched_admits_that_source_from_the_first_packet_on(void **state)
{
	static const char *const not_there[] = {"10.0.9.2", "192.0.2.7", "fd00::2"};
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct addr source = address("10.0.0.77", 4444);
	struct dataplane_stats stats;
	dataplane_flow_id id;

	spec.latch = true;
	spec.latch_prefix = 24;
	assert_int_equal(dataplane_flow_add_latched(w->dp, &spec, &source, &id), 0);
	assert_int_equal(w->dp->null.flows[published(w, "10.0.0.1", 20010)->stream].own.latch_state,
		VD_LATCH_LOCKED);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_true(addr_equal(&stats.latched, &source));
	/* Not where the configuration of now would not let it. */
	for (unsigned i = 0; i < sizeof(not_there) / sizeof(not_there[0]); i++) {
		dataplane_flow_del(w->dp, id);
		source = address(not_there[i], 4444);
		assert_int_equal(dataplane_flow_add_latched(w->dp, &spec, &source, &id), 0);
		assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
		assert_int_equal(stats.latched.family, 0);
	}
	dataplane_flow_del(w->dp, id);
	spec.latch = false;
	spec.latch_prefix = 0;
	source = address("10.0.0.2", 4000);
	assert_int_equal(dataplane_flow_add_latched(w->dp, &spec, &source, &id), 0);
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.latched.family, 0);
}

static void what_a_flow_had_counted_is_in_its_statistics(void **state)
{
	const struct dataplane_stats had = {.packets = 100,
		.bytes = 16000,
		.rtcp_packets = 3,
		.expected = 104,
		.lost = 4,
		.ssrc = 7,
		.last_seen_ms_ago = 1000,
		.latched = address("10.0.0.2", 4000)};
	struct world *w = *state;
	struct dataplane_flow spec = flow(20010);
	struct dataplane_stats stats;
	struct vd_stream *stream;
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	assert_int_equal(dataplane_flow_earlier(w->dp, id, &stats), -ENOENT);
	assert_int_equal(dataplane_flow_count_on(w->dp, id, &had), 0);
	stream = &w->dp->null.flows[published(w, "10.0.0.1", 20010)->stream].own;
	stream->packets_apart = 10;
	stream->bytes = 1600;
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 110);
	assert_int_equal(stats.bytes, 17600);
	assert_int_equal(stats.rtcp_packets, 3);
	assert_int_equal(stats.lost, 4);
	assert_in_range(stats.last_seen_ms_ago, 1000, 60000);
	assert_int_equal(stats.latched.family, 0);
	assert_int_equal(dataplane_flow_earlier(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 100);
	assert_int_equal(dataplane_flow_count_on(w->dp, 0, &had), -ENOENT);
}

static void reloads_without_end_use_up_no_port_blocks(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(20500);
	struct config next = w->cfg;
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, &spec, &id), 0);
	for (unsigned i = 0; i < 500; i++) {
		next.side[0].media_port_min = (uint16_t)(i % 2 ? 10000 : 40000);
		next.side[0].media_port_max = (uint16_t)(next.side[0].media_port_min + 9999);
		assert_int_equal(loop_once(w->loop, 2), 0);
		assert_int_equal(dataplane_reload(w->dp, &next), 0);
		assert_int_equal(published(w, "10.0.0.1", 20500)->cookie, 20500);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_added_flow_is_published_under_its_port),
		TEST(a_port_has_one_flow),
		TEST(an_address_or_port_that_is_not_ours_is_refused),
		TEST(a_full_table_refuses_the_next_flow_and_evicts_none),
		TEST(an_id_of_a_deleted_flow_finds_nothing),
		TEST(an_update_swings_the_port_to_another_slot_and_keeps_statistics),
		TEST(a_latched_source_is_kept_while_remote_and_latch_stay),
		TEST(a_flow_that_had_latched_admits_that_source_from_the_first_packet_on),
		TEST(what_a_flow_had_counted_is_in_its_statistics),
		TEST(rtcp_of_a_muxed_leg_follows_its_flow_through_updates),
		TEST(a_blackhole_is_published_and_leads_nowhere),
		TEST(thousands_of_calls_leave_every_table_where_it_was),
		TEST(stats_set_by_a_test_are_what_is_read),
		TEST(an_event_reaches_its_flow_alone),
		TEST(a_reload_that_moves_the_port_range_keeps_live_flows_reachable),
		TEST(a_retired_address_goes_when_its_last_flow_has_gone),
		TEST(reloads_without_end_use_up_no_port_blocks),
	};

	return cmocka_run_group_tests_name("dataplane flows", tests, NULL, NULL);
}
