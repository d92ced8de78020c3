/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/notify.h"

#include <stdio.h>

#include "call/own_request.h"

static bool send_one(struct subscription *s, int code);

static void answered(void *ctx, int code, osip_message_t *resp, const char *answer)
{
	struct subscription *s = ctx;
	int queued = s->queued;

	(void)resp;
	(void)answer;
	s->x = NULL;
	s->queued = 0;
	/* RFC 6665 4.2.2: a NOTIFY that fails ends the subscription. */
	if (code >= 300 || s->told >= 200 || (queued && !send_one(s, queued)))
		s->is_over = true;
	if (s->is_over && s->over)
		s->over(s->ctx);
}

static bool send_one(struct subscription *s, int code)
{
	uint64_t now = loop_now_ms(s->call->calls->loop);
	uint64_t left = s->expires_ms > now ? (s->expires_ms - now) / 1000 : 0;
	const char *phrase = osip_message_get_reason(code);
	char event[32] = "refer", state[48], body[96];
	struct own_request r = {.call = s->call,
		.to = s->leg,
		.method = "NOTIFY",
		.header = {{"Event", event}, {"Subscription-State", state}},
		.content_type = "message/sipfrag;version=2.0",
		.body = body,
		.done = answered,
		.ctx = s};

	if (s->id)
		snprintf(event, sizeof(event), "refer;id=%u", s->id);
	if (code < 200)
		snprintf(state, sizeof(state), "active;expires=%llu", (unsigned long long)left);
	else
		snprintf(state, sizeof(state), "terminated;reason=noresource");
	snprintf(body, sizeof(body), "SIP/2.0 %d %s\r\n", code, phrase ? phrase : "Unknown");
	s->told = code;
	return own_request_send(&r, &s->x) == 0;
}

bool subscription_tell(struct subscription *s, int code)
{
	if (s->is_over)
		return false;
	if (s->x)
		s->queued = code;
	else if (!send_one(s, code))
		s->is_over = true;
	return !s->is_over;
}

void subscription_stop(struct subscription *s)
{
	s->is_over = true;
	if (s->x)
		own_request_cancel(s->x);
	s->x = NULL;
}
