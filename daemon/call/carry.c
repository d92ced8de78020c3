/* SPDX-License-Identifier: BSD-2-Clause */
/* What crosses a back-to-back user agent: header fields that are end to end, bodies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "call/carry.h"

/* Header fields that stay on their leg: hop by hop, of one dialog alone, made anew by us, or naming
 * the other side's addresses and identities. What is not here is carried, known to us or not. */
static const char *const not_carried[] = {
	/* hop by hop, or made anew */
	"max-forwards", "proxy-require", "require", "supported", "k", "user-agent", "server",
	"timestamp", "path", "service-route", "security-client", "security-server",
	"security-verify", "content-length", "l", "content-type", "c", "mime-version",
	/* numbers and names of one leg's dialogs and transactions */
	"rseq", "rack", "session-expires", "x", "min-se", "replaces", "join", "target-dialog",
	"in-reply-to", "refer-to", "r", "subscription-state", "event", "o", "sip-etag",
	"sip-if-match",
	/* identities: as identity.c has it */
	"privacy", "user-to-user", "p-asserted-identity", "p-preferred-identity", "remote-party-id",
	"diversion", "history-info", "referred-by", "b",
	/* addresses and identities of one side */
	"p-charging-vector", "p-charging-function-addresses", "p-access-network-info",
	"p-visited-network-id", "p-called-party-id", "p-associated-uri", "warning"};

/* Option tags (RFC 3261 27.1) whose working we carry from leg to leg. */
static const char *const carried_options[] = {
	"100rel", "precondition", "resource-priority", "norefersub"};

static bool is_listed(const char *const *list, size_t count, const char *name, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(list[i]) == len && strncasecmp(list[i], name, len) == 0)
			return true;
	}
	return false;
}

#define IS_LISTED(list, name, len) is_listed(list, sizeof(list) / sizeof((list)[0]), name, len)

/* Next token of a comma-separated header field value; advances *text. 0 when there is none. */
static size_t next_token(const char **text, const char **token)
{
	size_t n;

	*text += strspn(*text, ", \t\r\n");
	*token = *text;
	n = strcspn(*text, ", \t\r\n");
	*text += n;
	return n;
}

static bool is_header(const osip_header_t *h, const char *name, const char *compact)
{
	return h->hname && h->hvalue &&
	       (strcasecmp(h->hname, name) == 0 || (compact && strcasecmp(h->hname, compact) == 0));
}

const char *header_value(const osip_message_t *msg, const char *name)
{
	for (int i = 0; i < osip_list_size(&msg->headers); i++) {
		const osip_header_t *h = osip_list_get(&msg->headers, i);

		if (is_header(h, name, NULL))
			return h->hvalue;
	}
	return NULL;
}

/* The option tags of Supported or Require that we carry, as one header field. */
static int carry_options(
	const osip_message_t *from, osip_message_t *to, const char *name, const char *compact)
{
	struct strbuf b = {0};
	int ret;

	for (int i = 0; i < osip_list_size(&from->headers); i++) {
		const osip_header_t *h = osip_list_get(&from->headers, i);
		const char *text, *t;
		size_t n;

		if (!is_header(h, name, compact))
			continue;
		text = h->hvalue;
		while ((n = next_token(&text, &t)) > 0) {
			if (IS_LISTED(carried_options, t, n))
				strbuf_addf(&b, "%s%.*s", b.len ? ", " : "", (int)n, t);
		}
	}
	ret = strbuf_error(&b);
	if (!ret && b.len && osip_message_set_header(to, name, b.s))
		ret = -ENOMEM;
	strbuf_free(&b);
	return ret;
}

static bool is_100rel(const char *tag, size_t len)
{
	return len == 6 && strncasecmp(tag, "100rel", len) == 0;
}

/* Those whose working ends with us, on each leg, or may. */
static bool speaks(const struct peer_config *peer, const char *tag, size_t len)
{
	if (is_100rel(tag, len))
		return peer->session.reliable != RELIABLE_OFF;
	if (len == 8 && strncasecmp(tag, "replaces", len) == 0)
		return peer->replaces != REPLACES_REFUSE;
	return len == 5 && strncasecmp(tag, "timer", len) == 0 &&
	       peer->session.timer != SESSION_TIMER_OFF;
}

