/* SPDX-License-Identifier: BSD-2-Clause */
/* SIP over TCP and TLS: connections that peers open and that we open, what comes over them cut
 * anywhere, and how they end. The real sockets of the SIP room on loopback; the other ends are this
 * file's, four at most. Streams are taken apart alike however they are cut, an answer goes to who
 * asked, what is known of connections adds up, and when all has ended nothing is left.
 *
 * A record's first byte says what happens, the next, 0 to 3, to which end:
 *
 *   oE    it connects                    OEg   the same with TLS; g, o: by a certificate of the
 *                                              peer's, of another's; else by none
 *   aE    it takes a connection of ours  AEg   the same with TLS
 *   0 to 3 and a text: its bytes. In it $v, $f, $t, $i, $n, $m, $u, $g, $h and $r stand for fields
 *         of the last message that this end got, $p for the port where it listens
 *   REbytes    bytes beside TLS          nE    it reads no more, or again
 *   fE    it has said all                xE    it closes             XE    it resets
 *   qEm   we send a request to it, or, where it is none, to where the peer listens; m: I INVITE,
 *         T OPTIONS over TLS, L one too long for UDP, C INVITE that is cancelled, else OPTIONS
 *   p404  the oldest request that waits gets that answer
 *   l     the peer listens no more, or again
 *   s     the peer is a stranger from now on, or again not
 *   w50   so many ms go by */
#include "fuzz.h"

#include "../unit/test_certificates.h"
#include "../unit/test_sip_loopback.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "config/tls_context.h"
#include "fuzz_sent.h"
#include "fuzz_text.h"

#define ENDS           4
#define PEER_NAME      "sip.peer.example"
#define OPEN_MAX       64 /* requests that wait, each way */
#define GOT_MAX        (256 * 1024)
#define WAITS_MAX      12
#define WAIT_MS_MAX    200000u
#define CUTS           16 /* of a text, each framed anew */
#define LAST_WAITS_MAX 100
#define LONG_BYTES     1400

struct end {
	int fd; /* -1: none */
	SSL *ssl;
	bool is_done; /* the handshake */
	bool is_ours; /* the daemon has connected */
	bool is_deaf;
	char *sent, *got, *last;
	size_t sent_len, got_len;
};

static struct world w;
static struct end ends[ENDS];
static int listening;
static int held; /* in place of listening: else the room may connect to itself by that port */
static struct sip_server *waiting[OPEN_MAX];
static struct sip_client *asking[OPEN_MAX];
static unsigned waiting_count, asking_count;

static struct files files;
static struct identity ca, ours, theirs, others;
static struct tls_profile profile;
static SSL_CTX *contexts[3]; /* theirs, others, none */

/* ---- the room's owner ---- */

static void drop_waiting(struct sip_server *txn)
{
	for (unsigned i = 0; i < waiting_count; i++) {
		if (waiting[i] != txn)
			continue;
		memmove(&waiting[i], &waiting[i + 1], (--waiting_count - i) * sizeof(waiting[0]));
		return;
	}
}

static void server_cancelled(void *owner, struct sip_server *txn, osip_message_t *cancel)
{
	(void)owner;
	(void)cancel;
	drop_waiting(txn);
	(void)sip_server_reply(txn, 487, NULL, NULL, NULL);
}

static void server_gone(void *owner, struct sip_server *txn)
{
	(void)owner;
	drop_waiting(txn);
}

static void server_heard(void *owner, struct sip_server *txn)
{
	(void)owner;
	(void)txn;
}

static void server_failed(void *owner, struct sip_server *txn, int error)
{
	(void)owner;
	(void)txn;
	CLAIM(error < 0);
}

static const struct sip_server_handlers owner_of_servers = {.cancelled = server_cancelled,
	.not_acked = server_heard,
	.failed = server_failed,
	.gone = server_gone};

static void request_came(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	(void)ctx;
	CLAIM(!w.strangers_only && peer == &w.peer && req);
	if (waiting_count == OPEN_MAX) {
		(void)sip_server_reply(txn, 500, NULL, NULL, NULL);
		return;
	}
	sip_server_set_owner(txn, &w, &owner_of_servers);
	waiting[waiting_count++] = txn;
}

static void ack_came(void *ctx, osip_message_t *ack, const struct peer_config *peer)
{
	(void)ctx;
	CLAIM(ack && peer == &w.peer);
}

