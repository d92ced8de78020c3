/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/via.h"

#include <errno.h>
#include <stdlib.h>

#define ENDS (TEXT_SET(';') | TEXT_SET(',')) /* of a parameter */

struct cursor {
	const char *s, *end;
};

static void skip_space(struct cursor *c)
{
	while (c->s < c->end && text_is_space(*c->s))
		c->s++;
}

static bool take_char(struct cursor *c, char want)
{
	skip_space(c);
	if (c->s == c->end || *c->s != want)
		return false;
	c->s++;
	skip_space(c);
	return true;
}

/* Up to a character of that set; a NUL or white space ends it, too. */
static struct text take_until(struct cursor *c, uint64_t stop)
{
	struct text t = {c->s, 0};

	stop |= TEXT_SET('\0') | TEXT_SET_SPACE;
	while (c->s < c->end && !text_in_set(*c->s, stop))
		c->s++;
	t.len = (size_t)(c->s - t.s);
	return text_trim(t);
}

/* sent-by = host [ COLON port ] */
static int take_sent_by(struct cursor *c, struct via_text *via)
{
	uint64_t port;

	if (c->s < c->end && *c->s == '[') {
		via->host.s = c->s;
		while (c->s < c->end && *c->s != ']')
			c->s++;
		if (c->s == c->end)
			return -EINVAL;
		c->s++;
		via->host.len = (size_t)(c->s - via->host.s);
	} else {
		via->host = take_until(c, TEXT_SET(':') | ENDS);
	}
	if (via->host.len == 0)
		return -EINVAL;
	if (take_char(c, ':')) {
		if (!text_to_number(take_until(c, ENDS), UINT16_MAX, &port) || port == 0)
			return -EINVAL;
		via->port = (uint16_t)port;
	}
	skip_space(c);
	return c->s == c->end || *c->s == ';' || *c->s == ',' ? 0 : -EINVAL;
}

static int take_quoted(struct cursor *c)
{
	for (c->s++; c->s < c->end; c->s++) {
		if (*c->s == '\\' && c->s + 1 < c->end)
			c->s++;
		else if (*c->s == '"') {
			c->s++;
			return 0;
		}
	}
	return -EINVAL;
}

static int take_param(struct cursor *c, struct via_text *via)
{
	struct text whole = {c->s, 0}, name, value = {NULL, 0};

	c->s++; /* the ';' */
	skip_space(c);
	name = take_until(c, TEXT_SET('=') | ENDS);
	skip_space(c);
	if (c->s < c->end && *c->s == '=') {
		c->s++;
		skip_space(c);
		if (c->s < c->end && *c->s == '"') {
			value.s = c->s;
			if (take_quoted(c))
				return -EINVAL;
			value.len = (size_t)(c->s - value.s);
		} else {
			value = take_until(c, ENDS);
		}
	}
	whole.len = (size_t)(c->s - whole.s);
	if (text_is_nocase(name, "branch") && !via->branch.s)
		via->branch = value;
	else if (text_is_nocase(name, "rport") && !via->has_rport) {
		via->has_rport = true;
		via->rport = whole;
	} else if (text_is_nocase(name, "received") && !via->received.s)
		via->received = whole;
	return name.len ? 0 : -EINVAL;
}

/* via-parm = sent-protocol LWS sent-by *( SEMI via-params ) */
int via_text_parse(struct via_text *via, struct text value)
{
	struct cursor c = {value.s, value.s + value.len};
	struct text version;

	memset(via, 0, sizeof(*via));
	skip_space(&c);
	if (!text_is_nocase(take_until(&c, TEXT_SET('/')), "SIP") || !take_char(&c, '/'))
		return -EINVAL;
	version = take_until(&c, TEXT_SET('/'));
	if (!take_char(&c, '/'))
		return -EINVAL;
	via->transport = take_until(&c, ENDS);
	if (via->transport.len == 0 || c.s == c.end || !text_is_space(*c.s))
		return -EINVAL;
	skip_space(&c);
	if (take_sent_by(&c, via))
		return -EINVAL;
	via->len = (size_t)(c.s - value.s);
	while (c.s < c.end && *c.s == ';') {
		if (take_param(&c, via))
			return -EINVAL;
		skip_space(&c);
		via->len = (size_t)(c.s - value.s);
	}
	return text_is(version, "2.0") && (c.s == c.end || *c.s == ',') ? 0 : -EINVAL;
}

