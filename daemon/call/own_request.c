/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/own_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/token.h"
#include "call/attempt.h"
#include "call/carry.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/session_timer.h"

/* RFC 3261 14.1: after a 491 the one who made the Call-ID waits longer. */
#define GLARE_OWNER_MIN_MS 2100
#define GLARE_OWNER_MAX_MS 4000
#define GLARE_OTHER_MAX_MS 2000

struct own {
	struct exchange *x;
	enum leg to;
	char *method, *content_type, *body, *offer;
	struct {
		char *name, *value;
	} header[OWN_HEADERS_MAX];
	struct media_session *media;
	enum leg offerer;
	uint32_t *told;
	bool with_offer;
	bool is_open;  /* no final response yet, or waits for its next try */
	bool is_sent;  /* the present try */
	bool given_up; /* nobody wants to know any more */
	unsigned tries;
	struct loop_timer timer;
	own_done_fn *done;
	void *ctx;
};

bool own_request_is_open(const struct exchange *x)
{
	return x->own && x->own->is_sent && x->own->is_open && (x->is_invite || x->own->with_offer);
}

bool own_request_waits(const struct exchange *x)
{
	return x->own && x->own->is_open && !x->own->is_sent;
}

void own_request_free(struct exchange *x)
{
	struct own *own = x->own;

	if (!own)
		return;
	x->own = NULL;
	loop_timer_stop(x->call->calls->loop, &own->timer);
	free(own->method);
	free(own->content_type);
	free(own->body);
	free(own->offer);
	for (unsigned i = 0; i < OWN_HEADERS_MAX; i++) {
		free(own->header[i].name);
		free(own->header[i].value);
	}
	free(own);
}

void own_request_forget(struct exchange *x)
{
	struct own *own = x->own;

	if (!own)
		return;
	own->media = NULL;
	own->done = NULL;
	own->given_up = true;
}

void own_request_orphan(struct exchange *x)
{
	own_request_forget(x);
	if (x->own)
		x->own->is_open = false;
}

void own_request_replace_media(
	struct exchange *x, const struct media_session *from, struct media_session *to)
{
	if (x->own && x->own->media == from)
		x->own->media = own_request_waits(x) ? to : NULL;
}

static bool has_answer(const struct own *own)
{
	return own->with_offer && own->media;
}

/* The last word on it. x may be gone after this. */
static void conclude(struct exchange *x, int code, osip_message_t *resp, const char *answer)
{
	struct own *own = x->own;
	own_done_fn *done = own->done;

	own->is_open = false;
	own->done = NULL;
	own->media = NULL;
	if (done)
		done(own->ctx, code, resp, answer);
}

/* Of one that never went out, in a call that goes on. x is gone after this. */
static void conclude_unsent(struct exchange *x, int code)
{
	own_done_fn *done = x->own->done;
	void *ctx = x->own->ctx;

	exchange_free(x);
	if (done)
		done(ctx, code, NULL, NULL);
}

/* ---- sending ---- */

static const struct sip_client_handlers handlers;

static int make_body(struct own *own, osip_message_t *msg)
{
	char *text = NULL;
	const char *offer = own->offer;
	size_t len;
	int ret = 0;

	if (has_answer(own)) {
		if (!offer)
			offer = media_heard_sdp(own->media, own->offerer);
		if (!offer)
			return -ENOENT;
		if (own->told)
			*own->told = media_told(own->media, own->offerer);
		ret = media_offer(own->media, own->offerer, offer, strlen(offer), &text, &len);
		if (ret)
			return ret;
		if (osip_message_set_body(msg, text, len) ||
			osip_message_set_content_type(msg, "application/sdp")) {
			media_offer_failed(own->media);
			ret = -ENOMEM;
		}
		free(text);
	} else if (own->body) {
		if (osip_message_set_body(msg, own->body, strlen(own->body)) ||
			osip_message_set_content_type(msg, own->content_type))
			ret = -ENOMEM;
	}
	return ret;
}

/* RFC 4028 3: every INVITE and UPDATE is one. */
static bool is_refresh(const struct exchange *x)
{
	return x->is_invite || strcmp(x->own->method, "UPDATE") == 0;
}

static int send_once(struct exchange *x)
{
	struct own *own = x->own;
	struct dialog *d = &x->pair->leg[own->to];
	osip_message_t *msg = NULL;
	int ret;

	ret = dialog_request(d, x->call->calls->sip, own->method, &msg);
	if (ret)
		return ret;
	for (unsigned i = 0; i < OWN_HEADERS_MAX && own->header[i].name && !ret; i++) {
		if (osip_message_set_header(msg, own->header[i].name, own->header[i].value))
			ret = -ENOMEM;
	}
	if (!ret && (x->is_invite || strcmp(own->method, "UPDATE") == 0))
		ret = call_announce(msg, d->peer);
	if (!ret && is_refresh(x))
		ret = session_timer_ask(x->call, own->to, msg);
	if (!ret)
		ret = make_body(own, msg);
	if (ret) {
		osip_message_free(msg);
		return ret;
	}
	x->client_cseq = d->local_cseq;
	x->client_peer = d->peer;
	x->client_dest = d->dest;
	ret = sip_client_send(x->call->calls->sip, &x->client_dest, msg, x, &handlers, &x->client);
	if (ret && has_answer(own))
		media_offer_failed(own->media);
	own->is_sent = !ret;
	if (!ret && x->is_invite)
		exchange_start_timer_c(x);
	call_touch(x->call);
	return ret;
}