static void event_came(void *ctx, const char *kind, const char *text)
{
	(void)ctx;
	CLAIM(kind[0] && text[0]);
}

static void client_gone(void *owner, struct sip_client *txn)
{
	(void)owner;
	for (unsigned i = 0; i < asking_count; i++) {
		if (asking[i] == txn)
			asking[i] = asking[--asking_count];
	}
}

static void client_response(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	(void)owner;
	CLAIM(sip_client_request(txn));
	CLAIM(resp->status_code >= 100 && resp->status_code <= 699);
}

static void client_failed(void *owner, struct sip_client *txn, int error)
{
	(void)owner;
	(void)txn;
	CLAIM(error < 0);
}

static const struct sip_client_handlers owner_of_clients = {
	.response = client_response, .failed = client_failed, .gone = client_gone};

/* ---- the world ---- */

static SSL_CTX *end_context(const struct identity *id)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	CLAIM(ctx);
	if (id) {
		CLAIM(SSL_CTX_use_certificate(ctx, id->certificate) == 1);
		CLAIM(SSL_CTX_use_PrivateKey(ctx, id->key) == 1);
	}
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"end", 3);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct tls_problem problem;

	(void)argc;
	(void)argv;
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	signal(SIGPIPE, SIG_IGN);
	files_init(&files);
	ca = issue(NULL, (struct wish){.cn = "CA"});
	ours = issue(&ca, (struct wish){.cn = "x", .san = "DNS:sbc.example.com"});
	theirs = issue(&ca, (struct wish){.cn = "x", .san = "DNS:" PEER_NAME});
	others = issue(&ca, (struct wish){.cn = "x", .san = "DNS:sip.other.example"});
	profile = profile_of(&files, &ca, &ours, "sbc.example.com");
	CLAIM(tls_context_new(&profile, &problem) == 0);
	remove_files(&files);
	contexts[0] = end_context(&theirs);
	contexts[1] = end_context(&others);
	contexts[2] = end_context(NULL);
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

static void listen_no_more(void)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&w.peer_addr, &ss);

	if (listening >= 0)
		close(listening);
	listening = -1;
	held = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)bind(held, (struct sockaddr *)&ss, len);
}

static void listen_again(void)
{
	if (held >= 0)
		close(held);
	held = -1;
	listening = listener_socket(&w.peer_addr, SOCK_STREAM);
	CLAIM(listening < 0 || listen(listening, 8) == 0);
}

static void begin(void)
{
	world_open_tls(&w, &profile);
	w.cfg.tls = &profile;
	w.cfg.tls_count = 1;
	w.cfg.tcp_connections_max = 3;
	w.cfg.keepalive_s = 5;
	w.cfg.tls_handshakes_max = 2;
	w.peer.certificate_name[0] = (char *)(uintptr_t)PEER_NAME;
	w.peer.certificate_name_count = 1;
	w.sip->handlers.request = request_came;
	w.sip->handlers.ack = ack_came;
	w.sip->handlers.event = event_came;
	for (unsigned i = 0; i < ENDS; i++)
		ends[i] = (struct end){.fd = -1};
	held = -1;
	listen_again();
}

/* What is known of connections adds up, and none is forgotten by time. */
static void check_connections(void)
{
	const struct source_count *s;
	const struct connection *c;
	unsigned count = 0, of_sources = 0, handshakes = 0;

	for (c = w.sip->connections_by_id; c; c = c->hh_id.next) {
		count++;
		CLAIM(!c->closed && c->lf.fd >= 0);
		CLAIM(loop_timer_is_started(&c->timer));
		CLAIM(c->in_len <= c->in_room && c->in_len <= 2 * SIP_MESSAGE_MAX);
		CLAIM(c->out_len <= c->out_room && c->out_len <= TCP_QUEUE_MAX);
		/* Several that a TLS peer opened have one key. */
		CLAIM(!c->keyed || tcp_find(w.sip, &c->key) == c ||
			(c->tls && !c->is_ours && tcp_find(w.sip, &c->key)));
		CLAIM(!c->tls || c->is_handshaking || (c->peer && strcmp(c->peer, "peer") == 0));
	}
	for (s = w.sip->sources; s; s = s->hh.next) {
		of_sources += s->connections;
		handshakes += s->handshakes;
		CLAIM(s->connections && s->handshakes <= s->connections);
	}
	CLAIM(count == w.sip->connection_count && count == of_sources);
	CLAIM(count <= w.cfg.tcp_connections_max);
	CLAIM(count == w.sip->status.tcp_connections);
	CLAIM(handshakes == w.sip->handshake_count && handshakes <= w.cfg.tls_handshakes_max);
	CLAIM(HASH_CNT(hh_key, w.sip->connections_by_key) <= count);
}

