/* SPDX-License-Identifier: BSD-2-Clause */
/* A media room on the null engine, with a clock of the test's own, for the tests of this room:
 * peer A is internal (10.0.0.5), peer B a trunk outside (198.51.100.9); we are 10.0.0.1 / fd00::1
 * inside, 192.0.2.1 / 2001:db8::1 outside, advertised as 203.0.113.1. */
#ifndef TEST_MEDIA_ROOM_H
#define TEST_MEDIA_ROOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "media/room.h"

struct test_room {
	struct config cfg;
	struct peer_config a, b, c; /* c: another trunk, IPv6 */
	struct loop *loop;
	struct media *m;
	struct media_session *s;
	unsigned timeouts;
	enum leg timeout_leg;
	bool timeout_held;
	unsigned events;
	char event[256];
};

static uint64_t test_now_ms = 1000000;

static inline uint64_t test_clock(const struct media *m)
{
	(void)m;
	return test_now_ms;
}

static inline struct addr test_addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, 0), 0);
	return a;
}

static inline void test_side(struct side_config *side, const char *v4, const char *v6,
	const char *advertised, char *device)
{
	side->device = device;
	side->address_count = 2;
	side->address[0].local = test_addr(v4);
	side->address[0].advertised = test_addr(advertised);
	side->address[1].local = side->address[1].advertised = test_addr(v6);
}

static inline void test_peer(struct peer_config *p, char *name, unsigned side, uint8_t family)
{
	memset(p, 0, sizeof(*p));
	p->name = name;
	p->side = (uint8_t)side;
	p->media_family = family;
	p->latch_prefix_v4 = 32;
	p->latch_prefix_v6 = 128;
	p->rtp_timeout_s = 30;
	p->rtp_timeout_held_s = 120;
}

static inline void test_on_timeout(
	void *ctx, void *owner, enum leg leg, unsigned seconds, bool held)
{
	struct test_room *r = ctx;

	assert_ptr_equal(owner, r);
	assert_int_equal(seconds, held ? 120 : 30);
	r->timeouts++;
	r->timeout_leg = leg;
	r->timeout_held = held;
}

static inline void test_on_event(void *ctx, void *owner, const char *kind, const char *text)
{
	struct test_room *r = ctx;

	(void)owner;
	r->events++;
	snprintf(r->event, sizeof(r->event), "%s: %s", kind, text);
}

static inline void test_room_config(struct test_room *r)
{
	static char inside[] = "in0", outside[] = "out0";
	static char name_a[] = "pbx", name_b[] = "trunk", name_c[] = "trunk6";

	memset(r, 0, sizeof(*r));
	test_side(&r->cfg.side[SIDE_INTERNAL], "10.0.0.1", "fd00::1", "10.0.0.1", inside);
	test_side(&r->cfg.side[SIDE_EXTERNAL], "192.0.2.1", "2001:db8::1", "203.0.113.1", outside);
	for (unsigned i = 0; i < SIDE_COUNT; i++) {
		r->cfg.side[i].media_port_min = 20000;
		r->cfg.side[i].media_port_max = 20199;
	}
	r->cfg.side[SIDE_EXTERNAL].dscp = 46;
	r->cfg.calls_max = 100;
	r->cfg.port_quarantine_s = 5;
	test_peer(&r->a, name_a, SIDE_INTERNAL, 4);
	test_peer(&r->b, name_b, SIDE_EXTERNAL, 4);
	test_peer(&r->c, name_c, SIDE_EXTERNAL, 6);
}

static inline void test_room_start(struct test_room *r)
{
	const struct media_handlers handlers = {
		.ctx = r, .timeout = test_on_timeout, .event = test_on_event};

	assert_int_equal(loop_new(&r->loop), 0);
	assert_int_equal(media_new(&r->m, r->loop, &r->cfg, DATAPLANE_NULL, &handlers), 0);
	r->m->now_ms = test_clock;
	media_adoption_done(r->m);
	assert_int_equal(media_session_new(r->m, r, &r->a, &r->b, &r->s), 0);
}

static inline void test_room_open(struct test_room *r)
{
	test_room_config(r);
	test_room_start(r);
}

static inline unsigned test_flow_count(struct test_room *r)
{
	struct dataplane_status st;

	assert_int_equal(dataplane_status(media_dataplane(r->m), &st), 0);
	return st.flows;
}

/* Ends the session, sees that nothing of it is left, and takes the room down. */
static inline void test_room_close(struct test_room *r)
{
	struct media_status st;

	media_session_free(r->s);
	media_get_status(r->m, &st);
	assert_int_equal(st.sessions, 0);
	assert_int_equal(st.ports_used[SIDE_INTERNAL], 0);
	assert_int_equal(st.ports_used[SIDE_EXTERNAL], 0);
	assert_int_equal(r->m->flows_reserved, 0);
	assert_int_equal(test_flow_count(r), 0);
	media_free(r->m);
	loop_free(r->loop);
}

