/* SPDX-License-Identifier: BSD-2-Clause */
/* Offers and INVITEs must not cross (RFC 3261 14.1 and 14.2, RFC 3311 5.2). */
#include <stdio.h>

#include "base/token.h"
#include "call/exchange.h"

#define RETRY_AFTER_GLARE_S 10 /* RFC 3261 14.2: 0 to 10 seconds, by chance */

bool exchange_is_pending_invite(const struct exchange *x)
{
	return x->is_invite && (x->server || x->ack_waits);
}

int exchange_glare(struct call *call, enum leg leg, bool is_invite, bool has_offer)
{
	const struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		bool delayed = x->sdp == SDP_DELAYED && media_offer_pending(call->media);
		bool open_offer = x->server && (delayed || (x->sdp == SDP_OFFERED && !x->accepted));
		enum leg first = x->from;

		if (own_request_is_open(x) && (is_invite || has_offer))
			return SIP_REQUEST_PENDING;

		if (!(is_invite && exchange_is_pending_invite(x))) {
			if (!(is_invite || has_offer) || !open_offer)
				continue;
			first = delayed ? OTHER_LEG(x->from) : x->from;
		}
		return first == leg ? SIP_INTERNAL_SERVER_ERROR : SIP_REQUEST_PENDING;
	}
	return 0;
}

void exchange_refuse_glare(struct sip_server *txn, int code)
{
	char seconds[16];

	if (code == SIP_REQUEST_PENDING) {
		sip_server_reply(txn, code, NULL, NULL, NULL);
		return;
	}
	snprintf(seconds, sizeof(seconds), "%u",
		(unsigned)(token_random64() % (RETRY_AFTER_GLARE_S + 1)));
	sip_server_reply(txn, code, NULL, "Retry-After", seconds);
}
