/* SPDX-License-Identifier: BSD-2-Clause */
/* The offer/answer state of a session (RFC 3264), and what offers and answers have in common. */
#ifndef VIADUCT_MEDIA_OFFER_ANSWER_H
#define VIADUCT_MEDIA_OFFER_ANSWER_H

#include "media/rewrite.h"
#include "media/room.h"

void negotiation_free(struct negotiation *ex);
/* Puts back what was in force before the first early answer to the pending offer. */
void negotiation_revert(struct media_session *s);
/* Forgets the pending offer, closes streams that are not active. */
void negotiation_conclude(struct media_session *s);
/* Programs the flows of every stream; keeps *ret if it is an error already. */
void negotiation_sync(struct media_session *s, int *ret);

/* Reports to the owner what the session takes: with the offer ex before it is shown (0 or -EDQUOT),
 * and afterwards as it is. */
int bandwidth_ask(struct media_session *s, const struct negotiation *ex);
void bandwidth_tell(struct media_session *s);
/* media_offer of a description that we made ourselves. */
int media_offer_by_us(struct media_session *s, enum leg from, const char *sdp, size_t len,
	char **out, size_t *out_len);

enum sdp_direction negotiation_direction(bool send, bool recv);
/* Whether the address of the m-line is one that media can be exchanged with, or a hold. */
bool negotiation_can_reach(const struct sdp_media *m);
/* What the leg that sent this m-line says of its own end. st: the stream so far, may be NULL. */
void negotiation_read_said(
	struct said *out, const struct sdp_media *m, const struct stream *st, enum leg leg);
/* Reads the formats and leaves those that both peers' codec lists let pass (audio alone has
 * lists). Returns how many; *all is how many there were. 0 when no codec is left. */
unsigned negotiation_read_payloads(const struct media_session *s, const struct sdp *sdp,
	const struct sdp_media *m, struct payload list[SDP_FORMATS_MAX], unsigned *all);

/* The address of ours that stands in o= and the session's c= for that leg; accepted: whether each
 * of count streams is relayed. 0 or -EPROTONOSUPPORT where the side has none. */
int negotiation_address(const struct media_session *s, enum leg leg, const bool *accepted,
	unsigned count, struct addr *out);
/* Our address and port of a stream, as the leg is told. */
struct addr negotiation_advertised(const struct stream *st, enum leg leg);
/* Writes the parsed description (media->scratch) for that leg, with a version of o= that is higher
 * exactly when it differs from what went there before (RFC 3264 8). *out is malloc'd. 0, -ENOMEM,
 * or -EINVAL when it grew too long. */
int negotiation_write(struct media_session *s, enum leg leg, const struct addr *address,
	const struct rewrite_media *media, char **out, size_t *out_len);

#endif
