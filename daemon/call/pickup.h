/* SPDX-License-Identifier: BSD-2-Clause */
/* A call that rings is taken by another than the one who is called. Private to the call room. */
#ifndef VIADUCT_CALL_PICKUP_H
#define VIADUCT_CALL_PICKUP_H

#include "call/internal.h"

/* Whether that leg of an early pair may be replaced. 0, or the code that says why not. */
int pickup_check(const struct pair *pair, enum leg leg);
/* Answers leg A in that early dialog, and gives up leg B, of which nothing is left. 0, or -errno:
 * the call is over. */
int pickup_answer(struct pair *pair, const struct peer_config *by);

#endif
