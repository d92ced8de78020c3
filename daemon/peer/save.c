/* SPDX-License-Identifier: BSD-2-Clause */
/* What an operator has told a peer outlives the daemon that was told. */
#include <errno.h>

#include "base/log.h"
#include "peer/internal.h"
#include "state.pb-c.h"
#include "store/message.h"
#include "store/store.h"

void peer_save_command(const struct peer *peer, enum peer_command command)
{
	VdState__PeerCommand m = VD_STATE__PEER_COMMAND__INIT;
	const struct store_key key = STORE_NAME(peer->config->name);
	struct store *store = peer->peers->store;
	void *value;
	size_t len;

	if (!store)
		return;
	if (command == PEER_RESUME) {
		store_del(store, STORE_PEER, key);
		return;
	}
	m.command = command;
	m.since_ms = loop_now_ms(peer->peers->loop);
	value = message_pack(&m.base, &len);
	if (value)
		store_put(store, STORE_PEER, key, value, len);
	else
		log_error("peer %s: no memory to write its command down", peer->config->name);
}

/* A peer that is configured no more: its command goes, too. */
static int adopt_command(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	struct peers *peers = ctx;
	struct peer *peer = key.name ? peer_by_name(peers, key.name) : NULL;
	VdState__PeerCommand *m = vd_state__peer_command__unpack(NULL, len, value);
	int ret = -EBADMSG;

	if (m && !peer) {
		ret = -ENOENT;
	} else if (m && (m->command == PEER_DRAIN || m->command == PEER_BLOCK)) {
		peer_apply_command(peer, (enum peer_command)m->command);
		if (m->since_ms < peer->since_ms)
			peer->since_ms = m->since_ms;
		log_info("peer %s: %s, as before the restart", peer->config->name,
			m->command == PEER_DRAIN ? "drained" : "blocked");
		ret = 0;
	}
	if (m)
		vd_state__peer_command__free_unpacked(m, NULL);
	return ret;
}

int peers_adopt(struct peers *peers, struct store *store)
{
	int ret = store_load(store, STORE_PEER, adopt_command, peers);

	if (!ret)
		peers->store = store;
	return ret;
}
