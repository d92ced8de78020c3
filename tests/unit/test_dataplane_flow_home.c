/* SPDX-License-Identifier: BSD-2-Clause */
/* A flow that was changed counts on in its stream from elsewhere, and goes home to it. */
#include "test_dataplane_world.h"

#include "dataplane/flow_entry.h"

#define GRACE_MS 60
#define PORT     20010

static void grace(struct world *w, uint32_t ms)
{
	w->dp->flows->grace_ms = w->dp->flows->element_slots.grace_ms = ms;
}

static void pass(struct world *w, uint64_t ms)
{
	uint64_t until = loop_now_ms(w->loop) + ms;

	do
		assert_int_equal(loop_once(w->loop, 2), 0);
	while (loop_now_ms(w->loop) < until);
}

static uint32_t slot_of(const struct world *w, uint16_t port)
{
	const struct vd_flow *f = published(w, "10.0.0.1", port);

	assert_non_null(f);
	return (uint32_t)(f - w->dp->null.flows);
}

static dataplane_flow_id add(struct world *w, const struct dataplane_flow *spec)
{
	dataplane_flow_id id;

	assert_int_equal(dataplane_flow_add(w->dp, spec, &id), 0);
	return id;
}

/* To another port out there. */
static void change(struct world *w, dataplane_flow_id id, struct dataplane_flow *spec)
{
	spec->out_remote.port++;
	assert_int_equal(dataplane_flow_update(w->dp, id, spec), 0);
}

static void again(struct world *w)
{
	dataplane_leave(w->dp);
	w->dp = NULL;
	assert_int_equal(open_dataplane(w, CAPACITY), 0);
}

static void a_new_flow_is_at_home(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(PORT);

	add(w, &spec);
	assert_int_equal(published(w, "10.0.0.1", PORT)->stream, slot_of(w, PORT));
}

static void a_changed_flow_goes_home_when_nobody_looks_there_any_more(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(PORT);
	dataplane_flow_id id = add(w, &spec);
	uint32_t home = slot_of(w, PORT), away;
	struct vd_flow *flows = w->dp->null.flows, at_home = flows[home];
	struct dataplane_stats stats;

	grace(w, GRACE_MS);
	flows[home].own.packets_apart = 17;
	change(w, id, &spec);
	away = slot_of(w, PORT);
	assert_int_not_equal(away, home);
	assert_int_equal(flows[away].stream, home);
	assert_int_equal(loop_once(w->loop, 0), 0);
	assert_int_equal(slot_of(w, PORT), away);
	assert_true(flow_encoded_equal(&flows[home], &at_home));
	flows[away].src_mac = 0x01020304; /* the program learnt it meanwhile */
	pass(w, GRACE_MS + 5);
	assert_int_equal(slot_of(w, PORT), home);
	assert_true(flow_encoded_equal(&flows[home], &flows[away]));
	assert_int_equal(flows[home].src_mac, 0x01020304);
	assert_int_equal(flows[home].out_dport_be, htons(spec.out_remote.port));
	assert_int_equal(dataplane_flow_stats(w->dp, id, &stats), 0);
	assert_int_equal(stats.packets, 17);
}

static void a_flow_that_is_changed_while_away_goes_home_as_soon_as_it_may(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(PORT);
	dataplane_flow_id id = add(w, &spec);
	uint32_t home = slot_of(w, PORT), away;

	grace(w, 3600000);
	change(w, id, &spec);
	away = slot_of(w, PORT);
	change(w, id, &spec);
	assert_int_not_equal(slot_of(w, PORT), home);
	assert_int_not_equal(slot_of(w, PORT), away);
	/* The timer comes late: the next change goes home by itself. */
	w->dp->flows->away->home_at_ms = loop_now_ms(w->loop);
	change(w, id, &spec);
	assert_int_equal(slot_of(w, PORT), home);
	assert_null(w->dp->flows->away);
}

static void another_latch_makes_another_home(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(PORT);
	dataplane_flow_id id;
	uint32_t home;

	spec.latch = true;
	spec.latch_prefix = 24;
	id = add(w, &spec);
	home = slot_of(w, PORT);
	grace(w, GRACE_MS);
	change(w, id, &spec);
	spec.remote = address("10.0.0.3", 4000);
	assert_int_equal(dataplane_flow_update(w->dp, id, &spec), 0);
	assert_int_not_equal(slot_of(w, PORT), home);
	assert_int_equal(published(w, "10.0.0.1", PORT)->stream, slot_of(w, PORT));
	assert_null(w->dp->flows->away);
}

