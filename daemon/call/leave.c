/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon ends and leaves its calls to the next one. */
#include "call/state.h"

/* An INVITE has no final response, which the next daemon would have to refuse, or a 2xx without its
 * ACK, which may come while nobody listens. */
static bool awaits(const struct call *call)
{
	const struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		if (x->is_invite && x->server)
			return true;
	}
	return false;
}

void calls_leave(struct calls *calls)
{
	struct call *call;

	/* A call that comes meanwhile is left like the rest. */
	calls->leave_wanted = calls->store != NULL;
	calls->intake = calls->leave_wanted ? INTAKE_OPEN : INTAKE_CLOSED;
	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id) {
		if (calls->leave_wanted && call_can_be_saved(call))
			call_touch(call); /* what was measured is written down less often */
		else
			call_hangup(call, "Restarting");
	}
}

unsigned calls_under_way(const struct calls *calls)
{
	unsigned count = calls->leave_wanted ? calls->count - calls->live : calls->count;
	struct call *call;

	if (!calls->leave_wanted)
		return count;
	for (uint64_t after = 0; (call = call_next((struct calls *)calls, after)); after = call->id)
		count += call->state == CALL_ANSWERED && awaits(call);
	return count;
}
