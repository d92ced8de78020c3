/* SPDX-License-Identifier: BSD-2-Clause */
/* The routes, and where a call would go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/strbuf.h"
#include "control/request.h"
#include "route/number.h"

#define TRACE_LINE_MAX 200 /* bytes, NUL included: all of VDC_TRACE_MAX fit in one datagram */
#define NAMES_MAX      16  /* names shown of one list */

/* ---- the routes ---- */

/* "a, b, c"; a long list is cut at its end. */
static void put_from(struct answer *a, const struct config *cfg, const struct route_config *route)
{
	struct strbuf names = {0};

	for (unsigned i = 0; i < route->from_count && i < NAMES_MAX; i++)
		strbuf_addf(&names, "%s%s", i ? ", " : "", cfg->peer[route->from[i]].name);
	if (route->from_count > NAMES_MAX)
		strbuf_addf(&names, ", and %u more", route->from_count - NAMES_MAX);
	if (names.s && !strbuf_error(&names))
		answer_put_text(a, VDC_ROUTE_FROM, names.s);
	strbuf_free(&names);
}

static void put_times(struct answer *a, const struct config *cfg, const struct route_config *route)
{
	struct nlattr *list;

	if (!route->time_count)
		return;
	list = answer_nest(a, VDC_ROUTE_TIMES);
	for (unsigned i = 0; i < route->time_count && i < NAMES_MAX; i++)
		answer_put_text(a, (int)i + 1, cfg->time[route->time[i]].name);
	answer_nest_end(a, list);
}

static void put_to(struct answer *a, const struct config *cfg, const struct route_config *route)
{
	struct nlattr *list;

	if (!route->to_count)
		return;
	list = answer_nest(a, VDC_ROUTE_TO);
	for (unsigned i = 0; i < route->to_count; i++)
		answer_put_text(a, (int)i + 1,
			route->to[i].is_group ? cfg->group[route->to[i].index].name
					      : cfg->peer[route->to[i].index].name);
	answer_nest_end(a, list);
}

static void put_route(struct request *r, const struct config *cfg, unsigned index)
{
	const struct route_config *route = &cfg->route[index];
	struct answer *a = r->answer;

	answer_put_u32(a, VDC_ROUTE_INDEX, index);
	if (route->name && *route->name)
		answer_put_text(a, VDC_ROUTE_NAME, route->name);
	put_from(a, cfg, route);
	answer_put_text(a, VDC_ROUTE_CALLED, route->called.text);
	answer_put_text(a, VDC_ROUTE_CALLING, route->calling.text);
	put_to(a, cfg, route);
	answer_put_bool(a, VDC_ROUTE_TRUNK_TO_TRUNK, route->trunk_to_trunk);
	answer_put_bool(a, VDC_ROUTE_EMERGENCY, route->emergency);
	put_times(a, cfg, route);
	answer_put_bool(a, VDC_ROUTE_IN_USAGE, route->in_usage);
	if (route->in_usage)
		answer_put_u32(a, VDC_ROUTE_COST, route->cost);
	answer_put_text(a, VDC_ROUTE_ON_FAILURE, route->goes_on ? "next" : "stop");
	if (route->caller.number)
		answer_put_text(a, VDC_ROUTE_CALLER_NUMBER, route->caller.number);
	if (route->caller.name)
		answer_put_text(a, VDC_ROUTE_CALLER_NAME, route->caller.name);
	if (route->caller.suppress)
		answer_put_bool(a, VDC_ROUTE_CALLER_SUPPRESS, true);
}

int show_routes(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);

	return show_indexed(r, cfg, cfg->route_count, VDC_ROUTE, put_route);
}

/* ---- where a call would go ---- */

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

/* A test, as far as it came. */
struct test {
	const struct config *cfg;
	struct numbers received, routed;
	struct route_result result;
	struct trace trace;
	const char *verdict;
	uint32_t code; /* SIP response where nobody would be asked, else 0 */
};

static void put_peers(struct answer *a, const struct route_result *result)
{
	struct nlattr *list = answer_nest(a, VDC_DECISION_TO);

	for (unsigned i = 0; i < result->candidate_count; i++)
		answer_put_text(a, (int)i + 1, result->candidate[i].peer->name);
	answer_nest_end(a, list);
}

