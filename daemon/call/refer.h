/* SPDX-License-Identifier: BSD-2-Clause */
/* What the room tells REFER (RFC 3515), Replaces (RFC 3891) and the transfers that come of them.
 * Private to the call room. */
#ifndef VIADUCT_CALL_REFER_H
#define VIADUCT_CALL_REFER_H

#include "call/internal.h"

/* ---- refer.c ---- */
void refer_received(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);

/* ---- refer_pass.c ---- */
/* What a request that is carried needs, if it is a REFER or one of its NOTIFYs. 0 or -ENOMEM. */
int refer_carry(struct call *call, const osip_message_t *req, osip_message_t *out);
bool refer_notify_expected(const struct call *call, enum leg leg, const osip_message_t *notify);
/* The other leg has answered the request that went to it with that CSeq, or (resp NULL) has not: is
 * it the REFER? */
void refer_passed(
	struct call *call, enum leg from, uint32_t cseq_out, int code, const osip_message_t *resp);

/* ---- refer_back.c ---- */
struct refer_to;
/* What a call that goes back to the peer that has referred is made of; NULL: any other call. */
const struct refer_to *refer_back_of(const struct call *call);
/* Whom it may go to, in order, of call->cfg and whatever the routes say: the one of the referrer's
 * groups that has the URI's host, or else the referrer itself; then those of its groups that have
 * refer: back as well. ROUTE_DENIED: the referrer is not configured any more. */
void refer_back_find(const struct call *call, struct route_result *out);
/* Request-URI and To, Referred-By, Replaces of its INVITE. 0 or -errno. */
int refer_back_write(const struct refer_to *to, osip_message_t *invite);

/* ---- replaces.c ---- */
/* The call that goes on, and the leg in it, whose place the INVITE asks for; NULL: none. */
struct call *replaces_find(struct calls *calls, const osip_message_t *req, enum leg *leg);
/* Whether the INVITE has a Replaces: then it is dealt with. */
bool replaces_received(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer);
void takeover_call_over(struct call *call);
/* The far leg has acknowledged its answer, or stands in a transfer's place: one that waited for
 * that begins. */
void takeover_acked(struct call *call);
/* The leg's BYE has come, and somebody is about to stand in its place. */
bool takeover_goes_on_without(const struct call *call, enum leg leg);

/* ---- transfer.c ---- */
/* A call has been made of that INVITE: is it our own? */
void transfer_call_made(struct call *call, const struct sip_server *txn);
/* The call is over. */
void transfer_call_over(struct call *call);
/* The other one of the two calls of a transfer under way, or NULL: what is written down of either
 * is worth little without the other's. */
struct call *transfer_other_call(const struct call *call);
/* That leg has accepted a re-INVITE of a daemon before us that we know nothing of: whether a
 * transfer that leads to the call sees to what becomes of it. */
bool transfer_sees_to(struct call *call, enum leg leg);
/* The calling number, as it is routed, of a call that a transfer makes (call->asking). */
void transfer_calling_number(struct call *call);
/* A leg's BYE has come. Whether the call goes on without it. */
bool transfer_leg_left(struct call *call, enum leg leg);

#endif