/* ---- the other ends ---- */

static void end_close(struct end *e, bool is_reset)
{
	const struct linger now = {.l_onoff = 1};

	if (e->fd < 0)
		return;
	SSL_free(e->ssl);
	if (is_reset)
		(void)setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(e->fd);
	free(e->sent);
	free(e->got);
	free(e->last);
	*e = (struct end){.fd = -1};
}

static void end_new(struct end *e, int fd, bool is_ours)
{
	*e = (struct end){.fd = fd, .is_ours = is_ours};
	CLAIM((e->got = malloc(GOT_MAX + 1)));
}

static void end_tls(struct end *e, char certificate)
{
	unsigned which = certificate == 'g' ? 0 : certificate == 'o' ? 1 : 2;

	CLAIM((e->ssl = SSL_new(contexts[which])));
	CLAIM(SSL_set_fd(e->ssl, e->fd) == 1);
	if (e->is_ours)
		SSL_set_accept_state(e->ssl);
	else
		SSL_set_connect_state(e->ssl);
}

static void end_connect(struct end *e, unsigned listener)
{
	struct addr to = localhost(w.sip->listener[listener]->local.port), from = localhost(0);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&to, &ss);
	int fd = listener_socket(&from, SOCK_STREAM);

	if (fd < 0)
		return;
	(void)connect(fd, (struct sockaddr *)&ss, len);
	end_new(e, fd, false);
}

static void end_accept(struct end *e)
{
	int fd = listening < 0 ? -1 : accept4(listening, NULL, NULL, SOCK_NONBLOCK);

	if (fd >= 0)
		end_new(e, fd, true);
}

static void remember_sent(struct end *e, const char *text, size_t len)
{
	char *sent = realloc(e->sent, e->sent_len + len + 1);

	CLAIM(sent);
	memcpy(sent + e->sent_len, text, len);
	e->sent = sent;
	e->sent_len += len;
	e->sent[e->sent_len] = '\0';
}

/* RFC 3261 18.2.2: over the connection that the request came by. One that we have opened may be in
 * place of that. */
static void check_response(const struct end *e, const char *text)
{
	const char *id = header(text, "Call-ID");

	CLAIM(e->is_ours || (e->sent && memmem(e->sent, e->sent_len, id, strlen(id))));
}

/* The messages that have come whole. */
static void take_got(struct end *e)
{
	for (;;) {
		const char *stop, *field;
		size_t len;

		while (e->got_len >= 2 && memcmp(e->got, "\r\n", 2) == 0) {
			e->got_len -= 2;
			memmove(e->got, e->got + 2, e->got_len);
		}
		e->got[e->got_len] = '\0';
		stop = memmem(e->got, e->got_len, "\r\n\r\n", 4);
		if (!stop)
			break;
		field = memmem(e->got, (size_t)(stop - e->got), "\r\nContent-Length: ", 18);
		CLAIM(field); /* RFC 3261 18.3 */
		len = (size_t)(stop + 4 - e->got) + strtoul(field + 18, NULL, 10);
		if (len > e->got_len)
			break;
		free(e->last);
		CLAIM((e->last = strndup(e->got, len)));
		check_lines(e->last);
		if (strncmp(e->last, "SIP/2.0 ", 8) == 0)
			check_response(e, e->last);
		else
			check_request(e->last, len);
		e->got_len -= len;
		memmove(e->got, e->got + len, e->got_len);
	}
	CLAIM(e->got_len < GOT_MAX);
}

static void end_hear(struct end *e)
{
	ssize_t n;

	if (e->fd < 0 || e->is_deaf)
		return;
	ERR_clear_error();
	if (e->ssl && !e->is_done)
		e->is_done = SSL_do_handshake(e->ssl) == 1;
	if (e->ssl && !e->is_done)
		return;
	do {
		char *at = e->got + e->got_len;
		size_t room = GOT_MAX - e->got_len;

		n = e->ssl ? SSL_read(e->ssl, at, (int)room) : recv(e->fd, at, room, MSG_DONTWAIT);
		if (n > 0)
			e->got_len += (size_t)n;
		take_got(e);
	} while (n > 0);
	ERR_clear_error();
}