static void put_candidates(struct request *r, struct test *test)
{
	const struct route_result *result = &test->result;
	struct answer *a = r->answer;
	struct nlattr *list, *one;

	list = answer_nest(a, VDC_DECISION_CANDIDATES);
	for (unsigned i = 0; i < result->candidate_count; i++) {
		const struct route_candidate *c = &result->candidate[i];
		struct numbers sent;
		int ret = numbers_out(
			c, result->is_emergency, &test->routed, &sent, keep_line, &test->trace);

		one = answer_nest(a, (int)i + 1);
		answer_put_text(a, VDC_CANDIDATE_PEER, c->peer->name);
		if (c->route->name && c->route->name[0])
			answer_put_text(a, VDC_CANDIDATE_ROUTE, c->route->name);
		answer_put_u32(a, VDC_CANDIDATE_PRIORITY, c->priority);
		if (!ret) {
			answer_put_text(a, VDC_CANDIDATE_CALLING, sent.calling);
			answer_put_text(a, VDC_CANDIDATE_CALLED, sent.called);
		}
		answer_nest_end(a, one);
	}
	answer_nest_end(a, list);
}

/* What each candidate would get is left out where it does not fit into the answer. */
static void put_decision(struct request *r, struct test *test, bool with_candidates)
{
	const struct route_result *result = &test->result;
	struct answer *a = r->answer;

	answer_put_text(a, VDC_DECISION_VERDICT, test->verdict);
	if (test->code)
		answer_put_u32(a, VDC_DECISION_CODE, test->code);
	if (result->route) {
		answer_put_u32(a, VDC_DECISION_INDEX, result->route_index);
		if (result->route->name && *result->route->name)
			answer_put_text(a, VDC_DECISION_ROUTE, result->route->name);
	}
	answer_put_text(a, VDC_DECISION_CALLING, test->routed.calling);
	answer_put_text(a, VDC_DECISION_CALLED, test->routed.called);
	answer_put_bool(a, VDC_DECISION_EMERGENCY, result->is_emergency);
	if (result->candidate_count)
		put_peers(a, result);
	if (result->candidate_count && with_candidates)
		put_candidates(r, test);
	put_trace(a, &test->trace);
}

/* RFC 3261 21.4.5, 21.4.4, 21.5.4 */
static void conclude(struct test *test)
{
	switch (test->result.verdict) {
	case ROUTE_FOUND:
		test->verdict = "found";
		if (!test->result.candidate_count)
			test->code = 503;
		break;
	case ROUTE_DENIED:
		test->verdict = "denied";
		test->code = 403;
		break;
	default:
		test->verdict = "none";
		test->code = 404;
		break;
	}
}

/* The way of a call, as the call room goes it. */
static void run(struct request *r, struct test *test, const struct peer_config *from, int64_t at)
{
	struct peers_choice choice;
	struct route_query query = {.from = from, .dialled = test->received.called, .at = at};

	if (numbers_in(from, &test->received, &test->routed, keep_line, &test->trace)) {
		test->verdict = "refused";
		test->code = 404;
		return;
	}
	query.calling = test->routed.calling;
	query.called = test->routed.called;
	route_find(test->cfg, &query, &test->result, keep_line, &test->trace);
	if (test->result.verdict == ROUTE_FOUND) {
		/* What the peers' states make of the order. */
		calls_order(r->control->calls, &test->result, &choice, keep_line, &test->trace);
		if (!choice.count)
			keep_line(&test->trace, "no peer of the route takes calls now: 503");
	}
	conclude(test);
}

static int take_number(
	struct request *r, char out[NUMBER_MAX + 1], const struct nlattr *attr, const char *what)
{
	const char *number = attr ? nla_get_string((struct nlattr *)attr) : "";

	if (strlen(number) > NUMBER_MAX)
		return request_fail(
			r, -EINVAL, "the %s number is longer than %d bytes", what, NUMBER_MAX);
	strcpy(out, number);
	return 0;
}

int test_route(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);
	const char *from = nla_get_string(r->attr[VDC_REQUEST_FROM]);
	const struct peer_config *peer = config_peer_by_name(cfg, from);
	int64_t at = (int64_t)time(NULL);
	struct test *test;
	int ret;

	if (!peer)
		return request_fail(r, -ENOENT, "no peer is named %s", from);
	test = calloc(1, sizeof(*test));
	if (!test)
		return -ENOMEM;
	test->cfg = cfg;
	if (r->attr[VDC_REQUEST_AT])
		at = (int64_t)nla_get_u64(r->attr[VDC_REQUEST_AT]);
	ret = take_number(r, test->received.called, r->attr[VDC_REQUEST_NUMBER], "called");
	if (!ret)
		ret = take_number(
			r, test->received.calling, r->attr[VDC_REQUEST_CALLING], "calling");
	if (!ret) {
		run(r, test, peer, at);
		r->has_objects = true;
		answer_begin_object(r->answer, VDC_DECISION);
		put_decision(r, test, true);
		ret = answer_end_object(r->answer);
		if (ret) {
			answer_begin_object(r->answer, VDC_DECISION);
			put_decision(r, test, false);
			ret = answer_end_object(r->answer);
		}
	}
	free(test);
	return ret;
}
