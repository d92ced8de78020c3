/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions without a final response, and of INVITEs those whose final response has no ACK, as
 * they pass from one daemon to the next. */
#include "sip/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sip/guard.h"
#include "sip/raw.h"

/* ---- of who asks us ---- */

static int save_server(struct sip_server *s, struct sip_saved_server *out)
{
	char *text;
	int ret;

	*out = (struct sip_saved_server){.source = s->source,
		.remote = s->flow.remote,
		.is_invite = s->is_invite,
		.tag = s->tag,
		.response = {s->text, s->text ? s->len : 0},
		.until_ms = s->is_accepted ? s->end_timer.due_ms : 0};
	if (!s->saved.s) {
		ret = message_print(s->request, &text, &s->saved.len);
		if (ret)
			return ret;
		s->saved.s = text;
	}
	out->request = s->saved;
	return 0;
}

int sip_server_save(struct sip_server *s, struct sip_saved_server *out)
{
	if (s->is_ended || s->local || (s->is_final && !s->is_accepted))
		return -EINVAL;
	return save_server(s, out);
}

int sip_server_save_refused(struct sip_server *s, struct sip_saved_server *out)
{
	int ret;

	if (!sip_server_awaits_ack(s) || !s->text)
		return -EINVAL;
	ret = save_server(s, out);
	out->is_refused = true;
	return ret;
}

static osip_message_t *parse(const char *text, size_t len)
{
	osip_message_t *msg = NULL;

	if (osip_message_init(&msg))
		return NULL;
	if (osip_message_parse(msg, text, len) == 0)
		return msg;
	osip_message_free(msg);
	return NULL;
}

/* A body may have any octets. */
static char *copy_text(struct text text)
{
	char *copy = osip_malloc(text.len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text.s, text.len);
	copy[text.len] = '\0';
	return copy;
}

/* 0, or -EINVAL: it is none that would be taken from a wire. */
static int server_key_of(
	struct strbuf *key, const struct flow *flow, const struct sip_saved_server *saved)
{
	struct guard guard;
	struct raw raw;

	guard_raw(&guard, &raw, saved->request.s, saved->request.len, true);
	if (!raw.is_request || guard.code || text_is(raw.method, "ACK") ||
		text_is(raw.method, "CANCEL") || text_is(raw.method, "INVITE") != saved->is_invite)
		return -EINVAL;
	transaction_server_key(key, &raw, &guard, flow, raw.method);
	return strbuf_error(key);
}

static bool is_2xx(struct text in)
{
	osip_message_t *msg = parse(in.s, in.len);
	bool is = msg && MSG_IS_RESPONSE(msg) && MSG_IS_STATUS_2XX(msg);

	osip_message_free(msg);
	return is;
}

/* 0; or s has ended: -EBADMSG, the response refuses nothing; -ENOMEM. One that cannot be sent now
 * is sent again by and by. */
static int refuse_again(struct sip_server *s, struct text response)
{
	osip_message_t *msg = parse(response.s, response.len);
	const char *reason;

	if (msg && MSG_IS_RESPONSE(msg) && msg->status_code >= 300 && msg->status_code <= 699 &&
		guard_parsed(msg, &reason) == 0) {
		sip_server_respond(s, msg);
		return s->is_ended ? -ENOMEM : 0;
	}
	osip_message_free(msg);
	server_end(s, -EBADMSG);
	return -EBADMSG;
}

int sip_server_adopt(struct sip *sip, const struct peer_config *peer, unsigned listener,
	const struct sip_saved_server *saved, struct sip_server **out)
{
	const struct sip_dest to = {
		.listener = listener, .remote = saved->remote, .peer = peer->name};
	struct flow from, back;
	struct strbuf key = {0};
	osip_message_t *req;
	char *text = NULL;
	int ret;

	if (!listener_at(sip, listener) || strlen(saved->tag) >= TAG_MAX ||
		(saved->until_ms && (!saved->is_invite || !is_2xx(saved->response))))
		return -EINVAL;
	ret = dest_flow(sip, &to, &back);
	if (ret)
		return ret;
	from = back;
	from.remote = saved->source;
	ret = server_key_of(&key, &back, saved);
	if (!ret && server_find(sip, key.s, (unsigned)key.len))
		ret = -EEXIST;
	req = ret ? NULL : parse(saved->request.s, saved->request.len);
	if (!ret && !req)
		ret = -EBADMSG;
	if (!ret && saved->response.len && !saved->is_refused)
		text = copy_text(saved->response);
	/* Takes req and text over, also on failure. */
	if (!ret)
		ret = server_new(out, sip, key.s, (unsigned)key.len, &from, &back, peer, req, text,
			text ? saved->response.len : 0);
	if (!ret)
		strcpy((*out)->tag, saved->tag);
	if (!ret && saved->until_ms)
		ret = server_accept_again(*out, saved->until_ms);
	else if (!ret && saved->is_refused)
		ret = refuse_again(*out, saved->response);
	strbuf_free(&key);
	return ret;
}

