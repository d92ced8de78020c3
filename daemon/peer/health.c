/* SPDX-License-Identifier: BSD-2-Clause */
/* What answers, silence and the fate of calls say about a peer. */
#include <string.h>

#include "peer/internal.h"

#define PEER_OF(t, member) ((struct peer *)(void *)((char *)(t)-offsetof(struct peer, member)))

/* Called for every response: no more than it takes. */
void peer_heard(struct peer *peer)
{
	peer->heard_ms = loop_now_ms(peer->peers->loop);
	peer->misses = 0;
	if (peer->fact[FACT_SILENT].holds)
		fact_clear(peer, FACT_SILENT, "it has answered");
}

void health_missed(struct peer *peer, uint64_t sent_ms, const char *what)
{
	/* Nobody would ask a peer that is not watched whether it is back. */
	if (!peer->config->liveness.interval_ms || peer->heard_ms >= sent_ms)
		return;
	peer->misses++;
	if (peer->misses >= peer->config->liveness.misses && !peer->fact[FACT_SILENT].holds) {
		fact_set(peer, FACT_SILENT, "no sign on %u requests in a row, the last: %s",
			peer->misses, what);
		liveness_hurry(peer);
	}
}

/* ---- the last attempts ---- */

_Static_assert(FAILING_CALLS_MAX < 64, "an outcome is a bit of 64");

/* No failure for a while. A peer that was failing is tried as the others are, but has to be good
 * from the first: half of what made it failing does so again. */
static void forget(struct loop_timer *t)
{
	struct peer *peer = PEER_OF(t, memory_timer);
	const struct failing_config *config = &peer->config->failing;
	unsigned half = peer->fact[FACT_FAILING].holds ? (config->failed + 1) / 2 : 0;

	/* Of one, half would be the whole: its next call would make it failing, good or bad. */
	if (half == config->failed)
		half = 0;
	peer->outcomes = (1ull << half) - 1;
	peer->outcome_count = half;
	if (half)
		loop_timer_start(peer->peers->loop, t, config->memory_ms);
	fact_clear(peer, FACT_FAILING, "no call has failed for %u s", config->memory_ms / 1000);
}

static void remember(struct peer *peer, bool failed)
{
	const struct failing_config *config = &peer->config->failing;
	unsigned count;

	peer->count.attempts++;
	peer->count.attempts_failed += failed;
	peer->outcomes = (peer->outcomes << 1 | failed) & ((1ull << config->calls) - 1);
	if (++peer->outcome_count > config->calls)
		peer->outcome_count = config->calls;
	count = (unsigned)__builtin_popcountll(peer->outcomes);
	if (failed) {
		peer->memory_timer.fire = forget;
		loop_timer_start(peer->peers->loop, &peer->memory_timer, config->memory_ms);
	}
	if (config->failed && count >= config->failed)
		fact_set(peer, FACT_FAILING, "%u of the last %u calls to it failed", count,
			peer->outcome_count);
	else if (!config->failed || count <= config->well)
		fact_clear(peer, FACT_FAILING, "calls to it succeed again");
}

void peer_attempt_over(struct peer *peer, enum peer_outcome outcome, uint64_t sent_ms)
{
	remember(peer, outcome != PEER_OUTCOME_GOOD);
	if (outcome == PEER_OUTCOME_SILENT)
		health_missed(peer, sent_ms, "INVITE");
}

void health_forget(struct peer *peer)
{
	health_stop(peer);
	loop_timer_stop(peer->peers->loop, &peer->pause_timer);
	memset(peer->shunned, 0, sizeof(peer->shunned));
	peer->outcomes = 0;
	peer->outcome_count = peer->misses = 0;
	peer->heard_ms = 0;
	fact_clear(peer, FACT_FAILING, "it has another address");
	fact_clear(peer, FACT_PAUSED, "it has another address");
	fact_clear(peer, FACT_SILENT, "it has another address");
}

void health_stop(struct peer *peer)
{
	loop_timer_stop(peer->peers->loop, &peer->memory_timer);
}
