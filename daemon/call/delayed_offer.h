/* SPDX-License-Identifier: BSD-2-Clause */
/* INVITEs without an offer, for peers that refuse them (RFC 3261 13.2.1): leg B gets an offer of
 * ours, its answer becomes the offer in leg A's 2xx, and leg A's answer comes in the ACK. Private
 * to the call room. */
#ifndef VIADUCT_CALL_DELAYED_OFFER_H
#define VIADUCT_CALL_DELAYED_OFFER_H

#include "call/internal.h"

/* Puts our offer into the first INVITE to leg B where that peer wants one. 0 or -errno as
 * media_offer; -EPROTONOSUPPORT also where the peer's setting refuses the call. */
int delayed_offer_convert(struct exchange *x, const struct peer_config *peer, osip_message_t *msg);
/* Leg B's 2xx to a converted INVITE, on its way to leg A in out: its answer as an offer. */
int delayed_offer_turn(struct exchange *x, const osip_message_t *resp, osip_message_t *out);
/* Leg A's answer in its ACK (NULL: none came). 0 or -errno: the call cannot go on. */
int delayed_offer_answered(struct exchange *x, const osip_message_t *ack);
/* A re-INVITE without an offer, for a leg whose peer refuses such: answered here with what the
 * other leg said last, or refused. False: it is to be carried. */
bool delayed_offer_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);

#endif
