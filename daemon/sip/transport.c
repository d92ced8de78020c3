/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>

static int give(struct sip *sip, struct flow *flow, const char *text, size_t len, bool in_any_order)
{
	struct listener *l = listener_at(sip, flow->listener);
	struct connection *c;
	int ret;

	if (!l)
		return -ENETDOWN;
	if (listener_waits(l))
		return -EADDRNOTAVAIL;
	if (flow->transport == TRANSPORT_UDP &&
		udp_later_put(sip->later, l, &flow->remote, text, len, in_any_order))
		return 0;
	if (flow->transport == TRANSPORT_UDP)
		return udp_send(l, &flow->remote, text, len);
	ret = tcp_connection(sip, flow, &c);
	return ret ? ret : tcp_write(c, text, len);
}

int transport_send(struct sip *sip, struct flow *flow, const char *text, size_t len)
{
	return give(sip, flow, text, len, false);
}

int transport_send_in_any_order(struct sip *sip, struct flow *flow, const char *text, size_t len)
{
	return give(sip, flow, text, len, true);
}

/* RFC 3261 18.2.2: over a reliable transport on the connection of the request; where that is gone,
 * to the source address at the port of sent-by. */
void transport_response_flow(struct flow *out, const struct flow *in, const struct via_text *via)
{
	*out = *in;
	if (in->transport == TRANSPORT_UDP)
		via_response_destination(via, &in->remote, &out->remote);
	else
		out->remote.port = via->port                        ? via->port
				   : in->transport == TRANSPORT_TLS ? SIPS_PORT
								    : SIP_PORT;
}

enum transport dest_transport(const struct sip *sip, const struct sip_dest *dest)
{
	enum transport transport = sip->listener[dest->listener]->transport;

	return dest->over_tcp && transport == TRANSPORT_UDP ? TRANSPORT_TCP : transport;
}

int dest_flow(struct sip *sip, const struct sip_dest *dest, struct flow *flow)
{
	*flow = (struct flow){.listener = dest->listener,
		.transport = dest_transport(sip, dest),
		.remote = dest->remote};
	flow->whom = dest->peer ? sip_intern(sip, dest->peer) : NULL;
	if (flow->transport != TRANSPORT_TLS)
		return 0;
	if (!dest->peer)
		return -EDESTADDRREQ;
	flow->peer = flow->whom;
	return flow->peer ? 0 : -ENOMEM;
}
