/* SPDX-License-Identifier: BSD-2-Clause */
/* Legs come and go between calls. Private to the call room. */
#ifndef VIADUCT_CALL_REPLACE_LEG_H
#define VIADUCT_CALL_REPLACE_LEG_H

#include "call/internal.h"

/* The leg hears nothing more of this call: what is under way with it ends, its tag is forgotten. */
void call_detach_leg(struct call *call, enum leg leg);
/* Somebody else stands where that leg stood in an answered call; the old one is told by BYE, where
 * it still listens. `with` moves in, also on failure; its peer is of a configuration that the call
 * holds. 0, or -ENOMEM: the new one's requests do not find it, and the call must end. */
int call_replace_leg(struct call *call, enum leg leg, struct dialog *with, const char *reason);
/* The same for the media: session, of the same two positions, takes the place of the call's own. */
void call_replace_media(struct call *call, struct media_session *session);
/* That leg's requests are found by that tag of ours. 0 or -ENOMEM. */
int call_take_tag(struct call *call, enum leg leg, const char *text);
/* Keeps cfg as long as the call. 0 or -ENOSPC. */
int call_hold_config(struct call *call, struct config *cfg);
/* The configuration that peer is of: one of those the call holds. */
struct config *call_config_of(const struct call *call, const struct peer_config *peer);
/* BYE to that leg of an answered call, where it still listens. */
void call_bye_leg(struct call *call, enum leg leg, const char *reason);

#endif
