/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS on loopback: whose certificate opens a connection, what one connection serves, what becomes
 * of those who do not play by the rules. The other end is OpenSSL by itself. */
#include "test_sip_loopback.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "config/tls_context.h"
#include "test_certificates.h"

#define PEER_NAME  "sip.peer.example"
#define OTHER_NAME "sip.other.example"
#define OUR_NAME   "sbc.example.com"

static struct files files;
static struct identity ca, ours, theirs, others;
static struct tls_profile profile;

static int make_profile(void **state)
{
	struct tls_problem problem;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	files_init(&files);
	ca = issue(NULL, (struct wish){.cn = "CA"});
	ours = issue(&ca, (struct wish){.cn = "x", .san = "DNS:" OUR_NAME});
	theirs = issue(
		&ca, (struct wish){.cn = "x", .san = "DNS:" PEER_NAME, .usage = "serverAuth"});
	others = issue(&ca, (struct wish){.cn = "x", .san = "DNS:" OTHER_NAME});
	profile = profile_of(&files, &ca, &ours, OUR_NAME);
	assert_int_equal(tls_context_new(&profile, &problem), 0);
	return 0;
}

static int drop_profile(void **state)
{
	(void)state;
	tls_context_free(profile.context);
	remove_files(&files);
	identity_free(&others);
	identity_free(&theirs);
	identity_free(&ours);
	identity_free(&ca);
	return 0;
}

static void open_world(struct world *w)
{
	world_open_tls(w, &profile);
	w->cfg.tls = &profile;
	w->cfg.tls_count = 1;
	w->peer.certificate_name[0] = (char *)PEER_NAME;
	w->peer.certificate_name_count = 1;
}

/* ---- the other end ---- */

struct end {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool failed;
};

static SSL_CTX *end_context(const struct identity *id, const struct identity *authority)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (id) {
		assert_int_equal(SSL_CTX_use_certificate(ctx, id->certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(ctx, id->key), 1);
	}
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority->certificate);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"end", 3);
	return ctx;
}

/* One step of both ends; ret is what OpenSSL returned. */
static bool goes_on(struct world *w, struct end *e, int ret)
{
	int error = SSL_get_error(e->ssl, ret);

	loop_once(w->loop, 1);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return true;
	ERR_clear_error();
	e->failed = true;
	return false;
}

static bool end_handshake(struct world *w, struct end *e)
{
	int ret = -1;

	for (unsigned i = 0; i < PATIENCE_MS; i++) {
		ret = SSL_do_handshake(e->ssl);
		if (ret == 1 || !goes_on(w, e, ret))
			break;
	}
	run_ms(w, 5);
	return ret == 1;
}

static int plain_connect(struct world *w)
{
	struct sockaddr_storage ss;
	struct addr to = localhost(w->sip->listener[2]->local.port), from = localhost(0);
	socklen_t len = addr_to_sockaddr(&to, &ss);
	int fd = listener_socket(&from, SOCK_STREAM);
	int ret = connect(fd, (struct sockaddr *)&ss, len);

	assert_true(ret == 0 || errno == EINPROGRESS);
	run_ms(w, 3);
	return fd;
}

/* Takes ctx over. */
static struct end end_connect_with(struct world *w, SSL_CTX *ctx, SSL_SESSION *session)
{
	struct end e = {.ctx = ctx, .fd = plain_connect(w)};

	e.ssl = SSL_new(ctx);
	SSL_set_fd(e.ssl, e.fd);
	SSL_set_connect_state(e.ssl);
	if (session)
		SSL_set_session(e.ssl, session);
	end_handshake(w, &e);
	return e;
}

static struct end end_connect(struct world *w, const struct identity *id, const struct identity *by)
{
	return end_connect_with(w, end_context(id, by), NULL);
}

static void end_close(struct end *e)
{
	/* Without, OpenSSL takes the session for a bad one. */
	if (!e->failed)
		SSL_shutdown(e->ssl);
	ERR_clear_error();
	SSL_free(e->ssl);
	SSL_CTX_free(e->ctx);
	if (e->fd >= 0)
		close(e->fd);
}

