/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/framing.h"

#include "sip/text.h"

static enum framing_kind take(struct framing *f, enum framing_kind kind, size_t len, size_t *out)
{
	f->scanned = 0;
	f->total = 0;
	*out = len;
	return kind;
}

/* RFC 3261 7.5: CRLFs before a start line are ignored; RFC 5626 4.4.1: two of them are a ping. */
static enum framing_kind take_crlf(struct framing *f, const char *buf, size_t len, size_t *out)
{
	if (len == 1 && buf[0] == '\r')
		return FRAMING_MORE;
	if (len >= 2 && buf[0] == '\r' && buf[1] == '\n') {
		if (len == 3 && buf[2] == '\r')
			return FRAMING_MORE;
		if (len >= 4 && buf[2] == '\r' && buf[3] == '\n')
			return take(f, FRAMING_PING, 4, out);
		return take(f, FRAMING_KEEPALIVE, 2, out);
	}
	return take(f, FRAMING_BAD, len, out);
}

static bool is_content_length(struct text name)
{
	return text_is_nocase(name, "Content-Length") || text_is_nocase(name, "l");
}

/* The one Content-Length among the lines of a whole header; false: none, twice, or no number. */
static bool find_content_length(
	const char *buf, size_t len, uint64_t max, uint64_t *out, bool *too_long)
{
	const char *s = memchr(buf, '\n', len), *end = buf + len;
	bool found = false;

	*too_long = false;
	while (s && ++s < end) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));
		const char *colon = eol ? memchr(s, ':', (size_t)(eol - s)) : NULL;
		struct text value;

		while (eol && eol + 1 < end && eol > s + 1 && (eol[1] == ' ' || eol[1] == '\t'))
			eol = memchr(eol + 1, '\n', (size_t)(end - eol - 1));
		if (!eol)
			break;
		if (colon && is_content_length(text_trim((struct text){s, (size_t)(colon - s)}))) {
			value = text_trim((struct text){colon + 1, (size_t)(eol - colon - 1)});
			if (found || !text_to_number(value, UINT32_MAX, out))
				return false;
			found = true;
		}
		s = eol;
	}
	*too_long = found && *out > max;
	return found;
}

enum framing_kind framing_next(
	struct framing *f, const char *buf, size_t len, size_t max, size_t *out)
{
	static const char end_of_header[] = "\r\n\r\n";
	const char *end;
	uint64_t content_length = 0;
	size_t from, header_len;
	bool too_long;

	*out = 0;
	if (len == 0)
		return FRAMING_MORE;
	if (f->total == 0) {
		if (buf[0] == '\r' || buf[0] == '\n')
			return take_crlf(f, buf, len, out);
		from = f->scanned > 3 ? f->scanned - 3 : 0;
		end = memmem(buf + from, len - from, end_of_header, 4);
		f->scanned = len;
		if (!end && len > max)
			return take(f, FRAMING_TOO_LONG, len, out);
		if (!end)
			return FRAMING_MORE;
		header_len = (size_t)(end - buf) + 4;
		if (!find_content_length(buf, header_len, max, &content_length, &too_long))
			return take(f, FRAMING_BAD, header_len, out);
		if (too_long || header_len + content_length > max)
			return take(f, FRAMING_TOO_LONG, header_len, out);
		f->total = header_len + (size_t)content_length;
	}
	if (len < f->total)
		return FRAMING_MORE;
	return take(f, FRAMING_MESSAGE, f->total, out);
}
