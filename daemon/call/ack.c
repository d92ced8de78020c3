/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACK of a 2xx, on either leg (RFC 3261 13.2.2.4): not part of the INVITE's transaction, sent
 * by us for each 2xx that comes, awaited by us for each that we pass on. */
#include <errno.h>
#include <stdlib.h>

#include "call/carry.h"
#include "call/delayed_offer.h"
#include "call/early.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/refer.h"
#include "call/replace_leg.h"

/* The delayed offer's answer, from the asking leg's ACK, or none. */
static int answer_in_ack(struct exchange *x, osip_message_t *ack, osip_message_t *out)
{
	const osip_body_t *sdp = ack ? carry_find_sdp(ack) : NULL;
	char *text = NULL;
	size_t len;
	int ret;

	if (!sdp || !x->call->media)
		return -EINVAL;
	ret = media_answer(x->call->media, x->from, sdp->body, sdp->length, true, &text, &len);
	if (!ret) {
		ret = carry_bodies(ack, out, text, len);
		free(text);
	}
	return ret;
}

int exchange_send_ack(struct exchange *x, osip_message_t *ack)
{
	struct dialog *d = &x->pair->leg[OTHER_LEG(x->from)];
	bool answer_due = x->ack_waits;
	osip_message_t *out = NULL;
	int ret;

	x->ack_waits = false;
	if (answer_due && x->converted)
		return 0; /* the other leg has had its ACK, or was asked nothing */
	ret = dialog_ack(d, x->call->calls->sip, x->client_cseq, &out);
	if (ret)
		return ret;
	sip_copy_credentials(x->client, out);
	if (answer_due)
		ret = answer_in_ack(x, ack, out);
	/* An answer cannot be given once more to a 2xx that comes when x is gone. */
	if (!answer_due)
		d->acked_cseq = x->client_cseq;
	x->client_dest = d->dest;
	free(x->ack);
	x->ack = NULL;
	sip_send_ack(x->call->calls->sip, &x->client_dest, out, &x->ack, &x->ack_len);
	if (answer_due && !ret)
		exchange_note_hold(x->call);
	return ret;
}

void exchange_acked(struct exchange *x, osip_message_t *ack)
{
	struct call *call = x->call;

	sip_server_acked(x->server);
	sip_server_abandon(x->server);
	x->server = NULL;
	if (x->ack_waits &&
		(x->converted ? delayed_offer_answered(x, ack) : exchange_send_ack(x, ack))) {
		call_end(call, LEG_NONE, "SIP;cause=488;text=\"No usable answer in ACK\"",
			"no usable SDP answer in ACK");
		return;
	}
	if (x->bye_after_ack) {
		call_bye_leg(call, x->from, NULL);
		exchange_free(x);
		call_release_if_done(call);
	} else {
		if (x->is_initial)
			early_reconcile(call);
		exchange_release_if_done(x);
		takeover_acked(call);
		held_back_go(call);
	}
}

void ack_received(void *ctx, osip_message_t *ack, const struct peer_config *peer)
{
	struct calls *calls = ctx;
	struct exchange *x;
	struct pair *pair;
	struct call *call;
	enum leg leg;

	pair = pair_of_message(calls, ack, peer, &leg);
	if (!pair)
		return;
	call = pair->call;
	DL_FOREACH (call->exchanges, x) {
		if (x->is_invite && x->accepted && x->server && x->from == leg &&
			sip_cseq_number(sip_server_request(x->server)) == sip_cseq_number(ack))
			break;
	}
	if (!x)
		return;
	exchange_acked(x, ack);
}
