/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes in as an offer or answer of one leg, and what comes out for the other. */
#include <errno.h>

#include "test_media_room.h"

static void audio_crosses_with_our_addresses_and_the_rest_untouched(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A,
		"v=0\r\no=root 1821 1821 IN IP4 10.0.0.5\r\ns=Asterisk PBX 18.10\r\n"
		"i=a call\r\nc=IN IP4 10.0.0.5\r\nb=CT:384\r\nt=0 0\r\nx=unknown line\r\n"
		"m=audio 11424 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
		"a=maxptime:150\r\na=X-nonsense:a b  c\r\na=ssrc:5 cname:x\r\na=ssrc:5 "
		"cname:sip:1@10.10.0.3\r\na=sendrecv\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=Asterisk PBX 18.10\n"
		"i=a call\nc=IN IP4 203.0.113.1\nb=CT:384\nt=0 0\nx=unknown line\n"
		"m=audio PORT0 RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\n"
		"a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\na=ptime:20\n"
		"a=maxptime:150\na=X-nonsense:a b  c\na=ssrc:5 cname:x\na=sendrecv\n");
	assert_int_equal(test_flow_count(&r), 0);
	test_answer(&r, LEG_B,
		"v=0\no=itsp 99 7 IN IP4 198.51.100.9\ns=-\nt=0 0\n"
		"m=audio 40000 RTP/AVP 8 101\nc=IN IP4 198.51.100.10\na=rtpmap:8 PCMA/8000\n"
		"a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n",
		true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 101\nc=IN IP4 10.0.0.1\na=rtpmap:8 PCMA/8000\n"
		"a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n");
	assert_false(media_offer_pending(r.s));
	assert_int_equal(test_flow_count(&r), 4);
	test_room_close(&r);
}

static void our_version_rises_exactly_when_our_sdp_changes(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A,
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\n");
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	/* The other end's version rose, its address changed; what we say is the same. */
	test_offer(&r, LEG_A,
		"v=0\r\no=user 1 2 IN IP4 10.0.0.6\r\ns=-\r\nc=IN IP4 10.0.0.6\r\nt=0 0\r\n"
		"m=audio 4444 RTP/AVP 8 0\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\n");
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_offer(&r, LEG_A, SDP_AUDIO_A "a=sendonly\r\n",
		"v=0\no=- ID 2 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\na=sendonly\n");
	media_offer_failed(r.s);
	test_room_close(&r);
}

static void what_reveals_or_misroutes_is_removed(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A,
		SDP_HEAD(
			"10.0.0.5") "k=clear:secret\r\na=ice-lite\r\na=ice-options:trickle\r\n"
				    "a=group:BUNDLE 0\r\na=group:LS 0 1\r\na=msid-semantic: WMS "
				    "*\r\n"
				    "m=audio 4000 RTP/AVPF 8\r\nk=prompt\r\na=mid:0\r\n"
				    "a=candidate:1 1 UDP 2130706431 10.0.0.5 4000 typ host\r\n"
				    "a=remote-candidates:1 10.9.9.9 5\r\na=end-of-candidates\r\n"
				    "a=ICE-UFRAG:abcd\r\na=ice-pwd:0123456789\r\na=ice-mismatch\r\n"
				    "a=source-filter: incl IN IP4 * 10.0.0.5\r\n"
				    "a=fingerprint:sha-256 00:11\r\na=setup:actpass\r\n"
				    "a=altc:1 IP4 10.0.0.5 4000\r\na=rtcp-fb:8 nack\r\n"
				    "a=msid:s t\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"a=group:LS 0 1\na=msid-semantic: WMS *\n"
		"m=audio PORT0 RTP/AVPF 8\na=mid:0\na=rtcp-fb:8 nack\na=msid:s t\n");
	assert_null(strstr(media_last_sdp(r.s, LEG_B), "10.0.0.5"));
	media_offer_failed(r.s);
	test_room_close(&r);
}

