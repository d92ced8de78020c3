/* SPDX-License-Identifier: BSD-2-Clause */
/* What a leg said last, made into an offer to somebody whom it has not spoken to. Directions are
 * what it agreed with the one before: held, perhaps. */
#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "media/room.h"

static bool is_line(const char *line, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(line, text, len) == 0;
}

static bool states_hold(const char *line, size_t len)
{
	return is_line(line, len, "a=sendonly") || is_line(line, len, "a=recvonly") ||
	       is_line(line, len, "a=inactive");
}

/* RFC 2543 B.5: a leg that holds this way has its address unsaid. Where it was known before. */
static bool write_address(
	struct strbuf *out, const struct media_session *s, unsigned stream, enum leg leg)
{
	const struct stream *st = stream < MEDIA_STREAMS_MAX ? s->stream[stream] : NULL;
	const struct addr *a = st ? &st->now.said[leg].remote[COMPONENT_RTP] : NULL;
	char ip[ADDR_TEXT_MAX];

	if (!a || !a->family)
		return false;
	strbuf_addf(out, "c=IN %s %s\r\n", a->family == 6 ? "IP6" : "IP4", addr_print_ip(a, ip));
	return true;
}

int media_fresh_offer(const struct media_session *s, enum leg leg, char **out)
{
	const char *text = s->heard[leg];
	struct strbuf b = {0};
	int stream = -1, ret;

	if (!text)
		return -ENOENT;
	while (*text) {
		size_t n = strcspn(text, "\r\n");
		bool written = states_hold(text, n);

		if (strncmp(text, "m=", 2) == 0)
			stream++;
		if (is_line(text, n, "c=IN IP4 0.0.0.0") || is_line(text, n, "c=IN IP6 ::"))
			written = write_address(&b, s, stream < 0 ? 0 : (unsigned)stream, leg);
		if (n && !written) {
			strbuf_addn(&b, text, n);
			strbuf_add(&b, "\r\n");
		}
		text += n;
		text += strspn(text, "\r\n");
	}
	ret = strbuf_error(&b);
	if (ret) {
		strbuf_free(&b);
		return ret;
	}
	*out = b.s;
	return 0;
}
