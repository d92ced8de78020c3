/* SPDX-License-Identifier: BSD-2-Clause */
/* A call that nobody had answered when the daemon before us ended: both transactions of its first
 * INVITE, its early dialogs, and whom else it may go to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/attempt.h"
#include "call/exchange.h"
#include "call/reliable.h"
#include "call/session_timer.h"
#include "call/state.h"

static int take_tag(struct tag *tag, struct call *call, enum leg leg, const char *text)
{
	if (strlen(text) != DIALOG_TAG_LEN)
		return -EINVAL;
	memcpy(tag->text, text, DIALOG_TAG_LEN + 1);
	tag->leg = leg;
	tag->call = call;
	return tag_add(call->calls, tag);
}

static int adopt_unacknowledged(struct pair *pair, const VdState__EarlyPair *in)
{
	struct exchange *x = pair->call->initial;
	int ret = 0;

	for (size_t i = 0; i < in->n_unacknowledged && !ret; i++) {
		const VdState__Numbered *m = in->unacknowledged[i];
		osip_message_t *resp;

		ret = sip_response_adopt(
			(struct text){(const char *)m->response.data, m->response.len}, &resp);
		if (!ret)
			ret = i ? reliable_adopt_waiting(pair, resp)
				: reliable_adopt(x, pair, m->rseq, resp);
	}
	return ret;
}

static int adopt_pair(struct call *call, const VdState__EarlyPair *in)
{
	struct pair *pair;
	bool failed = false;
	int ret;

	if (!in->b || in->way > RELIABLE_WAY_ENDED)
		return -EINVAL;
	pair = pair_new(call);
	if (!pair)
		return -ENOMEM;
	pair->answer_told = in->answer_told;
	pair->answer_taken = in->answer_taken;
	pair->way = (enum reliable_way)in->way;
	pair->rseq = in->rseq;
	pair->refused = in->refused;
	if (in->early_answer.len) {
		pair->early_answer = copy_bytes(&in->early_answer, SIP_MESSAGE_MAX, &failed);
		pair->early_answer_len = in->early_answer.len;
		if (failed)
			return -EINVAL;
	}
	ret = adopt_dialog(call->calls, call->peer[LEG_B], false, in->b, &pair->leg[LEG_B]);
	if (ret || !in->a)
		return ret;
	ret = adopt_dialog(
		call->calls, call->peer[LEG_A], call->leg_gone[LEG_A], in->a, &pair->leg[LEG_A]);
	if (ret)
		return ret;
	pair->has_dialog_a = true;
	pair->tag_a.pair = pair;
	ret = take_tag(&pair->tag_a, call, LEG_A, pair->leg[LEG_A].local_tag);
	pair->tag_a_added = !ret;
	return ret ? ret : adopt_unacknowledged(pair, in);
}

static bool was_tried(const struct call *call, const char *peer)
{
	for (unsigned i = 0; i < call->history.attempt_count; i++) {
		if (strcmp(call->history.attempt[i].peer, peer) == 0)
			return true;
	}
	return false;
}

/* The peer that is being asked, then those of the route as it is now that were not. 0; -ENOENT:
 * there is no route at all. */
static int find_route(struct call *call)
{
	const struct route_config *before = call->route.route;
	struct route_result now = {0}, *r = &call->route;
	struct peers_choice choice;

	call_find_route(call, &now);
	if (now.verdict == ROUTE_FOUND)
		calls_order(call->calls, &now, &choice, NULL, NULL);
	else
		now.candidate_count = 0;
	r->verdict = ROUTE_FOUND;
	r->is_emergency = now.is_emergency;
	r->route = before ? before : now.route;
	if (!r->route)
		return -ENOENT;
	r->candidate[0] = (struct route_candidate){.peer = call->peer[LEG_B], .route = r->route};
	r->candidate_count = 1;
	for (unsigned i = 0; i < now.candidate_count; i++) {
		const struct route_candidate *c = &now.candidate[i];

		if (c->peer == call->peer[LEG_B])
			r->candidate[0] = *c;
		else if (!was_tried(call, c->peer->name) &&
			 r->candidate_count < ROUTE_CANDIDATES_MAX)
			r->candidate[r->candidate_count++] = *c;
	}
	call->attempt = 0;
	return 0;
}

static void adopt_attempts(struct call *call, const VdState__Early *in)
{
	struct attempts *t = &call->attempts;

	t->made = in->made;
	t->asked = call->attempt + 1;
	t->places = in->places ? in->places : 1;
	t->again = in->again;
	t->peer_first = in->peer_first < call->history.attempt_count ? in->peer_first : 0;
	t->best_code = (int)in->best_code;
	t->retry_after_s = in->retry_after_s;
	call->last_resort = in->last_resort;
	call->attempt_timer.fire = attempt_timed_out;
	attempt_sent(call);
	t->heard = in->heard;
	if (t->heard)
		attempt_rings(call);
}

char *copy_message(const ProtobufCBinaryData *in, bool *failed)
{
	char *out = in->len <= SIP_MESSAGE_MAX ? malloc(in->len + 1) : NULL;

	*failed |= !out;
	if (!out)
		return NULL;
	if (in->len)
		memcpy(out, in->data, in->len);
	out[in->len] = '\0';
	return out;
}

