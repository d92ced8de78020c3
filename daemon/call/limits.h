/* SPDX-License-Identifier: BSD-2-Clause */
/* What calls take of their peers, of the sides and of the whole, held against the limits of the
 * configuration. Private to the call room.
 *
 * A call takes a place with each of its peers, and kbit/s of their media with the peers, the sides
 * and the whole. It takes them when it begins (leg A) or is tried (leg B) and gives all back at
 * call_uncount, whatever way it ends. Nothing waits for a place. */
#ifndef VIADUCT_CALL_LIMITS_H
#define VIADUCT_CALL_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "call/call.h"
#include "config/config.h"

struct calls;
struct call;

/* Calls a second as a bucket of tokens, in thousandths. */
struct bucket {
	uint64_t filled_ms;
	uint64_t level;
};

/* What one peer, one side or the whole bears. */
struct load {
	const char *name; /* of the peer or side, "" for the whole */
	struct limits_config limits;
	unsigned live, ending;
	uint64_t kbit;
	struct bucket bucket;
	uint64_t second_ms; /* start of the second that begun counts */
	unsigned begun, begun_before;
	uint64_t refused[CALL_LIMITS];
	uint64_t bites_until_ms[CALL_LIMITS]; /* 0 = does not bite */
	struct load *prev, *next;             /* among those that bite */
};

struct loads {
	struct load all, side[SIDE_COUNT];
	struct load *biting;
	unsigned peer_count;
	struct load peer[]; /* by index of the configuration */
};

/* Why a call was refused. */
struct refusal {
	int code;
	unsigned retry_after_s; /* 0 = no Retry-After */
};

/* Nothing taken yet; NULL when memory is out. loads_put takes them over and puts them in force,
 * with what the calls come to and what the loads before counted. */
struct loads *loads_new(const struct config *cfg);
void loads_put(struct calls *calls, struct loads *loads);
void loads_free(struct calls *calls);

/* What an INVITE asks for that is not in every way one call more. */
struct invite_need {
	bool emergency;
	bool by_live_call; /* a transfer of a call that goes on, or its pickup: let in by a drain */
	bool in_place;     /* the place that its peer has in such a call already */
};

/* Whether one more call of that peer is within the limits, and if so, a token of its calls a
 * second. False: *why says what to answer; the refusal is counted. No limit holds for an emergency
 * call, but for the one of memory; none of live calls for one in the place of another. */
bool limits_admit(struct calls *calls, const struct peer_config *peer,
	const struct invite_need *need, struct refusal *why);
/* The same for this call, and one more call to that peer. */
bool limits_admit_attempt(struct call *call, const struct peer_config *peer, struct refusal *why);
/* Fits media_handlers.bandwidth; ctx is the room. A refusal is kept in call->refusal. */
int limits_bandwidth(void *ctx, void *owner, const unsigned kbit[2], bool may_refuse);

/* What has less bandwidth than an emergency call has had it bear with the others; NULL: nothing. */
const struct load *limits_bandwidth_over(struct call *call);
/* Whether media of the call is part of what that bears. */
bool limits_weighs_on(const struct call *call, const struct load *bears);

/* For an INVITE without an offer: as much as an audio stream whose SDP does not say. 0 or -EDQUOT.
 */
int limits_bandwidth_unseen(struct call *call);

void call_set_peer(struct call *call, enum leg leg, const struct peer_config *peer);
/* From here on the call takes nothing under the limits any more but a place among those that
 * end. */
void call_uncount(struct call *call);
/* It has ended: that place too. */
void call_uncount_ending(struct call *call);

/* ---- preempt.c ---- */
/* Ends one call that is no emergency's to make room for one that is: a call of that peer, or
 * (NULL) one that holds ports and flows; which one is a setting. False: none was ended. */
bool preempt_for(struct call *urgent, const struct peer_config *peer);
/* The same, where the media of the emergency call has had a limit of bandwidth passed. */
bool preempt_for_bandwidth(struct call *urgent);

#endif