int sip_response_adopt(struct text in, osip_message_t **out)
{
	osip_message_t *msg = parse(in.s, in.len);
	const char *reason;

	if (msg && MSG_IS_RESPONSE(msg) && msg->status_code > SIP_TRYING &&
		msg->status_code < 200 && guard_parsed(msg, &reason) == 0) {
		*out = msg;
		return 0;
	}
	osip_message_free(msg);
	return -EBADMSG;
}

/* It has no Via, and passes no guard for what comes from a wire. */
int sip_local_adopt(struct sip *sip, struct text req, const struct peer_config *peer,
	unsigned listener, const struct sip_local_handlers *asker, void *ctx,
	struct sip_server **out)
{
	osip_message_t *msg = parse(req.s, req.len);

	if (msg && MSG_IS_REQUEST(msg) && MSG_IS_INVITE(msg) && msg->req_uri && msg->from &&
		msg->from->url && msg->to && msg->to->url && msg->call_id && msg->cseq &&
		msg->cseq->number && listener_at(sip, listener))
		return sip_local_new(out, sip, msg, peer, listener, asker, ctx);
	osip_message_free(msg);
	return -EBADMSG;
}

/* ---- of whom we ask ---- */

int sip_client_save(const struct sip_client *c, struct text *out)
{
	if ((!c->ot && !c->is_accepted) || c->is_ended || c->is_cancel_wanted)
		return -EINVAL;
	*out = (struct text){c->text, c->len};
	return 0;
}

int sip_client_save_cancelled(const struct sip_client *c, struct text *out)
{
	if (!c->ot || c->is_ended || !c->is_cancel_wanted)
		return -EINVAL;
	*out = (struct text){c->text, c->len};
	return 0;
}

static bool is_request_of_ours(const osip_message_t *req)
{
	return MSG_IS_REQUEST(req) && !MSG_IS_ACK(req) && !MSG_IS_CANCEL(req) && req->req_uri &&
	       req->from && req->to && req->call_id && req->cseq && req->cseq->number &&
	       req->cseq->method && strcmp(req->cseq->method, req->sip_method) == 0;
}

bool sip_went_over_udp(struct text request)
{
	osip_message_t *req = parse(request.s, request.len);
	const osip_via_t *via = req ? osip_list_get(&req->vias, 0) : NULL;
	bool is_udp = via && via->protocol && strcmp(via->protocol, "UDP") == 0;

	osip_message_free(req);
	return is_udp;
}

/* The peer takes it for a retransmission, and answers with what it said last. */
int sip_client_adopt(struct sip *sip, const struct sip_dest *dest, struct text request, void *owner,
	const struct sip_client_handlers *handlers, struct sip_client **txn)
{
	osip_message_t *req = parse(request.s, request.len);
	const osip_via_t *via = req ? osip_list_get(&req->vias, 0) : NULL;
	osip_generic_param_t *branch = NULL;
	struct flow flow;
	int ret;

	if (via)
		osip_via_param_get_byname((osip_via_t *)via, (char *)"branch", &branch);
	if (!branch || !branch->gvalue || !is_request_of_ours(req) ||
		!listener_at(sip, dest->listener))
		ret = -EBADMSG;
	else
		ret = dest_flow(sip, dest, &flow);
	if (ret) {
		osip_message_free(req);
		return ret;
	}
	if (flow.transport == TRANSPORT_UDP && via->protocol && strcmp(via->protocol, "TCP") == 0)
		flow.transport = TRANSPORT_TCP; /* RFC 3261 18.1.1: it was too long */
	return client_begin(sip, &flow, req, branch->gvalue, &request, owner, handlers, txn);
}
