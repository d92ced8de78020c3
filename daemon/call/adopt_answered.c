/* SPDX-License-Identifier: BSD-2-Clause */
/* An answered call of the daemon before: its two legs and its media. */
#include <errno.h>

#include "base/log.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/own_request.h"
#include "call/replace_leg.h"
#include "call/session_timer.h"
#include "call/state.h"

void adopt_session_timer(struct call *call, enum leg leg, const VdState__CallLeg *in)
{
	struct session_timer_state was = {.min_s = in->session_min_s, .has_update = in->has_update};

	if (in->session) {
		was.interval_s = in->session->interval_s;
		was.we_refresh = in->session->we_refresh;
		was.since_ms = in->session->since_ms;
	}
	session_timer_adopt(call, leg, &was);
}

/* Nothing is said in the dialog of one that cannot be reached. */
static int adopt_leg(struct call *call, enum leg leg, const VdState__CallLeg *in, struct dialog *d)
{
	const struct peer_config *peer = call->peer[leg];
	int ret = -ENOENT;

	if (!call->unreachable[leg])
		ret = adopt_dialog(call->calls, peer, in->gone, in->dialog, d);
	if (ret != -ENOENT)
		return ret;
	call->unreachable[leg] = true;
	return adopt_dialog(call->calls, peer, true, in->dialog, d);
}

int adopt_legs(struct call *call, const VdState__Call *in)
{
	struct pair *pair = pair_new(call);
	int ret;

	if (!pair)
		return -ENOMEM;
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		ret = adopt_leg(call, leg, in->leg[leg], &pair->leg[leg]);
		if (ret)
			return ret;
		if (leg == LEG_A)
			pair->has_dialog_a = true;
	}
	call->answered = pair;
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		const VdState__CallLeg *m = in->leg[leg];

		call->leg_gone[leg] = m->gone || call->unreachable[leg];
		ret = call->leg_gone[leg] ? 0 : call_take_tag(call, leg, pair->leg[leg].local_tag);
		if (ret)
			return ret;
		adopt_session_timer(call, leg, m);
	}
	return 0;
}

static void end_answered(struct call *call, const char *reason, const char *why)
{
	log_error("call %llu: %s: ended", (unsigned long long)call->id, why);
	call->calls->adoption.ended++;
	call_end(call, LEG_NONE, reason, why);
}

bool adopt_answered(struct call *call, const VdState__Call *in)
{
	if (adopt_media(call, in)) {
		end_answered(call, "SIP;cause=500;text=\"Media lost\"",
			"its media could not be taken up after a restart");
		return false;
	}
	if (in->transfer && !call->unreachable[LEG_A] && !call->unreachable[LEG_B] &&
		adopt_transfer(call, in->transfer))
		log_error(
			"call %llu: its transfer cannot be taken up", (unsigned long long)call->id);
	adopt_passed(call, in);
	adopt_under_way(call, in);
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		if (in->leg[leg]->led_away && !call->leg_gone[leg])
			own_request_restore(call, leg);
	}
	exchange_note_hold(call);
	return true;
}

bool adopt_is_left(struct call *call)
{
	if (call->state == CALL_ANSWERED && (call->leg_gone[LEG_A] || call->leg_gone[LEG_B]) &&
		!call->transfer && !call->target_of && !call->takeover)
		end_answered(call, "SIP;cause=500;text=\"Transfer lost\"",
			"a transfer was cut off by a restart");
	return call->state != CALL_ENDING;
}
