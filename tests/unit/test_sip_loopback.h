/* SPDX-License-Identifier: BSD-2-Clause */
/* The SIP room on 127.0.0.1 with one peer, whose socket the test holds. The configuration is the
 * test's own: these three functions stand in for the config room's. */
#ifndef VIADUCT_TEST_SIP_LOOPBACK_H
#define VIADUCT_TEST_SIP_LOOPBACK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip/internal.h"

#include "test_clock.h"

#define T1_MS         20
#define T2_MS         80
#define T4_MS         60
#define TIMEOUT_MS    (64 * T1_MS)
#define PATIENCE_MS   3000
#define REQUESTS_KEPT 64

struct world {
	struct loop *loop;
	struct config cfg;
	struct listener_config listener[3];
	struct peer_config peer;
	struct sip *sip;
	bool strangers_only;
	int peer_fd;
	struct addr peer_addr;
	/* what the handlers heard */
	struct sip_server *request[REQUESTS_KEPT];
	unsigned requests, acks, cancelled, not_acked, server_gone, server_failed;
	unsigned responses, failed, client_gone;
	int last_code, last_error;
	char last_to_tag[64];
	const struct peer_config *last_peer;
	char last_event[512];
	unsigned events;
	/* done inside the request handler */
	int reply_code;
	bool own_requests;
};

static struct world *world_of_config;

const struct peer_config *config_find_peer(
	const struct config *cfg, const struct addr *source, unsigned listener)
{
	(void)listener;
	if (world_of_config->strangers_only || !addr_equal_ip(source, &cfg->peer[0].address))
		return NULL;
	return &cfg->peer[0];
}

const struct peer_config *config_find_peer_that(const struct config *cfg, const struct addr *source,
	unsigned listener, config_accepts_fn *accepts, void *ctx)
{
	(void)listener;
	for (unsigned i = 0; i < cfg->peer_count && !world_of_config->strangers_only; i++) {
		if (addr_equal_ip(source, &cfg->peer[i].address) && accepts(ctx, &cfg->peer[i]))
			return &cfg->peer[i];
	}
	return NULL;
}

const struct peer_config *config_peer_by_name(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->peer_count; i++) {
		if (strcmp(cfg->peer[i].name, name) == 0)
			return &cfg->peer[i];
	}
	return NULL;
}

const struct peer_config *config_peer_of(const struct config *cfg, const struct peer_config *peer)
{
	if (peer >= cfg->peer && peer < cfg->peer + cfg->peer_count)
		return peer;
	return config_peer_by_name(cfg, peer->name);
}

struct config *config_ref(struct config *cfg)
{
	cfg->refs++;
	return cfg;
}

void config_unref(struct config *cfg)
{
	if (cfg)
		cfg->refs--;
}

static inline void on_cancelled(void *owner, struct sip_server *txn, osip_message_t *cancel)
{
	struct world *w = owner;

	assert_string_equal(cancel->sip_method, "CANCEL");
	w->cancelled++;
	assert_int_equal(sip_server_reply(txn, 487, NULL, NULL, NULL), 0);
}

static inline void on_not_acked(void *owner, struct sip_server *txn)
{
	(void)txn;
	((struct world *)owner)->not_acked++;
}

static inline void on_server_failed(void *owner, struct sip_server *txn, int error)
{
	(void)txn;
	(void)error;
	((struct world *)owner)->server_failed++;
}

static inline void on_server_gone(void *owner, struct sip_server *txn)
{
	(void)txn;
	((struct world *)owner)->server_gone++;
}

static const struct sip_server_handlers server_handlers = {
	.cancelled = on_cancelled,
	.not_acked = on_not_acked,
	.failed = on_server_failed,
	.gone = on_server_gone,
};

static inline void on_request(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	struct world *w = ctx;

	assert_ptr_equal(sip_server_request(txn), req);
	if (w->cfg.peer == &w->peer)
		assert_ptr_equal(peer, &w->peer);
	w->last_peer = peer;
	w->request[w->requests % REQUESTS_KEPT] = txn;
	w->requests++;
	sip_server_set_owner(txn, w, &server_handlers);
	if (w->reply_code)
		assert_int_equal(sip_server_reply(txn, w->reply_code, NULL, NULL, NULL), 0);
}

static inline void on_ack(void *ctx, osip_message_t *ack, const struct peer_config *peer)
{
	(void)peer;
	assert_string_equal(ack->sip_method, "ACK");
	((struct world *)ctx)->acks++;
}

static inline void on_event(void *ctx, const char *kind, const char *text)
{
	struct world *w = ctx;

	assert_string_equal(kind, "tls");
	w->events++;
	snprintf(w->last_event, sizeof(w->last_event), "%s", text);
}

