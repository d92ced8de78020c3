/* SPDX-License-Identifier: BSD-2-Clause */
/* Live calls by peer, for its calls_max. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/internal.h"

static unsigned *peer_live(const struct calls *calls, const struct peer_config *peer)
{
	/* A call that began before a reload counts with the peer that bears the name now. */
	const struct peer_config *now = config_peer_by_name(calls->cfg, peer->name);

	return now && calls->peer_live ? &calls->peer_live[config_peer_index(calls->cfg, now)]
				       : NULL;
}

bool peer_has_room(const struct calls *calls, const struct peer_config *peer)
{
	const unsigned *live = peer_live(calls, peer);

	return !peer->calls_max || !live || *live < peer->calls_max;
}

static void count_peer(struct call *call, enum leg leg, int change)
{
	unsigned *live = call->peer[leg] ? peer_live(call->calls, call->peer[leg]) : NULL;

	if (live && (change > 0 || *live > 0))
		*live += (unsigned)change;
}

void call_set_peer(struct call *call, enum leg leg, const struct peer_config *peer)
{
	count_peer(call, leg, -1);
	call->peer[leg] = peer;
	count_peer(call, leg, 1);
}

void call_uncount(struct call *call)
{
	if (!call->counted)
		return;
	call->counted = false;
	call->calls->live--;
	count_peer(call, LEG_A, -1);
	count_peer(call, LEG_B, -1);
}

unsigned *peer_counts_new(const struct config *cfg)
{
	return calloc(cfg->peer_count + 1, sizeof(unsigned));
}

/* Counts anew into counts, for the configuration that is now in force. */
void count_peers(struct calls *calls, unsigned *counts)
{
	struct call *call;

	free(calls->peer_live);
	calls->peer_live = counts;
	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id) {
		for (enum leg leg = LEG_A; call->counted && leg <= LEG_B; leg++)
			count_peer(call, leg, 1);
	}
}

unsigned calls_count_peer(const struct calls *calls, const char *peer_name)
{
	const struct peer_config *peer = config_peer_by_name(calls->cfg, peer_name);
	const unsigned *live = peer ? peer_live(calls, peer) : NULL;

	return live ? *live : 0;
}
