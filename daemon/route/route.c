/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/route.h"

#include <string.h>

#include "route/match.h"
#include "route/trace.h"

/* A search under way. */
struct search {
	const struct config *cfg;
	const struct route_query *query;
	size_t called_len, calling_len;
	struct route_result *out;
	unsigned priority; /* of the candidates that come next */
	struct trace trace;
};

/* The routes that may apply to a peer, its own and everybody's, in the order of the file. */
struct candidates {
	const unsigned *own, *own_end, *any, *any_end;
};

static void candidates_begin(
	struct candidates *c, const struct config *cfg, const struct peer_config *from)
{
	unsigned p = config_peer_index(cfg, from);

	memset(c, 0, sizeof(*c));
	if (!cfg->route_count)
		return;
	c->own = cfg->route_of + cfg->route_start[p];
	c->own_end = cfg->route_of + cfg->route_start[p + 1];
	c->any = cfg->route_any;
	c->any_end = cfg->route_any + cfg->route_any_count;
}

static bool candidates_next(struct candidates *c, unsigned *index)
{
	if (c->own < c->own_end && (c->any == c->any_end || *c->own < *c->any))
		*index = *c->own++;
	else if (c->any < c->any_end)
		*index = *c->any++;
	else
		return false;
	return true;
}

static bool is_candidate(const struct route_result *out, const struct peer_config *peer)
{
	for (unsigned i = 0; i < out->candidate_count; i++) {
		if (out->candidate[i].peer == peer)
			return true;
	}
	return false;
}

static void add(struct search *s, const struct route_config *route, const struct peer_config *to)
{
	struct route_result *out = s->out;

	/* The toll-fraud rule: from outside to outside only where the route says so. */
	if (s->query->from->side == SIDE_EXTERNAL && to->side == SIDE_EXTERNAL &&
		!route->trunk_to_trunk)
		trace_line(&s->trace, "%s left out: external to external without trunk_to_trunk",
			to->name);
	else if (is_candidate(out, to))
		trace_line(&s->trace, "%s is tried before", to->name);
	else if (out->candidate_count == ROUTE_CANDIDATES_MAX)
		trace_line(&s->trace, "%s left out: more than %d peers", to->name,
			ROUTE_CANDIDATES_MAX);
	else
		out->candidate[out->candidate_count++] = (struct route_candidate){
			.peer = to, .route = route, .priority = s->priority};
}

static void take(struct search *s, unsigned index)
{
	const struct route_config *route = &s->cfg->route[index];
	struct route_result *out = s->out;
	unsigned before = out->candidate_count;

	if (!out->route) {
		out->route = route;
		out->route_index = index;
	}
	for (unsigned i = 0; i < route->to_count; i++)
		add(s, route, &s->cfg->peer[route->to[i]]);
	if (out->candidate_count > before)
		s->priority++;
}

static const char *verb(int match)
{
	return match > 0 ? "matches" : match < 0 ? "was given up against" : "does not match";
}

static bool matches(struct search *s, unsigned index)
{
	const struct route_config *route = &s->cfg->route[index];
	const struct route_query *q = s->query;
	const char *from = route->from_count ? q->from->name : "any";
	int match = match_number(&route->called, q->called, s->called_len);

	if (match <= 0 || !route->calling.code) {
		trace_line(&s->trace, "routes[%u] \"%s\": from %s, called \"%s\" %s %s", index,
			route->name, from, q->called, verb(match),
			route->called.text ? route->called.text : "any");
		return match > 0;
	}
	match = match_number(&route->calling, q->calling, s->calling_len);
	trace_line(&s->trace,
		"routes[%u] \"%s\": from %s, called \"%s\" matches %s, calling \"%s\" %s %s", index,
		route->name, from, q->called, route->called.text ? route->called.text : "any",
		q->calling, verb(match), route->calling.text);
	return match > 0;
}

/* Emergency calls have routes of their own, all that match, before those of everybody; others never
 * take them. */
static void walk(struct search *s, bool emergency)
{
	struct candidates c;
	unsigned i;

	candidates_begin(&c, s->cfg, s->query->from);
	while (candidates_next(&c, &i)) {
		if (s->cfg->route[i].emergency != emergency || !matches(s, i))
			continue;
		take(s, i);
		if (!emergency)
			break;
	}
}

static void conclude(struct search *s)
{
	struct route_result *out = s->out;

	if (out->candidate_count)
		out->verdict = ROUTE_FOUND;
	else
		out->verdict = out->route ? ROUTE_DENIED : ROUTE_NONE;
	for (unsigned i = 0; i < out->candidate_count; i++)
		trace_line(&s->trace, "%s: try %s", i ? "then" : "found",
			out->candidate[i].peer->name);
	if (out->verdict == ROUTE_DENIED)
		trace_line(&s->trace, "denied: no peer is left");
	else if (out->verdict == ROUTE_NONE)
		trace_line(&s->trace, "no route matches");
}

void route_find(const struct config *cfg, const struct route_query *query, struct route_result *out,
	route_trace_fn *trace, void *trace_ctx)
{
	struct search s = {.cfg = cfg,
		.query = query,
		.called_len = strnlen(query->called, ROUTE_NUMBER_MAX + 1),
		.calling_len = strnlen(query->calling, ROUTE_NUMBER_MAX + 1),
		.out = out,
		.trace = {.fn = trace, .ctx = trace_ctx}};

	memset(out, 0, sizeof(*out));
	out->verdict = ROUTE_NONE;
	if (s.called_len > ROUTE_NUMBER_MAX || s.calling_len > ROUTE_NUMBER_MAX) {
		trace_line(
			&s.trace, "no route: a number is longer than %d bytes", ROUTE_NUMBER_MAX);
		return;
	}
	out->is_emergency = route_is_emergency(cfg, query->called) ||
			    (query->dialled && route_is_emergency(cfg, query->dialled));
	if (out->is_emergency) {
		trace_line(&s.trace, "an emergency call");
		walk(&s, true);
	}
	walk(&s, false);
	conclude(&s);
}

bool route_is_emergency(const struct config *cfg, const char *called)
{
	size_t len = strnlen(called, ROUTE_NUMBER_MAX + 1);

	if (len > ROUTE_NUMBER_MAX)
		return false;
	for (unsigned i = 0; i < cfg->emergency_count; i++) {
		if (match_number(&cfg->emergency[i], called, len) > 0)
			return true;
	}
	return false;
}
