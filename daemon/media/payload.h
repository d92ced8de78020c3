/* SPDX-License-Identifier: BSD-2-Clause */
/* RTP payload types of an m-line: numbers, the encodings they stand for, and how the numbers of an
 * offer and its answer go together (RFC 3264 5.1, 6.1). */
#ifndef VIADUCT_MEDIA_PAYLOAD_H
#define VIADUCT_MEDIA_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "media/sdp.h"

#define PAYLOAD_NONE       0xff
#define PAYLOAD_NUMBER_MAX 127

struct payload {
	uint8_t number;
	uint8_t channels;
	char name[30];       /* encoding name, "" where neither rtpmap nor RFC 3551 says */
	uint32_t clock_rate; /* Hz, 0 = not known */
	uint32_t parameters; /* a hash of the fmtp value, the same in every process; 0 = none */
};

/* Reads the formats of an RTP m-line, in their order. Returns how many. */
unsigned payload_read(
	const struct sdp *sdp, const struct sdp_media *m, struct payload out[SDP_FORMATS_MAX]);

/* telephone-event (RFC 4733), CN (RFC 3389): go along with a codec, are none. */
bool payload_is_companion(const struct payload *p);
/* Whether the peer's codec list lets it pass: listed by name, a companion, or no list at all. */
bool payload_is_allowed(const struct payload *p, const struct peer_config *peer);
/* The first that is a codec, NULL where there is none. */
const struct payload *payload_codec(const struct payload *list, unsigned count);
/* Number of the telephone-event with the codec's clock rate, else of the first one, else
 * PAYLOAD_NONE. */
uint8_t payload_telephone_event(const struct payload *list, unsigned count);

/* The numbers that go between an offerer and an answerer that call the same encoding by different
 * numbers. */
struct payload_map {
	uint8_t count;
	uint8_t from[VD_PT_MAP_MAX], to[VD_PT_MAP_MAX];
};
struct payload_match {
	/* What answer[i] is called in the answer shown to the offerer: its own number for it. */
	uint8_t written[SDP_FORMATS_MAX];
	struct payload_map offerer_to_answerer, answerer_to_offerer;
};
/* Where an encoding cannot be told apart, or numbers are referred to from elsewhere (rtx, red), or
 * more than VD_PT_MAP_MAX differ, the answer keeps its numbers and nothing is mapped. */
void payload_match(struct payload_match *out, const struct payload *offer, unsigned offer_count,
	const struct payload *answer, unsigned answer_count);

#endif
