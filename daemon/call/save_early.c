/* SPDX-License-Identifier: BSD-2-Clause */
/* A call that nobody has answered, as the next daemon is to find it. */
#include <string.h>

#include "call/attempt.h"
#include "call/exchange.h"
#include "call/reliable.h"
#include "call/state.h"

ProtobufCBinaryData bytes_in(struct arena *a, const char *text, size_t len)
{
	uint8_t *copy = arena_take(a, len ? len : 1);

	if (!copy)
		return (ProtobufCBinaryData){0};
	if (len)
		memcpy(copy, text, len);
	return (ProtobufCBinaryData){.len = len, .data = copy};
}

ProtobufCBinaryData save_message(struct arena *a, osip_message_t *msg)
{
	ProtobufCBinaryData out = {0};
	char *text = NULL;
	size_t len;

	/* The parser's copy of what came is out of date. */
	osip_message_force_update(msg);
	if (osip_message_to_str(msg, &text, &len))
		a->failed = true;
	else
		out = bytes_in(a, text, len);
	osip_free(text);
	return out;
}

/* What is between two attempts is not carried over. */
bool early_can_be_saved(const struct call *call)
{
	const struct exchange *x = call->initial;
	struct text invite;

	return (call->state == CALL_SETUP || call->state == CALL_RINGING) && x && x->server &&
	       !x->accepted && sip_server_is_local(x->server) == (call->target_of != NULL) &&
	       x->client && call->media && sip_client_save(x->client, &invite) == 0;
}

static VdState__Numbered *save_numbered(struct arena *a, osip_message_t *resp, uint32_t rseq)
{
	VdState__Numbered *m = NEW(a, VdState__Numbered, VD_STATE__NUMBERED__INIT);

	if (!m)
		return NULL;
	m->rseq = rseq;
	m->response = save_message(a, resp);
	return m;
}

static void save_unacknowledged(struct arena *a, const struct reliable *r, VdState__EarlyPair *m)
{
	m->unacknowledged = arena_array(a, 1 + RELIABLE_QUEUE_MAX, sizeof(*m->unacknowledged));
	if (!m->unacknowledged)
		return;
	m->unacknowledged[m->n_unacknowledged++] = save_numbered(a, r->sent, r->rseq);
	for (unsigned i = 0; i < r->waiting_count; i++)
		m->unacknowledged[m->n_unacknowledged++] = save_numbered(a, r->waiting[i], 0);
}

static VdState__EarlyPair *save_pair(struct arena *a, const struct pair *pair)
{
	VdState__EarlyPair *m = NEW(a, VdState__EarlyPair, VD_STATE__EARLY_PAIR__INIT);

	if (!m)
		return NULL;
	if (pair->has_dialog_a)
		m->a = save_dialog(a, &pair->leg[LEG_A]);
	m->b = save_dialog(a, &pair->leg[LEG_B]);
	if (pair->early_answer)
		m->early_answer = bytes_in(a, pair->early_answer, pair->early_answer_len);
	m->answer_told = pair->answer_told;
	m->answer_taken = pair->answer_taken;
	m->way = pair->way;
	m->rseq = pair->rseq;
	m->refused = pair->refused;
	if (pair->reliable && pair->reliable->sent)
		save_unacknowledged(a, pair->reliable, m);
	return m;
}

static void save_attempts(const struct call *call, VdState__Early *m)
{
	const struct attempts *t = &call->attempts;

	m->heard = t->heard;
	m->made = t->made;
	m->places = t->places;
	m->again = t->again;
	m->peer_first = t->peer_first;
	m->best_code = (uint32_t)t->best_code;
	m->retry_after_s = t->retry_after_s;
	m->last_resort = call->last_resort;
}

static VdState__Invited *save_server(
	struct arena *a, const struct sip_saved_server *saved, enum leg leg)
{
	VdState__Invited *m = NEW(a, VdState__Invited, VD_STATE__INVITED__INIT);

	if (!m)
		return NULL;
	m->source = addr_of(a, &saved->source);
	m->remote = addr_of(a, &saved->remote);
	m->request = bytes_in(a, saved->request.s, saved->request.len);
	m->response = bytes_in(a, saved->response.s, saved->response.len);
	m->tag = bytes_of(saved->tag);
	m->leg = leg;
	return m;
}

VdState__Invited *save_asked(struct arena *a, struct sip_server *txn, enum leg leg)
{
	struct sip_saved_server saved;

	return sip_server_save(txn, &saved) ? NULL : save_server(a, &saved, leg);
}

VdState__Invited *save_refused(struct arena *a, struct sip_server *txn, enum leg leg)
{
	struct sip_saved_server saved;

	return sip_server_save_refused(txn, &saved) ? NULL : save_server(a, &saved, leg);
}

VdState__Invited *save_invited(struct arena *a, struct sip_server *txn, enum leg leg)
{
	VdState__Invited *m = save_asked(a, txn, leg);

	if (!m)
		a->failed = true;
	return m;
}

static void save_asking(struct arena *a, const struct exchange *x, VdState__Early *m)
{
	struct text invite;

	if (sip_client_save(x->client, &invite)) {
		a->failed = true;
		return;
	}
	m->dest = addr_of(a, &x->client_dest.remote);
	m->over_tcp = x->client_dest.over_tcp;
	m->invite = bytes_in(a, invite.s, invite.len);
}

VdState__Early *save_early(struct arena *a, const struct call *call)
{
	const struct exchange *x = call->initial;
	VdState__Early *m = NEW(a, VdState__Early, VD_STATE__EARLY__INIT);
	const struct pair *pair;

	if (!m)
		return NULL;
	m->rings = call->state == CALL_RINGING;
	m->sdp = x->sdp;
	m->converted = x->converted;
	m->rseq = call->rseq;
	m->no_100rel = call->no_100rel;
	m->told_early = call->told_early;
	save_attempts(call, m);
	if (!call->target_of)
		m->asked = save_invited(a, x->server, LEG_A);
	save_asking(a, x, m);
	m->pair = arena_array(a, call->pair_count + 1, sizeof(*m->pair));
	if (!m->pair)
		return NULL;
	DL_FOREACH (call->pairs, pair) {
		if (!pair->retired || pair->refused)
			m->pair[m->n_pair++] = save_pair(a, pair);
	}
	return m;
}
