/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/reply.h"

#include "base/table.h"

/* The value after "tag" and what may stand before "=". */
static struct text value_of(struct text rest)
{
	struct text value = text_trim(rest);

	if (!value.len || value.s[0] != '=')
		return (struct text){value.s, 0};
	value = text_trim((struct text){value.s + 1, value.len - 1});
	for (size_t i = 0; i < value.len; i++) {
		if (value.s[i] == ';' || text_is_space(value.s[i]))
			value.len = i;
	}
	return value;
}

struct text reply_tag(struct text value)
{
	const uint64_t marks = TEXT_SET('"') | TEXT_SET('<') | TEXT_SET('>') | TEXT_SET(';');
	const char *s = value.s, *end = value.s + value.len;
	bool quoted = false, bracket = false;

	if (!value.len || !memchr(s, ';', value.len))
		return (struct text){0};
	for (; s < end; s++) {
		if (!quoted && !text_in_set(*s, marks))
			continue;
		if (quoted && *s == '\\') {
			s++;
		} else if (*s == '"') {
			quoted = !quoted;
		} else if (quoted) {
			continue;
		} else if (*s == '<') {
			bracket = true;
		} else if (*s == '>') {
			bracket = false;
		} else if (*s == ';' && !bracket) {
			struct text rest = text_trim((struct text){s + 1, (size_t)(end - s - 1)});

			if (rest.len > 3 && strncasecmp(rest.s, "tag", 3) == 0 &&
				(rest.s[3] == '=' || text_is_space(rest.s[3])))
				return value_of((struct text){rest.s + 3, rest.len - 3});
		}
	}
	return (struct text){0};
}

bool reply_has_tag(struct text value)
{
	return reply_tag(value).s != NULL;
}

static void print_field(struct strbuf *out, const char *name, const struct raw_header *h)
{
	if (!h)
		return;
	strbuf_add(out, name);
	strbuf_add(out, ": ");
	strbuf_addn(out, h->value.s, h->value.len);
	strbuf_add(out, "\r\n");
}

static void print_to(struct strbuf *out, const struct raw *raw, const struct guard *g, int code,
	const char *to_tag)
{
	const struct raw_header *to = raw->first[RAW_TO], *id = raw->first[RAW_CALL_ID];

	if (!to)
		return;
	strbuf_add(out, "To: ");
	strbuf_addn(out, to->value.s, to->value.len);
	if (to_tag && !reply_has_tag(to->value)) {
		strbuf_add(out, ";tag=");
		strbuf_add(out, to_tag);
	} else if (code != 100 && !reply_has_tag(to->value)) {
		uint32_t a = table_hash(g->via.branch.s ? g->via.branch.s : "", g->via.branch.len);
		uint32_t b = table_hash(id ? id->value.s : "", id ? id->value.len : 0);

		strbuf_addf(out, ";tag=%08x%08x", a, b);
	}
	strbuf_add(out, "\r\n");
}

void reply_print(struct strbuf *out, const struct raw *raw, const struct guard *g,
	const struct addr *source, int code, const char *reason, const char *to_tag,
	unsigned retry_after_s)
{
	strbuf_add(out, "SIP/2.0 ");
	strbuf_addu(out, (unsigned)code);
	strbuf_add(out, " ");
	strbuf_add(out, reason);
	strbuf_add(out, "\r\n");
	for (unsigned i = 0; i < raw->count; i++) {
		const struct raw_header *h = &raw->header[i];

		if (h->kind != RAW_VIA)
			continue;
		strbuf_add(out, "Via: ");
		if (h == raw->first[RAW_VIA])
			via_print_received(out, h->value, &g->via, source);
		else
			strbuf_addn(out, h->value.s, h->value.len);
		strbuf_add(out, "\r\n");
	}
	print_field(out, "From", raw->first[RAW_FROM]);
	print_to(out, raw, g, code, to_tag);
	print_field(out, "Call-ID", raw->first[RAW_CALL_ID]);
	print_field(out, "CSeq", raw->first[RAW_CSEQ]);
	if (retry_after_s) {
		strbuf_add(out, "Retry-After: ");
		strbuf_addu(out, retry_after_s);
		strbuf_add(out, "\r\n");
	}
	strbuf_add(out, "Content-Length: 0\r\n\r\n");
}
