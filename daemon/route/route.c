/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/route.h"

#include <string.h>

#include "config/route_index.h"
#include "route/match.h"
#include "route/order.h"
#include "route/time.h"
#include "route/trace.h"

/* Routes of one usage that fit a call and are sorted by cost: what comes after them is left out. */
#define FITTING_MAX 64

/* A search under way. */
struct search {
	const struct config *cfg;
	const struct route_query *query;
	size_t called_len, calling_len;
	uint64_t seed;
	struct route_result *out;
	unsigned priority; /* of the candidates that come next */
	unsigned tried;    /* routes that came into question */
	struct trace trace;
};

static bool is_candidate(const struct route_result *out, const struct peer_config *peer)
{
	for (unsigned i = 0; i < out->candidate_count; i++) {
		if (out->candidate[i].peer == peer)
			return true;
	}
	return false;
}

static void add(struct search *s, const struct route_config *route, unsigned peer)
{
	const struct peer_config *to = &s->cfg->peer[peer];
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

/* What comes next is of a class of its own, unless nothing has come. */
static void next_class(struct search *s)
{
	const struct route_result *out = s->out;

	if (out->candidate_count &&
		out->candidate[out->candidate_count - 1].priority == s->priority)
		s->priority++;
}

static bool is_equal(const struct group_member *a, const struct group_member *b)
{
	return a->priority == b->priority && a->cost == b->cost;
}

static void add_group(
	struct search *s, const struct route_config *route, const struct group_config *group)
{
	struct group_member member[CONFIG_MEMBERS_MAX];
	unsigned count = group->member_count, end;

	memcpy(member, group->member, count * sizeof(member[0]));
	next_class(s);
	for (unsigned i = 0; i < count; i = end) {
		for (end = i + 1; end < count && is_equal(&member[i], &member[end]);)
			end++;
		order_by_weight(member + i, end - i, &s->seed);
		trace_line(&s->trace, "group %s: priority %u, cost %u, %u peer%s%s", group->name,
			member[i].priority, member[i].cost, end - i, end - i > 1 ? "s" : "",
			end - i < 2 ? ""
			: s->seed   ? " by chance"
				    : ": by chance in a call, here the heavier first");
		for (unsigned j = i; j < end; j++) {
			if (end - i > 1)
				trace_line(&s->trace, "group %s: %s, weight %u", group->name,
					s->cfg->peer[member[j].peer].name, member[j].weight);
			add(s, route, member[j].peer);
		}
		next_class(s);
	}
}

static void take(struct search *s, unsigned index)
{
	const struct route_config *route = &s->cfg->route[index];

	if (!s->out->route) {
		s->out->route = route;
		s->out->route_index = index;
	}
	next_class(s);
	for (unsigned i = 0; i < route->to_count; i++) {
		if (route->to[i].is_group)
			add_group(s, route, &s->cfg->group[route->to[i].index]);
		else
			add(s, route, route->to[i].index);
	}
}

static const char *verb(int match)
{
	return match > 0 ? "matches" : match < 0 ? "was given up against" : "does not match";
}

static bool is_from(const struct route_config *route, unsigned peer)
{
	unsigned low = 0, high = route->from_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (route->from[middle] == peer)
			return true;
		if (route->from[middle] < peer)
			low = middle + 1;
		else
			high = middle;
	}
	return !route->from_count;
}

static bool numbers_match(struct search *s, unsigned index)
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

static bool is_now(struct search *s, unsigned index)
{
	const struct route_config *route = &s->cfg->route[index];

	for (unsigned i = 0; i < route->time_count; i++) {
		const struct time_config *time = &s->cfg->time[route->time[i]];
		bool holds = time_holds(time, s->query->at);

		trace_line(&s->trace, "routes[%u] \"%s\": it is %s%s", index, route->name,
			holds ? "" : "not ", time->name);
		if (holds)
			return true;
	}
	return !route->time_count;
}

static bool fits(struct search *s, unsigned index)
{
	const struct route_config *route = &s->cfg->route[index];

	if (!is_from(route, config_peer_index(s->cfg, s->query->from)))
		return false;
	s->tried++;
	return numbers_match(s, index) && is_now(s, index);
}

/* The routes that stand in no usage. Emergency calls have routes of their own before those of
 * everybody; others never take them. False: it ends here. */
static bool walk_routes(struct search *s, bool emergency)
{
	const struct config *cfg = s->cfg;
	unsigned peer = config_peer_index(cfg, s->query->from), i;
	struct route_cursor cursor = {.runs = 0};

	if (!cfg->route_count)
		return true;
	route_index_find(cfg->route_index[peer], s->query->called, s->query->calling, &cursor);
	route_index_find(cfg->route_any, s->query->called, s->query->calling, &cursor);
	while (route_cursor_next(&cursor, &i)) {
		if (cfg->route[i].emergency != emergency || !fits(s, i))
			continue;
		take(s, i);
		if (!cfg->route[i].goes_on)
			return false;
	}
	return true;
}

/* The routes of a usage that fit, the cheapest first. False: it ends here. */
static bool walk_usage(struct search *s, const struct usage_config *usage)
{
	const struct config *cfg = s->cfg;
	struct route_cursor cursor = {.runs = 0};
	unsigned fitting[FITTING_MAX], count = 0, place;

	route_index_find(usage->index, s->query->called, s->query->calling, &cursor);
	while (count < FITTING_MAX && route_cursor_next(&cursor, &place)) {
		unsigned i = usage->route[place], at = count;

		if (!fits(s, i))
			continue;
		while (at > 0 && cfg->route[fitting[at - 1]].cost > cfg->route[i].cost) {
			fitting[at] = fitting[at - 1];
			at--;
		}
		fitting[at] = i;
		count++;
	}
	trace_line(&s->trace, "usage %s: %u route%s", usage->name, count, count == 1 ? "" : "s");
	for (unsigned i = 0; i < count; i++) {
		const struct route_config *route = &cfg->route[fitting[i]];

		if (count > 1)
			trace_line(&s->trace, "usage %s: routes[%u] \"%s\", cost %u", usage->name,
				fitting[i], route->name, route->cost);
		take(s, fitting[i]);
		if (!route->goes_on)
			return false;
	}
	return true;
}

static void walk(struct search *s)
{
	const struct peer_config *from = s->query->from;

	if (s->out->is_emergency) {
		trace_line(&s->trace, "an emergency call");
		if (!walk_routes(s, true))
			return;
	}
	if (!from->usage_count) {
		walk_routes(s, false);
		return;
	}
	for (unsigned i = 0; i < from->usage_count; i++) {
		if (!walk_usage(s, &s->cfg->usage[from->usage[i]]))
			return;
	}
}

static void conclude(struct search *s)
{
	struct route_result *out = s->out;

	if (out->candidate_count)
		out->verdict = ROUTE_FOUND;
	else
		out->verdict = out->route ? ROUTE_DENIED : ROUTE_NONE;
	trace_line(&s->trace, "%u of %u routes came into question", s->tried, s->cfg->route_count);
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
		.seed = query->seed,
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
	walk(&s);
	conclude(&s);
}
