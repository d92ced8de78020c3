/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers whose address is a host name: where requests to them go now. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "peer/internal.h"

#define LIST_MAX 256 /* bytes of addresses in a log line */

static struct dns_options options_of(const struct config *cfg)
{
	const struct dns_config *dns = &cfg->dns;
	struct dns_options o;

	memset(&o, 0, sizeof(o));
	memcpy(o.server, dns->server, dns->server_count * sizeof(dns->server[0]));
	o.server_count = dns->server_count;
	o.timeout_ms = dns->timeout_s * 1000;
	o.tries = dns->tries;
	o.ttl_min_ms = dns->ttl_min_s * 1000;
	o.ttl_max_ms = dns->ttl_max_s * 1000;
	o.stale_ms = dns->stale_s ? dns->stale_s * 1000 : 1;
	return o;
}

/* RFC 3263 4.1: the transport is the listener's. */
static enum dns_service service_of(const struct peer_config *config)
{
	const char *transport = transport_name(config->transport);

	return strcmp(transport, "udp") == 0   ? DNS_SIP_UDP
	       : strcmp(transport, "tcp") == 0 ? DNS_SIP_TCP
					       : DNS_SIPS_TCP;
}

/* Our own listener: what is sent there comes back. */
static bool is_ours(const struct config *cfg, const struct addr *a)
{
	for (unsigned i = 0; i < cfg->listener_count; i++) {
		const struct side_address *own = &cfg->listener[i].address;

		if (addr_equal(&own->local, a) || addr_equal(&own->advertised, a))
			return true;
	}
	return false;
}

/* The number of the open listener for that family, SIP_NO_LISTENER when there is none. */
static unsigned slot_of(const struct peer *peer, uint8_t family)
{
	const struct config *cfg = peer->peers->cfg;
	unsigned listener = peer_listener_of(cfg, peer->config, family);

	if (listener == CONFIG_NO_LISTENER)
		return SIP_NO_LISTENER;
	return sip_listener_slot(peer->peers->sip, &cfg->listener[listener]);
}

/* ---- what is known has changed ---- */

static void take_sources(struct peer *peer, const struct dns_info *info)
{
	struct source_key key[PEER_TARGETS_MAX];
	char text[LIST_MAX] = "", one[ADDR_TEXT_MAX];
	unsigned count = 0;
	size_t len = 0;

	memset(key, 0, sizeof(key));
	peer->has_own_address = false;
	for (unsigned i = 0; i < info->count; i++) {
		const struct addr *a = &info->target[i].address;
		unsigned listener = slot_of(peer, a->family);
		struct source_key *k = &key[count];
		bool known = false;

		if (listener == SIP_NO_LISTENER)
			continue;
		if (is_ours(peer->peers->cfg, a)) {
			peer->has_own_address = true;
			log_limited(LOG_LEVEL_WARN,
				"peer %s: its name resolves to our own %s, which is left out",
				peer->name, addr_print(a, one));
			continue;
		}
		addr_print(a, one);
		if (len + strlen(one) + 4 < sizeof(text))
			len += (size_t)sprintf(text + len, "%s%s", len ? ", " : "", one);
		k->listener = listener;
		k->ip = *a;
		k->ip.port = k->ip.pad = 0;
		for (unsigned j = 0; j < count; j++)
			known |= memcmp(k, &key[j], sizeof(*k)) == 0;
		count += !known;
	}
	sources_update(peer, key, count);
	if (strcmp(text, peer->resolved ? peer->resolved : "") == 0)
		return;
	if (len)
		log_limited(LOG_LEVEL_INFO, "peer %s: %s resolves to %s", peer->name,
			peer->config->host, text);
	free(peer->resolved);
	peer->resolved = strdup(text);
}

static void take_state(struct peer *peer, const struct dns_info *info)
{
	struct sip_dest place[PEER_TARGETS_MAX];
	bool was_unresolved = peer->fact[FACT_UNRESOLVED].holds;

	if (peer_places(peer, place)) {
		fact_clear(peer, FACT_UNRESOLVED, "its name resolves");
		/* A registration that waited for it waits no longer. */
		if (was_unresolved && peer->registration && !peer->peers->shutting_down)
			registration_update(peer, peer->peers->cfg);
	} else if (info->state == DNS_PENDING)
		fact_set_untold(peer, FACT_UNRESOLVED, "its name is being looked up");
	else
		fact_set(peer, FACT_UNRESOLVED, "name does not resolve: %s",
			*info->error ? info->error : "to no address that we can use");
}

