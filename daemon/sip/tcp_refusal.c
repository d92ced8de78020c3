/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers that took no TCP lately: their long requests go over UDP at once (RFC 3261 18.1.1). */
#include "sip/internal.h"

#include <stdlib.h>

bool tcp_is_refused_by(struct sip *sip, const struct addr *remote)
{
	struct tcp_refusal *r;

	HASH_FIND(hh, sip->refusals, remote, sizeof(*remote), r);
	return r && r->until_ms > loop_now_ms(sip->loop);
}

void tcp_remember_refusal(struct sip *sip, const struct addr *remote)
{
	struct tcp_refusal *r, *oldest = sip->refusals;

	HASH_FIND(hh, sip->refusals, remote, sizeof(*remote), r);
	if (!r) {
		/* Kept in the order of their coming, so the first is the oldest. */
		if (HASH_COUNT(sip->refusals) >= TCP_REFUSED_MAX) {
			HASH_DELETE(hh, sip->refusals, oldest);
			free(oldest);
			sip->status.places_forgotten++;
		}
		r = calloc(1, sizeof(*r));
		if (!r)
			return;
		r->remote = *remote;
		table_add_failed = false;
		HASH_ADD(hh, sip->refusals, remote, sizeof(r->remote), r);
		if (table_add_failed) {
			free(r);
			return;
		}
	}
	r->until_ms = loop_now_ms(sip->loop) + TCP_REFUSED_MS;
}

void tcp_forget_refusals(struct sip *sip)
{
	struct tcp_refusal *r, *next;

	HASH_ITER (hh, sip->refusals, r, next) {
		HASH_DELETE(hh, sip->refusals, r);
		free(r);
	}
}
