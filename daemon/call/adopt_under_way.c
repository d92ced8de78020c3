/* SPDX-License-Identifier: BSD-2-Clause */
/* INVITEs that the legs of an answered call had under way when the daemon before us ended. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "call/exchange.h"
#include "call/state.h"

#define PENDING_RETRY_AFTER_S "1"

/* RFC 3261 14.2: the session stays as it was; who asked may do so again. */
static void refuse(struct call *call, const VdState__Invited *in)
{
	enum leg leg = in->leg == LEG_B ? LEG_B : LEG_A;
	struct sip_server *txn;

	if (!call->leg_gone[leg] && adopt_invited(call, in, call->peer[leg], 0, &txn) == 0)
		sip_server_reply(
			txn, SIP_INTERNAL_SERVER_ERROR, NULL, "Retry-After", PENDING_RETRY_AFTER_S);
}

static int take_exchange(struct exchange *x, const VdState__Accepted *in)
{
	bool failed = false;

	x->pair = x->call->answered;
	x->is_invite = x->accepted = true;
	x->is_initial = in->initial;
	x->sdp = (enum exchange_sdp)in->sdp;
	x->converted = in->converted;
	x->ack_waits = in->ack_waits;
	x->client_cseq = in->client_cseq;
	x->client_peer = x->call->peer[OTHER_LEG(x->from)];
	if (in->turned.len)
		x->turned = copy_bytes(&in->turned, SIP_MESSAGE_MAX, &failed);
	if (in->initial)
		x->call->told_early = in->told_early;
	return failed ? -EINVAL : 0;
}

/* Its 2xx is sent again until the ACK comes (RFC 3261 13.3.1.4). 0 or -errno. */
static int adopt_accepted(struct call *call, const VdState__Accepted *in)
{
	enum leg leg = in->asked && in->asked->leg == LEG_B ? LEG_B : LEG_A;
	struct exchange *x;
	int ret;

	if (!in->asked || !in->until_ms || in->sdp > SDP_DONE || call->leg_gone[leg])
		return -EINVAL;
	x = exchange_new(call, leg);
	if (!x)
		return -ENOMEM;
	ret = take_exchange(x, in);
	if (!ret)
		ret = adopt_invited(call, in->asked, call->peer[leg], in->until_ms, &x->server);
	if (ret) {
		exchange_free(x);
		return ret;
	}
	sip_server_set_owner(x->server, x, &exchange_server_handlers);
	return 0;
}

static bool answer_is_due(const struct call *call)
{
	const struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		if (x->ack_waits)
			return true;
	}
	return false;
}

void adopt_under_way(struct call *call, const VdState__Call *in)
{
	bool is_joining = in->target && call->leg_gone[LEG_A]; /* its leg A is led to it */
	int ret;

	for (size_t i = 0; i < in->n_accepted; i++) {
		ret = adopt_accepted(call, in->accepted[i]);
		if (ret)
			log_error("call %llu: its 2xx cannot be sent again: %s",
				(unsigned long long)call->id, strerror(-ret));
	}
	/* An offer without an owner. */
	if (media_offer_pending(call->media) && !is_joining && !answer_is_due(call))
		media_offer_failed(call->media);
	for (size_t i = 0; i < in->n_pending; i++)
		refuse(call, in->pending[i]);
}