static bool is_busy(struct exchange *x)
{
	const struct own *own = x->own;

	return (x->is_invite || own->with_offer) &&
	       exchange_glare(x->call, OTHER_LEG(own->to), x->is_invite, own->with_offer) != 0;
}

static void try_now(struct loop_timer *t)
{
	struct own *own = (struct own *)((char *)t - offsetof(struct own, timer));
	struct exchange *x = own->x;
	struct call *call = x->call;
	int code = SIP_SERVICE_UNAVAILABLE, ret;

	if (own->given_up || call->state != CALL_ANSWERED) {
		own->is_open = false;
		exchange_release_if_done(x);
		return;
	}
	if (is_busy(x)) {
		if (own->tries++ >= OWN_TRIES)
			code = SIP_REQUEST_PENDING;
		else if (loop_timer_start(call->calls->loop, t, OWN_BUSY_MS) == 0)
			return;
	} else {
		ret = send_once(x);
		if (ret == 0)
			return;
		log_limited(LOG_LEVEL_WARN, "call %llu: %s of ours could not be sent: %s",
			(unsigned long long)call->id, own->method, strerror(-ret));
		if (ret == -EPROTONOSUPPORT)
			code = SIP_NOT_ACCEPTABLE_HERE;
	}
	conclude_unsent(x, code);
}

/* The dialog was busy over there. False when that was the last try, or no other can be had. */
static bool try_again(struct exchange *x)
{
	struct own *own = x->own;
	unsigned min = 0, max = GLARE_OTHER_MAX_MS;

	if (x->pair->leg[own->to].is_uac) {
		min = GLARE_OWNER_MIN_MS;
		max = GLARE_OWNER_MAX_MS;
	}
	if (own->given_up || x->call->state != CALL_ANSWERED || ++own->tries >= OWN_TRIES)
		return false;
	if (loop_timer_start(
		    x->call->calls->loop, &own->timer, min + token_random64() % (max - min)))
		return false;
	sip_client_abandon(x->client);
	x->client = NULL;
	own->is_sent = false;
	if (has_answer(own))
		media_offer_failed(own->media);
	return true;
}

/* ---- answers ---- */

/* RFC 5057 5: whether the dialog itself is gone with this. A subscription alone may be. */
static bool ends_dialog(const struct exchange *x, int code)
{
	return (code == SIP_CALL_TRANSACTION_DOES_NOT_EXIST || code == SIP_REQUEST_TIME_OUT) &&
	       strcmp(x->own->method, "NOTIFY") != 0;
}

/* The answer to our offer, as text for the end that offered. 0 or the code that tells why not. */
static int take_answer(struct own *own, const osip_message_t *resp, char **answer)
{
	const osip_body_t *sdp = carry_find_sdp(resp);
	size_t len;

	if (!has_answer(own))
		return 0;
	if (sdp && media_answer(own->media, OTHER_LEG(own->offerer), sdp->body, sdp->length, true,
			   answer, &len) == 0)
		return 0;
	media_offer_failed(own->media);
	return SIP_NOT_ACCEPTABLE_HERE;
}

static void accepted(struct exchange *x, osip_message_t *resp)
{
	struct own *own = x->own;
	struct call *call = x->call;
	bool led_astray = x->is_invite && own->given_up && own->with_offer;
	enum leg to = own->to;
	char *answer = NULL;
	int code = resp->status_code, bad;

	if (is_refresh(x)) {
		dialog_refresh_target(&x->pair->leg[to], resp);
		session_timer_accepted(call, to, resp);
	}
	bad = take_answer(own, resp, &answer);
	if (x->is_invite) {
		x->accepted = true;
		exchange_send_ack(x, NULL);
	}
	conclude(x, bad ? bad : code, resp, answer);
	free(answer);
	if (led_astray && call->state == CALL_ANSWERED)
		own_request_restore(call, to);
}

