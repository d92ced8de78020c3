/* SPDX-License-Identifier: BSD-2-Clause */
/* The call room on loopback, without packets: A (127.0.0.3) is the internal peer that calls, B and
 * C (127.0.0.4, 127.0.0.5) are trunks, tried in that order. The test is all of them, by hand, over
 * UDP. Timers are short: T1 is 10 ms. */
#ifndef VIADUCT_TEST_CALL_WORLD_H
#define VIADUCT_TEST_CALL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call/internal.h"
#include "sip/internal.h"

#include "test_clock.h"

#define T1_MS       10
#define T2_MS       40
#define T4_MS       30
#define TIMEOUT_MS  (64 * T1_MS)
#define PATIENCE_MS 2000
#define QUIET_MS    15
#define TEXT_MAX    8192
#define SEEN_MAX    128

enum who { A, B, C, PEERS };

struct world {
	struct loop *loop;
	struct config *cfg;
	struct calls *calls;
	int fd[PEERS];
	uint16_t port[PEERS], listener_port[SIDE_COUNT];
	uint32_t seen[PEERS][SEEN_MAX]; /* of what was received already: retransmissions */
	unsigned seen_count[PEERS];
	unsigned events;
	char last_event[256];
};

/* A dialog as one of the peers has it. */
struct ua {
	enum who who;
	char call_id[256], local[512], remote[512], target[256];
	unsigned cseq, remote_cseq;
	char invite_branch[64], request[TEXT_MAX]; /* the last request sent */
};

static const char *const host_of[PEERS] = {"127.0.0.3", "127.0.0.4", "127.0.0.5"};

#define SDP(port, extra)                                                                           \
	"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"                \
	"m=audio " port " RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n" extra
#define SDP_A    SDP("4000", "")
#define SDP_B    SDP("5000", "")
#define SDP_HOLD SDP("4000", "a=sendonly\r\n")

/* ---- the world ---- */

static inline int udp_socket(const char *host, uint16_t *port)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;
	int fd;

	assert_int_equal(addr_parse_ip(&a, host, strlen(host)), 0);
	fd = listener_socket(&a, SOCK_DGRAM);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	addr_from_sockaddr(&a, (struct sockaddr *)&ss);
	*port = a.port;
	return fd;
}

static inline void on_event(void *ctx, uint64_t id, const char *kind, const char *text)
{
	struct world *w = ctx;

	(void)id;
	w->events++;
	snprintf(w->last_event, sizeof(w->last_event), "%s: %s", kind, text);
}

/* More keys of each peer and side, ", KEY: VALUE". */
static const char *world_peer_keys[PEERS] = {"", "", ""};
static const char *world_side_keys[SIDE_COUNT] = {"", ""};
/* Where B is; NULL: its address and port. */
static const char *world_b_name;
/* Routes that come before the others, "  - {…}\n" each. */
static const char *world_routes = "";

static inline struct config *world_load(const char *text)
{
	struct config *cfg = NULL;
	int fd = memfd_create("config", 0);
	char path[64];

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(config_load(&cfg, path, stderr), 0);
	close(fd);
	return cfg;
}

static inline struct config *world_config(struct world *w, const char *extra)
{
	char text[4096], b[64];

	snprintf(b, sizeof(b), "127.0.0.4:%u", w->port[B]);
	snprintf(text, sizeof(text),
		"sides:\n"
		"  internal: {device: test-in, addresses: [127.0.0.1], media_ports: "
		"20000-20399%s}\n"
		"  external: {device: test-out, addresses: [127.0.0.2], media_ports: "
		"20000-20399%s}\n"
		"listeners:\n"
		"  - {name: in, side: internal, transport: udp, port: %u}\n"
		"  - {name: out, side: external, transport: udp, port: %u}\n"
		"peers:\n"
		"  - {name: a, kind: direct, listener: in, address: \"127.0.0.3:%u\"%s}\n"
		"  - {name: b, kind: trunk, listener: out, liveness: {interval: 0}, address: "
		"\"%s\"%s}\n"
		"  - {name: c, kind: trunk, listener: out, liveness: {interval: 0}, address: "
		"\"127.0.0.5:%u\"%s}\n"
		"routes:\n"
		"%s"
		"  - {name: two, from: a, called: \"2.*\", to: [b, c]}\n"
		"  - {name: three, from: a, called: \"3.*\", to: [c]}\n"
		"  - {name: in, from: b, called: \"5.*\", to: [a]}\n"
		"  - {name: across, called: \"6.*\", to: [c]}\n"
		"  - {name: transit, from: b, called: \"7.*\", to: [c], trunk_to_trunk: true}\n"
		"  - {name: one, from: a, to: [b]}\n"
		"overload: {shed_all: 0}\n" /* ages of datagrams are the real ones */
		"log: error\n%s",
		world_side_keys[0], world_side_keys[1], w->listener_port[0], w->listener_port[1],
		w->port[A], world_peer_keys[A], world_b_name ? world_b_name : b, world_peer_keys[B],
		w->port[C], world_peer_keys[C], world_routes, extra);
	return world_load(text);
}