static void rtcp_of_a_muxed_leg_is_found_where_its_flow_has_gone(void **state)
{
	struct world *w = *state;
	struct dataplane_flow rtcp = flow(PORT + 1), mux = flow(PORT);
	dataplane_flow_id rtcp_id, mux_id;
	uint32_t home, slot;

	rtcp.unindexed = true;
	rtcp.rtcp = true;
	rtcp_id = add(w, &rtcp);
	mux.mux = true;
	mux.rtcp_flow = rtcp_id;
	mux_id = add(w, &mux);
	home = published(w, "10.0.0.1", PORT)->rtcp_flow;
	change(w, rtcp_id, &rtcp);
	assert_int_not_equal(published(w, "10.0.0.1", PORT)->rtcp_flow, home);
	change(w, mux_id, &mux);
	pass(w, 5);
	slot = published(w, "10.0.0.1", PORT)->rtcp_flow;
	assert_int_equal(slot, home);
	assert_int_equal(w->dp->null.flows[slot].out_dport_be, htons(rtcp.out_remote.port));
}

/* Also of those that end while they are away. */
static void changes_without_end_use_up_no_slots(void **state)
{
	struct world *w = *state;
	unsigned rounds = 3 * flow_table_slots_needed(CAPACITY);

	for (unsigned i = 0; i < rounds; i++) {
		struct dataplane_flow spec = flow((uint16_t)(PORT + i % 10));
		dataplane_flow_id id = add(w, &spec);

		for (unsigned changes = i % 4; changes; changes--)
			change(w, id, &spec);
		if (i % 97 == 0)
			pass(w, 3);
		dataplane_flow_del(w->dp, id);
	}
	assert_null(w->dp->flows->away);
}

static void more_than_a_turn_can_take_home_come_home(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec[CAPACITY];
	dataplane_flow_id id[CAPACITY];

	for (unsigned i = 0; i < CAPACITY; i++) {
		spec[i] = flow((uint16_t)(PORT + i));
		id[i] = add(w, &spec[i]);
	}
	for (unsigned i = 0; i < CAPACITY; i++)
		change(w, id[i], &spec[i]);
	pass(w, 10);
	for (unsigned i = 0; i < CAPACITY; i++)
		assert_int_equal(published(w, "10.0.0.1", spec[i].local.port)->stream,
			slot_of(w, spec[i].local.port));
}

static void a_flow_that_was_away_when_the_daemon_died_goes_home_once_adopted(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(PORT), lost = flow(PORT + 2);
	dataplane_flow_id id = add(w, &spec), lost_id = add(w, &lost);
	uint32_t home = slot_of(w, PORT), away;
	struct vd_flow was;

	grace(w, 3600000);
	change(w, id, &spec);
	change(w, lost_id, &lost);
	away = slot_of(w, PORT);
	was = w->dp->null.flows[away];
	again(w);
	pass(w, 5);
	assert_int_equal(slot_of(w, PORT), away);
	assert_int_equal(dataplane_flow_adopt(w->dp, &spec, &id), 0);
	pass(w, 5);
	assert_int_equal(slot_of(w, PORT), home);
	assert_true(flow_encoded_equal(&w->dp->null.flows[home], &was));
	assert_int_equal(dataplane_adoption_done(w->dp), 1);
	assert_null(w->dp->flows->away);
}

static void nobody_adopted_is_away_at_anothers_home(void **state)
{
	struct world *w = *state;
	struct dataplane_flow spec = flow(PORT), other = flow(PORT + 2);
	dataplane_flow_id id;
	uint32_t home, others;

	add(w, &spec);
	add(w, &other);
	home = slot_of(w, PORT);
	others = slot_of(w, PORT + 2);
	/* Their flows stand crosswise. */
	w->dp->null.flows[home].stream = others;
	w->dp->null.flows[others].stream = home;
	again(w);
	assert_int_equal(dataplane_flow_adopt(w->dp, &spec, &id), 0);
	assert_int_equal(dataplane_flow_adopt(w->dp, &other, &id), -ENOENT);
	assert_int_equal(dataplane_adoption_done(w->dp), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_flow_is_at_home),
		TEST(a_changed_flow_goes_home_when_nobody_looks_there_any_more),
		TEST(a_flow_that_is_changed_while_away_goes_home_as_soon_as_it_may),
		TEST(another_latch_makes_another_home),
		TEST(rtcp_of_a_muxed_leg_is_found_where_its_flow_has_gone),
		TEST(changes_without_end_use_up_no_slots),
		TEST(more_than_a_turn_can_take_home_come_home),
		TEST(a_flow_that_was_away_when_the_daemon_died_goes_home_once_adopted),
		TEST(nobody_adopted_is_away_at_anothers_home),
	};

	return cmocka_run_group_tests_name("dataplane flow home", tests, NULL, NULL);
}
