/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/guard.h"

#include <errno.h>

static bool refuse(struct guard *g, int code, const char *reason)
{
	g->code = code;
	g->reason = reason;
	return false;
}

/* RFC 3261 20.14, 18.3 */
static bool check_content_length(struct guard *g, const struct raw *raw, size_t len, bool is_stream)
{
	uint64_t n, again;
	bool seen = false;

	g->len = len;
	for (unsigned i = 0; i < raw->count; i++) {
		if (raw->header[i].kind != RAW_CONTENT_LENGTH)
			continue;
		if (!text_to_number(raw->header[i].value, UINT32_MAX, seen ? &again : &n))
			return refuse(g, 400, "Bad Content-Length");
		if (seen && again != n)
			return refuse(g, 400, "Contradicting Content-Length");
		seen = true;
	}
	if (!seen)
		return is_stream ? refuse(g, 400, "Missing Content-Length") : true;
	if (n > raw->body.len)
		return refuse(g, 400, "Content-Length Beyond Message");
	g->len = raw->header_len + (size_t)n;
	return true;
}

/* CSeq = 1*DIGIT LWS Method; RFC 3261 8.1.1.5 */
static bool check_cseq(struct guard *g, const struct raw *raw)
{
	struct text v = raw->first[RAW_CSEQ]->value, number = v;

	number.len = 0;
	while (number.len < v.len && !text_is_space(v.s[number.len]))
		number.len++;
	g->cseq_method = text_trim((struct text){v.s + number.len, v.len - number.len});
	if (!text_to_number(number, GUARD_CSEQ_MAX, &g->cseq) || g->cseq_method.len == 0)
		return refuse(g, 400, "Bad CSeq");
	for (size_t i = 0; i < g->cseq_method.len; i++) {
		if (text_is_space(g->cseq_method.s[i]))
			return refuse(g, 400, "Bad CSeq");
	}
	if (raw->is_request && (g->cseq_method.len != raw->method.len ||
				       memcmp(g->cseq_method.s, raw->method.s, raw->method.len)))
		return refuse(g, 400, "CSeq Method Mismatch");
	return true;
}

