/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may speak with us: the peers of the configuration, and, after a reload that dropped them,
 * those whose calls are still up. */
#include "sip/internal.h"

/* UDP for TCP, and back. */
static bool are_siblings(enum transport a, enum transport b)
{
	return a != b && a != TRANSPORT_TLS && b != TRANSPORT_TLS;
}

/* The number of l, or of its sibling, in cfg's listeners; cfg->listener_count when it has none. */
static unsigned find_listener(const struct config *cfg, const struct listener *l, bool sibling)
{
	unsigned i;

	for (i = 0; i < cfg->listener_count; i++) {
		const struct listener_config *lc = &cfg->listener[i];

		if (addr_equal(&lc->address.local, &l->asked.local) &&
			(sibling ? are_siblings(lc->transport, l->transport)
				 : lc->transport == l->transport))
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

/* The slot of the listener at l's address with the other transport, SIP_NO_LISTENER if there is
 * none. */
static unsigned find_sibling(const struct sip *sip, const struct listener *l)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		const struct listener *other = sip->listener[i];

		if (other && are_siblings(other->transport, l->transport) &&
			addr_equal(&other->asked.local, &l->asked.local))
			return i;
	}
	return SIP_NO_LISTENER;
}

/* The peer of that name in force, else in what calls still hold. */
static const struct peer_config *peer_named(struct sip *sip, const char *name)
{
	const struct peer_config *peer = config_peer_by_name(sip->cfg, name);

	if (!peer)
		drop_unused(sip);
	for (unsigned i = 0; i < RETIRED_MAX && sip->retired[i] && !peer; i++)
		peer = config_peer_by_name(sip->retired[i], name);
	return peer;
}

static const struct peer_config *find_named(
	struct sip *sip, const struct addr *remote, const struct listener *l, bool *leaving)
{
	const char *name;

	if (!sip->named_source)
		return NULL;
	name = sip->named_source(sip->named_source_ctx, remote, l->slot, 0, leaving);
	if (!name)
		name = sip->named_source(
			sip->named_source_ctx, remote, find_sibling(sip, l), 0, leaving);
	return name ? peer_named(sip, name) : NULL;
}

const struct peer_config *admit(
	struct sip *sip, const struct addr *remote, unsigned slot, bool *leaving)
{
	const struct listener *l = listener_at(sip, slot);
	const struct peer_config *peer = l ? find_peer(sip->cfg, remote, l->index, l) : NULL;
	bool is_leaving = false;

	if (l && !peer)
		peer = find_named(sip, remote, l, &is_leaving);
	if (leaving)
		*leaving = peer && is_leaving;
	if (peer || !l || !sip->retired[0])
		return peer;
	drop_unused(sip);
	for (unsigned i = 0; i < RETIRED_MAX && sip->retired[i] && !peer; i++)
		peer = find_peer(
			sip->retired[i], remote, find_listener(sip->retired[i], l, false), l);
	return peer;
}

/* ---- over TLS ---- */

static bool is_for_one_of(void *certificate, const struct peer_config *peer)
{
	for (unsigned i = 0; i < peer->certificate_name_count; i++) {
		if (certificate_is_for(certificate, peer->certificate_name[i]))
			return true;
	}
	return false;
}

bool admit_is_for(struct x509_st *certificate, const struct peer_config *peer)
{
	return is_for_one_of(certificate, peer);
}

const struct peer_config *admit_name(struct sip *sip, const char *name)
{
	return peer_named(sip, name);
}

/* Of the peers whose names stand for remote. */
static const struct peer_config *find_named_certificate(struct sip *sip, const struct addr *remote,
	const struct listener *l, struct x509_st *certificate, bool *leaving)
{
	const struct peer_config *peer;
	const char *name;

	for (unsigned i = 0; sip->named_source; i++) {
		name = sip->named_source(sip->named_source_ctx, remote, l->slot, i, leaving);
		if (!name)
			break;
		peer = peer_named(sip, name);
		if (peer && is_for_one_of(certificate, peer))
			return peer;
	}
	*leaving = false;
	return NULL;
}

