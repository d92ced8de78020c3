/* SPDX-License-Identifier: BSD-2-Clause */
/* A message as lines: what can be said of it before the parser sees it. Points into the caller's
 * buffer. */
#ifndef VIADUCT_SIP_RAW_H
#define VIADUCT_SIP_RAW_H

#include "sip/text.h"

#define RAW_HEADERS_MAX 256   /* header fields in a message */
#define RAW_LINE_MAX    16384 /* bytes in a line, folds included */

enum raw_kind {
	RAW_OTHER,
	RAW_VIA,
	RAW_FROM,
	RAW_TO,
	RAW_CALL_ID,
	RAW_CSEQ,
	RAW_MAX_FORWARDS,
	RAW_CONTENT_LENGTH,
	RAW_CONTENT_TYPE,
	RAW_KINDS
};

struct raw_header {
	enum raw_kind kind;
	struct text line; /* without the CRLF at its end */
	/* Trimmed. Of a line that is refused: what an answer may repeat of it. */
	struct text value;
};

struct raw {
	bool is_request, is_response;
	struct text method, uri, version; /* of a request */
	unsigned status;                  /* of a response */
	size_t header_len;                /* up to and with the empty line */
	struct text body;                 /* all that follows */
	unsigned count;
	struct raw_header *first[RAW_KINDS]; /* NULL: absent */
	unsigned count_of[RAW_KINDS];
	struct raw_header header[RAW_HEADERS_MAX];
};

/* Splits buf into start line, header fields and body. 0, or -EBADMSG with *why set to a phrase for
 * the answer; what was read until then is there. RFC 3261 7. */
int raw_scan(struct raw *raw, const char *buf, size_t len, const char **why);

#endif
