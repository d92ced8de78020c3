/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

const char *transport_name(enum transport t)
{
	static const char *const names[] = {
		[TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp", [TRANSPORT_TLS] = "tls"};

	return names[t];
}

const char *side_name(unsigned side)
{
	return side == SIDE_EXTERNAL ? "external" : "internal";
}

const struct side_address *side_address_of(const struct side_config *side, uint8_t family)
{
	for (unsigned i = 0; i < side->address_count; i++) {
		if (side->address[i].local.family == family)
			return &side->address[i];
	}
	return NULL;
}
