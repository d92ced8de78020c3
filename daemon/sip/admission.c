/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may speak with us: the peers of the configuration, and, after a reload that dropped them,
 * those whose calls are still up. */
#include "sip/internal.h"

/* The number of l, or of its sibling, in cfg's listeners; cfg->listener_count when it has none. */
static unsigned find_listener(const struct config *cfg, const struct listener *l, bool sibling)
{
	unsigned i;

	for (i = 0; i < cfg->listener_count; i++) {
		const struct listener_config *lc = &cfg->listener[i];

		if (addr_equal(&lc->address.local, &l->asked.local) &&
			(lc->transport == l->transport) != sibling)
			break;
	}
	return i;
}

static const struct peer_config *find_peer(const struct config *cfg, const struct addr *remote,
	unsigned index, const struct listener *l)
{
	const struct peer_config *peer = NULL;

	if (index < cfg->listener_count)
		peer = config_find_peer(cfg, remote, index);
	if (peer)
		return peer;
	/* RFC 3261 18.1.1: who has a long request may come by TCP to the address and port that it
	 * has for UDP, and back. */
	index = find_listener(cfg, l, true);
	return index < cfg->listener_count ? config_find_peer(cfg, remote, index) : NULL;
}

/* Retired configurations that no call holds any more. */
static void drop_unused(struct sip *sip)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RETIRED_MAX; i++) {
		struct config *cfg = sip->retired[i];

		sip->retired[i] = NULL;
		if (cfg && cfg->refs > 1)
			sip->retired[n++] = cfg;
		else
			config_unref(cfg);
	}
}

const struct peer_config *admit(struct sip *sip, const struct addr *remote, unsigned slot)
{
	const struct listener *l = listener_at(sip, slot);
	const struct peer_config *peer = l ? find_peer(sip->cfg, remote, l->index, l) : NULL;

	if (peer || !l || !sip->retired[0])
		return peer;
	drop_unused(sip);
	for (unsigned i = 0; i < RETIRED_MAX && sip->retired[i] && !peer; i++)
		peer = find_peer(
			sip->retired[i], remote, find_listener(sip->retired[i], l, false), l);
	return peer;
}

void admission_retire(struct sip *sip, struct config *cfg)
{
	drop_unused(sip);
	if (cfg->refs == 1) {
		config_unref(cfg);
		return;
	}
	config_unref(sip->retired[RETIRED_MAX - 1]);
	for (unsigned i = RETIRED_MAX - 1; i > 0; i--)
		sip->retired[i] = sip->retired[i - 1];
	sip->retired[0] = cfg;
}

void admission_free(struct sip *sip)
{
	for (unsigned i = 0; i < RETIRED_MAX; i++)
		config_unref(sip->retired[i]);
}
