/* SPDX-License-Identifier: BSD-2-Clause */
/* Early dialogs as leg A is shown them: forks, early media, ringing, reliable provisional
 * responses. Private to the call room. */
#ifndef VIADUCT_CALL_EARLY_H
#define VIADUCT_CALL_EARLY_H

#include "call/internal.h"

/* ---- early.c ---- */
/* A provisional response of leg B (not 100) goes to leg A as that is to have it. */
void early_response(struct exchange *x, struct pair *pair, osip_message_t *resp);
/* Whether one more early dialog of the present attempt is within the called peer's limit. */
bool early_dialog_has_room(const struct call *call);
/* Where leg A's dialog is shared by all branches: it is this pair's from here on, and what is under
 * way in the dialog of the pair that had it ends. False: there is none to take over. */
bool early_fold(struct pair *pair);
/* Leg A has acknowledged its 2xx: what it was told early and what holds now may have to be brought
 * together. */
void early_reconcile(struct call *call);

/* ---- reliable.c: RFC 3262, ended on a leg ---- */
/* The pair's 100rel is ended here, not carried: for this response and those after it. */
bool reliable_is_ended(struct pair *pair, const osip_message_t *resp, bool sdp_is_blocked);
/* The option tag in the INVITE to leg B (msg), as leg A's INVITE and the settings have it. */
int reliable_ask(struct call *call, const osip_message_t *from_a, osip_message_t *msg);
/* The option tag in a re-INVITE that is carried: end to end or not at all. */
void reliable_carry(const struct call *call, osip_message_t *msg);
/* Whether a provisional response to the re-INVITE req may be passed on as it is. */
bool reliable_may_pass(
	const struct call *call, const osip_message_t *req, const osip_message_t *resp);
/* A 420 to what we asked of leg B on leg A's behalf: whether to ask again, without. */
bool reliable_refused(struct exchange *x, const osip_message_t *resp);
/* Leg B's reliable response, where its 100rel ends here: it gets its PRACK. False: it came before,
 * or out of order, and goes no further. */
bool reliable_take(struct exchange *x, struct pair *pair, const osip_message_t *resp);
/* Whether leg A is to have this response reliably. */
bool reliable_is_due(const struct call *call, const osip_message_t *resp);
/* Sends out to leg A with a number of ours, again and again until its PRACK; takes ownership. */
int reliable_send(struct exchange *x, struct pair *pair, osip_message_t *out);
/* A PRACK of leg A that is for us: answered. */
bool reliable_prack_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);
/* Whether an offer may cross in an early dialog whose 100rel ends here: both legs have the answer
 * to the INVITE's. */
bool reliable_may_offer(const struct pair *pair);
/* RFC 3262 3: the 2xx waits for the PRACK of an answer. True: it was kept, and comes again. */
bool reliable_holds_2xx(struct pair *pair, const osip_message_t *resp);
/* Leg A's dialog goes from one pair to another. */
void reliable_move(struct pair *from, struct pair *to);
void reliable_free(struct pair *pair);

#endif