static bool check_mandatory(struct guard *g, const struct raw *raw)
{
	static const struct {
		enum raw_kind kind;
		const char *missing, *twice;
	} single[] = {
		{RAW_FROM, "Missing From", "More Than One From"},
		{RAW_TO, "Missing To", "More Than One To"},
		{RAW_CALL_ID, "Missing Call-ID", "More Than One Call-ID"},
		{RAW_CSEQ, "Missing CSeq", "More Than One CSeq"},
		{RAW_MAX_FORWARDS, NULL, "More Than One Max-Forwards"},
		{RAW_CONTENT_TYPE, NULL, "More Than One Content-Type"},
	};

	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		const struct raw_header *h = raw->first[single[i].kind];

		if (single[i].missing && (!h || h->value.len == 0))
			return refuse(g, 400, single[i].missing);
		if (raw->count_of[single[i].kind] > 1)
			return refuse(g, 400, single[i].twice);
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 2046 5.1: a part of a multipart body has one Content-Type. The parser behind us loses the
 * memory of all but the last, and takes for one whatever begins so. Only the empty line that ends a
 * part's header for it too ends it here. */
static bool check_parts(struct guard *g, const struct raw *raw)
{
	static const char type[] = "multipart", name[] = "content-type";
	const struct raw_header *h = raw->first[RAW_CONTENT_TYPE];
	const char *s = raw->body.s, *end;
	unsigned seen = 0;

	if (!h || raw->body.len == 0 || h->value.len < sizeof(type) - 1 ||
		strncasecmp(h->value.s, type, sizeof(type) - 1) != 0)
		return true;
	end = s + raw->body.len;
	while (s < end) {
		while (s < end && is_blank(*s))
			s++;
		if ((size_t)(end - s) >= sizeof(name) - 1 &&
			strncasecmp(s, name, sizeof(name) - 1) == 0 && seen++)
			return refuse(g, 400, "More Than One Content-Type In A Part");
		while (s < end && *s != '\r' && *s != '\n')
			s++;
		if (end - s >= 4 && memcmp(s, "\r\n\r\n", 4) == 0)
			seen = 0;
		while (s < end && (*s == '\r' || *s == '\n'))
			s++;
	}
	return true;
}

static bool check_max_forwards(struct guard *g, const struct raw *raw)
{
	const struct raw_header *h = raw->first[RAW_MAX_FORWARDS];
	uint64_t v;

	if (h && !text_to_number(h->value, GUARD_MAX_FORWARDS_MAX, &v))
		return refuse(g, 400, "Bad Max-Forwards");
	return true;
}

/* hostport of a SIP URI: an IPv6 address stands in brackets (RFC 3261 25.1, IPv6reference). */
static bool has_bare_ipv6(struct text uri)
{
	const uint64_t host_end = TEXT_SET(';') | TEXT_SET('?') | TEXT_SET('>') | TEXT_SET('\0');
	const char *at = memchr(uri.s, '@', uri.len), *s, *end = uri.s + uri.len;
	unsigned colons = 0;

	s = at ? at + 1 : (const char *)memchr(uri.s, ':', uri.len) + 1;
	if (s < end && *s == '[')
		return false;
	for (; s < end && !text_in_set(*s, host_end); s++)
		colons += *s == ':';
	return colons > 1;
}

static bool check_request_uri(struct guard *g, const struct raw *raw)
{
	const char *colon = memchr(raw->uri.s, ':', raw->uri.len);
	struct text scheme;

	if (raw->uri.s[0] == '<')
		return refuse(g, 400, "Request-URI In Brackets");
	if (!colon)
		return refuse(g, 400, "Bad Request-URI");
	scheme = (struct text){raw->uri.s, (size_t)(colon - raw->uri.s)};
	if (text_is_nocase(scheme, "tel"))
		return true;
	if (!text_is_nocase(scheme, "sip") && !text_is_nocase(scheme, "sips"))
		return refuse(g, 416, "Unsupported URI Scheme");
	if (has_bare_ipv6(raw->uri))
		return refuse(g, 400, "IPv6 Address Without Brackets");
	return true;
}

/* RFC 3261 25.1 allows it. The parser behind us unescapes into C strings: what follows would be
 * lost without a word (RFC 4475 3.1.1.4). */
static bool has_escaped_nul(struct text uri)
{
	return uri.len && memchr(uri.s, '%', uri.len) && memmem(uri.s, uri.len, "%00", 3);
}

static bool check_escapes(struct guard *g, const struct raw *raw)
{
	if (has_escaped_nul(raw->uri) || has_escaped_nul(raw->first[RAW_FROM]->value) ||
		has_escaped_nul(raw->first[RAW_TO]->value))
		return refuse(g, 400, "Escaped NUL");
	return true;
}

static void check(struct guard *g, const struct raw *raw, size_t len, bool is_stream)
{
	const struct raw_header *via = raw->first[RAW_VIA];

	int bad_via = via ? via_text_parse(&g->via, via->value) : -ENOENT;

	g->answerable = g->via.len && raw->is_request && !text_is(raw->method, "ACK");
	if (bad_via) {
		refuse(g, 400, "Missing or Bad Via");
		return;
	}
	/* RFC 3261 8.1.3.3: a response with a second Via is not for us. */
	if (raw->is_response && (raw->count_of[RAW_VIA] > 1 || g->via.len != via->value.len)) {
		refuse(g, 400, "More Than One Via");
		return;
	}
	if (!check_content_length(g, raw, len, is_stream) || !check_mandatory(g, raw) ||
		!check_cseq(g, raw) || !check_parts(g, raw) || !check_escapes(g, raw))
		return;
	/* A start line that was refused may have left neither method nor URI. */
	if (raw->is_request && raw->uri.len && check_max_forwards(g, raw))
		check_request_uri(g, raw);
}

void guard_raw(struct guard *g, struct raw *raw, const char *buf, size_t len, bool is_stream)
{
	const char *why = NULL;
	int ret;

	memset(g, 0, sizeof(*g));
	g->len = len;
	ret = raw_scan(raw, buf, len, &why);
	if (raw->is_request && !text_is_nocase(raw->version, "SIP/2.0")) {
		check(g, raw, len, is_stream);
		refuse(g, 505, "Version Not Supported");
		return;
	}
	check(g, raw, len, is_stream);
	if (ret)
		refuse(g, 400, why);
}

/* Without what would end a Request-URI for whoever gets it as one, or a name-addr. */
static bool is_one_word(const char *s)
{
	if (!s || !*s)
		return false;
	for (; *s; s++) {
		if (*s <= ' ' || *s == 0x7f || *s == '<' || *s == '>' || *s == '"')
			return false;
	}
	return true;
}

/* RFC 3261 19.1.1: what the parser leaves as text has to be a port. */
static bool is_bad_uri(const osip_uri_t *uri)
{
	uint64_t port;

	if (!uri || !uri->scheme)
		return true;
	if (osip_strcasecmp(uri->scheme, "sip") != 0 && osip_strcasecmp(uri->scheme, "sips") != 0)
		return !is_one_word(uri->string);
	if (!is_one_word(uri->host))
		return true;
	return uri->port &&
	       (!text_to_number((struct text){uri->port, strlen(uri->port)}, UINT16_MAX, &port) ||
		       port == 0);
}

/* RFC 3261 25.1, media-type. A parameter without a value the library takes, and then prints none of
 * the field but its name. */
static bool is_bad_content_type(const osip_content_type_t *type)
{
	const osip_generic_param_t *param;

	if (!type->type || !type->subtype)
		return true;
	for (int i = 0; (param = osip_list_get(&type->gen_params, i)); i++) {
		if (!param->gname || !param->gvalue)
			return true;
	}
	return false;
}

int guard_parsed(const osip_message_t *msg, const char **reason)
{
	const osip_via_t *via = osip_list_get(&msg->vias, 0);
	const osip_contact_t *contact;

	*reason = "Bad Via";
	if (!via || !via->host || !via->host[0] || !via->protocol || !via->version)
		return 400;
	*reason = "Bad Call-ID";
	if (!msg->call_id || !msg->call_id->number || !msg->call_id->number[0])
		return 400;
	*reason = "Bad CSeq";
	if (!msg->cseq || !msg->cseq->number || !msg->cseq->method)
		return 400;
	*reason = "Bad From";
	if (!msg->from || is_bad_uri(msg->from->url))
		return 400;
	*reason = "Bad To";
	if (!msg->to || is_bad_uri(msg->to->url))
		return 400;
	*reason = "Bad Contact";
	for (int i = 0; (contact = osip_list_get(&msg->contacts, i)); i++) {
		if (contact->url && is_bad_uri(contact->url))
			return 400;
	}
	*reason = "Bad Content-Type";
	if (msg->content_type && is_bad_content_type(msg->content_type))
		return 400;
	if (MSG_IS_RESPONSE(msg))
		return msg->status_code >= 100 && msg->status_code <= 699 ? 0 : 400;
	*reason = "Bad Request-URI";
	if (!msg->sip_method || is_bad_uri(msg->req_uri))
		return 400;
	/* RFC 3261 19.1.1: a Request-URI says nothing of header fields. */
	if (osip_list_size(&msg->req_uri->url_headers) > 0)
		return 400;
	return 0;
}
