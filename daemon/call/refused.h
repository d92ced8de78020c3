/* SPDX-License-Identifier: BSD-2-Clause */
/* The refusal of leg A's INVITE while its ACK has not come. Whoever calls has had a provisional
 * response and does not send the INVITE again: were the refusal lost and the daemon killed, nothing
 * would ever end the call for it (RFC 3261 17.1.1.2). The next daemon has the transaction and
 * refuses again, until the ACK comes or Timer H fires. Not so of a call that was refused at once,
 * before it was written down: its INVITE is refused anew if it comes again, and where the 100 that
 * left with the refusal came through alone, it does not. Private to the call room. */
#ifndef VIADUCT_CALL_REFUSED_H
#define VIADUCT_CALL_REFUSED_H

#include "call/state.h"

/* Takes the transaction, which had its final response, if that could be sent. */
void refused_keep(struct call *call, struct sip_server *txn);
static inline bool refused_waits(const struct call *call)
{
	return call->refused;
}
void refused_free(struct call *call);
void refused_save(struct arena *a, const struct call *call, VdState__Call *m);
void refused_adopt(struct call *call, const VdState__Call *in);

#endif