static void end_send(struct world *w, struct end *e, const char *text)
{
	assert_int_equal(SSL_write(e->ssl, text, (int)strlen(text)), strlen(text));
	run_ms(w, 3);
}

/* What comes within ms; "" for nothing. */
static const char *end_receive_within(struct world *w, struct end *e, unsigned ms)
{
	static char buf[SIP_MESSAGE_MAX + 1];
	uint64_t end = loop_now_ms(w->loop) + ms;
	int n;

	do {
		n = SSL_read(e->ssl, buf, sizeof(buf) - 1);
	} while (n <= 0 && goes_on(w, e, n) && loop_now_ms(w->loop) < end);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static const char *end_receive(struct world *w, struct end *e)
{
	return end_receive_within(w, e, PATIENCE_MS);
}

/* Whether we have ended the connection: seen by reading, for TLS 1.3 tells refusals late. */
static bool end_is_refused(struct world *w, struct end *e)
{
	if (!e->failed)
		end_receive_within(w, e, 500);
	return e->failed;
}

static const char *request(const char *method, const char *branch)
{
	return stream_request("TLS", method, branch);
}

/* ---- a peer that connects to us ---- */

static void test_peer_with_its_certificate_is_served(void **state)
{
	struct sip_tls_info info;
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	w.reply_code = 200;
	e = end_connect(&w, &theirs, &ca);
	assert_false(e.failed);
	end_send(&w, &e, request("OPTIONS", "z9hG4bK1"));
	expect_start(end_receive(&w, &e), "SIP/2.0 200 OK");
	assert_int_equal(w.sip->status.tls_accepted, 1);
	assert_int_equal(w.sip->status.tls_handshakes, 0);
	assert_int_equal(w.events, 0);
	sip_get_tls(w.sip, "peer", &info);
	assert_int_equal(info.connections, 1);
	assert_string_equal(info.version, "TLSv1.3");
	assert_string_equal(info.cipher, "TLS_AES_128_GCM_SHA256");
	assert_string_equal(info.certificate.name[0], PEER_NAME);
	end_close(&e);
	run_ms(&w, 5);
	assert_int_equal(w.sip->connection_count, 0);
	world_close(&w);
}

/* The handshake of a peer that knows no later version than that; what that came to. */
static bool is_served_up_to(struct world *w, int version, char *used, size_t room)
{
	SSL_CTX *ctx = end_context(&theirs, &ca);
	struct end e;
	bool good;

	/* What is older than 1.2 has to be asked for, too. */
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, version);
	e = end_connect_with(w, ctx, NULL);
	good = !e.failed && w->sip->status.tls_accepted == 1;
	snprintf(used, room, "%s", SSL_get_version(e.ssl));
	end_close(&e);
	run_ms(w, 5);
	return good;
}

static void test_each_version_is_served_from_the_least_on(void **state)
{
	static const struct {
		int least, known;
		const char *used; /* NULL: refused */
	} cases[] = {{TLS1_2_VERSION, TLS1_3_VERSION, "TLSv1.3"},
		{TLS1_2_VERSION, TLS1_2_VERSION, "TLSv1.2"}, {TLS1_2_VERSION, TLS1_1_VERSION, NULL},
		{TLS1_3_VERSION, TLS1_3_VERSION, "TLSv1.3"},
		{TLS1_3_VERSION, TLS1_2_VERSION, NULL}};
	struct tls_profile before = profile;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_problem problem;
		char used[16];
		struct world w;
		bool good;

		profile.min_version = (unsigned)cases[i].least;
		assert_int_equal(tls_context_new(&profile, &problem), 0);
		open_world(&w);
		good = is_served_up_to(&w, cases[i].known, used, sizeof(used));
		assert_int_equal(good, cases[i].used != NULL);
		if (cases[i].used)
			assert_string_equal(used, cases[i].used);
		assert_int_equal(w.sip->status.tls_failed, cases[i].used ? 0 : 1);
		world_close(&w);
		tls_context_free(profile.context);
		profile = before;
	}
}

