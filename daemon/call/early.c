/* SPDX-License-Identifier: BSD-2-Clause */
/* Early dialogs as leg A is shown them: each branch of a fork as one of its own or all as one, with
 * early media or without, ringing as it likes it. */
#include "call/early.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "call/carry.h"
#include "call/exchange.h"
#include "call/own_request.h"

/* Early media crosses where both peers have it so. An answer that is not told early comes with the
 * 2xx. */
static bool is_blocked(const struct exchange *x, const osip_message_t *resp)
{
	const struct call *call = x->call;

	if (!carry_find_sdp(resp))
		return false;
	return x->converted ||
	       (x->sdp == SDP_OFFERED &&
		       (call->peer[LEG_A]->session.early_media == EARLY_MEDIA_BLOCK ||
			       call->peer[LEG_B]->session.early_media == EARLY_MEDIA_BLOCK));
}

static int code_for(const struct exchange *x, const osip_message_t *resp, bool blocked)
{
	enum ringing_mode ringing = x->call->peer[LEG_A]->session.ringing;
	int code = resp->status_code;

	/* Without its media, progress is ringing, whose tone is the caller's own. */
	if (blocked && code == SIP_SESSION_PROGRESS)
		code = SIP_RINGING;
	if (code == SIP_RINGING && ringing == RINGING_180_TO_183)
		return SIP_SESSION_PROGRESS;
	if (code == SIP_SESSION_PROGRESS && ringing == RINGING_183_TO_180)
		return SIP_RINGING;
	return code;
}

/* Leg A has been told an answer that binds it; what it is told in its 2xx may differ. */
static void told_early(struct call *call)
{
	if (!call->told_early)
		call->told_early = media_told(call->media, LEG_A);
}

void early_response(struct exchange *x, struct pair *pair, osip_message_t *resp)
{
	struct call *call = x->call;
	bool is_reliable = header_value(resp, "RSeq") && option_has(resp, "Require", "100rel");
	bool blocked = is_blocked(x, resp), has_sdp = carry_find_sdp(resp) && !blocked;
	bool ended = reliable_is_ended(pair, resp, blocked), binds;
	int code = code_for(x, resp, blocked), ret;
	osip_message_t *out = NULL;

	if (ended && is_reliable && !reliable_take(x, pair, resp))
		return;
	if (x->sdp == SDP_OFFERED || x->converted)
		exchange_keep_early_answer(pair, resp);
	ret = exchange_make_response(x, resp, code, pair->leg[LEG_A].local_tag,
		(blocked ? RESPONSE_NO_SDP : 0) | (ended ? RESPONSE_UNRELIABLE : 0), &out);
	if (ret) {
		log_limited(LOG_LEVEL_WARN, "call %llu: %d of %s left out: %s",
			(unsigned long long)call->id, resp->status_code, x->client_peer->name,
			strerror(-ret));
		return;
	}
	/* RFC 3261 13.2.1: the first description in a dialog is the answer; RFC 3262 5: so is a
	 * reliable one. */
	binds = has_sdp && x->sdp == SDP_OFFERED &&
		(call->peer[LEG_A]->session.forking == FORKING_FOLD || is_reliable);
	if (!ended) {
		pair->answer_told |= is_reliable && has_sdp;
		sip_server_respond(x->server, out);
	} else if (reliable_is_due(call, resp)) {
		binds = has_sdp && x->sdp == SDP_OFFERED;
		if (reliable_send(x, pair, out))
			return;
	} else {
		sip_server_respond(x->server, out);
	}
	if (binds)
		told_early(call);
}

bool early_dialog_has_room(const struct call *call)
{
	const struct pair *pair;
	unsigned count = 0;

	DL_FOREACH (call->pairs, pair)
		count += !pair->retired;
	return count < call->peer[LEG_B]->session.early_dialogs_max;
}

bool early_fold(struct pair *pair)
{
	struct call *call = pair->call;
	struct pair *holder;

	if (call->peer[LEG_A]->session.forking != FORKING_FOLD || pair->retired || call->answered)
		return false;
	DL_FOREACH (call->pairs, holder) {
		if (holder->has_dialog_a)
			break;
	}
	if (!holder || holder == pair)
		return false;
	pair_end_requests(holder);
	tag_del(call->calls, &holder->tag_a);
	holder->has_dialog_a = holder->tag_a_added = false;
	pair->leg[LEG_A] = holder->leg[LEG_A];
	memset(&holder->leg[LEG_A], 0, sizeof(holder->leg[LEG_A]));
	memcpy(pair->tag_a.text, holder->tag_a.text, sizeof(pair->tag_a.text));
	pair->tag_a.leg = LEG_A;
	pair->tag_a.call = call;
	pair->tag_a.pair = pair;
	if (tag_add(call->calls, &pair->tag_a)) {
		dialog_clear(&pair->leg[LEG_A]);
		return false;
	}
	pair->has_dialog_a = pair->tag_a_added = true;
	reliable_move(holder, pair);
	return true;
}

void early_reconcile(struct call *call)
{
	const struct own_request r = {.call = call,
		.to = LEG_A,
		.method = "INVITE",
		.media = call->media,
		.offerer = LEG_B};

	if (call->told_early && media_told(call->media, LEG_A) != call->told_early)
		own_request_send(&r, NULL);
	call->told_early = 0;
}