static inline void on_response(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	struct world *w = owner;
	osip_generic_param_t *tag = NULL;

	assert_non_null(sip_client_request(txn));
	w->responses++;
	w->last_code = resp->status_code;
	osip_to_get_tag(resp->to, &tag);
	snprintf(w->last_to_tag, sizeof(w->last_to_tag), "%s", tag ? tag->gvalue : "");
}

static inline void on_failed(void *owner, struct sip_client *txn, int error)
{
	struct world *w = owner;

	(void)txn;
	w->failed++;
	w->last_error = error;
}

static inline void on_client_gone(void *owner, struct sip_client *txn)
{
	(void)txn;
	((struct world *)owner)->client_gone++;
}

static const struct sip_client_handlers client_handlers = {
	.response = on_response,
	.failed = on_failed,
	.gone = on_client_gone,
};

static inline struct addr socket_addr(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	addr_from_sockaddr(&a, (struct sockaddr *)&ss);
	return a;
}

static inline struct addr localhost(uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(&a, "127.0.0.1", 9), 0);
	a.port = port;
	return a;
}

/* Listener 0 is UDP, 1 is TCP, 2 is TLS where there is a profile; ports are the kernel's choice. */
static inline void world_open_tls(struct world *w, const struct tls_profile *tls)
{
	static const struct sip_handlers no_handlers;
	struct sip_handlers handlers = no_handlers;

	memset(w, 0, sizeof(*w));
	world_of_config = w;
	w->listener[0].name = (char *)"udp";
	w->listener[0].transport = TRANSPORT_UDP;
	w->listener[0].address.local = w->listener[0].address.advertised = localhost(0);
	w->listener[1] = w->listener[0];
	w->listener[1].name = (char *)"tcp";
	w->listener[1].transport = TRANSPORT_TCP;
	w->listener[2] = w->listener[0];
	w->listener[2].name = (char *)"tls";
	w->listener[2].transport = TRANSPORT_TLS;
	w->listener[2].tls = tls;
	w->listener[2].fqdn = tls ? tls->fqdn : NULL;
	w->peer.name = (char *)"peer";
	if (tls)
		w->peer.transport = TRANSPORT_TLS;
	w->peer.address = localhost(0);
	w->cfg.listener = w->listener;
	w->cfg.listener_count = tls ? 3 : 2;
	w->cfg.peer = &w->peer;
	w->cfg.peer_count = 1;
	w->cfg.tcp_connections_max = 100;
	w->cfg.max_forwards = 70;
	w->cfg.tls_handshakes_max = 100;
	w->cfg.tls_handshake_s = 1;
	w->cfg.reconnect_s = 1;
	w->cfg.pong_s = 1;
	handlers.ctx = w;
	handlers.request = on_request;
	handlers.ack = on_ack;
	handlers.event = on_event;
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(sip_new(&w->sip, w->loop, &w->cfg, &handlers), 0);
	sip_set_timers(w->sip, T1_MS, T2_MS, T4_MS);
	struct addr any = localhost(0);
	w->peer_fd = listener_socket(&any, SOCK_DGRAM);
	assert_true(w->peer_fd >= 0);
	w->peer_addr = socket_addr(w->peer_fd);
}

static inline void world_open(struct world *w)
{
	world_open_tls(w, NULL);
}

static inline void world_close(struct world *w)
{
	sip_free(w->sip);
	assert_int_equal(w->cfg.refs, 0);
	loop_free(w->loop);
	if (w->peer_fd >= 0)
		close(w->peer_fd);
}

static inline void run_ms(struct world *w, unsigned ms)
{
	uint64_t end = loop_now_ms(w->loop) + ms;

	do
		loop_once(w->loop, 1);
	while (loop_now_ms(w->loop) < end);
}

/* Sends as the peer, from its UDP socket. */
static inline void peer_send(struct world *w, const char *text)
{
	struct sockaddr_storage ss;
	struct addr to = localhost(w->sip->listener[0]->local.port);
	socklen_t len = addr_to_sockaddr(&to, &ss);

	assert_int_equal(sendto(w->peer_fd, text, strlen(text), 0, (struct sockaddr *)&ss, len),
		strlen(text));
	run_ms(w, 2);
}

