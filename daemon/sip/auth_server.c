/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of others that we challenge (RFC 3261 22.2, RFC 8760): nothing is kept for one that is
 * not answered, and what an answer costs is the same whether it is right or wrong. */
#include "sip/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "config/users.h"
#include "digest/digest.h"
#include "digest/nonce.h"
#include "sip/uri.h"

#define FAILURES_MAX       10 /* wrong passwords of one peer within the window; then it waits */
#define FAILURES_WINDOW_MS 60000
#define CREDENTIALS_HEADER "Authorization"

/* Wrong credentials of one peer. Only answers to a fresh nonce of ours count: who can give them
 * hears what we send to the peer, so that nobody else can have it locked out. */
struct auth_failures {
	uint64_t window_ms; /* its start */
	unsigned count;
	UT_hash_handle hh;
	char peer[]; /* name */
};

enum verdict { ADMITTED, CHALLENGED, STALE, MISDIRECTED, REFUSED };

/* ---- failures ---- */

static struct auth_failures *failures_of(struct sip *sip, const char *peer)
{
	struct auth_failures *f;

	HASH_FIND(hh, sip->auth_failures, peer, strlen(peer), f);
	if (f && loop_now_ms(sip->loop) - f->window_ms >= FAILURES_WINDOW_MS) {
		f->window_ms = loop_now_ms(sip->loop);
		f->count = 0;
	}
	return f;
}

static void count_failure(struct sip *sip, const char *peer)
{
	struct auth_failures *f = failures_of(sip, peer);
	size_t len = strlen(peer);
	char text[160];

	sip->status.auth_failures++;
	log_limited(LOG_LEVEL_WARN, "sip: wrong credentials from peer %s", peer);
	if (!f) {
		f = calloc(1, sizeof(*f) + len + 1);
		if (!f)
			return;
		memcpy(f->peer, peer, len);
		f->window_ms = loop_now_ms(sip->loop);
		table_add_failed = false;
		HASH_ADD_KEYPTR(hh, sip->auth_failures, f->peer, len, f);
		if (table_add_failed) {
			free(f);
			return;
		}
	}
	if (++f->count != FAILURES_MAX)
		return;
	snprintf(text, sizeof(text),
		"%s: %d requests with wrong credentials within %d s; it is refused for the rest of "
		"them",
		peer, FAILURES_MAX, FAILURES_WINDOW_MS / 1000);
	log_warn("peer %s", text);
	if (sip->handlers.event)
		sip->handlers.event(sip->handlers.ctx, "auth", text);
}

void auth_server_free(struct sip *sip)
{
	struct auth_failures *f, *next;

	HASH_ITER (hh, sip->auth_failures, f, next) {
		HASH_DEL(sip->auth_failures, f);
		free(f);
	}
	nonces_free(sip->nonces);
	sip->nonces = NULL;
}

/* ---- what a request has to show ---- */

/* The credentials for our realm. 0, -ENOENT where there are none. */
static int find_credentials(
	struct digest_credentials *c, const struct raw *raw, const struct challenge_config *config)
{
	static const size_t name_len = sizeof(CREDENTIALS_HEADER) - 1;

	for (unsigned i = 0; i < raw->count; i++) {
		const struct raw_header *h = &raw->header[i];
		size_t n = name_len;

		if (h->line.len <= n || strncasecmp(h->line.s, CREDENTIALS_HEADER, n) != 0)
			continue;
		while (n < h->line.len && (h->line.s[n] == ' ' || h->line.s[n] == '\t'))
			n++;
		if (n < h->line.len && h->line.s[n] == ':' &&
			digest_credentials_parse(c, h->value.s, h->value.len) == 0 &&
			strcmp(c->realm, config->realm) == 0)
			return 0;
	}
	return -ENOENT;
}

static bool is_offered(const struct digest_credentials *c, const struct challenge_config *config)
{
	return c->has_qop && !c->is_session && (config->algorithms & 1u << c->algorithm);
}

/* RFC 7616 3.4.6: what they were made for is what is asked for. */
static bool is_for(const struct digest_credentials *c, const osip_message_t *req)
{
	osip_uri_t *uri = NULL;
	bool is;

	is = osip_uri_init(&uri) == 0 && osip_uri_parse(uri, c->uri) == 0 &&
	     uri_is_same(uri, req->req_uri);
	osip_uri_free(uri);
	return is;
}

