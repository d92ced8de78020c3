/* SPDX-License-Identifier: BSD-2-Clause */
/* The route of a call, and its candidates in the order that the states of their peers make of it.
 */
#include <string.h>
#include <time.h>

#include "base/token.h"
#include "call/internal.h"
#include "call/refer.h"

_Static_assert(ROUTE_CANDIDATES_MAX <= PEERS_ORDER_MAX, "every candidate has a place");

void call_find_route(const struct call *call, struct route_result *out)
{
	const struct route_query query = {.from = call->asking ? call->asking : call->peer[LEG_A],
		.calling = call->routed.calling,
		.called = call->routed.called,
		.dialled = call->to,
		.at = (int64_t)time(NULL),
		.seed = token_random64()};

	if (refer_back_of(call))
		refer_back_find(call, out);
	else
		route_find(call->cfg, &query, out, NULL, NULL);
}

void calls_order(struct calls *calls, struct route_result *route, struct peers_choice *choice,
	peers_trace_fn *trace, void *trace_ctx)
{
	struct peers_place place[ROUTE_CANDIDATES_MAX];
	struct route_candidate candidate[ROUTE_CANDIDATES_MAX] = {0};

	memcpy(candidate, route->candidate, sizeof(candidate));
	for (unsigned i = 0; i < route->candidate_count; i++)
		place[i] = (struct peers_place){
			.peer = candidate[i].peer, .priority = candidate[i].priority};
	peers_order(calls->peers, place, route->candidate_count, route->is_emergency, choice, trace,
		trace_ctx);
	for (unsigned i = 0; i < choice->count; i++)
		route->candidate[i] = candidate[choice->order[i]];
	route->candidate_count = choice->count;
}
