/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/refer_to.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "call/carry.h"
#include "call/number.h"

/* RFC 3261 25.1: unreserved, without the quote that shells and databases trip over, and the plus
 * sign that numbers begin with. */
#define UNESCAPED "-_.!~*()+"

/* The escapes of a URI's header fields may stand for anything, ends of lines among it. */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text))
			return false;
	}
	return true;
}

static bool is_word(const char *text)
{
	return text && *text && is_plain(text);
}

/* ---- Replaces ---- */

/* 0; -EINVAL: it is there twice; -ENOMEM. */
static int take_parameter(struct replaces *r, const char *s, size_t n)
{
	static const char to[] = "to-tag", from[] = "from-tag", early[] = "early-only";
	size_t name = strcspn(s, "= \t;");
	const char *value = memchr(s, '=', n);
	char **where = NULL;

	if (name > n)
		name = n;
	if (name == strlen(to) && strncasecmp(s, to, name) == 0)
		where = &r->to_tag;
	else if (name == strlen(from) && strncasecmp(s, from, name) == 0)
		where = &r->from_tag;
	else if (name == strlen(early) && strncasecmp(s, early, name) == 0)
		r->early_only = true;
	if (!where || !value)
		return 0;
	if (*where)
		return -EINVAL;
	value++;
	value += strspn(value, " \t");
	n -= (size_t)(value - s);
	while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	*where = strndup(value, n);
	return *where ? 0 : -ENOMEM;
}

int replaces_parse(struct replaces *r, const char *value)
{
	size_t n = strcspn(value, "; \t,");
	int ret;

	memset(r, 0, sizeof(*r));
	r->call_id = strndup(value, n);
	ret = r->call_id ? 0 : -ENOMEM;
	for (value += strcspn(value, ";,"); !ret && *value == ';'; value += strcspn(value, ";,")) {
		value++;
		value += strspn(value, " \t");
		ret = take_parameter(r, value, strcspn(value, ";,"));
	}
	if (!ret && (!is_word(r->call_id) || !is_word(r->to_tag) || !is_word(r->from_tag) ||
			    *value == ','))
		ret = -EINVAL;
	if (ret)
		replaces_clear(r);
	return ret;
}

void replaces_clear(struct replaces *r)
{
	free(r->call_id);
	free(r->to_tag);
	free(r->from_tag);
	memset(r, 0, sizeof(*r));
}

char *replaces_print(const struct replaces *r)
{
	char *text;

	if (asprintf(&text, "%s;to-tag=%s;from-tag=%s%s", r->call_id, r->to_tag, r->from_tag,
		    r->early_only ? ";early-only" : "") < 0)
		return NULL;
	return text;
}

/* ---- Refer-To ---- */

/* The value of the one header field of that name; NULL when there is none, or several. */
static const char *only_value(const osip_message_t *msg, const char *name, const char *compact)
{
	const char *value = NULL;

	for (int i = 0; i < osip_list_size(&msg->headers); i++) {
		const osip_header_t *h = osip_list_get(&msg->headers, i);

		if (!h->hname || !h->hvalue ||
			(strcasecmp(h->hname, name) != 0 && strcasecmp(h->hname, compact) != 0))
			continue;
		if (value)
			return NULL;
		value = h->hvalue;
	}
	return value;
}

/* A phone that speaks TLS may write sips for every number: it is as good as in an INVITE, and what
 * the call goes over is the routes' matter. Where the URI itself goes back it is not followed. */
static bool is_number_scheme(const char *scheme, bool back)
{
	return strcasecmp(scheme, "sip") == 0 || strcasecmp(scheme, "tel") == 0 ||
	       (!back && strcasecmp(scheme, "sips") == 0);
}

