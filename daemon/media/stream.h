/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports and flow slots of one stream. */
#ifndef VIADUCT_MEDIA_STREAM_H
#define VIADUCT_MEDIA_STREAM_H

#include "media/room.h"

/* What stream_open took anew, for stream_undo. */
struct stream_taken {
	bool stream, reserved, port[LEG_COUNT];
};

/* Makes sure that the stream exists, that its flows are reserved, and that it has ports on both
 * legs: of the family wanted (0 = the peer's) where it has none yet. 0, -ENOSPC,
 * -EPROTONOSUPPORT when a side has no address, -ENOMEM; after a failure too, taken says what was
 * taken. */
int stream_open(struct media_session *s, unsigned index, const uint8_t family[LEG_COUNT],
	struct stream_taken *taken);
void stream_undo(struct media_session *s, unsigned index, const struct stream_taken *taken);
/* Deletes the flows; quarantines that leg's ports. */
void stream_close_leg(struct media_session *s, unsigned index, enum leg leg);
/* Deletes the flows, quarantines the ports, frees it. Harmless where there is none. */
void stream_close(struct media_session *s, unsigned index);

#endif
