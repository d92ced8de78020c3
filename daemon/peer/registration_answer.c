/* SPDX-License-Identifier: BSD-2-Clause */
/* What the answers to a REGISTER say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "peer/registration.h"
#include "sip/uri.h"
#include "sip/via.h"

#define SECONDS_MAX  (7 * 86400) /* that a registrar may impose on us */
#define RECEIVED_MAX 128         /* bytes of a URI in received= */

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

static bool has_our_user(const osip_contact_t *contact, const osip_uri_t *ours)
{
	return contact->url && contact->url->username && ours->username &&
	       strcmp(contact->url->username, ours->username) == 0;
}

/* Our contact among those that a 2xx lists. A registrar that shows us by the address that it sees
 * has one contact: it is ours. NULL where it is not there. */
static osip_contact_t *our_contact(const osip_message_t *resp, const osip_uri_t *ours)
{
	osip_contact_t *contact;

	for (int i = 0; (contact = osip_list_get(&resp->contacts, i)); i++) {
		if (contact->url && uri_is_same(contact->url, ours))
			return contact;
	}
	contact = osip_list_get(&resp->contacts, 0);
	return contact && osip_list_size(&resp->contacts) == 1 && has_our_user(contact, ours)
		       ? contact
		       : NULL;
}

/* What the last REGISTER registered. NULL: no memory. */
static osip_uri_t *parse_ours(const struct registration *reg)
{
	osip_uri_t *ours = NULL;

	if (osip_uri_init(&ours) == 0 && reg->contact && osip_uri_parse(ours, reg->contact) == 0)
		return ours;
	osip_uri_free(ours);
	return NULL;
}

unsigned registration_granted(const struct registration *reg, const osip_message_t *resp)
{
	unsigned granted = registration_seconds(resp, "Expires", reg->expires_s);
	osip_generic_param_t *param = NULL;
	osip_contact_t *contact;
	osip_uri_t *ours;

	/* Some tell no contacts at all, and mean the one that was asked for. */
	if (osip_list_size(&resp->contacts) == 0)
		return granted;
	ours = parse_ours(reg);
	if (!ours)
		return granted;
	contact = our_contact(resp, ours);
	osip_uri_free(ours);
	if (!contact)
		return 0;
	osip_contact_param_get_byname(contact, (char *)"expires", &param);
	return param && param->gvalue ? to_seconds(param->gvalue, granted) : granted;
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

/* RFC 3608 5: those of the last answer, none where it has none. */
static void learn_routes(struct registration *reg, const osip_message_t *resp)
{
	struct strbuf routes = {0};
	unsigned count = 0;

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
}

/* Numbers alone: what is a name to others may be anybody to us. */
static bool to_address(struct addr *a, const char *host, const char *port)
{
	uint64_t n = 0;

	if (!host || addr_parse_ip(a, host, strlen(host)))
		return false;
	if (port && *port && !text_to_number((struct text){port, strlen(port)}, UINT16_MAX, &n))
		return false;
	a->port = (uint16_t)n;
	return true;
}

/* RFC 3581 4, RFC 3261 18.2.1 */
static bool address_of_via(struct addr *a, const osip_message_t *resp)
{
	osip_generic_param_t *received = NULL, *rport = NULL;
	osip_via_t *via = osip_list_get(&resp->vias, 0);

	if (!via)
		return false;
	osip_via_param_get_byname(via, (char *)"received", &received);
	osip_via_param_get_byname(via, (char *)"rport", &rport);
	return received && to_address(a, received->gvalue, rport ? rport->gvalue : NULL);
}

static bool address_of_uri(struct addr *a, const char *text)
{
	osip_uri_t *uri = NULL;
	bool good;

	good = osip_uri_init(&uri) == 0 && osip_uri_parse(uri, text) == 0 &&
	       to_address(a, uri->host, uri->port);
	osip_uri_free(uri);
	return good;
}

/* A registrar that keeps what it saw beside the contact shows it as received="sip:…"; others have
 * written it into the contact. */
static bool address_of_contact(
	struct addr *a, const struct registration *reg, const osip_message_t *resp)
{
	osip_uri_t *ours = parse_ours(reg);
	osip_contact_t *contact = ours ? our_contact(resp, ours) : NULL;
	osip_generic_param_t *received = NULL;
	char text[RECEIVED_MAX];
	bool good = false;

	if (contact)
		osip_contact_param_get_byname(contact, (char *)"received", &received);
	if (received && received->gvalue) {
		snprintf(text, sizeof(text), "%s", received->gvalue + (received->gvalue[0] == '"'));
		text[strcspn(text, "\"")] = '\0';
		good = address_of_uri(a, text);
	} else if (contact && !uri_is_same(contact->url, ours)) {
		good = to_address(a, contact->url->host, contact->url->port);
	}
	osip_uri_free(ours);
	return good;
}

void registration_learn(struct registration *reg, const osip_message_t *resp)
{
	struct addr a = {0};

	learn_routes(reg, resp);
	if (address_of_via(&a, resp) || address_of_contact(&a, reg, resp))
		reg->public_address = a;
}

bool registration_is_seen_elsewhere(const struct registration *reg)
{
	osip_uri_t *ours = parse_ours(reg);
	struct addr written, seen = reg->public_address;
	bool differs = false;

	if (ours && seen.family && to_address(&written, ours->host, ours->port)) {
		if (!written.port)
			written.port = SIP_PORT;
		/* Of a connection the port is one that nobody calls. */
		if (!seen.port || reg->config->transport != TRANSPORT_UDP)
			seen.port = written.port;
		differs = !addr_equal(&seen, &written);
	}
	osip_uri_free(ours);
	return differs;
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