static void unknown_transports_are_rejected_in_place(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A,
		SDP_HEAD(
			"10.0.0.5") "m=message 2855 TCP/MSRP *\r\na=path:msrp://10.0.0.5:2855/x\r\n"
				    "m=audio 4000 RTP/AVP 0\r\n"
				    "m=audio 4010 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-1 00\r\n"
				    "m=application 554 TCP/MRCPv2 1\r\nc=IN IP4 10.0.0.7\r\n"
				    "m=video 4020/2 RTP/AVP 31\r\n"
				    "m=video 0 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=message 0 TCP/MSRP *\n"
		"m=audio PORT1 RTP/AVP 0\n"
		"m=audio 0 UDP/TLS/RTP/SAVPF 0\n"
		"m=application 0 TCP/MRCPv2 1\nc=IN IP4 203.0.113.1\n"
		"m=video 0 RTP/AVP 31\n"
		"m=video 0 RTP/AVP 31\n");
	/* An answer that accepts what was offered with port 0 does not get it. */
	test_answer(&r, LEG_B,
		SDP_HEAD("198.51.100.9") "m=message 2855 TCP/MSRP *\r\n"
					 "m=audio 6000 RTP/AVP 0\r\nm=audio 0 UDP/TLS/RTP/SAVPF "
					 "0\r\n"
					 "m=application 0 TCP/MRCPv2 1\r\nm=video 0 RTP/AVP 31\r\n"
					 "m=video 7000 RTP/AVP 31\r\n",
		true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=message 0 TCP/MSRP *\nm=audio PORT1 RTP/AVP 0\nm=audio 0 UDP/TLS/RTP/SAVPF 0\n"
		"m=application 0 TCP/MRCPv2 1\nm=video 0 RTP/AVP 31\nm=video 0 RTP/AVP 31\n");
	assert_int_equal(test_flow_count(&r), 4);
	assert_int_equal(
		test_try_offer(&r, LEG_A, SDP_HEAD("10.0.0.5") "m=audio 4 UDP/TLS/RTP/SAVPF 0\r\n"),
		-EPROTONOSUPPORT);
	/* DTLS keys under a profile that does not say so. */
	assert_int_equal(test_try_offer(&r, LEG_A,
				 SDP_HEAD("10.0.0.5") "a=fingerprint:sha-1 00\r\n"
						      "m=audio 4000 RTP/SAVPF 0\r\n"),
		-EPROTONOSUPPORT);
	test_room_close(&r);
}

static void offer_that_disables_everything_passes(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_offer(&r, LEG_A, SDP_HEAD("10.0.0.5") "m=audio 0 RTP/AVP 8\r\n", NULL);
	assert_int_equal(test_flow_count(&r), 4);
	test_answer(&r, LEG_B, SDP_HEAD("198.51.100.9") "m=audio 0 RTP/AVP 8\r\n", true, NULL);
	assert_int_equal(test_flow_count(&r), 0);
	assert_int_equal(r.m->flows_reserved, 0);
	test_room_close(&r);
}

static void hold_of_rfc2543_goes_on_as_sendonly(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_offer(&r, LEG_A, SDP_HEAD("0.0.0.0") "m=audio 4000 RTP/AVP 8 0\r\na=sendrecv\r\n",
		"v=0\no=- ID 2 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\na=sendonly\n");
	/* An answerer that does not know of a=sendonly: what we hand on is lawful. */
	test_answer(&r, LEG_B, SDP_AUDIO_B, true,
		"v=0\no=- ID 2 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\na=recvonly\n");
	/* Music may come from where speech came from; nothing is sent there. */
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->remote, "10.0.0.5:4000");
	assert_false(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->blackhole);
	assert_true(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n",
		"v=0\no=- ID 3 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\nc=IN IP4 203.0.113.1\na=inactive\n");
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=inactive\r\n", true, NULL);
	assert_true(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->blackhole);
	test_room_close(&r);
}