/* With ports that were free a moment ago: another test beside us may have been faster. */
static inline int world_try_open(struct world *w, const char *extra)
{
	int fd[SIDE_COUNT], ret;

	fd[0] = udp_socket("127.0.0.1", &w->listener_port[0]);
	fd[1] = udp_socket("127.0.0.2", &w->listener_port[1]);
	close(fd[0]);
	close(fd[1]);
	w->cfg = world_config(w, extra);
	ret = calls_new(&w->calls, w->loop, w->cfg, DATAPLANE_NULL, on_event, w);
	if (ret)
		config_unref(w->cfg);
	return ret;
}

static inline void world_open_with(struct world *w, const char *extra)
{
	int ret;

	memset(w, 0, sizeof(*w));
	log_set_level(LOG_LEVEL_ERROR);
	for (unsigned i = 0; i < PEERS; i++)
		w->fd[i] = udp_socket(host_of[i], &w->port[i]);
	assert_int_equal(loop_new(&w->loop), 0);
	do {
		ret = world_try_open(w, extra);
	} while (ret == -EADDRINUSE);
	assert_int_equal(ret, 0);
	sip_set_timers(calls_sip(w->calls), T1_MS, T2_MS, T4_MS);
}

static inline void world_open(struct world *w)
{
	world_open_with(w, "");
}

static inline void world_put_in_force(struct world *w, struct config *cfg)
{
	assert_int_equal(calls_reload(w->calls, cfg, stderr), 0);
	config_unref(w->cfg);
	w->cfg = cfg;
}

static inline void world_reload(struct world *w, const char *extra)
{
	world_put_in_force(w, world_config(w, extra));
}

static inline void run_ms(struct world *w, unsigned ms)
{
	uint64_t end;

	loop_once(w->loop, 0);
	end = loop_now_ms(w->loop) + ms;
	while (loop_now_ms(w->loop) < end)
		loop_once(w->loop, 1);
}

/* Live calls with that peer on one of their legs. */
static inline unsigned live_calls_of(const struct world *w, const char *peer)
{
	struct calls_load load;

	calls_get_load(w->calls, peer, &load);
	return load.live;
}

/* Nothing is taken of any limit. */
static inline void loads_are_empty(const struct loads *loads)
{
	assert_int_equal(loads->all.kbit, 0);
	for (unsigned i = 0; i < SIDE_COUNT; i++)
		assert_int_equal(loads->side[i].kbit, 0);
	for (unsigned i = 0; i < loads->peer_count; i++) {
		assert_int_equal(loads->peer[i].live, 0);
		assert_int_equal(loads->peer[i].ending, 0);
		assert_int_equal(loads->peer[i].kbit, 0);
	}
}

/* Waits for the last call to go, and sees that nothing of it is left. */
static inline void world_is_empty(struct world *w)
{
	uint64_t end = loop_now_ms(w->loop) + 4 * TIMEOUT_MS;
	struct calls_status status;
	struct dataplane_status flows;
	struct media_status media;

	while (calls_count(w->calls) && loop_now_ms(w->loop) < end)
		loop_once(w->loop, 1);
	run_ms(w, 2);
	assert_int_equal(calls_count(w->calls), 0);
	calls_get_status(w->calls, &status);
	assert_int_equal(status.live, 0);
	assert_int_equal(live_calls_of(w, "a"), 0);
	assert_int_equal(live_calls_of(w, "b"), 0);
	assert_int_equal(live_calls_of(w, "c"), 0);
	loads_are_empty(w->calls->loads);
	assert_null(w->calls->tags);
	assert_null(w->calls->by_id);
	assert_null(w->calls->by_merge_key);
	assert_null(w->calls->dead);
	media_get_status(calls_media(w->calls), &media);
	assert_int_equal(media.sessions, 0);
	assert_int_equal(media.ports_used[SIDE_INTERNAL], 0);
	assert_int_equal(media.ports_used[SIDE_EXTERNAL], 0);
	assert_int_equal(dataplane_status(media_dataplane(calls_media(w->calls)), &flows), 0);
	assert_int_equal(flows.flows, 0);
}

