/* SPDX-License-Identifier: BSD-2-Clause */
/* A message's way in: admitted? well-formed? known? Only what is new and right is parsed. */
#include "sip/internal.h"

#include "base/log.h"
#include "sip/dialog.h"
#include "sip/incoming.h"

/* Parses what the guards let through. NULL when refused, which is said. */
static osip_message_t *parse(struct incoming *in)
{
	osip_message_t *msg = NULL;
	const char *reason = "Unparsable";
	uint64_t failures = memory_failures();
	int code = 400, ret = osip_message_init(&msg);

	if (!ret)
		ret = osip_message_parse(msg, in->buf, in->guard.len);
	if (!ret) {
		code = guard_parsed(msg, &reason);
		if (!code)
			return msg;
	}
	osip_message_free(msg);
	if (in->raw->is_request && memory_failures() != failures)
		refuse_without_memory(in);
	else
		refuse_malformed(in, code, reason);
	return NULL;
}

/* ---- responses ---- */

/* The INVITE may have been one of a daemon before us. */
static void receive_stray_2xx(struct incoming *in)
{
	const struct sip_handlers *h = &in->sip->handlers;
	osip_message_t *msg = h->stray_2xx ? parse(in) : NULL;

	if (msg)
		h->stray_2xx(h->ctx, msg, in->peer);
	osip_message_free(msg);
}

static void receive_response(struct incoming *in)
{
	struct sip *sip = in->sip;
	struct strbuf *key = &sip->scratch;
	struct sip_client *c;
	struct remnant *l;
	osip_message_t *msg;

	strbuf_reset(key);
	transaction_client_key(key, in->guard.via.branch, in->guard.cseq_method);
	if (strbuf_error(key))
		return;
	c = client_find(sip, key->s, (unsigned)key->len);
	if (c) {
		msg = parse(in);
		if (msg)
			client_receive(c, msg, in->raw);
		return;
	}
	l = remnant_find(sip, key->s, (unsigned)key->len);
	if (!l) {
		sip->status.stray_responses++;
		if (in->raw->status >= 200 && in->raw->status < 300 &&
			text_is(in->guard.cseq_method, "INVITE"))
			receive_stray_2xx(in);
		return;
	}
	sip->status.retransmissions_in++;
	/* RFC 3261 17.1.1.2: the ACK again for the final response again. */
	if (in->raw->status >= 300 && l->text) {
		sip->status.retransmissions_out++;
		(void)transport_send(sip, &l->flow, l->text, l->len);
	}
}

/* ---- requests ---- */

static void receive_ack(struct incoming *in, struct sip_server *s, const struct remnant *l)
{
	struct sip *sip = in->sip;
	bool is_ours = l && !l->is_accepted; /* confirmed already: timer I absorbs it */
	osip_message_t *msg;

	if (is_ours) {
		sip->status.retransmissions_in++;
		return;
	}
	msg = parse(in);
	if (!msg)
		return;
	if (s) {
		server_receive_ack(s, msg);
		return;
	}
	if (sip->handlers.ack)
		sip->handlers.ack(sip->handlers.ctx, msg, in->peer);
	osip_message_free(msg);
}

static void receive_again(struct incoming *in, struct sip_server *s, struct remnant *l)
{
	in->sip->status.retransmissions_in++;
	if (s) {
		server_receive_again(s);
	} else if (l->text) {
		in->sip->status.retransmissions_out++;
		(void)transport_send(in->sip, &l->flow, l->text, l->len);
	}
}

/* The answer so far in scratch, as a text of its own. */
static char *take_scratch(struct sip *sip, size_t *len)
{
	char *text = strbuf_error(&sip->scratch) ? NULL : osip_malloc(sip->scratch.len + 1);

	if (!text)
		return NULL;
	memcpy(text, sip->scratch.s, sip->scratch.len + 1);
	*len = sip->scratch.len;
	return text;
}

/* RFC 3261 9.2. The CANCEL is a transaction of its own, answered at once. key is the CANCEL's. */
static void receive_cancel(struct incoming *in, const char *key, unsigned key_len)
{
	static const struct text invite = {"INVITE", 6};
	struct sip *sip = in->sip;
	struct strbuf invite_key = {0};
	struct sip_server *s = NULL;
	osip_message_t *msg;
	struct flow back;
	size_t len = 0;
	char *text;
	bool known;

	transaction_server_key(&invite_key, in->raw, &in->guard, in->flow, invite);
	if (strbuf_error(&invite_key))
		goto out;
	s = server_find(sip, invite_key.s, (unsigned)invite_key.len);
	/* What ended lately still matches: its CANCEL came too late, and says 200 like any other.
	 */
	known = s || remnant_find(sip, invite_key.s, (unsigned)invite_key.len);
	/* 9.2: with the tag of the INVITE's own responses. */
	incoming_reply_tagged(in, known ? 200 : 481,
		known ? "OK" : "Call/Transaction Does Not Exist", s ? server_tag(s) : NULL);
	text = take_scratch(sip, &len);
	incoming_flow(in, &back);
	remnant_add(sip, key, key_len, &back, text, len,
		in->flow->transport == TRANSPORT_UDP ? 64 * sip->t1_ms : 0, false);
	if (!s)
		goto out;
	msg = parse(in);
	if (msg)
		server_receive_cancel(s, msg);
	osip_message_free(msg);
out:
	strbuf_free(&invite_key);
}

