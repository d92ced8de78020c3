/* SPDX-License-Identifier: BSD-2-Clause */
/* INVITEs of the legs of an answered call that are under way, as the next daemon is to find them:
 * those without a final response, which it refuses, and those whose 2xx has not been acknowledged.
 */
#include "call/state.h"

static VdState__Accepted *save_accepted(struct arena *a, const struct exchange *x)
{
	VdState__Accepted *m = NEW(a, VdState__Accepted, VD_STATE__ACCEPTED__INIT);
	struct sip_saved_server saved;

	if (!m || sip_server_save(x->server, &saved)) {
		a->failed = true;
		return NULL;
	}
	m->asked = save_invited(a, x->server, x->from);
	m->until_ms = saved.until_ms;
	m->initial = x->is_initial;
	m->sdp = x->sdp;
	m->converted = x->converted;
	m->ack_waits = x->ack_waits;
	m->turned = bytes_of(x->turned);
	m->client_cseq = x->client_cseq;
	m->told_early = x->call->told_early;
	return m;
}

void save_under_way(struct arena *a, const struct call *call, VdState__Call *m)
{
	const struct held_back *held = &call->held_back;
	const struct exchange *x;

	m->pending = arena_array(a, call->exchange_count + 1, sizeof(*m->pending));
	m->accepted = arena_array(a, call->exchange_count + 1, sizeof(*m->accepted));
	if (!m->pending || !m->accepted)
		return;
	if (held->txn)
		m->pending[m->n_pending++] = save_invited(a, held->txn, held->leg);
	DL_FOREACH (call->exchanges, x) {
		if (!x->is_invite || !x->server || sip_server_is_local(x->server))
			continue;
		if (x->accepted)
			m->accepted[m->n_accepted++] = save_accepted(a, x);
		else
			m->pending[m->n_pending++] = save_invited(a, x->server, x->from);
	}
}
