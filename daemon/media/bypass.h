/* SPDX-License-Identifier: BSD-2-Clause */
/* Media that goes past us, between peers of one site that reach each other. Private to the room. */
#ifndef VIADUCT_MEDIA_BYPASS_H
#define VIADUCT_MEDIA_BYPASS_H

#include "media/room.h"

/* Whether the offer now to be made goes over as it is. */
bool bypass_applies(const struct media_session *s);
/* What goes over to that leg, in place of negotiation_write. 0 or -ENOMEM. */
int bypass_write(struct media_session *s, enum leg leg, const char *text, size_t len, char **out,
	size_t *out_len);
/* The answer to a bypassing offer: what was relayed before is no more, with the next
 * negotiation_sync. 0 or -ENOMEM. */
int bypass_answer(
	struct media_session *s, const char *text, size_t len, char **out, size_t *out_len);

#endif
