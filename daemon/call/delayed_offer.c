/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/delayed_offer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/carry.h"
#include "call/exchange.h"
#include "call/own_request.h"
#include "call/session_timer.h"

static int put_sdp(osip_message_t *msg, const char *text, size_t len)
{
	return osip_message_set_body(msg, text, len) ||
			       osip_message_set_content_type(msg, "application/sdp")
		       ? -ENOMEM
		       : 0;
}

int delayed_offer_convert(struct exchange *x, const struct peer_config *peer, osip_message_t *msg)
{
	struct media_session *media = x->call->media;
	char *text = NULL;
	size_t len = 0;
	int ret;

	x->converted = false;
	if (x->sdp != SDP_DELAYED)
		return 0;
	/* Of an attempt before, to a peer that was made an offer. */
	if (media_offer_pending(media))
		media_offer_failed(media);
	if (peer->session.delayed_offer == DELAYED_OFFER_ACCEPT)
		return 0;
	if (peer->session.delayed_offer == DELAYED_OFFER_REFUSE)
		return -EPROTONOSUPPORT;
	ret = media_own_offer(media, LEG_B, false, &text, &len);
	if (!ret) {
		ret = put_sdp(msg, text, len);
		if (ret)
			media_offer_failed(media);
	}
	free(text);
	x->converted = !ret;
	return ret;
}

int delayed_offer_turn(struct exchange *x, const osip_message_t *resp, osip_message_t *out)
{
	const osip_body_t *sdp = carry_find_sdp(resp);
	const char *text = sdp ? sdp->body : x->pair->early_answer;
	size_t len = sdp ? sdp->length : x->pair->early_answer_len, turned_len = 0;
	char *turned = NULL;
	int ret;

	if (!text)
		return -EINVAL;
	ret = media_offer(x->call->media, LEG_B, text, len, &turned, &turned_len);
	if (!ret)
		ret = put_sdp(out, turned, turned_len);
	free(turned);
	if (ret)
		return ret;
	free(x->turned);
	x->turned = strndup(text, len);
	return x->turned ? 0 : -ENOMEM;
}

static void lead(struct call *call, enum leg leg)
{
	const struct own_request r = {.call = call,
		.to = leg,
		.method = "INVITE",
		.media = call->media,
		.offerer = OTHER_LEG(leg)};

	own_request_send(&r, NULL);
}

int delayed_offer_answered(struct exchange *x, const osip_message_t *ack)
{
	const osip_body_t *sdp = ack ? carry_find_sdp(ack) : NULL;
	struct call *call = x->call;
	enum leg other = OTHER_LEG(x->from);
	uint32_t told = call->media ? media_told(call->media, other) : 0;
	char *text = NULL;
	size_t len;
	int ret;

	x->ack_waits = false;
	if (!sdp || !call->media)
		return -EINVAL;
	ret = media_answer(call->media, x->from, sdp->body, sdp->length, true, &text, &len);
	if (ret)
		return ret;
	/* Who is to take its place is led there next (takeover.c). */
	if (call->leg_gone[other]) {
		free(text);
		return 0;
	}
	/* The other leg knows what it answered, or was told before; what is less it must hear of.
	 * It stood in another session with the one whose place x->from has taken: there is none to
	 * go back to. */
	if (!x->turned && !told)
		own_request_restore(call, other);
	else if (x->turned ? media_is_narrower(text, x->turned)
			   : media_told(call->media, other) != told)
		lead(call, other);
	free(text);
	exchange_note_hold(call);
	return 0;
}

/* A re-INVITE of that leg, answered with an offer of what the other said last. */
static int offer_here(struct exchange *x, struct sip_server *txn, osip_message_t *req)
{
	struct call *call = x->call;
	const struct dialog *d = &x->pair->leg[x->from];
	const char *heard = media_heard_sdp(call->media, OTHER_LEG(x->from));
	osip_message_t *resp = NULL;
	char *text = NULL;
	size_t len = 0;
	int ret;

	ret = call_make_2xx(call, txn, d->local_tag, d->peer, &resp);
	if (!ret)
		ret = session_timer_answer(call, x->from, req, resp);
	if (!ret)
		ret = heard ? media_offer(call->media, OTHER_LEG(x->from), heard, strlen(heard),
				      &text, &len)
			    : -EPROTONOSUPPORT;
	if (!ret) {
		ret = put_sdp(resp, text, len);
		if (ret)
			media_offer_failed(call->media);
	}
	free(text);
	if (ret) {
		osip_message_free(resp);
		return ret;
	}
	x->server = txn;
	sip_server_set_owner(txn, x, &exchange_server_handlers);
	sip_server_respond(txn, resp);
	return 0;
}

bool delayed_offer_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	struct call *call = pair->call;
	enum delayed_offer_mode mode = call->peer[OTHER_LEG(leg)]->session.delayed_offer;
	struct exchange *x;
	char seconds[16];
	int ret;

	if (mode == DELAYED_OFFER_ACCEPT || carry_find_sdp(req))
		return false;
	if (mode == DELAYED_OFFER_REFUSE) {
		sip_server_reply(txn, SIP_NOT_ACCEPTABLE_HERE, NULL, NULL, NULL);
		return true;
	}
	x = exchange_new(call, leg);
	if (!x) {
		snprintf(seconds, sizeof(seconds), "%d", RETRY_AFTER_S);
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, NULL, "Retry-After", seconds);
		return true;
	}
	x->pair = pair;
	x->is_invite = x->accepted = x->ack_waits = x->converted = true;
	x->sdp = SDP_DELAYED;
	ret = offer_here(x, txn, req);
	if (ret) {
		sip_server_reply(txn, media_error_code(ret), NULL, NULL, NULL);
		x->ack_waits = false;
		exchange_free(x);
	} else {
		dialog_refresh_target(&pair->leg[leg], req);
	}
	return true;
}
