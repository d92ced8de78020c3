/* SPDX-License-Identifier: BSD-2-Clause */
/* Responses as they cross from leg to leg. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/carry.h"
#include "call/delayed_offer.h"
#include "call/exchange.h"
#include "call/session_timer.h"

int carried_error_code(int code)
{
	/* A redirection names places of the other side; a challenge asks for what we do not have.
	 */
	if (code < 400)
		return SIP_TEMPORARILY_UNAVAILABLE;
	if (code == SIP_UNAUTHORIZED || code == SIP_PROXY_AUTHENTICATION_REQUIRED)
		return SIP_FORBIDDEN;
	/* Of a session timer, which is its leg's own matter. */
	if (code == SIP_SESSION_INTERVAL_TOO_SMALL)
		return SIP_INTERNAL_SERVER_ERROR;
	return code;
}

int exchange_make_response(struct exchange *x, osip_message_t *resp, int code,
	const char *local_tag, unsigned flags, osip_message_t **out)
{
	const char *phrase = code == resp->status_code ? resp->reason_phrase : NULL;
	const char *rseq = header_value(resp, "RSeq");
	struct crossing way = {.from = x->call->peer[OTHER_LEG(x->from)],
		.to = x->call->peer[x->from],
		.host = identity_host(
			x->call->calls, x->call->peer[x->from], sip_server_listener(x->server))};
	osip_message_t *req = sip_server_request(x->server), *msg = NULL;
	bool is_update = strcmp(req->sip_method, "UPDATE") == 0;
	int ret;

	identity_keep(&way, x->call, OTHER_LEG(x->from));
	ret = sip_response_make(x->server, code, phrase, local_tag, &msg);
	if (ret)
		return ret;
	ret = carry_headers(&way, resp, msg);
	if (flags & RESPONSE_UNRELIABLE)
		option_remove(msg, "Require", "100rel");
	if (!ret && code < 300 && (flags & RESPONSE_NO_SDP))
		ret = carry_bodies(resp, msg, NULL, 0);
	else if (!ret && code < 300)
		ret = exchange_carry_body(x, resp, OTHER_LEG(x->from), flags & RESPONSE_FINAL, msg);
	/* RFC 3261 20 and RFC 3311 6: where a target is refreshed. */
	if (!ret && code < 300 && (x->is_invite || is_update)) {
		ret = sip_set_contact(msg, x->call->calls->sip, sip_server_listener(x->server));
		if (!ret && call_announce(msg, way.to))
			ret = -ENOMEM;
		if (!ret && (flags & RESPONSE_FINAL))
			ret = session_timer_answer(x->call, x->from, req, msg);
	}
	/* Reliable provisional responses that are carried keep their numbers, also when they come
	 * again: the far end's retransmissions (RFC 3262 3) serve for both legs. */
	if (!ret && x->is_invite && code < 200 && rseq && !(flags & RESPONSE_UNRELIABLE) &&
		osip_message_set_header(msg, "RSeq", rseq))
		ret = -ENOMEM;
	if (ret) {
		osip_message_free(msg);
		return ret;
	}
	*out = msg;
	return 0;
}

int exchange_respond(
	struct exchange *x, osip_message_t *resp, int code, const char *local_tag, bool final)
{
	osip_message_t *out = NULL;
	int ret =
		exchange_make_response(x, resp, code, local_tag, final ? RESPONSE_FINAL : 0, &out);

	if (!ret)
		sip_server_respond(x->server, out);
	return ret;
}

void exchange_refuse(struct exchange *x, int code, const char *header, const char *value)
{
	struct sip_server *server = x->server;

	if (!server)
		return;
	x->server = NULL;
	sip_server_reply(server, code, NULL, header, value);
	sip_server_abandon(server);
	call_touch(x->call);
}

/* The answer that leg B gave early, to an asking leg that has not had it reliably. */
static int put_late_answer(osip_message_t *out, const char *text, size_t len)
{
	if (osip_list_size(&out->bodies) > 0)
		return 0;
	return osip_message_set_body(out, text, len) ||
			       osip_message_set_content_type(out, "application/sdp")
		       ? -ENOMEM
		       : 0;
}

static int make_2xx(struct exchange *x, osip_message_t *resp, osip_message_t **out)
{
	const char *tag = x->pair->leg[x->from].local_tag;
	bool has_sdp = carry_find_sdp(resp) != NULL;
	char *text = NULL;
	size_t len = 0;
	int ret = 0;

	/* Where the 2xx itself has no SDP, the answer was in a reliable provisional response. */
	if (x->sdp == SDP_OFFERED && !has_sdp)
		ret = exchange_conclude_answer(x, x->pair, &text, &len);
	if (!ret)
		ret = exchange_make_response(x, resp, resp->status_code, tag,
			RESPONSE_FINAL | (x->converted ? RESPONSE_NO_SDP : 0), out);
	if (!ret && text && !x->pair->answer_told)
		ret = put_late_answer(*out, text, len);
	if (!ret && x->converted)
		ret = delayed_offer_turn(x, resp, *out);
	if (ret) {
		osip_message_free(*out);
		*out = NULL;
	}
	free(text);
	return ret;
}

int exchange_accept(struct exchange *x, osip_message_t *resp)
{
	osip_message_t *out = NULL;
	int ret;

	x->accepted = true;
	x->ack_waits = x->sdp == SDP_DELAYED && !x->converted && carry_find_sdp(resp);
	ret = make_2xx(x, resp, &out);
	if (ret)
		x->ack_waits = false;
	else
		sip_server_respond(x->server, out);
	if (!x->ack_waits)
		exchange_send_ack(x, NULL);
	if (!ret && x->converted)
		x->ack_waits = true; /* the answer, of which leg B needs no ACK any more */
	if (!ret && x->call->state == CALL_ANSWERED)
		exchange_note_hold(x->call);
	return ret;
}