static void direction_of_the_session_is_carried(void **state)
{
	struct test_room r;
	struct media_stream_info info;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_HEAD("10.0.0.5") "a=sendonly\r\nm=audio 4000 RTP/AVP 8\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"a=sendonly\nm=audio PORT0 RTP/AVP 8\n");
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=recvonly\r\n", true, NULL);
	assert_int_equal(media_stream_info(r.s, 0, &info), 0);
	assert_true(info.held);
	assert_true(info.leg[LEG_A].sends);
	assert_false(info.leg[LEG_B].sends);
	test_room_close(&r);
}

static void answer_is_cut_to_what_the_offer_allows(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	/* An answerer that ignores the direction, stated for the session or the m-line. */
	test_offer(
		&r, LEG_A, SDP_HEAD("10.0.0.5") "a=sendonly\r\nm=audio 4000 RTP/AVP 8\r\n", NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\na=recvonly\n");
	test_offer(&r, LEG_A, SDP_AUDIO_A "a=recvonly\r\n", NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=sendrecv\r\n", true,
		"v=0\no=- ID 2 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\na=sendonly\n");
	assert_true(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->blackhole);
	assert_false(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->blackhole);
	test_room_close(&r);
}

static void encodings_of_other_clock_rates_are_others(void **state)
{
	struct test_room r;
	const struct dataplane_flow *f;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 102 103 101\r\n"
				     "a=rtpmap:102 opus/48000/2\r\n"
				     "a=rtpmap:103 telephone-event/48000\r\n"
				     "a=rtpmap:101 telephone-event/8000\r\n",
		NULL);
	test_answer(&r, LEG_B,
		SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 111 110\r\n"
					 "a=rtpmap:111 opus/48000/2\r\n"
					 "a=rtpmap:110 telephone-event/48000\r\n",
		true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 102 103\na=rtpmap:102 opus/48000/2\n"
		"a=rtpmap:103 telephone-event/48000\n");
	f = test_flow(&r, 0, LEG_A, COMPONENT_RTP);
	assert_int_equal(f->clock_rate, 48000);
	assert_int_equal(f->te_pt, 103);
	assert_int_equal(f->pt_count, 2);
	test_room_close(&r);
}

static void rtcp_attribute_is_understood_and_written_where_it_was(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A,
		SDP_AUDIO_A "a=rtcp:4999 IN IP4 10.0.0.77\r\na=rtpmap:8 PCMA/8000\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\na=rtcp:RTCP0 IN IP4 203.0.113.1\n"
		"a=rtpmap:8 PCMA/8000\n");
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=rtcp:6500\r\n", true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\na=rtcp:RTCP0\n");
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTCP)->remote, "10.0.0.77:4999");
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTCP)->out_remote, "198.51.100.9:6500");
	test_expect_addr(&test_flow(&r, 0, LEG_B, COMPONENT_RTCP)->out_remote, "10.0.0.77:4999");
	test_room_close(&r);
}

static void rtcp_mux_needs_both(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A "a=rtcp-mux\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\na=rtcp-mux\n");
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=rtcp-mux\r\na=rtcp:6000\r\n", true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\na=rtcp-mux\na=rtcp:PORT0\n");
	assert_int_equal(test_flow_count(&r), 2);
	assert_true(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->mux);
	/* Offered again, not accepted: two ports. */
	test_offer(&r, LEG_A, SDP_AUDIO_A "a=rtcp-mux\r\n", NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	assert_int_equal(test_flow_count(&r), 4);
	assert_false(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->mux);
	/* Not offered, yet answered: it is not there. */
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B "a=rtcp-mux\r\n", true,
		"v=0\no=- ID 2 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\n");
	assert_int_equal(test_flow_count(&r), 4);
	test_room_close(&r);
}

