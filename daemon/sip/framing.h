/* SPDX-License-Identifier: BSD-2-Clause */
/* From a TCP stream to messages (RFC 3261 18.3): by Content-Length, nothing else. */
#ifndef VIADUCT_SIP_FRAMING_H
#define VIADUCT_SIP_FRAMING_H

#include <stddef.h>

enum framing_kind {
	FRAMING_MORE,      /* not whole yet */
	FRAMING_MESSAGE,   /* len bytes are one message */
	FRAMING_KEEPALIVE, /* len bytes of CRLF between messages */
	FRAMING_PING,      /* len bytes: the double CRLF that RFC 5626 3.5.1 answers with a CRLF */
	FRAMING_BAD,     /* no way to find the next message; len bytes of header can be answered */
	FRAMING_TOO_LONG /* the same, for its length */
};

/* What is known of the message at the start of the buffer, so that no byte is looked at twice.
 * Zeroed at first. */
struct framing {
	size_t scanned;
	size_t total; /* of the message, 0 = not known */
};

/* Looks at the len bytes that have come. max: longest message. *out gets the bytes to take; after
 * they are taken, state is that of a new message. */
enum framing_kind framing_next(
	struct framing *f, const char *buf, size_t len, size_t max, size_t *out);

#endif
