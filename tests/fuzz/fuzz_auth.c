/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of a peer that we challenge (RFC 3261 22): what comes to our side of them has answered a
 * challenge of ours with a password of the configuration, for its own method and Request-URI, and
 * once. The passwords are told to nobody.
 *
 * A record's first byte says what happens:
 *
 *   0 to 2  the peer's request or response, whose text follows. In it $v, $f, $t, $i, $n and $m
 * stand for fields of the last response, $p for the peer's port, and for the value of an
 *           Authorization that answers the challenge of that number in the last 401: $a by the
 * first user, $c by the second, $d with a wrong password, $e
 *           with the beginning of the right response, each for method and Request-URI of the text;
 *           $b: as the last time
 *   k1      a reload: methods, algorithms and what the URI has to be are others
 *   w1000   so many ms go by */
#include "fuzz.h"

#include "../unit/test_sip_loopback.h"

#include "config/users.h"
#include "digest/digest.h"
#include "fuzz_sent.h"
#include "fuzz_text.h"
#include "sip/uri.h"

#define REALM          "viaduct"
#define VALUE_MAX      4096
#define MADE_MAX       (8 * RECORDS_MAX)
#define WAITS_MAX      12
#define WAIT_MS_MAX    200000u
#define LAST_WAITS_MAX 100

static struct world w;
static struct challenge_config challenge = {.realm = (char *)(uintptr_t)REALM};
static const struct {
	const char *name, *password;
} users[] = {{"phone", "that nobody hears of"}, {"other", "nor of that one, ever"}};
static struct secret *passwords[2], *wrong;

/* Answers that are right. */
static struct made {
	char response[DIGEST_HEX_MAX + 1], method[32], *uri;
	bool is_used;
} made[MADE_MAX];
static unsigned made_count;

static char got[SIP_MESSAGE_MAX + 1];   /* the last response */
static char asked[SIP_MESSAGE_MAX + 1]; /* the last 401 */
static char value[VALUE_MAX];           /* of the last Authorization */
static char before[VALUE_MAX];          /* of the message before */
static uint32_t nc;
static const char *now; /* what is being received */

static struct secret *secret_of(const char *text)
{
	struct secret *s;

	CLAIM(secret_new(&s, strlen(text)) == 0);
	memcpy(s->text, text, strlen(text));
	s->len = strlen(text);
	return s;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char text[256];
	unsigned line;

