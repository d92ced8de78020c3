/* SPDX-License-Identifier: BSD-2-Clause */
/* 2xx to INVITEs that nobody waits for. A call that is over: a branch of a fork that answers late,
 * or one that has not had our ACK. RFC 3261 13.2.2.4: it gets its ACK, and a BYE. */
#include "call/internal.h"
#include "call/exchange.h"
#include "call/own_request.h"
#include "call/refer.h"

#include "call/attempt.h"

void late_2xx_received(void *ctx, struct sip_client *txn, osip_message_t *resp)
{
	struct calls *calls = ctx;
	osip_message_t *invite = sip_client_request(txn), *msg = NULL;
	const struct sip_dest from = sip_client_dest(txn);
	/* Of its peer, which may have gone with a reload, this much is known. */
	struct peer_config peer = {.address = from.remote, .source_count = 1};
	struct dialog d;

	if (!invite)
		return;
	peer.source[0].net = from.remote;
	peer.source[0].net.port = 0;
	peer.source[0].prefix_len = from.remote.family == 4 ? 32 : 128;
	if (dialog_init_uac(&d, calls->sip, invite, resp, &from, &peer))
		return;
	if (dialog_ack(&d, calls->sip, sip_cseq_number(invite), &msg) == 0) {
		sip_copy_credentials(txn, msg);
		sip_send_ack(calls->sip, &d.dest, msg, NULL, NULL);
	}
	msg = NULL;
	if (dialog_request(&d, calls->sip, "BYE", &msg) == 0) {
		calls->counters.late_answers++;
		sip_client_send(calls->sip, &d.dest, msg, NULL, NULL, NULL);
	}
	dialog_clear(&d);
}

/* The answer to its offer comes with the ACK of the leg that asked. */
static bool waits_for_answer(const struct call *call, enum leg leg, uint32_t cseq)
{
	const struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		if (x->ack_waits && !x->converted && x->from != leg && x->client_cseq == cseq)
			return true;
	}
	return false;
}

/* Without its ACK the peer would end the call after 64*T1. Where the daemon before us has sent
 * none, the leg that asked has not heard what the peer agreed to: that is led back to what was
 * agreed before. */
void stray_2xx_received(void *ctx, osip_message_t *resp, const struct peer_config *peer)
{
	struct calls *calls = ctx;
	uint32_t cseq = sip_cseq_number(resp);
	osip_message_t *ack = NULL;
	bool was_acked;
	struct pair *pair;
	enum leg leg;

	/* As if the peer had sent a request: its tag is in To here. */
	pair = pair_of_tags(calls, resp, sip_tag(resp->from), sip_tag(resp->to), peer, &leg);
	if (!pair || !pair->call->adopted || pair->call->state != CALL_ANSWERED ||
		pair->call->leg_gone[leg] || waits_for_answer(pair->call, leg, cseq))
		return;
	was_acked = pair->leg[leg].acked_cseq == cseq;
	if (dialog_ack(&pair->leg[leg], calls->sip, cseq, &ack))
		return;
	sip_send_ack(calls->sip, &pair->leg[leg].dest, ack, NULL, NULL);
	pair->leg[leg].acked_cseq = cseq;
	if (!was_acked && !transfer_sees_to(pair->call, leg))
		own_request_restore(pair->call, leg);
}
