/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/raw.h"

#include <errno.h>

static const char *const name_of[RAW_KINDS] = {
	[RAW_VIA] = "Via",
	[RAW_FROM] = "From",
	[RAW_TO] = "To",
	[RAW_CALL_ID] = "Call-ID",
	[RAW_CSEQ] = "CSeq",
	[RAW_MAX_FORWARDS] = "Max-Forwards",
	[RAW_CONTENT_LENGTH] = "Content-Length",
	[RAW_CONTENT_TYPE] = "Content-Type",
};

/* Those whose names have so many letters, so that few are compared: this is done for every line. */
static const enum raw_kind of_length[][2] = {
	[sizeof("To") - 1] = {RAW_TO},
	[sizeof("Via") - 1] = {RAW_VIA},
	[sizeof("From") - 1] = {RAW_FROM, RAW_CSEQ},
	[sizeof("Call-ID") - 1] = {RAW_CALL_ID},
	[sizeof("Content-Type") - 1] = {RAW_CONTENT_TYPE, RAW_MAX_FORWARDS},
	[sizeof("Content-Length") - 1] = {RAW_CONTENT_LENGTH},
};

/* RFC 3261 7.3.3 */
static enum raw_kind of_compact(char c)
{
	switch (c | 0x20) {
	case 'v':
		return RAW_VIA;
	case 'f':
		return RAW_FROM;
	case 't':
		return RAW_TO;
	case 'i':
		return RAW_CALL_ID;
	case 'l':
		return RAW_CONTENT_LENGTH;
	case 'c':
		return RAW_CONTENT_TYPE;
	default:
		return RAW_OTHER;
	}
}

/* name: a token. */
static enum raw_kind kind_of(struct text name)
{
	if (name.len == 1)
		return of_compact(name.s[0]);
	if (name.len >= sizeof(of_length) / sizeof(of_length[0]))
		return RAW_OTHER;
	for (unsigned i = 0; i < 2; i++) {
		enum raw_kind kind = of_length[name.len][i];
		const char *known = name_of[kind];

		if (known && ((name.s[0] ^ known[0]) & ~0x20) == 0 &&
			strncasecmp(name.s, known, name.len) == 0)
			return kind;
	}
	return RAW_OTHER;
}

/* token of RFC 3261 25.1 */
static const bool in_token[UINT8_MAX + 1] = {
	['a' ... 'z'] = true,
	['A' ... 'Z'] = true,
	['0' ... '9'] = true,
	['-'] = true,
	['.'] = true,
	['!'] = true,
	['%'] = true,
	['*'] = true,
	['_'] = true,
	['+'] = true,
	['`'] = true,
	['\''] = true,
	['~'] = true,
};

static bool is_token(struct text t)
{
	for (size_t i = 0; i < t.len; i++) {
		if (!in_token[(unsigned char)t.s[i]])
			return false;
	}
	return t.len != 0;
}

/* Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF; the last SP is not optional, and
 * the parser behind us swallows the next line where it is missing. This and the next two return
 * what is wrong, or NULL. */
static const char *scan_status_line(struct raw *raw, struct text line)
{
	struct text code = {line.s + 8, 3};
	uint64_t status;

	raw->is_response = true;
	if (strncasecmp(line.s, "SIP/2.0 ", 8) != 0)
		return "Version Not Supported";
	if (line.len < 12 || line.s[11] != ' ' || !text_to_number(code, 699, &status) ||
		status < 100)
		return "Bad Status-Line";
	raw->status = (unsigned)status;
	return NULL;
}

/* Request-Line = Method SP Request-URI SP SIP-Version CRLF. With spaces where none may be its parts
 * can still be told apart, and the request be answered: RFC 4475 3.1.2.8 to 3.1.2.10. */
static const char *scan_request_line(struct raw *raw, struct text line)
{
	static const char bad[] = "Bad Request-Line";
	const char *end = line.s + line.len;
	const char *sp1 = memchr(line.s, ' ', line.len), *sp2;
	struct text rest;

	if (!sp1)
		return bad;
	rest = text_trim((struct text){sp1 + 1, (size_t)(end - sp1 - 1)});
	sp2 = memrchr(rest.s, ' ', rest.len);
	raw->method = (struct text){line.s, (size_t)(sp1 - line.s)};
	raw->version = rest;
	if (sp2) {
		raw->uri = text_trim((struct text){rest.s, (size_t)(sp2 - rest.s)});
		raw->version = (struct text){sp2 + 1, (size_t)(rest.s + rest.len - sp2 - 1)};
	}
	if (!is_token(raw->method) || raw->version.len < 4 ||
		strncasecmp(raw->version.s, "SIP/", 4) != 0)
		return bad;
	raw->is_request = true;
	if (raw->uri.len == 0 || memchr(raw->uri.s, ' ', raw->uri.len) ||
		line.len != raw->method.len + 1 + raw->uri.len + 1 + raw->version.len)
		return bad;
	return NULL;
}

