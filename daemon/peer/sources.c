/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the requests of peers come from whose address is a host name: from what the name stands for
 * now, and, within the dialogs that they have, from what it stood for until lately. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "peer/internal.h"

#define LEAVING_MS (24u * 3600 * 1000) /* dialogs from an address that the name has left */

/* One that a peer's name makes of a source. */
struct claim {
	struct peers *peers;
	struct peer *peer; /* NULL: a reload has dropped it */
	struct source *source;
	struct loop_timer timer;
	bool leaving;
	struct claim *prev, *next;         /* of the source, in the order that they count */
	struct claim *prev_own, *next_own; /* of the peer, or of the orphans, oldest first */
	char name[];
};

struct source {
	struct source_key key;
	struct claim *claims;
	UT_hash_handle hh;
};

static struct source *find_source(const struct peers *peers, const struct source_key *key)
{
	struct source *s;

	HASH_FIND(hh, peers->sources, key, sizeof(*key), s);
	return s;
}

static struct source *need_source(struct peers *peers, const struct source_key *key)
{
	struct source *s = find_source(peers, key);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = *key;
	table_add_failed = false;
	HASH_ADD(hh, peers->sources, key, sizeof(s->key), s);
	if (table_add_failed) {
		free(s);
		return NULL;
	}
	return s;
}

/* ---- claims ---- */

static struct claim **own_list(struct claim *c)
{
	return c->peer ? &c->peer->claims : &c->peers->orphans;
}

static void claim_free(struct claim *c)
{
	struct peers *peers = c->peers;
	struct source *s = c->source;
	struct claim **list = own_list(c);

	DL_DELETE2(*list, c, prev_own, next_own);
	if (!c->peer)
		peers->orphan_count--;
	else if (c->leaving)
		c->peer->leaving_count--;
	loop_timer_stop(peers->loop, &c->timer);
	DL_DELETE(s->claims, c);
	free(c);
	if (!s->claims) {
		HASH_DEL(peers->sources, s);
		free(s);
	}
}

static void claim_is_over(struct loop_timer *t)
{
	claim_free((struct claim *)(void *)((char *)t - offsetof(struct claim, timer)));
}

/* Those that stand before those that leave, and those in the order of the file. */
static int by_rank(const struct claim *a, const struct claim *b)
{
	const struct peer_config *x = a->peer ? a->peer->config : NULL;
	const struct peer_config *y = b->peer ? b->peer->config : NULL;

	if (a->leaving != b->leaving)
		return a->leaving ? 1 : -1;
	if (!x || !y)
		return !x - !y;
	return (x > y) - (x < y);
}

/* As by_rank has it. */
static void rank(struct source *s)
{
	/* cppcheck-suppress nullPointer */
	DL_SORT(s->claims, by_rank);
}

static void oldest_goes(struct claim *list)
{
	struct claim *c;

	DL_FOREACH2(list, c, next_own)
	{
		if (c->leaving) {
			c->peers->sources_forgotten++;
			claim_free(c);
			return;
		}
	}
}

static void claim_leave(struct claim *c)
{
	c->leaving = true;
	c->peer->leaving_count++;
	c->timer.fire = claim_is_over;
	(void)loop_timer_start(c->peers->loop, &c->timer, LEAVING_MS);
	rank(c->source);
}

static void claim_stand(struct claim *c)
{
	if (c->leaving)
		c->peer->leaving_count--;
	c->leaving = false;
	loop_timer_stop(c->peers->loop, &c->timer);
	rank(c->source);
}

/* Who else has that source: told, because its requests count as one peer's. */
static void tell_conflict(struct peer *peer, const struct claim *c)
{
	const struct config *cfg = peer->peers->cfg;
	unsigned listener = peer_listener_of(cfg, peer->config, c->source->key.ip.family);
	const struct peer_config *other = config_find_peer(cfg, &c->source->key.ip, listener);
	const char *name = other ? other->name : c->source->claims->name;
	const struct claim *second = c->source->claims->next;
	char ip[ADDR_TEXT_MAX];

	if (other == peer->config || (!other && (!second || second->leaving)))
		return;
	peer->peers->sources_shared++;
	addr_print_ip(&c->source->key.ip, ip);
	if (other || strcmp(name, peer->name) != 0)
		log_limited(LOG_LEVEL_WARN,
			"peer %s: its name resolves to %s, from where requests on listener %s "
			"count as %s's",
			peer->name, ip, cfg->listener[listener].name, name);
	else
		log_limited(LOG_LEVEL_WARN,
			"peer %s: its name resolves to %s, as does another peer's: requests from "
			"there on listener %s count as %s's",
			peer->name, ip, cfg->listener[listener].name, peer->name);
}

static struct claim *claim_make(struct peer *peer, const struct source_key *key)
{
	struct source *s = need_source(peer->peers, key);
	struct claim *c = s ? calloc(1, sizeof(*c) + strlen(peer->name) + 1) : NULL;

