/* SPDX-License-Identifier: BSD-2-Clause */
/* Which flows follow from what was negotiated, and how they follow its changes. */
#include <errno.h>

#include "test_media_room.h"

static void each_direction_and_component_has_a_flow(void **state)
{
	struct test_room r;
	const struct dataplane_flow *f;
	const struct stream *st;
	struct addr local;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	st = r.s->stream[0];
	f = test_flow(&r, 0, LEG_A, COMPONENT_RTP);
	assert_int_equal(f->in_side, SIDE_INTERNAL);
	assert_int_equal(f->out_side, SIDE_EXTERNAL);
	test_expect_addr(&f->remote, "10.0.0.5:4000");
	test_expect_addr(&f->out_remote, "198.51.100.9:6000");
	/* On the wire the address of ours, not the advertised one. */
	local = test_addr("192.0.2.1");
	local.port = st->local[LEG_B].port;
	assert_true(addr_equal(&f->out_local, &local));
	local = test_addr("10.0.0.1");
	local.port = st->local[LEG_A].port;
	assert_true(addr_equal(&f->local, &local));
	assert_ptr_equal(dataplane_null_find(media_dataplane(r.m), SIDE_INTERNAL, &local), f);
	assert_int_equal(f->dscp, 46);
	assert_int_equal(f->clock_rate, 8000);
	assert_int_equal(f->te_pt, PAYLOAD_NONE);
	assert_false(f->latch || f->blackhole || f->rtcp || f->mux || f->opaque || f->secure);
	f = test_flow(&r, 0, LEG_B, COMPONENT_RTCP);
	assert_true(f->rtcp);
	assert_int_equal(f->dscp, 0);
	test_expect_addr(&f->remote, "198.51.100.9:6001");
	test_expect_addr(&f->out_remote, "10.0.0.5:4001");
	assert_int_equal(f->local.port, st->local[LEG_B].port + 1);
	assert_int_equal(f->out_local.port, st->local[LEG_A].port + 1);
	assert_int_equal(st->local[LEG_A].port % 2, 0);
	test_room_close(&r);
}

static void cookies_differ_and_stale_ones_find_nothing(void **state)
{
	struct test_room r;
	uint32_t cookie[4];
	struct media_session *other;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	for (unsigned i = 0; i < 4; i++)
		cookie[i] = test_flow(&r, 0, i / 2, i % 2)->cookie;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = i + 1; j < 4; j++)
			assert_int_not_equal(cookie[i], cookie[j]);
	}
	other = r.s;
	media_session_free(other);
	assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &r.s), 0);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	/* The same slot, and yet another cookie. */
	assert_int_not_equal(test_flow(&r, 0, 0, 0)->cookie, cookie[0]);
	test_room_close(&r);
}

static void ports_stay_over_reinvites_and_old_flows_until_the_answer(void **state)
{
	struct test_room r;
	uint16_t a, b;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	a = r.s->stream[0]->local[LEG_A].port;
	b = r.s->stream[0]->local[LEG_B].port;
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.6") "m=audio 4500 RTP/AVP 8\r\nm=video 4600 RTP/AVP 31\r\n", NULL);
	test_expect_addr(&test_flow(&r, 0, LEG_B, COMPONENT_RTP)->out_remote, "10.0.0.5:4000");
	assert_int_equal(test_flow_count(&r), 4);
	test_answer(&r, LEG_B,
		SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\nm=video 6100 RTP/AVP 31\r\n",
		true, NULL);
	test_expect_addr(&test_flow(&r, 0, LEG_B, COMPONENT_RTP)->out_remote, "10.0.0.6:4500");
	test_expect_addr(&test_flow(&r, 1, LEG_B, COMPONENT_RTP)->out_remote, "10.0.0.6:4600");
	assert_int_equal(test_flow(&r, 1, LEG_B, COMPONENT_RTP)->clock_rate, 90000);
	assert_int_equal(test_flow_count(&r), 8);
	assert_int_equal(r.s->stream[0]->local[LEG_A].port, a);
	assert_int_equal(r.s->stream[0]->local[LEG_B].port, b);
	test_room_close(&r);
}

static void failed_offer_leaves_what_was_negotiated(void **state)
{
	struct test_room r;
	struct media_status before, after;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	media_get_status(r.m, &before);
	test_offer(&r, LEG_B,
		SDP_HEAD("198.51.100.77") "m=audio 6000 RTP/AVP 8\r\nm=video 4 RTP/AVP 31\r\n",
		NULL);
	test_answer(&r, LEG_A,
		SDP_HEAD("10.0.0.6") "m=audio 4500 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n", false,
		NULL);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->remote, "10.0.0.6:4500");
	media_offer_failed(r.s);
	media_get_status(r.m, &after);
	assert_int_equal(after.ports_used[SIDE_INTERNAL], before.ports_used[SIDE_INTERNAL]);
	assert_int_equal(after.ports_used[SIDE_EXTERNAL], before.ports_used[SIDE_EXTERNAL]);
	assert_int_equal(after.ports_quarantined[SIDE_INTERNAL], 2);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->remote, "10.0.0.5:4000");
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:6000");
	assert_int_equal(media_stream_count(r.s), 1);
	test_room_close(&r);
}

