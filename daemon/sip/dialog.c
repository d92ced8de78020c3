/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/dialog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "sip/internal.h"

#define MAX_FORWARDS_TEXT "70" /* RFC 3261 8.1.1.6 */

const char *sip_tag(osip_from_t *from)
{
	osip_generic_param_t *tag = NULL;

	if (from)
		osip_from_get_tag(from, &tag);
	return tag && tag->gvalue ? tag->gvalue : "";
}

uint32_t sip_cseq_number(const osip_message_t *msg)
{
	return msg->cseq && msg->cseq->number ? (uint32_t)strtoul(msg->cseq->number, NULL, 10) : 0;
}

int sip_set_contact(osip_message_t *msg, const struct sip *sip, unsigned listener)
{
	char text[DIALOG_URI_MAX];

	snprintf(text, sizeof(text), "<sip:%s>", sip_listener_contact(sip, listener));
	return osip_message_set_contact(msg, text) ? -ENOMEM : 0;
}

/* The name-addr of a From or To without its parameters. */
static char *name_addr(const osip_from_t *from)
{
	char *uri = NULL, *text = NULL;

	if (!from || !from->url || osip_uri_to_str(from->url, &uri))
		return NULL;
	if (asprintf(&text, "%s%s<%s>", from->displayname ? from->displayname : "",
		    from->displayname ? " " : "", uri) < 0)
		text = NULL;
	osip_free(uri);
	if (text && strlen(text) > DIALOG_URI_MAX) {
		free(text);
		text = NULL;
	}
	return text;
}

/* A copy of the peer's tag, NULL when it is longer than we keep. */
static char *copy_tag(osip_from_t *from)
{
	const char *tag = sip_tag(from);

	return strlen(tag) <= DIALOG_REMOTE_TAG_MAX ? strdup(tag) : NULL;
}

/* What can be a Request-URI: a SIP or SIPS URI (RFC 3261 8.1.1.8). A tel URI has no place, and goes
 * where the dialog began. */
static bool is_target(const osip_uri_t *uri)
{
	return uri && uri->scheme &&
	       (strcasecmp(uri->scheme, "sip") == 0 || strcasecmp(uri->scheme, "sips") == 0 ||
		       strcasecmp(uri->scheme, "tel") == 0);
}

/* Its text; NULL where it cannot be one, or is longer than we keep. */
static char *target_text(const osip_uri_t *uri)
{
	char *text = NULL, *copy = NULL;

	if (!is_target(uri) || osip_uri_to_str(uri, &text))
		return NULL;
	/* The parser takes spaces into parameters. */
	if (strlen(text) <= DIALOG_URI_MAX && !strpbrk(text, " \t\r\n<>\""))
		copy = strdup(text);
	osip_free(text);
	return copy;
}

static char *contact_uri(osip_message_t *msg)
{
	const osip_contact_t *contact = osip_list_get(&msg->contacts, 0);

	return contact ? target_text(contact->url) : NULL;
}

/* Where requests go: the first route, or the remote target, if that is an address which the peer
 * may speak from; where the dialog began otherwise. A Contact cannot send our requests to somebody
 * who is not configured. RFC 3261 12.2.1.1 would resolve a host name in it: what begins with a peer
 * stays with that peer, at the address that it has. */
