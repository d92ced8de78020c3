/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of what can become of a packet. */
#include <ctype.h>
#include <string.h>

#include "dataplane/dataplane.h"

static const struct {
	const char *name, *verdict, *text;
} reasons[] = {
#define REASON(name, verdict, text) {#name, #verdict, text},
	VD_REASONS(REASON)
#undef REASON
};

#define NAME_MAX_BYTES 32

const char *dataplane_reason_name(unsigned reason)
{
	static char lower[VD_REASON_MAX][NAME_MAX_BYTES];
	char *to;

	if (reason >= VD_REASON_MAX)
		return "unknown";
	to = lower[reason];
	if (!*to) {
		for (unsigned i = 0; i + 1 < NAME_MAX_BYTES && reasons[reason].name[i]; i++)
			to[i] = (char)tolower((unsigned char)reasons[reason].name[i]);
	}
	return to;
}

const char *dataplane_reason_text(unsigned reason)
{
	return reason < VD_REASON_MAX ? reasons[reason].text : "unknown";
}

const char *dataplane_reason_verdict(unsigned reason)
{
	return reason < VD_REASON_MAX ? reasons[reason].verdict : "DROP";
}