static void expect_refused(const struct identity *id, const char *why, size_t counter)
{
	struct sip_status status;
	struct world w;
	struct end e;

	open_world(&w);
	e = end_connect(&w, id, &ca);
	assert_true(end_is_refused(&w, &e));
	sip_get_status(w.sip, &status);
	assert_int_equal(*(uint64_t *)(void *)((char *)&status + counter), 1);
	assert_int_equal(status.tls_accepted, 0);
	assert_int_equal(w.events, 1);
	assert_non_null(strstr(w.last_event, "127.0.0.1:"));
	assert_non_null(strstr(w.last_event, "at listener tls refused: "));
	if (!strstr(w.last_event, why))
		fail_msg("%s", w.last_event);
	assert_int_equal(w.sip->connection_count, 0);
	end_close(&e);
	world_close(&w);
}

static void test_each_wrong_certificate_is_refused_with_its_reason(void **state)
{
	struct identity rogue = issue(NULL, (struct wish){.cn = "Rogue"});
	struct identity untrusted =
		issue(&rogue, (struct wish){.cn = "x", .san = "DNS:" PEER_NAME});
	struct identity self = issue(NULL, (struct wish){.cn = "x", .san = "DNS:" PEER_NAME});
	struct identity expired = issue(&ca, (struct wish){.cn = "x",
						     .san = "DNS:" PEER_NAME,
						     .from_s = -9 * DAY_S,
						     .until_s = -DAY_S});
	struct identity mail = issue(
		&ca, (struct wish){.cn = "x", .san = "DNS:" PEER_NAME, .usage = "emailProtection"});

	(void)state;
	expect_refused(
		NULL, "shows no certificate", offsetof(struct sip_status, tls_no_certificate));
	expect_refused(&others, "is for " OTHER_NAME, offsetof(struct sip_status, tls_wrong_name));
	expect_refused(&expired, "has expired", offsetof(struct sip_status, tls_expired));
	expect_refused(&untrusted, "unable to get", offsetof(struct sip_status, tls_untrusted));
	expect_refused(&self, "self-signed", offsetof(struct sip_status, tls_untrusted));
	expect_refused(&mail, "purpose", offsetof(struct sip_status, tls_untrusted));
	identity_free(&mail);
	identity_free(&expired);
	identity_free(&self);
	identity_free(&untrusted);
	identity_free(&rogue);
}

