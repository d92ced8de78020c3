/* SPDX-License-Identifier: BSD-2-Clause */
/* Challenges to our own requests (RFC 3261 22.2, 22.3): what a peer asked for is kept by its name,
 * each realm once, and answered beforehand from then on, which saves the round trip. */
#include "sip/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "digest/digest.h"

#define CHALLENGES_MAX 16 /* of one response that are looked at */

/* RFC 3261 22.2 of a registrar or user agent, 22.3 of a proxy. */
static const struct {
	const char *challenge, *answer;
} kinds[] = {{"WWW-Authenticate", "Authorization"}, {"Proxy-Authenticate", "Proxy-Authorization"}};

/* RFC 7616 3.3, protection space: where one answer holds. */
struct space {
	unsigned kind;
	struct digest_challenge challenge;
	uint32_t nc; /* uses of its nonce */
};

struct auth_client {
	struct space space[AUTH_SPACES_MAX]; /* oldest first */
	unsigned count;
	UT_hash_handle hh;
	char peer[]; /* name */
};

/* Credentials for who is at the other end of flow, as the configuration in force has them; NULL
 * where there are none. */
static const struct auth_config *credentials_for(
	struct sip *sip, const struct flow *flow, const char **peer_name)
{
	/* Names of several peers may stand for one address, of one provider with several accounts.
	 */
	const struct peer_config *peer = flow->whom
						 ? admit_name(sip, flow->whom)
						 : admit(sip, &flow->remote, flow->listener, NULL);

	if (peer)
		peer = peer_in_force(sip, peer);
	*peer_name = peer ? peer->name : NULL;
	return peer ? peer->auth : NULL;
}

static struct auth_client *find(struct sip *sip, const char *peer_name)
{
	struct auth_client *a;

	HASH_FIND(hh, sip->auth_clients, peer_name, strlen(peer_name), a);
	return a;
}

static struct auth_client *find_or_add(struct sip *sip, const char *peer_name)
{
	struct auth_client *a = find(sip, peer_name);
	size_t len = strlen(peer_name);

	if (a)
		return a;
	a = calloc(1, sizeof(*a) + len + 1);
	if (!a)
		return NULL;
	memcpy(a->peer, peer_name, len);
	table_add_failed = false;
	HASH_ADD_KEYPTR(hh, sip->auth_clients, a->peer, len, a);
	if (table_add_failed) {
		free(a);
		return NULL;
	}
	return a;
}

void auth_client_forget(struct sip *sip)
{
	struct auth_client *a, *next;

	HASH_ITER (hh, sip->auth_clients, a, next) {
		HASH_DEL(sip->auth_clients, a);
		free(a);
	}
}

static bool same_space(const struct space *a, const struct space *b)
{
	return a->kind == b->kind && strcmp(a->challenge.realm, b->challenge.realm) == 0;
}

static void remove_space(struct auth_client *a, unsigned i)
{
	a->count--;
	memmove(&a->space[i], &a->space[i + 1], (a->count - i) * sizeof(a->space[0]));
}

/* As the newest; the oldest gives way where there are too many. */
static void keep_space(struct auth_client *a, const struct space *space)
{
	for (unsigned i = 0; i < a->count; i++) {
		if (same_space(&a->space[i], space)) {
			remove_space(a, i);
			break;
		}
	}
	if (a->count == AUTH_SPACES_MAX)
		remove_space(a, 0);
	a->space[a->count++] = *space;
}

static void drop_space(struct auth_client *a, const struct space *space)
{
	for (unsigned i = 0; i < a->count; i++) {
		if (same_space(&a->space[i], space)) {
			remove_space(a, i);
			return;
		}
	}
}

/* ---- credentials into a request ---- */

static bool is_named(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0)
		return false;
	while (n < len && (line[n] == ' ' || line[n] == '\t'))
		n++;
	return n < len && line[n] == ':';
}

static void strip(osip_message_t *req)
{
	for (int i = osip_list_size(&req->headers) - 1; i >= 0; i--) {
		osip_header_t *h = osip_list_get(&req->headers, i);

		if (strcasecmp(h->hname, kinds[0].answer) == 0 ||
			strcasecmp(h->hname, kinds[1].answer) == 0) {
			osip_list_remove(&req->headers, i);
			osip_header_free(h);
		}
	}
	/* Where the library keeps those of a request that was parsed (sip_client_adopt). */
	osip_list_special_free(&req->authorizations, (void (*)(void *))osip_authorization_free);
	osip_list_special_free(
		&req->proxy_authorizations, (void (*)(void *))osip_authorization_free);
}

int auth_client_put(struct sip *sip, const struct flow *flow, osip_message_t *req)
{
	const struct auth_config *auth;
	struct auth_client *a;
	struct strbuf value = {0};
	const char *peer_name;
	char *uri = NULL;
	int ret = 0;

	/* Nobody has ever challenged us. */
	if (!sip->auth_clients)
		return 0;
	auth = credentials_for(sip, flow, &peer_name);
	a = auth ? find(sip, peer_name) : NULL;
	if (!a || !a->count)
		return 0;
	if (osip_uri_to_str(req->req_uri, &uri))
		return -ENOMEM;
	for (unsigned i = 0; i < a->count && !ret; i++) {
		struct space *s = &a->space[i];

		strbuf_reset(&value);
		ret = digest_answer(&value, &s->challenge, auth->user, auth->password,
			req->sip_method, uri, ++s->nc);
		if (!ret && osip_message_set_header(req, kinds[s->kind].answer, value.s))
			ret = -ENOMEM;
	}
	strbuf_free(&value);
	osip_free(uri);
	return ret;
}