	if (!c) {
		if (s && !s->claims) {
			HASH_DEL(peer->peers->sources, s);
			free(s);
		}
		log_limited(
			LOG_LEVEL_ERROR, "peer %s: out of memory for a source of its", peer->name);
		return NULL;
	}
	strcpy(c->name, peer->name);
	c->peers = peer->peers;
	c->peer = peer;
	c->source = s;
	DL_APPEND(s->claims, c);
	DL_APPEND2(peer->claims, c, prev_own, next_own);
	rank(s);
	tell_conflict(peer, c);
	return c;
}

/* ---- the peer's ---- */

void sources_update(struct peer *peer, const struct source_key *key, unsigned count)
{
	bool known[PEER_TARGETS_MAX] = {false};
	struct claim *c;

	DL_FOREACH2(peer->claims, c, next_own)
	{
		bool wanted = false;

		for (unsigned i = 0; i < count && !wanted; i++) {
			wanted = memcmp(&key[i], &c->source->key, sizeof(key[i])) == 0;
			known[i] |= wanted;
		}
		if (wanted)
			claim_stand(c);
		else if (!c->leaving)
			claim_leave(c);
	}
	for (unsigned i = 0; i < count; i++) {
		if (!known[i])
			claim_make(peer, &key[i]);
	}
	while (peer->leaving_count > LEAVING_MAX)
		oldest_goes(peer->claims);
}

void peer_keep_address(struct peer *peer, unsigned listener, const struct addr *address)
{
	struct source_key key;
	struct claim *c;

	if (!peer->config->host)
		return;
	memset(&key, 0, sizeof(key));
	key.listener = listener;
	key.ip = *address;
	key.ip.port = 0;
	DL_FOREACH2(peer->claims, c, next_own)
	{
		if (memcmp(&key, &c->source->key, sizeof(key)) == 0)
			return;
	}
	c = claim_make(peer, &key);
	if (c)
		claim_leave(c);
	while (peer->leaving_count > LEAVING_MAX)
		oldest_goes(peer->claims);
}

void sources_orphan(struct peer *peer)
{
	struct peers *peers = peer->peers;
	struct claim *c, *next;

	sources_update(peer, NULL, 0);
	DL_FOREACH_SAFE2(peer->claims, c, next, next_own)
	{
		DL_DELETE2(peer->claims, c, prev_own, next_own);
		c->peer = NULL;
		DL_APPEND2(peers->orphans, c, prev_own, next_own);
		peers->orphan_count++;
	}
	peer->leaving_count = 0;
	while (peers->orphan_count > ORPHANS_MAX)
		oldest_goes(peers->orphans);
}

void sources_reload(struct peers *peers)
{
	struct source *s, *next;

	HASH_ITER (hh, peers->sources, s, next) {
		struct claim *c, *next_claim;
		bool is_open = sip_listener_is_open(peers->sip, s->key.listener);

		rank(s);
		/* Its number may become another listener's. The last one takes s along. */
		DL_FOREACH_SAFE (s->claims, c, next_claim) {
			if (!is_open)
				claim_free(c);
		}
	}
}

void sources_free(struct peers *peers)
{
	while (peers->orphans)
		claim_free(peers->orphans);
}

/* ---- who asks ---- */

unsigned sources_count(const struct peers *peers)
{
	return HASH_COUNT(peers->sources);
}

const char *sources_find(
	void *ctx, const struct addr *source, unsigned listener, unsigned index, bool *leaving)
{
	const struct peers *peers = ctx;
	struct source_key key;
	const struct source *s;
	const struct claim *c;

	if (!peers->sources)
		return NULL;
	memset(&key, 0, sizeof(key));
	key.listener = listener;
	key.ip = *source;
	key.ip.port = 0;
	key.ip.pad = 0;
	s = find_source(peers, &key);
	for (c = s ? s->claims : NULL; c && index; index--)
		c = c->next;
	if (!c)
		return NULL;
	*leaving = c->leaving;
	return c->name;
}

static bool is_written(const struct peer_config *config, const struct addr *ip)
{
	for (unsigned i = 0; i < config->source_count; i++) {
		if (addr_in_prefix(ip, &config->source[i].net, config->source[i].prefix_len))
			return true;
	}
	return false;
}

bool peers_share_source(struct peers *peers, const char *named, const struct peer_config *other)
{
	const struct peer *peer = peer_by_name(peers, named);
	const struct claim *c, *also;

	if (!peer)
		return false;
	DL_FOREACH2(peer->claims, c, next_own)
	{
		if (is_written(other, &c->source->key.ip))
			return true;
		DL_FOREACH (c->source->claims, also) {
			if (strcmp(also->name, other->name) == 0)
				return true;
		}
	}
	return false;
}
