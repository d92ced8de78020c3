/* SPDX-License-Identifier: BSD-2-Clause */
/* INVITE with Replaces (RFC 3891): the new leg takes the place of one of an answered call's, once
 * the far leg has taken its media. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/carry.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/pickup.h"
#include "call/refer.h"
#include "call/takeover.h"
#include "call/transfer.h"

/* ---- who may ---- */

void replaces_grant(struct call *call, enum leg leg, const struct peer_config *peer)
{
	call->grant.leg = leg;
	call->grant.until_ms = loop_now_ms(call->calls->loop) + REPLACES_GRANT_MS;
	snprintf(call->grant.peer, sizeof(call->grant.peer), "%s", peer->name);
	call_touch(call);
}

bool replaces_is_allowed(const struct peer_config *peer, const struct call *call, enum leg leg)
{
	const struct peer_config *owner = call->peer[leg];

	if (peer->replaces == REPLACES_REFUSE)
		return false;
	if (call->grant.leg == leg && loop_now_ms(call->calls->loop) < call->grant.until_ms &&
		strcmp(call->grant.peer, peer->name) == 0)
		return true;
	return strcmp(peer->name, owner->name) == 0 ||
	       (peer->replaces == REPLACES_SIDE && peer->side == owner->side);
}

/* ---- it comes ---- */

/* The leg that is named: its own dialog with us as it knows it, or the far leg's as the far end
 * knows it (a REFER that was passed on names that one). */
static struct pair *find_leg(struct calls *calls, const struct replaces *r, enum leg *leg)
{
	struct pair *pair = pair_by_ids(calls, r->call_id, r->to_tag, r->from_tag, leg);

	if (!pair) {
		pair = pair_by_ids(calls, r->call_id, r->from_tag, r->to_tag, leg);
		*leg = OTHER_LEG(*leg);
	}
	return pair;
}

struct call *replaces_find(struct calls *calls, const osip_message_t *req, enum leg *leg)
{
	const char *value = header_value(req, "Replaces");
	struct replaces r;
	struct pair *pair;

	if (!value || replaces_parse(&r, value))
		return NULL;
	pair = find_leg(calls, &r, leg);
	replaces_clear(&r);
	return pair && pair->call->counted ? pair->call : NULL;
}

/* RFC 3891 3. 0 or the code to refuse with. */
static int check(const struct pair *pair, enum leg leg, const struct replaces *r,
	const struct peer_config *peer)
{
	const struct call *call = pair ? pair->call : NULL;

	if (!call)
		return SIP_CALL_TRANSACTION_DOES_NOT_EXIST;
	if (!replaces_is_allowed(peer, call, leg))
		return SIP_FORBIDDEN;
	if (call->state == CALL_ENDING)
		return SIP_DECLINE;
	if (call->state != CALL_ANSWERED)
		return pickup_check(pair, leg);
	if (call->leg_gone[OTHER_LEG(leg)])
		return SIP_CALL_TRANSACTION_DOES_NOT_EXIST;
	if (r->early_only)
		return SIP_BUSY_HERE;
	if (call->transfer || call->target_of || call->takeover)
		return SIP_REQUEST_PENDING;
	return call->transfers >= CALL_TRANSFERS_MAX ? SIP_FORBIDDEN : 0;
}

/* Whether the offer is of any use, before the caller hears anything. */
static int try_offer(struct takeover *t, struct sip_server *txn)
{
	const osip_body_t *sdp = carry_find_sdp(sip_server_request(txn));
	char *text = NULL;
	size_t len;
	int ret;

	if (!sdp)
		return 0;
	ret = media_offer(t->media, t->leg, sdp->body, sdp->length, &text, &len);
	free(text);
	if (!ret)
		media_offer_failed(t->media);
	return ret;
}

static int begin(
	struct pair *pair, enum leg leg, struct sip_server *txn, const struct peer_config *peer)
{
	struct call *call = pair->call;
	struct takeover *t = takeover_new(call, leg);
	char *offer = NULL;
	int ret;

	if (!t)
		return -ENOMEM;
	t->waits = call->state != CALL_ANSWERED;
	ret = takeover_prepare(t, txn, peer);
	if (!ret)
		ret = t->waits ? try_offer(t, txn) : takeover_lead(t, txn, &offer);
	if (ret) {
		takeover_free(t);
		return ret;
	}
	if (t->waits) {
		/* What ends the call ends the takeover, which has nothing to refuse yet. */
		ret = pickup_answer(pair, peer);
		if (ret)
			return ret;
	}
	t->txn = txn;
	sip_server_set_owner(txn, t, &takeover_server_handlers);
	if (offer)
		takeover_move_in(t, offer);
	free(offer);
	return 0;
}

bool replaces_received(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer)
{
	const char *value = header_value(req, "Replaces");
	struct replaces r;
	struct pair *pair;
	enum leg leg = LEG_A;
	int code, ret;

	if (!value)
		return false;
	ret = replaces_parse(&r, value);
	if (ret) {
		takeover_refuse(
			calls, txn, ret == -ENOMEM ? SIP_INTERNAL_SERVER_ERROR : SIP_BAD_REQUEST);
		return true;
	}
	pair = find_leg(calls, &r, &leg);
	code = check(pair, leg, &r, peer);
	replaces_clear(&r);
	if (!code) {
		ret = begin(pair, leg, txn, peer);
		code = ret ? media_error_code(ret) : 0;
	}
	if (code) {
		calls->counters.transfers_refused++;
		takeover_refuse(calls, txn, code);
	}
	return true;
}
