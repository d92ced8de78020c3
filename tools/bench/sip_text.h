/* SPDX-License-Identifier: BSD-2-Clause */
/* As much of SIP as the ends of a bench need: messages of viaductd's, whose form is known. */
#ifndef BENCH_SIP_TEXT_H
#define BENCH_SIP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SIP_TEXT_MAX 2048
#define SIP_BATCH    64
#define SOCKET_BYTES (16 << 20)
#define SIP_SDP(host)                                                                              \
	"v=0\r\no=- 1 1 IN IP4 " host "\r\ns=-\r\nc=IN IP4 " host "\r\nt=0 0\r\n"                  \
	"m=audio 30000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"                                  \
	"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"

/* The value of the first header field of that name ("\r\nTo: "), and its length; "" without. */
static inline const char *sip_value(const char *text, const char *name, int *len)
{
	const char *s = strstr(text, name);

	*len = 0;
	if (!s)
		return "";
	s += strlen(name);
	*len = (int)strcspn(s, "\r");
	return s;
}

static inline bool sip_starts(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

#endif