static void go_on(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		loop_once(w.loop, 0);
		for (unsigned j = 0; j < ENDS; j++)
			end_hear(&ends[j]);
	}
	test_clock_let_deliver();
	loop_once(w.loop, 0);
	check_connections();
}

static void wait_ms(uint64_t ms)
{
	uint64_t until = loop_now_ms(w.loop) + ms;

	while (fuzz_run_until(w.loop, until))
		go_on(1);
}

/* ---- however it is cut ---- */

struct frames {
	size_t end[64]; /* of each message */
	unsigned count;
	bool is_lost; /* nobody can say where the next one begins */
};

static void frame(struct frames *out, const char *text, size_t len, size_t cut)
{
	struct framing f = {0};
	size_t done = 0, n;

	out->count = 0;
	out->is_lost = false;
	for (int piece = 0; piece < 2; piece++) {
		size_t have = piece ? len : cut;

		while (done < have && !out->is_lost) {
			enum framing_kind kind =
				framing_next(&f, text + done, have - done, SIP_MESSAGE_MAX, &n);

			if (kind == FRAMING_MORE)
				break;
			CLAIM(n > 0 && n <= have - done);
			done += n;
			out->is_lost = kind == FRAMING_BAD || kind == FRAMING_TOO_LONG;
			if (kind == FRAMING_MESSAGE && out->count < 64)
				out->end[out->count++] = done;
		}
	}
}

/* What one reads as a message, the other does as well: nobody speaks in another's name. */
static void check_frame(const char *text, size_t len)
{
	static struct raw raw;
	struct guard g;

	guard_raw(&g, &raw, text, len, true);
	CLAIM(g.code || g.len == len);
}

static void check_framing(const char *text, size_t len)
{
	struct frames whole, cut;

	frame(&whole, text, len, len);
	for (unsigned i = 0; i < whole.count; i++) {
		size_t from = i ? whole.end[i - 1] : 0;

		while (from < len && (text[from] == '\r' || text[from] == '\n'))
			from++;
		check_frame(text + from, whole.end[i] - from);
	}
	for (unsigned i = 1; i < CUTS && len >= CUTS; i++) {
		frame(&cut, text, len, len * i / CUTS + i % 3);
		CLAIM(cut.count == whole.count && cut.is_lost == whole.is_lost);
		CLAIM(memcmp(cut.end, whole.end, cut.count * sizeof(cut.end[0])) == 0);
	}
}

/* ---- what happens ---- */

static const char *meaning(void *ctx, const char *text, size_t left, size_t *len)
{
	const struct end *e = ctx;
	static char port[8];

	*len = 2;
	if (left < 2)
		return NULL;
	if (text[1] != 'p')
		return field_of(e->last ? e->last : "", text[1]);
	snprintf(port, sizeof(port), "%u", w.peer_addr.port);
	return port;
}

