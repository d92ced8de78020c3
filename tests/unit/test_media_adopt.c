/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session can do after another daemon has taken it up. */
#include <errno.h>

#include "media/watchdog.h"
#include "test_media_adoption.h"

#define SDP_HELD_A SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8 0\r\na=sendonly\r\n"
#define SDP_OFFER_TE                                                                               \
	SDP_HEAD("10.0.0.5")                                                                       \
	"m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n"
#define SDP_ANSWER_TE                                                                              \
	SDP_HEAD("198.51.100.9")                                                                   \
	"m=audio 6000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"

static char instance[] = "adopt", other_instance[] = "adopt-two";

static void start(struct test_room *r)
{
	test_room_config(r);
	test_instance(r, instance);
	test_room_start(r);
}

static void call(struct test_room *r, const char *offer, const char *answer)
{
	start(r);
	test_offer(r, LEG_A, offer, NULL);
	test_answer(r, LEG_B, answer, true, NULL);
	media_session_start(r->s);
}

static void pass(struct test_room *r, uint64_t ms)
{
	test_now_ms += ms;
	for (unsigned i = 0; i < WATCHDOG_PERIOD_MS / WATCHDOG_TICK_MS; i++)
		watchdog_tick(r->m);
}

/* ---- flows and ports ---- */

static void flows_and_ports_are_those_of_before(void **state)
{
	struct dataplane_flow before[LEG_COUNT][COMPONENT_COUNT];
	struct media_status was, is;
	struct test_room r;

	(void)state;
	call(&r, SDP_OFFER_TE, SDP_ANSWER_TE);
	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		for (unsigned c = 0; c < COMPONENT_COUNT; c++)
			before[leg][c] = *test_flow(&r, 0, (enum leg)leg, (enum component)c);
	}
	media_get_status(r.m, &was);
	test_restart(&r);
	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
			const struct dataplane_flow *f =
				test_flow(&r, 0, (enum leg)leg, (enum component)c);

			assert_non_null(f);
			assert_memory_equal(f, &before[leg][c], sizeof(*f));
		}
	}
	media_get_status(r.m, &is);
	assert_memory_equal(is.ports_used, was.ports_used, sizeof(is.ports_used));
	assert_int_equal(is.sessions, 1);
	assert_int_equal(is.sessions_adopted, 1);
	assert_int_equal(is.flows_adopted, 4);
	assert_int_equal(is.flows_added, 0);
	assert_int_equal(is.flows_removed, 0);
	test_room_close(&r);
}

static void adopted_ports_are_given_to_nobody_else_and_back_once(void **state)
{
	struct media_session *other[100], *s;
	unsigned count = 0;
	struct test_room r;
	uint16_t port;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	port = r.s->stream[0]->local[LEG_A].port;
	test_restart(&r);
	s = r.s;
	/* Of 100 pairs a side 99 are left. */
	for (;; count++) {
		int ret;

		assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &r.s), 0);
		ret = test_try_offer(&r, LEG_A, SDP_AUDIO_A);
		if (ret) {
			assert_int_equal(ret, -ENOSPC);
			media_session_free(r.s);
			break;
		}
		assert_int_not_equal(r.s->stream[0]->local[LEG_A].port, port);
		other[count] = r.s;
	}
	assert_int_equal(count, 99);
	while (count)
		media_session_free(other[--count]);
	r.s = s;
	test_room_close(&r);
}

static void emergency_call_takes_ports_that_rest(void **state)
{
	struct media_session *other[99], *s;
	struct test_room r;

	(void)state;
	start(&r);
	media_session_set_urgent(r.s);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_restart(&r);
	s = r.s;
	for (unsigned i = 0; i < 99; i++) {
		assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &r.s), 0);
		test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
		other[i] = r.s;
	}
	for (unsigned i = 0; i < 99; i++)
		media_session_free(other[i]);
	r.s = s;
	test_offer(&r, LEG_A, SDP_AUDIO_A "m=audio 4002 RTP/AVP 8\r\n", NULL);
	test_room_close(&r);
}

static void port_outside_of_the_new_range_stays_the_sessions(void **state)
{
	struct media_status st;
	struct test_room r;
	uint16_t port;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	port = r.s->stream[0]->local[LEG_B].port;
	for (unsigned i = 0; i < SIDE_COUNT; i++) {
		r.cfg.side[i].media_port_min = 30000;
		r.cfg.side[i].media_port_max = 30099;
	}
	test_restart(&r);
	assert_int_equal(r.s->stream[0]->local[LEG_B].port, port);
	assert_non_null(test_flow(&r, 0, LEG_B, COMPONENT_RTP));
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_used[SIDE_EXTERNAL], 2);
	test_offer(&r, LEG_B, SDP_AUDIO_B, NULL);
	test_answer(&r, LEG_A, SDP_AUDIO_A, true, NULL);
	assert_int_equal(r.s->stream[0]->local[LEG_B].port, port);
	test_room_close(&r);
}