const struct peer_config *admit_certificate(struct sip *sip, const struct addr *remote,
	unsigned slot, struct x509_st *certificate, bool *leaving)
{
	const struct listener *l = listener_at(sip, slot);
	const struct peer_config *peer;

	*leaving = false;
	if (!l)
		return NULL;
	peer = config_find_peer_that(sip->cfg, remote, l->index, is_for_one_of, certificate);
	if (!peer)
		peer = find_named_certificate(sip, remote, l, certificate, leaving);
	if (peer || !sip->retired[0])
		return peer;
	drop_unused(sip);
	for (unsigned i = 0; i < RETIRED_MAX && sip->retired[i] && !peer; i++) {
		unsigned index = find_listener(sip->retired[i], l, false);

		if (index < sip->retired[i]->listener_count)
			peer = config_find_peer_that(
				sip->retired[i], remote, index, is_for_one_of, certificate);
	}
	return peer;
}

static const struct peer_config *find_owner(struct connection *c, bool *leaving)
{
	const struct listener *l = listener_at(c->sip, c->listener);
	struct x509_st *certificate = tls_certificate(c);
	const struct peer_config *peer;

	*leaving = false;
	if (!l)
		return NULL;
	if (!c->is_ours && certificate && l->asks_certificate)
		return admit_certificate(c->sip, &c->remote, c->listener, certificate, leaving);
	if (!c->is_ours)
		return l->asks_certificate ? NULL : admit(c->sip, &c->remote, c->listener, leaving);
	peer = peer_named(c->sip, c->peer);
	return peer && certificate && is_for_one_of(certificate, peer) ? peer : NULL;
}

const struct peer_config *admit_connection(struct connection *c, bool *leaving)
{
	bool is_leaving = false;

	/* What a retired configuration admits may be freed with it, and what a name stands for may
	 * change: looked for each time. */
	if (!c->admitted || c->admitted_by != c->sip->generation) {
		c->admitted = find_owner(c, &is_leaving);
		c->admitted_by = 0;
		if (c->admitted && (c->is_ours || !c->admitted->host) &&
			config_peer_by_name(c->sip->cfg, c->admitted->name) == c->admitted)
			c->admitted_by = c->sip->generation;
	}
	if (leaving)
		*leaving = is_leaving;
	return c->admitted;
}

const struct peer_config *admit_flow(struct sip *sip, const struct flow *flow, bool *leaving)
{
	struct connection *c;

	if (flow->transport != TRANSPORT_TLS)
		return admit(sip, &flow->remote, flow->listener, leaving);
	HASH_FIND(hh_id, sip->connections_by_id, &flow->connection, sizeof(flow->connection), c);
	return c ? admit_connection(c, leaving) : NULL;
}

const struct peer_config *peer_in_force(const struct sip *sip, const struct peer_config *peer)
{
	const struct peer_config *now = config_peer_of(sip->cfg, peer);

	return now ? now : peer;
}

void sip_set_named_sources(struct sip *sip, sip_named_source_fn *fn, void *ctx)
{
	sip->named_source = fn;
	sip->named_source_ctx = ctx;
}

static bool is_named(
	const struct sip *sip, const char *peer, unsigned listener, const struct addr *ip)
{
	const char *name;
	bool leaving;

	for (unsigned i = 0; sip->named_source; i++) {
		name = sip->named_source(sip->named_source_ctx, ip, listener, i, &leaving);
		if (!name)
			break;
		if (strcmp(name, peer) == 0)
			return true;
	}
	return false;
}

bool sip_is_source_of(const struct sip *sip, const struct peer_config *peer, unsigned listener,
	const struct addr *ip)
{
	const struct listener *l = listener_at(sip, listener);

	for (unsigned i = 0; i < peer->source_count; i++) {
		if (addr_in_prefix(ip, &peer->source[i].net, peer->source[i].prefix_len))
			return true;
	}
	return peer->host && l &&
	       (is_named(sip, peer->name, listener, ip) ||
		       is_named(sip, peer->name, find_sibling(sip, l), ip));
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
