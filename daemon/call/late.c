/* SPDX-License-Identifier: BSD-2-Clause */
/* A 2xx to an INVITE whose call is over: a branch of a fork that answers late, or one that has not
 * had our ACK. RFC 3261 13.2.2.4: it gets its ACK, and a BYE. */
#include "call/internal.h"

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