static void as_much_may_be_reserved_as_the_tables_of_before_have_room_for(void **state)
{
	struct test_room r;
	unsigned before;

	(void)state;
	call(&r, SDP_OFFER_TE, SDP_ANSWER_TE);
	before = r.m->flows_max;
	r.cfg.side[SIDE_INTERNAL].media_port_max = 20999;
	r.cfg.side[SIDE_EXTERNAL].media_port_max = 20999;
	r.cfg.calls_max *= 10;
	test_restart(&r);
	assert_int_equal(r.m->flows_max, before);
	assert_int_equal(dataplane_flows_max(media_dataplane(r.m)), before);
	test_room_close(&r);
}

static void flows_that_nobody_took_up_are_removed(void **state)
{
	struct test_saved saved;
	struct test_room r;
	struct media_session *lost;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	lost = r.s;
	assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &r.s), 0);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	assert_int_equal(test_flow_count(&r), 8);
	assert_true(lost != r.s);
	saved = test_save(r.s);
	test_next_daemon(&r);
	assert_int_equal(test_adopt(&r, &saved, &r.s), 0);
	media_adoption_done(r.m);
	assert_int_equal(test_flow_count(&r), 4);
	assert_int_equal(r.m->flows_removed, 4);
	free(saved.data);
	test_room_close(&r);
}

/* Of another layout of the kernel's maps, say: all that was saved is programmed again. */
static void flows_that_are_gone_are_added_anew(void **state)
{
	struct test_saved saved;
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	saved = test_save(r.s);
	test_now_ms += 60000;
	test_instance(&r, other_instance); /* which has left nothing */
	test_next_daemon(&r);
	assert_int_equal(test_adopt(&r, &saved, &r.s), 0);
	media_adoption_done(r.m);
	assert_int_equal(r.m->flows_added, 4);
	assert_int_equal(r.m->flows_adopted, 0);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:6000");
	/* Nothing was seen on them yet: the time of silence begins now. */
	pass(&r, 29000);
	assert_int_equal(r.timeouts, 0);
	pass(&r, 1000);
	assert_int_equal(r.timeouts, 1);
	free(saved.data);
	test_room_close(&r);
	/* The first instance's flows go with it. */
	test_instance(&r, instance);
	test_room_start(&r);
	test_room_close(&r);
}

/* ---- offers and answers ---- */

static void either_leg_may_offer_and_versions_go_on(void **state)
{
	struct test_room r;
	uint64_t id;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	id = r.s->sdp[LEG_B].id;
	test_restart(&r);
	assert_true(media_is_unchanged(r.s, LEG_A, SDP_AUDIO_A, strlen(SDP_AUDIO_A)));
	test_offer(&r, LEG_A, SDP_HELD_A,
		"v=0\no=- ID 2 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\na=sendonly\n");
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	assert_int_equal(r.s->sdp[LEG_B].id, id);
	test_restart(&r);
	test_offer(&r, LEG_B, SDP_AUDIO_B, NULL);
	test_answer(&r, LEG_A, SDP_AUDIO_A, true, NULL);
	assert_int_equal(r.s->sdp[LEG_B].version, 3);
	test_restart(&r);
	/* What was said before is said again with the version that it has. */
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	assert_int_equal(r.s->sdp[LEG_B].version, 3);
	media_offer_failed(r.s);
	test_room_close(&r);
}

