/* SPDX-License-Identifier: BSD-2-Clause */
/* A re-INVITE that comes before the ACK of the other leg's INVITE (PBXs send one as soon as they
 * are answered): it is held back until that ACK is here, for a short time. */
#include <errno.h>

#include "call/exchange.h"

#define HELD_BACK_MS 2000 /* then 491, and the peer asks again (RFC 3261 14.1) */

/* Whether nothing stands in its way but ACKs that are due any moment. */
static bool waits_for_ack(const struct call *call)
{
	const struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		if (own_request_is_open(x))
			return false;
		if (exchange_is_pending_invite(x) && !(x->accepted && x->server))
			return false;
	}
	return true;
}

/* The transaction, which is nobody's then. */
static struct sip_server *take(struct call *call)
{
	struct sip_server *txn = call->held_back.txn;

	call->held_back.txn = NULL;
	loop_timer_stop(call->calls->loop, &call->held_back.timer);
	if (txn)
		sip_server_abandon(txn);
	return txn;
}

static void refuse(struct call *call, int code)
{
	struct sip_server *txn = take(call);

	if (txn)
		sip_server_reply(txn, code, NULL, NULL, NULL);
}

static void timed_out(struct loop_timer *t)
{
	struct held_back *h = (struct held_back *)((char *)t - offsetof(struct held_back, timer));

	refuse(h->call, SIP_REQUEST_PENDING);
}

static void cancelled(void *owner, struct sip_server *txn, osip_message_t *cancel)
{
	(void)txn;
	(void)cancel;
	refuse(owner, SIP_REQUEST_TERMINATED);
}

static void gone(void *owner, struct sip_server *txn)
{
	struct call *call = owner;

	(void)txn;
	call->held_back.txn = NULL;
	loop_timer_stop(call->calls->loop, &call->held_back.timer);
}

static const struct sip_server_handlers handlers = {.cancelled = cancelled, .gone = gone};

bool held_back_take(struct pair *pair, enum leg leg, struct sip_server *txn)
{
	struct call *call = pair->call;
	struct held_back *h = &call->held_back;

	if (call->state != CALL_ANSWERED || h->txn || !waits_for_ack(call))
		return false;
	h->call = call;
	h->timer.fire = timed_out;
	if (loop_timer_start(call->calls->loop, &h->timer, HELD_BACK_MS))
		return false;
	h->txn = txn;
	h->leg = leg;
	sip_server_set_owner(txn, call, &handlers);
	return true;
}

void held_back_go(struct call *call)
{
	struct exchange *x;
	struct sip_server *txn;

	if (!call->held_back.txn)
		return;
	DL_FOREACH (call->exchanges, x) {
		if (exchange_is_pending_invite(x))
			return;
	}
	txn = take(call);
	exchange_carry(call->answered, call->held_back.leg, txn, sip_server_request(txn));
}

void held_back_drop(struct call *call)
{
	refuse(call, SIP_REQUEST_TERMINATED);
}