static void receive_new(struct incoming *in, const char *key, unsigned key_len)
{
	struct sip *sip = in->sip;
	struct sip_server *s;
	osip_message_t *msg;
	struct flow back;
	size_t len = 0;
	char *text = NULL;

	msg = parse(in);
	if (!msg)
		return;
	if (in->is_leaving && !sip_tag(msg->to)[0]) {
		sip->status.unknown_source++;
		incoming_log(in, "a source that its peer's name does not resolve to any more");
		refuse_tell(in, 403, "its peer's name does not resolve to its source");
		incoming_reply(in, 403, "Forbidden");
		osip_message_free(msg);
		return;
	}
	if (via_set_received(osip_list_get(&msg->vias, 0), &in->flow->remote)) {
		osip_message_free(msg);
		return;
	}
	if (MSG_IS_INVITE(msg)) {
		incoming_reply(in, 100, "Trying");
		text = take_scratch(sip, &len);
	}
	incoming_flow(in, &back);
	if (server_new(&s, sip, key, key_len, in->flow, &back, in->peer, msg, text, len)) {
		refuse_without_memory(in);
		return;
	}
	switch (auth_server_judge(s, in->raw)) {
	case AUTH_ADMITTED:
		break;
	case AUTH_MISDIRECTED:
		refuse_tell(in, 400, "credentials for another Request-URI");
		return;
	case AUTH_REFUSED:
		refuse_tell(in, 403, "too many wrong credentials");
		return;
	case AUTH_CHALLENGED:
		return;
	}
	if (sip->handlers.request)
		sip->handlers.request(sip->handlers.ctx, s, s->request, in->peer);
	else
		(void)sip_server_reply(s, 501, NULL, NULL, NULL);
}

/* OPTIONS is for whom it reaches, however few hops it has left (RFC 3261 11, 16.3): it is how a
 * peer asks for the next hop alone. */
static bool is_out_of_hops(const struct raw *raw)
{
	const struct raw_header *h = raw->first[RAW_MAX_FORWARDS];
	uint64_t v;

	return h && !text_is(raw->method, "OPTIONS") &&
	       text_to_number(h->value, GUARD_MAX_FORWARDS_MAX, &v) && v == 0;
}

static void receive_request(struct incoming *in)
{
	struct sip *sip = in->sip;
	struct strbuf *key = &sip->request_key;
	struct sip_server *s = NULL;
	struct remnant *l = NULL;

	strbuf_reset(key);
	transaction_server_key(key, in->raw, &in->guard, in->flow, in->raw->method);
	if (strbuf_error(key))
		return;
	if (known_may_be(&sip->known, table_hash(key->s, key->len))) {
		s = server_find(sip, key->s, (unsigned)key->len);
		if (!s)
			l = remnant_find(sip, key->s, (unsigned)key->len);
	}
	if (text_is(in->raw->method, "ACK"))
		receive_ack(in, s, l);
	else if (s || l)
		receive_again(in, s, l);
	else if (text_is(in->raw->method, "CANCEL"))
		receive_cancel(in, key->s, (unsigned)key->len);
	else if (is_out_of_hops(in->raw))
		refuse_hops(in);
	else if (!refuse_busy(in) && !refuse_overload(in))
		receive_new(in, key->s, (unsigned)key->len);
}

void receive_message(
	struct sip *sip, const struct flow *flow, const char *buf, size_t len, bool is_stream)
{
	struct raw raw;
	struct incoming in = {.sip = sip, .flow = flow, .buf = buf, .raw = &raw};

	in.peer = admit_flow(sip, flow, &in.is_leaving);
	if (!in.peer) {
		refuse_stranger(&in, len, is_stream);
		return;
	}
	if (overload_is_ack(&sip->overload, buf, len)) {
		sip->status.requests_in++;
		return;
	}
	guard_raw(&in.guard, &raw, buf, len, is_stream);
	if (raw.is_response)
		sip->status.responses_in++;
	else if (raw.is_request)
		sip->status.requests_in++;
	if (in.guard.code)
		refuse_malformed(&in, in.guard.code, in.guard.reason);
	else if (raw.is_response)
		receive_response(&in);
	else
		receive_request(&in);
}

void receive_unframed(
	struct sip *sip, const struct flow *flow, const char *buf, size_t len, bool is_too_long)
{
	struct raw raw;
	struct incoming in = {.sip = sip, .flow = flow, .buf = buf, .raw = &raw};

	in.peer = admit_flow(sip, flow, NULL);
	guard_raw(&in.guard, &raw, buf, len, true);
	if (!in.peer)
		return;
	if (is_too_long)
		refuse_malformed(&in, 413, "Request Entity Too Large");
	else
		refuse_malformed(&in, 400, "Missing or Bad Content-Length");
}

void receive_undelivered(struct sip *sip, const char *text, size_t len, int error)
{
	static const char param[] = ";branch=";
	const char *space = memchr(text, ' ', len), *s, *end = text + len;
	struct text method, branch;
	struct strbuf *key = &sip->scratch;
	struct sip_client *c;

	s = memmem(text, len, param, sizeof(param) - 1);
	if (!space || !s)
		return;
	method = (struct text){text, (size_t)(space - text)};
	branch = (struct text){s + sizeof(param) - 1, 0};
	while (branch.s + branch.len < end && !strchr(";, \r\n", branch.s[branch.len]))
		branch.len++;
	strbuf_reset(key);
	transaction_client_key(key, branch, method);
	c = strbuf_error(key) ? NULL : client_find(sip, key->s, (unsigned)key->len);
	if (c)
		client_transport_failed(c, error);
}
