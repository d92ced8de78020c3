/* SPDX-License-Identifier: BSD-2-Clause */
/* The first INVITE: admission (admission.c), attempts on leg B (invite.c, attempt.c), their INVITE
 * (make_invite.c), and what comes of it too late (late.c). Private to the call room. */
#ifndef VIADUCT_CALL_ATTEMPT_H
#define VIADUCT_CALL_ATTEMPT_H

#include "call/internal.h"

/* From call->attempt on, the first peer that takes the INVITE; leg A is refused when none does. */
void try_next_peer(struct call *call);
/* Fires call->attempt_timer: the present attempt gives no sign, or has rung for too long. */
void attempt_timed_out(struct loop_timer *t);
/* An INVITE is out: it has attempt_timeout_s to bring a sign. */
void attempt_sent(struct call *call);
/* The present INVITE has a provisional response: for how long it may ring. */
void attempt_rings(struct call *call);
/* A peer has answered a request of the call's, in whatever way; is_present: the INVITE of the
 * present attempt. */
void attempt_heard(struct call *call, const struct peer_config *peer, bool is_present);
/* The present attempt got its 2xx. */
void attempt_answered(struct call *call);
/* It got another final response. Whether that was dealt with: the next place or peer is asked, or
 * the caller has heard that there is none. */
bool attempt_refused(struct call *call, osip_message_t *resp);
/* It got none: 408, or 503 where the peer cannot be reached. */
void attempt_failed(struct call *call, int code);
/* The present attempt is given up, but its INVITE is out: it is cancelled for that reason (NULL:
 * none), and an exchange of its own hears how that ends. */
void attempt_orphan(struct call *call, const char *reason);
void attempts_clear(struct call *call);
extern const struct sip_client_handlers invite_client_handlers;
/* All dialogs of the call but one end for leg A, with what is under way in them. */
void pairs_retire_others(struct call *call, const struct pair *keep);
/* Leg B's INVITE, a dialog of its own, with leg A's end-to-end header fields and bodies. 0 or
 * -errno as media_offer. */
int make_invite(struct call *call, const struct peer_config *peer, osip_message_t *req,
	osip_message_t **out);
/* What an INVITE outside a dialog, of that peer, asks for. */
void invite_find_need(struct calls *calls, const osip_message_t *req,
	const struct peer_config *peer, struct invite_need *need);
void invite_received(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer);
/* Ends a call that is not answered: leg A's INVITE gets code, with the end-to-end header fields of
 * resp (NULL: none) or header: value (NULL: none); the attempt under way is cancelled with reason.
 */
struct rejection {
	int code;
	const char *phrase; /* NULL: the standard one */
	const osip_message_t *resp;
	const struct peer_config *resp_peer; /* who sent it; NULL: leg B's present one */
	const char *header, *value;
	const char *reason; /* of the CANCEL */
	const char *why;    /* in words; NULL: by the code */
	enum { GIVEN_UP_BY_NOBODY, GIVEN_UP_BY_CALLER, GIVEN_UP_BY_US } given_up;
};
void invite_reject(struct call *call, const struct rejection *why);
/* Leg B's first 2xx. */
void invite_answered(struct exchange *x, osip_message_t *resp);
/* Leg A has its 2xx in that pair's dialog: the call is answered. */
void invite_established(struct call *call, struct pair *pair);
/* Of a pair whose 2xx has no taker: it gets its ACK, and a BYE once. */
void invite_refuse_pair(struct exchange *x, struct pair *pair);

/* ---- late.c ---- */
void late_2xx_received(void *ctx, struct sip_client *txn, osip_message_t *resp);
/* A 2xx to an INVITE that we know nothing of: in a dialog of a call that goes on, the daemon before
 * has sent it. */
void stray_2xx_received(void *ctx, osip_message_t *resp, const struct peer_config *peer);

#endif
