/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers and takeovers that were under way when the daemon before us ended. Two calls have a
 * part in a transfer: it goes on when all calls are there, and what cannot go on is given up as one
 * that fails. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/exchange.h"
#include "call/state.h"
#include "call/takeover.h"
#include "call/transfer.h"

#define CODE_MAX 699

/* ---- while the calls are taken up one by one ---- */

static uint64_t left_ms(const struct calls *calls, uint64_t until_ms)
{
	uint64_t now = loop_now_ms(calls->loop);
	uint64_t most = (uint64_t)calls->cfg->transfer_timeout_s * 1000;
	uint64_t left = until_ms > now ? until_ms - now : 0;

	return left < most ? left : most;
}

static int adopt_back(struct refer_to *to, const VdState__Transfer *in)
{
	bool failed = false;
	char *uri = copy_bytes(&in->uri, REFER_TO_MAX, &failed);
	char *referred_by = copy_bytes(&in->referred_by, REFER_TO_MAX, &failed);
	char *replaces = copy_bytes(&in->replaces, SIP_MESSAGE_MAX, &failed);
	int ret = failed ? -EINVAL : 0;

	if (!ret && *uri)
		ret = refer_to_restore(to, uri, referred_by);
	if (!ret && *uri && *replaces) {
		ret = replaces_parse(&to->replaces, replaces);
		to->has_replaces = !ret;
	}
	free(uri);
	free(referred_by);
	free(replaces);
	return ret;
}

int adopt_transfer(struct call *call, const VdState__Transfer *in)
{
	uint64_t left = left_ms(call->calls, in->until_ms);
	char number[CALL_NUMBER_MAX + 1];
	struct refer_to to = {0};
	struct transfer *t;
	int ret;

	if (in->by > LEG_B || in->state > TRANSFER_OVER || in->told > CODE_MAX ||
		in->code > CODE_MAX || !take_bytes(&in->number, number, sizeof(number)))
		return -EINVAL;
	ret = adopt_back(&to, in);
	t = ret ? NULL : transfer_take_up(call, (enum leg)in->by);
	if (!t) {
		refer_to_clear(&to);
		return ret ? ret : -ENOMEM;
	}
	t->to = to;
	t->state = (enum transfer_state)in->state;
	t->is_attended = in->attended;
	t->is_joined = in->joined;
	t->far_is_led = in->far_is_led;
	t->code = (int)in->code;
	t->sub.id = in->refer_cseq;
	t->sub.is_over = in->untold;
	t->sub.told = (int)in->told;
	t->sub.expires_ms = loop_now_ms(call->calls->loop) + left;
	strcpy(t->to.number, number);
	if (in->telling)
		subscription_tell(&t->sub, t->sub.told);
	loop_timer_start(call->calls->loop, &t->timer,
		t->state == TRANSFER_OVER ? TRANSFER_LAST_NOTIFY_MS : left);
	return 0;
}

static void adopt_passed_refer(struct call *call, const VdState__PassedRefer *in)
{
	struct passed_refer *p = &call->passed;

	*p = (struct passed_refer){.live = true,
		.is_accepted = !in->unanswered,
		.from = in->from ? LEG_B : LEG_A,
		.cseq_in = in->cseq_in,
		.cseq_out = in->cseq_out,
		.until_ms = loop_now_ms(call->calls->loop) + left_ms(call->calls, in->until_ms)};
	if (!take_bytes(&in->to, p->to, sizeof(p->to)))
		p->to[0] = '\0';
}

void adopt_passed(struct call *call, const VdState__Call *in)
{
	const VdState__PassedRefer *passed = in->passed;
	const VdState__ReplacesGrant *grant = in->grant;
	uint64_t now = loop_now_ms(call->calls->loop);

	if (passed)
		adopt_passed_refer(call, passed);
	if (grant && grant->until_ms > now && grant->until_ms - now <= REPLACES_GRANT_MS) {
		call->grant.leg = grant->leg ? LEG_B : LEG_A;
		call->grant.until_ms = grant->until_ms;
		snprintf(call->grant.peer, sizeof(call->grant.peer), "%s", grant->peer);
	}
}

static struct transfer *transfer_of(struct calls *calls, const VdState__TransferTarget *in)
{
	struct call *call = call_by_id(calls, in->call);
	struct transfer *t = call ? call->transfer : NULL;

	return t && !t->target && t->state != TRANSFER_OVER ? t : NULL;
}

