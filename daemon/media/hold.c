/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/hold.h"

static void set(struct rewrite_media *w, enum sdp_direction direction)
{
	w->set_direction = true;
	w->direction = direction;
}

void hold_in_offer(const struct peer_config *to, struct rewrite_media *w)
{
	if (w->direction != SDP_SENDONLY && w->direction != SDP_INACTIVE)
		return;
	switch (to->session.hold) {
	case HOLD_PASS:
		break;
	case HOLD_INACTIVE:
		set(w, SDP_INACTIVE);
		break;
	case HOLD_SENDONLY:
		set(w, SDP_SENDONLY);
		break;
	case HOLD_ZERO:
		w->no_address = true;
		break;
	}
}

void hold_in_answer(const struct peer_config *to, struct rewrite_media *w)
{
	/* The other forms are not for the answer to any offer (RFC 3264 6.1). */
	if (to->session.hold == HOLD_INACTIVE && w->direction == SDP_SENDONLY)
		set(w, SDP_INACTIVE);
}
