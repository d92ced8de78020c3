/* SPDX-License-Identifier: BSD-2-Clause */
#include "ending.h"

#include <stddef.h>

#include "base/log.h"

#define GRACE_MS      1000 /* for BYEs and the like to be answered */
#define POLL_MS       20
#define DRAIN_POLL_MS 200

static struct ending *of_timer(struct loop_timer *t)
{
	return (struct ending *)((char *)t - offsetof(struct ending, timer));
}

void ending_init(struct ending *e, struct loop *loop, struct calls *calls)
{
	*e = (struct ending){.loop = loop, .calls = calls};
}

static bool all_is_said(const struct ending *e)
{
	if (e->how == STOP_LEAVE)
		return calls_under_way(e->calls) == 0;
	return calls_count(e->calls) == 0 && peers_leaving(calls_peers(e->calls)) == 0;
}

static void poll_until_said(struct loop_timer *t)
{
	struct ending *e = of_timer(t);

	if (all_is_said(e) || loop_now_ms(e->loop) >= e->deadline_ms ||
		loop_timer_start(e->loop, t, POLL_MS))
		loop_stop(e->loop);
}

static void begin(struct ending *e, enum stop_mode how)
{
	loop_timer_stop(e->loop, &e->timer);
	e->state = ENDING_BEGUN;
	e->how = how;
	e->deadline_ms = loop_now_ms(e->loop) + GRACE_MS;
	if (how == STOP_LEAVE) {
		calls_leave(e->calls);
		log_info("stopping: %u calls are left to the next daemon",
			calls_count(e->calls) - calls_under_way(e->calls));
	} else {
		log_info("stopping: %u calls to end", calls_count(e->calls));
		calls_shutdown(e->calls);
		peers_shutdown(calls_peers(e->calls));
	}
	e->timer.fire = poll_until_said;
	/* Not at once: who asked for it by the control socket is answered first. */
	if (loop_timer_start(e->loop, &e->timer, 0))
		loop_stop(e->loop);
}

static void poll_drain(struct loop_timer *t)
{
	struct ending *e = of_timer(t);

	if (calls_count(e->calls) == 0 || loop_timer_start(e->loop, t, DRAIN_POLL_MS))
		begin(e, STOP_NOW);
}

static int drain(struct ending *e)
{
	int ret;

	e->timer.fire = poll_drain;
	ret = loop_timer_start(e->loop, &e->timer, POLL_MS);
	if (ret)
		return ret;
	log_info("draining: %u calls to wait for", calls_count(e->calls));
	e->state = ENDING_DRAINS;
	e->how = STOP_DRAIN;
	calls_drain(e->calls);
	return 0;
}

int ending_begin(struct ending *e, enum stop_mode how)
{
	if (e->state == ENDING_BEGUN || (e->state == ENDING_DRAINS && how == STOP_DRAIN))
		return 0;
	if (how == STOP_DRAIN)
		return drain(e);
	begin(e, how);
	return 0;
}

bool ending_begun(const struct ending *e, enum stop_mode *how)
{
	*how = e->how;
	return e->state != ENDING_NOT;
}
