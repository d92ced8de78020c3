/* SPDX-License-Identifier: BSD-2-Clause */
/* Third-party call control (RFC 3725) for a leg that refers (RFC 3515, RFC 5589): the leg that
 * remains is joined with a target that is called for it, or with the far end of another call of the
 * referring one's.
 *
 *   blind      call X: by ── rem          a call T is made for the target, as a call of `by`'s,
 *                            └────► T     its leg A being ourselves; once it is answered, rem's
 *                                         dialog moves into T
 *   attended   call X: by ── rem          `by` has a leg of call T already; rem's dialog takes
 *              call T: by'── far          the place of that leg
 *
 * Media: T's session is made of what rem and far say, while X's stands untouched beside it; rem is
 * led over by a re-INVITE, and only then is anything given up. Private to the call room. */
#ifndef VIADUCT_CALL_TRANSFER_H
#define VIADUCT_CALL_TRANSFER_H

#include "call/notify.h"
#include "call/refer_to.h"

/* For the last NOTIFY, should nothing else put an end to it. */
#define TRANSFER_LAST_NOTIFY_MS (2 * 64 * SIP_T1_MS)

enum transfer_state {
	TRANSFER_CALLING, /* the target is called */
	TRANSFER_JOINING, /* it has answered: the legs are led to each other */
	TRANSFER_OVER,    /* decided; the last NOTIFY is under way */
};

struct transfer {
	struct call *call; /* of the leg that referred */
	enum leg by;       /* which it is */
	enum transfer_state state;
	bool is_attended, is_joined;
	bool far_is_led; /* attended: the far leg has accepted the new session */
	int code;        /* that it was decided with */
	struct refer_to to;
	struct subscription sub;
	struct sip_server *local;    /* our own INVITE, until it is over */
	struct call *target;         /* NULL: not made yet, or over */
	enum leg target_leg;         /* of target: whose place the remaining leg takes */
	struct media_session *media; /* attended: the two remaining ones', until they are joined */
	struct exchange *asking;     /* our re-INVITE under way */
	struct loop_timer timer;     /* of the whole: sub.expires_ms; once it is over: its end */
};

/* REFER within an answered call, to be carried out here: answers txn and begins. Takes what is in
 * to. */
void transfer_begin(struct pair *pair, enum leg by, struct sip_server *txn, struct refer_to *to);
/* The leg that did not refer. */
static inline enum leg transfer_remaining(const struct transfer *t)
{
	return OTHER_LEG(t->by);
}

/* The remaining one's number, as it is routed. */
const char *transfer_remaining_number(const struct transfer *t);
/* It has not come off: the referring leg is told, and both calls are as they were before, but for a
 * leg that has left. */
void transfer_fail(struct transfer *t, int code);
/* The target has answered: the remaining leg is led to it. */
void transfer_lead_remaining(struct transfer *t);
/* A re-INVITE for the leg at the other end of the new session, in the call where it stands; offer:
 * what the one end said, NULL for what it says last. */
void transfer_lead(struct transfer *t, struct call *call, const char *offer);

/* ---- transfer_attended.c ---- */
/* Finds the call that the REFER names, and leads its far leg. */
void transfer_begin_attended(struct transfer *t, const struct peer_config *referrer);
/* First of the two: with what the remaining leg said last. */
void transfer_lead_far(struct transfer *t);
void transfer_far_answered(void *ctx, int code, osip_message_t *resp, const char *answer);
/* Whether its Replaces names a call of ours, or should; false: the target is to be called. */
bool transfer_is_attended(struct transfer *t, const struct peer_config *referrer);
/* The referring one's call to the target, which nobody has answered yet: there is no leg to take
 * the place of (RFC 5589 7.6 has the one who refers give it up itself). It ends, and the target is
 * to be called for the one who remains, as in a blind transfer. False: no such call is named. */
bool transfer_take_back(
	struct calls *calls, const struct replaces *named, const struct peer_config *referrer);

/* ---- transfer_blind.c ---- */
/* Calls the target. */
void transfer_call_target(
	struct transfer *t, const osip_message_t *refer, const struct peer_config *referrer);
extern const struct sip_local_handlers transfer_local_handlers;

/* ---- of the daemon before ---- */
/* One that goes on: its state, what the referring leg was told and the timer are the caller's to
 * fill in. NULL: no memory. */
struct transfer *transfer_take_up(struct call *call, enum leg by);
/* Our re-INVITE under way, in the call of the leg that it went to. 0 or -errno. */
int transfer_adopt_asking(
	struct transfer *t, struct call *in, const struct sip_dest *dest, struct text invite);
/* Goes on with what is left of it. */
void transfer_resume(struct transfer *t);

/* ---- replaces.c ---- */
/* Whether the peer may have that leg of that call replaced. */
bool replaces_is_allowed(const struct peer_config *peer, const struct call *call, enum leg leg);

#define REPLACES_GRANT_MS (5 * 60 * 1000) /* for who got a REFER to act on it */
/* peer may, for a while: a REFER that was passed on to it says so. */
void replaces_grant(struct call *call, enum leg leg, const struct peer_config *peer);

/* ---- refer_pass.c ---- */
/* Passes the REFER on. 0, or the code to refuse it with. */
int refer_pass(struct pair *pair, enum leg leg, struct sip_server *txn, const struct refer_to *to);

#endif