static inline void world_free(struct world *w)
{
	calls_free(w->calls);
	assert_int_equal(w->cfg->refs, 1);
	config_unref(w->cfg);
	loop_free(w->loop);
	for (unsigned i = 0; i < PEERS; i++)
		close(w->fd[i]);
}

static inline void world_close(struct world *w)
{
	world_is_empty(w);
	world_free(w);
}

/* The newest call; older ones may be about to end. */
static inline struct call *the_call(struct world *w)
{
	struct call *call = call_by_id(w->calls, w->calls->next_id);

	assert_non_null(call);
	return call;
}

/* ---- text ---- */

/* The value of the first header field of that name, "" where there is none. */
static inline const char *header(const char *text, const char *name)
{
	static char value[16][1024];
	static unsigned turn;
	char *out = value[turn++ % 16], line[64];
	const char *s;

	snprintf(line, sizeof(line), "\r\n%s: ", name);
	s = strstr(text, line);
	out[0] = '\0';
	if (s)
		snprintf(out, 1024, "%.*s", (int)strcspn(s + strlen(line), "\r"), s + strlen(line));
	return out;
}

static inline const char *body(const char *text)
{
	const char *s = strstr(text, "\r\n\r\n");

	return s ? s + 4 : "";
}

static inline void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("expected '%s' in:\n%s", part, text);
}

static inline void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("expected no '%s' in:\n%s", part, text);
}

static inline void copy_text(char *out, size_t room, const char *text)
{
	snprintf(out, room, "%s", text);
}

/* What stands between the first '<' and '>'. */
static inline void copy_uri(char *out, size_t room, const char *contact)
{
	const char *s = strchr(contact, '<');

	if (s)
		snprintf(out, room, "%.*s", (int)strcspn(s + 1, ">"), s + 1);
}

/* ---- the wire ---- */

static inline void send_text(struct world *w, enum who who, const char *text)
{
	struct sockaddr_storage ss;
	const char *host = who == A ? "127.0.0.1" : "127.0.0.2";
	struct addr to;
	socklen_t len;

	addr_parse_ip(&to, host, strlen(host));
	to.port = w->listener_port[who == A ? SIDE_INTERNAL : SIDE_EXTERNAL];
	len = addr_to_sockaddr(&to, &ss);
	assert_int_equal(sendto(w->fd[who], text, strlen(text), 0, (struct sockaddr *)&ss, len),
		strlen(text));
	loop_once(w->loop, 1);
}