static void compute_dest(struct dialog *d)
{
	char text[DIALOG_URI_MAX + 1];
	const char *uri = d->routes ? d->routes : d->remote_target;
	size_t n = strcspn(uri, "\n");
	osip_uri_t *parsed = NULL;
	struct addr a;

	d->dest = d->began;
	d->dest.peer = d->peer->name;
	if (n > DIALOG_URI_MAX || osip_uri_init(&parsed))
		return;
	memcpy(text, uri, n);
	text[n] = '\0';
	if (osip_uri_parse(parsed, text) == 0 && parsed->host &&
		addr_parse_ip(&a, parsed->host, strlen(parsed->host)) == 0) {
		unsigned long port = parsed->port ? strtoul(parsed->port, NULL, 10)
				     : d->peer->transport == TRANSPORT_TLS ? 5061
									   : 5060;
		osip_uri_param_t *transport = NULL;

		osip_uri_param_get_byname(&parsed->url_params, (char *)"transport", &transport);

		if (port > 0 && port <= 65535 && a.family == d->began.remote.family &&
			sip_is_source_of(d->sip, d->peer, d->listener, &a)) {
			a.port = (uint16_t)port;
			d->dest.remote = a;
			d->dest.over_tcp = transport && transport->gvalue &&
					   strcasecmp(transport->gvalue, "tcp") == 0;
		}
	}
	osip_uri_free(parsed);
}

void dialog_move(struct dialog *d, unsigned listener)
{
	d->listener = d->began.listener = d->dest.listener = listener;
}

/* Where a dialog that the peer began begins: its address, or, of those that its name stands for,
 * the one that it spoke from. */
static void begin_uas(struct dialog *d, const struct sip_server *txn)
{
	d->sip = txn->sip;
	d->began.listener = d->listener;
	d->began.remote = d->peer->host ? *sip_server_source(txn) : d->peer->address;
}

/* The route set from Record-Route: in order for a UAS, reversed for a UAC. 0, -EINVAL, -ENOMEM. */
static int take_routes(struct dialog *d, const osip_message_t *msg, bool reversed)
{
	int count = osip_list_size(&msg->record_routes);
	struct strbuf b = {0};
	int ret = 0;

	if (count > DIALOG_ROUTES_MAX)
		return -EINVAL;
	for (int i = 0; i < count && !ret; i++) {
		const osip_record_route_t *rr =
			osip_list_get(&msg->record_routes, reversed ? count - 1 - i : i);
		char *uri = rr ? target_text(rr->url) : NULL;

		if (!uri)
			ret = -EINVAL;
		else
			strbuf_addf(&b, "%s\n", uri);
		free(uri);
	}
	if (!ret)
		ret = strbuf_error(&b);
	if (ret) {
		strbuf_free(&b);
		return ret;
	}
	free(d->routes);
	d->routes = b.s;
	return 0;
}

static int replace_target(struct dialog *d, osip_message_t *msg)
{
	char *uri = contact_uri(msg);

	if (!uri)
		return -EINVAL;
	free(d->remote_target);
	d->remote_target = uri;
	return 0;
}

/* What was not made of a message for want of memory, and not of sense: malloc(3) says so in errno,
 * which was 0 before. */
static int memory_or(int error)
{
	return errno == ENOMEM ? -ENOMEM : error;
}

int dialog_init_uas(struct dialog *d, struct sip_server *txn, const char *local_tag)
{
	osip_message_t *req = sip_server_request(txn);
	char *call_id = NULL;
	int ret;

	memset(d, 0, sizeof(*d));
	snprintf(d->local_tag, sizeof(d->local_tag), "%s", local_tag);
	d->listener = sip_server_listener(txn);
	d->peer = sip_server_peer(txn);
	begin_uas(d, txn);
	errno = 0;
	d->remote_tag = copy_tag(req->from);
	d->local_uri = name_addr(req->to);
	d->remote_uri = name_addr(req->from);
	if (osip_call_id_to_str(req->call_id, &call_id) == 0) {
		d->call_id = strdup(call_id);
		osip_free(call_id);
	}
	ret = replace_target(d, req);
	if (!ret)
		ret = take_routes(d, req, false);
	if (!ret && (!d->remote_tag || !d->local_uri || !d->remote_uri || !d->call_id))
		ret = -EINVAL;
	if (ret) {
		ret = memory_or(ret);
		dialog_clear(d);
		return ret;
	}
	d->remote_cseq = sip_cseq_number(req);
	d->local_cseq = 0;
	compute_dest(d);
	return 0;
}

