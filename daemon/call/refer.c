/* SPDX-License-Identifier: BSD-2-Clause */
/* REFER within an answered call (RFC 3515): refused, carried out here (refer: back, with who sent
 * it as the target), or passed to the other leg, as the peer's `refer` says. While a call is not
 * answered its caller has CANCEL and its callee a refusal to send it elsewhere by, and RFC 5589
 * transfers nobody who talks to nobody. */
#include <errno.h>
#include <string.h>

#include "call/carry.h"
#include "call/refer.h"
#include "call/transfer.h"

static void refuse(struct call *call, struct sip_server *txn, int code)
{
	call->calls->counters.transfers_refused++;
	sip_server_reply(txn, code, NULL, "Allow", call_allow(sip_server_peer(txn)));
}

/* Nobody is asked to do what it has no part in, or has us do. */
static bool takes_refer(const struct peer_config *peer)
{
	return peer->refer != REFER_REFUSE && peer->refer != REFER_BACK;
}

void refer_received(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	struct call *call = pair->call;
	const struct peer_config *peer = call->peer[leg];
	struct refer_to to;
	int ret;

	if (peer->refer == REFER_REFUSE) {
		refuse(call, txn, SIP_METHOD_NOT_ALLOWED);
		return;
	}
	/* RFC 3261 21.4.27: the INVITE of the same dialog is under way. */
	if (call->state != CALL_ANSWERED) {
		refuse(call, txn, SIP_REQUEST_PENDING);
		return;
	}
	if (call->refers >= CALL_REFERS_MAX) {
		refuse(call, txn, SIP_FORBIDDEN);
		return;
	}
	if (call->transfer || call->target_of || call->takeover || call->leg_gone[OTHER_LEG(leg)]) {
		sip_server_reply(txn, SIP_REQUEST_PENDING, NULL, NULL, NULL);
		return;
	}
	ret = refer_to_parse(&to, req, peer->refer == REFER_BACK);
	if (ret) {
		refuse(call, txn,
			ret == -EINVAL   ? SIP_BAD_REQUEST
			: ret == -ENOMEM ? SIP_INTERNAL_SERVER_ERROR
					 : SIP_DECLINE);
		return;
	}
	if (peer->refer == REFER_PASS && takes_refer(call->peer[OTHER_LEG(leg)])) {
		ret = refer_pass(pair, leg, txn, &to);
		if (ret)
			refuse(call, txn, ret);
		refer_to_clear(&to);
	} else {
		transfer_begin(pair, leg, txn, &to);
	}
}