/* The next message at that peer within ms, "" for none; also what came before. */
static inline const char *receive_any(struct world *w, enum who who, unsigned ms)
{
	static char ring[8][TEXT_MAX];
	static unsigned turn;
	char *buf = ring[turn++ % 8];
	uint64_t end;
	ssize_t n;

	loop_once(w->loop, 0);
	end = loop_now_ms(w->loop) + ms;
	for (;;) {
		n = recv(w->fd[who], buf, TEXT_MAX - 1, MSG_DONTWAIT);
		if (n > 0 || loop_now_ms(w->loop) >= end)
			break;
		loop_once(w->loop, 1);
	}
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

/* The same without retransmissions and 100 Trying. */
static inline const char *receive(struct world *w, enum who who, unsigned ms)
{
	for (;;) {
		const char *text = receive_any(w, who, ms);
		uint32_t hash = table_hash(text, strlen(text));
		bool again = false;

		if (!*text)
			return text;
		for (unsigned i = 0; i < w->seen_count[who] && i < SEEN_MAX; i++)
			again |= w->seen[who][i] == hash;
		if (again || strncmp(text, "SIP/2.0 100", 11) == 0)
			continue;
		w->seen[who][w->seen_count[who]++ % SEEN_MAX] = hash;
		return text;
	}
}

static inline const char *expect(struct world *w, enum who who, const char *start)
{
	const char *text = receive(w, who, PATIENCE_MS);

	if (strncmp(text, start, strlen(start)) != 0)
		fail_msg("%c expected '%s', got '%.400s'", "ABC"[who], start, text);
	return text;
}

static inline void expect_nothing(struct world *w, enum who who)
{
	const char *text = receive(w, who, QUIET_MS);

	if (*text)
		fail_msg("%c expected nothing, got '%.200s'", "ABC"[who], text);
}

/* ---- what the peers say ---- */

static inline const char *new_branch(void)
{
	static char text[32];
	static unsigned n;

	snprintf(text, sizeof(text), "z9hG4bK%u", ++n);
	return text;
}

/* Any request of a dialog; cseq 0: the next one. */
static inline const char *say_with(struct world *w, struct ua *d, const char *method, unsigned cseq,
	const char *branch, const char *extra, const char *sdp)
{
	char text[TEXT_MAX];

	if (!cseq)
		cseq = ++d->cseq;
	snprintf(text, sizeof(text),
		"%s %s SIP/2.0\r\n"
		"Via: SIP/2.0/UDP %s:%u;branch=%s;rport\r\n"
		"From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nMax-Forwards: 70\r\n"
		"Contact: <sip:%c@%s:%u>\r\n"
		"%s%sContent-Length: %zu\r\n\r\n%s",
		method, d->target, host_of[d->who], w->port[d->who], branch, d->local, d->remote,
		d->call_id, cseq, method, "abc"[d->who], host_of[d->who], w -> port[d->who], extra,
		sdp ? "Content-Type: application/sdp\r\n" : "", sdp ? strlen(sdp) : 0,
		sdp ? sdp : "");
	copy_text(d->request, sizeof(d->request), text);
	send_text(w, d->who, d->request);
	return d->request;
}

static inline const char *say(struct world *w, struct ua *d, const char *method, const char *sdp)
{
	return say_with(w, d, method, 0, new_branch(), "", sdp);
}

/* An INVITE out of nothing, to that number. */
static inline void invite_from(struct world *w, struct ua *d, enum who who, const char *number,
	const char *extra, const char *sdp)
{
	const char *host = who == A ? "127.0.0.1" : "127.0.0.2";
	static unsigned n;

	memset(d, 0, sizeof(*d));
	d->who = who;
	n++;
	snprintf(d->call_id, sizeof(d->call_id), "call%u@a", n);
	snprintf(d->local, sizeof(d->local), "<sip:1000@%s>;tag=a%u", host_of[who], n);
	snprintf(d->remote, sizeof(d->remote), "<sip:%s@%s>", number, host);
	snprintf(d->target, sizeof(d->target), "sip:%s@%s", number, host);
	copy_text(d->invite_branch, sizeof(d->invite_branch), new_branch());
	say_with(w, d, "INVITE", 0, d->invite_branch, extra, sdp);
}

/* The same by A. */
static inline void invite_with(
	struct world *w, struct ua *d, const char *number, const char *extra, const char *sdp)
{
	invite_from(w, d, A, number, extra, sdp);
}

static inline void invite(struct world *w, struct ua *d, const char *number, const char *sdp)
{
	invite_with(w, d, number, "", sdp);
}

/* What a caller learns from a response. */
static inline void learn(struct ua *d, const char *response)
{
	copy_text(d->remote, sizeof(d->remote), header(response, "To"));
	copy_uri(d->target, sizeof(d->target), header(response, "Contact"));
}

/* What a callee learns from the INVITE; tag: its own. */
static inline void take(struct ua *d, enum who who, const char *text, const char *tag)
{
	memset(d, 0, sizeof(*d));
	d->who = who;
	copy_text(d->call_id, sizeof(d->call_id), header(text, "Call-ID"));
	copy_text(d->local, sizeof(d->local), header(text, "To"));
	if (!strstr(d->local, ";tag=")) /* a re-INVITE has it */
		snprintf(d->local, sizeof(d->local), "%s;tag=%s", header(text, "To"), tag);
	copy_text(d->remote, sizeof(d->remote), header(text, "From"));
	copy_uri(d->target, sizeof(d->target), header(text, "Contact"));
	d->remote_cseq = (unsigned)strtoul(header(text, "CSeq"), NULL, 10);
}

static inline void answer_with(struct world *w, enum who who, const char *request, int code,
	const char *tag, const char *extra, const char *sdp)
{
	char text[TEXT_MAX];
	const char *to = header(request, "To");
	bool tagged = strstr(to, ";tag=") || !tag;

	snprintf(text, sizeof(text),
		"SIP/2.0 %d Whatever\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s%s\r\nCall-ID: %s\r\n"
		"CSeq: %s\r\n%s%sContent-Length: %zu\r\n\r\n%s",
		code, header(request, "Via"), header(request, "From"), to,
		tagged ? "" : ";tag=", tagged ? "" : tag, header(request, "Call-ID"),
		header(request, "CSeq"), extra, sdp ? "Content-Type: application/sdp\r\n" : "",
		sdp ? strlen(sdp) : 0, sdp ? sdp : "");
	send_text(w, who, text);
}

/* With a Contact, and extra. */
static inline void answer_more(struct world *w, enum who who, const char *request, int code,
	const char *tag, const char *extra, const char *sdp)
{
	char text[512];

	snprintf(text, sizeof(text), "Contact: <sip:%c@%s:%u>\r\n%s", "abc"[who], host_of[who],
		w -> port[who], extra);
	answer_with(w, who, request, code, tag, text, sdp);
}

static inline void answer(struct world *w, enum who who, const char *request, int code,
	const char *tag, const char *sdp)
{
	answer_more(w, who, request, code, tag, "", sdp);
}

/* A reliable provisional response (RFC 3262). */
static inline void answer_reliably(struct world *w, enum who who, const char *request, int code,
	const char *tag, unsigned rseq, const char *sdp)
{
	char text[64];

	snprintf(text, sizeof(text), "Require: 100rel\r\nRSeq: %u\r\n", rseq);
	answer_more(w, who, request, code, tag, text, sdp);
}

static inline void prack(struct world *w, struct ua *d, unsigned rseq, const char *sdp)
{
	char text[64];

	snprintf(text, sizeof(text), "RAck: %u 1 INVITE\r\n", rseq);
	say_with(w, d, "PRACK", 0, new_branch(), text, sdp);
}

/* ACK for a 2xx to the request with that CSeq. */
static inline void ack(struct world *w, struct ua *d, unsigned cseq, const char *sdp)
{
	say_with(w, d, "ACK", cseq, new_branch(), "", sdp);
}

/* ACK for a 3xx to 6xx: of the INVITE's own transaction. */
static inline void ack_refusal(struct world *w, struct ua *d, const char *response)
{
	copy_text(d->remote, sizeof(d->remote), header(response, "To"));
	say_with(w, d, "ACK", d->cseq, d->invite_branch, "", NULL);
}

static inline void cancel(struct world *w, struct ua *d)
{
	say_with(w, d, "CANCEL", d->cseq, d->invite_branch, "", NULL);
}

/* A final response, which Viaduct acknowledges. */
static inline void answer_final(struct world *w, enum who who, const char *request, int code,
	const char *tag, const char *sdp)
{
	answer(w, who, request, code, tag, sdp);
	expect(w, who, "ACK ");
}

/* A 200 to the INVITE of that CSeq has come, and is acknowledged. */
static inline void expect_answer(struct world *w, struct ua *d, unsigned cseq)
{
	learn(d, expect(w, d->who, "SIP/2.0 200"));
	ack(w, d, cseq, NULL);
}

/* The caller gets that final refusal, and acknowledges it. */
static inline void expect_refusal(struct world *w, struct ua *a, const char *start)
{
	ack_refusal(w, a, expect(w, a->who, start));
}

/* A calls B, who answers; both dialogs stand. The INVITE that B saw goes to b_invite. */
static inline void establish(
	struct world *w, struct ua *a, struct ua *b, char b_invite[TEXT_MAX], const char *number)
{
	const char *text;

	invite(w, a, number, SDP_A);
	text = expect(w, B, "INVITE ");
	copy_text(b_invite, TEXT_MAX, text);
	take(b, B, text, "b1");
	answer_final(w, B, text, 200, "b1", SDP_B);
	expect_answer(w, a, 1);
	assert_int_equal(the_call(w)->state, CALL_ANSWERED);
}

/* Its BYE is answered. */
static inline void hang_up(struct world *w, struct ua *from)
{
	say(w, from, "BYE", NULL);
	expect(w, from->who, "SIP/2.0 200");
}

/* One side's BYE, answered, and the other's that follows from it. */
static inline void bye_from(struct world *w, struct ua *from, enum who other)
{
	const char *text;

	hang_up(w, from);
	text = expect(w, other, "BYE ");
	answer(w, other, text, 200, NULL, NULL);
}

#endif
