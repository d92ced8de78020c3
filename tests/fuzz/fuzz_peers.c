/* SPDX-License-Identifier: BSD-2-Clause */
/* What peers and nameservers answer to what we ask of our own accord: OPTIONS, REGISTER with and
 * without a challenge, NAPTR, SRV, A and AAAA, over reloads. In a network namespace, where one
 * socket is every peer and the nameserver is this file. Whatever they say, each peer and each
 * registration has something due, targets are bounded and could be hosts, requests go where a peer
 * is, credentials to whom they are for, and the password nowhere.
 *
 * A record's first byte says what happens:
 *
 *   0 to 9  a peer answers the last request, the one before, and so on. In the text $v, $f, $t, $i,
 *           $n, $m, $u, $g, $h and $r stand for fields of that request
 *   dTRAN   from now on the nameserver answers so to type T (A, Q AAAA, S SRV, N NAPTR): R its code
 *           (0x0f), or s: it is silent, or t: it has more than goes into a datagram; A and N how
 *           many answers and authorities (0x0f); then those, in which 0xc00c is the name asked for
 *   xT      from now on all after the number of the query is this
 *   w2000   so many ms go by
 *   u       time goes by until a peer is asked
 *   l1      a reload: of the configuration of that number */
#include "fuzz.h"

#include <arpa/inet.h>

#include "../unit/test_dns_server.h"
#include "../unit/test_peer_world.h"
#include "fuzz_sent.h"
#include "peer/registration.h"

static const char *header(const char *text, const char *name);
#include "fuzz_text.h"

#define PEER_PORT      5060
#define PEERS          3
#define REGISTRAR      0x7f010001 /* p1's address: the only one that gets credentials */
#define HEARD_MAX      10
#define WAITS_MAX      12
#define WAIT_MS_MAX    100000u
#define PLACES_MAX     1024 /* where peers were, of an input */
#define LAST_WAITS_MAX 100

static struct world w;
static struct server server;
static struct config *configs[3];
static struct heard heard[HEARD_MAX]; /* newest first */
static unsigned heard_count;
static struct in_addr place[PLACES_MAX];
static unsigned place_count;

static struct answer {
	bool is_raw;
	uint8_t *bytes; /* NULL: no such name */
	size_t len;
} answers[4];
static const char answer_types[] = "AQSN";
static const unsigned type_of[] = {MESSAGE_A, MESSAGE_AAAA, MESSAGE_SRV, MESSAGE_NAPTR};

/* ---- the nameserver ---- */

static unsigned answer_made(
	const struct answer *a, const uint8_t *query, size_t question_end, uint8_t *out)
{
	size_t n = a->len;

	memcpy(out, query, question_end);
	out[2] = 0x85; /* a response, authoritative */
	out[3] = 0x80;
	memset(out + 6, 0, 6);
	if (a->is_raw) {
		memcpy(out + 2, a->bytes, n);
		return (unsigned)(2 + n);
	}
	if (n < 3) {
		out[3] |= 3;
		return (unsigned)question_end;
	}
	if (a->bytes[0] == 's')
		return 0;
	if (a->bytes[0] == 't')
		out[2] |= 2;
	else
		out[3] |= a->bytes[0] & 0x0f;
	out[7] = a->bytes[1] & 0x0f;
	out[9] = a->bytes[2] & 0x0f;
	memcpy(out + question_end, a->bytes + 3, n - 3);
	return (unsigned)(question_end + n - 3);
}

