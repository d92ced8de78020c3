/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of peers, over reloads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "peer/internal.h"

struct peer *peer_by_name(struct peers *peers, const char *name)
{
	struct peer *peer;

	HASH_FIND(hh, peers->by_name, name, strlen(name), peer);
	return peer;
}

struct peer *peer_of(struct peers *peers, const struct peer_config *config)
{
	const struct peer_config *now = config_peer_of(peers->cfg, config);

	return now ? peers->by_index[config_peer_index(peers->cfg, now)] : NULL;
}

static void peer_free(struct peer *peer)
{
	names_stop(peer);
	liveness_stop(peer);
	health_stop(peer);
	loop_timer_stop(peer->peers->loop, &peer->pause_timer);
	free(peer->name);
	free(peer);
}

/* In the table, without a configuration yet. NULL when memory is out. */
static struct peer *peer_new(struct peers *peers, const char *name)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->peers = peers;
	peer->name = strdup(name);
	table_add_failed = false;
	if (peer->name)
		HASH_ADD_KEYPTR(hh, peers->by_name, peer->name, strlen(peer->name), peer);
	if (!peer->name || table_add_failed) {
		peer_free(peer);
		return NULL;
	}
	state_init(peer);
	return peer;
}

/* Drops those that no configuration names. */
static void drop(struct peers *peers)
{
	struct peer *peer, *next;

	HASH_ITER (hh, peers->by_name, peer, next) {
		if (peer->config)
			continue;
		registration_update(peer, NULL);
		HASH_DEL(peers->by_name, peer);
		peer_free(peer);
	}
}

static bool has_moved(const struct peer_config *before, const struct peer_config *now)
{
	const char *was = before->host ? before->host : "", *is = now->host ? now->host : "";

	return !addr_equal(&before->address, &now->address) || strcmp(was, is) != 0;
}

int peers_reload(struct peers *peers, struct config *cfg)
{
	struct peer **by_index = calloc(cfg->peer_count + 1, sizeof(struct peer *));
	const struct peer_config *before;
	struct peer *peer;
	int ret = by_index ? 0 : -ENOMEM;

	for (unsigned i = 0; i < cfg->peer_count && !ret; i++) {
		if (!peer_by_name(peers, cfg->peer[i].name) && !peer_new(peers, cfg->peer[i].name))
			ret = -ENOMEM;
	}
	if (!ret)
		ret = names_prepare(peers, cfg);
	if (ret) {
		names_cancel(peers);
		drop(peers);
		free(by_index);
		return ret;
	}
	for (peer = peers->by_name; peer; peer = peer->hh.next) {
		before = peer->config;
		peer->config = config_peer_by_name(cfg, peer->name);
		if (!peer->config)
			continue;
		if (before && has_moved(before, peer->config))
			health_forget(peer);
		by_index[config_peer_index(cfg, peer->config)] = peer;
		liveness_configure(peer, before ? &before->liveness : NULL);
	}
	drop(peers);
	config_unref(peers->cfg);
	peers->cfg = config_ref(cfg);
	free(peers->by_index);
	peers->by_index = by_index;
	names_commit(peers);
	for (peer = peers->by_name; peer && !peers->shutting_down; peer = peer->hh.next)
		registration_update(peer, cfg);
	return 0;
}

int peers_new(struct peers **out, struct loop *loop, struct sip *sip, struct config *cfg,
	peers_event_fn *event, void *event_ctx)
{
	struct peers *peers = calloc(1, sizeof(*peers));
	int ret;

	if (!peers)
		return -ENOMEM;
	peers->loop = loop;
	peers->sip = sip;
	peers->event = event;
	peers->event_ctx = event_ctx;
	ret = peers_reload(peers, cfg);
	if (ret) {
		peers_free(peers);
		return ret;
	}
	sip_set_named_sources(sip, sources_find, peers);
	*out = peers;
	return 0;
}

void peers_free(struct peers *peers)
{
	struct peer *peer;

	if (!peers)
		return;
	for (peer = peers->by_name; peer; peer = peer->hh.next)
		peer->config = NULL;
	drop(peers);
	registrations_free(peers);
	sources_free(peers);
	dns_free(peers->dns);
	sip_set_named_sources(peers->sip, NULL, NULL);
	config_unref(peers->cfg);
	free(peers->by_index);
	free(peers);
}
