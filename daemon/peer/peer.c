/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of peers, over reloads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "peer/internal.h"

const char *peer_state_name(enum peer_state state)
{
	static const char *const names[] = {"up", "failing", "down", "draining", "blocked"};

	return names[state];
}

struct peer *peer_by_name(struct peers *peers, const char *name)
{
	struct peer *peer;

	HASH_FIND(hh, peers->by_name, name, strlen(name), peer);
	return peer;
}

enum peer_state peer_get_state(const struct peer *peer)
{
	return peer->state;
}

bool peer_takes_calls(const struct peer *peer)
{
	return peer->state == PEER_UP || peer->state == PEER_FAILING;
}

unsigned peer_targets(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX])
{
	const struct listener_config *lc = &peer->peers->cfg->listener[peer->config->listener];
	unsigned listener = sip_listener_slot(peer->peers->sip, lc);

	if (listener == SIP_NO_LISTENER)
		return 0;
	out[0] = (struct sip_dest){.listener = listener, .remote = peer->config->address};
	return 1;
}

static void peer_free(struct peer *peer)
{
	free(peer);
}

static void free_table(struct peer *table)
{
	struct peer *peer, *next;

	HASH_ITER (hh, table, peer, next) {
		HASH_DEL(table, peer);
		peer_free(peer);
	}
}

/* A table with one peer for each of cfg's. 0 or -ENOMEM. */
static int make_table(struct peer **out, struct peers *peers, const struct config *cfg)
{
	struct peer *table = NULL;

	for (unsigned i = 0; i < cfg->peer_count; i++) {
		struct peer *peer = calloc(1, sizeof(*peer));

		table_add_failed = false;
		if (peer) {
			peer->peers = peers;
			peer->config = &cfg->peer[i];
			peer->name = peer->config->name;
			HASH_ADD_KEYPTR(hh, table, peer->name, strlen(peer->name), peer);
		}
		if (!peer || table_add_failed) {
			free(peer);
			free_table(table);
			return -ENOMEM;
		}
	}
	*out = table;
	return 0;
}

int peers_reload(struct peers *peers, struct config *cfg)
{
	struct peer *table, *peer;
	int ret = make_table(&table, peers, cfg);

	if (ret)
		return ret;
	for (peer = table; peer; peer = peer->hh.next) {
		const struct peer *before = peer_by_name(peers, peer->name);

		if (before)
			peer->state = before->state;
	}
	free_table(peers->by_name);
	peers->by_name = table;
	config_unref(peers->cfg);
	peers->cfg = config_ref(cfg);
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
	if (ret)
		free(peers);
	else
		*out = peers;
	return ret;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	free_table(peers->by_name);
	config_unref(peers->cfg);
	free(peers);
}
