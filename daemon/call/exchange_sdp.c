/* SPDX-License-Identifier: BSD-2-Clause */
/* What SDP in a message of an exchange is, and what it becomes on the other leg. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/carry.h"
#include "call/exchange.h"

int media_error_code(int error)
{
	switch (error) {
	case -EINVAL:
		return SIP_BAD_REQUEST;
	case -EPROTONOSUPPORT:
		return SIP_NOT_ACCEPTABLE_HERE;
	case -EBUSY:
		return SIP_REQUEST_PENDING;
	case -ENOSPC:
		return SIP_SERVICE_UNAVAILABLE;
	case -EDQUOT: /* a change to a call that stands: it stays as it was (RFC 3261 14.2) */
		return SIP_NOT_ACCEPTABLE_HERE;
	default:
		return SIP_INTERNAL_SERVER_ERROR;
	}
}

/* Whether SDP in a message is an offer or an answer hangs on what went before (RFC 3261 13.2.1,
 * RFC 3262 5, RFC 3311 5). */
static bool sdp_is_offer(const struct exchange *x, const osip_message_t *msg)
{
	if (MSG_IS_RESPONSE(msg))
		return x->sdp == SDP_DELAYED;
	return strcmp(msg->sip_method, "PRACK") != 0 || x->sdp == SDP_OFFERED;
}

int exchange_carry_body(
	struct exchange *x, osip_message_t *msg, enum leg from, bool final, osip_message_t *out)
{
	const osip_body_t *sdp = carry_find_sdp(msg);
	char *text = NULL;
	size_t len = 0;
	int ret = 0;

	if (!sdp || x->sdp == SDP_DONE || (MSG_IS_RESPONSE(msg) && x->sdp == SDP_NONE) ||
		(MSG_IS_REQUEST(msg) && MSG_IS_INFO(msg)))
		return carry_bodies(msg, out, NULL, 0);
	/* What a response asks for is there already: it can be counted, not refused. */
	x->call->takes_any = MSG_IS_RESPONSE(msg);
	if (sdp_is_offer(x, msg))
		ret = media_offer(x->call->media, from, sdp->body, sdp->length, &text, &len);
	else
		ret = media_answer(
			x->call->media, from, sdp->body, sdp->length, final, &text, &len);
	if (ret)
		return ret;
	ret = carry_bodies(msg, out, text, len);
	free(text);
	if (ret && sdp_is_offer(x, msg))
		media_offer_failed(x->call->media);
	return ret;
}

void exchange_keep_early_answer(struct pair *pair, const osip_message_t *resp)
{
	const osip_body_t *sdp = carry_find_sdp(resp);
	char *copy = sdp ? strndup(sdp->body, sdp->length) : NULL;

	if (!copy)
		return;
	free(pair->early_answer);
	pair->early_answer = copy;
	pair->early_answer_len = strlen(copy);
}

int exchange_conclude_answer(struct exchange *x, const struct pair *pair, char **text, size_t *len)
{
	if (!pair->early_answer)
		return -EINVAL;
	return media_answer(x->call->media, OTHER_LEG(x->from), pair->early_answer,
		pair->early_answer_len, true, text, len);
}

void exchange_note_hold(struct call *call)
{
	struct media_stream_info info;

	if (media_stream_count(call->media) == 0 || media_stream_info(call->media, 0, &info) ||
		info.held == call->held)
		return;
	call->held = info.held;
	call_event(call, call->held ? "hold" : "resume", "%s -> %s", call->from, call->to);
}
