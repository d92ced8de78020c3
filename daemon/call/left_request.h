/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests within a dialog, INVITE left out, that one leg had sent and the other not answered when
 * the daemon ended. Over TCP and TLS whoever sent one does not send it again, and has no connection
 * any more by which an answer could come: the next daemon takes up both transactions, and has the
 * answer sent where RFC 3261 18.2.2 wants it. The other leg
 * - has the request again, bit for bit, where it went over UDP: a retransmission, which it answers
 *   as before (Timer J);
 * - over TCP and TLS may take the same for a new one: it has those alone that do no more by coming
 *   twice (UPDATE, PRACK, NOTIFY). Where the CSeq is too low for it then (500), it is asked with
 *   the next (RFC 3261 12.2.2);
 * - is not asked again otherwise (INFO, REFER). Who sent that hears 504: it may have been done, or
 *   not; 408 and 481 would say that the dialog is gone (RFC 5057 5.1).
 * Private to the call room. */
#ifndef VIADUCT_CALL_LEFT_REQUEST_H
#define VIADUCT_CALL_LEFT_REQUEST_H

#include "call/state.h"

/* Fills in those of the call that have no answer. */
void left_requests_save(struct arena *a, const struct call *call, VdState__Call *m);
/* Takes up the transactions of those who asked. */
void left_requests_adopt(struct call *call, const VdState__Call *in);
/* All calls and their media are there: they go on. */
void left_requests_resume(struct call *call);
void left_requests_free(struct call *call);

#endif
