/* SPDX-License-Identifier: BSD-2-Clause */
/* What every request of ours gets before it leaves, and the ACK to a 2xx, which has no transaction.
 */
#include "sip/internal.h"

#include <errno.h>
#include <stdio.h>

#include "base/token.h"

/* Via transport in our own text: the two names have one length. */
void request_rewrite_transport(char *text, size_t len, const char *from, const char *to)
{
	char *line = memchr(text, '\n', len);
	char *at = line ? memmem(line, len - (size_t)(line - text), from, strlen(from)) : NULL;

	if (at)
		memcpy(at, to, strlen(to));
}

int request_fill_in(struct sip *sip, osip_message_t *req)
{
	osip_header_t *max_forwards = NULL;
	char text[16] = MAX_FORWARDS_DEFAULT;

	osip_message_header_get_byname(req, "max-forwards", 0, &max_forwards);
	if (sip->cfg->max_forwards)
		snprintf(text, sizeof(text), "%u", sip->cfg->max_forwards);
	if (!max_forwards && osip_message_set_max_forwards(req, text))
		return -ENOMEM;
	if (!req->content_length && osip_list_size(&req->bodies) == 0 &&
		osip_message_set_content_length(req, "0"))
		return -ENOMEM;
	return 0;
}

int request_put_via(
	const struct listener *l, osip_message_t *req, enum transport transport, const char *branch)
{
	static const char *const names[] = {
		[TRANSPORT_UDP] = "UDP", [TRANSPORT_TCP] = "TCP", [TRANSPORT_TLS] = "TLS"};
	osip_via_t *via;
	int ret;

	ret = via_make(&via, names[transport], l->host, l->port, branch);
	if (ret)
		return ret;
	if (osip_list_add(&req->vias, via, 0) < 0) {
		osip_via_free(via);
		return -ENOMEM;
	}
	return 0;
}

void request_make_branch(char branch[BRANCH_MAX])
{
	memcpy(branch, VIA_BRANCH_COOKIE, sizeof(VIA_BRANCH_COOKIE));
	token_make(branch + sizeof(VIA_BRANCH_COOKIE) - 1, BRANCH_TOKEN_LEN);
}

/* Over TCP where a long one finds a connection that stands; it has no transaction that could come
 * back to UDP. */
static void choose_ack_transport(struct sip *sip, struct flow *flow, size_t len)
{
	const struct remote_key key = {.listener = flow->listener, .remote = flow->remote};
	const struct connection *c = tcp_find(sip, &key);

	if (flow->transport == TRANSPORT_UDP && len > UDP_REQUEST_MAX && c && !c->connecting)
		flow->transport = TRANSPORT_TCP;
}

int sip_send_ack(
	struct sip *sip, const struct sip_dest *dest, osip_message_t *ack, char **text, size_t *len)
{
	char branch[BRANCH_MAX];
	struct flow flow;
	char *out = NULL;
	size_t out_len = 0;
	int ret = -ENETDOWN;

	if (text)
		*text = NULL;
	if (!listener_at(sip, dest->listener))
		goto out;
	request_make_branch(branch);
	ret = dest_flow(sip, dest, &flow);
	if (!ret)
		ret = request_fill_in(sip, ack);
	if (!ret)
		ret = request_put_via(sip->listener[dest->listener], ack, flow.transport, branch);
	if (!ret)
		ret = message_print(ack, &out, &out_len);
	if (ret)
		goto out;
	choose_ack_transport(sip, &flow, out_len);
	if (flow.transport == TRANSPORT_TCP)
		request_rewrite_transport(out, out_len, "SIP/2.0/UDP ", "SIP/2.0/TCP ");
	sip->status.requests_out++;
	ret = transport_send(sip, &flow, out, out_len);
	if (text) {
		*text = out;
		*len = out_len;
		out = NULL;
	}
out:
	osip_free(out);
	osip_message_free(ack);
	return ret;
}

int sip_send_again(struct sip *sip, const struct sip_dest *dest, const char *text, size_t len)
{
	const char *via = memmem(text, len, "\r\nVia: SIP/2.0/TCP ", 19);
	struct flow flow;
	int ret;

	if (!listener_at(sip, dest->listener))
		return -ENETDOWN;
	ret = dest_flow(sip, dest, &flow);
	if (ret)
		return ret;
	if (via)
		flow.transport = TRANSPORT_TCP;
	sip->status.retransmissions_out++;
	return transport_send(sip, &flow, text, len);
}