static void ipv6_meets_ipv4(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	assert_int_equal(media_session_set_peer(r.s, LEG_B, &r.c), 0);
	test_offer(&r, LEG_A, SDP_AUDIO_A,
		"v=0\no=- ID 1 IN IP6 2001:db8::1\ns=-\nc=IN IP6 2001:db8::1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 0\n");
	test_answer(&r, LEG_B,
		"v=0\r\no=- 1 1 IN IP6 2001:db8:9::9\r\ns=-\r\nc=IN IP6 2001:db8:9::9\r\nt=0 0\r\n"
		"m=audio 6000 RTP/AVP 8\r\n",
		true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\n");
	test_expect_addr(
		&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "[2001:db8:9::9]:6000");
	assert_int_equal(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->local.family, 4);
	test_room_close(&r);
}

static void offerer_is_answered_in_the_family_it_offers(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A,
		"v=0\r\no=- 1 1 IN IP6 fd00::5\r\ns=-\r\nc=IN IP6 fd00::5\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\n");
	test_answer(&r, LEG_B, SDP_AUDIO_B, true,
		"v=0\no=- ID 1 IN IP6 fd00::1\ns=-\nc=IN IP6 fd00::1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\n");
	test_room_close(&r);
}

static char *codec_pcma[] = {(char[]){"pcma"}, (char[]){"G729"}};

static void formats_outside_the_codec_lists_are_taken_out(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	memcpy(r.b.codec, codec_pcma, sizeof(codec_pcma));
	r.b.codec_count = 2;
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 96 8 0 18 101 13\r\n"
				     "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
				     "a=rtcp-fb:96 nack\r\na=rtcp-fb:* nack\r\n"
				     "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
				     "a=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n",
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 18 101 13\na=rtcp-fb:* nack\na=rtpmap:8 PCMA/8000\n"
		"a=fmtp:18 annexb=no\na=rtpmap:101 telephone-event/8000\n");
	media_offer_failed(r.s);
	assert_int_equal(test_try_offer(&r, LEG_A,
				 SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 0 101\r\n"
						      "a=rtpmap:101 telephone-event/8000\r\n"),
		-EPROTONOSUPPORT);
	assert_int_equal(r.m->flows_reserved, 0);
	/* The lists are of audio codecs. */
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 31\r\n",
		"v=0\no=- ID 2 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio 0 RTP/AVP 0\nm=video PORT1 RTP/AVP 31\n");
	media_offer_failed(r.s);
	test_room_close(&r);
}

static void answer_is_written_with_the_offers_numbers_and_mapped(void **state)
{
	struct test_room r;
	const struct dataplane_flow *f;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8 101\r\n"
				     "a=rtpmap:101 telephone-event/8000\r\n",
		NULL);
	test_answer(&r, LEG_B,
		SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8 96\r\n"
					 "a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n",
		true,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 "
		"0-15\n");
	f = test_flow(&r, 0, LEG_A, COMPONENT_RTP);
	assert_int_equal(f->pt_count, 1);
	assert_int_equal(f->pt_from[0], 101);
	assert_int_equal(f->pt_to[0], 96);
	assert_int_equal(f->te_pt, 101);
	assert_int_equal(f->clock_rate, 8000);
	f = test_flow(&r, 0, LEG_B, COMPONENT_RTP);
	assert_int_equal(f->pt_count, 1);
	assert_int_equal(f->pt_from[0], 96);
	assert_int_equal(f->pt_to[0], 101);
	assert_int_equal(f->te_pt, 96);
	test_room_close(&r);
}

