/* SPDX-License-Identifier: BSD-2-Clause */
/* Call pickup (RFC 3891 3, RFC 5359 2.16): who is called still rings, and another takes the call.
 * Leg A is answered in the other's stead, with what was said early or with nothing sent yet; the
 * other takes leg B's place as in any answered call, once that is acknowledged (takeover.c). Where
 * leg A is a transfer's, ourselves, that is once the one who is transferred stands there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/attempt.h"
#include "call/carry.h"
#include "call/cause.h"
#include "call/early.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/pickup.h"
#include "call/session_timer.h"

/* RFC 3326 2: the phone that rang has missed nothing. */
#define ELSEWHERE "SIP;cause=200;text=\"Call completed elsewhere\""

int pickup_check(const struct pair *pair, enum leg leg)
{
	const struct exchange *x = pair->call->initial;

	/* RFC 3891 3: an early dialog that the other end began is none to take. */
	if (leg != LEG_B || !x || !x->server || !x->client || x->accepted)
		return SIP_CALL_TRANSACTION_DOES_NOT_EXIST;
	/* RFC 3262 5: leg B's offer in a reliable response has its answer in a PRACK first. */
	return x->sdp == SDP_DELAYED && pair->answer_told ? SIP_REQUEST_PENDING : 0;
}

/* For leg A, which has made no offer: it is asked for its media with nobody at the other end. */
static int make_offer(struct exchange *x, char **text, size_t *len)
{
	struct media_session *media = x->call->media;

	if (media_offer_pending(media))
		media_offer_failed(media);
	return media_own_offer(media, LEG_A, true, text, len);
}

/* The last word on leg A's offer, or one for it. *text: NULL where leg A has it already. */
static int make_sdp(struct exchange *x, struct pair *pair, char **text, size_t *len)
{
	int ret = 0;

	if (x->sdp == SDP_DELAYED)
		return make_offer(x, text, len);
	if (x->sdp != SDP_OFFERED)
		return 0;
	if (!pair->early_answer) {
		ret = media_inactive_answer(x->call->media, LEG_B, &pair->early_answer);
		pair->early_answer_len = ret ? 0 : strlen(pair->early_answer);
	}
	if (!ret)
		ret = exchange_conclude_answer(x, pair, text, len);
	if (!ret && pair->answer_told) {
		free(*text);
		*text = NULL;
	}
	return ret;
}

static int make_2xx(struct exchange *x, struct pair *pair, osip_message_t **out)
{
	struct call *call = x->call;
	struct sip_server *txn = x->server;
	char *text = NULL;
	size_t len = 0;
	int ret = call_make_2xx(call, txn, pair->leg[LEG_A].local_tag, call->peer[LEG_A], out);

	if (!ret)
		ret = session_timer_answer(call, LEG_A, sip_server_request(txn), *out);
	if (!ret)
		ret = make_sdp(x, pair, &text, &len);
	if (!ret && text &&
		(osip_message_set_body(*out, text, len) ||
			osip_message_set_content_type(*out, "application/sdp")))
		ret = -ENOMEM;
	free(text);
	if (ret)
		osip_message_free(*out);
	return ret;
}

int pickup_answer(struct pair *pair, const struct peer_config *by)
{
	struct call *call = pair->call;
	struct exchange *x = call->initial;
	struct rejection failed = {.code = SIP_INTERNAL_SERVER_ERROR};
	osip_message_t *resp = NULL;
	char reason[REASON_MAX];
	int ret = make_2xx(x, pair, &resp);

	if (ret) {
		/* Nobody can answer the caller's offer any more. */
		invite_reject(call, &failed);
		return ret;
	}
	attempt_orphan(call, reason_for(x->client_peer, ELSEWHERE, reason));
	x->pair = pair;
	x->accepted = true;
	x->converted = x->ack_waits = x->sdp == SDP_DELAYED;
	if (!x->converted)
		x->sdp = SDP_DONE;
	history_picked_up(call, by);
	call->leg_gone[LEG_B] = true;
	invite_established(call, pair);
	media_session_pause(call->media);
	call_event(call, "answer", "%s -> %s picked up by %s", call->from, call->to, by->name);
	sip_server_respond(x->server, resp);
	return 0;
}
