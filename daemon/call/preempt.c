/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that give way to an emergency call where there is no room for it otherwise (RFC 4411). */
#include <string.h>

#include "base/log.h"
#include "call/end.h"

/* RFC 4411 5.1: 5 is a preemption in the network, not by a user agent. */
#define PREEMPTED "preemption;cause=5;text=\"Network preemption\""

static bool has_peer(const struct call *call, const struct peer_config *peer)
{
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		if (call->peer[leg] && strcmp(call->peer[leg]->name, peer->name) == 0)
			return true;
	}
	return false;
}

/* Where an emergency call finds no room. */
struct place {
	const struct peer_config *peer; /* its calls are as many as they may be; or */
	const struct load *bears;       /* bandwidth; both NULL: ports and flows */
};

static bool holds_room(const struct call *call, const struct place *at)
{
	if (at->bears)
		return limits_weighs_on(call, at->bears);
	return at->peer ? has_peer(call, at->peer) : call->media != NULL;
}

/* Looks at one call after the other: the first or last will nearly always do. */
static struct call *find_victim(
	const struct calls *calls, const struct place *at, enum preempt which)
{
	const struct order *o = &calls->order;

	for (unsigned i = 0; i < o->len; i++) {
		struct call *call = o->slot[which == PREEMPT_YOUNGEST ? o->len - 1 - i : i];

		if (call && call->counted && !call->emergency && holds_room(call, at))
			return call;
	}
	return NULL;
}

static bool make_room(struct call *urgent, const struct place *at)
{
	struct calls *calls = urgent->calls;
	enum preempt which = calls->cfg->preempt;
	struct call *victim =
		which == PREEMPT_NONE || !urgent->emergency ? NULL : find_victim(calls, at, which);

	if (!victim)
		return false;
	calls->counters.preempted++;
	log_warn("call %llu is ended for emergency call %llu: no %s%s",
		(unsigned long long)victim->id, (unsigned long long)urgent->id,
		at->peer    ? "room at "
		: at->bears ? "bandwidth"
			    : "room for its media",
		at->peer ? at->peer->name : "");
	call_end(victim, LEG_NONE, PREEMPTED, "preempted by an emergency call");
	return true;
}

bool preempt_for(struct call *urgent, const struct peer_config *peer)
{
	return make_room(urgent, &(struct place){.peer = peer});
}

bool preempt_for_bandwidth(struct call *urgent)
{
	const struct place at = {.bears = limits_bandwidth_over(urgent)};

	return at.bears && make_room(urgent, &at);
}
