/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parser lets through and RFC 3261 does not: judged on the raw text before it, and on the
 * parsed message after it. */
#ifndef VIADUCT_SIP_GUARD_H
#define VIADUCT_SIP_GUARD_H

#include <sys/time.h>
#include <time.h>
#include <osip2/osip.h>

#include "sip/raw.h"
#include "sip/via.h"

#define GUARD_CSEQ_MAX         2147483647u /* RFC 3261 8.1.1.5: less than 2^31 */
#define GUARD_MAX_FORWARDS_MAX 255u        /* RFC 3261 20.22 */

struct guard {
	int code;            /* 0: passes; else the response code that says what is wrong */
	const char *reason;  /* its phrase */
	bool answerable;     /* a request, not ACK, with a Via that says where to */
	struct via_text via; /* the topmost, where there is one */
	uint64_t cseq;
	struct text cseq_method;
	size_t len; /* the message's length, RFC 3261 18.3: what follows the body is cut off */
};

/* is_stream: the length is that of a framed message, so the body has to fit exactly. raw is filled
 * in as far as the text goes. */
void guard_raw(struct guard *g, struct raw *raw, const char *buf, size_t len, bool is_stream);
/* After the parser. 0 or a response code, with *reason. */
int guard_parsed(const osip_message_t *msg, const char **reason);

#endif