/* What came to the socket within ms; "" for nothing. */
static inline const char *receive_within(struct world *w, int fd, unsigned ms)
{
	static char buf[SIP_MESSAGE_MAX + 1];
	uint64_t end = loop_now_ms(w->loop) + ms;
	ssize_t n;

	for (;;) {
		n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
		if (n > 0 || loop_now_ms(w->loop) >= end)
			break;
		loop_once(w->loop, 1);
	}
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static inline const char *peer_receive(struct world *w)
{
	return receive_within(w, w->peer_fd, PATIENCE_MS);
}

static inline void keep(char *out, size_t room, const char *text)
{
	size_t n = strnlen(text, room - 1);

	memcpy(out, text, n);
	out[n] = '\0';
}

static inline bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static inline void expect_start(const char *text, const char *start)
{
	if (!starts_with(text, start))
		fail_msg("expected '%s', got '%.60s'", start, text);
}

/* Reads until nothing has come for ms; how many began with start. */
static inline unsigned peer_count(struct world *w, const char *start, unsigned ms)
{
	uint64_t end = loop_now_ms(w->loop) + ms;
	unsigned n = 0;

	while (loop_now_ms(w->loop) < end) {
		const char *text = receive_within(w, w->peer_fd, 1);

		n += *text && starts_with(text, start);
	}
	return n;
}

/* The value of a header field in text, without its CRLF. */
static inline const char *header(const char *text, const char *name)
{
	static char value[8][1024];
	static unsigned turn;
	char *out = value[turn++ % 8], line[64];
	const char *s, *end;

	snprintf(line, sizeof(line), "\r\n%s: ", name);
	s = strstr(text, line);
	if (!s)
		return "";
	s += strlen(line);
	end = strstr(s, "\r\n");
	snprintf(out, sizeof(value[0]), "%.*s", (int)(end - s), s);
	return out;
}

/* A request of the peer's. */
static inline const char *request_text(
	struct world *w, const char *method, const char *branch, unsigned cseq, const char *extra)
{
	static char text[4096];

	snprintf(text, sizeof(text),
		"%s sip:100@127.0.0.1 SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 127.0.0.1:%u;branch=%s;rport\r\n"
		"From: <sip:1@127.0.0.1>;tag=a\r\n"
		"To: <sip:100@127.0.0.1>\r\n"
		"Call-ID: one@test\r\n"
		"CSeq: %u %s\r\n"
		"Max-Forwards: 70\r\n"
		"Contact: <sip:1@127.0.0.1:%u>\r\n"
		"%sContent-Length: 0\r\n\r\n",
		method, w->peer_addr.port, branch, cseq, method, w->peer_addr.port, extra);
	return text;
}

/* A request over a connection that the peer opens to our listener of that transport, "TCP" or
 * "TLS".
 */
static inline const char *stream_request(
	const char *transport, const char *method, const char *branch)
{
	static char text[2][2048];
	static unsigned turn;
	char *out = text[turn++ % 2];

	snprintf(out, sizeof(text[0]),
		"%s sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:5099;branch=%s\r\n"
		"From: <sip:1@127.0.0.1>;tag=a\r\nTo: <sip:100@127.0.0.1>\r\n"
		"Call-ID: %s@test\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		method, transport, branch, branch, method);
	return out;
}

/* The peer's response to a request of ours. */
static inline const char *response_text(const char *request, int code, const char *to_tag)
{
	static char text[4096];

	snprintf(text, sizeof(text),
		"SIP/2.0 %d Whatever\r\n"
		"Via: %s\r\nFrom: %s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n"
		"Contact: <sip:2@127.0.0.1:5070>\r\nContent-Length: 0\r\n\r\n",
		code, header(request, "Via"), header(request, "From"), header(request, "To"),
		to_tag ? ";tag=" : "", to_tag ? to_tag : "", header(request, "Call-ID"),
		header(request, "CSeq"));
	return text;
}

/* A request of ours, without Via; padding makes it long. */
static inline osip_message_t *make_request(const char *method, size_t padding)
{
	char *text = malloc(padding + 1024), *pad = calloc(1, padding + 1);
	osip_message_t *msg;
	int n;

	memset(pad, 'x', padding);
	n = snprintf(text, padding + 1024,
		"%s sip:2@127.0.0.1 SIP/2.0\r\n"
		"From: <sip:1@127.0.0.1>;tag=b\r\nTo: <sip:2@127.0.0.1>\r\n"
		"Call-ID: two@test\r\nCSeq: 7 %s\r\n%s%s%s\r\n",
		method, method, padding ? "Subject: " : "", pad, padding ? "\r\n" : "");
	assert_int_equal(osip_message_init(&msg), 0);
	assert_int_equal(osip_message_parse(msg, text, (size_t)n), 0);
	free(pad);
	free(text);
	return msg;
}

static inline struct sip_client *client_send(struct world *w, const char *method, size_t padding)
{
	struct sip_dest dest = {.listener = 0, .remote = w->peer_addr};
	struct sip_client *c = NULL;

	assert_int_equal(sip_client_send(w->sip, &dest, make_request(method, padding), w,
				 &client_handlers, &c),
		0);
	return c;
}

#endif
