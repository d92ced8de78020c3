/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers named by host name: what the name stands for. */
#include <stdio.h>

#include "control/request.h"

static const char *state_name(enum dns_state state)
{
	static const char *const names[] = {"pending", "fresh", "stale", "failed"};

	return names[state];
}

static void put_target(struct answer *a, int attr, const struct dns_target *target)
{
	struct nlattr *one = answer_nest(a, attr);

	answer_put_addr(a, VDC_TARGET_ADDRESS, &target->address);
	answer_put_u32(a, VDC_TARGET_PRIORITY, target->priority);
	answer_put_u32(a, VDC_TARGET_WEIGHT, target->weight);
	answer_nest_end(a, one);
}

void show_put_peer_name(
	struct request *r, const struct config *cfg, const struct peer_config *config)
{
	const struct peer *peer = peer_by_name(calls_peers(r->control->calls), config->name);
	struct answer *a = r->answer;
	char host[DNS_HOST_MAX + sizeof(":65535")];
	struct dns_info info;
	struct nlattr *list;
	int n = 0;

	if (!config->host)
		return;
	if (config->host_port)
		snprintf(host, sizeof(host), "%s:%u", config->host, config->host_port);
	else
		snprintf(host, sizeof(host), "%s", config->host);
	answer_put_text(a, VDC_PEER_HOST, host);
	if (!peer || !peer_get_name(peer, &info))
		return;
	answer_put_text(a, VDC_PEER_NAME_STATE, state_name(info.state));
	if (*info.error)
		answer_put_text(a, VDC_PEER_NAME_ERROR, info.error);
	if (info.ttl_ms)
		answer_put_u64(a, VDC_PEER_NAME_TTL, info.ttl_ms);
	if (info.retry_ms)
		answer_put_u64(a, VDC_PEER_NAME_RETRY, info.retry_ms);
	list = answer_nest(a, VDC_PEER_TARGETS);
	for (unsigned i = 0; i < info.count; i++) {
		if (peer_listener_of(cfg, config, info.target[i].address.family) !=
			CONFIG_NO_LISTENER)
			put_target(a, ++n, &info.target[i]);
	}
	answer_nest_end(a, list);
}

void show_put_names(struct request *r)
{
	struct answer *a = r->answer;
	struct peers_names names;
	struct nlattr *list;
	int n = 0;

	peers_get_names(calls_peers(r->control->calls), &names);
	list = answer_nest(a, VDC_STATUS_DNS);
#define PUT_DNS_COUNTER(name, text) answer_put_counter(a, ++n, #name, names.dns.name);
	DNS_COUNTERS(PUT_DNS_COUNTER)
	answer_put_counter(a, ++n, "sources", names.sources);
	answer_put_counter(a, ++n, "sources_shared", names.sources_shared);
	answer_put_counter(a, ++n, "sources_forgotten", names.sources_forgotten);
	answer_nest_end(a, list);
}
