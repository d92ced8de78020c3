/* SPDX-License-Identifier: BSD-2-Clause */
/* A leg whose media was led elsewhere is led back to what the call's session says. Its dialog
 * stands while it does not follow (RFC 3261 14.1): it is asked some times more before the call, in
 * which nobody hears it, ends. The next daemon goes on with it. */
#include <errno.h>

#include "call/end.h"
#include "call/own_request.h"

#define RESTORE_TRIES   4
#define RESTORE_WAIT_MS 2000

static void ask(struct restore *r);

static void fire(struct loop_timer *t)
{
	ask((struct restore *)((char *)t - offsetof(struct restore, timer)));
}

/* Whether another time may fare better. */
static bool may_pass(int code)
{
	return code == SIP_REQUEST_PENDING || code == SIP_INTERNAL_SERVER_ERROR ||
	       code == SIP_SERVICE_UNAVAILABLE || code == SIP_SERVER_TIME_OUT;
}

/* False where it was the last try. */
static bool ask_later(struct restore *r)
{
	return ++r->tries < RESTORE_TRIES &&
	       loop_timer_start(r->call->calls->loop, &r->timer, RESTORE_WAIT_MS) == 0;
}

static void asked(void *ctx, int code, osip_message_t *resp, const char *answer)
{
	struct restore *r = ctx;
	struct call *call = r->call;

	(void)resp;
	(void)answer;
	if (code < 300) {
		r->tries = 0;
		r->is_due = false;
		call_touch(call);
		return;
	}
	if (call->state == CALL_ANSWERED && !(may_pass(code) && ask_later(r)))
		call_end(call, LEG_NONE, "SIP;cause=488;text=\"Media cannot be restored\"",
			"a leg's media could not be led back");
}

static void ask(struct restore *r)
{
	struct call *call = r->call;
	const struct own_request request = {.call = call,
		.to = r->leg,
		.method = "INVITE",
		.media = call->media,
		.offerer = OTHER_LEG(r->leg),
		.done = asked,
		.ctx = r};
	int ret = own_request_send(&request, NULL);

	/* -EINVAL: there is no such leg any more. */
	if (ret && ret != -EINVAL && !ask_later(r))
		call_end(call, LEG_NONE, "SIP;cause=500", "a leg's media could not be led back");
}

void own_request_restore(struct call *call, enum leg leg)
{
	struct restore *r = &call->restore[leg];

	r->call = call;
	r->leg = leg;
	r->tries = 0;
	r->is_due = true;
	call_touch(call);
	r->timer.fire = fire;
	/* From the loop: whoever asks for it may hold what an end of the call would free. */
	loop_timer_start(call->calls->loop, &r->timer, 0);
}

void own_request_restore_stop(struct call *call, enum leg leg)
{
	call->restore[leg].is_due = false;
	loop_timer_stop(call->calls->loop, &call->restore[leg].timer);
}
