/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the peer room. */
#ifndef VIADUCT_PEER_INTERNAL_H
#define VIADUCT_PEER_INTERNAL_H

#include "base/table.h"
#include "peer/peer.h"

struct peer {
	struct peers *peers;
	const char *name; /* of config, which the room holds */
	const struct peer_config *config;
	enum peer_state state;
	UT_hash_handle hh;
};

struct peers {
	struct loop *loop;
	struct sip *sip;
	struct config *cfg;
	peers_event_fn *event;
	void *event_ctx;
	struct peer *by_name;
};

#endif
