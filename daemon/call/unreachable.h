/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of the daemon before with a leg that cannot be reached any more: its peer is not configured
 * any more, and who is not configured is not talked to; or we have no address of its family there.
 * Such a call is taken up for its end: its media goes, the other leg is told, it has its record.
 * Private to the call room. */
#ifndef VIADUCT_CALL_UNREACHABLE_H
#define VIADUCT_CALL_UNREACHABLE_H

#include "call/state.h"

/* Stands for the peer of that leg, which is configured no more: its name, and the side that its
 * media is on. For former_peer_free. NULL: it has no name; or no memory. */
struct peer_config *former_peer_new(const VdState__Call *in, enum leg leg);
void former_peer_free(struct peer_config *former);
/* Ends the call where one of its legs is unreachable. Whether it was so. */
bool unreachable_end(struct call *call);

#endif
