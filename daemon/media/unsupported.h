/* SPDX-License-Identifier: BSD-2-Clause */
/* Why nothing of an offer or an answer could be used, in words: what the operator is told of a 488
 * of ours. */
#ifndef VIADUCT_MEDIA_UNSUPPORTED_H
#define VIADUCT_MEDIA_UNSUPPORTED_H

#include "media/room.h"

/* Before an offer or answer is looked at. */
void unsupported_none(struct media *m);
/* More m-lines than MEDIA_STREAMS_MAX. */
void unsupported_count(struct media *m);
/* Of its m-lines the first that is noted is told. */
void unsupported_stream(const struct media_session *s, const struct sdp_media *m);
/* The formats as read, all of which the peers' lists leave out. */
void unsupported_codecs(const struct media_session *s, const struct sdp_media *m,
	const struct payload *list, unsigned count);

#endif