static void response_received(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	struct exchange *x = owner;
	struct call *call = x->call;
	int code = resp->status_code;
	enum leg to = x->own->to;
	bool gone;

	(void)txn;
	attempt_heard(call, x->client_peer, false);
	if (x->accepted) {
		if (MSG_IS_STATUS_2XX(resp) && x->ack)
			sip_send_again(call->calls->sip, &x->client_dest, x->ack, x->ack_len);
		return;
	}
	if (code < 200 && x->is_invite)
		exchange_extend_timer_c(x);
	if (code < 200 || !x->own->is_open)
		return;
	if (code < 300) {
		accepted(x, resp);
		return;
	}
	if (code == SIP_REQUEST_PENDING && try_again(x))
		return;
	gone = ends_dialog(x, code);
	if (has_answer(x->own) && x->own->is_sent)
		media_offer_failed(x->own->media);
	conclude(x, code, resp, NULL);
	if (gone && call->state == CALL_ANSWERED)
		call_end(call, (int)to, NULL, "dialog gone");
}

static void request_failed(void *owner, struct sip_client *txn, int error)
{
	struct exchange *x = owner;
	struct call *call = x->call;
	int code = error == -ETIMEDOUT ? SIP_REQUEST_TIME_OUT : SIP_SERVICE_UNAVAILABLE;
	bool gone = ends_dialog(x, code);

	(void)txn;
	if (!x->own->is_open)
		return;
	if (has_answer(x->own))
		media_offer_failed(x->own->media);
	conclude(x, code, NULL, NULL);
	if (gone && call->state == CALL_ANSWERED)
		call_end(call, LEG_NONE, "SIP;cause=408;text=\"Request timeout\"",
			"no answer in dialog");
}

static void client_gone(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;

	(void)txn;
	x->client = NULL;
	exchange_release_if_done(x);
}

/* Sent again with credentials. */
static uint32_t challenged(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;

	(void)txn;
	if (!x->own || x->own->given_up)
		return 0;
	x->client_cseq = ++x->pair->leg[x->own->to].local_cseq;
	return x->client_cseq;
}

static const struct sip_client_handlers handlers = {.challenged = challenged,
	.response = response_received,
	.failed = request_failed,
	.gone = client_gone};

/* ---- what the room asks ---- */

static bool copy_text_to(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return !text || *out;
}

static struct own *own_new(const struct own_request *r, struct exchange *x)
{
	struct own *own = calloc(1, sizeof(*own));
	bool good;

	if (!own)
		return NULL;
	x->own = own;
	own->x = x;
	own->to = r->to;
	own->media = r->media;
	own->offerer = r->offerer;
	own->told = r->told;
	own->with_offer = r->media != NULL;
	own->done = r->done;
	own->ctx = r->ctx;
	own->is_open = true;
	own->timer.fire = try_now;
	good = copy_text_to(&own->method, r->method) &&
	       copy_text_to(&own->content_type, r->content_type) &&
	       copy_text_to(&own->body, r->body) && copy_text_to(&own->offer, r->offer);
	for (unsigned i = 0; i < OWN_HEADERS_MAX && r->header[i].name && good; i++)
		good = copy_text_to(&own->header[i].name, r->header[i].name) &&
		       copy_text_to(&own->header[i].value, r->header[i].value);
	return good ? own : NULL;
}

int own_request_send(const struct own_request *r, struct exchange **out)
{
	struct call *call = r->call;
	struct exchange *x;
	struct own *own;

	if (call->state != CALL_ANSWERED || call->leg_gone[r->to])
		return -EINVAL;
	x = exchange_new(call, OTHER_LEG(r->to));
	if (!x)
		return call->exchange_count >= CALL_EXCHANGES_MAX ? -EBUSY : -ENOMEM;
	x->pair = call->answered;
	x->is_invite = strcmp(r->method, "INVITE") == 0;
	own = own_new(r, x);
	if (!own || loop_timer_start(call->calls->loop, &own->timer, 0)) {
		exchange_free(x);
		return -ENOMEM;
	}
	if (out)
		*out = x;
	return 0;
}

int own_request_adopt(const struct own_request *r, const struct sip_dest *dest, struct text invite,
	struct exchange **out)
{
	struct call *call = r->call;
	struct exchange *x;
	int ret = -ENOMEM;

	if (call->state != CALL_ANSWERED || call->leg_gone[r->to])
		return -EINVAL;
	x = exchange_new(call, OTHER_LEG(r->to));
	if (!x)
		return -ENOMEM;
	x->pair = call->answered;
	x->is_invite = true;
	x->client_peer = x->pair->leg[r->to].peer;
	x->client_dest = *dest;
	if (own_new(r, x))
		ret = sip_client_adopt(
			call->calls->sip, &x->client_dest, invite, x, &handlers, &x->client);
	if (ret) {
		exchange_free(x);
		return ret;
	}
	x->client_cseq = sip_cseq_number(sip_client_request(x->client));
	session_timer_adopt_asked(call, r->to, sip_client_request(x->client));
	x->own->is_sent = true;
	exchange_start_timer_c(x);
	*out = x;
	return 0;
}

void own_request_cancel(struct exchange *x)
{
	if (has_answer(x->own) && own_request_is_open(x))
		media_offer_failed(x->own->media);
	own_request_forget(x);
	if (x->is_invite && x->client && own_request_is_open(x))
		sip_client_cancel(x->client, NULL);
}