int carry_check_require(
	const osip_message_t *msg, const struct peer_config *peer, char **unsupported)
{
	struct strbuf b = {0};
	int ret;

	*unsupported = NULL;
	for (int i = 0; i < osip_list_size(&msg->headers); i++) {
		const osip_header_t *h = osip_list_get(&msg->headers, i);
		const char *text, *t;
		size_t n;

		if (!is_header(h, "require", NULL))
			continue;
		text = h->hvalue;
		while ((n = next_token(&text, &t)) > 0) {
			if (!speaks(peer, t, n) &&
				(is_100rel(t, n) || !IS_LISTED(carried_options, t, n)))
				strbuf_addf(&b, "%s%.*s", b.len ? ", " : "", (int)n, t);
		}
	}
	ret = strbuf_error(&b);
	if (ret || !b.len) {
		strbuf_free(&b);
		return ret;
	}
	*unsupported = b.s;
	return -EOPNOTSUPP;
}

int require_refuse(
	struct sip_server *txn, const osip_message_t *req, const struct peer_config *peer)
{
	char *unsupported;
	int ret = carry_check_require(req, peer, &unsupported);
	int code = ret == -EOPNOTSUPP ? SIP_BAD_EXTENSION : SIP_INTERNAL_SERVER_ERROR;

	if (!ret)
		return 0;
	sip_server_reply(txn, code, NULL, unsupported ? "Unsupported" : NULL, unsupported);
	free(unsupported);
	return code;
}

/* The lists that libosip2 keeps apart from other header fields, and how to copy their elements. */
typedef int clone_fn(void *, void **);

static int clone_list(const osip_list_t *from, osip_list_t *to, clone_fn *clone)
{
	for (int i = 0; i < osip_list_size(from); i++) {
		void *copy = NULL;

		if (clone(osip_list_get(from, i), &copy) || osip_list_add(to, copy, -1) < 0)
			return -ENOMEM;
	}
	return 0;
}

int carry_headers(const struct crossing *way, const osip_message_t *from, osip_message_t *to)
{
	int ret;

	ret = clone_list(&from->accepts, &to->accepts, (clone_fn *)(void *)osip_accept_clone);
	if (!ret)
		ret = clone_list(&from->accept_languages, &to->accept_languages,
			(clone_fn *)(void *)osip_accept_language_clone);
	if (!ret)
		ret = clone_list(&from->alert_infos, &to->alert_infos,
			(clone_fn *)(void *)osip_alert_info_clone);
	if (!ret)
		ret = clone_list(&from->call_infos, &to->call_infos,
			(clone_fn *)(void *)osip_call_info_clone);
	if (!ret)
		ret = clone_list(&from->error_infos, &to->error_infos,
			(clone_fn *)(void *)osip_error_info_clone);
	for (int i = 0; i < osip_list_size(&from->headers) && !ret; i++) {
		const osip_header_t *h = osip_list_get(&from->headers, i);

		if (!h->hname || IS_LISTED(not_carried, h->hname, strlen(h->hname)))
			continue;
		if (osip_message_set_header(to, h->hname, h->hvalue))
			ret = -ENOMEM;
	}
	if (!ret)
		ret = identity_carry(way, from, to);
	if (!ret)
		ret = carry_options(from, to, "Supported", "k");
	if (!ret)
		ret = carry_options(from, to, "Require", NULL);
	return ret;
}

bool option_has(const osip_message_t *msg, const char *name, const char *tag)
{
	const char *compact = strcasecmp(name, "Supported") == 0 ? "k" : NULL;
	const char *text, *t;
	size_t n;

	if (strcasecmp(name, "Allow") == 0) {
		for (int i = 0; i < osip_list_size(&msg->allows); i++) {
			const osip_allow_t *allow = osip_list_get(&msg->allows, i);

			/* One header field may name several. */
			for (text = allow->value; text && (n = next_token(&text, &t)) > 0;) {
				if (strlen(tag) == n && strncasecmp(t, tag, n) == 0)
					return true;
			}
		}
		return false;
	}
	for (int i = 0; i < osip_list_size(&msg->headers); i++) {
		const osip_header_t *h = osip_list_get(&msg->headers, i);

		if (!is_header(h, name, compact))
			continue;
		for (text = h->hvalue; (n = next_token(&text, &t)) > 0;) {
			if (strlen(tag) == n && strncasecmp(t, tag, n) == 0)
				return true;
		}
	}
	return false;
}

