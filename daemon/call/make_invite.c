/* SPDX-License-Identifier: BSD-2-Clause */
/* The INVITE to leg B, made from leg A's. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/token.h"
#include "call/attempt.h"
#include "call/carry.h"
#include "call/delayed_offer.h"
#include "call/early.h"
#include "call/exchange.h"
#include "call/number.h"
#include "call/refer.h"
#include "call/session_timer.h"

#define CALL_ID_LEN 24

int number_of(const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1])
{
	const char *text = "";
	size_t n;

	number[0] = '\0';
	if (uri && uri->scheme && strcasecmp(uri->scheme, "tel") == 0 && uri->string)
		text = uri->string;
	else if (uri && uri->username)
		text = uri->username;
	n = strcspn(text, ";");
	if (n > CALL_NUMBER_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (iscntrl((unsigned char)text[i]))
			return -EINVAL;
	}
	memcpy(number, text, n);
	number[n] = '\0';
	return 0;
}

void number_of_text(struct text uri, char number[CALL_NUMBER_MAX + 1])
{
	const char *end = uri.s + uri.len, *s = memchr(uri.s, ':', uri.len);
	bool is_tel = uri.len > 4 && strncasecmp(uri.s, "tel:", 4) == 0;
	size_t n = 0;

	if (s && !is_tel && !memchr(s, '@', (size_t)(end - s)))
		s = NULL; /* a host alone */
	while (s && ++s < end && n < CALL_NUMBER_MAX && !strchr("@;:", *s))
		number[n++] = *s;
	number[n] = '\0';
}

int uri_set_host(osip_uri_t *uri, const char *host)
{
	size_t n = strlen(host);
	char *copy;

	if (n > 2 && host[0] == '[') {
		host++;
		n -= 2;
	}
	copy = osip_malloc(n + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, host, n);
	copy[n] = '\0';
	osip_free(uri->host);
	uri->host = copy;
	return 0;
}

static osip_uri_t *uri_make(const char *user, const char *host, uint16_t port)
{
	osip_uri_t *uri = NULL;
	char text[8];

	if (osip_uri_init(&uri))
		return NULL;
	osip_uri_set_scheme(uri, osip_strdup("sip"));
	if (user && user[0])
		osip_uri_set_username(uri, osip_strdup(user));
	if (uri_set_host(uri, host)) {
		osip_uri_free(uri);
		return NULL;
	}
	if (port && port != 5060) {
		snprintf(text, sizeof(text), "%u", port);
		osip_uri_set_port(uri, osip_strdup(text));
	}
	return uri;
}

static int set_from(
	struct call *call, const osip_message_t *req, osip_message_t *out, const char *host)
{
	const struct caller_config *caller = &call->route.candidate[call->attempt].route->caller;
	osip_from_t *from = NULL;
	char name[128];

	if (osip_from_init(&from))
		return -ENOMEM;
	out->from = from;
	if (caller->name && caller->name[0]) {
		snprintf(name, sizeof(name), "\"%s\"", caller->name);
		from->displayname = osip_strdup(name);
	} else if (req->from->displayname && !caller->name) {
		from->displayname = osip_strdup(req->from->displayname);
	}
	from->url = uri_make(call->sent.calling, call->sent.anonymous ? ANONYMOUS_HOST : host, 0);
	if (!from->url || osip_from_set_tag(from, osip_strdup(call->tag_b.text)))
		return -ENOMEM;
	return 0;
}

static int set_max_forwards(const osip_message_t *req, osip_message_t *out, unsigned initial)
{
	const char *value = header_value(req, "Max-Forwards");
	unsigned long left = value ? strtoul(value, NULL, 10) : initial;
	char text[16];

	if (left > 255)
		left = 255;
	snprintf(text, sizeof(text), "%lu", left ? left - 1 : 0);
	return osip_message_set_header(out, "Max-Forwards", text) ? -ENOMEM : 0;
}

/* The INVITE to leg B: a dialog of its own, the caller's end-to-end header fields and bodies. */
int make_invite(struct call *call, const struct peer_config *peer, osip_message_t *req,
	osip_message_t **out)
{
	osip_message_t *msg = NULL;
	char buf[ADDR_TEXT_MAX], text[128], call_id[CALL_ID_LEN + 1];
	unsigned listener = call->initial->client_dest.listener;
	const struct caller_config *caller = &call->route.candidate[call->attempt].route->caller;
	const struct crossing way = {.from = call->peer[LEG_A],
		.to = peer,
		.host = identity_host(call->calls, peer, listener),
		.caller = caller,
		.withhold = caller->suppress && !call->route.is_emergency};
	const struct refer_to *back = refer_back_of(call);
	osip_uri_param_t *user = NULL;
	const char *host;
	osip_uri_t *uri;
	uint16_t port;
	int ret = -ENOMEM;

	if (osip_message_init(&msg))
		return -ENOMEM;
	osip_message_set_method(msg, osip_strdup("INVITE"));
	osip_message_set_version(msg, osip_strdup("SIP/2.0"));
	host = peer_uri_host(peer, buf, &port);
	uri = uri_make(call->sent.called, host, port);
	if (!uri)
		goto fail;
	osip_message_set_uri(msg, uri);
	osip_uri_param_get_byname(&req->req_uri->url_params, (char *)"user", &user);
	if (user && user->gvalue && strcasecmp(user->gvalue, "phone") == 0)
		osip_uri_set_user_phone(uri);
	if (osip_to_init(&msg->to) || !(msg->to->url = uri_make(call->sent.called, host, 0)))
		goto fail;
	ret = set_from(call, req, msg, way.host);
	if (ret)
		goto fail;
	ret = -ENOMEM;
	token_make(call_id, CALL_ID_LEN);
	snprintf(text, sizeof(text), "%s@%s", call_id,
		sip_listener_host(call->calls->sip, listener));
	if (osip_message_set_call_id(msg, text) || osip_message_set_cseq(msg, "1 INVITE"))
		goto fail;
	ret = sip_set_contact(msg, call->calls->sip, listener);
	if (!ret)
		ret = set_max_forwards(req, msg, call->cfg->max_forwards);
	if (!ret)
		ret = carry_headers(&way, req, msg);
	/* RFC 3323: whom Privacy: user has withheld here is not shown by what comes of the call. */
	if (!ret && strcasecmp(msg->from->url->host, ANONYMOUS_HOST) == 0)
		call->sent.anonymous = true;
	if (!ret && back)
		ret = refer_back_write(back, msg);
	if (!ret)
		ret = call_announce(msg, peer);
	if (!ret)
		ret = delayed_offer_convert(call->initial, peer, msg);
	if (!ret)
		ret = peer_add_service_route(peer_of(call->calls->peers, peer), msg);
	if (!ret)
		ret = reliable_ask(call, req, msg);
	if (!ret)
		ret = session_timer_ask(call, LEG_B, msg);
	if (!ret && !call->initial->converted)
		ret = exchange_carry_body(call->initial, req, LEG_A, true, msg);
	if (ret)
		goto fail;
	*out = msg;
	return 0;
fail:
	osip_message_free(msg);
	return ret;
}
