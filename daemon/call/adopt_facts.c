/* SPDX-License-Identifier: BSD-2-Clause */
/* What a call of the daemon before has come through, and what it is beside its legs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/state.h"

static bool take_numbers(const VdState__Numbers *in, struct numbers *out)
{
	if (!in)
		return true;
	out->anonymous = in->anonymous;
	return take_bytes(&in->calling, out->calling, sizeof(out->calling)) &&
	       take_bytes(&in->called, out->called, sizeof(out->called));
}

/* The name lives in the configuration, or as long as the call; "" where it has no such peer any
 * more. */
static const char *peer_name(const struct call *call, const char *name)
{
	const struct peer_config *peer = config_peer_by_name(call->calls->cfg, name);

	for (enum leg leg = LEG_A; leg <= LEG_B && !peer; leg++) {
		if (call->former[leg] && strcmp(call->former[leg]->name, name) == 0)
			peer = call->former[leg];
	}
	return peer ? peer->name : "";
}

static int adopt_attempts(struct call *call, const VdState__Call *in)
{
	struct history *h = &call->history;
	bool failed = false;

	if (!in->n_tried)
		return 0;
	if (in->n_tried > ROUTE_CANDIDATES_MAX * CALL_ATTEMPTS_MAX)
		return -EINVAL;
	h->attempt = calloc(in->n_tried, sizeof(*h->attempt));
	if (!h->attempt)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_tried; i++) {
		const VdState__CallAttempt *m = in->tried[i];
		struct call_attempt *attempt = &h->attempt[h->attempt_count++];

		attempt->peer = peer_name(call, m->peer);
		attempt->start_ms = m->start_wall_ms;
		attempt->end_ms = m->end_wall_ms;
		attempt->code = (int)m->code;
		attempt->cause = (int)m->cause;
		if (*m->address && addr_parse(&attempt->address, m->address, 0))
			return -EINVAL;
		if (!m->call_id.len)
			continue;
		attempt->call_id = copy_bytes(&m->call_id, SIP_MESSAGE_MAX, &failed);
		attempt->from = copy_bytes(&m->from, NUMBER_MAX, &failed);
		attempt->to = copy_bytes(&m->to, NUMBER_MAX, &failed);
	}
	return failed ? -EINVAL : 0;
}

/* Kinds are literals of those who note a transfer. */
static const char *transfer_kind(const char *kind)
{
	static const char *const known[] = {"blind", "attended", "replaces", "passed"};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(kind, known[i]) == 0)
			return known[i];
	}
	return "blind";
}

static int adopt_transfers(struct call *call, const VdState__Call *in)
{
	struct history *h = &call->history;

	if (!in->n_transferred)
		return 0;
	if (in->n_transferred > CALL_REFERS_MAX + CALL_TRANSFERS_MAX)
		return -EINVAL;
	h->transfer = calloc(in->n_transferred, sizeof(*h->transfer));
	if (!h->transfer)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_transferred; i++) {
		const VdState__CallTransfer *m = in->transferred[i];
		struct call_transfer *transfer = &h->transfer[h->transfer_count++];

		transfer->at_ms = m->at_wall_ms;
		transfer->kind = transfer_kind(m->kind);
		transfer->by = m->by ? 'b' : 'a';
		transfer->code = (int)m->code;
		transfer->call = m->call;
		if (!take_bytes(&m->to, transfer->to, sizeof(transfer->to)))
			return -EINVAL;
	}
	return 0;
}

static const struct route_config *route_by_name(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; *name && i < cfg->route_count; i++) {
		if (cfg->route[i].name && strcmp(cfg->route[i].name, name) == 0)
			return &cfg->route[i];
	}
	return NULL;
}

int adopt_facts(struct call *call, const VdState__Call *in)
{
	struct history *h = &call->history;
	int ret;

	call->route.verdict = ROUTE_FOUND;
	call->route.route = route_by_name(call->cfg, in->route);
	call->route.is_emergency = call->emergency = in->emergency;
	call->takes_any = in->takes_any;
	call->setup_ms = in->setup_ms;
	call->answered_ms = in->answered_ms;
	call->attempt = in->attempt;
	call->refers = in->refers;
	call->transfers = in->transfers;
	call->came_of = in->came_of;
	call->unnamed[LEG_A] = in->unnamed_a;
	call->unnamed[LEG_B] = in->unnamed_b;
	h->setup_ms = in->setup_wall_ms;
	h->ring_ms = in->ring_wall_ms;
	h->answer_ms = in->answer_wall_ms;
	if (!take_bytes(&in->from, call->from, sizeof(call->from)) ||
		!take_bytes(&in->to, call->to, sizeof(call->to)) ||
		!take_numbers(in->routed, &call->routed) || !take_numbers(in->sent, &call->sent))
		return -EINVAL;
	ret = adopt_attempts(call, in);
	return ret ? ret : adopt_transfers(call, in);
}
