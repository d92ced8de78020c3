/* SPDX-License-Identifier: BSD-2-Clause */
/* A message as osip_message_to_str() writes it, byte for byte. The library takes a piece of memory
 * and a printf for each part of each header field, and leaves the text in 8 KB, which stays as long
 * as it may have to be sent again. What nearly all of our messages consist of is written here, by
 * copying; a message that has something else is left to the library. */
#include "sip/internal.h"

#include <errno.h>
#include <string.h>

/* ---- what is written here ---- */

/* Of what the library escapes in a URI there is nothing: RFC 3261 25.1, unreserved, and a number's
 * plus sign. */
static bool is_unescaped(const char *s)
{
	for (; *s; s++) {
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') &&
			!(*s >= '0' && *s <= '9') && !strchr("-_.!~*'()+", *s))
			return false;
	}
	return true;
}

static bool has_plain_params(const osip_list_t *params)
{
	osip_list_iterator_t it;

	for (osip_uri_param_t *p = osip_list_get_first(params, &it);
		osip_list_iterator_has_elem(it); p = osip_list_get_next(&it)) {
		if (!p->gname || !is_unescaped(p->gname) || (p->gvalue && !is_unescaped(p->gvalue)))
			return false;
	}
	return true;
}

static bool is_plain_uri(const osip_uri_t *uri)
{
	return uri && uri->scheme && uri->host && !uri->string && !uri->password &&
	       osip_list_size(&uri->url_headers) == 0 &&
	       (!uri->username || is_unescaped(uri->username)) &&
	       has_plain_params(&uri->url_params);
}

static bool are_plain(const osip_list_t *addresses)
{
	osip_list_iterator_t it;

	for (osip_from_t *f = osip_list_get_first(addresses, &it); osip_list_iterator_has_elem(it);
		f = osip_list_get_next(&it)) {
		if (!is_plain_uri(f->url))
			return false;
	}
	return true;
}

static bool are_plain_vias(const osip_list_t *vias)
{
	osip_list_iterator_t it;

	for (osip_via_t *v = osip_list_get_first(vias, &it); osip_list_iterator_has_elem(it);
		v = osip_list_get_next(&it)) {
		if (!v->version || !v->protocol || !v->host || v->comment)
			return false;
	}
	return true;
}

static bool is_plain_body(const osip_message_t *msg)
{
	const osip_body_t *body = osip_list_get(&msg->bodies, 0);
	const osip_content_type_t *type = msg->content_type;

	if (type && (!type->type || !type->subtype || !osip_strcasecmp(type->type, "multipart")))
		return false;
	return !body || (osip_list_size(&msg->bodies) == 1 && body->body && !body->content_type &&
				osip_list_size(body->headers) == 0);
}

static bool has_none_of_the_rest(const osip_message_t *msg)
{
	const osip_list_t *rest[] = {&msg->accepts, &msg->accept_encodings, &msg->accept_languages,
		&msg->alert_infos, &msg->allows, &msg->authentication_infos, &msg->authorizations,
		&msg->call_infos, &msg->content_encodings, &msg->error_infos,
		&msg->proxy_authenticates, &msg->proxy_authentication_infos,
		&msg->proxy_authorizations, &msg->www_authenticates};

	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		if (osip_list_size(rest[i]))
			return false;
	}
	return !msg->mime_version;
}

static bool has_plain_start(const osip_message_t *msg)
{
	if (MSG_IS_RESPONSE(msg))
		return msg->status_code >= 100 && msg->status_code <= 699 && msg->reason_phrase;
	return msg->sip_method && is_plain_uri(msg->req_uri);
}

/* ---- writing ---- */

static void add_host(struct strbuf *out, const char *host)
{
	bool is_v6 = strchr(host, ':');

	if (is_v6)
		strbuf_addn(out, "[", 1);
	strbuf_add(out, host);
	if (is_v6)
		strbuf_addn(out, "]", 1);
}

static void add_after(struct strbuf *out, const char *before, const char *text)
{
	strbuf_add(out, before);
	strbuf_add(out, text);
}

/* Of a URI, of what stands around it, of a Via: one structure for all in the library. */
static void add_params(struct strbuf *out, const osip_list_t *params)
{
	osip_list_iterator_t it;

	for (osip_uri_param_t *p = osip_list_get_first(params, &it);
		osip_list_iterator_has_elem(it); p = osip_list_get_next(&it)) {
		add_after(out, ";", p->gname);
		if (p->gvalue)
			add_after(out, "=", p->gvalue);
	}
}

static void add_uri(struct strbuf *out, const osip_uri_t *uri)
{
	strbuf_add(out, uri->scheme);
	strbuf_addn(out, ":", 1);
	if (uri->username) {
		strbuf_add(out, uri->username);
		strbuf_addn(out, "@", 1);
	}
	add_host(out, uri->host);
	if (uri->port)
		add_after(out, ":", uri->port);
	add_params(out, &uri->url_params);
}

/* From, To, Contact, Route and Record-Route are one structure, too. */
static void add_address(struct strbuf *out, const char *name, const osip_from_t *from)
{
	strbuf_add(out, name);
	if (from->displayname) {
		strbuf_add(out, from->displayname);
		strbuf_addn(out, " ", 1);
	}
	strbuf_addn(out, "<", 1);
	add_uri(out, from->url);
	strbuf_addn(out, ">", 1);
	add_params(out, &from->gen_params);
	strbuf_addn(out, "\r\n", 2);
}

