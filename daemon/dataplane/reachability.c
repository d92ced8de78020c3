/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/reachability.h"

#include "base/log.h"

#include <utlist.h>

/* From the last answer of one that falls silent until it is left pass at most CONFIRM_MS, and
 * ANSWER_MS twice: 900 ms, and the pace. */
#define CONFIRM_MS       400  /* from a request that was answered to the next */
#define ANSWER_MS        250  /* a request is unanswered then */
#define SILENT_MS        700  /* from a request that was not answered to the next */
#define IMPOSED_MS       5000 /* until it is looked whether the entry is the kernel's finding now */
#define RETURN_ANSWERS   5    /* in a row, until one that was silent is taken again */
#define ASK_ALL_MS       60000 /* everybody is asked where requests to one alone are not made */
#define PACE_MS          8     /* between asks: 125 a second, … */
#define PACE_BATCH_MS    64    /* … of hosts on the link those together that fall into this */
#define OTHERS_IN_TURNS  4     /* of so many turns hosts on the link have one, whoever else waits */
#define EXAMINED_SOON_MS 20

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* ---- queues ---- */

static void schedule(struct nexthop_table *t)
{
	uint64_t now = loop_now_ms(t->loop), due = UINT64_MAX;

	for (unsigned i = 0; i < QUEUE_COUNT; i++) {
		uint64_t of_first = t->queue[i] ? t->queue[i]->reach.due_ms : UINT64_MAX,
			 pace = t->pace_ms;

		if (i != QUEUE_GATEWAYS)
			pace += PACE_BATCH_MS - PACE_MS;
		if (of_first < pace)
			of_first = pace;
		if (of_first < due)
			due = of_first;
	}
	if (due == UINT64_MAX) {
		loop_timer_stop(t->loop, &t->turn);
		return;
	}
	loop_timer_start(t->loop, &t->turn, due > now ? due - now : 0);
}

static void unqueue(struct nexthop_table *t, struct neighbour *n)
{
	DL_DELETE2(t->queue[n->reach.queue], n, reach.prev, reach.next);
}

static enum reachability_queue queue_of(const struct neighbour *n)
{
	if (n->used_as_gateway)
		return QUEUE_GATEWAYS;
	return n->reach.stage == REACHABILITY_ASKED ? QUEUE_UNANSWERED : QUEUE_OTHERS;
}

/* Those that wait for the future are as many as were asked within SILENT_MS: the way from the end
 * is short. */
static void enqueue(struct nexthop_table *t, struct neighbour *n, uint64_t due)
{
	struct neighbour **queue, *before;

	n->reach.queue = queue_of(n);
	n->reach.due_ms = due;
	queue = &t->queue[n->reach.queue];
	if (!*queue || due < (*queue)->reach.due_ms) {
		DL_PREPEND2(*queue, n, reach.prev, reach.next);
		return;
	}
	before = (*queue)->reach.prev; /* the last */
	while (before->reach.due_ms > due)
		before = before->reach.prev;
	DL_APPEND_ELEM2(*queue, before, n, reach.prev, reach.next);
}

static void wait_until(
	struct nexthop_table *t, struct neighbour *n, enum reachability_stage stage, uint64_t due)
{
	unqueue(t, n);
	n->reach.stage = stage;
	enqueue(t, n, due);
	schedule(t);
}

/* ---- what follows ---- */

unsigned reachability_rank(const struct neighbour *n)
{
	if (!neighbour_usable(n))
		return 0;
	if (n->reach.silent)
		return n->reach.answers ? 2 : 1;
	return 3;
}

bool reachability_is_open(const struct neighbour *n)
{
	return n->reach.stage == REACHABILITY_ASKED_ALL || n->reach.unanswered_since_ms;
}

bool reachability_keeps(const struct nexthop_table *t, const struct neighbour *n)
{
	const struct reachability *r = &n->reach;
	uint64_t since = r->unanswered_since_ms;

	if (r->stage == REACHABILITY_UNWATCHED)
		return false;
	return !since || loop_now_ms(t->loop) < since + NEIGHBOUR_GRACE_MS;
}

static bool is_taken_as_gateway(const struct neighbour *n)
{
	const struct way *w;

	DL_FOREACH (n->ways, w) {
		if (w->destination->neighbour == n &&
			!addr_equal_ip(&w->destination->key.dst, &n->key.ip))
			return true;
	}
	return false;
}

static void fail(struct nexthop_table *t, struct neighbour *n)
{
	n->reach.failed_at_ms = loop_now_ms(t->loop);
	t->ops.neighbour_fail(t->ops.ctx, n->key.ifindex, &n->key.ip);
}