static void held_call_stays_held_and_is_resumed(void **state)
{
	struct media_stream_info info;
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	test_offer(&r, LEG_A, SDP_HELD_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_restart(&r);
	assert_int_equal(media_stream_info(r.s, 0, &info), 0);
	assert_true(info.held);
	assert_true(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	assert_false(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
	test_room_close(&r);
}

static void pending_offer_is_answered_after_it(void **state)
{
	struct test_room r;

	(void)state;
	start(&r);
	test_offer(&r, LEG_A, SDP_OFFER_TE, NULL);
	test_restart(&r);
	assert_true(media_offer_pending(r.s));
	test_answer(&r, LEG_B, SDP_ANSWER_TE, true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000\n");
	assert_int_equal(test_flow_count(&r), 4);
	assert_int_equal(r.s->stream[0]->now.telephone_event[LEG_A], 96);
	test_room_close(&r);
}

/* fmtp tells two of one codec apart, in the offer that the daemon before has read. */
static void pending_offer_keeps_what_its_formats_mean(void **state)
{
	static const char offer[] = SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 96 97\r\n"
							 "a=rtpmap:96 AMR/8000\r\n"
							 "a=fmtp:96 octet-align=1\r\n"
							 "a=rtpmap:97 AMR/8000\r\n"
							 "a=fmtp:97 octet-align=0\r\n";
	static const char answer[] = SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 110\r\n"
							      "a=rtpmap:110 AMR/8000\r\n"
							      "a=fmtp:110 octet-align=0\r\n";
	struct test_room r;

	(void)state;
	start(&r);
	test_offer(&r, LEG_A, offer, NULL);
	test_restart(&r);
	test_answer(&r, LEG_B, answer, true, NULL);
	assert_int_equal(r.s->stream[0]->now.map[LEG_A].from[0], 97);
	assert_int_equal(r.s->stream[0]->now.map[LEG_A].to[0], 110);
	test_room_close(&r);
}

static void early_answer_is_taken_back_when_the_offer_fails(void **state)
{
	static const char second_b[] = SDP_HEAD("198.51.100.9") "m=audio 6500 RTP/AVP 8\r\n";
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, second_b, false, NULL);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:6500");
	test_restart(&r);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:6500");
	media_offer_failed(r.s);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:6000");
	assert_string_equal(media_heard_sdp(r.s, LEG_B), SDP_AUDIO_B);
	test_room_close(&r);
}

static void next_peer_of_a_route_is_offered_the_same(void **state)
{
	struct test_room r;
	uint16_t port;

	(void)state;
	start(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	port = r.s->stream[0]->local[LEG_A].port;
	test_restart(&r);
	assert_int_equal(media_session_set_peer(r.s, LEG_B, &r.c), 0);
	test_restart(&r); /* between the two */
	assert_int_equal(test_try_answer(&r, LEG_B, SDP_AUDIO_B, true), -EBADMSG);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	assert_int_equal(r.s->stream[0]->local[LEG_A].port, port);
	test_room_close(&r);
}

static void answer_to_an_offer_of_ours_goes_on_as_an_offer(void **state)
{
	struct test_room r;
	size_t len;
	char *out;

	(void)state;
	start(&r);
	r.a.address = test_addr("10.0.0.5:5060");
	assert_int_equal(media_own_offer(r.s, LEG_B, false, &out, &len), 0);
	free(out);
	test_restart(&r);
	test_offer(&r, LEG_B, SDP_AUDIO_B, NULL);
	test_restart(&r);
	test_answer(&r, LEG_A, SDP_AUDIO_A, true, NULL);
	assert_int_equal(test_flow_count(&r), 4);
	test_room_close(&r);
}

static void bypassed_call_stays_bypassed(void **state)
{
	static char site[] = "hq";
	struct test_room r;

	(void)state;
	test_room_config(&r);
	test_instance(&r, instance);
	r.a.bypass = r.b.bypass = site;
	test_room_start(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_restart(&r);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_restart(&r);
	assert_string_equal(media_bypass(r.s), site);
	media_session_start(r.s);
	test_offer(&r, LEG_B, SDP_AUDIO_B, NULL);
	test_answer(&r, LEG_A, SDP_AUDIO_A, true, NULL);
	assert_string_equal(media_last_sdp(r.s, LEG_B), SDP_AUDIO_A);
	pass(&r, 1000000);
	assert_int_equal(r.timeouts, 0);
	test_room_close(&r);
}

/* ---- latches ---- */

static void open_latching(struct test_room *r)
{
	test_room_config(r);
	test_instance(r, instance);
	r->b.latch = true;
	test_room_start(r);
	test_offer(r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(r, LEG_B, SDP_AUDIO_B, true, NULL);
	media_session_start(r->s);
}

static void kernel_latches(struct test_room *r, const char *source)
{
	struct dataplane_stats stats = {.packets = 1, .latched = test_addr(source)};

	dataplane_null_set_stats(
		media_dataplane(r->m), r->s->stream[0]->flow[LEG_B][COMPONENT_RTP], &stats);
}

static void latched_source_stays(void **state)
{
	struct addr source = test_addr("198.51.100.9:40001");
	struct test_room r;

	(void)state;
	open_latching(&r);
	kernel_latches(&r, "198.51.100.9:40001");
	media_dataplane_handlers(r.m).latched(
		r.m, test_flow(&r, 0, LEG_B, COMPONENT_RTP)->cookie, &source);
	test_restart(&r);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:40001");
	/* The same address again: it stays latched. */
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:40001");
	test_room_close(&r);
}

static void source_latched_after_the_last_save_is_followed(void **state)
{
	struct test_room r;

	(void)state;
	open_latching(&r);
	kernel_latches(&r, "198.51.100.9:40002");
	test_restart(&r);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:40002");
	test_room_close(&r);
}

/* What the first instance left goes with it. */
static void drop_left(struct test_room *r)
{
	test_room_config(r);
	test_instance(r, instance);
	test_room_start(r);
	test_room_close(r);
}

/* A daemon whose tables have another layout finds nothing in the kernel. */
static void a_source_that_was_latched_is_so_in_other_tables(void **state)
{
	struct addr source = test_addr("198.51.100.9:40001");
	struct dataplane_stats stats;
	struct test_room r;

	(void)state;
	open_latching(&r);
	media_dataplane_handlers(r.m).latched(
		r.m, test_flow(&r, 0, LEG_B, COMPONENT_RTP)->cookie, &source);
	test_instance(&r, other_instance);
	test_restart(&r);
	assert_int_equal(r.m->flows_added, 4);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:40001");
	assert_int_equal(dataplane_flow_stats(media_dataplane(r.m),
				 r.s->stream[0]->flow[LEG_B][COMPONENT_RTP], &stats),
		0);
	assert_true(addr_equal(&stats.latched, &source));
	test_room_close(&r);
	drop_left(&r);
}

static uint64_t packets_of(struct test_room *r, enum leg leg)
{
	struct media_stream_info info;

	assert_int_equal(media_stream_info(r->s, 0, &info), 0);
	return info.leg[leg].rtp.packets;
}

/* And what was counted before that is there for each daemon that follows. */
static void what_was_counted_counts_on_in_other_tables(void **state)
{
	struct dataplane_stats stats = {
		.packets = 500, .expected = 510, .lost = 10, .last_seen_ms_ago = 20};
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	dataplane_null_set_stats(
		media_dataplane(r.m), r.s->stream[0]->flow[LEG_B][COMPONENT_RTP], &stats);
	test_instance(&r, other_instance);
	test_restart(&r);
	assert_int_equal(packets_of(&r, LEG_B), 500);
	assert_int_equal(packets_of(&r, LEG_A), 0);
	for (unsigned i = 0; i < 3; i++) {
		test_restart(&r);
		assert_int_equal(r.m->flows_adopted, 4);
		assert_int_equal(packets_of(&r, LEG_B), 500);
	}
	test_room_close(&r);
	drop_left(&r);
}

/* ---- what is watched and measured ---- */

static void silence_counts_on(void **state)
{
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	pass(&r, 20000);
	test_restart(&r);
	pass(&r, 9000);
	assert_int_equal(r.timeouts, 0);
	test_restart(&r);
	pass(&r, 1000);
	assert_int_equal(r.timeouts, 1);
	test_restart(&r);
	pass(&r, 60000);
	assert_int_equal(r.timeouts, 1);
	test_room_close(&r);
}

static void unanswered_call_is_not_watched_after_it_either(void **state)
{
	struct test_room r;

	(void)state;
	start(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, false, NULL);
	test_restart(&r);
	pass(&r, 1000000);
	assert_int_equal(r.timeouts, 0);
	test_room_close(&r);
}

static void receive(struct test_room *r, uint64_t packets, int64_t lost)
{
	struct dataplane_stats stats = {.packets = packets,
		.expected = packets + (uint64_t)lost,
		.lost = lost,
		.jitter = 40,
		.last_seen_ms_ago = 10};

	for (unsigned leg = 0; leg < LEG_COUNT; leg++)
		dataplane_null_set_stats(
			media_dataplane(r->m), r->s->stream[0]->flow[leg][COMPONENT_RTP], &stats);
}

static void record_of_the_call_is_that_of_all_its_time(void **state)
{
	struct media_stream_info was, is;
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	receive(&r, 100, 0);
	pass(&r, 2000);
	receive(&r, 180, 20);
	pass(&r, 2000);
	receive(&r, 280, 20);
	pass(&r, 2000);
	r.s->stream[0]->dtmf[LEG_A] = 3;
	r.s->stream[0]->rtcp[LEG_B].has_rtt = true;
	r.s->stream[0]->rtcp[LEG_B].rtt_ms = 42.5;
	assert_int_equal(media_stream_info(r.s, 0, &was), 0);
	test_restart(&r);
	assert_int_equal(media_stream_info(r.s, 0, &is), 0);
	assert_int_equal(is.leg[LEG_A].rtp.packets, 280);
	assert_int_equal(is.leg[LEG_A].dtmf, 3);
	assert_int_equal(is.leg[LEG_A].bursts, 1);
	assert_true(is.leg[LEG_A].loss_max_percent == was.leg[LEG_A].loss_max_percent);
	assert_true(is.leg[LEG_A].jitter_mean_ms == was.leg[LEG_A].jitter_mean_ms);
	assert_true(is.leg[LEG_A].gap_ms == was.leg[LEG_A].gap_ms);
	assert_true(is.leg[LEG_B].rtt_ms == 42.5);
	assert_true(is.leg[LEG_B].mos == was.leg[LEG_B].mos);
	test_room_close(&r);
}

static unsigned changes;

static void on_changed(void *ctx, void *owner)
{
	assert_ptr_equal(ctx, owner);
	changes++;
}

static void owner_hears_of_what_changes_by_itself(void **state)
{
	struct addr source = test_addr("198.51.100.9:40001");
	struct dataplane_handlers below;
	struct test_room r;
	uint32_t cookie;

	(void)state;
	open_latching(&r);
	r.m->handlers.changed = on_changed;
	below = media_dataplane_handlers(r.m);
	cookie = test_flow(&r, 0, LEG_B, COMPONENT_RTP)->cookie;
	changes = 0;
	below.latched(r.m, cookie, &source);
	assert_int_equal(changes, 1);
	below.dtmf(r.m, cookie, 5, 800);
	assert_int_equal(changes, 2);
	for (unsigned i = 1; i <= 30; i++) {
		receive(&r, 100 * i, 0);
		pass(&r, 2000);
	}
	assert_int_equal(changes, 2 + 60000 / MEDIA_CHANGED_PERIOD_MS);
	test_room_close(&r);
}

static void nobody_hears_of_a_call_whose_media_rests(void **state)
{
	static const uint8_t report[] = {0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0,
		0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
	struct dataplane_handlers below;
	struct test_room r;

	(void)state;
	open_latching(&r);
	r.a.rtp_timeout_s = r.b.rtp_timeout_s = 0; /* it may rest */
	r.m->handlers.changed = on_changed;
	below = media_dataplane_handlers(r.m);
	changes = 0;
	for (unsigned i = 0; i < 16; i++)
		pass(&r, 2000);
	assert_int_equal(changes, 0);
	receive(&r, 100, 0);
	for (unsigned i = 0; i < 16; i++)
		pass(&r, 2000);
	assert_int_equal(changes, 1);
	below.rtcp(r.m, test_flow(&r, 0, LEG_B, COMPONENT_RTCP)->cookie, report, sizeof(report), 1);
	for (unsigned i = 0; i < 16; i++)
		pass(&r, 2000);
	assert_int_equal(changes, 2);
	test_room_close(&r);
}

static unsigned told_kbit[LEG_COUNT], tellings;

static int on_bandwidth(void *ctx, void *owner, const unsigned kbit[2], bool may_refuse)
{
	assert_ptr_equal(ctx, owner);
	(void)may_refuse;
	tellings++;
	memcpy(told_kbit, kbit, sizeof(told_kbit));
	return 0;
}

static void owner_hears_what_an_adopted_session_takes(void **state)
{
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	r.m->handlers.bandwidth = on_bandwidth;
	tellings = 0;
	test_restart(&r);
	assert_int_equal(tellings, 1);
	assert_int_equal(told_kbit[LEG_A], 93);
	assert_int_equal(told_kbit[LEG_B], 93);
	r.m->handlers.bandwidth = NULL;
	test_room_close(&r);
}

/* ---- refused ---- */

static void session_is_adopted_once(void **state)
{
	struct media_session *again = NULL;
	struct test_saved saved;
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	saved = test_save(r.s);
	test_next_daemon(&r);
	assert_int_equal(test_adopt(&r, &saved, &r.s), 0);
	assert_int_equal(test_adopt(&r, &saved, &again), -EEXIST);
	assert_null(again);
	media_adoption_done(r.m);
	assert_int_equal(test_flow_count(&r), 4);
	free(saved.data);
	test_room_close(&r);
}

/* Another slot, the same ports. */
static void port_is_claimed_once(void **state)
{
	struct media_session *again = NULL;
	struct test_saved first, second;
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	first = test_save(r.s);
	r.s->slot = 7;
	second = test_save(r.s);
	r.s->slot = 0;
	test_next_daemon(&r);
	assert_int_equal(test_adopt(&r, &first, &r.s), 0);
	assert_int_equal(test_adopt(&r, &second, &again), -EEXIST);
	media_adoption_done(r.m);
	assert_int_equal(test_flow_count(&r), 4);
	free(first.data);
	free(second.data);
	test_room_close(&r);
}

static void address_that_is_not_ours_any_more_ends_the_session(void **state)
{
	struct test_saved saved;
	struct test_room r;

	(void)state;
	call(&r, SDP_AUDIO_A, SDP_AUDIO_B);
	saved = test_save(r.s);
	test_instance(&r, other_instance); /* nothing of it drains there */
	r.cfg.side[SIDE_EXTERNAL].address[0].local = test_addr("192.0.2.77");
	test_next_daemon(&r);
	assert_int_equal(test_adopt(&r, &saved, &r.s), -ENOENT);
	media_adoption_done(r.m);
	free(saved.data);
	test_room_close(&r);
	test_room_config(&r);
	test_instance(&r, instance);
	test_room_start(&r);
	test_room_close(&r);
}

static void slots_between_adopted_ones_are_used(void **state)
{
	struct media_session *s[5] = {0}, *fresh[3];
	struct test_saved saved[5];
	struct test_room r;

	(void)state;
	start(&r);
	media_session_free(r.s);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &s[i]), 0);
		s[i]->slot = 40 * i + 3; /* as if there had been more */
		saved[i] = test_save(s[i]);
		s[i]->slot = i;
	}
	test_next_daemon(&r);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(test_adopt(&r, &saved[4 - i], &s[i]), 0);
		free(saved[4 - i].data);
	}
	media_adoption_done(r.m);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &fresh[i]), 0);
		for (unsigned j = 0; j < 5; j++)
			assert_int_not_equal(fresh[i]->slot, s[j]->slot);
	}
	for (unsigned i = 0; i < 3; i++)
		media_session_free(fresh[i]);
	for (unsigned i = 0; i < 5; i++)
		media_session_free(s[i]);
	r.s = NULL;
	test_room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_and_ports_are_those_of_before),
		cmocka_unit_test(adopted_ports_are_given_to_nobody_else_and_back_once),
		cmocka_unit_test(emergency_call_takes_ports_that_rest),
		cmocka_unit_test(port_outside_of_the_new_range_stays_the_sessions),
		cmocka_unit_test(as_much_may_be_reserved_as_the_tables_of_before_have_room_for),
		cmocka_unit_test(flows_that_nobody_took_up_are_removed),
		cmocka_unit_test(flows_that_are_gone_are_added_anew),
		cmocka_unit_test(either_leg_may_offer_and_versions_go_on),
		cmocka_unit_test(held_call_stays_held_and_is_resumed),
		cmocka_unit_test(pending_offer_is_answered_after_it),
		cmocka_unit_test(pending_offer_keeps_what_its_formats_mean),
		cmocka_unit_test(early_answer_is_taken_back_when_the_offer_fails),
		cmocka_unit_test(next_peer_of_a_route_is_offered_the_same),
		cmocka_unit_test(answer_to_an_offer_of_ours_goes_on_as_an_offer),
		cmocka_unit_test(bypassed_call_stays_bypassed),
		cmocka_unit_test(latched_source_stays),
		cmocka_unit_test(source_latched_after_the_last_save_is_followed),
		cmocka_unit_test(a_source_that_was_latched_is_so_in_other_tables),
		cmocka_unit_test(what_was_counted_counts_on_in_other_tables),
		cmocka_unit_test(silence_counts_on),
		cmocka_unit_test(unanswered_call_is_not_watched_after_it_either),
		cmocka_unit_test(record_of_the_call_is_that_of_all_its_time),
		cmocka_unit_test(owner_hears_of_what_changes_by_itself),
		cmocka_unit_test(nobody_hears_of_a_call_whose_media_rests),
		cmocka_unit_test(owner_hears_what_an_adopted_session_takes),
		cmocka_unit_test(session_is_adopted_once),
		cmocka_unit_test(port_is_claimed_once),
		cmocka_unit_test(address_that_is_not_ours_any_more_ends_the_session),
		cmocka_unit_test(slots_between_adopted_ones_are_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
