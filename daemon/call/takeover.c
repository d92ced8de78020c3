/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/token.h"
#include "call/carry.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/number.h"
#include "call/own_request.h"
#include "call/refer.h"
#include "call/replace_leg.h"
#include "call/session_timer.h"

/* ---- the end of it ---- */

void takeover_free(struct takeover *t)
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

void takeover_refuse(struct calls *calls, struct sip_server *txn, int code)
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
		takeover_refuse(call->calls, t->txn, code);
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

const struct sip_server_handlers takeover_server_handlers = {.cancelled = cancelled, .gone = gone};

/* ---- the new leg moves in ---- */

/* Its 2xx waits for the ACK as that of a re-INVITE does. */
static int answer_new_leg(struct takeover *t, struct exchange *x, const char *sdp)
{
	struct call *call = t->call;
	osip_message_t *resp = NULL;
	int ret;

	ret = call_make_2xx(call, t->txn, call->answered->leg[t->leg].local_tag,
		sip_server_peer(t->txn), &resp);
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

void takeover_move_in(struct takeover *t, const char *sdp)
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
		takeover_move_in(t, answer);
		return;
	}
	fail(t, carried_error_code(code));
	if (astray && call->state == CALL_ANSWERED)
		own_request_restore(call, far);
}

/* ---- the far leg is led over ---- */

/* The far leg is asked first. */
static struct own_request request_to_far(struct takeover *t, const char *offer)
{
	return (struct own_request){.call = t->call,
		.to = OTHER_LEG(t->leg),
		.method = "INVITE",
		.media = t->media,
		.offerer = t->leg,
		.offer = offer,
		.done = far_answered,
		.ctx = t};
}

static int lead_far(struct takeover *t, const osip_body_t *sdp)
{
	char *offer = strndup(sdp->body, sdp->length);
	const struct own_request ask = request_to_far(t, offer);
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

struct takeover *takeover_new(struct call *call, enum leg leg)
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

static int new_media(struct takeover *t, const struct peer_config *peer)
{
	struct call *call = t->call;
	const struct peer_config *peers[2];
	int ret;

	peers[t->leg] = peer;
	peers[OTHER_LEG(t->leg)] = call->peer[OTHER_LEG(t->leg)];
	ret = media_session_new(call->calls->media, call, peers[LEG_A], peers[LEG_B], &t->media);
	if (!ret)
		media_session_set_spare(t->media, true);
	return ret;
}

int takeover_prepare(struct takeover *t, struct sip_server *txn, const struct peer_config *peer)
{
	char tag[DIALOG_TAG_LEN + 1];
	int ret;

	token_make(tag, DIALOG_TAG_LEN);
	ret = dialog_init_uas(&t->dialog, txn, tag);
	if (!ret)
		ret = call_hold_config(t->call, t->cfg);
	return ret ? ret : new_media(t, peer);
}

/* Asks the far leg, or the new one where that has offered nothing. *offer: for the latter. */
int takeover_lead(struct takeover *t, struct sip_server *txn, char **offer)
{
	const osip_body_t *sdp = carry_find_sdp(sip_server_request(txn));

	return sdp ? lead_far(t, sdp) : make_offer(t, offer);
}

static void lead_now(struct takeover *t)
{
	char *offer = NULL;
	int ret = takeover_lead(t, t->txn, &offer);

	if (ret)
		fail(t, media_error_code(ret));
	else if (offer)
		takeover_move_in(t, offer);
	free(offer);
}

/* ---- what the room tells ---- */

void takeover_acked(struct call *call)
{
	struct takeover *t = call->takeover;

	/* Of a transfer's target: the far leg is ourselves until it is joined. */
	if (!t || !t->waits || call->target_of)
		return;
	t->waits = false;
	lead_now(t);
}

void takeover_call_over(struct call *call)
{
	if (!call->takeover)
		return;
	if (call->calls->leaving && call->state != CALL_ENDING) {
		call->takeover->asking = NULL; /* the next daemon hears of it */
		takeover_free(call->takeover);
		return;
	}
	/* The leg that was to be replaced is no more (RFC 3891 3). */
	if (call->takeover->txn)
		takeover_refuse(call->calls, call->takeover->txn, SIP_DECLINE);
	takeover_free(call->takeover);
}

bool takeover_goes_on_without(const struct call *call, enum leg leg)
{
	return call->takeover && call->takeover->leg == leg;
}

/* ---- of the daemon before ---- */

int takeover_adopt(struct takeover *t, struct sip_server *txn)
{
	char tag[DIALOG_TAG_LEN + 1];

	t->txn = txn;
	sip_server_set_owner(txn, t, &takeover_server_handlers);
	/* The new leg was told none yet. */
	token_make(tag, DIALOG_TAG_LEN);
	return dialog_init_uas(&t->dialog, txn, tag);
}

int takeover_adopt_asking(struct takeover *t, const struct sip_dest *dest, struct text invite)
{
	const struct own_request r = request_to_far(t, NULL);

	return own_request_adopt(&r, dest, invite, &t->asking);
}

void takeover_resume(struct takeover *t)
{
	int ret = 0;

	if (t->call->leg_gone[t->leg])
		media_session_pause(t->call->media);
	if (t->asking)
		return;
	if (!t->media)
		ret = new_media(t, sip_server_peer(t->txn));
	else if (media_offer_pending(t->media))
		media_offer_failed(t->media);
	t->waits = t->call->target_of != NULL;
	if (ret)
		fail(t, media_error_code(ret));
	else if (!t->waits)
		lead_now(t);
}
