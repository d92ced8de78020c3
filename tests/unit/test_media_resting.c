/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports in quarantine go on resting in the daemon that comes next, and in the one after that. */
#include <errno.h>

#include "media/resting.h"
#include "test_media_adoption.h"
#include "test_store_place.h"

#define PAIRS_EACH_SIDE 100 /* more than one record holds */

static void daemon_begins(struct test_room *r, struct place *p)
{
	reopen(p);
	assert_int_equal(media_keep_resting(r->m, p->s), 0);
}

static void daemon_ends(struct test_room *r, struct place *p)
{
	test_next_daemon(r);
	daemon_begins(r, p);
	media_adoption_done(r->m);
}

static unsigned resting(struct test_room *r)
{
	struct media_status st;

	media_get_status(r->m, &st);
	return st.ports_quarantined[0] + st.ports_quarantined[1];
}

static void room(struct test_room *r, struct place *p)
{
	test_room_open(r);
	r->m->quarantine_ms = r->cfg.port_quarantine_s * 1000ull;
	daemon_begins(r, p);
}

static void a_call(struct test_room *r)
{
	if (!r->s)
		assert_int_equal(media_session_new(r->m, r, &r->a, &r->b, &r->s), 0);
	assert_int_equal(test_try_offer(r, LEG_A, SDP_AUDIO_A), 0);
	media_session_free(r->s);
	r->s = NULL;
}

static void ports_given_back_rest_on_over_two_restarts_and_no_longer(void **state)
{
	struct place *p = *state;
	struct test_room r;
	uint64_t given;

	room(&r, p);
	given = test_now_ms;
	a_call(&r);
	assert_int_equal(resting(&r), 2 * PORTS_A_PAIR);
	for (unsigned i = 0; i < 2; i++) {
		test_now_ms += r.m->quarantine_ms / 4;
		daemon_ends(&r, p);
		assert_int_equal(resting(&r), 2 * PORTS_A_PAIR);
	}
	test_now_ms = given + r.m->quarantine_ms - 1;
	assert_int_equal(resting(&r), 2 * PORTS_A_PAIR);
	test_now_ms++;
	assert_int_equal(resting(&r), 0);
	daemon_ends(&r, p);
	assert_int_equal(resting(&r), 0);
	assert_int_equal(store_flush(p->s), 0);
	load(p, STORE_ROOM);
	assert_int_equal(p->count, 0);
	test_room_close(&r);
}

static void many_pairs_rest_in_few_records(void **state)
{
	struct place *p = *state;
	struct test_room r;

	room(&r, p);
	for (unsigned i = 0; i < PAIRS_EACH_SIDE; i++)
		a_call(&r);
	daemon_ends(&r, p);
	assert_int_equal(resting(&r), 2 * PAIRS_EACH_SIDE * PORTS_A_PAIR);
	load(p, STORE_ROOM);
	assert_int_equal(p->count, (2 * PAIRS_EACH_SIDE + RESTING_PAIRS - 1) / RESTING_PAIRS);
	daemon_ends(&r, p);
	assert_int_equal(resting(&r), 2 * PAIRS_EACH_SIDE * PORTS_A_PAIR);
	test_now_ms += r.m->quarantine_ms;
	assert_int_equal(resting(&r), 0);
	test_room_close(&r);
}

static void a_pair_that_an_adopted_session_has_does_not_rest(void **state)
{
	struct place *p = *state;
	struct test_saved saved;
	struct test_room r;

	room(&r, p);
	assert_int_equal(test_try_offer(&r, LEG_A, SDP_AUDIO_A), 0);
	saved = test_save(r.s);
	/* As a kill would have it between the two: given back, and the call still written down. */
	media_session_free(r.s);
	test_next_daemon(&r);
	assert_int_equal(test_adopt(&r, &saved, &r.s), 0);
	daemon_begins(&r, p);
	media_adoption_done(r.m);
	assert_int_equal(resting(&r), 0);
	free(saved.data);
	test_room_close(&r);
}

static void records_that_make_no_sense_are_passed_over(void **state)
{
	static const uint8_t strange[] = {0x0a, 0x04, 0x08, 0x07, 0x18, 0x03, /* side 7, port 3 */
		0x0a, 0x08, 0x12, 0x04, 1, 2, 3, 4, 0x18, 0x04}; /* no address of ours */
	struct place *p = *state;
	struct test_room r;
	uint8_t *value = malloc(sizeof(strange));

	room(&r, p);
	memcpy(value, strange, sizeof(strange));
	store_put(p->s, STORE_ROOM, STORE_NAME("resting-ports-0000000000000001"), value,
		sizeof(strange));
	store_put(p->s, STORE_ROOM, STORE_NAME("resting-ports-0000000000000002"), strdup("?"), 1);
	daemon_ends(&r, p);
	assert_int_equal(resting(&r), 0);
	assert_int_equal(status_of(p).unusable, 1);
	test_room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			ports_given_back_rest_on_over_two_restarts_and_no_longer, place_setup,
			place_teardown),
		cmocka_unit_test_setup_teardown(
			many_pairs_rest_in_few_records, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(a_pair_that_an_adopted_session_has_does_not_rest,
			place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(
			records_that_make_no_sense_are_passed_over, place_setup, place_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