static const char *scan_start_line(struct raw *raw, struct text line)
{
	if (line.len >= 8 && strncasecmp(line.s, "SIP/", 4) == 0)
		return scan_status_line(raw, line);
	return scan_request_line(raw, line);
}

/* Up to a CR or LF that neither ends the line nor folds it. Some take it for the end of a line, and
 * an answer that repeated it would say in our name what stands behind. */
static struct text before_bare_line_end(struct text t)
{
	size_t n = 0;

	while (n < t.len && !(t.s[n] == '\n' && (n == 0 || t.s[n - 1] != '\r')) &&
		!(t.s[n] == '\r' && (n + 1 == t.len || t.s[n + 1] != '\n')))
		n++;
	return (struct text){t.s, n};
}

/* is_bad: it has characters that may not stand in a line. */
static const char *scan_header(struct raw *raw, struct text line, bool is_bad)
{
	const char *colon = memchr(line.s, ':', line.len);
	struct raw_header *h;
	struct text name, value;

	if (!colon)
		return "Header Field Without Colon";
	name = text_trim((struct text){line.s, (size_t)(colon - line.s)});
	if (!is_token(name))
		return "Bad Header Field Name";
	if (raw->count == RAW_HEADERS_MAX)
		return "Too Many Header Fields";
	h = &raw->header[raw->count++];
	h->kind = kind_of(name);
	h->line = line;
	value = (struct text){colon + 1, line.len - (size_t)(colon + 1 - line.s)};
	h->value = text_trim(is_bad ? before_bare_line_end(value) : value);
	if (!raw->first[h->kind])
		raw->first[h->kind] = h;
	raw->count_of[h->kind]++;
	return NULL;
}

#define BYTES(byte) (0x0101010101010101ull * (byte)) /* eight times the same */

/* The first character from p on below ' ' or DEL, end where there is none; eight at a time. What
 * the arithmetic says of the bytes above the first that it finds may be wrong, of that one it is
 * not. */
static const char *find_control(const char *p, const char *end)
{
	for (uint64_t v, del, found; end - p >= (ptrdiff_t)sizeof(v); p += sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		del = v ^ BYTES(0x7f);
		found = ((v - BYTES(0x20)) & ~v) | ((del - BYTES(1)) & ~del);
		found &= BYTES(0x80);
		if (found)
			return p + __builtin_ctzll(found) / 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && *p != 0x7f)
		p++;
	return p;
}

/* The end of the line at s, folds included, NULL when there is none before end. What may not stand
 * in a line is told in *why and does not end it: the answer needs the lines after it. */
static const char *line_end(const char *s, const char *end, bool may_fold, const char **why)
{
	*why = NULL;
	for (const char *p = find_control(s, end); p < end; p = find_control(p + 1, end)) {
		if (*p == '\t')
			continue;
		if (*p != '\r' || p + 1 == end || p[1] != '\n') {
			*why = "Bad Character in Header";
			continue;
		}
		if (may_fold && p > s && p + 2 < end && (p[2] == ' ' || p[2] == '\t')) {
			p++;
			continue;
		}
		if (p - s > RAW_LINE_MAX)
			*why = "Header Line Too Long";
		return p;
	}
	return NULL;
}

/* What is wrong first is what the answer says. */
static void blame(const char **first, const char *why)
{
	if (!*first)
		*first = why;
}

int raw_scan(struct raw *raw, const char *buf, size_t len, const char **why)
{
	const char *s = buf, *end = buf + len, *eol, *here, *wrong = NULL;

	memset(raw, 0, offsetof(struct raw, header));
	eol = line_end(s, end, false, &wrong);
	if (eol)
		blame(&wrong, scan_start_line(raw, (struct text){s, (size_t)(eol - s)}));
	while (eol && raw->header_len == 0) {
		s = eol + 2;
		eol = line_end(s, end, true, &here);
		blame(&wrong, here);
		if (!eol)
			break;
		if (eol > s) {
			blame(&wrong, scan_header(raw, (struct text){s, (size_t)(eol - s)}, here));
			continue;
		}
		raw->header_len = (size_t)(eol + 2 - buf);
		raw->body = (struct text){eol + 2, (size_t)(end - eol - 2)};
	}
	if (!eol)
		blame(&wrong, "Header Without End");
	*why = wrong;
	return wrong ? -EBADMSG : 0;
}