static void test_plaintext_is_refused(void **state)
{
	const char *text = request("OPTIONS", "z9hG4bK2");
	struct world w;
	char c;
	int fd;

	(void)state;
	open_world(&w);
	fd = plain_connect(&w);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	run_ms(&w, 10);
	while (recv(fd, &c, 1, MSG_DONTWAIT) == 1)
		;
	assert_true(recv(fd, &c, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.sip->status.tls_failed, 1);
	assert_int_equal(w.events, 1);
	close(fd);
	world_close(&w);
}

static void test_peers_of_one_address_are_told_apart_by_their_certificates(void **state)
{
	struct peer_config peers[2];
	struct end first, second;
	struct world w;

	(void)state;
	open_world(&w);
	w.reply_code = 200;
	peers[0] = peers[1] = w.peer;
	peers[1].name = (char *)"other";
	peers[1].certificate_name[0] = (char *)OTHER_NAME;
	w.cfg.peer = peers;
	w.cfg.peer_count = 2;
	first = end_connect(&w, &theirs, &ca);
	second = end_connect(&w, &others, &ca);
	end_send(&w, &first, request("OPTIONS", "z9hG4bK3"));
	expect_start(end_receive(&w, &first), "SIP/2.0 200 OK");
	assert_string_equal(w.last_peer->name, "peer");
	end_send(&w, &second, request("OPTIONS", "z9hG4bK4"));
	expect_start(end_receive(&w, &second), "SIP/2.0 200 OK");
	assert_string_equal(w.last_peer->name, "other");
	end_close(&first);
	end_close(&second);
	world_close(&w);
}

static void test_connection_whose_certificate_a_reload_disowns_serves_no_more(void **state)
{
	struct peer_config renamed;
	struct config next;
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	w.reply_code = 200;
	e = end_connect(&w, &theirs, &ca);
	end_send(&w, &e, request("OPTIONS", "z9hG4bK5"));
	expect_start(end_receive(&w, &e), "SIP/2.0 200 OK");
	next = w.cfg;
	next.refs = 1;
	renamed = w.peer;
	renamed.certificate_name[0] = (char *)OTHER_NAME;
	next.peer = &renamed;
	assert_int_equal(sip_reload(w.sip, &next, NULL), 0);
	end_send(&w, &e, request("OPTIONS", "z9hG4bK6"));
	expect_start(end_receive(&w, &e), "SIP/2.0 403 Forbidden");
	assert_int_equal(w.requests, 1);
	end_close(&e);
	world_close(&w);
}

static void test_half_open_handshakes_have_a_limit_and_an_end(void **state)
{
	int fd[4];
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	w.cfg.tls_handshakes_max = 8; /* a source has a quarter of them */
	for (unsigned i = 0; i < 4; i++)
		fd[i] = plain_connect(&w);
	assert_int_equal(w.sip->status.tls_handshakes, 2);
	assert_int_equal(w.sip->status.tls_handshakes_refused, 2);
	run_ms(&w, 1100);
	assert_int_equal(w.sip->status.tls_timeouts, 2);
	assert_int_equal(w.sip->status.tls_handshakes, 0);
	assert_int_equal(w.sip->connection_count, 0);
	e = end_connect(&w, &theirs, &ca);
	assert_false(e.failed);
	assert_int_equal(w.sip->status.tls_accepted, 1);
	end_close(&e);
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
	world_close(&w);
}

static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

static void test_peer_resumes_its_session(void **state)
{
	SSL_CTX *ctx = end_context(&theirs, &ca);
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	w.reply_code = 200;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	SSL_CTX_up_ref(ctx);
	e = end_connect_with(&w, ctx, NULL);
	end_send(&w, &e, request("OPTIONS", "z9hG4bK7"));
	expect_start(end_receive(&w, &e), "SIP/2.0 200 OK");
	assert_non_null(kept);
	assert_int_equal(w.sip->status.tls_resumed, 0);
	end_close(&e);
	SSL_CTX_up_ref(ctx);
	e = end_connect_with(&w, ctx, kept);
	end_send(&w, &e, request("OPTIONS", "z9hG4bK8"));
	expect_start(end_receive(&w, &e), "SIP/2.0 200 OK");
	assert_int_equal(w.sip->status.tls_resumed, 1);
	assert_string_equal(w.last_peer->name, "peer");
	/* Its names count when it is resumed as well. */
	end_close(&e);
	w.peer.certificate_name[0] = (char *)OTHER_NAME;
	SSL_CTX_up_ref(ctx);
	e = end_connect_with(&w, ctx, kept);
	assert_true(end_is_refused(&w, &e));
	assert_int_equal(w.sip->status.tls_wrong_name, 1);
	end_close(&e);
	SSL_CTX_free(ctx);
	SSL_SESSION_free(kept);
	kept = NULL;
	world_close(&w);
}

/* ---- a peer that we connect to ---- */

struct server {
	int fd;
	struct addr addr;
	SSL_CTX *ctx;
};

static struct server server_open(const struct identity *id)
{
	struct addr any = localhost(0);
	struct server s = {.fd = listener_socket(&any, SOCK_STREAM), .ctx = end_context(id, &ca)};

	assert_int_equal(listen(s.fd, 8), 0);
	s.addr = socket_addr(s.fd);
	return s;
}

static void server_close(struct server *s)
{
	SSL_CTX_free(s->ctx);
	close(s->fd);
}

static struct end server_accept(struct world *w, struct server *s)
{
	struct end e = {.ctx = s->ctx, .fd = -1};

	for (unsigned i = 0; e.fd < 0 && i < PATIENCE_MS; i++) {
		loop_once(w->loop, 1);
		e.fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK);
	}
	assert_true(e.fd >= 0);
	SSL_CTX_up_ref(s->ctx);
	e.ssl = SSL_new(s->ctx);
	SSL_set_fd(e.ssl, e.fd);
	SSL_set_accept_state(e.ssl);
	end_handshake(w, &e);
	return e;
}