static void say(struct end *e, const char *text, size_t len)
{
	static struct text_out out;

	out.len = 0;
	expand(&out, meaning, e, text, len);
	check_framing(out.s, out.len);
	remember_sent(e, out.s, out.len);
	for (size_t done = 0; done < out.len;) {
		const char *at = out.s + done;
		ssize_t n;

		ERR_clear_error();
		n = e->ssl ? SSL_write(e->ssl, at, (int)(out.len - done))
			   : send(e->fd, at, out.len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			break;
		done += (size_t)n;
		go_on(1);
		if (e->fd < 0)
			break;
	}
	ERR_clear_error();
}

static struct addr remote_of(const struct end *e)
{
	return e->fd >= 0 && !e->is_ours ? socket_addr(e->fd) : w.peer_addr;
}

static void ask(const struct end *e, char how)
{
	struct sip_dest dest = {.listener = how == 'T'   ? 2
					    : how == 'L' ? 0
							 : 1,
		.remote = remote_of(e),
		.peer = how == 'T' ? sip_intern(w.sip, "peer") : NULL};
	const char *method = how == 'I' || how == 'C' ? "INVITE" : "OPTIONS";
	struct sip_client *txn = NULL;

	if (asking_count == OPEN_MAX ||
		sip_client_send(w.sip, &dest, make_request(method, how == 'L' ? LONG_BYTES : 0), &w,
			&owner_of_clients, &txn))
		return;
	asking[asking_count++] = txn;
	if (how == 'C')
		(void)sip_client_cancel(txn, NULL);
}

static void answer(unsigned code)
{
	struct sip_server *txn = waiting_count ? waiting[0] : NULL;

	if (!txn)
		return;
	code = code >= 100 && code <= 699 ? code : 200;
	if (code >= 200)
		drop_waiting(txn);
	(void)sip_server_reply(txn, (int)code, NULL, NULL, NULL);
	if (code >= 200 && code < 300)
		sip_server_acked(txn);
}

static void turn(uint8_t kind, struct end *e, char what)
{
	switch (kind) {
	case 'o':
	case 'O':
		end_close(e, true);
		end_connect(e, kind == 'O' ? 2 : 1);
		if (kind == 'O' && e->fd >= 0)
			end_tls(e, what);
		break;
	case 'a':
	case 'A':
		end_close(e, true);
		end_accept(e);
		if (kind == 'A' && e->fd >= 0)
			end_tls(e, what);
		break;
	case 'f':
		if (e->ssl && e->is_done)
			(void)SSL_shutdown(e->ssl);
		else if (e->fd >= 0)
			(void)shutdown(e->fd, SHUT_WR);
		break;
	case 'x':
	case 'X':
		end_close(e, kind == 'X');
		break;
	case 'n':
		e->is_deaf = !e->is_deaf;
		break;
	case 'q':
		ask(e, what);
		break;
	default:
		break;
	}
}

static void take_record(void *ctx, uint8_t kind, const char *text, size_t len)
{
	unsigned *waits = ctx;
	struct end *e = &ends[len && text[0] >= '0' && text[0] < '0' + ENDS ? text[0] - '0' : 0];

	if (kind >= '0' && kind < '0' + ENDS) {
		e = &ends[kind - '0'];
		if (e->fd >= 0)
			say(e, text, len);
	} else if (kind == 'R' && len > 1 && e->fd >= 0) {
		remember_sent(e, text + 1, len - 1);
		(void)send(e->fd, text + 1, len - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	} else if (kind == 'p') {
		answer(fuzz_number(text, len, 999));
	} else if (kind == 'l' && listening >= 0) {
		listen_no_more();
	} else if (kind == 'l') {
		listen_again();
	} else if (kind == 's') {
		w.strangers_only = !w.strangers_only;
	} else if (kind == 'w' && (*waits)++ < WAITS_MAX) {
		wait_ms(len ? fuzz_number(text, len, WAIT_MS_MAX) : T1_MS);
	} else {
		turn(kind, e, len > 1 ? text[1] : '\0');
	}
	go_on(3);
}

static bool is_quiet(void)
{
	return !w.sip->servers && !w.sip->clients && !w.sip->remnants && !w.sip->connection_count;
}

/* Everybody has gone, and everything is answered. */
static void end_all(void)
{
	const struct peer_name *name;

	while (waiting_count)
		answer(500);
	for (unsigned i = 0; i < asking_count; i++) {
		if (MSG_IS_INVITE(sip_client_request(asking[i])))
			(void)sip_client_cancel(asking[i], NULL);
	}
	if (listening >= 0)
		listen_no_more();
	for (unsigned i = 0; i < ENDS; i++)
		end_close(&ends[i], true);
	go_on(2);
	for (unsigned i = 0; i < LAST_WAITS_MAX && !is_quiet(); i++)
		wait_ms(TIMEOUT_MS / 4);
	for (const struct connection *c = w.sip->connections_by_id; c; c = c->hh_id.next) {
		char text[ADDR_TEXT_MAX];

		fprintf(stderr, "left: %s, from port %u%s%s\n", addr_print(&c->remote, text),
			socket_addr(c->lf.fd).port, c->is_ours ? ", ours" : "",
			c->connecting ? ", connecting" : "");
	}
	CLAIM(w.sip->connection_count == 0 && !w.sip->sources && w.sip->handshake_count == 0);
	CLAIM(!w.sip->connections_by_id && !w.sip->connections_by_key);
	CLAIM(!w.sip->pending && !w.sip->dead_connections);
	CLAIM(w.sip->status.transactions == 0 && w.sip->remnant_count == 0);
	CLAIM(!w.sip->servers && !w.sip->clients && !w.sip->remnants);
	CLAIM(asking_count == 0);
	for (name = w.sip->peer_names; name; name = name->hh.next)
		CLAIM(name->transactions == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned waits = 0;

	begin();
	fuzz_each(data, size, take_record, &waits);
	end_all();
	close(held);
	world_close(&w);
	return 0;
}
