/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CLI and the records read of calls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/replace_leg.h"
#include "call/session_timer.h"

const char *call_state_name(enum call_state state)
{
	static const char *const names[] = {"setup", "ringing", "answered", "ending"};

	return names[state];
}

static void leg_info(const struct call *call, enum leg leg, struct call_leg_info *out)
{
	const struct pair *pair = call->answered ? call->answered : call->pairs;
	const struct peer_config *peer = call->peer[leg];
	const struct dialog *d;

	memset(out, 0, sizeof(*out));
	out->peer = peer ? peer->name : "";
	out->sip_call_id = out->local_tag = out->remote_tag = "";
	out->local_uri = out->remote_uri = "";
	out->listener = "";
	if (peer && peer->listener != CONFIG_NO_LISTENER)
		out->listener = call_config_of(call, peer)->listener[peer->listener].name;
	if (peer && !peer->host)
		out->signalling = peer->address;
	else if (call->initial && leg == LEG_B)
		out->signalling = call->initial->client_dest.remote;
	else if (call->initial && call->initial->server)
		out->signalling = *sip_server_source(call->initial->server);
	if (!pair || (leg == LEG_A && !pair->has_dialog_a))
		return;
	d = &pair->leg[leg];
	out->sip_call_id = d->call_id;
	out->local_tag = d->local_tag;
	out->remote_tag = d->remote_tag;
	out->local_uri = d->local_uri;
	out->remote_uri = d->remote_uri;
	out->signalling = d->dest.remote;
	out->session_s = session_timer_left(call, leg, &out->we_refresh, &out->session_left_ms);
}

void call_get_info(const struct call *call, struct call_info *out)
{
	uint64_t now = loop_now_ms(call->calls->loop);

	memset(out, 0, sizeof(*out));
	out->id = call->id;
	out->state = call->state;
	out->from = call->from;
	out->to = call->to;
	out->route = call->route.route && call->route.route->name ? call->route.route->name : "";
	out->setup_ms_ago = now - call->setup_ms;
	out->answered_ms_ago = call->answered_ms ? now - call->answered_ms : UINT64_MAX;
	out->attempts = call->attempt + 1;
	leg_info(call, LEG_A, &out->leg[LEG_A]);
	leg_info(call, LEG_B, &out->leg[LEG_B]);
}

struct media_session *call_media(const struct call *call)
{
	return call->media;
}

void calls_get_status(const struct calls *calls, struct calls_status *out)
{
	*out = calls->counters;
	out->live = calls->live;
	out->live_max = calls->cfg->calls_max;
}