static void fall_silent(struct nexthop_table *t, struct neighbour *n)
{
	char text[ADDR_TEXT_MAX];

	n->reach.silent = true;
	n->reach.answers = 0;
	if (n->has_mac)
		log_limited(LOG_LEVEL_INFO, "dataplane: next hop %s does not answer",
			addr_print_ip(&n->key.ip, text));
	nexthop_neighbour_moved(t, n);
	/* Whether there is another router the kernel tells once it has given up this one. */
	if (n->key.ip.family == 6 && is_taken_as_gateway(n))
		fail(t, n);
}

/* ---- asking ---- */

static void leave_alone(struct nexthop_table *t, struct neighbour *n)
{
	unsigned rank = reachability_rank(n);

	n->reach.unanswered_since_ms = 0;
	n->reach.silent = false;
	if (reachability_rank(n) != rank)
		nexthop_neighbour_moved(t, n);
	wait_until(t, n, REACHABILITY_RESTS, loop_now_ms(t->loop) + IMPOSED_MS);
}

static void ask_all(struct nexthop_table *t, struct neighbour *n)
{
	struct reachability *r = &n->reach;
	uint64_t now = loop_now_ms(t->loop), since = r->unanswered_since_ms;

	/* As often as the kernel would by itself: each request begins anew with its three. */
	if (since < r->failed_at_ms)
		since = since ? r->failed_at_ms : 0;
	if (since && since + NEIGHBOUR_GRACE_MS <= now)
		fail(t, n);
	if (!t->ops.neighbour_ask_anew(t->ops.ctx, n->key.ifindex, &n->key.ip)) {
		leave_alone(t, n);
		return;
	}
	r->asked_at_ms = now;
	wait_until(t, n, REACHABILITY_ASKED_ALL, now + ANSWER_MS);
}

static void confirm(struct nexthop_table *t, struct neighbour *n)
{
	uint64_t now = loop_now_ms(t->loop);

	if (!t->ops.neighbour_confirm(t->ops.ctx, n->key.ifindex, &n->key.ip)) {
		leave_alone(t, n);
		return;
	}
	n->reach.asked_at_ms = now;
	wait_until(t, n, REACHABILITY_ASKED, now + ANSWER_MS);
}

/* The kernel goes back to a router that is asked for: all that are behind this one come first. */
static bool may_be_left_for_another(const struct nexthop_table *t, const struct neighbour *n)
{
	return t->dirty && n->reach.silent && n->used_as_gateway;
}

/* Returns whether it was asked. */
static bool ask(struct nexthop_table *t, struct neighbour *n)
{
	uint64_t now = loop_now_ms(t->loop);

	if (may_be_left_for_another(t, n)) {
		wait_until(t, n, REACHABILITY_RESTS, now + EXAMINED_SOON_MS);
		return false;
	}
	if (neighbour_state_has_mac(n->state) && n->reach.ask_all_until_ms <= now)
		confirm(t, n);
	else
		ask_all(t, n);
	return true;
}

/* Returns whether it was asked again. */
static bool go_unanswered(struct nexthop_table *t, struct neighbour *n)
{
	struct reachability *r = &n->reach;
	unsigned rank = reachability_rank(n);

	if (!r->unanswered_since_ms)
		r->unanswered_since_ms = r->asked_at_ms;
	r->answers = 0;
	if (reachability_rank(n) != rank)
		nexthop_neighbour_moved(t, n);
	if (r->stage == REACHABILITY_ASKED) {
		ask_all(t, n);
		return true;
	}
	wait_until(t, n, REACHABILITY_RESTS, r->asked_at_ms + SILENT_MS);
	if (!r->silent)
		fall_silent(t, n);
	return false;
}

/* Returns whether something was asked. */
static bool take_turn(struct nexthop_table *t, struct neighbour *n)
{
	if (!neighbour_egress_is_up(t, n)) {
		wait_until(t, n, REACHABILITY_RESTS, loop_now_ms(t->loop) + CONFIRM_MS);
		return false;
	}
	if (n->reach.stage == REACHABILITY_RESTS)
		return ask(t, n);
	/* On a busy machine the answer may be there, and not have been told yet. */
	neighbour_read(t, n);
	if (n->reach.stage == REACHABILITY_RESTS)
		return false;
	return go_unanswered(t, n);
}

static struct neighbour *next_turn(struct nexthop_table *t)
{
	static const enum reachability_queue usual[QUEUE_COUNT] = {QUEUE_GATEWAYS, QUEUE_UNANSWERED,
		QUEUE_OTHERS},
					     others_first[QUEUE_COUNT] = {QUEUE_UNANSWERED,
						     QUEUE_OTHERS, QUEUE_GATEWAYS};
	const enum reachability_queue *order =
		t->turns % OTHERS_IN_TURNS == 0 ? others_first : usual;

