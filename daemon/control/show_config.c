/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration in force says: peers and listeners. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/request.h"

int show_indexed(struct request *r, const struct config *cfg, unsigned count, uint16_t type,
	show_put_fn *put)
{
	uint64_t i;

	if (r->attr[VDC_REQUEST_GENERATION] &&
		nla_get_u32(r->attr[VDC_REQUEST_GENERATION]) != r->control->generation)
		return request_fail(r, -ESTALE, "the configuration was reloaded meanwhile");
	r->has_objects = true;
	for (i = r->cursor; i < count; i++) {
		answer_begin_object(r->answer, type);
		put(r, cfg, (unsigned)i);
		if (answer_end_object(r->answer) == 0)
			continue;
		if (r->answer->len == 0)
			return request_fail(
				r, -EMSGSIZE, "entry %u is too long to show", (unsigned)i);
		r->has_more = true;
		r->next_cursor = i;
		break;
	}
	return 0;
}

static void put_sources(struct answer *a, const struct peer_config *peer)
{
	struct nlattr *list = answer_nest(a, VDC_PEER_SOURCES);

	for (unsigned i = 0; i < peer->source_count; i++) {
		char ip[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 8];

		snprintf(text, sizeof(text), "%s/%u", addr_print_ip(&peer->source[i].net, ip),
			peer->source[i].prefix_len);
		answer_put_text(a, (int)i + 1, text);
	}
	answer_nest_end(a, list);
}

static void put_load(struct request *r, const struct peer_config *peer)
{
	const struct limits_config *limits = &peer->limits;
	struct answer *a = r->answer;
	struct calls_load load;

	calls_get_load(r->control->calls, peer->name, &load);
	answer_put_u32(a, VDC_PEER_CALLS, load.live);
	if (limits->calls)
		answer_put_u32(a, VDC_PEER_CALLS_MAX, limits->calls);
	answer_put_u32(a, VDC_PEER_CALLS_ENDING, load.ending);
	answer_put_u32(a, VDC_PEER_RATE, load.calls_per_second);
	if (limits->calls_per_second)
		answer_put_u32(a, VDC_PEER_RATE_MAX, limits->calls_per_second);
	answer_put_u64(a, VDC_PEER_BANDWIDTH, load.kbit);
	if (limits->bandwidth)
		answer_put_u64(a, VDC_PEER_BANDWIDTH_MAX, limits->bandwidth);
	answer_put_u64(a, VDC_PEER_REFUSED_CALLS, load.refused[CALL_LIMIT_LIVE]);
	answer_put_u64(a, VDC_PEER_REFUSED_RATE, load.refused[CALL_LIMIT_RATE]);
	answer_put_u64(a, VDC_PEER_REFUSED_BANDWIDTH, load.refused[CALL_LIMIT_BANDWIDTH]);
	answer_put_u64(a, VDC_PEER_REFUSED_ENDING, load.refused[CALL_LIMIT_ENDING]);
}

void show_put_peer(struct request *r, const struct config *cfg, unsigned index)
{
	const struct peer_config *peer = &cfg->peer[index];
	struct answer *a = r->answer;

	answer_put_text(a, VDC_PEER_NAME, peer->name);
	show_put_peer_state(r, peer->name);
	answer_put_text(a, VDC_PEER_KIND, peer->kind == PEER_DIRECT ? "direct" : "trunk");
	answer_put_text(a, VDC_PEER_SIDE, side_name(peer->side));
	answer_put_text(a, VDC_PEER_TRANSPORT, transport_name(peer->transport));
	answer_put_addr(a, VDC_PEER_ADDRESS, &peer->address);
	show_put_peer_name(r, cfg, peer);
	if (peer->listener < cfg->listener_count)
		answer_put_text(a, VDC_PEER_LISTENER, cfg->listener[peer->listener].name);
	if (peer->source_count)
		put_sources(a, peer);
	if (peer->codec_count) {
		struct nlattr *list = answer_nest(a, VDC_PEER_CODECS);

		for (unsigned i = 0; i < peer->codec_count; i++)
			answer_put_text(a, (int)i + 1, peer->codec[i]);
		answer_nest_end(a, list);
	}
	answer_put_bool(a, VDC_PEER_LATCH, peer->latch);
	put_load(r, peer);
}

static void put_listener(struct request *r, const struct config *cfg, unsigned index)
{
	const struct listener_config *listener = &cfg->listener[index];
	const struct side_address *address = &listener->address;
	const struct sip *sip = calls_sip(r->control->calls);
	struct answer *a = r->answer;

	answer_put_text(a, VDC_LISTENER_NAME, listener->name);
	answer_put_text(a, VDC_LISTENER_SIDE, side_name(listener->side));
	answer_put_text(a, VDC_LISTENER_TRANSPORT, transport_name(listener->transport));
	answer_put_addr(a, VDC_LISTENER_ADDRESS, &address->local);
	if (address->advertised.family && !addr_equal_ip(&address->local, &address->advertised))
		answer_put_addr(a, VDC_LISTENER_ADVERTISED, &address->advertised);
	if (sip_listener_waits(sip, sip_listener_slot(sip, listener)))
		answer_put_text(a, VDC_LISTENER_WHY, SIP_LISTENER_MISSING);
}

int show_peers(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);

	return show_indexed(r, cfg, cfg->peer_count, VDC_PEER, show_put_peer);
}

int show_listeners(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);

	return show_indexed(r, cfg, cfg->listener_count, VDC_LISTENER, put_listener);
}
