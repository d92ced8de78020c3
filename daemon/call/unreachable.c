/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/unreachable.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/attempt.h"
#include "call/end.h"

#define REASON  "SIP;cause=500;text=\"Peer removed\""
#define WHY_MAX 160 /* bytes, with the name of a peer */

static uint8_t side_of(const VdState__Call *in, enum leg leg)
{
	for (size_t i = 0; i < in->media->n_stream; i++) {
		const VdState__MediaStream *st = in->media->stream[i];

		if (leg < st->n_leg && st->leg[leg]->port && st->leg[leg]->side < SIDE_COUNT)
			return (uint8_t)st->leg[leg]->side;
	}
	return SIDE_INTERNAL;
}

struct peer_config *former_peer_new(const VdState__Call *in, enum leg leg)
{
	struct peer_config *former = *in->leg[leg]->peer ? calloc(1, sizeof(*former)) : NULL;

	if (!former)
		return NULL;
	former->name = strdup(in->leg[leg]->peer);
	if (!former->name) {
		free(former);
		return NULL;
	}
	former->side = side_of(in, leg);
	former->listener = CONFIG_NO_LISTENER;
	return former;
}

void former_peer_free(struct peer_config *former)
{
	if (former)
		free(former->name);
	free(former);
}

static void say_why(const struct call *call, enum leg leg, char why[WHY_MAX])
{
	if (call->former[leg])
		snprintf(why, WHY_MAX, "peer \"%s\" is not configured any more",
			call->former[leg]->name);
	else
		snprintf(why, WHY_MAX, "no listener is left that reaches peer \"%s\"",
			call->peer[leg]->name);
}

bool unreachable_end(struct call *call)
{
	enum leg leg = call->unreachable[LEG_A] ? LEG_A : LEG_B;
	char why[WHY_MAX];

	if (!call->unreachable[leg])
		return false;
	say_why(call, leg, why);
	log_error("call %llu: %s: ended", (unsigned long long)call->id, why);
	call->calls->adoption.ended++;
	if (call->state == CALL_ANSWERED)
		call_end(call, LEG_NONE, REASON, why);
	else
		invite_reject(call,
			&(struct rejection){
				.code = SIP_INTERNAL_SERVER_ERROR, .reason = REASON, .why = why});
	return true;
}
