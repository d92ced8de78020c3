/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds of each message that we send. */
#ifndef VIADUCT_FUZZ_SENT_H
#define VIADUCT_FUZZ_SENT_H

#include "fuzz.h"
#include "sip/internal.h"

/* What we send as a request is beyond reproach by our own measure, whatever it was made of. */
static inline void check_request(const char *text, size_t len)
{
	static struct raw raw;
	osip_message_t *msg = NULL;
	const char *reason = "";
	struct guard g;
	int code;

	guard_raw(&g, &raw, text, len, false);
	if (g.code)
		fprintf(stderr, "sent: %d %s\n%.*s\n", g.code, g.reason, (int)len, text);
	CLAIM(g.code == 0);
	CLAIM(raw.count_of[RAW_VIA] == 1 && g.via.len == raw.first[RAW_VIA]->value.len);
	CLAIM(raw.count_of[RAW_CONTENT_LENGTH] == 1 && g.len == len);
	CLAIM(osip_message_init(&msg) == 0);
	code = osip_message_parse(msg, text, len);
	if (!code)
		code = guard_parsed(msg, &reason);
	if (code)
		fprintf(stderr, "sent: %d %s\n%.*s\n", code, reason, (int)len, text);
	CLAIM(code == 0);
	osip_message_free(msg);
}

/* An answer repeats what peers have said: no line of it may end where we have not ended it. */
static inline void check_lines(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n");

	if (!end) /* a NUL may be repeated: RFC 4475 3.1.1.2 */
		end = text + strlen(text);
	for (const char *c = text; c < end; c++) {
		CLAIM(*c != '\n' || (c > text && c[-1] == '\r'));
		CLAIM(*c != '\r' || c[1] == '\n' || !c[1]);
	}
}

#endif