static void forked_early_answers_replace_each_other(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, false, NULL);
	assert_int_equal(test_flow_count(&r), 4);
	test_answer(&r, LEG_B, SDP_HEAD("198.51.100.33") "m=audio 7000 RTP/AVP 0\r\n", false, NULL);
	assert_int_equal(test_flow_count(&r), 4);
	test_expect_addr(&test_flow(&r, 0, LEG_B, COMPONENT_RTP)->remote, "198.51.100.33:7000");
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_expect_addr(&test_flow(&r, 0, LEG_B, COMPONENT_RTP)->remote, "198.51.100.9:6000");
	assert_false(media_offer_pending(r.s));
	test_room_close(&r);
}

static void failover_keeps_leg_a_and_forgets_leg_b(void **state)
{
	struct test_room r;
	uint16_t a;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, false, NULL);
	a = r.s->stream[0]->local[LEG_A].port;
	assert_int_equal(media_session_set_peer(r.s, LEG_B, &r.c), 0);
	assert_int_equal(test_flow_count(&r), 0);
	assert_null(media_last_sdp(r.s, LEG_B));
	assert_true(media_offer_pending(r.s));
	/* Not offered to that one yet. */
	assert_int_equal(test_try_answer(&r, LEG_B, SDP_AUDIO_B, true), -EBADMSG);
	test_offer(&r, LEG_A, SDP_AUDIO_A,
		"v=0\no=- ID 1 IN IP6 2001:db8::1\ns=-\nc=IN IP6 2001:db8::1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\n");
	assert_int_equal(r.s->stream[0]->local[LEG_A].port, a);
	test_answer(&r, LEG_B,
		"v=0\no=- 1 1 IN IP6 2001:db8:9::9\ns=-\nc=IN IP6 2001:db8:9::9\nt=0 0\n"
		"m=audio 6000 RTP/AVP 8\n",
		true, NULL);
	assert_int_equal(r.s->stream[0]->local[LEG_A].port, a);
	assert_int_equal(test_flow_count(&r), 4);
	test_room_close(&r);
}

