/* SPDX-License-Identifier: BSD-2-Clause */
/* The places of a peer that failed lately: tried last (RFC 3263 4.3 has each request begin with the
 * first; who remembers spares its callers the wait). */
#include <string.h>

#include "peer/internal.h"

static bool is_shunned(const struct peer *peer, const struct addr *remote)
{
	uint64_t now = loop_now_ms(peer->peers->loop);

	for (unsigned i = 0; i < PEER_TARGETS_MAX; i++) {
		if (peer->shunned[i].until_ms > now && addr_equal(&peer->shunned[i].remote, remote))
			return true;
	}
	return false;
}

void peer_target_failed(struct peer *peer, const struct addr *remote)
{
	uint64_t now = loop_now_ms(peer->peers->loop);
	unsigned place = 0;

	/* Its own place, else the one that is over first. */
	for (unsigned i = 0; i < PEER_TARGETS_MAX; i++) {
		if (addr_equal(&peer->shunned[i].remote, remote)) {
			place = i;
			break;
		}
		if (peer->shunned[i].until_ms < peer->shunned[place].until_ms)
			place = i;
	}
	peer->shunned[place].remote = *remote;
	peer->shunned[place].until_ms = now + peer->config->liveness.probe_ms;
}

void peer_target_answered(struct peer *peer, const struct addr *remote)
{
	for (unsigned i = 0; i < PEER_TARGETS_MAX; i++) {
		if (peer->shunned[i].until_ms && addr_equal(&peer->shunned[i].remote, remote))
			memset(&peer->shunned[i], 0, sizeof(peer->shunned[i]));
	}
}

unsigned peer_targets_by_health(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX])
{
	struct sip_dest all[PEER_TARGETS_MAX];
	unsigned count = peer_targets(peer, all), n = 0;

	for (int shunned = false; shunned <= true; shunned++) {
		for (unsigned i = 0; i < count; i++) {
			if (is_shunned(peer, &all[i].remote) == (bool)shunned)
				out[n++] = all[i];
		}
	}
	return count;
}
