/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of peers that outlive every configuration: what a connection or a flow says of its peer,
 * and what it holds is counted by. There are as many as the configurations since the start have
 * named. */
#include "sip/internal.h"

#include <stdlib.h>

struct peer_name *peer_name_get(struct sip *sip, const char *peer)
{
	size_t len = strlen(peer);
	struct peer_name *n;

	HASH_FIND(hh, sip->peer_names, peer, len, n);
	if (n)
		return n;
	n = calloc(1, sizeof(*n) + len + 1);
	if (!n)
		return NULL;
	memcpy(n->text, peer, len + 1);
	table_add_failed = false;
	HASH_ADD_KEYPTR(hh, sip->peer_names, n->text, len, n);
	if (!table_add_failed)
		return n;
	free(n);
	return NULL;
}

const char *sip_intern(struct sip *sip, const char *peer)
{
	struct peer_name *n = peer_name_get(sip, peer);

	return n ? n->text : NULL;
}

void peer_name_free_all(struct sip *sip)
{
	struct peer_name *n, *next;

	HASH_ITER (hh, sip->peer_names, n, next) {
		HASH_DELETE(hh, sip->peer_names, n);
		free(n);
	}
}
