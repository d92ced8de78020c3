/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stream takes of a link, as its SDP tells: what call admission reckons with.
 *
 * A known audio codec: its bits and the packets that ptime makes of them, with the headers of RTP,
 * UDP, IP and Ethernet. Other streams: b= (RFC 8866 5.8, RFC 3890), else a figure of the
 * configuration. SRTP's tag where the stream is secured, and a twentieth more for RTCP (RFC 3550
 * 6.2). One direction, the busier one. G.711 at 20 ms over IPv4: 93 kbit/s, 97 with SRTP. */
#ifndef VIADUCT_MEDIA_BANDWIDTH_H
#define VIADUCT_MEDIA_BANDWIDTH_H

#include "media/payload.h"
#include "media/sdp.h"

/* Of streams whose SDP does not say, in kbit/s as they are counted. */
struct bandwidth_defaults {
	unsigned audio_kbit, video_kbit;
};

struct media_rate {
	uint32_t bits;     /* of payload, a second */
	uint32_t packets;  /* a second */
	uint32_t ip_kbit;  /* with the headers from IP on, as b=AS has it; bits is 0 then */
	uint32_t all_kbit; /* whatever it carries; the others are 0 then */
};

/* Milliseconds a packet that the m-section asks for by ptime or maxptime, 0 where it does not. */
unsigned bandwidth_ptime(const struct sdp *sdp, const struct sdp_media *m);
/* The most that one of list[0..count) can take (count 0: udptl). ptime: ms that the other end asked
 * for, 0 = it did not; the shorter one counts. */
void bandwidth_read(struct media_rate *out, const struct sdp *sdp, const struct sdp_media *m,
	const struct payload *list, unsigned count, unsigned ptime,
	const struct bandwidth_defaults *defaults);
/* kbit/s on a link where the addresses are of that family (4, 6). */
unsigned bandwidth_kbit(const struct media_rate *rate, uint8_t family, bool secure);

#endif
