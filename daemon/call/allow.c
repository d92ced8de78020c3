/* SPDX-License-Identifier: BSD-2-Clause */
/* What we tell a peer that we can do, and the answer of ours that says it. */
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

int call_make_2xx(struct call *call, struct sip_server *txn, const char *tag,
	const struct peer_config *peer, osip_message_t **out)
{
	osip_message_t *resp;
	int ret = sip_response_make(txn, SIP_OK, NULL, tag, &resp);

	*out = NULL;
	if (ret)
		return ret;
	ret = sip_set_contact(resp, call->calls->sip, sip_server_listener(txn));
	if (!ret)
		ret = call_announce(resp, peer);
	if (ret)
		osip_message_free(resp);
	else
		*out = resp;
	return ret;
}
