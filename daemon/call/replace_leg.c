/* SPDX-License-Identifier: BSD-2-Clause */
/* A leg of an answered call is another one from now on: its dialog, its peer, its media. What
 * transfers (RFC 3515, RFC 5589) and takeovers (RFC 3891) come down to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/end.h"
#include "call/exchange.h"
#include "call/own_request.h"
#include "call/replace_leg.h"
#include "call/session_timer.h"

int call_hold_config(struct call *call, struct config *cfg)
{
	if (cfg == call->cfg)
		return 0;
	for (unsigned i = 0; i < call->held_cfg_count; i++) {
		if (call->held_cfg[i] == cfg)
			return 0;
	}
	if (call->held_cfg_count == CALL_CONFIGS_MAX)
		return -ENOSPC;
	call->held_cfg[call->held_cfg_count++] = config_ref(cfg);
	return 0;
}

struct config *call_config_of(const struct call *call, const struct peer_config *peer)
{
	for (unsigned i = 0; i < call->held_cfg_count; i++) {
		struct config *cfg = call->held_cfg[i];

		if (peer >= cfg->peer && peer < cfg->peer + cfg->peer_count)
			return cfg;
	}
	return call->cfg;
}

void call_bye_leg(struct call *call, enum leg leg, const char *reason)
{
	if (!call->leg_gone[leg])
		dialog_bye(call, &call->answered->leg[leg], reason);
}

/* Requests that are carried to that leg, or from it. Those who wait for it are told to try again
 * (RFC 3261 21.5.1): their own dialogs go on. */
static void drop_exchanges(struct call *call, enum leg leg)
{
	struct exchange *x, *next;
	char seconds[16];

	DL_FOREACH_SAFE (call->exchanges, x, next) {
		if (x->own && x->from == OTHER_LEG(leg))
			own_request_orphan(x);
		if (x->own || !x->pair || (x->pair != call->answered && !x->is_initial))
			continue;
		if (x->accepted) {
			if (x->ack_waits)
				exchange_send_ack(x, NULL);
			if (x->server && x->from == leg) {
				sip_server_acked(x->server);
				sip_server_abandon(x->server);
				x->server = NULL;
				exchange_release_if_done(x);
			}
			continue;
		}
		snprintf(seconds, sizeof(seconds), "%d", RETRY_AFTER_S);
		exchange_refuse(x, SIP_INTERNAL_SERVER_ERROR, "Retry-After", seconds);
		if (x->client && x->is_invite)
			sip_client_cancel(x->client, NULL);
		else
			exchange_free(x);
	}
}

static void forget_tag(struct call *call, enum leg leg)
{
	struct pair *pair = call->answered;

	if (leg == LEG_A && pair->tag_a_added) {
		tag_del(call->calls, &pair->tag_a);
		pair->tag_a_added = false;
	} else if (leg == LEG_B && call->tag_b_added) {
		tag_del(call->calls, &call->tag_b);
		call->tag_b_added = false;
	}
}

int call_take_tag(struct call *call, enum leg leg, const char *text)
{
	struct pair *pair = call->answered;
	struct tag *tag = leg == LEG_A ? &pair->tag_a : &call->tag_b;
	int ret;

	memset(tag, 0, sizeof(*tag));
	memcpy(tag->text, text, DIALOG_TAG_LEN);
	tag->leg = leg;
	tag->call = call;
	tag->pair = leg == LEG_A ? pair : NULL;
	ret = tag_add(call->calls, tag);
	if (!ret && leg == LEG_A)
		pair->tag_a_added = true;
	else if (!ret)
		call->tag_b_added = true;
	return ret;
}

void call_detach_leg(struct call *call, enum leg leg)
{
	drop_exchanges(call, leg);
	held_back_drop(call);
	own_request_restore_stop(call, leg);
	forget_tag(call, leg);
	call->leg_gone[leg] = true;
}

int call_replace_leg(struct call *call, enum leg leg, struct dialog *with, const char *reason)
{
	struct dialog *d = &call->answered->leg[leg];
	int ret;

	call_bye_leg(call, leg, reason);
	session_timer_forget(call, leg);
	call_detach_leg(call, leg);
	dialog_clear(d);
	*d = *with;
	memset(with, 0, sizeof(*with));
	call_set_peer(call, leg, d->peer);
	call->unnamed[leg] = false;
	media_session_set_spare(call->media, false);
	ret = call_take_tag(call, leg, d->local_tag);
	call->leg_gone[leg] = false;
	call_touch(call);
	return ret;
}

void call_replace_media(struct call *call, struct media_session *session)
{
	struct exchange *x;

	DL_FOREACH (call->exchanges, x)
		own_request_replace_media(x, call->media, session);
	media_session_free(call->media);
	call->media = session;
	media_session_set_spare(session, false);
	media_session_start(session);
	exchange_note_hold(call);
	call_touch(call);
}
