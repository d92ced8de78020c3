/* SPDX-License-Identifier: BSD-2-Clause */
/* INVITEs that are cancelled and have no final response: of a call that is over, or of an attempt
 * after which it went on to another place. Where the daemon ends before that has come, the next one
 * sends the INVITE again, which is a retransmission, and cancels it again: a CANCEL that was lost,
 * or not sent yet for want of a provisional response, would leave somebody ringing for nobody, and
 * a 2xx that crosses it wants its ACK and BYE (RFC 3261 9.1). Private to the call room. */
#ifndef VIADUCT_CALL_CANCELLED_H
#define VIADUCT_CALL_CANCELLED_H

#include "call/state.h"

bool cancelled_waits(const struct call *call);
void cancelled_save(struct arena *a, const struct call *call, VdState__Call *m);
void cancelled_adopt(struct call *call, const VdState__Call *in);

#endif
