/* SPDX-License-Identifier: BSD-2-Clause */
/* A session description (RFC 8866, RFC 4566) as lines: nothing is copied and nothing is lost, so
 * that whatever is not understood can be passed on as it came. */
#ifndef VIADUCT_MEDIA_SDP_H
#define VIADUCT_MEDIA_SDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "media/media.h"

#define SDP_LINES_MAX   1024
#define SDP_LINE_MAX    4096 /* bytes of one line's value */
#define SDP_FORMATS_MAX 64   /* formats of one m-line */

/* A piece of the text that was parsed; not NUL-terminated. */
struct sdp_text {
	const char *s;
	size_t len;
};

struct sdp_line {
	char type; /* 'v', 'o', 'm', 'a' … */
	struct sdp_text value;
};

enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

enum sdp_transport {
	SDP_TRANSPORT_RTP,   /* RTP/AVP, AVPF, SAVP, SAVPF … over UDP */
	SDP_TRANSPORT_UDPTL, /* T.38 */
	SDP_TRANSPORT_OTHER, /* TCP, DTLS-SRTP, MSRP …: never relayed */
};

/* What a c= line (or the end of an a=rtcp line) says. */
struct sdp_connection {
	bool present;
	bool is_any;       /* 0.0.0.0 or ::, the hold of RFC 2543 */
	bool is_reachable; /* a unicast literal; false for names, multicast, broadcast */
	struct addr ip;    /* port 0; family 0 for a name */
};

struct sdp_media {
	unsigned first, end; /* lines [first, end); the first is the m= line */
	struct sdp_text kind, proto;
	enum sdp_transport transport;
	uint16_t port;
	unsigned port_count;
	struct sdp_text format[SDP_FORMATS_MAX];
	unsigned format_count;
	/* The session's where the m-section has none of its own. */
	struct sdp_connection connection;
	enum sdp_direction direction;
	bool own_connection;
	bool rtcp_mux;
	bool dtls;          /* a secure profile whose keys come by DTLS: its transport is OTHER */
	bool savp;          /* a secure profile (RFC 3711) */
	bool secure;        /* a secure profile or a=crypto (RFC 4568) */
	uint16_t rtcp_port; /* of a=rtcp (RFC 3605), 0 = none */
	struct sdp_connection rtcp_connection;
};

struct sdp {
	struct sdp_line line[SDP_LINES_MAX];
	unsigned line_count;
	unsigned session_end; /* lines [0, session_end) are the session's */
	struct sdp_connection connection;
	struct sdp_media media[MEDIA_STREAMS_MAX];
	unsigned media_count;
};

/* text must outlive sdp. Lines may end in CRLF or LF; empty lines are tolerated at the end alone.
 * 0; -EINVAL malformed, or v=, o= or a c= that is needed is missing; -EPROTONOSUPPORT more than
 * MEDIA_STREAMS_MAX m-lines. */
int sdp_parse(struct sdp *sdp, const char *text, size_t len);

/* Whether it is the attribute a=name or a=name:value, by name regardless of case; value (may be
 * NULL) becomes what follows the colon, empty where there is none. */
bool sdp_line_is_attribute(const struct sdp_line *line, const char *name, struct sdp_text *value);
/* The direction that this line states. */
bool sdp_line_is_direction(const struct sdp_line *line, enum sdp_direction *direction);
const char *sdp_direction_name(enum sdp_direction direction);

bool sdp_text_equal(struct sdp_text text, const char *with); /* regardless of case */
/* Cuts the first word off rest, at single spaces. False when nothing is left. */
bool sdp_text_word(struct sdp_text *rest, struct sdp_text *word);
/* Decimal digits alone, at most max. 0 or -EINVAL. */
int sdp_text_number(struct sdp_text text, unsigned long max, unsigned long *number);
/* Copies, cut to what fits, always NUL-terminated. */
void sdp_text_copy(char *buf, size_t room, struct sdp_text text);

#endif