int option_add(osip_message_t *msg, const char *name, const char *tag)
{
	char *text;
	size_t room;

	if (option_has(msg, name, tag))
		return 0;
	for (int i = 0; i < osip_list_size(&msg->headers); i++) {
		osip_header_t *h = osip_list_get(&msg->headers, i);

		if (!is_header(h, name, NULL))
			continue;
		room = strlen(h->hvalue) + strlen(tag) + sizeof(", ");
		text = osip_malloc(room);
		if (!text)
			return -ENOMEM;
		snprintf(text, room, "%s, %s", h->hvalue, tag);
		osip_free(h->hvalue);
		h->hvalue = text;
		return 0;
	}
	return osip_message_set_header(msg, name, tag) ? -ENOMEM : 0;
}

void option_remove(osip_message_t *msg, const char *name, const char *tag)
{
	for (int i = osip_list_size(&msg->headers) - 1; i >= 0; i--) {
		osip_header_t *h = osip_list_get(&msg->headers, i);
		char *out = h->hvalue;
		const char *text = h->hvalue, *t;
		size_t n;

		if (!is_header(h, name, NULL))
			continue;
		while ((n = next_token(&text, &t)) > 0) {
			if (strlen(tag) == n && strncasecmp(t, tag, n) == 0)
				continue;
			if (out != h->hvalue) {
				/* In place: never further than where the token stands. */
				*out++ = ',';
				if (out < t)
					*out++ = ' ';
			}
			memmove(out, t, n);
			out += n;
		}
		*out = '\0';
		if (out == h->hvalue) {
			osip_list_remove(&msg->headers, i);
			osip_header_free(h);
		}
	}
}

static bool is_type(const osip_content_type_t *ct, const char *type, const char *subtype)
{
	return ct && ct->type && strcasecmp(ct->type, type) == 0 &&
	       (!subtype || (ct->subtype && strcasecmp(ct->subtype, subtype) == 0));
}

osip_body_t *carry_find_sdp(const osip_message_t *msg)
{
	if (is_type(msg->content_type, "application", "sdp"))
		return osip_list_get(&msg->bodies, 0);
	if (!is_type(msg->content_type, "multipart", NULL))
		return NULL;
	for (int i = 0; i < osip_list_size(&msg->bodies); i++) {
		osip_body_t *body = osip_list_get(&msg->bodies, i);

		if (is_type(body->content_type, "application", "sdp"))
			return body;
	}
	return NULL;
}

static int set_body_text(osip_body_t *body, const char *text, size_t len)
{
	char *copy = osip_malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	osip_free(body->body);
	body->body = copy;
	body->length = len;
	return 0;
}

int carry_bodies(const osip_message_t *from, osip_message_t *to, const char *sdp, size_t sdp_len)
{
	const osip_body_t *sdp_part = carry_find_sdp(from);
	int copied = 0;

	for (int i = 0; i < osip_list_size(&from->bodies); i++) {
		osip_body_t *body = osip_list_get(&from->bodies, i), *copy = NULL;

		if (body == sdp_part && !sdp)
			continue;
		if (osip_body_clone(body, &copy))
			return -ENOMEM;
		if (body == sdp_part && set_body_text(copy, sdp, sdp_len)) {
			osip_body_free(copy);
			return -ENOMEM;
		}
		if (osip_list_add(&to->bodies, copy, -1) < 0) {
			osip_body_free(copy);
			return -ENOMEM;
		}
		copied++;
	}
	if (!copied)
		return 0;
	if (from->content_type && osip_content_type_clone(from->content_type, &to->content_type))
		return -ENOMEM;
	if (from->mime_version && osip_content_length_clone(from->mime_version, &to->mime_version))
		return -ENOMEM;
	return clone_list(&from->content_encodings, &to->content_encodings,
		(clone_fn *)(void *)osip_content_encoding_clone);
}
