/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps a stream's flows in step with what was negotiated. */
#ifndef VIADUCT_MEDIA_FLOWS_H
#define VIADUCT_MEDIA_FLOWS_H

#include "media/room.h"

/* Adds, replaces and deletes flows of the stream so that they follow stream->now. 0, -ENOSPC or
 * -ENOMEM; what could not be added is absent. */
int flows_sync(struct media_session *s, unsigned index);
/* The same for a session that is adopted: flows that are there already are taken up as they are,
 * and so is what they latched. 0 or the data plane's error. */
int flows_adopt(struct media_session *s, unsigned index);
void flows_delete(struct media_session *s, struct stream *st);
/* Whether RTP goes on from that leg to the other by the direction attributes. */
bool flows_leg_sends(const struct negotiated *now, enum leg leg);

#endif