static int send_a(struct world *w, const char *method, const struct addr *to, size_t padding)
{
	struct sip_dest dest = {.listener = 2, .remote = *to, .peer = "peer"};

	return sip_client_send(
		w->sip, &dest, make_request(method, padding), w, &client_handlers, NULL);
}

static int send_to(struct world *w, const struct addr *to, size_t padding)
{
	return send_a(w, "MESSAGE", to, padding);
}

static void test_our_requests_share_one_connection_and_name_us(void **state)
{
	struct server s = server_open(&theirs);
	char text[4096];
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	assert_int_equal(send_to(&w, &s.addr, 0), 0);
	e = server_accept(&w, &s);
	assert_false(e.failed);
	keep(text, sizeof(text), end_receive(&w, &e));
	assert_true(starts_with(header(text, "Via"), "SIP/2.0/TLS " OUR_NAME ":"));
	assert_true(strstr(sip_listener_contact(w.sip, 2), OUR_NAME ":") != NULL);
	assert_true(strstr(sip_listener_contact(w.sip, 2), ";transport=tls") != NULL);
	assert_string_equal(SSL_get_servername(e.ssl, TLSEXT_NAMETYPE_host_name), PEER_NAME);
	assert_true(certificate_is_for(SSL_get0_peer_certificate(e.ssl), OUR_NAME));
	end_send(&w, &e, response_text(text, 200, "x"));
	assert_int_equal(w.responses, 1);
	assert_int_equal(send_to(&w, &s.addr, 0), 0);
	assert_int_equal(send_to(&w, &s.addr, 0), 0);
	expect_start(end_receive(&w, &e), "MESSAGE ");
	assert_int_equal(w.sip->status.tls_connected, 1);
	assert_int_equal(w.sip->connection_count, 1);
	end_close(&e);
	server_close(&s);
	world_close(&w);
}

static void test_our_request_goes_over_the_connection_that_the_peer_opened(void **state)
{
	struct addr nobody = localhost(1);
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	e = end_connect(&w, &theirs, &ca);
	assert_int_equal(send_to(&w, &nobody, 0), 0);
	expect_start(end_receive(&w, &e), "MESSAGE ");
	assert_int_equal(w.sip->status.tls_reused, 1);
	assert_int_equal(w.sip->connection_count, 1);
	end_close(&e);
	run_ms(&w, 5);
	/* A connection of somebody else's at that address is none of the peer's. */
	w.peer.certificate_name[0] = (char *)OTHER_NAME;
	e = end_connect(&w, &others, &ca);
	assert_false(e.failed);
	w.peer.certificate_name[0] = (char *)PEER_NAME;
	w.sip->generation++;
	(void)send_to(&w, &nobody, 0);
	assert_string_equal(end_receive_within(&w, &e, 20), "");
	assert_int_equal(w.sip->status.tls_reused, 1);
	end_close(&e);
	world_close(&w);
}

/* RFC 3261 18.2.2. Many say no close_notify: what was said is whole, by its Content-Length. */
static void test_peer_that_hangs_up_in_order_answers_by_a_connection_of_its_own(void **state)
{
	(void)state;
	for (unsigned notifies = 0; notifies < 2; notifies++) {
		struct server s = server_open(&theirs);
		char invite[4096];
		struct world w;
		struct end e;

		open_world(&w);
		assert_int_equal(send_a(&w, "INVITE", &s.addr, 0), 0);
		e = server_accept(&w, &s);
		keep(invite, sizeof(invite), end_receive(&w, &e));
		expect_start(invite, "INVITE ");
		e.failed = !notifies;
		end_close(&e);
		run_ms(&w, 5);
		assert_int_equal(w.sip->connection_count, 0);
		assert_int_equal(w.failed, 0);
		e = end_connect(&w, &theirs, &ca);
		end_send(&w, &e, response_text(invite, 180, "x"));
		end_send(&w, &e, response_text(invite, 486, "x"));
		assert_int_equal(w.responses, 2);
		assert_int_equal(w.last_code, 486);
		/* RFC 5923: by that connection as well. */
		expect_start(end_receive(&w, &e), "ACK ");
		run_ms(&w, 5);
		assert_int_equal(w.failed, 0);
		assert_int_equal(w.client_gone, 1);
		assert_int_equal(w.sip->client_count, 0);
		assert_int_equal(w.sip->status.transactions, 0);
		assert_int_equal(w.sip->status.transport_errors, 0);
		assert_int_equal(w.sip->connection_count, 1);
		end_close(&e);
		server_close(&s);
		world_close(&w);
	}
}