static enum verdict judge(struct sip *sip, const struct raw *raw, const osip_message_t *req,
	const char *peer, const struct challenge_config *config)
{
	static const char nobody[] = "no such user";
	const struct auth_failures *f = failures_of(sip, peer);
	struct digest_credentials c;
	enum nonce_verdict nonce;
	struct nonce_id id = {0};
	const struct user *user;
	int ret;

	if (find_credentials(&c, raw, config) || !is_offered(&c, config))
		return CHALLENGED;
	nonce = nonce_check(sip->nonces, c.nonce, config->realm, loop_now_ms(sip->loop),
		(uint64_t)config->nonce_lifetime_s * 1000, &id);
	if (nonce == NONCE_FRESH && f && f->count >= FAILURES_MAX)
		return REFUSED;
	user = users_find(config->users, c.username);
	/* An unknown user takes as long as a wrong password. */
	ret = digest_verify(&c, user ? user->password : nobody,
		user ? user->password_len : sizeof(nobody) - 1, req->sip_method);
	if (ret || !user) {
		if (nonce == NONCE_FRESH)
			count_failure(sip, peer);
		return CHALLENGED;
	}
	/* RFC 7616 3.3: the password is right, the nonce is not of now, or was used this often
	 * before. */
	if (nonce != NONCE_FRESH || !nonce_use(sip->nonces, &id, c.nc))
		return STALE;
	return config->any_uri || is_for(&c, req) ? ADMITTED : MISDIRECTED;
}

/* RFC 8760 2.3: one header field for each algorithm, the strongest first. */
static int add_challenges(
	struct sip *sip, osip_message_t *resp, const struct challenge_config *config, bool stale)
{
	static const enum digest_algorithm order[] = {
		DIGEST_SHA_256, DIGEST_SHA_512_256, DIGEST_MD5};
	char nonce[NONCE_LEN + 1];
	int ret = 0;

	nonce_make(sip->nonces, nonce, config->realm, loop_now_ms(sip->loop));
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]) && !ret; i++) {
		struct strbuf b = {0};

		if (!(config->algorithms & 1u << order[i]) || !digest_is_available(order[i]))
			continue;
		strbuf_add(&b, "Digest realm=");
		digest_add_quoted(&b, config->realm);
		strbuf_addf(&b, ", nonce=\"%s\", algorithm=%s, qop=\"auth\"%s", nonce,
			digest_algorithm_name(order[i]), stale ? ", stale=true" : "");
		ret = strbuf_error(&b);
		if (!ret && osip_message_set_header(resp, "WWW-Authenticate", b.s))
			ret = -ENOMEM;
		strbuf_free(&b);
	}
	return ret;
}

static void challenge(struct sip_server *s, const struct challenge_config *config, bool stale)
{
	osip_message_t *resp = NULL;

	s->sip->status.challenges_out++;
	if (sip_response_make(s, 401, NULL, NULL, &resp) == 0 &&
		add_challenges(s->sip, resp, config, stale) == 0)
		sip_server_respond(s, resp);
	else {
		osip_message_free(resp);
		sip_server_reply(s, 500, NULL, NULL, NULL);
	}
}

enum auth_verdict auth_server_judge(struct sip_server *s, const struct raw *raw)
{
	struct sip *sip = s->sip;
	const struct peer_config *peer = peer_in_force(sip, s->peer);
	const struct challenge_config *config = peer->challenge;

	if (!config || !challenge_covers(config, s->request->sip_method))
		return AUTH_ADMITTED;
	if (!sip->nonces && nonces_new(&sip->nonces)) {
		sip_server_reply(s, 500, NULL, NULL, NULL);
		return AUTH_CHALLENGED;
	}
	switch (judge(sip, raw, s->request, peer->name, config)) {
	case ADMITTED:
		return AUTH_ADMITTED;
	case CHALLENGED:
		challenge(s, config, false);
		break;
	case STALE:
		challenge(s, config, true);
		break;
	case MISDIRECTED:
		sip->status.auth_misdirected++;
		log_limited(LOG_LEVEL_WARN,
			"sip: credentials of peer %s are for another Request-URI (challenge.uri)",
			peer->name);
		sip_server_reply(s, 400, "Credentials For Another Request-URI", NULL, NULL);
		return AUTH_MISDIRECTED;
	case REFUSED:
		sip->status.auth_refused++;
		sip_server_reply(s, 403, NULL, NULL, NULL);
		return AUTH_REFUSED;
	}
	return AUTH_CHALLENGED;
}