static void ambiguous_numbers_are_not_mapped(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	/* 96 and 97 swapped: what B sends as 96 may be either. */
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 96 97\r\n"
				     "a=rtpmap:96 iLBC/8000\r\na=rtpmap:97 speex/8000\r\n",
		NULL);
	test_answer(&r, LEG_B,
		SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 97 96\r\n"
					 "a=rtpmap:97 iLBC/8000\r\na=rtpmap:96 speex/8000\r\n",
		true, NULL);
	assert_int_equal(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->pt_count, 2);
	assert_int_equal(test_flow(&r, 0, LEG_B, COMPONENT_RTP)->pt_count, 0);
	/* Two of the same encoding in the offer, a third number in the answer: cannot be told. */
	test_offer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=video 4000 RTP/AVP 96 97\r\n"
				     "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=0\r\n"
				     "a=rtpmap:97 H264/90000\r\na=fmtp:97 packetization-mode=1\r\n",
		NULL);
	test_answer(&r, LEG_B,
		SDP_HEAD("198.51.100.9") "m=video 6000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n"
					 "a=fmtp:99 packetization-mode=1;max-mbps=1\r\n",
		true,
		"v=0\no=- ID 2 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=video PORT0 RTP/AVP 99\na=rtpmap:99 H264/90000\n"
		"a=fmtp:99 packetization-mode=1;max-mbps=1\n");
	assert_int_equal(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->pt_count, 0);
	test_room_close(&r);
}

static void secure_media_passes_opaquely(void **state)
{
	struct test_room r;
	static const char key[] = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCk=";
	char offer[1024], answer[1024];

	(void)state;
	test_room_open(&r);
	snprintf(offer, sizeof(offer),
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/SAVP 8 101\r\n%s\r\n"
				     "a=rtpmap:101 telephone-event/8000\r\n",
		key);
	test_offer(&r, LEG_A, offer, NULL);
	assert_non_null(strstr(media_last_sdp(r.s, LEG_B), key));
	snprintf(answer, sizeof(answer),
		SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/SAVP 8 96\r\n%s\r\n"
					 "a=rtpmap:96 telephone-event/8000\r\n",
		key);
	test_answer(&r, LEG_B, answer, true, NULL);
	assert_non_null(strstr(media_last_sdp(r.s, LEG_A), "RTP/SAVP 8 96"));
	assert_true(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->secure);
	assert_int_equal(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->pt_count, 0);
	test_room_close(&r);
}

static void fax_replaces_audio_in_place(void **state)
{
	struct test_room r;
	struct media_stream_info info;
	uint16_t port;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	port = r.s->stream[0]->local[LEG_A].port;
	test_offer(&r, LEG_B,
		SDP_HEAD("198.51.100.9") "m=image 6002 udptl t38\r\na=T38FaxVersion:0\r\n"
					 "a=T38FaxUdpEC:t38UDPRedundancy\r\n",
		"v=0\no=- ID 2 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=image PORT0 udptl t38\na=T38FaxVersion:0\na=T38FaxUdpEC:t38UDPRedundancy\n");
	assert_false(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->opaque);
	test_answer(&r, LEG_A,
		SDP_HEAD("10.0.0.5") "m=image 4002 udptl t38\r\na=T38FaxVersion:0\r\n", true, NULL);
	assert_int_equal(r.s->stream[0]->local[LEG_A].port, port);
	assert_int_equal(test_flow_count(&r), 2);
	assert_true(test_flow(&r, 0, LEG_A, COMPONENT_RTP)->opaque);
	test_expect_addr(&test_flow(&r, 0, LEG_A, COMPONENT_RTP)->out_remote, "198.51.100.9:6002");
	assert_int_equal(media_stream_info(r.s, 0, &info), 0);
	assert_string_equal(info.kind, "image");
	assert_string_equal(info.codec, "t38");
	test_room_close(&r);
}

static void answer_must_fit_the_offer(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	assert_int_equal(test_try_answer(&r, LEG_B, SDP_AUDIO_B, true), -EBADMSG);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	assert_int_equal(test_try_answer(&r, LEG_A, SDP_AUDIO_B, true), -EBADMSG);
	assert_int_equal(test_try_answer(&r, LEG_B, SDP_AUDIO_B "m=audio 6002 RTP/AVP 8\r\n", true),
		-EINVAL);
	assert_int_equal(test_try_answer(&r, LEG_B, SDP_HEAD("198.51.100.9"), true), -EINVAL);
	assert_int_equal(test_try_answer(&r, LEG_B,
				 SDP_HEAD("198.51.100.9") "m=video 6000 RTP/AVP 8\r\n", true),
		-EINVAL);
	assert_int_equal(test_try_answer(&r, LEG_B,
				 SDP_HEAD("198.51.100.9") "m=audio 6000 udptl t38\r\n", true),
		-EINVAL);
	assert_true(media_offer_pending(r.s));
	test_answer(&r, LEG_B, SDP_AUDIO_B, true, NULL);
	test_room_close(&r);
}