int dialog_init_uac(struct dialog *d, const struct sip *sip, osip_message_t *request,
	osip_message_t *response, const struct sip_dest *dest, const struct peer_config *peer)
{
	char *call_id = NULL;
	int ret = 0;

	memset(d, 0, sizeof(*d));
	snprintf(d->local_tag, sizeof(d->local_tag), "%s", sip_tag(request->from));
	d->is_uac = true;
	d->sip = sip;
	d->began = *dest;
	d->listener = dest->listener;
	d->peer = peer;
	d->remote_tag = copy_tag(response->to);
	d->local_uri = name_addr(request->from);
	d->remote_uri = name_addr(request->to);
	if (osip_call_id_to_str(request->call_id, &call_id) == 0) {
		d->call_id = strdup(call_id);
		osip_free(call_id);
	}
	d->local_cseq = sip_cseq_number(request);
	if (replace_target(d, response)) {
		/* A provisional response need not have a Contact, and a 2xx without one wants its
		 * ACK all the same: the request's own target serves. */
		char *uri = NULL;

		if (osip_uri_to_str(request->req_uri, &uri)) {
			ret = -EINVAL;
		} else {
			d->remote_target = strdup(uri);
			osip_free(uri);
		}
	}
	if (!ret)
		ret = take_routes(d, response, true);
	if (!ret && (!d->remote_tag || !d->local_uri || !d->remote_uri || !d->call_id ||
			    !d->remote_target))
		ret = -EINVAL;
	if (ret) {
		dialog_clear(d);
		return ret;
	}
	compute_dest(d);
	return 0;
}

static bool copy_text(char **text)
{
	char *copy = *text ? strdup(*text) : NULL;
	bool good = !*text || copy;

	*text = copy;
	return good;
}

int dialog_copy(struct dialog *to, const struct dialog *from)
{
	bool good;

	*to = *from;
	good = copy_text(&to->call_id);
	good &= copy_text(&to->remote_tag);
	good &= copy_text(&to->local_uri);
	good &= copy_text(&to->remote_uri);
	good &= copy_text(&to->remote_target);
	good &= copy_text(&to->routes);
	if (!good)
		dialog_clear(to);
	return good ? 0 : -ENOMEM;
}

void dialog_clear(struct dialog *d)
{
	free(d->call_id);
	free(d->remote_tag);
	free(d->local_uri);
	free(d->remote_uri);
	free(d->remote_target);
	free(d->routes);
	memset(d, 0, sizeof(*d));
}

int dialog_take_response(struct dialog *d, osip_message_t *response)
{
	int ret = 0;

	replace_target(d, response);
	if (MSG_IS_STATUS_2XX(response))
		ret = take_routes(d, response, true);
	compute_dest(d);
	return ret;
}

int dialog_refresh_target(struct dialog *d, osip_message_t *message)
{
	int ret = 0;

	if (osip_list_size(&message->contacts) > 0)
		ret = replace_target(d, message);
	compute_dest(d);
	return ret;
}

bool dialog_take_cseq(struct dialog *d, const osip_message_t *request)
{
	uint32_t cseq = sip_cseq_number(request);

	if (d->remote_cseq && cseq <= d->remote_cseq)
		return false;
	d->remote_cseq = cseq;
	return true;
}

/* Adds the Route header fields after the first skip ones. */
static int add_routes(osip_message_t *msg, const char *routes, unsigned skip)
{
	char text[DIALOG_URI_MAX + 3];
	int ret = 0;

	while (routes && *routes && !ret) {
		size_t n = strcspn(routes, "\n");

		if (skip) {
			skip--;
		} else {
			snprintf(text, sizeof(text), "<%.*s>", (int)n, routes);
			ret = osip_message_set_route(msg, text) ? -ENOMEM : 0;
		}
		routes += n + 1;
	}
	return ret;
}

