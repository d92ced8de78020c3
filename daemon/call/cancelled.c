/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/cancelled.h"

#include "call/attempt.h"
#include "call/exchange.h"

static bool is_waiting(const struct exchange *x, struct text *invite)
{
	return x->is_initial && x->client && !x->server && !x->accepted &&
	       sip_client_save_cancelled(x->client, invite) == 0;
}

bool cancelled_waits(const struct call *call)
{
	const struct exchange *x;
	struct text invite;

	DL_FOREACH (call->exchanges, x) {
		if (is_waiting(x, &invite))
			return true;
	}
	return false;
}

static VdState__Cancelled *save_one(
	struct arena *a, const struct exchange *x, const struct text *invite)
{
	VdState__Cancelled *m = NEW(a, VdState__Cancelled, VD_STATE__CANCELLED__INIT);

	if (!m)
		return NULL;
	m->peer = string_of(x->client_peer->name);
	m->dest = addr_of(a, &x->client_dest.remote);
	m->over_tcp = x->client_dest.over_tcp;
	m->invite = bytes_in(a, invite->s, invite->len);
	return m;
}

void cancelled_save(struct arena *a, const struct call *call, VdState__Call *m)
{
	const struct exchange *x;
	struct text invite;

	if (!cancelled_waits(call))
		return;
	m->cancelled = arena_array(a, call->exchange_count, sizeof(*m->cancelled));
	if (!m->cancelled)
		return;
	DL_FOREACH (call->exchanges, x) {
		if (is_waiting(x, &invite))
			m->cancelled[m->n_cancelled++] = save_one(a, x, &invite);
	}
}

static void adopt_one(struct call *call, const VdState__Cancelled *in)
{
	const struct peer_config *peer = config_peer_by_name(call->cfg, in->peer);
	const struct text invite = {(const char *)in->invite.data, in->invite.len};
	struct exchange *x = peer ? exchange_new(call, LEG_A) : NULL;

	if (!x)
		return;
	x->is_invite = x->is_initial = true;
	x->client_peer = peer;
	x->client_dest = (struct sip_dest){.over_tcp = in->over_tcp, .peer = peer->name};
	if (addr_parse(&x->client_dest.remote, in->dest, 0))
		goto fail;
	x->client_dest.listener = listener_for(call->calls, peer, x->client_dest.remote.family);
	if (sip_client_adopt(call->calls->sip, &x->client_dest, invite, x, &invite_client_handlers,
		    &x->client))
		goto fail;
	x->client_cseq = sip_cseq_number(sip_client_request(x->client));
	sip_client_cancel(x->client, NULL);
	return;
fail:
	exchange_free(x);
}

void cancelled_adopt(struct call *call, const VdState__Call *in)
{
	for (size_t i = 0; i < in->n_cancelled; i++)
		adopt_one(call, in->cancelled[i]);
}