static void join_target(struct transfer *t, struct call *call, const VdState__TransferTarget *in)
{
	t->target = call;
	t->target_leg = in->leg ? LEG_B : LEG_A;
	call->target_of = t;
	if (*in->asking)
		call->asking = config_peer_by_name(call->cfg, in->asking);
}

int adopt_target_asked(
	struct call *call, const VdState__TransferTarget *in, struct sip_server **txn)
{
	struct transfer *t = transfer_of(call->calls, in);
	const struct dialog *by;
	int ret;

	call->leg_gone[LEG_A] = true;
	if (!t || t->is_attended || t->call->state != CALL_ANSWERED)
		return -ENOENT;
	by = &t->call->answered->leg[t->by];
	ret = sip_local_adopt(call->calls->sip,
		(struct text){(const char *)in->invite.data, in->invite.len}, t->call->peer[t->by],
		listener_for(call->calls, t->call->peer[t->by], by->dest.remote.family),
		&transfer_local_handlers, t, txn);
	if (ret)
		return ret;
	join_target(t, call, in);
	t->local = *txn;
	return 0;
}

/* ---- when they are all there, and their media ---- */

/* Media of the peer that comes and the leg that stays. */
static struct media_session *adopt_spare(struct call *call, enum leg leg,
	const struct peer_config *comes, const VdState__MediaSession *in)
{
	const struct peer_config *peer[2];
	struct media_session *media = NULL;

	if (!in)
		return NULL;
	peer[leg] = comes;
	peer[OTHER_LEG(leg)] = call->peer[OTHER_LEG(leg)];
	if (media_session_adopt(call->calls->media, call, peer[LEG_A], peer[LEG_B], in, &media))
		return NULL;
	media_session_set_spare(media, true);
	return media;
}

static void adopt_target(struct call *call, const VdState__TransferTarget *in)
{
	struct transfer *t = transfer_of(call->calls, in);
	const struct peer_config *mover = config_peer_by_name(call->cfg, in->mover);

	if (!t || call->state != CALL_ANSWERED || t->call == call)
		return;
	join_target(t, call, in);
	if (t->is_attended && mover)
		t->media = adopt_spare(call, t->target_leg, mover, in->media);
}

static void adopt_takeover(struct call *call, const VdState__Takeover *in)
{
	const struct peer_config *peer = config_peer_by_name(call->cfg, in->peer);
	struct takeover *t;
	struct sip_server *txn;

	if (!peer || !in->asked || call->state != CALL_ANSWERED ||
		adopt_invited(call, in->asked, peer, 0, &txn))
		return;
	t = takeover_new(call, in->leg ? LEG_B : LEG_A);
	if (t && takeover_adopt(t, txn) == 0) {
		t->media = adopt_spare(call, t->leg, peer, in->media);
		return;
	}
	takeover_refuse(call->calls, txn, SIP_INTERNAL_SERVER_ERROR);
	if (t)
		takeover_free(t);
	else
		sip_server_abandon(txn);
}

void adopt_leading(struct call *call, const VdState__OwnInvite *in)
{
	struct transfer *t = call->transfer ? call->transfer : call->target_of;
	struct takeover *over = call->takeover;
	const struct text invite = {(const char *)in->invite.data, in->invite.len};
	struct sip_dest dest = {.over_tcp = in->over_tcp};
	const struct peer_config *peer;
	enum leg to;

	if (!over && !(t && t->target && t->state == TRANSFER_JOINING))
		return;
	if (over)
		to = OTHER_LEG(over->leg);
	else
		to = call == t->call ? transfer_remaining(t) : OTHER_LEG(t->target_leg);
	peer = call->peer[to];
	if (addr_parse(&dest.remote, in->dest, 0))
		return;
	dest.peer = peer->name;
	dest.listener = listener_for(call->calls, peer, dest.remote.family);
	if (over && over->media)
		takeover_adopt_asking(over, &dest, invite);
	else if (t && (t->media || !t->is_attended) && !t->asking)
		transfer_adopt_asking(t, call, &dest, invite);
}

void adopt_moving(struct call *call, const VdState__Call *in)
{
	if (in->target)
		adopt_target(call, in->target);
	if (in->takeover)
		adopt_takeover(call, in->takeover);
}

void moving_resume(struct call *call)
{
	if (call->transfer)
		transfer_resume(call->transfer);
	else if (call->takeover)
		takeover_resume(call->takeover);
}