	(void)argc;
	(void)argv;
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	snprintf(text, sizeof(text), "%s:%s\n%s:%s\n", users[0].name, users[0].password,
		users[1].name, users[1].password);
	CLAIM(users_parse(&challenge.users, secret_of(text), &line) == 0);
	for (unsigned i = 0; i < 2; i++)
		passwords[i] = secret_of(users[i].password);
	wrong = secret_of("guessed");
	fuzz_secret = users[0].password;
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

static void configure(unsigned number)
{
	challenge.methods = number & 1 ? 1u << CHALLENGE_INVITE : ~0u;
	challenge.algorithms = number & 2 ? 1u << DIGEST_MD5 : ~0u;
	challenge.any_uri = number & 4;
	challenge.nonce_lifetime_s = 30;
}

/* ---- who gets through ---- */

static bool is_for(const struct made *m, const osip_message_t *req)
{
	osip_uri_t *uri = NULL;
	bool is;

	if (strcmp(m->method, req->sip_method) != 0)
		return false;
	is = challenge.any_uri || (osip_uri_init(&uri) == 0 && osip_uri_parse(uri, m->uri) == 0 &&
					  uri_is_same(uri, req->req_uri));
	osip_uri_free(uri);
	return is;
}

static void request_came(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	struct made *right = NULL;

	(void)ctx;
	CLAIM(peer == &w.peer);
	for (unsigned i = 0; i < made_count && !right; i++) {
		if (!made[i].is_used && strstr(now, made[i].response) && is_for(&made[i], req))
			right = &made[i];
	}
	CLAIM(right || !challenge_covers(&challenge, req->sip_method));
	if (challenge_covers(&challenge, req->sip_method))
		right->is_used = true;
	(void)sip_server_reply(txn, 404, NULL, NULL, NULL);
}

static void event_came(void *ctx, const char *kind, const char *text)
{
	(void)ctx;
	CLAIM(strcmp(kind, "auth") == 0 && !fuzz_tells(text, fuzz_secret));
}

/* ---- what the peer says ---- */

static bool find_challenge(struct digest_challenge *out, unsigned number)
{
	const char *s = asked;

	for (unsigned i = 0; s && i <= number; i++) {
		s = strstr(s, "\r\nWWW-Authenticate: ");
		s = s ? s + strlen("\r\nWWW-Authenticate: ") : NULL;
	}
	return s && digest_challenge_next(out, &s, s + strcspn(s, "\r")) == 0;
}

/* Of a text: its first two words. */
struct message {
	char method[32], uri[1024];
	unsigned number;
};

static void remember_made(const struct message *m)
{
	const char *hash = strstr(value, "response=\"");
	struct made *new = &made[made_count];

	if (!hash || made_count == MADE_MAX)
		return;
	snprintf(new->response, sizeof(new->response), "%.*s", (int)strcspn(hash + 10, "\""),
		hash + 10);
	snprintf(new->method, sizeof(new->method), "%s", m->method);
	CLAIM((new->uri = strdup(m->uri)));
	new->is_used = false;
	made_count++;
}

/* To so many digits; a number of them is not the whole. */
static void cut_response(unsigned digits)
{
	char *hash = strstr(value, "response=\""), *end;

	if (!hash)
		return;
	hash += strlen("response=\"");
	end = hash + strcspn(hash, "\"");
	if (hash + digits < end)
		memmove(hash + digits, end, strlen(end) + 1);
}

static const char *credentials(const struct message *m, char who)
{
	unsigned user = who == 'c';
	struct digest_challenge c;
	struct strbuf b = {0};

	if (!find_challenge(&c, m->number))
		return "";
	if (digest_answer(&b, &c, users[user].name, who == 'd' ? wrong : passwords[user], m->method,
		    m->uri, ++nc) == 0)
		snprintf(value, sizeof(value), "%s", b.s);
	strbuf_free(&b);
	if (who == 'e')
		cut_response(nc % 3 ? nc % 32 : 0);
	else if (who != 'd')
		remember_made(m);
	return value;
}

static const char *meaning(void *ctx, const char *text, size_t left, size_t *len)
{
	static char port[8];

	*len = 2;
	if (left < 2)
		return NULL;
	switch (text[1]) {
	case 'a':
	case 'c':
	case 'd':
	case 'e':
		return credentials(ctx, text[1]);
	case 'b':
		return before;
	case 'p':
		snprintf(port, sizeof(port), "%u", w.peer_addr.port);
		return port;
	default:
		return field_of(got, text[1]);
	}
}

static void hear(void)
{
	ssize_t n;

	while ((n = recv(w.peer_fd, got, SIP_MESSAGE_MAX, MSG_DONTWAIT)) > 0) {
		got[n] = '\0';
		CLAIM(strncmp(got, "SIP/2.0 ", 8) == 0);
		check_lines(got);
		for (unsigned i = 0; i < 2; i++)
			CLAIM(!fuzz_tells(got, users[i].password));
		if (strncmp(got, "SIP/2.0 401", 11) != 0)
			continue;
		CLAIM(strstr(got, "\r\nWWW-Authenticate: Digest realm=\"" REALM "\""));
		memcpy(asked, got, (size_t)n + 1);
	}
}

static void say(unsigned number, const char *text, size_t len)
{
	static struct text_out out;
	struct flow flow = {.transport = TRANSPORT_UDP, .remote = w.peer_addr};
	struct message m = {.number = number};
	bool knows = false; /* the fuzzer has seen it somewhere: what it says itself is no leak */
	char *exact;

	out.len = 0;
	memcpy(before, value, sizeof(before));
	CLAIM((exact = strndup(text, len)));
	(void)sscanf(exact, "%31s %1023s", m.method, m.uri);
	free(exact);
	expand(&out, meaning, &m, text, len);
	/* The last byte is for strstr, and no part of the message. */
	CLAIM((exact = malloc(out.len + 1)));
	memcpy(exact, out.s, out.len);
	exact[out.len] = '\0';
	now = exact;
	for (unsigned i = 0; i < 2; i++)
		knows |= fuzz_tells(exact, users[i].password);
	if (!knows)
		receive_message(w.sip, &flow, exact, out.len, false);
	free(exact);
	loop_once(w.loop, 0);
	hear();
}

static void wait_ms(uint64_t ms)
{
	uint64_t end = loop_now_ms(w.loop) + ms;

	while (fuzz_run_until(w.loop, end))
		hear();
}

static void take_record(void *ctx, uint8_t kind, const char *text, size_t len)
{
	unsigned *waits = ctx;

	if (kind >= '0' && kind <= '2')
		say(kind - '0', text, len);
	else if (kind == 'k')
		configure(len ? (unsigned)text[0] : 0);
	else if (kind == 'w' && (*waits)++ < WAITS_MAX)
		wait_ms(fuzz_number(text, len, WAIT_MS_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned waits = 0;

	world_open(&w);
	w.peer.challenge = &challenge;
	w.sip->handlers.request = request_came;
	w.sip->handlers.event = event_came;
	configure(0);
	got[0] = asked[0] = value[0] = before[0] = '\0';
	nc = 0;
	fuzz_each(data, size, take_record, &waits);
	for (unsigned i = 0; i < LAST_WAITS_MAX && (w.sip->servers || w.sip->remnants); i++)
		wait_ms(TIMEOUT_MS / 4);
	CLAIM(w.sip->status.transactions == 0 && !w.sip->servers && !w.sip->remnants);
	world_close(&w);
	while (made_count)
		free(made[--made_count].uri);
	return 0;
}
