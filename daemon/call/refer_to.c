/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/refer_to.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "call/number.h"

/* RFC 3261 25.1: unreserved, without the quote that shells and databases trip over, and the plus
 * sign that numbers begin with. */
#define UNESCAPED "-_.!~*()+"

/* ---- Replaces ---- */

static void take_parameter(struct replaces *r, const char *s, size_t n, bool *twice)
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
		return;
	*twice |= *where != NULL;
	value++;
	value += strspn(value, " \t");
	n -= (size_t)(value - s);
	while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	free(*where);
	*where = strndup(value, n);
}

int replaces_parse(struct replaces *r, const char *value)
{
	size_t n = strcspn(value, "; \t,");
	bool twice = false;

	memset(r, 0, sizeof(*r));
	r->call_id = strndup(value, n);
	for (value += strcspn(value, ";,"); *value == ';'; value += strcspn(value, ";,")) {
		value++;
		value += strspn(value, " \t");
		take_parameter(r, value, strcspn(value, ";,"), &twice);
	}
	if (r->call_id && *r->call_id && r->to_tag && *r->to_tag && r->from_tag && !twice &&
		*value != ',')
		return 0;
	replaces_clear(r);
	return -EINVAL;
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

static int take_uri(struct refer_to *r, const osip_uri_t *uri)
{
	osip_uri_param_t *method = NULL;
	int ret = 0;

	if (!uri || !uri->scheme ||
		(strcasecmp(uri->scheme, "sip") != 0 && strcasecmp(uri->scheme, "tel") != 0))
		return -EPROTONOSUPPORT;
	osip_uri_param_get_byname(
		(osip_list_t *)(uintptr_t)&uri->url_params, (char *)"method", &method);
	if (method && (!method->gvalue || strcasecmp(method->gvalue, "INVITE") != 0))
		return -EPROTONOSUPPORT;
	if (number_of(uri, r->number) || !r->number[0])
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

int refer_to_parse(struct refer_to *r, const osip_message_t *refer)
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
		ret = take_uri(r, parsed->url);
	osip_from_free(parsed);
	if (ret)
		refer_to_clear(r);
	return ret;
}

void refer_to_clear(struct refer_to *r)
{
	replaces_clear(&r->replaces);
	r->has_replaces = false;
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