static bool is_loose(const osip_uri_t *uri)
{
	osip_uri_param_t *lr = NULL;

	osip_uri_param_get_byname((osip_list_t *)(uintptr_t)&uri->url_params, "lr", &lr);
	return lr != NULL;
}

/* Request-URI and Route, for loose and strict routers (RFC 3261 12.2.1.1). */
static int set_target(struct dialog *d, osip_message_t *msg)
{
	char text[DIALOG_URI_MAX + 3];
	osip_uri_t *uri = NULL;
	size_t n;
	int ret;

	if (osip_uri_init(&uri))
		return -ENOMEM;
	if (d->routes) {
		n = strcspn(d->routes, "\n");
		snprintf(text, sizeof(text), "%.*s", (int)n, d->routes);
		if (osip_uri_parse(uri, text)) {
			osip_uri_free(uri);
			return -EINVAL;
		}
		if (!is_loose(uri)) {
			osip_message_set_uri(msg, uri);
			ret = add_routes(msg, d->routes, 1);
			snprintf(text, sizeof(text), "<%s>", d->remote_target);
			return ret ? ret : osip_message_set_route(msg, text) ? -ENOMEM : 0;
		}
		osip_uri_free(uri);
		uri = NULL;
		if (osip_uri_init(&uri))
			return -ENOMEM;
	}
	if (osip_uri_parse(uri, d->remote_target)) {
		osip_uri_free(uri);
		return -EINVAL;
	}
	/* RFC 3261 19.1.1: no "?headers" in a Request-URI; the peer does not write ours. */
	osip_uri_header_freelist(&uri->url_headers);
	osip_message_set_uri(msg, uri);
	return add_routes(msg, d->routes, 0);
}

static int make_request(struct dialog *d, const char *method, uint32_t cseq, osip_message_t **out)
{
	char text[DIALOG_URI_MAX + DIALOG_REMOTE_TAG_MAX + 16];
	osip_message_t *msg = NULL;
	int ret;

	if (osip_message_init(&msg))
		return -ENOMEM;
	osip_message_set_method(msg, osip_strdup(method));
	osip_message_set_version(msg, osip_strdup("SIP/2.0"));
	ret = set_target(d, msg);
	if (ret)
		goto fail;
	ret = -ENOMEM;
	snprintf(text, sizeof(text), "%s;tag=%s", d->local_uri, d->local_tag);
	if (osip_message_set_from(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "%s%s%s", d->remote_uri, d->remote_tag[0] ? ";tag=" : "",
		d->remote_tag);
	if (osip_message_set_to(msg, text) || osip_message_set_call_id(msg, d->call_id))
		goto fail;
	snprintf(text, sizeof(text), "%u %s", cseq, method);
	if (osip_message_set_cseq(msg, text) ||
		osip_message_set_header(msg, "Max-Forwards", MAX_FORWARDS_TEXT))
		goto fail;
	*out = msg;
	return 0;
fail:
	osip_message_free(msg);
	return ret;
}

int dialog_request(
	struct dialog *d, const struct sip *sip, const char *method, osip_message_t **out)
{
	int ret = make_request(d, method, d->local_cseq + 1, out);

	if (ret)
		return ret;
	d->local_cseq++;
	if (strcmp(method, "BYE") != 0 && strcmp(method, "PRACK") != 0 &&
		sip_set_contact(*out, sip, d->listener)) {
		osip_message_free(*out);
		*out = NULL;
		return -ENOMEM;
	}
	return 0;
}

int dialog_ack(struct dialog *d, const struct sip *sip, uint32_t invite_cseq, osip_message_t **out)
{
	int ret = make_request(d, "ACK", invite_cseq, out);

	if (!ret && sip_set_contact(*out, sip, d->listener)) {
		osip_message_free(*out);
		*out = NULL;
		ret = -ENOMEM;
	}
	return ret;
}
