/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of a peer: made of facts, each of which comes and goes by itself. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "peer/internal.h"

const char *peer_state_name(enum peer_state state)
{
	static const char *const names[] = {"up", "failing", "down", "draining", "blocked"};

	return names[state];
}

static const enum peer_state state_of_fact[FACT_COUNT] = {
	[FACT_BLOCKED] = PEER_BLOCKED,
	[FACT_DRAINING] = PEER_DRAINING,
	[FACT_UNRESOLVED] = PEER_DOWN,
	[FACT_SILENT] = PEER_DOWN,
	[FACT_PAUSED] = PEER_DOWN,
	[FACT_UNREGISTERED] = PEER_DOWN,
	[FACT_FAILING] = PEER_FAILING,
};

void state_init(struct peer *peer)
{
	peer->state = PEER_UP;
	peer->since_ms = loop_now_ms(peer->peers->loop);
	snprintf(peer->why, sizeof(peer->why), "nothing speaks against it");
}

/* The state that the facts make; up_why: what is said where none holds. */
static void settle(struct peer *peer, const char *up_why, bool is_told)
{
	enum peer_state before = peer->state, now = PEER_UP;
	const char *why = up_why;
	char text[2 * PEER_WHY_MAX];

	for (unsigned i = 0; i < FACT_COUNT; i++) {
		if (peer->fact[i].holds) {
			now = state_of_fact[i];
			why = peer->fact[i].why;
			break;
		}
	}
	if (now == before && now == PEER_UP)
		return;
	snprintf(peer->why, sizeof(peer->why), "%s", why);
	if (!is_told)
		peer->is_untold = true;
	if (now == before && (!is_told || !peer->is_untold))
		return;
	peer->state = now;
	peer->since_ms = loop_now_ms(peer->peers->loop);
	if (!is_told)
		return;
	snprintf(text, sizeof(text), "%s: %s, was %s: %s", peer->name, peer_state_name(now),
		peer->is_untold ? "not known yet" : peer_state_name(before), why);
	peer->is_untold = false;
	if (now == PEER_DOWN || now == PEER_FAILING)
		log_warn("peer %s", text);
	else
		log_info("peer %s", text);
	if (peer->peers->event)
		peer->peers->event(peer->peers->event_ctx, "peer", text);
}

void fact_set(struct peer *peer, enum peer_fact fact, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(peer->fact[fact].why, sizeof(peer->fact[fact].why), fmt, ap);
	va_end(ap);
	peer->fact[fact].holds = true;
	settle(peer, "", true);
}

void fact_set_untold(struct peer *peer, enum peer_fact fact, const char *why)
{
	snprintf(peer->fact[fact].why, sizeof(peer->fact[fact].why), "%s", why);
	peer->fact[fact].holds = true;
	settle(peer, "", false);
}

void fact_clear(struct peer *peer, enum peer_fact fact, const char *fmt, ...)
{
	char why[PEER_WHY_MAX];
	va_list ap;

	if (!peer->fact[fact].holds)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	peer->fact[fact].holds = false;
	settle(peer, why, true);
}

enum peer_state peer_get_state(const struct peer *peer)
{
	return peer->state;
}

bool peer_takes_calls(const struct peer *peer)
{
	return peer->state == PEER_UP || peer->state == PEER_FAILING;
}

bool peer_is_last_resort(const struct peer *peer, bool is_emergency)
{
	if (is_emergency)
		return peer->state != PEER_BLOCKED;
	return peer->state == PEER_DOWN && !peer->fact[FACT_PAUSED].holds;
}

unsigned peer_retry_after_s(const struct peer *peer)
{
	uint64_t now = loop_now_ms(peer->peers->loop);

	if (!peer->fact[FACT_PAUSED].holds || peer->paused_until_ms <= now)
		return 0;
	return (unsigned)((peer->paused_until_ms - now + 999) / 1000);
}

/* ---- pauses ---- */

static void pause_over(struct loop_timer *t)
{
	struct peer *peer = (struct peer *)((char *)t - offsetof(struct peer, pause_timer));

	fact_clear(peer, FACT_PAUSED, "the time that it asked for is over");
}

unsigned pause_asked_ms(const struct peer *peer, const osip_message_t *resp)
{
	unsigned max = peer->config->failover.retry_after_max_s;
	osip_header_t *header = NULL;
	unsigned long asked;

	osip_message_header_get_byname(resp, "retry-after", 0, &header);
	asked = header && header->hvalue ? strtoul(header->hvalue, NULL, 10) : 0;
	return 1000 * (asked > max ? max : (unsigned)asked);
}

void pause_for(struct peer *peer, uint64_t ms)
{
	struct loop *loop = peer->peers->loop;
	uint64_t until = loop_now_ms(loop) + ms;

	if (!ms || (peer->fact[FACT_PAUSED].holds && peer->paused_until_ms >= until))
		return;
	peer->pause_timer.fire = pause_over;
	if (loop_timer_start(loop, &peer->pause_timer, ms))
		return;
	peer->paused_until_ms = until;
	fact_set(peer, FACT_PAUSED, "it wants no calls for %u s (503 with Retry-After)",
		(unsigned)((ms + 999) / 1000));
}

/* ---- commands ---- */

int peer_command_parse(enum peer_command *out, const char *name)
{
	static const char *const names[] = {
		[PEER_RESUME] = "resume", [PEER_DRAIN] = "drain", [PEER_BLOCK] = "block"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*out = (enum peer_command)i;
			return 0;
		}
	}
	return -EINVAL;
}

void peer_set_command(struct peer *peer, enum peer_command command)
{
	peer_apply_command(peer, command);
	peer_save_command(peer, command);
}

void peer_apply_command(struct peer *peer, enum peer_command command)
{
	bool drained = peer->fact[FACT_DRAINING].holds, blocked = peer->fact[FACT_BLOCKED].holds;

	/* The new one first: there is no moment without either. */
	if (command == PEER_DRAIN && !drained)
		fact_set(peer, FACT_DRAINING, "drained by the operator");
	if (command == PEER_BLOCK && !blocked)
		fact_set(peer, FACT_BLOCKED, "blocked by the operator");
	if (command != PEER_DRAIN)
		fact_clear(peer, FACT_DRAINING, "resumed by the operator");
	if (command != PEER_BLOCK)
		fact_clear(peer, FACT_BLOCKED, "resumed by the operator");
}

void peer_get_status(const struct peer *peer, struct peer_status *out)
{
	uint64_t now = loop_now_ms(peer->peers->loop);

	*out = (struct peer_status){
		.state = peer->state,
		.since_ms_ago = now - peer->since_ms,
		.why = peer->why,
		.heard_ms_ago = peer->heard_ms ? now - peer->heard_ms : UINT64_MAX,
		.misses = peer->misses,
		.recent_calls = peer->outcome_count,
		.recent_failed = (unsigned)__builtin_popcountll(peer->outcomes),
		.count = peer->count,
	};
}
