/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests within a dialog, INVITE left out, that one leg had sent and the other not answered when
 * the daemon ended. Whoever sent one sends it again, to the next daemon: it goes on bit for bit as
 * it did before, so that the other leg takes it for the retransmission that it is, and says once
 * more what it answered. Private to the call room. */
#ifndef VIADUCT_CALL_LEFT_REQUEST_H
#define VIADUCT_CALL_LEFT_REQUEST_H

#include "call/state.h"

/* Fills in those of the call that have no answer, and those of the daemon before that have not come
 * again. */
void left_requests_save(struct arena *a, const struct call *call, VdState__Call *m);
/* Its legs and its media are there. What makes no sense is left out: it is passed on as a new one.
 */
void left_requests_adopt(struct call *call, const VdState__Call *in);
/* Whether req is one of them; then it is under way again, and txn taken. */
bool left_request_again(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);
void left_requests_free(struct call *call);

#endif
