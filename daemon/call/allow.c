/* SPDX-License-Identifier: BSD-2-Clause */
/* What we tell a peer that we can do. */
#include <errno.h>

#include "call/carry.h"

#define METHODS "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO"

const char *call_allow(const struct peer_config *peer)
{
	return peer->refer == REFER_REFUSE ? METHODS : METHODS ", REFER, NOTIFY";
}

int call_announce(osip_message_t *msg, const struct peer_config *peer)
{
	if (osip_message_set_header(msg, "Allow", call_allow(peer)))
		return -ENOMEM;
	/* RFC 3891 4 */
	return peer->replaces == REPLACES_REFUSE ? 0 : option_add(msg, "Supported", "replaces");
}