void sip_copy_credentials(const struct sip_client *txn, osip_message_t *to)
{
	const char *at = txn ? txn->text : NULL, *end = at ? at + txn->len : NULL;

	while (at && (at = memchr(at, '\n', (size_t)(end - at))) && ++at < end && *at != '\r') {
		const char *stop = memchr(at, '\r', (size_t)(end - at));

		for (unsigned k = 0; k < 2 && stop; k++) {
			size_t skip = strlen(kinds[k].answer) + 1;
			char *value;

			if (!is_named(at, (size_t)(stop - at), kinds[k].answer))
				continue;
			value = strndup(at + skip, (size_t)(stop - at) - skip);
			if (value)
				osip_message_set_header(
					to, kinds[k].answer, value + strspn(value, " "));
			free(value);
		}
	}
}

/* ---- challenges ---- */

/* What one response asks for: of each space the strongest challenge that we can answer. */
struct asked {
	struct space space[AUTH_SPACES_MAX];
	unsigned count;
};

static void add_asked(struct asked *asked, const struct space *space)
{
	for (unsigned i = 0; i < asked->count; i++) {
		if (!same_space(&asked->space[i], space))
			continue;
		if (digest_is_stronger(&space->challenge, &asked->space[i].challenge))
			asked->space[i] = *space;
		return;
	}
	if (asked->count < AUTH_SPACES_MAX)
		asked->space[asked->count++] = *space;
}

static void read_challenges(
	struct asked *asked, const struct raw *raw, const struct auth_config *auth)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < raw->count; i++) {
		const struct raw_header *h = &raw->header[i];
		struct space space = {0};
		const char *at = h->value.s, *end = at + h->value.len;
		int ret;

		while (space.kind < 2 &&
			!is_named(h->line.s, h->line.len, kinds[space.kind].challenge))
			space.kind++;
		if (space.kind == 2)
			continue;
		while (seen++ < CHALLENGES_MAX &&
			(ret = digest_challenge_next(&space.challenge, &at, end)) != -ENOENT) {
			if (ret == 0 &&
				(!auth->realm || strcmp(auth->realm, space.challenge.realm) == 0))
				add_asked(asked, &space);
		}
	}
}

/* Whether this challenge was answered before in this transaction's chain: then the credentials are
 * wrong, unless it says that the nonce alone was too old. */
static bool is_refused(struct sip_client *c, const struct space *space)
{
	const char *realm = space->challenge.realm;
	uint32_t hash = table_hash(realm, strlen(realm)) ^ space->kind;

	for (unsigned i = 0; i < c->auth_answered_count; i++) {
		if (c->auth_answered[i] == hash)
			return !space->challenge.stale;
	}
	if (c->auth_answered_count < AUTH_TRIES_MAX)
		c->auth_answered[c->auth_answered_count++] = hash;
	return false;
}

static bool take_challenges(struct sip_client *c, const struct raw *raw)
{
	const char *peer_name;
	const struct auth_config *auth = credentials_for(c->sip, &c->flow, &peer_name);
	struct auth_client *a = auth ? find_or_add(c->sip, peer_name) : NULL;
	struct asked asked = {.count = 0};
	bool refused = false;

	if (!a)
		return false;
	read_challenges(&asked, raw, auth);
	for (unsigned i = 0; i < asked.count; i++) {
		if (is_refused(c, &asked.space[i])) {
			log_limited(LOG_LEVEL_WARN,
				"sip: peer %s refuses user %s with its password (realm \"%s\")",
				peer_name, auth->user, asked.space[i].challenge.realm);
			drop_space(a, &asked.space[i]);
			refused = true;
		} else {
			keep_space(a, &asked.space[i]);
		}
	}
	return asked.count && !refused;
}

osip_message_t *auth_client_make_again(struct sip_client *c, uint32_t cseq, const char *branch)
{
	const struct listener *l = listener_at(c->sip, c->flow.listener);
	osip_message_t *req = NULL;
	osip_via_t *via;
	char text[16];

	if (!l || osip_message_clone(c->ot->orig_request, &req))
		return NULL;
	via = osip_list_get(&req->vias, 0);
	osip_list_remove(&req->vias, 0);
	osip_via_free(via);
	strip(req);
	snprintf(text, sizeof(text), "%u", cseq);
	osip_free(req->cseq->number);
	req->cseq->number = osip_strdup(text);
	if (!req->cseq->number || request_put_via(l, req, c->flow.transport, branch) ||
		auth_client_put(c->sip, &c->flow, req)) {
		osip_message_free(req);
		return NULL;
	}
	return req;
}

osip_message_t *auth_client_answer(
	struct sip_client *c, const osip_message_t *resp, const struct raw *raw, const char *branch)
{
	const char *number = c->ot->orig_request->cseq->number;
	uint32_t cseq = (uint32_t)strtoul(number, NULL, 10) + 1;

	if (resp->status_code != 401 && resp->status_code != 407)
		return NULL;
	if (c->is_cancel_wanted || !c->handlers || c->auth_tries >= AUTH_TRIES_MAX ||
		!take_challenges(c, raw))
		return NULL;
	if (c->handlers->challenged)
		cseq = c->handlers->challenged(c->owner, c);
	if (!cseq)
		return NULL;
	c->auth_tries++;
	return auth_client_make_again(c, cseq, branch);
}
