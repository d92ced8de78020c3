/* SPDX-License-Identifier: BSD-2-Clause */
/* A refresh of a leg's session (RFC 4028 7.4): an UPDATE without an offer, or a re-INVITE or UPDATE
 * with the offer that the leg made last. It is answered here. */
#include <errno.h>
#include <stdlib.h>

#include "call/carry.h"
#include "call/exchange.h"
#include "call/session_timer.h"

static bool is_refresh(const struct call *call, enum leg leg, const osip_message_t *req)
{
	const osip_body_t *sdp = carry_find_sdp(req);

	if (call->state != CALL_ANSWERED || !call->session_timer[leg].active ||
		(!header_value(req, "Session-Expires") && !header_value(req, "x")))
		return false;
	if (!sdp)
		return !MSG_IS_INVITE(req) && osip_list_size(&req->bodies) == 0;
	return media_is_unchanged(call->media, leg, sdp->body, sdp->length);
}

static int put_answer(
	struct call *call, enum leg leg, const osip_message_t *req, osip_message_t *resp)
{
	const osip_body_t *sdp = carry_find_sdp(req);
	char *text = NULL;
	size_t len = 0;
	int ret;

	if (!sdp)
		return 0;
	ret = media_answer_again(call->media, leg, sdp->body, sdp->length, &text, &len);
	if (!ret && (osip_message_set_body(resp, text, len) ||
			    osip_message_set_content_type(resp, "application/sdp")))
		ret = -ENOMEM;
	free(text);
	return ret;
}

bool session_refresh_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	struct call *call = pair->call;
	struct dialog *d = &pair->leg[leg];
	bool is_invite = MSG_IS_INVITE(req);
	osip_message_t *resp = NULL;
	struct exchange *x = NULL;
	int ret;

	if (!is_refresh(call, leg, req) ||
		exchange_glare(call, leg, is_invite, carry_find_sdp(req) != NULL))
		return false; /* what stands in its way is said where requests are carried */
	if (is_invite) {
		x = exchange_new(call, leg); /* waits for the ACK */
		if (!x)
			return false;
		x->pair = pair;
		x->is_invite = x->accepted = true;
	}
	ret = call_make_2xx(call, txn, d->local_tag, d->peer, &resp);
	if (!ret)
		ret = put_answer(call, leg, req, resp);
	if (!ret)
		ret = session_timer_answer(call, leg, req, resp);
	if (ret) {
		osip_message_free(resp);
		if (x)
			exchange_free(x);
		sip_server_reply(txn, media_error_code(ret), NULL, NULL, NULL);
		return true;
	}
	dialog_refresh_target(d, req);
	if (x) {
		x->server = txn;
		sip_server_set_owner(txn, x, &exchange_server_handlers);
	}
	sip_server_respond(txn, resp);
	return true;
}