static void held_direction_goes_nowhere_while_rtcp_goes_on(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A "a=sendonly\r\n", NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=recvonly\r\n", true, NULL);
	assert_false(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->blackhole);
	assert_true(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
	assert_false(test_flow(&r, 0, LEG_B, COMPONENT_RTCP)->blackhole);
	/* Resumed. */
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	assert_false(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
	test_room_close(&r);
}

static void muxed_rtcp_goes_on_while_its_rtp_is_held(void **state)
{
	struct test_room r;
	const struct dataplane_flow *rtp, *rtcp;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A "a=rtcp-mux\r\na=sendonly\r\n", NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=rtcp-mux\r\na=recvonly\r\n", true, NULL);
	assert_int_equal(test_flow_count(&r), 3);
	assert_null(test_flow(&r, 0, LEG_A, COMPONENT_RTCP));
	rtp = test_flow(&r, 0, LEG_B, COMPONENT_RTP);
	rtcp = test_flow(&r, 0, LEG_B, COMPONENT_RTCP);
	assert_true(rtp->blackhole && rtp->mux);
	assert_int_equal(rtp->rtcp_flow, r.s->stream[0]->flow[LEG_B][COMPONENT_RTCP]);
	assert_true(rtcp->unindexed && rtcp->rtcp && !rtcp->blackhole);
	test_expect_addr(&rtcp->out_remote, "10.0.0.5:4000");
	assert_int_equal(rtcp->out_local.port, r.s->stream[0]->local[LEG_A].port);
	test_offer(&r, LEG_A, SDP_AUDIO_A "a=rtcp-mux\r\n", NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=rtcp-mux\r\n", true, NULL);
	assert_int_equal(test_flow_count(&r), 2);
	assert_int_equal(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->rtcp_flow, 0);
	/* From a held muxed stream straight to two ports. */
	test_offer(&r, LEG_A, SDP_AUDIO_A "a=rtcp-mux\r\na=inactive\r\n", NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=rtcp-mux\r\na=inactive\r\n", true, NULL);
	assert_int_equal(test_flow_count(&r), 4);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	assert_int_equal(test_flow_count(&r), 4);
	assert_false(test_flow(&r, 0, LEG_B, COMPONENT_RTCP)->unindexed);
	test_room_close(&r);
}

static void hold_before_anything_was_known_admits_nobody(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	r.a.latch = true;
	r.a.latch_prefix_v4 = 24;
	test_offer(&r, LEG_A, SDP_HEAD("0.0.0.0") "m=audio 4000 RTP/AVP 8\r\n", NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	assert_int_equal(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->remote.family, 0);
	assert_false(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->latch);
	assert_true(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
	assert_true(test_flow(&r, 0, LEG_B, COMPONENT_RTCP)->blackhole);
	test_room_close(&r);
}

static void latched_source_is_where_the_other_leg_sends(void **state)
{
	struct test_room r;
	const struct dataplane_flow *f;
	struct addr source = {.family = 4, .port = 40001, .ip = {198, 51, 100, 9}};

	(void)state;
	test_room_open(&r);
	r.b.latch = true;
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	f = test_flow(&r, 0, LEG_B, COMPONENT_RTP);
	assert_true(f->latch);
	assert_int_equal(f->latch_prefix, 32);
	assert_false(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->latch);
	media_dataplane_handlers(r.m).latched(r.m, f->cookie, &source);
	assert_string_equal(r.event, "latched: leg b stream 0 latched 198.51.100.9:40001");
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:40001");
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTCP)->out_remote, "198.51.100.9:6001");
	test_expect_addr(&test_flow(&r, 0, LEG_B, COMPONENT_RTP)->remote, "198.51.100.9:6000");
	/* The same address again: it stays latched. */
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:40001");
	/* Another address: it is open again. */
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_HEAD("198.51.100.10") "m=audio 6000 RTP/AVP 8\r\n", true, NULL);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.10:6000");
	test_room_close(&r);
}

static void address_of_the_wrong_family_gets_nothing(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B,
		"v=0\no=- 1 1 IN IP6 2001:db8:9::9\ns=-\nc=IN IP6 2001:db8:9::9\nt=0 0\n"
		"m=audio 6000 RTP/AVP 8\n",
		true, NULL);
	assert_true(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->blackhole);
	assert_int_equal(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->remote.family, 0);
	test_room_close(&r);
}

static void dropped_mline_gives_its_ports_back(void **state)
{
	struct test_room r;
	struct media_status st;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\nm=video 4002 RTP/AVP 31\r\n", NULL);
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_used[SIDE_EXTERNAL], 4);
	test_answer(&r, LEG_B,
		SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n", true,
		NULL);
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_used[SIDE_EXTERNAL], 2);
	assert_int_equal(st.ports_quarantined[SIDE_EXTERNAL], 2);
	assert_int_equal(test_flow_count(&r), 4);
	test_now_ms += 5000;
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_quarantined[SIDE_EXTERNAL], 0);
	assert_int_equal(st.ports_total[SIDE_EXTERNAL], 400);
	test_room_close(&r);
}

static void events_name_leg_and_stream_and_stale_ones_are_dropped(void **state)
{
	struct dataplane_handlers h;
	struct addr source = {.family = 4, .port = 4000, .ip = {10, 0, 0, 5}};
	struct test_room r;
	uint32_t cookie;
	unsigned before;

	(void)state;
	test_room_open(&r);
	h = media_dataplane_handlers(r.m);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	cookie = test_flow(&r, 0, LEG_A, COMPONENT_RTP)->cookie;
	h.first_packet(h.ctx, cookie, &source);
	assert_string_equal(r.event, "media: leg a stream 0 first media packet from 10.0.0.5:4000");
	h.ssrc_changed(h.ctx, cookie, 0xdeadbeef);
	assert_string_equal(r.event, "ssrc: leg a stream 0 SSRC deadbeef");
	h.dtmf(h.ctx, cookie, 11, 1600);
	assert_string_equal(r.event, "dtmf: leg a stream 0 digit # 200 ms");
	h.dtmf(h.ctx, cookie, 200, 0);
	assert_string_equal(r.event, "dtmf: leg a stream 0 digit ? 0 ms");
	before = r.events;
	media_session_free(r.s);
	assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &r.s), 0);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	h.dtmf(h.ctx, cookie, 1, 1600);
	h.latched(h.ctx, cookie, &source);
	h.rtcp(h.ctx, UINT32_MAX, (const uint8_t *)"", 0, 0);
	assert_int_equal(r.events, before);
	test_room_close(&r);
}

