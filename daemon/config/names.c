/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

const char *transport_name(enum transport t)
{
	return t == TRANSPORT_TCP ? "tcp" : "udp";
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
