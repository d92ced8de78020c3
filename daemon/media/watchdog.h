/* SPDX-License-Identifier: BSD-2-Clause */
/* Notices legs that fell silent.
 *
 * A leg that by the direction attributes of some stream sends RTP has to show RTP or RTCP within
 * its peer's rtp_timeout_s. One that sends none (held, inactive) owes RTCP still (RFC 3264 5.1),
 * and has rtp_timeout_held_s for it; a peer known to send no RTCP on hold is configured with 0.
 * udptl has no RTCP and is silent in one direction for the length of a page: there a packet of
 * either leg is a sign of both. Time counts from the start of the call or the last change of the
 * negotiated. */
#ifndef VIADUCT_MEDIA_WATCHDOG_H
#define VIADUCT_MEDIA_WATCHDOG_H

#include "media/room.h"

#define WATCHDOG_TICK_MS   50
#define WATCHDOG_PERIOD_MS 2000 /* every session is looked at once in it */

/* Looks at the next slice of the sessions; called each WATCHDOG_TICK_MS while one is started. */
void watchdog_tick(struct media *m);

#endif