	for (unsigned i = 0; i < QUEUE_COUNT; i++) {
		struct neighbour *n = t->queue[order[i]];

		if (n && n->reach.due_ms <= loop_now_ms(t->loop))
			return n;
	}
	return NULL;
}

static void turn_fire(struct loop_timer *timer)
{
	struct nexthop_table *t = container_of(timer, struct nexthop_table, turn);
	struct neighbour *n;
	uint64_t now;

	/* The round may have been long: what is asked now has ANSWER_MS from now. */
	loop_see_time(t->loop);
	now = loop_now_ms(t->loop);
	if (t->pace_ms + PACE_BATCH_MS < now)
		t->pace_ms = now - PACE_BATCH_MS;
	while (t->pace_ms <= now && (n = next_turn(t))) {
		if (!take_turn(t, n))
			continue;
		t->turns++;
		t->pace_ms += PACE_MS;
	}
	schedule(t);
}

/* ---- what is told ---- */

void reachability_init(struct nexthop_table *t)
{
	t->turn.fire = turn_fire;
}

/* Whoever has to be looked for was looked for when it was made. */
void reachability_watch(struct nexthop_table *t, struct neighbour *n)
{
	uint64_t now = loop_now_ms(t->loop);
	struct reachability *r = &n->reach;

	if (r->stage != REACHABILITY_UNWATCHED) {
		/* It may have become a gateway, or be none any more. */
		if (r->queue != queue_of(n))
			wait_until(t, n, r->stage, r->due_ms);
		return;
	}
	r->stage = n->has_mac ? REACHABILITY_RESTS : REACHABILITY_ASKED_ALL;
	r->asked_at_ms = now;
	enqueue(t, n, n->has_mac ? now : now + ANSWER_MS);
	schedule(t);
}

void reachability_unwatch(struct nexthop_table *t, struct neighbour *n)
{
	if (n->reach.stage == REACHABILITY_UNWATCHED)
		return;
	unqueue(t, n);
	n->reach.stage = REACHABILITY_UNWATCHED;
	n->reach.unanswered_since_ms = 0;
	n->reach.answers = 0;
	schedule(t);
}

/* Returns whether it is one of those that are taken again now. */
static bool answers_for_long(struct reachability *r)
{
	if (!r->silent || ++r->answers < RETURN_ANSWERS)
		return false;
	r->silent = false;
	return true;
}

void reachability_heard(struct nexthop_table *t, struct neighbour *n)
{
	struct reachability *r = &n->reach;
	unsigned rank = reachability_rank(n);
	uint64_t now = loop_now_ms(t->loop);

	if (r->stage == REACHABILITY_UNWATCHED)
		return;
	if (r->stage == REACHABILITY_RESTS) {
		if (r->unanswered_since_ms)
			wait_until(t, n, REACHABILITY_RESTS, now);
		return;
	}
	if (r->failed_at_once && r->stage == REACHABILITY_ASKED_ALL)
		r->ask_all_until_ms = now + ASK_ALL_MS;
	r->failed_at_once = false;
	r->unanswered_since_ms = 0;
	wait_until(t, n, REACHABILITY_RESTS, r->asked_at_ms + CONFIRM_MS);
	if (answers_for_long(r))
		neighbour_is_back(t, n);
	if (reachability_rank(n) != rank)
		nexthop_neighbour_moved(t, n);
}

void reachability_lost(struct nexthop_table *t, struct neighbour *n)
{
	struct reachability *r = &n->reach;
	bool failed = n->state == NEIGHBOUR_FAILED;
	uint64_t now = loop_now_ms(t->loop);

	if (r->stage != REACHABILITY_ASKED &&
		(r->stage != REACHABILITY_RESTS || r->unanswered_since_ms))
		return;
	if (r->stage == REACHABILITY_ASKED && !failed)
		return;
	wait_until(t, n, r->stage, now);
	if (!failed)
		return;
	/* At once: the device is set to make no such requests, or few. What was told as its answer
	 * may have been an earlier one's. */
	if (r->stage == REACHABILITY_ASKED || now < r->asked_at_ms + ANSWER_MS) {
		r->failed_at_once = true;
		return;
	}
	/* The kernel asked three times by itself. */
	r->unanswered_since_ms = now;
	if (!r->silent)
		fall_silent(t, n);
}

void reachability_asked_all(struct nexthop_table *t, struct neighbour *n)
{
	uint64_t now = loop_now_ms(t->loop);

	if (n->reach.stage == REACHABILITY_UNWATCHED)
		return;
	n->reach.asked_at_ms = now;
	wait_until(t, n, REACHABILITY_ASKED_ALL, now + ANSWER_MS);
}
