/* SPDX-License-Identifier: BSD-2-Clause */
/* A transfer or takeover under way, as the next daemon is to find it: with the call of the leg that
 * referred what it has come to, with the call that it leads to what that will be, and with either
 * our re-INVITE to a leg of it. */
#include <stdlib.h>
#include <string.h>

#include "call/own_request.h"
#include "call/state.h"
#include "call/takeover.h"
#include "call/transfer.h"

static ProtobufCBinaryData save_replaces(struct arena *a, const struct replaces *r)
{
	char *text = replaces_print(r);
	ProtobufCBinaryData out = bytes_in(a, text ? text : "", text ? strlen(text) : 0);

	free(text);
	return out;
}

static void save_back(struct arena *a, const struct refer_to *to, VdState__Transfer *m)
{
	m->uri = bytes_of(to->uri);
	m->referred_by = bytes_of(to->referred_by);
	if (to->uri && to->has_replaces)
		m->replaces = save_replaces(a, &to->replaces);
}

static VdState__Transfer *save_transfer(struct arena *a, const struct transfer *t)
{
	const struct subscription *sub = &t->sub;
	VdState__Transfer *m = NEW(a, VdState__Transfer, VD_STATE__TRANSFER__INIT);

	if (!m)
		return NULL;
	m->by = t->by;
	m->state = t->state;
	m->attended = t->is_attended;
	m->joined = t->is_joined;
	m->far_is_led = t->far_is_led;
	m->number = bytes_of(t->to.number);
	save_back(a, &t->to, m);
	m->until_ms = sub->expires_ms;
	m->code = (uint32_t)t->code;
	m->refer_cseq = sub->id;
	m->untold = sub->is_over;
	m->told = (uint32_t)(sub->queued ? sub->queued : sub->told);
	m->telling = sub->x != NULL;
	return m;
}

static VdState__MediaSession *save_spare(struct arena *a, const struct media_session *media)
{
	VdState__MediaSession *m;

	if (!media)
		return NULL;
	m = NEW(a, VdState__MediaSession, VD_STATE__MEDIA_SESSION__INIT);
	if (m)
		media_session_save(media, a, m);
	return m;
}

static VdState__TransferTarget *save_target(struct arena *a, const struct call *call)
{
	const struct transfer *t = call->target_of;
	const struct exchange *x = call->initial;
	VdState__TransferTarget *m =
		NEW(a, VdState__TransferTarget, VD_STATE__TRANSFER_TARGET__INIT);

	if (!m)
		return NULL;
	m->call = t->call->id;
	m->leg = t->target_leg;
	m->mover = string_of(t->call->peer[transfer_remaining(t)]->name);
	if (call->asking)
		m->asking = string_of(call->asking->name);
	if (call->state != CALL_ANSWERED)
		m->invite = save_message(a, sip_server_request(x->server));
	m->media = save_spare(a, t->media);
	return m;
}

static VdState__Takeover *save_takeover(struct arena *a, const struct takeover *t)
{
	VdState__Takeover *m = NEW(a, VdState__Takeover, VD_STATE__TAKEOVER__INIT);

	if (!m)
		return NULL;
	m->leg = t->leg;
	m->peer = string_of(sip_server_peer(t->txn)->name);
	m->asked = save_invited(a, t->txn, t->leg);
	m->media = save_spare(a, t->media);
	return m;
}

static const struct exchange *leading_in(const struct call *call)
{
	const struct transfer *t = call->transfer ? call->transfer : call->target_of;
	const struct exchange *x = call->takeover ? call->takeover->asking : t ? t->asking : NULL;

	return x && x->call == call ? x : NULL;
}

/* One that waits to be sent is made anew. */
static VdState__OwnInvite *save_leading(struct arena *a, const struct exchange *x)
{
	struct text invite;
	VdState__OwnInvite *m;

	if (!x || !x->client || x->accepted || sip_client_save(x->client, &invite))
		return NULL;
	m = NEW(a, VdState__OwnInvite, VD_STATE__OWN_INVITE__INIT);
	if (!m)
		return NULL;
	m->dest = addr_of(a, &x->client_dest.remote);
	m->over_tcp = x->client_dest.over_tcp;
	m->invite = bytes_in(a, invite.s, invite.len);
	return m;
}

static VdState__PassedRefer *save_passed(struct arena *a, const struct passed_refer *p)
{
	VdState__PassedRefer *m = NEW(a, VdState__PassedRefer, VD_STATE__PASSED_REFER__INIT);

	if (!m)
		return NULL;
	m->from = p->from;
	m->cseq_in = p->cseq_in;
	m->cseq_out = p->cseq_out;
	m->until_ms = p->until_ms;
	m->unanswered = !p->is_accepted;
	m->to = bytes_of(p->to);
	return m;
}

static VdState__ReplacesGrant *save_grant(struct arena *a, const struct replaces_grant *grant)
{
	VdState__ReplacesGrant *m = NEW(a, VdState__ReplacesGrant, VD_STATE__REPLACES_GRANT__INIT);

	if (!m)
		return NULL;
	m->leg = grant->leg;
	m->peer = string_of(grant->peer);
	m->until_ms = grant->until_ms;
	return m;
}

void save_moving(struct arena *a, const struct call *call, VdState__Call *m)
{
	if (call->transfer)
		m->transfer = save_transfer(a, call->transfer);
	if (call->target_of)
		m->target = save_target(a, call);
	if (call->takeover && call->takeover->txn)
		m->takeover = save_takeover(a, call->takeover);
	m->leading = save_leading(a, leading_in(call));
	if (call->passed.live)
		m->passed = save_passed(a, &call->passed);
	if (call->grant.until_ms)
		m->grant = save_grant(a, &call->grant);
}
