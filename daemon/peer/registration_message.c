/* SPDX-License-Identifier: BSD-2-Clause */
/* REGISTER as we write it, and what its answers say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "peer/registration.h"

#define SECONDS_MAX (7 * 86400) /* that a registrar may impose on us */
#define TEXT_MAX    512

static int set_contact(struct registration *reg, osip_message_t *msg, unsigned expires_s)
{
	const struct register_config *config = reg->config->registration;
	char text[TEXT_MAX], *uri = NULL;

	if (asprintf(&uri, "sip:%s@%s", config->contact,
		    sip_listener_contact(reg->peers->sip, reg->dest.listener)) < 0)
		return -ENOMEM;
	free(reg->contact);
	reg->contact = uri;
	snprintf(text, sizeof(text), "<%s>;expires=%u", uri, expires_s);
	return osip_message_set_contact(msg, text) ? -ENOMEM : 0;
}

int registration_make(struct registration *reg, unsigned expires_s, osip_message_t **out)
{
	const struct register_config *config = reg->config->registration;
	osip_message_t *msg = NULL;
	osip_uri_t *uri = NULL;
	char text[TEXT_MAX];
	int ret = -ENOMEM;

	if (osip_message_init(&msg))
		return -ENOMEM;
	osip_message_set_method(msg, osip_strdup("REGISTER"));
	osip_message_set_version(msg, osip_strdup("SIP/2.0"));
	snprintf(text, sizeof(text), "sip:%s", config->registrar);
	if (osip_uri_init(&uri))
		goto fail;
	osip_message_set_uri(msg, uri);
	if (osip_uri_parse(uri, text)) {
		ret = -EINVAL;
		goto fail;
	}
	snprintf(text, sizeof(text), "<%s>;tag=%s", config->aor, reg->tag);
	if (osip_message_set_from(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "<%s>", config->aor);
	if (osip_message_set_to(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "%s@%s", reg->call_id,
		sip_listener_host(reg->peers->sip, reg->dest.listener));
	if (osip_message_set_call_id(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "%u REGISTER", ++reg->cseq);
	if (osip_message_set_cseq(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "%u", expires_s);
	if (set_contact(reg, msg, expires_s) || osip_message_set_header(msg, "Expires", text))
		goto fail;
	*out = msg;
	return 0;
fail:
	osip_message_free(msg);
	return ret;
}

static unsigned to_seconds(const char *text, unsigned fallback)
{
	unsigned long v;

	text += strspn(text, " \t\"");
	if (*text < '0' || *text > '9')
		return fallback;
	v = strtoul(text, NULL, 10);
	return v > SECONDS_MAX ? SECONDS_MAX : (unsigned)v;
}

unsigned registration_seconds(const osip_message_t *resp, const char *name, unsigned fallback)
{
	for (int i = 0; i < osip_list_size(&resp->headers); i++) {
		const osip_header_t *h = osip_list_get(&resp->headers, i);

		if (h->hname && h->hvalue && strcasecmp(h->hname, name) == 0)
			return to_seconds(h->hvalue, fallback);
	}
	return fallback;
}

/* Whether it is the one that we registered: user, host and port; parameters may have changed. */
static bool is_ours(const osip_uri_t *a, const osip_uri_t *b)
{
	const char *port_a = a->port ? a->port : "5060", *port_b = b->port ? b->port : "5060";

	return a->username && b->username && strcmp(a->username, b->username) == 0 && a->host &&
	       b->host && strcasecmp(a->host, b->host) == 0 && strcmp(port_a, port_b) == 0;
}

unsigned registration_granted(const struct registration *reg, const osip_message_t *resp)
{
	unsigned expires = registration_seconds(resp, "Expires", reg->expires_s);
	int count = osip_list_size(&resp->contacts);
	osip_uri_t *ours = NULL;
	unsigned granted = 0;

	/* Some tell no contacts at all, and mean the one that was asked for. */
	if (count == 0)
		return expires;
	if (osip_uri_init(&ours) || osip_uri_parse(ours, reg->contact)) {
		osip_uri_free(ours);
		return expires;
	}
	for (int i = 0; i < count && !granted; i++) {
		osip_contact_t *contact = osip_list_get(&resp->contacts, i);
		osip_generic_param_t *param = NULL;

		if (!contact->url || !is_ours(contact->url, ours))
			continue;
		osip_contact_param_get_byname(contact, (char *)"expires", &param);
		granted = param && param->gvalue ? to_seconds(param->gvalue, expires) : expires;
	}
	/* A registrar that shows us by the address that it sees has one contact: it is ours. */
	if (!granted && count == 1) {
		osip_contact_t *contact = osip_list_get(&resp->contacts, 0);
		osip_generic_param_t *param = NULL;

		osip_contact_param_get_byname(contact, (char *)"expires", &param);
		if (contact->url && contact->url->username &&
			strcmp(contact->url->username, ours->username) == 0)
			granted = param && param->gvalue ? to_seconds(param->gvalue, expires)
							 : expires;
	}
	osip_uri_free(ours);
	return granted;
}

/* A value may hold several, with commas between their brackets. */
static void add_routes(struct strbuf *out, unsigned *count, const char *value)
{
	while ((value = strchr(value, '<'))) {
		const char *end = strchr(value, '>');
		size_t n = end ? (size_t)(end + 1 - value) : 0;

		if (!end)
			return;
		if (n <= SERVICE_ROUTE_MAX && *count < SERVICE_ROUTES_MAX) {
			strbuf_addn(out, value, n);
			strbuf_add(out, "\n");
			++*count;
		}
		value = end + 1;
	}
}

void registration_learn(struct registration *reg, const osip_message_t *resp)
{
	osip_generic_param_t *received = NULL, *rport = NULL;
	osip_via_t *via = osip_list_get(&resp->vias, 0);
	struct strbuf routes = {0};
	unsigned count = 0;
	struct addr a;

	/* RFC 3608 5: those of the last answer, none where it has none. */
	for (int i = 0; i < osip_list_size(&resp->headers); i++) {
		const osip_header_t *h = osip_list_get(&resp->headers, i);

		if (h->hname && h->hvalue && strcasecmp(h->hname, "Service-Route") == 0)
			add_routes(&routes, &count, h->hvalue);
	}
	if (strbuf_error(&routes) == 0) {
		free(reg->service_route);
		reg->service_route = routes.s;
	} else {
		strbuf_free(&routes);
	}
	if (!via)
		return;
	osip_via_param_get_byname(via, (char *)"received", &received);
	osip_via_param_get_byname(via, (char *)"rport", &rport);
	if (received && received->gvalue &&
		addr_parse_ip(&a, received->gvalue, strlen(received->gvalue)) == 0) {
		a.port = rport && rport->gvalue ? (uint16_t)strtoul(rport->gvalue, NULL, 10) : 0;
		reg->public_address = a;
	}
}

int peer_add_service_route(const struct peer *peer, osip_message_t *req)
{
	const struct registration *reg = peer ? peer->registration : NULL;
	const char *route = reg && reg->until_ms ? reg->service_route : NULL;
	char text[SERVICE_ROUTE_MAX + 1];

	while (route && *route) {
		size_t n = strcspn(route, "\n");

		snprintf(text, sizeof(text), "%.*s", (int)n, route);
		if (osip_message_set_route(req, text))
			return -ENOMEM;
		route += n + 1;
	}
	return 0;
}