static void query_came(struct loop_fd *lf, uint32_t events)
{
	static uint8_t query[2048], out[SERVER_BYTES_MAX];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(
		lf->fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	size_t end = 12;
	unsigned type, n = 0;

	(void)events;
	if (len <= 16)
		return;
	while (query[end])
		end += 1u + query[end];
	end += 5;
	CLAIM(end <= (size_t)len);
	type = (unsigned)(query[end - 4] << 8 | query[end - 3]);
	for (unsigned i = 0; i < 4; i++) {
		if (type_of[i] == type)
			n = answer_made(&answers[i], query, end, out);
	}
	if (n)
		(void)sendto(lf->fd, out, n, 0, (struct sockaddr *)&from, from_len);
}

static void set_answer(bool is_raw, const char *text, size_t len)
{
	const char *type = len ? strchr(answer_types, text[0]) : NULL;
	struct answer *a = type && *type ? &answers[type - answer_types] : NULL;

	if (!a || len < 2)
		return;
	free(a->bytes);
	CLAIM((a->bytes = malloc(len - 1)));
	memcpy(a->bytes, text + 1, len - 1);
	a->len = len - 1;
	a->is_raw = is_raw;
}

/* ---- the world ---- */

static void event_came(void *ctx, const char *kind, const char *text)
{
	(void)ctx;
	CLAIM(strcmp(kind, "peer") == 0 || strcmp(kind, "register") == 0);
	CLAIM(!fuzz_tells(text, fuzz_secret));
}

static struct config *make_config(const char *p0, const char *p1, const char *p2)
{
	char text[2048];

	snprintf(text, sizeof(text),
		"sides:\n"
		"  internal: {device: test-in, addresses: [127.0.0.1]}\n"
		"  external: {device: test-out, addresses: [127.0.0.2, \"::1\"]}\n"
		"listeners:\n"
		"  - {name: out, side: external, transport: udp, port: 5099}\n"
		"dns: {servers: [\"127.0.0.1:%u\"], timeout: 1, tries: 2}\n"
		"peers:\n"
		"  - {name: p0, kind: trunk, listener: out%s}\n"
		"  - {name: p1, kind: trunk, listener: out, address: 127.1.0.1%s}\n"
		"  - {name: p2, kind: trunk, listener: out%s}\n",
		server.addr.port, p0, p1, p2);
	return load_good(text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	fuzz_be_alone();
	fuzz_have_a_secret();
	CLAIM(loop_new(&w.loop) == 0);
	server_open(&server, w.loop);
	server.udp.ready = query_came;
	w.fd = bound_socket(INADDR_ANY, &w.port);
	close(w.fd);
	configs[0] = make_config(", address: sip.test, liveness: {interval: 5, probe: 5}",
		", liveness: {interval: 0}, register: {aor: 'sip:acc@p.test', expires: 60, "
		"min_expires: 10, retry: 2, retry_max: 8}, "
		"auth: {user: acc, password_env: VIADUCT_FUZZ_PASSWORD}",
		", address: 'host.test:5060', liveness: {interval: 10, misses: 1}, "
		"register: {aor: 'sip:x@host.test', required: false}");
	configs[1] = make_config(", address: sip.test, liveness: {interval: 0}",
		", liveness: {interval: 5}, register: {aor: 'sip:acc@p.test', contact: other}, "
		"auth: {user: acc, password_env: VIADUCT_FUZZ_PASSWORD, realm: r}",
		", address: 127.1.0.2, liveness: {interval: 5}");
	configs[2] = make_config(", address: 127.1.0.3", ", liveness: {interval: 5}",
		", address: host.test, liveness: {interval: 5}, register: {aor: "
		"'sip:y@host.test'}");
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

static void begin(void)
{
	struct sip_handlers handlers = {.ctx = &w, .request = no_request};
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(PEER_PORT)};
	int on = 1;

	w.cfg = configs[0];
	w.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CLAIM(bind(w.fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	CLAIM(setsockopt(w.fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0);
	CLAIM(sip_new(&w.sip, w.loop, w.cfg, &handlers) == 0);
	sip_set_timers(w.sip, 20, 80, 60);
	CLAIM(peers_new(&w.peers, w.loop, w.sip, w.cfg, event_came, &w) == 0);
	heard_count = place_count = 0;
}

static void reload(unsigned number)
{
	struct config *cfg = configs[number % 3];

	if (sip_reload(w.sip, cfg, stderr) || peers_reload(w.peers, cfg))
		return;
	w.cfg = cfg;
}

/* ---- what holds ---- */

static void note_place(const struct addr *a)
{
	struct in_addr in;

	if (a->family != 4 || place_count == PLACES_MAX)
		return;
	memcpy(&in, a->ip, sizeof(in));
	for (unsigned i = 0; i < place_count; i++) {
		if (place[i].s_addr == in.s_addr)
			return;
	}
	place[place_count++] = in;
}

static void check_name(const struct peer *peer)
{
	struct addr drawn[DNS_TARGETS_MAX];
	struct dns_info info;

	if (!peer->watch)
		return;
	dns_get(peer->watch, &info);
	CLAIM(info.count <= DNS_TARGETS_MAX && info.error);
	CLAIM(info.ttl_ms <= TTL_MAX_MS && info.retry_ms <= TTL_MAX_MS);
	for (unsigned i = 0; i < info.count; i++) {
		const struct dns_target *t = &info.target[i];

		CLAIM(t->address.port && !addr_is_any(&t->address));
		CLAIM(t->address.family == 6 || (t->address.ip[0] && t->address.ip[0] < 224));
		CLAIM(i == 0 || t->priority >= t[-1].priority);
		CLAIM(i == 0 || t->srv >= t[-1].srv);
	}
	CLAIM(dns_draw(peer->watch, 4, drawn) <= info.count);
}

static void check_registration(const struct registration *r)
{
	CLAIM(r->client || !r->peer || loop_timer_is_started(&r->timer));
	CLAIM(!r->until_ms || !r->peer || loop_timer_is_started(&r->expiry));
	CLAIM(!r->service_route ||
		strlen(r->service_route) <= SERVICE_ROUTES_MAX * (SERVICE_ROUTE_MAX + 1));
}

/* What the operator is shown. */
static void look_at(const struct peer *peer)
{
	struct peer_registration registration;
	struct peer_status status;
	struct dns_info info;

	peer_get_status(peer, &status);
	CLAIM(strlen(peer->why) < PEER_WHY_MAX);
	if (peer_get_registration(peer, &registration))
		CLAIM(registration.state && registration.aor);
	(void)peer_get_name(peer, &info);
}

static void check_peers(void)
{
	const struct registration *r;
	struct peers_names names;
	struct peer *peer;
	unsigned rounds = 0;

	for (peer = w.peers->by_name; peer; peer = peer->hh.next) {
		struct sip_dest dest[PEER_TARGETS_MAX];
		unsigned count = peer_targets(peer, dest);

		CLAIM(count <= PEER_TARGETS_MAX);
		while (count)
			note_place(&dest[--count].remote);
		rounds += peer->has_turn;
		CLAIM(!peer->config->liveness.interval_ms || peer->is_queued ||
			loop_timer_is_started(&peer->options_timer));
		CLAIM(!peer->options == !peer->has_turn); /* too few to wait for one */
		CLAIM(peer->leaving_count <= LEAVING_MAX);
		CLAIM(!peer->fact[FACT_PAUSED].holds || loop_timer_is_started(&peer->pause_timer));
		check_name(peer);
		look_at(peer);
		if (peer->registration)
			check_registration(peer->registration);
	}
	DL_FOREACH (w.peers->leaving, r)
		CLAIM(r->client);
	peers_get_names(w.peers, &names);
	CLAIM(names.sources <= PEERS * (LEAVING_MAX + PEER_TARGETS_MAX) + ORPHANS_MAX);
	CLAIM(rounds == w.peers->rounds && rounds <= OPTIONS_ROUNDS_MAX);
	CLAIM(w.peers->orphan_count <= ORPHANS_MAX);
}

static bool is_place(struct in_addr at)
{
	for (unsigned i = 0; i < place_count; i++) {
		if (place[i].s_addr == at.s_addr)
			return true;
	}
	return false;
}

static void check_heard(const struct heard *h)
{
	check_lines(h->text);
	if (strncmp(h->text, "SIP/2.0 ", 8) != 0) {
		check_request(h->text, strlen(h->text));
		CLAIM(is_place(h->at));
	}
	CLAIM(!fuzz_tells(h->text, fuzz_secret));
	CLAIM(ntohl(h->at.s_addr) == REGISTRAR || !strcasestr(h->text, "\nAuthorization:"));
	CLAIM(ntohl(h->at.s_addr) == REGISTRAR || !strcasestr(h->text, "\nProxy-Authorization:"));
}

/* ---- what happens ---- */

/* Whether a peer was asked. */
static bool go_on(void)
{
	static struct heard h;
	bool was_asked = false;

	for (unsigned i = 0; i < 4; i++) {
		check_peers();
		loop_once(w.loop, 0);
	}
	check_peers();
	while (hear(&w, &h, 0)) {
		check_peers(); /* the loop has run in there */
		check_heard(&h);
		memmove(&heard[1], &heard[0], (HEARD_MAX - 1) * sizeof(heard[0]));
		heard[0] = h;
		heard_count += heard_count < HEARD_MAX;
		was_asked = true;
	}
	return was_asked;
}

static void wait_ms(uint64_t ms, bool is_to_be_asked)
{
	uint64_t until = loop_now_ms(w.loop) + ms;

	while (fuzz_run_until(w.loop, until)) {
		if (go_on() && is_to_be_asked)
			return;
	}
}

static const char *header(const char *text, const char *name)
{
	static char value[8][1024], line[64];
	static unsigned turn;
	char *out = value[turn++ % 8];
	const char *s;

	snprintf(line, sizeof(line), "\r\n%s: ", name);
	s = strstr(text, line);
	snprintf(out, sizeof(value[0]), "%.*s", s ? (int)strcspn(s + strlen(line), "\r") : 0,
		s ? s + strlen(line) : "");
	return out;
}

static const char *meaning(void *ctx, const char *text, size_t left, size_t *len)
{
	*len = 2;
	return left < 2 ? NULL : field_of(ctx, text[1]);
}

static void say(struct heard *h, const char *text, size_t len)
{
	static struct text_out out;
	struct flow flow = {.transport = TRANSPORT_UDP};
	char *exact;

	out.len = 0;
	expand(&out, meaning, h->text, text, len);
	flow.remote.family = 4;
	memcpy(flow.remote.ip, &h->at, sizeof(h->at));
	flow.remote.port = PEER_PORT;
	CLAIM((exact = malloc(out.len + 1)));
	memcpy(exact, out.s, out.len);
	receive_message(w.sip, &flow, exact, out.len, false);
	free(exact);
}

static void take_record(void *ctx, uint8_t kind, const char *text, size_t len)
{
	unsigned *waits = ctx;
	if (kind >= '0' && kind <= '9' && (unsigned)(kind - '0') < heard_count)
		say(&heard[kind - '0'], text, len);
	else if (kind == 'd' || kind == 'x') {
		set_answer(kind == 'x', text, len);
		return; /* the first ones are there before anything is asked */
	} else if (kind == 'u')
		wait_ms(WAIT_MS_MAX, true);
	else if (kind == 'l')
		reload(len ? (unsigned)(text[0] & 0x0f) : 0);
	else if (kind == 'w' && (*waits)++ < WAITS_MAX)
		wait_ms(fuzz_number(text, len, WAIT_MS_MAX), false);
	go_on();
}

/* The registrations are taken back, nobody answers. */
static void end_all(void)
{
	peers_shutdown(w.peers);
	for (unsigned i = 0; i < LAST_WAITS_MAX && peers_leaving(w.peers); i++)
		wait_ms(20, false);
	CLAIM(peers_leaving(w.peers) == 0);
	peers_free(w.peers);
	for (unsigned i = 0; i < LAST_WAITS_MAX && (w.sip->servers || w.sip->clients); i++)
		loop_once(w.loop, 100);
	loop_once(w.loop, 0); /* what has ended is given back from there */
	CLAIM(w.sip->status.transactions == 0 && !w.sip->clients && !w.sip->servers);
	sip_free(w.sip);
	for (unsigned i = 0; i < 3; i++)
		CLAIM(configs[i]->refs == 1);
	close(w.fd);
	for (unsigned i = 0; i < 4; i++) {
		free(answers[i].bytes);
		answers[i] = (struct answer){0};
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned waits = 0;

	begin();
	fuzz_each(data, size, take_record, &waits);
	end_all();
	return 0;
}