void via_response_destination(
	const struct via_text *via, const struct addr *source, struct addr *destination)
{
	*destination = *source;
	if (!via->has_rport)
		destination->port = via->port ? via->port : SIP_PORT;
}

/* RFC 3261 18.2.1: received, where sent-by is not the source; RFC 3581 4: always with rport. */
static bool needs_received(struct text host, bool has_rport, const struct addr *source)
{
	struct addr written;

	if (has_rport)
		return true;
	if (host.len > 2 && host.s[0] == '[') {
		host.s++;
		host.len -= 2;
	}
	return addr_parse_ip(&written, host.s, host.len) || !addr_equal_ip(&written, source);
}

void via_print_received(struct strbuf *out, struct text value, const struct via_text *via,
	const struct addr *source)
{
	struct text skip[2] = {via->rport, via->received};
	const char *s = value.s, *end = value.s + via->len;
	char ip[ADDR_TEXT_MAX];

	/* Earlier ones are dropped, in the order in which they stand. */
	if (skip[0].s && skip[1].s && skip[0].s > skip[1].s) {
		skip[0] = via->received;
		skip[1] = via->rport;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (!skip[i].s)
			continue;
		strbuf_addn(out, s, (size_t)(skip[i].s - s));
		s = skip[i].s + skip[i].len;
	}
	strbuf_addn(out, s, (size_t)(end - s));
	if (needs_received(via->host, via->has_rport, source)) {
		strbuf_add(out, ";received=");
		strbuf_add(out, addr_print_ip(source, ip));
	}
	if (via->has_rport) {
		strbuf_add(out, ";rport=");
		strbuf_addu(out, source->port);
	}
	strbuf_addn(out, end, value.len - via->len);
}

static int set_param(osip_via_t *via, const char *name, const char *value)
{
	osip_generic_param_t *param = NULL;
	char *n, *v;

	osip_via_param_get_byname(via, (char *)name, &param);
	v = osip_strdup(value);
	if (!v)
		return -ENOMEM;
	if (param) {
		osip_free(param->gvalue);
		param->gvalue = v;
		return 0;
	}
	n = osip_strdup(name);
	if (!n || osip_generic_param_add(&via->via_params, n, v)) {
		osip_free(n);
		osip_free(v);
		return -ENOMEM;
	}
	return 0;
}

int via_set_received(osip_via_t *via, const struct addr *source)
{
	osip_generic_param_t *rport = NULL;
	char text[ADDR_TEXT_MAX];
	int ret = 0;

	osip_via_param_get_byname(via, (char *)"rport", &rport);
	if (needs_received((struct text){via->host, strlen(via->host)}, rport != NULL, source))
		ret = set_param(via, "received", addr_print_ip(source, text));
	if (!ret && rport) {
		snprintf(text, sizeof(text), "%u", source->port);
		ret = set_param(via, "rport", text);
	}
	return ret;
}

/* RFC 3581 is about UDP alone. Over a stream the answer comes by the connection of the request, and
 * where that is gone to the port of sent-by (RFC 3261 18.2.2): an rport would have it sent to the
 * port that the connection had, where nobody listens. */
static int ask_for_port(osip_via_t *via)
{
	char *rport = osip_strdup("rport");

	if (rport && osip_generic_param_add(&via->via_params, rport, NULL) == 0)
		return 0;
	osip_free(rport);
	return -ENOMEM;
}

int via_make(osip_via_t **out, const char *transport, const char *host, uint16_t port,
	const char *branch)
{
	char port_text[8];
	osip_via_t *via;
	int ret = 0;

	if (osip_via_init(&via))
		return -ENOMEM;
	snprintf(port_text, sizeof(port_text), "%u", port);
	via->version = osip_strdup("2.0");
	via->protocol = osip_strdup(transport);
	via->host = osip_strdup(host);
	via->port = osip_strdup(port_text);
	if (!via->version || !via->protocol || !via->host || !via->port)
		ret = -ENOMEM;
	if (!ret && strcmp(transport, "UDP") == 0)
		ret = ask_for_port(via);
	if (!ret)
		ret = set_param(via, "branch", branch);
	if (ret) {
		osip_via_free(via);
		return ret;
	}
	*out = via;
	return 0;
}