static int adopt_transaction(struct call *call, const VdState__Invited *in,
	const struct peer_config *peer, struct sip_saved_server saved, struct sip_server **txn)
{
	bool failed = false;
	char *request, *tag;
	int ret = -EINVAL;

	request = copy_message(&in->request, &failed);
	tag = copy_bytes(&in->tag, SIP_MESSAGE_MAX, &failed);
	if (!failed && in->response.len <= SIP_MESSAGE_MAX &&
		!addr_parse(&saved.source, in->source, 0) &&
		!addr_parse(&saved.remote, in->remote, 0)) {
		saved.tag = tag;
		saved.response = (struct text){(const char *)in->response.data, in->response.len};
		saved.request = (struct text){request, in->request.len};
		ret = sip_server_adopt(call->calls->sip, peer,
			listener_for(call->calls, peer, saved.remote.family), &saved, txn);
	}
	free(request);
	free(tag);
	return ret;
}

int adopt_invited(struct call *call, const VdState__Invited *in, const struct peer_config *peer,
	uint64_t until_ms, struct sip_server **txn)
{
	const struct sip_saved_server saved = {.is_invite = true, .until_ms = until_ms};

	return adopt_transaction(call, in, peer, saved, txn);
}

int adopt_refused(struct call *call, const VdState__Invited *in, const struct peer_config *peer,
	struct sip_server **txn)
{
	const struct sip_saved_server saved = {.is_invite = true, .is_refused = true};

	return adopt_transaction(call, in, peer, saved, txn);
}

int adopt_asked(struct call *call, const VdState__Invited *in, const struct peer_config *peer,
	struct sip_server **txn)
{
	return adopt_transaction(call, in, peer, (struct sip_saved_server){0}, txn);
}

static int adopt_server(struct call *call, const VdState__Call *in)
{
	struct exchange *x = call->initial;
	int ret = -EINVAL;

	if (call->unreachable[LEG_A] || (in->target && call->unreachable[LEG_B]))
		return 0;
	if (in->target)
		ret = adopt_target_asked(call, in->target, &x->server);
	else if (in->early->asked)
		ret = adopt_invited(call, in->early->asked, call->peer[LEG_A], 0, &x->server);
	if (ret)
		return ret;
	sip_server_set_owner(x->server, x, &exchange_server_handlers);
	return merge_key_add(call, sip_server_request(x->server));
}

static int adopt_client(struct call *call, const VdState__Early *in)
{
	struct exchange *x = call->initial;
	struct text invite = {(const char *)in->invite.data, in->invite.len};
	osip_message_t *sent;
	int ret;

	if (call->unreachable[LEG_B])
		return 0;
	x->client_peer = call->peer[LEG_B];
	x->client_dest = (struct sip_dest){.over_tcp = in->over_tcp, .peer = x->client_peer->name};
	if (addr_parse(&x->client_dest.remote, in->dest, 0))
		return -EINVAL;
	x->client_dest.listener =
		listener_for(call->calls, x->client_peer, x->client_dest.remote.family);
	ret = sip_client_adopt(
		call->calls->sip, &x->client_dest, invite, x, &invite_client_handlers, &x->client);
	if (ret)
		return ret;
	sent = sip_client_request(x->client);
	x->client_cseq = sip_cseq_number(sent);
	ret = take_tag(&call->tag_b, call, LEG_B, sip_tag(sent->from));
	call->tag_b_added = !ret;
	return ret;
}

int adopt_early_transactions(struct call *call, const VdState__Call *in)
{
	struct exchange *x = exchange_new(call, LEG_A);
	int ret, asked;

	if (!x)
		return -ENOMEM;
	call->initial = x;
	x->is_invite = x->is_initial = true;
	ret = adopt_server(call, in);
	/* Who is asked is told in any case. */
	asked = adopt_client(call, in->early);
	return ret ? ret : asked;
}

int adopt_early(struct call *call, const VdState__Call *all)
{
	const VdState__Early *in = all->early;
	struct exchange *x = call->initial;
	int ret;

	if (call->unreachable[LEG_A] || call->unreachable[LEG_B])
		return 0; /* it only ends */
	if (in->sdp > SDP_DONE || in->n_pair > CALL_PAIRS_MAX)
		return -EINVAL;
	x->sdp = (enum exchange_sdp)in->sdp;
	x->converted = in->converted;
	call->state = in->rings ? CALL_RINGING : CALL_SETUP;
	call->rseq = in->rseq;
	call->no_100rel = in->no_100rel;
	call->told_early = in->told_early;
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++)
		adopt_session_timer(call, leg, all->leg[leg]);
	session_timer_adopt_asked(call, LEG_B, sip_client_request(x->client));
	ret = find_route(call);
	for (size_t i = 0; !ret && i < in->n_pair; i++)
		ret = adopt_pair(call, in->pair[i]);
	if (!ret)
		adopt_attempts(call, in);
	return ret;
}