/* The text as it is compared: line ends as \n, the session id as ID, our ports of stream n on that
 * leg as PORTn and RTCPn. malloc'd. */
static inline char *test_readable(const struct media_session *s, enum leg leg, const char *sdp)
{
	struct strbuf b = {0};
	int stream = -1;

	while (*sdp) {
		const char *end = strstr(sdp, "\r\n");
		char line[8192], rest[8192];
		unsigned long long id, version;
		unsigned port;
		char kind[32];
		int at = 0;

		assert_non_null(end);
		assert_true((size_t)(end - sdp) < sizeof(line));
		memcpy(line, sdp, (size_t)(end - sdp));
		line[end - sdp] = '\0';
		assert_null(strchr(line, '\n'));
		sdp = end + 2;
		if (line[0] == 'm')
			stream++;
		if (sscanf(line, "o=- %llu %llu %n", &id, &version, &at) == 2 && at) {
			strbuf_addf(&b, "o=- ID %llu %s\n", version, line + at);
		} else if (sscanf(line, "m=%31s %u %8191[^\n]", kind, &port, rest) == 3 && port &&
			   stream < MEDIA_STREAMS_MAX && s->stream[stream] &&
			   s->stream[stream]->local[leg].port == port) {
			strbuf_addf(&b, "m=%s PORT%d %s\n", kind, stream, rest);
		} else if (sscanf(line, "a=rtcp:%u%n", &port, &at) == 1 && at &&
			   s->stream[stream]) {
			unsigned own = s->stream[stream]->local[leg].port;

			if (port == own)
				strbuf_addf(&b, "a=rtcp:PORT%d%s\n", stream, line + at);
			else if (port == own + 1)
				strbuf_addf(&b, "a=rtcp:RTCP%d%s\n", stream, line + at);
			else
				strbuf_addf(&b, "%s\n", line);
		} else {
			strbuf_addf(&b, "%s\n", line);
		}
	}
	assert_int_equal(strbuf_error(&b), 0);
	return b.s ? b.s : strdup("");
}

static inline void test_expect_sdp(
	const struct media_session *s, enum leg leg, const char *got, const char *expected)
{
	char *readable = test_readable(s, leg, got);

	assert_string_equal(readable, expected);
	free(readable);
}

static inline void test_offer(
	struct test_room *r, enum leg from, const char *sdp, const char *expected)
{
	char *out = NULL;
	size_t len = 0;

	assert_int_equal(media_offer(r->s, from, sdp, strlen(sdp), &out, &len), 0);
	assert_int_equal(strlen(out), len);
	assert_string_equal(out, media_last_sdp(r->s, OTHER_LEG(from)));
	if (expected)
		test_expect_sdp(r->s, OTHER_LEG(from), out, expected);
	free(out);
}

static inline void test_answer(
	struct test_room *r, enum leg from, const char *sdp, bool final, const char *expected)
{
	char *out = NULL;
	size_t len = 0;

	assert_int_equal(media_answer(r->s, from, sdp, strlen(sdp), final, &out, &len), 0);
	assert_int_equal(strlen(out), len);
	assert_string_equal(out, media_last_sdp(r->s, OTHER_LEG(from)));
	if (expected)
		test_expect_sdp(r->s, OTHER_LEG(from), out, expected);
	free(out);
}

static inline int test_try_offer(struct test_room *r, enum leg from, const char *sdp)
{
	char *out = NULL;
	size_t len = 0;
	int ret = media_offer(r->s, from, sdp, strlen(sdp), &out, &len);

	free(out);
	return ret;
}

static inline int test_try_answer(struct test_room *r, enum leg from, const char *sdp, bool final)
{
	char *out = NULL;
	size_t len = 0;
	int ret = media_answer(r->s, from, sdp, strlen(sdp), final, &out, &len);

	free(out);
	return ret;
}

/* The flow of packets from that leg, NULL if there is none. */
static inline const struct dataplane_flow *test_flow(
	struct test_room *r, unsigned stream, enum leg leg, enum component component)
{
	const struct stream *st = r->s->stream[stream];

	if (!st || !st->flow[leg][component])
		return NULL;
	return dataplane_flow_get(media_dataplane(r->m), st->flow[leg][component]);
}

static inline void test_expect_addr(const struct addr *a, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	assert_string_equal(addr_print(a, buf), text);
}

#define SDP_HEAD(ip) "v=0\r\no=user 1 1 IN IP4 " ip "\r\ns=-\r\nc=IN IP4 " ip "\r\nt=0 0\r\n"
#define SDP_AUDIO_A  SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8 0\r\n"
#define SDP_AUDIO_B  SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\n"

#endif