static int take_uri(struct refer_to *r, const osip_uri_t *uri, bool back)
{
	osip_uri_param_t *method = NULL;
	int ret = 0;

	if (!uri || !uri->scheme || !is_number_scheme(uri->scheme, back))
		return -EPROTONOSUPPORT;
	osip_uri_param_get_byname(
		(osip_list_t *)(uintptr_t)&uri->url_params, (char *)"method", &method);
	if (method && (!method->gvalue || strcasecmp(method->gvalue, "INVITE") != 0))
		return -EPROTONOSUPPORT;
	if (number_of(uri, r->number))
		return -EINVAL;
	if (!r->number[0] && back && uri->host && strlen(uri->host) <= CALL_NUMBER_MAX)
		strcpy(r->number, uri->host);
	if (!r->number[0])
		return -EINVAL;
	for (int i = 0; i < osip_list_size(&uri->url_headers) && !ret; i++) {
		const osip_uri_header_t *h = osip_list_get(&uri->url_headers, i);

		if (!h->gname || !h->gvalue || strcasecmp(h->gname, "Replaces") != 0)
			continue;
		ret = r->has_replaces ? -EINVAL : replaces_parse(&r->replaces, h->gvalue);
		r->has_replaces = !ret;
	}
	return ret;
}

/* The URI of a name-addr or addr-spec (RFC 3261 25.1), without its header fields, which are no part
 * of a Request-URI (RFC 3261 19.1.5). */
static size_t find_uri(const char **value)
{
	const char *s = *value, *at;
	size_t len;

	s += strspn(s, " \t");
	if (*s == '"') {
		for (s++; *s && *s != '"'; s++)
			s += *s == '\\' && s[1];
	}
	if (strchr(s, '<')) {
		s = strchr(s, '<') + 1;
		len = strcspn(s, ">");
	} else {
		/* What comes after a semicolon is then the header field's own (RFC 3261 20). */
		len = strcspn(s, "; \t");
	}
	*value = s;
	/* A user part may have question marks. */
	at = memchr(s, '@', len);
	at = memchr(at ? at : s, '?', at ? len - (size_t)(at - s) : len);
	return at ? (size_t)(at - s) : len;
}

/* Visible ASCII without what would end a URI: it goes into a request line as it is. */
static bool is_uri_text(const char *text)
{
	for (const char *s = text; *s; s++) {
		if (*s <= ' ' || *s > '~' || strchr("<>\"", *s))
			return false;
	}
	return strncasecmp(text, "sip:", 4) == 0 || strncasecmp(text, "tel:", 4) == 0;
}

int refer_to_restore(struct refer_to *r, const char *uri, const char *referred_by)
{
	if (strlen(uri) > REFER_TO_MAX || !is_uri_text(uri) || strlen(referred_by) > REFER_TO_MAX ||
		!is_plain(referred_by))
		return -EINVAL;
	r->uri = strdup(uri);
	r->referred_by = *referred_by ? strdup(referred_by) : NULL;
	return r->uri && (r->referred_by || !*referred_by) ? 0 : -ENOMEM;
}

static int take_as_it_is(struct refer_to *r, const osip_message_t *refer, const char *value)
{
	const char *by = only_value(refer, "Referred-By", "b");
	size_t len = find_uri(&value);
	char *uri = strndup(value, len);
	int ret = uri ? 0 : -ENOMEM;

	/* RFC 3892 3: one at most. */
	if (!by && (header_value(refer, "Referred-By") || header_value(refer, "b")))
		ret = -EINVAL;
	if (!ret)
		ret = refer_to_restore(r, uri, by ? by : "");
	free(uri);
	return ret;
}

int refer_to_parse(struct refer_to *r, const osip_message_t *refer, bool back)
{
	const char *value = only_value(refer, "Refer-To", "r");
	osip_from_t *parsed = NULL;
	int ret = -EINVAL;

	memset(r, 0, sizeof(*r));
	if (!value || strlen(value) > REFER_TO_MAX)
		return -EINVAL;
	if (osip_from_init(&parsed))
		return -ENOMEM;
	if (osip_from_parse(parsed, value) == 0)
		ret = take_uri(r, parsed->url, back);
	osip_from_free(parsed);
	if (!ret && back)
		ret = take_as_it_is(r, refer, value);
	if (ret)
		refer_to_clear(r);
	return ret;
}

void refer_to_clear(struct refer_to *r)
{
	replaces_clear(&r->replaces);
	r->has_replaces = false;
	free(r->uri);
	free(r->referred_by);
	r->uri = r->referred_by = NULL;
}

char *refer_to_escape(const char *text)
{
	struct strbuf b = {0};

	strbuf_add(&b, "");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr(UNESCAPED, c))
			strbuf_addn(&b, text, 1);
		else
			strbuf_addf(&b, "%%%02X", c);
	}
	if (strbuf_error(&b)) {
		strbuf_free(&b);
		return NULL;
	}
	return b.s;
}
