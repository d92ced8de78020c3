/* SPDX-License-Identifier: BSD-2-Clause */
/* INVITE with Replaces (RFC 3891): the new leg takes the place of one of an answered call's, once
 * the far leg has taken its media. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/token.h"
#include "call/carry.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/number.h"
#include "call/own_request.h"
#include "call/pickup.h"
#include "call/refer.h"
#include "call/replace_leg.h"
#include "call/session_timer.h"
#include "call/transfer.h"

#define GRANT_MS (5 * 60 * 1000) /* for who got a REFER to act on it */

struct takeover {
	struct call *call;
	enum leg leg;  /* whose place is taken */
	bool waits;    /* for the far leg, which has been answered in the stead of leg B */
	bool we_offer; /* the INVITE has no offer: its ACK answers one of ours */
	struct sip_server *txn;
	struct media_session *media;
	struct exchange *asking; /* our re-INVITE of the far leg */
	struct dialog dialog;    /* of the new leg */
	struct config *cfg;      /* that its peer is of */
};

/* ---- who may ---- */

void replaces_grant(struct call *call, enum leg leg, const struct peer_config *peer)
{
	call->grant.leg = leg;
	call->grant.until_ms = loop_now_ms(call->calls->loop) + GRANT_MS;
	snprintf(call->grant.peer, sizeof(call->grant.peer), "%s", peer->name);
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

/* ---- the end of it ---- */

static void takeover_free(struct takeover *t)
{
	t->call->takeover = NULL;
	if (t->asking)
		own_request_cancel(t->asking);
	if (t->txn)
		sip_server_abandon(t->txn);
	media_session_free(t->media);
	dialog_clear(&t->dialog);
	config_unref(t->cfg);
	free(t);
}

/* The answer that is no dialog; it leaves a record, as that of every INVITE that was looked at. */
static void refuse(struct calls *calls, struct sip_server *txn, int code)
{
	history_refused(calls, sip_server_request(txn), sip_server_peer(txn), code);
	sip_server_reply(txn, code, NULL, NULL, NULL);
}

/* The one who asked is refused, the call is as it was, but for a leg that has left it. */
static void fail(struct takeover *t, int code)
{
	struct call *call = t->call;
	enum leg leg = t->leg;

	call->calls->counters.transfers_failed++;
	if (t->txn)
		refuse(call->calls, t->txn, code);
	takeover_free(t);
	if (call->state == CALL_ANSWERED && call->leg_gone[leg])
		call_end(call, (int)leg, NULL, "takeover failed");
}

static void cancelled(void *owner, struct sip_server *txn, osip_message_t *cancel)
{
	(void)txn;
	(void)cancel;
	fail(owner, SIP_REQUEST_TERMINATED);
}

static void gone(void *owner, struct sip_server *txn)
{
	struct takeover *t = owner;

	(void)txn;
	t->txn = NULL;
	fail(t, SIP_SERVICE_UNAVAILABLE);
}

static const struct sip_server_handlers handlers = {.cancelled = cancelled, .gone = gone};

/* ---- the new leg moves in ---- */

/* Its 2xx waits for the ACK as that of a re-INVITE does. */
static int answer_new_leg(struct takeover *t, struct exchange *x, const char *sdp)
{
	struct call *call = t->call;
	osip_message_t *resp = NULL;
	int ret;

	ret = sip_response_make(t->txn, SIP_OK, NULL, call->answered->leg[t->leg].local_tag, &resp);
	if (ret)
		return ret;
	ret = sip_set_contact(resp, call->calls->sip, sip_server_listener(t->txn));
	if (!ret)
		ret = call_announce(resp, sip_server_peer(t->txn));
	if (!ret)
		ret = session_timer_answer(call, t->leg, sip_server_request(t->txn), resp);
	if (!ret && (osip_message_set_body(resp, sdp, strlen(sdp)) ||
			    osip_message_set_content_type(resp, "application/sdp")))
		ret = -ENOMEM;
	if (ret) {
		osip_message_free(resp);
		return ret;
	}
	x->pair = call->answered;
	x->is_invite = x->accepted = true;
	x->sdp = t->we_offer ? SDP_DELAYED : SDP_DONE;
	x->converted = x->ack_waits = t->we_offer;
	x->server = t->txn;
	t->txn = NULL;
	sip_server_set_owner(x->server, x, &exchange_server_handlers);
	sip_server_respond(x->server, resp);
	return 0;
}

static void move_in(struct takeover *t, const char *sdp)
{
	struct call *call = t->call;
	struct call_transfer note = {
		.kind = "replaces", .by = t->leg == LEG_A ? 'a' : 'b', .code = SIP_OK};
	struct exchange *x = exchange_new(call, t->leg);
	enum leg leg = t->leg, far = OTHER_LEG(leg);
	int ret;

	if (!x) {
		fail(t, SIP_INTERNAL_SERVER_ERROR);
		if (call->state == CALL_ANSWERED)
			own_request_restore(call, far);
		return;
	}
	number_of(sip_server_request(t->txn)->from->url, note.to);
	call_replace_media(call, t->media);
	t->media = NULL;
	ret = call_replace_leg(call, leg, &t->dialog, "SIP;cause=200;text=\"Replaced\"");
	if (!ret)
		ret = answer_new_leg(t, x, sdp);
	if (ret) {
		exchange_free(x);
		fail(t, SIP_INTERNAL_SERVER_ERROR);
		call_end(call, (int)leg, NULL, "out of memory");
		return;
	}
	call->transfers++;
	call->calls->counters.transfers++;
	history_transfer(call, &note);
	call_event(call, "transfer", "%s -> %s: leg %c replaced by %s of %s", call->from, call->to,
		note.by, note.to, call->peer[leg]->name);
	takeover_free(t);
}

static void far_answered(void *ctx, int code, osip_message_t *resp, const char *answer)
{
	struct takeover *t = ctx;
	struct call *call = t->call;
	enum leg far = OTHER_LEG(t->leg);
	bool astray = resp && MSG_IS_STATUS_2XX(resp) && code >= 300;

	t->asking = NULL;
	if (code < 300 && answer) {
		move_in(t, answer);
		return;
	}
	fail(t, carried_error_code(code));
	if (astray && call->state == CALL_ANSWERED)
		own_request_restore(call, far);
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

/* The far leg is asked first. */
static int lead_far(struct takeover *t, const osip_body_t *sdp)
{
	char *offer = strndup(sdp->body, sdp->length);
	const struct own_request ask = {.call = t->call,
		.to = OTHER_LEG(t->leg),
		.method = "INVITE",
		.media = t->media,
		.offerer = t->leg,
		.offer = offer,
		.done = far_answered,
		.ctx = t};
	int ret = offer ? own_request_send(&ask, &t->asking) : -ENOMEM;

	free(offer);
	return ret;
}

/* An INVITE without an offer: what the far leg said last is one for it. The far leg follows when
 * that is answered (delayed_offer.c). */
static int make_offer(struct takeover *t, char **out)
{
	enum leg far = OTHER_LEG(t->leg);
	char *heard = NULL;
	size_t len;
	int ret = media_fresh_offer(t->call->media, far, &heard);

	if (!ret)
		ret = media_offer(t->media, far, heard, strlen(heard), out, &len);
	free(heard);
	t->we_offer = true;
	return ret == -ENOENT ? -EPROTONOSUPPORT : ret;
}

static struct takeover *takeover_new(struct call *call, enum leg leg)
{
	struct takeover *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->call = call;
	t->leg = leg;
	t->cfg = config_ref(call->calls->cfg);
	call->takeover = t;
	return t;
}

static int prepare(struct takeover *t, struct sip_server *txn, const struct peer_config *peer)
{
	struct call *call = t->call;
	const struct peer_config *peers[2];
	char tag[DIALOG_TAG_LEN + 1];
	int ret;

	token_make(tag, DIALOG_TAG_LEN);
	peers[t->leg] = peer;
	peers[OTHER_LEG(t->leg)] = call->peer[OTHER_LEG(t->leg)];
	ret = dialog_init_uas(&t->dialog, txn, tag);
	if (!ret)
		ret = call_hold_config(call, t->cfg);
	if (!ret)
		ret = media_session_new(
			call->calls->media, call, peers[LEG_A], peers[LEG_B], &t->media);
	if (!ret)
		media_session_set_spare(t->media, true);
	return ret;
}

/* Asks the far leg, or the new one where that has offered nothing. *offer: for the latter. */
static int lead(struct takeover *t, struct sip_server *txn, char **offer)
{
	const osip_body_t *sdp = carry_find_sdp(sip_server_request(txn));

	return sdp ? lead_far(t, sdp) : make_offer(t, offer);
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
	ret = prepare(t, txn, peer);
	if (!ret)
		ret = t->waits ? try_offer(t, txn) : lead(t, txn, &offer);
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
	sip_server_set_owner(txn, t, &handlers);
	if (offer)
		move_in(t, offer);
	free(offer);
	return 0;
}

void takeover_acked(struct call *call)
{
	struct takeover *t = call->takeover;
	char *offer = NULL;
	int ret;

	/* Of a transfer's target: the far leg is ourselves until it is joined. */
	if (!t || !t->waits || call->target_of)
		return;
	t->waits = false;
	ret = lead(t, t->txn, &offer);
	if (ret)
		fail(t, media_error_code(ret));
	else if (offer)
		move_in(t, offer);
	free(offer);
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
		refuse(calls, txn, SIP_BAD_REQUEST);
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
		refuse(calls, txn, code);
	}
	return true;
}

void takeover_call_over(struct call *call)
{
	if (!call->takeover)
		return;
	/* The leg that was to be replaced is no more (RFC 3891 3). */
	if (call->takeover->txn)
		refuse(call->calls, call->takeover->txn, SIP_DECLINE);
	takeover_free(call->takeover);
}

bool takeover_goes_on_without(const struct call *call, enum leg leg)
{
	return call->takeover && call->takeover->leg == leg;
}
