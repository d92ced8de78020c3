/* SPDX-License-Identifier: BSD-2-Clause */
/* The places of a peer that failed lately: tried last (RFC 3263 4.3 has each request begin with the
 * first; who remembers spares its callers the wait). Those that want no calls for a while (503 with
 * Retry-After) are left out, and so is the peer where all of them do. */
#include <string.h>

#include "peer/internal.h"

/* Where it is kept that the place is shunned; NULL: it is not. */
static const struct shunned *shunned(const struct peer *peer, const struct addr *remote)
{
	uint64_t now = loop_now_ms(peer->peers->loop);

	for (unsigned i = 0; i < PEER_TARGETS_MAX; i++) {
		if (peer->shunned[i].until_ms > now && addr_equal(&peer->shunned[i].remote, remote))
			return &peer->shunned[i];
	}
	return NULL;
}

static bool wants_none(const struct peer *peer, const struct addr *remote)
{
	const struct shunned *s = shunned(peer, remote);

	return s && s->wants_none;
}

static void shun(struct peer *peer, const struct addr *remote, unsigned ms, bool wants_none)
{
	struct shunned *s = &peer->shunned[0];

	/* Its own place, else the one that is over first. */
	for (unsigned i = 0; i < PEER_TARGETS_MAX; i++) {
		if (addr_equal(&peer->shunned[i].remote, remote)) {
			s = &peer->shunned[i];
			break;
		}
		if (peer->shunned[i].until_ms < s->until_ms)
			s = &peer->shunned[i];
	}
	*s = (struct shunned){.remote = *remote,
		.until_ms = loop_now_ms(peer->peers->loop) + ms,
		.wants_none = wants_none};
}

void peer_target_failed(struct peer *peer, const struct addr *remote)
{
	if (!wants_none(peer, remote))
		shun(peer, remote, peer->config->liveness.probe_ms, false);
}

void peer_target_answered(struct peer *peer, const struct addr *remote)
{
	for (unsigned i = 0; i < PEER_TARGETS_MAX; i++) {
		struct shunned *s = &peer->shunned[i];

		if (s->until_ms && !s->wants_none && addr_equal(&s->remote, remote))
			memset(s, 0, sizeof(*s));
	}
}

/* Milliseconds until the first of its places wants calls again, 0 = one does; UINT64_MAX: there is
 * none. */
static uint64_t all_want_none_ms(struct peer *peer)
{
	struct sip_dest place[PEER_TARGETS_MAX];
	unsigned count = peer_places(peer, place);
	uint64_t soonest = UINT64_MAX;

	for (unsigned i = 0; i < count; i++) {
		const struct shunned *s = shunned(peer, &place[i].remote);

		if (!s || !s->wants_none)
			return 0;
		if (s->until_ms < soonest)
			soonest = s->until_ms;
	}
	return count ? soonest - loop_now_ms(peer->peers->loop) : UINT64_MAX;
}

static void pause_if_all_want_none(struct peer *peer, uint64_t ms)
{
	if (ms != UINT64_MAX)
		pause_for(peer, ms);
}

void peer_target_unavailable(
	struct peer *peer, const struct addr *remote, const osip_message_t *resp)
{
	unsigned ms = pause_asked_ms(peer, resp);

	if (!ms) {
		peer_target_failed(peer, remote);
		return;
	}
	shun(peer, remote, ms, true);
	pause_if_all_want_none(peer, all_want_none_ms(peer));
}

void targets_changed(struct peer *peer)
{
	uint64_t ms = all_want_none_ms(peer);

	if (ms) {
		pause_if_all_want_none(peer, ms);
	} else if (peer->fact[FACT_PAUSED].holds) {
		loop_timer_stop(peer->peers->loop, &peer->pause_timer);
		fact_clear(peer, FACT_PAUSED, "its name stands for others now");
	}
}

unsigned peer_targets_by_health(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX])
{
	struct sip_dest all[PEER_TARGETS_MAX];
	unsigned count = peer_targets(peer, all), n = 0;

	for (int failed = false; failed <= true; failed++) {
		for (unsigned i = 0; i < count; i++) {
			const struct shunned *s = shunned(peer, &all[i].remote);

			if (!(s && s->wants_none) && (s != NULL) == (bool)failed)
				out[n++] = all[i];
		}
	}
	/* An emergency call has nowhere else to go. */
	if (!n) {
		memcpy(out, all, count * sizeof(all[0]));
		n = count;
	}
	return n;
}