static void changed(void *ctx)
{
	struct peer *peer = ctx;
	struct dns_info info;

	dns_get(peer->watch, &info);
	take_sources(peer, &info);
	targets_changed(peer);
	take_state(peer, &info);
}

/* ---- over reloads ---- */

int names_prepare(struct peers *peers, const struct config *cfg)
{
	struct dns_options options = options_of(cfg);
	int ret = 0;

	for (unsigned i = 0; i < cfg->peer_count && !ret; i++) {
		const struct peer_config *config = &cfg->peer[i];
		struct dns_query q = {.host = config->host, .port = config->host_port};
		struct peer *peer = peer_by_name(peers, config->name);
		unsigned families = 0;

		if (!config->host || !peer)
			continue;
		if (!peers->dns)
			ret = dns_new(&peers->dns, peers->loop, &options);
		q.service = service_of(config);
		if (peer_listener_of(cfg, config, 4) != CONFIG_NO_LISTENER)
			families |= DNS_IPV4;
		if (peer_listener_of(cfg, config, 6) != CONFIG_NO_LISTENER)
			families |= DNS_IPV6;
		if (!ret)
			ret = dns_watch(&peer->next_watch, peers->dns, &q, families, changed, peer);
	}
	return ret;
}

void names_cancel(struct peers *peers)
{
	struct peer *peer;

	for (peer = peers->by_name; peer; peer = peer->hh.next) {
		dns_unwatch(peer->next_watch);
		peer->next_watch = NULL;
	}
}

void names_commit(struct peers *peers)
{
	struct dns_options options = options_of(peers->cfg);
	struct peer *peer;

	sources_reload(peers);
	for (peer = peers->by_name; peer; peer = peer->hh.next) {
		struct dns_watch *before = peer->watch;

		peer->watch = peer->next_watch;
		peer->next_watch = NULL;
		if (peer->watch) {
			changed(peer);
		} else if (before) {
			sources_update(peer, NULL, 0);
			fact_clear(peer, FACT_UNRESOLVED, "its address is written");
		}
		dns_unwatch(before);
	}
	if (peers->dns && dns_reload(peers->dns, &options))
		log_error("dns: the nameservers of the old configuration stay in use");
}

void names_stop(struct peer *peer)
{
	dns_unwatch(peer->watch);
	dns_unwatch(peer->next_watch);
	peer->watch = peer->next_watch = NULL;
	free(peer->resolved);
	peer->resolved = NULL;
	sources_orphan(peer);
}

/* ---- who asks ---- */

static unsigned written_target(struct peer *peer, struct sip_dest *out)
{
	const struct listener_config *lc = &peer->peers->cfg->listener[peer->config->listener];
	unsigned listener = sip_listener_slot(peer->peers->sip, lc);

	if (listener == SIP_NO_LISTENER)
		return 0;
	*out = (struct sip_dest){.listener = listener,
		.remote = peer->config->address,
		.peer = sip_intern(peer->peers->sip, peer->name)};
	return 1;
}

unsigned peer_places(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX])
{
	const struct config *cfg = peer->peers->cfg;
	struct addr drawn[DNS_TARGETS_MAX];
	unsigned count, n = 0;

	if (!peer->watch)
		return peer->config->host ? 0 : written_target(peer, out);
	count = dns_draw(
		peer->watch, cfg->listener[peer->config->listener].address.local.family, drawn);
	for (unsigned i = 0; i < count; i++) {
		unsigned listener = slot_of(peer, drawn[i].family);

		if (listener == SIP_NO_LISTENER ||
			(peer->has_own_address && is_ours(cfg, &drawn[i])))
			continue;
		out[n++] = (struct sip_dest){.listener = listener,
			.remote = drawn[i],
			.peer = sip_intern(peer->peers->sip, peer->name)};
	}
	return n;
}

unsigned peer_targets(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX])
{
	unsigned count = peer_places(peer, out), n = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!sip_listener_waits(peer->peers->sip, out[i].listener))
			out[n++] = out[i];
	}
	return n;
}

bool peer_get_name(const struct peer *peer, struct dns_info *out)
{
	if (!peer->watch)
		return false;
	dns_get(peer->watch, out);
	return true;
}

void peers_get_names(const struct peers *peers, struct peers_names *out)
{
	memset(out, 0, sizeof(*out));
	out->sources = sources_count(peers);
	out->sources_shared = peers->sources_shared;
	out->sources_forgotten = peers->sources_forgotten;
	if (peers->dns)
		dns_get_status(peers->dns, &out->dns);
}
