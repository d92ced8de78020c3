/* SPDX-License-Identifier: BSD-2-Clause */
/* The asking leg's side of an exchange: its CANCEL, its missing ACK, its lost transaction. */

#include "call/attempt.h"
#include "call/cause.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/replace_leg.h"

static void cancelled(void *owner, struct sip_server *txn, osip_message_t *cancel)
{
	struct exchange *x = owner;
	char reason[REASON_MAX], text[REASON_MAX];

	if (x->is_initial) {
		struct rejection why = {.code = SIP_REQUEST_TERMINATED,
			.reason = reason_of(cancel, reason),
			.given_up = sip_server_is_local(txn) ? GIVEN_UP_BY_US : GIVEN_UP_BY_CALLER};

		invite_reject(x->call, &why);
	} else if (x->client) {
		sip_client_cancel(
			x->client, reason_for(x->client_peer, reason_of(cancel, reason), text));
	}
}

/* No ACK will come for the 2xx of x. */
static void give_up_ack(struct exchange *x)
{
	struct call *call = x->call;

	call->calls->counters.not_acked++;
	if (call->state == CALL_ENDING) {
		if (x->bye_after_ack)
			call_bye_leg(call, x->from, NULL);
		exchange_free(x);
		call_release_if_done(call);
	} else {
		/* RFC 3261 13.3.1.4 */
		call_end(call, LEG_NONE, "SIP;cause=408;text=\"No ACK\"", "no ACK");
	}
}

static void not_acked(void *owner, struct sip_server *txn)
{
	struct exchange *x = owner;

	sip_server_abandon(txn);
	x->server = NULL;
	give_up_ack(x);
}

/* Before we were done with it: its listener was closed. Nobody can be answered any more. */
static void server_gone(void *owner, struct sip_server *txn)
{
	struct exchange *x = owner;
	struct rejection why = {.code = SIP_SERVICE_UNAVAILABLE};

	(void)txn;
	x->server = NULL;
	if (x->accepted) {
		give_up_ack(x);
	} else if (x->is_initial) {
		invite_reject(x->call, &why);
	} else {
		if (x->call->media && x->sdp == SDP_OFFERED)
			media_offer_failed(x->call->media);
		if (x->client && x->is_invite)
			sip_client_cancel(x->client, NULL);
		call_touch(x->call);
		exchange_release_if_done(x);
	}
}

const struct sip_server_handlers exchange_server_handlers = {
	.cancelled = cancelled, .not_acked = not_acked, .gone = server_gone};
