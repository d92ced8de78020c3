/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer of a leg that gives none, as its place is another's by now: every stream that it was
 * offered, with nothing sent either way yet. */
#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "media/room.h"

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static bool states_direction(const char *line, size_t len)
{
	return len == strlen("a=sendrecv") &&
	       (begins(line, "a=sendrecv") || begins(line, "a=sendonly") ||
		       begins(line, "a=recvonly") || begins(line, "a=inactive"));
}

int media_inactive_answer(const struct media_session *s, enum leg leg, char **out)
{
	const char *text = s->sdp[leg].last;
	struct strbuf b = {0};
	bool in_stream = false;
	int ret;

	if (!text)
		return -ENOENT;
	for (size_t n; *text; text += n, text += strspn(text, "\r\n")) {
		n = strcspn(text, "\r\n");
		if (states_direction(text, n))
			continue;
		if (begins(text, "m=") && in_stream)
			strbuf_add(&b, "a=inactive\r\n");
		in_stream |= begins(text, "m=");
		/* RFC 3264 8.4: where media is to go is not known. */
		if (begins(text, "c="))
			strbuf_add(
				&b, begins(text, "c=IN IP6") ? "c=IN IP6 ::" : "c=IN IP4 0.0.0.0");
		else
			strbuf_addn(&b, text, n);
		strbuf_add(&b, "\r\n");
	}
	if (in_stream)
		strbuf_add(&b, "a=inactive\r\n");
	ret = strbuf_error(&b);
	if (ret) {
		strbuf_free(&b);
		return ret;
	}
	*out = b.s;
	return 0;
}
