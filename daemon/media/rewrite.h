/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the session description for the other leg: our addresses and ports, nothing that names
 * the first leg's or would lead media past us, and the rest as it came. */
#ifndef VIADUCT_MEDIA_REWRITE_H
#define VIADUCT_MEDIA_REWRITE_H

#include "base/strbuf.h"
#include "media/room.h"

/* How one m-line is written. */
struct rewrite_media {
	bool rejected;       /* port 0, attributes dropped */
	struct addr address; /* advertised, with RTP's port; RTCP's is one above */
	bool keep_mux;       /* a=rtcp-mux stays */
	bool muxed;          /* agreed: a=rtcp names RTP's own port */
	bool set_direction;
	enum sdp_direction direction;
	bool no_address; /* 0.0.0.0 for it: on hold, for those who know no other form */
	bool filter;     /* formats are those listed here; else all stay as they came */
	unsigned payload_count;
	const struct payload *payload; /* that stay */
	const uint8_t *written;        /* number that payload[i] is written with; NULL: its own */
};

/* address: ours for o= and a c= of the session, port ignored. Appends to out; the caller asks
 * strbuf_error. */
void rewrite_sdp(struct strbuf *out, const struct sdp *in, const struct addr *address,
	uint64_t session_id, uint64_t version, const struct rewrite_media *media);

#endif
