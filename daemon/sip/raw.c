/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/raw.h"

#include <errno.h>

static const struct {
	const char *name, *compact;
	enum raw_kind kind;
} known[] = {
	{"Via", "v", RAW_VIA},
	{"From", "f", RAW_FROM},
	{"To", "t", RAW_TO},
	{"Call-ID", "i", RAW_CALL_ID},
	{"CSeq", "", RAW_CSEQ},
	{"Max-Forwards", "", RAW_MAX_FORWARDS},
	{"Content-Length", "l", RAW_CONTENT_LENGTH},
	{"Content-Type", "c", RAW_CONTENT_TYPE},
};

static enum raw_kind kind_of(struct text name)
{
	if (name.len == 0 || name.len > sizeof("Content-Length") - 1)
		return RAW_OTHER;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (text_is_nocase(name, known[i].name) ||
			(known[i].compact[0] && text_is_nocase(name, known[i].compact)))
			return known[i].kind;
	}
	return RAW_OTHER;
}

/* token of RFC 3261 25.1 */
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-.!%*_+`'~", c));
}

static bool is_token(struct text t)
{
	for (size_t i = 0; i < t.len; i++) {
		if (!is_token_char(t.s[i]))
			return false;
	}
	return t.len != 0;
}

/* Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF; the last SP is not optional, and
 * the parser behind us swallows the next line where it is missing. */
static int scan_status_line(struct raw *raw, struct text line, const char **why)
{
	struct text code = {line.s + 8, 3};
	uint64_t status;

	raw->is_response = true;
	if (strncasecmp(line.s, "SIP/2.0 ", 8) != 0) {
		*why = "Version Not Supported";
		return -EBADMSG;
	}
	if (line.len < 12 || line.s[11] != ' ' || !text_to_number(code, 699, &status) ||
		status < 100) {
		*why = "Bad Status-Line";
		return -EBADMSG;
	}
	raw->status = (unsigned)status;
	return 0;
}

/* Request-Line = Method SP Request-URI SP SIP-Version CRLF */
static int scan_request_line(struct raw *raw, struct text line, const char **why)
{
	const char *end = line.s + line.len;
	const char *sp1 = memchr(line.s, ' ', line.len);
	const char *sp2 = sp1 ? memchr(sp1 + 1, ' ', (size_t)(end - sp1 - 1)) : NULL;

	*why = "Bad Request-Line";
	if (!sp2)
		return -EBADMSG;
	raw->method = (struct text){line.s, (size_t)(sp1 - line.s)};
	raw->uri = (struct text){sp1 + 1, (size_t)(sp2 - sp1 - 1)};
	raw->version = (struct text){sp2 + 1, (size_t)(end - sp2 - 1)};
	if (!is_token(raw->method) || raw->version.len < 4 ||
		strncasecmp(raw->version.s, "SIP/", 4) != 0)
		return -EBADMSG;
	raw->is_request = true;
	if (raw->uri.len == 0 || memchr(raw->version.s, ' ', raw->version.len))
		return -EBADMSG;
	return 0;
}

static int scan_start_line(struct raw *raw, struct text line, const char **why)
{
	if (line.len >= 8 && strncasecmp(line.s, "SIP/", 4) == 0)
		return scan_status_line(raw, line, why);
	return scan_request_line(raw, line, why);
}

static int scan_header(struct raw *raw, struct text line, const char **why)
{
	const char *colon = memchr(line.s, ':', line.len);
	struct raw_header *h;
	struct text name;

	if (!colon) {
		*why = "Header Field Without Colon";
		return -EBADMSG;
	}
	name = text_trim((struct text){line.s, (size_t)(colon - line.s)});
	if (!is_token(name)) {
		*why = "Bad Header Field Name";
		return -EBADMSG;
	}
	if (raw->count == RAW_HEADERS_MAX) {
		*why = "Too Many Header Fields";
		return -EBADMSG;
	}
	h = &raw->header[raw->count++];
	h->kind = kind_of(name);
	h->line = line;
	h->value = text_trim((struct text){colon + 1, line.len - (size_t)(colon + 1 - line.s)});
	if (!raw->first[h->kind])
		raw->first[h->kind] = h;
	raw->count_of[h->kind]++;
	return 0;
}

/* Finds the end of the line at s, folds included; NULL when there is none before end or a character
 * stands there that may not. */
static const char *line_end(const char *s, const char *end, bool may_fold, const char **why)
{
	for (const char *p = s; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c != 0x7f)
			continue;
		if (c == '\t')
			continue;
		if (c != '\r' || p + 1 == end || p[1] != '\n') {
			*why = "Bad Character in Header";
			return NULL;
		}
		if (p - s > RAW_LINE_MAX) {
			*why = "Header Line Too Long";
			return NULL;
		}
		if (may_fold && p > s && p + 2 < end && (p[2] == ' ' || p[2] == '\t')) {
			p++;
			continue;
		}
		return p;
	}
	*why = "Header Without End";
	return NULL;
}

int raw_scan(struct raw *raw, const char *buf, size_t len, const char **why)
{
	const char *s = buf, *end = buf + len, *eol;
	int ret = 0, one;

	memset(raw, 0, offsetof(struct raw, header));
	eol = line_end(s, end, false, why);
	if (!eol)
		return -EBADMSG;
	ret = scan_start_line(raw, (struct text){s, (size_t)(eol - s)}, why);
	for (s = eol + 2; s < end; s = eol + 2) {
		const char *why_here;

		eol = line_end(s, end, true, &why_here);
		if (!eol) {
			if (!ret)
				*why = why_here;
			return -EBADMSG;
		}
		if (eol == s) {
			raw->header_len = (size_t)(eol + 2 - buf);
			raw->body = (struct text){eol + 2, (size_t)(end - eol - 2)};
			return ret;
		}
		/* One bad line does not end the scan: the answer needs the fields after it. */
		one = scan_header(raw, (struct text){s, (size_t)(eol - s)}, &why_here);
		if (one && !ret) {
			ret = one;
			*why = why_here;
		}
	}
	if (!ret)
		*why = "Header Without End";
	return -EBADMSG;
}