/* Its end is there, and nobody has read it yet, when the request is sent. */
static void test_request_that_crosses_the_end_of_its_connection_goes_by_another_one(void **state)
{
	(void)state;
	for (unsigned notifies = 0; notifies < 2; notifies++) {
		struct server s = server_open(&theirs);
		struct world w;
		struct end e;

		open_world(&w);
		assert_int_equal(send_to(&w, &s.addr, 0), 0);
		e = server_accept(&w, &s);
		end_send(&w, &e, response_text(end_receive(&w, &e), 200, "x"));
		assert_int_equal(w.last_code, 200);
		e.failed = !notifies;
		end_close(&e);
		assert_int_equal(send_a(&w, "INVITE", &s.addr, 0), 0);
		e = server_accept(&w, &s);
		expect_start(end_receive(&w, &e), "INVITE ");
		assert_int_equal(w.failed, 0);
		end_close(&e);
		server_close(&s);
		world_close(&w);
	}
}

static void expect_server_refused(const struct identity *id, const char *why)
{
	struct server s = server_open(id);
	struct world w;
	struct end e;

	open_world(&w);
	assert_int_equal(send_to(&w, &s.addr, 0), 0);
	e = server_accept(&w, &s);
	run_ms(&w, 5);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.events, 1);
	assert_non_null(strstr(w.last_event, "peer peer at 127.0.0.1:"));
	if (!strstr(w.last_event, why))
		fail_msg("%s", w.last_event);
	end_close(&e);
	server_close(&s);
	world_close(&w);
}

static void test_wrong_certificate_of_a_server_fails_the_request(void **state)
{
	struct identity expired = issue(&ca, (struct wish){.cn = "x",
						     .san = "DNS:" PEER_NAME,
						     .from_s = -9 * DAY_S,
						     .until_s = -DAY_S});
	struct identity self = issue(NULL, (struct wish){.cn = "x", .san = "DNS:" PEER_NAME});

	(void)state;
	expect_server_refused(&others, "is for " OTHER_NAME ", expected " PEER_NAME);
	expect_server_refused(&expired, "has expired");
	expect_server_refused(&self, "self-signed");
	identity_free(&self);
	identity_free(&expired);
}

static void test_server_that_refuses_our_certificate_is_told_of(void **state)
{
	struct identity rogue = issue(NULL, (struct wish){.cn = "Rogue"});
	struct server s = server_open(&theirs);
	struct world w;
	struct end e;

	(void)state;
	SSL_CTX_free(s.ctx);
	s.ctx = end_context(&theirs, &rogue);
	open_world(&w);
	assert_int_equal(send_to(&w, &s.addr, 0), 0);
	e = server_accept(&w, &s);
	run_ms(&w, 10);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.sip->status.tls_refused_us, 1);
	assert_non_null(strstr(w.last_event, "it refuses us: "));
	assert_int_equal(w.events, 1);
	end_close(&e);
	server_close(&s);
	identity_free(&rogue);
	world_close(&w);
}

