/* SPDX-License-Identifier: BSD-2-Clause */
/* One daemon after another, on the null engine: what the first had saved is packed, it leaves, and
 * the next adopts it. */
#ifndef TEST_MEDIA_ADOPTION_H
#define TEST_MEDIA_ADOPTION_H

#include "base/arena.h"
#include "store/message.h"
#include "test_media_room.h"

struct test_saved {
	void *data;
	size_t len;
};

static inline void test_instance(struct test_room *r, char *name)
{
	r->cfg.instance = name;
}

static inline struct test_saved test_save(const struct media_session *s)
{
	VdState__MediaSession m;
	struct test_saved saved;
	struct arena a = {0};

	assert_int_equal(media_session_save(s, &a, &m), 0);
	saved.data = message_pack(&m.base, &saved.len);
	assert_non_null(saved.data);
	arena_free(&a);
	return saved;
}

/* The daemon's end, and the next one's begin. */
static inline void test_next_daemon(struct test_room *r)
{
	struct media_handlers handlers = r->m->handlers;

	media_leave(r->m);
	assert_int_equal(media_new(&r->m, r->loop, &r->cfg, DATAPLANE_NULL, &handlers), 0);
	r->m->now_ms = test_clock;
	r->s = NULL;
}

static inline int test_adopt(
	struct test_room *r, const struct test_saved *saved, struct media_session **out)
{
	struct arena a = {0};
	VdState__MediaSession *m =
		message_unpack(&vd_state__media_session__descriptor, &a, saved->data, saved->len);
	int ret = m ? media_session_adopt(r->m, r, &r->a, &r->b, m, out) : -EBADMSG;

	arena_free(&a);
	return ret;
}

/* r->s goes on in the next daemon. peer_b: as it is at the moment. */
static inline void test_restart(struct test_room *r)
{
	const struct peer_config *a = r->s->peer[LEG_A], *b = r->s->peer[LEG_B];
	struct test_saved saved = test_save(r->s);
	VdState__MediaSession *m;
	struct arena arena = {0};

	test_next_daemon(r);
	m = message_unpack(&vd_state__media_session__descriptor, &arena, saved.data, saved.len);
	assert_non_null(m);
	assert_int_equal(media_session_adopt(r->m, r, a, b, m, &r->s), 0);
	media_adoption_done(r->m);
	arena_free(&arena);
	free(saved.data);
}

/* ---- random lives ---- */

#define MUX    "a=rtcp-mux\r\n"
#define TE(n)  "a=rtpmap:" n " telephone-event/8000\r\na=fmtp:" n " 0-16\r\n"
#define V6(ip) "v=0\r\no=u 1 1 IN IP6 " ip "\r\ns=-\r\nc=IN IP6 " ip "\r\nt=0 0\r\n"

static uint64_t random_state;

/* xorshift64* (Marsaglia, Vigna): the same on every machine for one seed. */
static inline unsigned pick(unsigned below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)((random_state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* What legs say: of the first that is said to the other, all that an answer can be among them. */
static const char *const said[] = {
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8 0\r\n",
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\n",
	SDP_HEAD("198.51.100.10") "m=audio 6100 RTP/AVP 0 8\r\na=ptime:30\r\n",
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8 96\r\n" TE("96"),
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8 101\r\n" TE("101"),
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\na=sendonly\r\n",
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\na=inactive\r\n",
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\na=recvonly\r\n",
	SDP_HEAD("0.0.0.0") "m=audio 4000 RTP/AVP 8\r\n",
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\n" MUX,
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\na=sendonly\r\n" MUX,
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\n" MUX,
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\na=rtcp:7001 IN IP4 198.51.100.11\r\n",
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 8\r\nm=video 4002 RTP/AVP 31\r\nb=AS:512\r\n",
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n",
	SDP_HEAD("198.51.100.9") "m=audio 0 RTP/AVP 8\r\nm=video 6002 RTP/AVP 31\r\n",
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
			     "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n",
	SDP_HEAD("10.0.0.5") "m=image 4000 udptl t38\r\n",
	SDP_HEAD("198.51.100.9") "m=image 6000 udptl t38\r\n",
	SDP_HEAD("198.51.100.9") "m=audio 6000 RTP/AVP 110 111\r\na=rtpmap:110 AMR/8000\r\n"
				 "a=fmtp:110 octet-align=1\r\na=rtpmap:111 AMR/8000\r\n",
	SDP_HEAD("10.0.0.5") "m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 AMR/8000\r\n"
			     "a=rtpmap:97 AMR/8000\r\na=fmtp:97 octet-align=1\r\n",
	V6("2001:db8::9") "m=audio 6000 RTP/AVP 8\r\n",
	V6("fd00::5") "m=audio 4000 RTP/AVP 8 0\r\n",
	"v=0\r\nnonsense\r\n",
};
#define SAID_COUNT (sizeof(said) / sizeof(said[0]))

#endif