static void info_says_what_was_negotiated(void **state)
{
	struct test_room r;
	struct media_stream_info info;
	struct dataplane_stats stats = {
		.packets = 990, .expected = 1000, .lost = 10, .jitter = 80, .last_seen_ms_ago = 3};

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	dataplane_null_set_stats(
		media_dataplane(r.m), r.s->stream[0]->flow[LEG_B][COMPONENT_RTP], &stats);
	assert_int_equal(media_stream_info(r.s, 0, &info), 0);
	assert_string_equal(info.kind, "audio");
	assert_string_equal(info.proto, "RTP/AVP");
	assert_string_equal(info.codec, "PCMA/8000");
	assert_true(info.active && !info.held && !info.mux);
	test_expect_addr(&info.leg[LEG_B].remote_rtcp, "198.51.100.9:6001");
	assert_int_equal(info.leg[LEG_B].local.port, r.s->stream[0]->local[LEG_B].port);
	assert_true(info.leg[LEG_B].loss_percent > 0.99 && info.leg[LEG_B].loss_percent < 1.01);
	assert_true(info.leg[LEG_B].jitter_ms > 9.99 && info.leg[LEG_B].jitter_ms < 10.01);
	assert_true(info.leg[LEG_B].mos > 4 && info.leg[LEG_B].mos < 4.4);
	assert_true(info.leg[LEG_B].rtt_ms < 0);
	assert_true(info.leg[LEG_A].mos < 0.1);
	assert_int_equal(media_stream_info(r.s, 1, &info), -ENOENT);
	test_room_close(&r);
}

/* What a leg has received, lost of them; after that many of them there was a sample. */
static bool is_poor(struct test_room *r, unsigned expected, int lost, unsigned sampled)
{
	struct stream *st = r->s->stream[0];
	struct dataplane_stats stats = {.packets = sampled, .expected = sampled, .lost = lost};
	struct media_stream_info info;

	st->samples[LEG_B] = (struct samples){0};
	if (sampled)
		samples_take(&st->samples[LEG_B], &stats, 8000, test_now_ms);
	stats.packets = stats.expected = expected;
	dataplane_null_set_stats(media_dataplane(r->m), st->flow[LEG_B][COMPONENT_RTP], &stats);
	assert_int_equal(media_stream_info(r->s, 0, &info), 0);
	assert_false(info.leg[LEG_A].poor);
	return info.leg[LEG_B].poor;
}

static void more_than_1_percent_lost_or_5_in_a_sample_is_poor(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	assert_false(is_poor(&r, 1000, 10, 0));
	assert_true(is_poor(&r, 1000, 11, 0));
	assert_false(is_poor(&r, 10000, 5, 100));
	assert_true(is_poor(&r, 10000, 6, 100));
	test_room_close(&r);
}

static void reload_takes_up_other_ranges_and_keeps_running_streams(void **state)
{
	struct test_room r;
	struct media_status st;
	struct media_session *other = NULL, *first;
	uint16_t port;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	port = r.s->stream[0]->local[LEG_B].port;
	r.cfg.side[SIDE_EXTERNAL].media_port_min = 30000;
	r.cfg.side[SIDE_EXTERNAL].media_port_max = 30003;
	r.cfg.side[SIDE_EXTERNAL].address_count = 1;
	assert_int_equal(media_reload(r.m, &r.cfg), 0);
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_total[SIDE_EXTERNAL], 4);
	assert_int_equal(st.ports_used[SIDE_EXTERNAL], 2);
	assert_int_equal(r.s->stream[0]->local[LEG_B].port, port);
	first = r.s;
	assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &other), 0);
	r.s = other;
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	assert_true(other->stream[0]->local[LEG_B].port >= 30000);
	media_session_free(first);
	test_now_ms += 5000;
	media_get_status(r.m, &st);
	assert_int_equal(st.ports_used[SIDE_EXTERNAL], 2);
	test_room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_direction_and_component_has_a_flow),
		cmocka_unit_test(cookies_differ_and_stale_ones_find_nothing),
		cmocka_unit_test(ports_stay_over_reinvites_and_old_flows_until_the_answer),
		cmocka_unit_test(failed_offer_leaves_what_was_negotiated),
		cmocka_unit_test(forked_early_answers_replace_each_other),
		cmocka_unit_test(failover_keeps_leg_a_and_forgets_leg_b),
		cmocka_unit_test(held_direction_goes_nowhere_while_rtcp_goes_on),
		cmocka_unit_test(muxed_rtcp_goes_on_while_its_rtp_is_held),
		cmocka_unit_test(hold_before_anything_was_known_admits_nobody),
		cmocka_unit_test(latched_source_is_where_the_other_leg_sends),
		cmocka_unit_test(address_of_the_wrong_family_gets_nothing),
		cmocka_unit_test(dropped_mline_gives_its_ports_back),
		cmocka_unit_test(events_name_leg_and_stream_and_stale_ones_are_dropped),
		cmocka_unit_test(info_says_what_was_negotiated),
		cmocka_unit_test(more_than_1_percent_lost_or_5_in_a_sample_is_poor),
		cmocka_unit_test(reload_takes_up_other_ranges_and_keeps_running_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
