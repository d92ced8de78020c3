/* SPDX-License-Identifier: BSD-2-Clause */
/* The peer room over the SIP room on loopback. Peers p0, p1 … are trunks at 127.1.0.1, 127.1.0.2 …,
 * all of whom one socket of the test's plays. */
#ifndef VIADUCT_TEST_PEER_WORLD_H
#define VIADUCT_TEST_PEER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "peer/internal.h"
#include "sip/internal.h"

#include "config_text.h"
#include "test_clock.h"

#define PATIENCE_MS 3000
#define TEXT_MAX    4096

struct world {
	struct loop *loop;
	struct config *cfg;
	struct sip *sip;
	struct peers *peers;
	int fd;
	uint16_t port, listener_port;
	unsigned events;
	char last_event[256];
};

/* A request as a peer heard it. */
struct heard {
	unsigned peer; /* index */
	struct sockaddr_in from;
	struct in_addr at; /* the peer's own address */
	char text[TEXT_MAX];
};

static inline void on_peer_event(void *ctx, const char *kind, const char *text)
{
	struct world *w = ctx;

	assert_string_equal(kind, "peer");
	w->events++;
	snprintf(w->last_event, sizeof(w->last_event), "%s", text);
}

static inline int bound_socket(uint32_t ip, uint16_t *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

/* Of every peer; below what a file may say. */
static struct liveness_config world_liveness;

/* Peers first to end - 1. */
static inline struct config *world_config(struct world *w, unsigned first, unsigned end)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct config *cfg;

	fprintf(f,
		"sides:\n"
		"  internal: {device: test-in, addresses: [127.0.0.1]}\n"
		"  external: {device: test-out, addresses: [127.0.0.2]}\n"
		"listeners:\n"
		"  - {name: out, side: external, transport: udp, port: %u}\n"
		"log: error\n"
		"peers:\n",
		w->listener_port);
	for (unsigned i = first; i < end; i++)
		fprintf(f,
			"  - {name: p%u, kind: trunk, listener: out, address: "
			"\"127.1.%u.%u:%u\"}\n",
			i, i / 250, i % 250 + 1, w->port);
	fclose(f);
	cfg = load_good(text);
	for (unsigned i = 0; i < cfg->peer_count; i++)
		cfg->peer[i].liveness = world_liveness;
	free(text);
	return cfg;
}

static inline void no_request(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	(void)ctx;
	(void)req;
	(void)peer;
	sip_server_reply(txn, 200, NULL, NULL, NULL);
}

static inline void world_open(struct world *w, unsigned peers)
{
	struct sip_handlers handlers = {.ctx = w, .request = no_request};
	int fd;

	memset(w, 0, sizeof(*w));
	log_set_level(LOG_LEVEL_ERROR);
	w->fd = bound_socket(INADDR_ANY, &w->port);
	fd = bound_socket(0x7f000002, &w->listener_port);
	close(fd);
	w->cfg = world_config(w, 0, peers);
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(sip_new(&w->sip, w->loop, w->cfg, &handlers), 0);
	assert_int_equal(peers_new(&w->peers, w->loop, w->sip, w->cfg, on_peer_event, w), 0);
}

static inline void world_close(struct world *w)
{
	peers_free(w->peers);
	sip_free(w->sip);
	assert_int_equal(w->cfg->refs, 1);
	config_unref(w->cfg);
	loop_free(w->loop);
	close(w->fd);
}

static inline struct peer *peer_at(struct world *w, unsigned index)
{
	char name[16];
	struct peer *peer;

	snprintf(name, sizeof(name), "p%u", index);
	peer = peer_by_name(w->peers, name);
	assert_non_null(peer);
	return peer;
}

static inline void run_ms(struct world *w, unsigned ms)
{
	uint64_t end;

	loop_once(w->loop, 0);
	end = loop_now_ms(w->loop) + ms;
	while (loop_now_ms(w->loop) < end)
		loop_once(w->loop, 1);
}

/* A request that a peer hears within ms; false for none. */
static inline bool hear(struct world *w, struct heard *h, unsigned ms)
{
	struct iovec iov = {h->text, sizeof(h->text) - 1};
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint64_t end;

	loop_once(w->loop, 0);
	end = loop_now_ms(w->loop) + ms;
	for (;;) {
		struct msghdr msg = {.msg_name = &h->from,
			.msg_namelen = sizeof(h->from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(w->fd, &msg, 0);
		struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

		if (c) {
			struct in_pktinfo info;
			uint32_t ip;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			h->at = info.ipi_addr;
			ip = ntohl(h->at.s_addr);
			h->peer = (ip >> 8 & 255) * 250 + (ip & 255) - 1;
			h->text[n] = '\0';
			return true;
		}
		if (loop_now_ms(w->loop) >= end)
			return false;
		loop_once(w->loop, 1);
	}
}

static inline void send_as_peer(struct world *w, const struct heard *h, const char *text)
{
	struct in_pktinfo info = {.ipi_spec_dst = h->at};
	struct iovec iov = {(char *)text, strlen(text)};
	char control[CMSG_SPACE(sizeof(info))] = {0};
	struct msghdr msg = {.msg_name = (struct sockaddr_in *)&h->from,
		.msg_namelen = sizeof(h->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	assert_int_equal(sendmsg(w->fd, &msg, 0), iov.iov_len);
	loop_once(w->loop, 1);
}

static inline void copy_lines(char *out, size_t room, const char *text, const char *name)
{
	char start[32];
	const char *line;

	snprintf(start, sizeof(start), "\r\n%s:", name);
	line = strstr(text, start);
	assert_non_null(line);
	snprintf(out, room, "%.*s\r\n", (int)strcspn(line + 2, "\r"), line + 2);
}

/* extra: whole header fields. */
static inline void answer_with(struct world *w, const struct heard *h, int code, const char *extra)
{
	static const char *const copied[] = {"Via", "From", "To", "Call-ID", "CSeq"};
	char text[TEXT_MAX];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "SIP/2.0 %d Whatever\r\n", code);
	for (unsigned i = 0; i < 5; i++) {
		copy_lines(text + n, sizeof(text) - n, h->text, copied[i]);
		n += strlen(text + n);
	}
	snprintf(text + n, sizeof(text) - n, "%sContent-Length: 0\r\n\r\n", extra);
	send_as_peer(w, h, text);
}

static inline void answer(struct world *w, const struct heard *h, int code)
{
	answer_with(w, h, code, "");
}

static inline void wait_for_state(struct world *w, unsigned index, enum peer_state state)
{
	uint64_t end = loop_now_ms(w->loop) + PATIENCE_MS;

	while (peer_at(w, index)->state != state && loop_now_ms(w->loop) < end)
		loop_once(w->loop, 1);
}

static inline void is_in_state(struct world *w, unsigned index, enum peer_state state)
{
	const struct peer *peer = peer_at(w, index);

	if (peer->state != state)
		fail_msg("p%u is %s (%s), expected %s", index, peer_state_name(peer->state),
			peer->why, peer_state_name(state));
}

#endif
