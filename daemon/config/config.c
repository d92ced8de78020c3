/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "config/pattern.h"
#include "config/route_index.h"
#include "config/source_index.h"
#include "config/zone.h"
#include "config/tls_context.h"

static void config_free(struct config *cfg)
{
	for (unsigned i = 0; i < cfg->route_count; i++) {
		pattern_clear(&cfg->route[i].called);
		pattern_clear(&cfg->route[i].calling);
		free(cfg->route[i].from);
		free(cfg->route[i].time);
		free(cfg->route[i].caller.number);
		free(cfg->route[i].caller.name);
		free(cfg->route[i].name);
	}
	for (unsigned i = 0; i < cfg->group_count; i++) {
		free(cfg->group[i].member);
		free(cfg->group[i].name);
	}
	for (unsigned i = 0; i < cfg->usage_count; i++) {
		route_index_free(cfg->usage[i].index);
		free(cfg->usage[i].route);
		free(cfg->usage[i].name);
	}
	for (unsigned i = 0; i < cfg->time_count; i++) {
		zone_free(cfg->time[i].zone);
		free(cfg->time[i].date);
		free(cfg->time[i].except);
		free(cfg->time[i].name);
	}
	for (unsigned i = 0; cfg->route_index && i < cfg->peer_count; i++)
		route_index_free(cfg->route_index[i]);
	route_index_free(cfg->route_any);
	for (unsigned i = 0; i < cfg->emergency_count; i++)
		pattern_clear(&cfg->emergency[i]);
	for (unsigned i = 0; i < cfg->peer_count; i++) {
		for (unsigned j = 0; j < cfg->peer[i].certificate_name_count; j++)
			free(cfg->peer[i].certificate_name[j]);
		for (unsigned j = 0; j < cfg->peer[i].codec_count; j++)
			free(cfg->peer[i].codec[j]);
		free(cfg->peer[i].host);
		numbers_clear(&cfg->peer[i].numbers);
		auth_config_free(cfg->peer[i].auth);
		free(cfg->peer[i].bypass);
		free(cfg->peer[i].identity.domain);
		free(cfg->peer[i].usage);
		codes_clear(&cfg->peer[i].codes);
		register_config_free(cfg->peer[i].registration);
		challenge_config_free(cfg->peer[i].challenge);
		free(cfg->peer[i].name);
	}
	for (unsigned i = 0; i < cfg->listener_count; i++) {
		free(cfg->listener[i].fqdn);
		free(cfg->listener[i].name);
	}
	for (unsigned i = 0; i < cfg->tls_count; i++) {
		struct tls_profile *tls = &cfg->tls[i];

		tls_context_free(tls->context);
		free(tls->fqdn);
		free(tls->ca);
		free(tls->key);
		free(tls->certificate);
		free(tls->name);
	}
	for (unsigned i = 0; i < SIDE_COUNT; i++)
		free(cfg->side[i].device);
	number_rules_free(cfg);
	source_index_free(cfg->sources);
	free(cfg->peer_by_name);
	free(cfg->route_index);
	free(cfg->group);
	free(cfg->usage);
	free(cfg->time);
	free(cfg->emergency);
	free(cfg->route);
	free(cfg->peer);
	free(cfg->listener);
	free(cfg->tls);
	free(cfg->control_group);
	free(cfg->records_file);
	free(cfg->instance);
	free(cfg->state_dir);
	free(cfg->bpf_dir);
	free(cfg->user);
	free(cfg->file);
	free(cfg);
}

struct config *config_ref(struct config *cfg)
{
	cfg->refs++;
	return cfg;
}

void config_unref(struct config *cfg)
{
	if (cfg && --cfg->refs == 0)
		config_free(cfg);
}

const struct peer_config *config_find_peer(
	const struct config *cfg, const struct addr *source, unsigned listener)
{
	unsigned peer;

	if (source_index_find(cfg->sources, listener, source, &peer))
		return NULL;
	return &cfg->peer[peer];
}

struct wanted {
	const struct config *cfg;
	config_accepts_fn *accepts;
	void *ctx;
	const struct peer_config *found;
};

static bool take_if_accepted(void *ctx, unsigned peer)
{
	struct wanted *w = ctx;

	if (!w->accepts(w->ctx, &w->cfg->peer[peer]))
		return false;
	w->found = &w->cfg->peer[peer];
	return true;
}

const struct peer_config *config_find_peer_that(const struct config *cfg, const struct addr *source,
	unsigned listener, config_accepts_fn *accepts, void *ctx)
{
	struct wanted w = {.cfg = cfg, .accepts = accepts, .ctx = ctx};

	source_index_each(cfg->sources, listener, source, take_if_accepted, &w);
	return w.found;
}

const struct peer_config *config_peer_by_name(const struct config *cfg, const char *name)
{
	unsigned low = 0, high = cfg->peer_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const struct peer_config *peer = &cfg->peer[cfg->peer_by_name[middle]];
		int order = strcmp(name, peer->name);

		if (order == 0)
			return peer;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct peer_config *config_peer_of(const struct config *cfg, const struct peer_config *peer)
{
	if (peer >= cfg->peer && peer < cfg->peer + cfg->peer_count)
		return peer;
	return config_peer_by_name(cfg, peer->name);
}

bool config_fails_over(const struct peer_config *peer, int code)
{
	unsigned bit = (unsigned)(code - FAILOVER_CODE_MIN);

	return code >= FAILOVER_CODE_MIN && code <= FAILOVER_CODE_MAX &&
	       peer->failover.code[bit / 8] & (1u << bit % 8);
}

unsigned config_peer_index(const struct config *cfg, const struct peer_config *peer)
{
	return (unsigned)(peer - cfg->peer);
}
