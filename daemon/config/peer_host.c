/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

const char *peer_uri_host(const struct peer_config *peer, char buf[ADDR_TEXT_MAX], uint16_t *port)
{
	if (peer->host) {
		*port = peer->host_port;
		return peer->host;
	}
	*port = peer->address.port;
	return addr_print_ip(&peer->address, buf);
}

unsigned peer_listener_of(const struct config *cfg, const struct peer_config *peer, uint8_t family)
{
	if (cfg->listener[peer->listener].address.local.family == family)
		return peer->listener;
	return peer->listener_other;
}