static void add_addresses(struct strbuf *out, const char *name, const osip_list_t *addresses)
{
	osip_list_iterator_t it;

	for (osip_from_t *f = osip_list_get_first(addresses, &it); osip_list_iterator_has_elem(it);
		f = osip_list_get_next(&it))
		add_address(out, name, f);
}

static void add_vias(struct strbuf *out, const osip_list_t *vias)
{
	osip_list_iterator_t it;

	for (osip_via_t *v = osip_list_get_first(vias, &it); osip_list_iterator_has_elem(it);
		v = osip_list_get_next(&it)) {
		add_after(out, "Via: SIP/", v->version);
		add_after(out, "/", v->protocol);
		strbuf_addn(out, " ", 1);
		add_host(out, v->host);
		if (v->port)
			add_after(out, ":", v->port);
		add_params(out, &v->via_params);
		strbuf_addn(out, "\r\n", 2);
	}
}

static void add_start(struct strbuf *out, const osip_message_t *msg)
{
	if (MSG_IS_RESPONSE(msg)) {
		char code[] = {' ', (char)('0' + msg->status_code / 100),
			(char)('0' + msg->status_code / 10 % 10),
			(char)('0' + msg->status_code % 10), ' ', '\0'};

		add_after(out, msg->sip_version, code);
		strbuf_add(out, msg->reason_phrase);
	} else {
		strbuf_add(out, msg->sip_method);
		strbuf_addn(out, " ", 1);
		add_uri(out, msg->req_uri);
		add_after(out, " ", msg->sip_version);
	}
	strbuf_addn(out, "\r\n", 2);
}

static void add_call(struct strbuf *out, const osip_message_t *msg)
{
	add_after(out, "Call-ID: ", msg->call_id->number);
	if (msg->call_id->host)
		add_after(out, "@", msg->call_id->host);
	add_after(out, "\r\nCSeq: ", msg->cseq->number);
	add_after(out, " ", msg->cseq->method);
	strbuf_addn(out, "\r\n", 2);
}

static int add_content_type(struct strbuf *out, const osip_content_type_t *type)
{
	char *text;

	if (!type)
		return 0;
	if (osip_content_type_to_str(type, &text))
		return -ENOMEM;
	add_after(out, "Content-Type: ", text);
	strbuf_addn(out, "\r\n", 2);
	osip_free(text);
	return 0;
}

/* The parser keeps names in small letters. */
static void add_headers(struct strbuf *out, const osip_list_t *headers)
{
	osip_list_iterator_t it;

	for (osip_header_t *h = osip_list_get_first(headers, &it); osip_list_iterator_has_elem(it);
		h = osip_list_get_next(&it)) {
		size_t start = out->len;

		add_after(out, h->hname, ": ");
		if (!strbuf_error(out) && out->s[start] >= 'a' && out->s[start] <= 'z')
			out->s[start] = (char)(out->s[start] - 'a' + 'A');
		if (h->hvalue)
			strbuf_add(out, h->hvalue);
		strbuf_addn(out, "\r\n", 2);
	}
}

static void add_body(struct strbuf *out, const osip_message_t *msg)
{
	const osip_body_t *body = osip_list_get(&msg->bodies, 0);

	if (!body) {
		strbuf_add(out, "Content-Length: 0\r\n\r\n");
		return;
	}
	strbuf_addf(out, "Content-Length: %5zu\r\n\r\n", body->length);
	strbuf_addn(out, body->body, body->length);
}

static int add_plain(struct strbuf *out, const osip_message_t *msg)
{
	add_start(out, msg);
	add_vias(out, &msg->vias);
	add_addresses(out, "Record-Route: ", &msg->record_routes);
	add_addresses(out, "Route: ", &msg->routes);
	add_address(out, "From: ", msg->from);
	add_address(out, "To: ", msg->to);
	add_call(out, msg);
	add_addresses(out, "Contact: ", &msg->contacts);
	if (add_content_type(out, msg->content_type))
		return -ENOMEM;
	add_headers(out, &msg->headers);
	add_body(out, msg);
	return strbuf_error(out);
}

/* No longer than it has to be. */
static void shrink(char **text, size_t len)
{
	char *s = osip_realloc(*text, len + 1);

	if (s)
		*text = s;
}

static int print_plain(const osip_message_t *msg, char **text, size_t *len)
{
	struct strbuf out = {0};

	if (add_plain(&out, msg)) {
		strbuf_free(&out);
		return -ENOMEM;
	}
	*text = out.s;
	*len = out.len;
	shrink(text, *len);
	return 0;
}

bool message_is_plain(const osip_message_t *msg)
{
	return msg->sip_version && has_plain_start(msg) && msg->from &&
	       is_plain_uri(msg->from->url) && msg->to && is_plain_uri(msg->to->url) &&
	       msg->call_id && msg->call_id->number && msg->cseq && msg->cseq->number &&
	       msg->cseq->method && are_plain_vias(&msg->vias) && are_plain(&msg->record_routes) &&
	       are_plain(&msg->routes) && are_plain(&msg->contacts) && is_plain_body(msg) &&
	       has_none_of_the_rest(msg);
}

int message_print(osip_message_t *msg, char **text, size_t *len)
{
	if (message_is_plain(msg))
		return print_plain(msg, text, len);
	/* The parser's copy of what came, or of an earlier printing, is out of date. */
	osip_message_force_update(msg);
	if (osip_message_to_str(msg, text, len))
		return -ENOMEM;
	shrink(text, *len);
	return 0;
}
