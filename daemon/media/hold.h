/* SPDX-License-Identifier: BSD-2-Clause */
/* How a peer is told that the other side holds (RFC 3264 8.4, RFC 2543 B.5): each in the form that
 * it understands. Private to the room. */
#ifndef VIADUCT_MEDIA_HOLD_H
#define VIADUCT_MEDIA_HOLD_H

#include "media/rewrite.h"

/* In an offer to that peer, of a stream that is in use: w->direction is what the other side says.
 */
void hold_in_offer(const struct peer_config *to, struct rewrite_media *w);
/* In an answer to it: an answerer may go on holding. */
void hold_in_answer(const struct peer_config *to, struct rewrite_media *w);

#endif