static void malformed_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"\r\n",
		"hello",
		"v=1\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n",
		"v=0\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\n",
		"o=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n",
		"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 65536 RTP/AVP 0\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 99999999999 RTP/AVP 0\r\n",
		SDP_HEAD("10.0.0.5") "m=audio -1 RTP/AVP 0\r\n",
		SDP_HEAD("10.0.0.5") "m=audio four RTP/AVP 0\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000/0 RTP/AVP 0\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 128\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP x\r\n",
		SDP_HEAD("10.0.0.5") "m=audio\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 0\r\na=rtcp:70000\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 0\r\na=rtcp:4 IN IP4 x:y\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 0\r\n\r\na=ptime:20\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 0\r\nnonsense\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 0\r\na=x\ry\r\n",
		SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 0\r\no=- 1 1 IN IP4 10.0.0.5\r\n",
		SDP_HEAD("10.0.0.5:5") "m=audio 4000 RTP/AVP 0\r\n",
		SDP_HEAD("fd00::1") "m=audio 4000 RTP/AVP 0\r\n",
		"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nc=ATM NSAP 47\r\nm=audio 4 RTP/AVP 0\r\n",
	};
	struct test_room r;

	(void)state;
	test_room_open(&r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (test_try_offer(&r, LEG_A, bad[i]) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(r.m->flows_reserved, 0);
	test_room_close(&r);
}

static void unreachable_addresses_are_not_acceptable(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	assert_int_equal(
		test_try_offer(&r, LEG_A, SDP_HEAD("pbx.example.com") "m=audio 4000 RTP/AVP 0\r\n"),
		-EPROTONOSUPPORT);
	assert_int_equal(
		test_try_offer(&r, LEG_A, SDP_HEAD("224.2.1.1/127") "m=audio 4000 RTP/AVP 0\r\n"),
		-EPROTONOSUPPORT);
	assert_int_equal(
		test_try_offer(&r, LEG_A, SDP_HEAD("255.255.255.255") "m=audio 4000 RTP/AVP 0\r\n"),
		-EPROTONOSUPPORT);
	test_room_close(&r);
}

static unsigned count_lines(const char *sdp)
{
	unsigned n = 0;

	while ((sdp = strchr(sdp, '\n'))) {
		sdp++;
		n++;
	}
	return n;
}

static void limits_hold(void **state)
{
	struct test_room r;
	char *big = malloc(MEDIA_SDP_MAX + 64);
	char *out = NULL;
	size_t n, len;

	(void)state;
	test_room_open(&r);
	strcpy(big, SDP_HEAD("10.0.0.5"));
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++)
		strcat(big, "m=audio 4000 RTP/AVP 0\r\n");
	assert_int_equal(test_try_offer(&r, LEG_A, big), 0);
	media_offer_failed(r.s);
	strcat(big, "m=audio 4000 RTP/AVP 0\r\n");
	assert_int_equal(test_try_offer(&r, LEG_A, big), -EPROTONOSUPPORT);
	strcpy(big, SDP_AUDIO_A "a=");
	n = strlen(big);
	memset(big + n, 'x', SDP_LINE_MAX);
	strcpy(big + n + SDP_LINE_MAX, "\r\n");
	assert_int_equal(test_try_offer(&r, LEG_A, big), 0);
	strcpy(big + n + SDP_LINE_MAX, "x\r\n");
	assert_int_equal(test_try_offer(&r, LEG_A, big), -EINVAL);
	strcpy(big, SDP_AUDIO_A);
	n = strlen(big);
	while (n + 10 < MEDIA_SDP_MAX + 10) {
		memcpy(big + n, "a=xxxxxx\r\n", 10);
		n += 10;
	}
	assert_int_equal(media_offer(r.s, LEG_A, big, n, &out, &len), -EINVAL);
	strcpy(big, SDP_AUDIO_A);
	n = strlen(big);
	for (unsigned lines = count_lines(big); lines < SDP_LINES_MAX; lines++, n += 5)
		strcpy(big + n, "a=x\r\n");
	assert_int_equal(test_try_offer(&r, LEG_A, big), 0);
	media_offer_failed(r.s);
	strcpy(big + n, "a=x\r\n");
	assert_int_equal(test_try_offer(&r, LEG_A, big), -EINVAL);
	strcpy(big, SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP");
	for (unsigned i = 0; i <= SDP_FORMATS_MAX; i++)
		sprintf(big + strlen(big), " %u", i);
	assert_int_equal(test_try_offer(&r, LEG_A, big), -EINVAL);
	/* A NUL is no character of SDP. */
	memcpy(big, SDP_AUDIO_A, sizeof(SDP_AUDIO_A));
	assert_int_equal(media_offer(r.s, LEG_A, big, sizeof(SDP_AUDIO_A), &out, &len), -EINVAL);
	free(big);
	test_room_close(&r);
}

static void other_legs_pending_offer_is_glare(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_A, SDP_AUDIO_A, NULL);
	assert_int_equal(test_try_offer(&r, LEG_B, SDP_AUDIO_B), -EBUSY);
	test_answer(&r, LEG_B, SDP_AUDIO_B, false, NULL);
	assert_int_equal(test_try_offer(&r, LEG_B, SDP_AUDIO_B), 0);
	test_room_close(&r);
}