static void test_we_resume_our_session(void **state)
{
	struct server s = server_open(&theirs);
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	for (unsigned i = 0; i < 2; i++) {
		char text[4096];

		assert_int_equal(send_to(&w, &s.addr, 0), 0);
		e = server_accept(&w, &s);
		keep(text, sizeof(text), end_receive(&w, &e));
		end_send(&w, &e, response_text(text, 200, "x"));
		assert_int_equal(w.responses, i + 1);
		end_close(&e);
		run_ms(&w, 5);
		assert_int_equal(w.sip->connection_count, 0);
	}
	assert_int_equal(w.sip->status.tls_connected, 2);
	assert_int_equal(w.sip->status.tls_resumed, 1);
	server_close(&s);
	world_close(&w);
}

static void test_peer_that_cannot_be_reached_is_left_alone_for_a_while(void **state)
{
	struct addr nobody = localhost(1);
	struct world w;

	(void)state;
	open_world(&w);
	for (unsigned i = 1; i <= 2; i++) {
		int ret = send_to(&w, &nobody, 0);

		run_ms(&w, 10);
		assert_true(ret || w.failed == i);
		w.failed = ret ? i : w.failed;
	}
	assert_int_equal(send_to(&w, &nobody, 0), -EHOSTDOWN);
	assert_int_equal(w.sip->status.backoff_refused, 1);
	run_ms(&w, BACKOFF_FIRST_MS + 10);
	assert_int_not_equal(send_to(&w, &nobody, 0), -EHOSTDOWN);
	run_ms(&w, 10);
	/* Twice as long, as far as the configuration lets it. */
	run_ms(&w, BACKOFF_FIRST_MS + 10);
	assert_int_equal(send_to(&w, &nobody, 0), -EHOSTDOWN);
	run_ms(&w, BACKOFF_FIRST_MS);
	assert_int_not_equal(send_to(&w, &nobody, 0), -EHOSTDOWN);
	world_close(&w);
}

static void test_idle_connection_is_pinged_and_a_pong_that_stays_away_ends_it(void **state)
{
	struct server s = server_open(&theirs);
	char text[4096];
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	w.cfg.keepalive_s = 1;
	assert_int_equal(send_to(&w, &s.addr, 0), 0);
	e = server_accept(&w, &s);
	keep(text, sizeof(text), end_receive(&w, &e));
	end_send(&w, &e, response_text(text, 200, "x"));
	assert_string_equal(end_receive(&w, &e), "\r\n\r\n");
	assert_int_equal(w.sip->status.pings, 1);
	end_send(&w, &e, "\r\n");
	assert_int_equal(w.sip->connection_count, 1);
	assert_string_equal(end_receive(&w, &e), "\r\n\r\n");
	run_ms(&w, 1100);
	assert_int_equal(w.sip->connection_count, 0);
	assert_int_equal(w.sip->status.pongs_missed, 1);
	end_close(&e);
	server_close(&s);
	world_close(&w);
}

static void test_peer_that_never_answers_pings_keeps_its_connection(void **state)
{
	struct server s = server_open(&theirs);
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	w.cfg.keepalive_s = 1;
	assert_int_equal(send_to(&w, &s.addr, 0), 0);
	e = server_accept(&w, &s);
	expect_start(end_receive(&w, &e), "MESSAGE ");
	assert_string_equal(end_receive(&w, &e), "\r\n\r\n");
	run_ms(&w, 1100);
	assert_int_equal(w.sip->connection_count, 1);
	assert_int_equal(w.sip->status.pongs_missed, 0);
	end_close(&e);
	server_close(&s);
	world_close(&w);
}

static void test_slow_reader_gets_every_byte_in_order(void **state)
{
	enum { MESSAGES = 7, PADDING = 60000 };
	struct server s = server_open(&theirs);
	size_t got = 0, headers = 0;
	struct world w;
	struct end e;

	(void)state;
	open_world(&w);
	w.sip->t1_ms = 500;
	assert_int_equal(send_to(&w, &s.addr, PADDING), 0);
	e = server_accept(&w, &s);
	for (unsigned i = 1; i < MESSAGES; i++) {
		assert_int_equal(send_to(&w, &s.addr, PADDING), 0);
		run_ms(&w, 2);
	}
	for (;;) {
		const char *text = end_receive_within(&w, &e, 100);
		const char *at = text;

		if (!*text)
			break;
		got += strlen(text);
		while ((at = strstr(at, "MESSAGE sip:"))) {
			headers++;
			at++;
		}
	}
	assert_false(e.failed);
	assert_int_equal(headers, MESSAGES);
	assert_true(got > MESSAGES * (size_t)PADDING && got < MESSAGES * (size_t)(PADDING + 1000));
	assert_int_equal(w.sip->connection_count, 1);
	end_close(&e);
	server_close(&s);
	world_close(&w);
}

