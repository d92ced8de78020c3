/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration in force says: peers, listeners, routes, and where a call would go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/route.h"
#include "control/request.h"

#define TRACE_LINE_MAX 200 /* bytes, NUL included: all of VDC_TRACE_MAX fit in one datagram */

typedef void put_fn(struct request *r, const struct config *cfg, unsigned index);

/* The cursor is the index of the first that is still to come. */
static int show_indexed(
	struct request *r, const struct config *cfg, unsigned count, uint16_t type, put_fn *put)
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

static void put_peer_names(
	struct answer *a, int attr, const struct config *cfg, const unsigned *index, unsigned count)
{
	struct nlattr *list;

	if (count == 0)
		return;
	list = answer_nest(a, attr);
	for (unsigned i = 0; i < count; i++)
		answer_put_text(a, (int)i + 1, cfg->peer[index[i]].name);
	answer_nest_end(a, list);
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
	answer_put_u32(a, VDC_PEER_CALLS, calls_count_peer(r->control->calls, peer->name));
	if (peer->calls_max)
		answer_put_u32(a, VDC_PEER_CALLS_MAX, peer->calls_max);
}

static void put_listener(struct request *r, const struct config *cfg, unsigned index)
{
	const struct listener_config *listener = &cfg->listener[index];
	const struct side_address *address = &listener->address;
	struct answer *a = r->answer;

	answer_put_text(a, VDC_LISTENER_NAME, listener->name);
	answer_put_text(a, VDC_LISTENER_SIDE, side_name(listener->side));
	answer_put_text(a, VDC_LISTENER_TRANSPORT, transport_name(listener->transport));
	answer_put_addr(a, VDC_LISTENER_ADDRESS, &address->local);
	if (address->advertised.family && !addr_equal_ip(&address->local, &address->advertised))
		answer_put_addr(a, VDC_LISTENER_ADVERTISED, &address->advertised);
}

static void put_route(struct request *r, const struct config *cfg, unsigned index)
{
	const struct route_config *route = &cfg->route[index];
	struct answer *a = r->answer;

	answer_put_u32(a, VDC_ROUTE_INDEX, index);
	if (route->name && *route->name)
		answer_put_text(a, VDC_ROUTE_NAME, route->name);
	if (route->from_count == 1)
		answer_put_text(a, VDC_ROUTE_FROM, cfg->peer[route->from[0]].name);
	answer_put_text(a, VDC_ROUTE_CALLED, route->called.text);
	put_peer_names(a, VDC_ROUTE_TO, cfg, route->to, route->to_count);
	answer_put_bool(a, VDC_ROUTE_TRUNK_TO_TRUNK, route->trunk_to_trunk);
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

int show_routes(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);

	return show_indexed(r, cfg, cfg->route_count, VDC_ROUTE, put_route);
}

/* The last lines of a trace: what decided is at its end. */
struct trace {
	unsigned count;
	char line[VDC_TRACE_MAX][TRACE_LINE_MAX];
};

static void keep_line(void *ctx, const char *line)
{
	struct trace *trace = ctx;

	snprintf(trace->line[trace->count++ % VDC_TRACE_MAX], TRACE_LINE_MAX, "%s", line);
}

static void put_trace(struct answer *a, const struct trace *trace)
{
	unsigned first = trace->count > VDC_TRACE_MAX ? trace->count - VDC_TRACE_MAX : 0;
	struct nlattr *list;
	int n = 0;

	if (trace->count == 0)
		return;
	list = answer_nest(a, VDC_DECISION_TRACE);
	for (unsigned i = first; i < trace->count; i++)
		answer_put_text(a, ++n, trace->line[i % VDC_TRACE_MAX]);
	answer_nest_end(a, list);
	if (first)
		answer_put_u32(a, VDC_DECISION_TRACE_OMITTED, first);
}

static void put_decision(
	struct answer *a, const struct route_result *result, const struct trace *trace)
{
	static const char *const verdicts[] = {
		[ROUTE_FOUND] = "found", [ROUTE_NONE] = "none", [ROUTE_DENIED] = "denied"};
	/* RFC 3261 21.4.5, 21.4.4 */
	static const uint32_t codes[] = {[ROUTE_NONE] = 404, [ROUTE_DENIED] = 403};

	answer_put_text(a, VDC_DECISION_VERDICT, verdicts[result->verdict]);
	if (result->verdict != ROUTE_FOUND)
		answer_put_u32(a, VDC_DECISION_CODE, codes[result->verdict]);
	if (result->route) {
		answer_put_u32(a, VDC_DECISION_INDEX, result->route_index);
		if (result->route->name && *result->route->name)
			answer_put_text(a, VDC_DECISION_ROUTE, result->route->name);
	}
	if (result->verdict == ROUTE_FOUND) {
		struct nlattr *list = answer_nest(a, VDC_DECISION_TO);

		for (unsigned i = 0; i < result->candidate_count; i++)
			answer_put_text(a, (int)i + 1, result->candidate[i].peer->name);
		answer_nest_end(a, list);
	}
	put_trace(a, trace);
}

/* What the peers' states make of the order. */
static void take_states(struct request *r, struct route_result *result, struct trace *trace)
{
	struct peers_choice choice;

	calls_order(r->control->calls, result, &choice, keep_line, trace);
	if (!choice.count)
		keep_line(trace, "no peer of the route takes calls now: 503");
}

int test_route(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);
	const char *from = nla_get_string(r->attr[VDC_REQUEST_FROM]);
	const struct peer_config *peer = config_peer_by_name(cfg, from);
	struct route_result result = {0};
	struct route_query query = {
		.from = peer, .calling = "", .called = nla_get_string(r->attr[VDC_REQUEST_NUMBER])};
	struct trace *trace;
	int ret;

	if (!peer)
		return request_fail(r, -ENOENT, "no peer is named %s", from);
	trace = calloc(1, sizeof(*trace));
	if (!trace)
		return -ENOMEM;
	route_find(cfg, &query, &result, keep_line, trace);
	if (result.verdict == ROUTE_FOUND)
		take_states(r, &result, trace);
	answer_begin_object(r->answer, VDC_DECISION);
	put_decision(r->answer, &result, trace);
	r->has_objects = true;
	ret = answer_end_object(r->answer);
	free(trace);
	return ret;
}