static void delayed_offer_works_the_other_way_round(void **state)
{
	struct test_room r;

	(void)state;
	test_room_open(&r);
	test_offer(&r, LEG_B, SDP_AUDIO_B,
		"v=0\no=- ID 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\n");
	test_answer(&r, LEG_A, SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\n", true,
		"v=0\no=- ID 1 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n"
		"m=audio PORT0 RTP/AVP 8\n");
	assert_int_equal(test_flow_count(&r), 4);
	test_room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(audio_crosses_with_our_addresses_and_the_rest_untouched),
		cmocka_unit_test(our_version_rises_exactly_when_our_sdp_changes),
		cmocka_unit_test(what_reveals_or_misroutes_is_removed),
		cmocka_unit_test(unknown_transports_are_rejected_in_place),
		cmocka_unit_test(offer_that_disables_everything_passes),
		cmocka_unit_test(hold_of_rfc2543_goes_on_as_sendonly),
		cmocka_unit_test(direction_of_the_session_is_carried),
		cmocka_unit_test(answer_is_cut_to_what_the_offer_allows),
		cmocka_unit_test(encodings_of_other_clock_rates_are_others),
		cmocka_unit_test(rtcp_attribute_is_understood_and_written_where_it_was),
		cmocka_unit_test(rtcp_mux_needs_both),
		cmocka_unit_test(ipv6_meets_ipv4),
		cmocka_unit_test(offerer_is_answered_in_the_family_it_offers),
		cmocka_unit_test(formats_outside_the_codec_lists_are_taken_out),
		cmocka_unit_test(answer_is_written_with_the_offers_numbers_and_mapped),
		cmocka_unit_test(ambiguous_numbers_are_not_mapped),
		cmocka_unit_test(secure_media_passes_opaquely),
		cmocka_unit_test(fax_replaces_audio_in_place),
		cmocka_unit_test(answer_must_fit_the_offer),
		cmocka_unit_test(malformed_is_refused),
		cmocka_unit_test(unreachable_addresses_are_not_acceptable),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(other_legs_pending_offer_is_glare),
		cmocka_unit_test(delayed_offer_works_the_other_way_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