static void test_reload_takes_a_new_certificate_and_drops_no_connection(void **state)
{
	struct identity renewed =
		issue(&ca, (struct wish){.cn = "x", .san = "DNS:" OUR_NAME ",DNS:renewed.example"});
	struct tls_profile changed = profile;
	struct listener_config listener[3];
	struct tls_problem problem;
	struct end before, after;
	struct config next;
	struct world w;

	(void)state;
	open_world(&w);
	w.reply_code = 200;
	before = end_connect(&w, &theirs, &ca);
	changed.certificate =
		(char *)(uintptr_t)write_certificate(&files, "new.pem", renewed.certificate);
	changed.key = (char *)(uintptr_t)write_key(&files, "newkey.pem", renewed.key, 0600);
	assert_int_equal(tls_context_new(&changed, &problem), 0);
	next = w.cfg;
	next.refs = 1;
	memcpy(listener, w.listener, sizeof(listener));
	listener[2].tls = &changed;
	next.listener = listener;
	next.tls = &changed;
	assert_int_equal(sip_reload(w.sip, &next, NULL), 0);
	after = end_connect(&w, &theirs, &ca);
	assert_true(certificate_is_for(SSL_get0_peer_certificate(after.ssl), "renewed.example"));
	assert_false(certificate_is_for(SSL_get0_peer_certificate(before.ssl), "renewed.example"));
	end_send(&w, &before, request("OPTIONS", "z9hG4bK9"));
	expect_start(end_receive(&w, &before), "SIP/2.0 200 OK");
	end_close(&before);
	end_close(&after);
	world_close(&w);
	tls_context_free(changed.context);
	identity_free(&renewed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_with_its_certificate_is_served),
		cmocka_unit_test(test_each_version_is_served_from_the_least_on),
		cmocka_unit_test(test_each_wrong_certificate_is_refused_with_its_reason),
		cmocka_unit_test(test_plaintext_is_refused),
		cmocka_unit_test(test_peers_of_one_address_are_told_apart_by_their_certificates),
		cmocka_unit_test(test_connection_whose_certificate_a_reload_disowns_serves_no_more),
		cmocka_unit_test(test_half_open_handshakes_have_a_limit_and_an_end),
		cmocka_unit_test(test_peer_resumes_its_session),
		cmocka_unit_test(test_our_requests_share_one_connection_and_name_us),
		cmocka_unit_test(test_our_request_goes_over_the_connection_that_the_peer_opened),
		cmocka_unit_test(
			test_peer_that_hangs_up_in_order_answers_by_a_connection_of_its_own),
		cmocka_unit_test(
			test_request_that_crosses_the_end_of_its_connection_goes_by_another_one),
		cmocka_unit_test(test_wrong_certificate_of_a_server_fails_the_request),
		cmocka_unit_test(test_server_that_refuses_our_certificate_is_told_of),
		cmocka_unit_test(test_we_resume_our_session),
		cmocka_unit_test(test_peer_that_cannot_be_reached_is_left_alone_for_a_while),
		cmocka_unit_test(test_idle_connection_is_pinged_and_a_pong_that_stays_away_ends_it),
		cmocka_unit_test(test_peer_that_never_answers_pings_keeps_its_connection),
		cmocka_unit_test(test_slow_reader_gets_every_byte_in_order),
		cmocka_unit_test(test_reload_takes_a_new_certificate_and_drops_no_connection),
	};

	return cmocka_run_group_tests(tests, make_profile, drop_profile);
}
