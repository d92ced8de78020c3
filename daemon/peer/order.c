/* SPDX-License-Identifier: BSD-2-Clause */
/* The peers of a route in the order that their states make of it. */
#include <stdarg.h>
#include <stdio.h>

#include "peer/internal.h"

#define TRACE_MAX 256 /* bytes of a line */

struct place {
	const char *name;
	const struct peer *peer; /* NULL: a reload has removed it */
	unsigned priority;
	unsigned index;
};

struct trace {
	peers_trace_fn *fn;
	void *ctx;
};

static void trace(const struct trace *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void trace(const struct trace *t, const char *fmt, ...)
{
	char line[TRACE_MAX];
	va_list ap;

	if (!t->fn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	t->fn(t->ctx, line);
}

/* Within each priority, first those that are up, then those that are failing. */
static void take_able(
	const struct place *in, unsigned count, struct peers_choice *choice, const struct trace *t)
{
	unsigned end;

	for (unsigned begin = 0; begin < count; begin = end) {
		end = begin;
		while (end < count && in[end].priority == in[begin].priority)
			end++;
		for (enum peer_state want = PEER_UP; want <= PEER_FAILING; want++) {
			for (unsigned i = begin; i < end; i++) {
				if (!in[i].peer || in[i].peer->state != want)
					continue;
				if (want == PEER_FAILING)
					trace(t,
						"%s is failing, so it comes after the others of "
						"its "
						"priority: %s",
						in[i].name, in[i].peer->why);
				choice->order[choice->count++] = in[i].index;
			}
		}
	}
}

static void take_last_resort(const struct place *in, unsigned count, bool is_emergency,
	struct peers_choice *choice, const struct trace *t)
{
	for (unsigned i = 0; i < count; i++) {
		if (!in[i].peer || !peer_is_last_resort(in[i].peer, is_emergency))
			continue;
		trace(t, "%s is tried all the same: nobody else is left", in[i].name);
		choice->order[choice->count++] = in[i].index;
	}
	choice->last_resort = choice->count > 0;
}

static unsigned shortest_pause(const struct place *in, unsigned count)
{
	unsigned shortest = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned s = in[i].peer ? peer_retry_after_s(in[i].peer) : 0;

		if (s && (!shortest || s < shortest))
			shortest = s;
	}
	return shortest;
}

void peers_order(struct peers *peers, const struct peers_place *place, unsigned count,
	bool is_emergency, struct peers_choice *choice, peers_trace_fn *trace_fn, void *trace_ctx)
{
	const struct trace t = {.fn = trace_fn, .ctx = trace_ctx};
	struct place in[PEERS_ORDER_MAX];

	*choice = (struct peers_choice){0};
	for (unsigned i = PEERS_ORDER_MAX; i < count; i++)
		trace(&t, "%s left out: more than %d peers", place[i].peer->name, PEERS_ORDER_MAX);
	if (count > PEERS_ORDER_MAX)
		count = PEERS_ORDER_MAX;
	for (unsigned i = 0; i < count; i++) {
		const char *name = place[i].peer->name;
		const struct peer *peer = peer_of(peers, place[i].peer);

		in[i] = (struct place){
			.name = name, .peer = peer, .priority = place[i].priority, .index = i};
		if (!peer || !peer_takes_calls(peer))
			trace(&t, "%s takes no calls, it is %s: %s", name,
				peer ? peer_state_name(peer->state) : "gone",
				peer ? peer->why : "a reload has removed it");
	}
	take_able(in, count, choice, &t);
	if (!choice->count)
		take_last_resort(in, count, is_emergency, choice, &t);
	if (!choice->count)
		choice->retry_after_s = shortest_pause(in, count);
}
