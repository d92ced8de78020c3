/* SPDX-License-Identifier: BSD-2-Clause */
/* BYEs of ours. One that has no answer when the daemon ends is sent again by the next, bit for bit:
 * a retransmission, until it has one or Timer F fires (RFC 3261 17.1.2.2). A leg that had answered
 * meanwhile answers once more, or says 481. Private to the call room. */
#ifndef VIADUCT_CALL_BYE_H
#define VIADUCT_CALL_BYE_H

#include "call/state.h"

bool byes_wait(const struct call *call);
/* Fills in those that wait. */
void byes_save(struct arena *a, const struct call *call, VdState__Call *m);
void byes_adopt(struct call *call, const VdState__Call *in);

#endif
