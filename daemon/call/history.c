/* SPDX-License-Identifier: BSD-2-Clause */
/* What a call leaves behind for its record: when it came to what, which peers were tried, how it
 * ended. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call/internal.h"

static uint64_t wall_clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void history_begin(struct call *call)
{
	call->history.setup_ms = wall_clock_ms();
}

void history_ring(struct call *call)
{
	if (!call->history.ring_ms)
		call->history.ring_ms = wall_clock_ms();
}

void history_attempt(struct call *call, const struct peer_config *peer)
{
	struct history *h = &call->history;
	struct call_attempt *attempt =
		realloc(h->attempt, (h->attempt_count + 1) * sizeof(struct call_attempt));

	if (!attempt)
		return;
	h->attempt = attempt;
	attempt[h->attempt_count++] =
		(struct call_attempt){.peer = peer->name, .start_ms = wall_clock_ms()};
}

void history_attempt_over(struct call *call, int code)
{
	struct history *h = &call->history;
	struct call_attempt *attempt = h->attempt_count ? &h->attempt[h->attempt_count - 1] : NULL;

	if (!attempt || attempt->end_ms)
		return;
	attempt->end_ms = wall_clock_ms();
	attempt->code = code;
	if (code >= 200 && code < 300)
		h->answer_ms = attempt->end_ms;
}

static const char *who(int by)
{
	return by == LEG_A ? "a" : by == LEG_B ? "b" : "viaduct";
}

void history_end(struct call *call, const struct ending *end)
{
	const struct calls *calls = call->calls;
	const struct history *h = &call->history;
	struct media_stream_info stream[MEDIA_STREAMS_MAX];
	struct call_record record = {.id = call->id, .from = call->from, .to = call->to};
	struct call_info info;
	unsigned count;

	if (!calls->record)
		return;
	history_attempt_over(call, 0);
	call_get_info(call, &info);
	record.peer = call->peer[LEG_A]->name;
	record.route = info.route;
	record.setup_ms = h->setup_ms;
	record.ring_ms = h->ring_ms;
	record.answer_ms = h->answer_ms;
	record.end_ms = wall_clock_ms();
	record.code = end->code;
	record.ended_by = who(end->by);
	record.why = end->why;
	record.reason = end->reason;
	record.leg[LEG_A] = info.leg[LEG_A];
	record.leg[LEG_B] = info.leg[LEG_B];
	record.attempt = h->attempt;
	record.attempt_count = h->attempt_count;
	count = call->media ? media_stream_count(call->media) : 0;
	for (unsigned i = 0; i < count && record.stream_count < MEDIA_STREAMS_MAX; i++) {
		if (media_stream_info(call->media, i, &stream[record.stream_count]) == 0)
			record.stream_count++;
	}
	record.stream = stream;
	calls->record(calls->record_ctx, &record);
}

void history_refused(
	struct calls *calls, const osip_message_t *req, const struct peer_config *peer, int code)
{
	char from[CALL_NUMBER_MAX + 1], to[CALL_NUMBER_MAX + 1];
	struct call_record record = {.from = from, .to = to, .peer = peer->name, .route = ""};

	if (!calls->record)
		return;
	number_of(req->from->url, from);
	number_of(req->req_uri, to);
	record.setup_ms = record.end_ms = wall_clock_ms();
	record.code = code;
	record.ended_by = who(LEG_NONE);
	record.why = "refused before it was a call";
	calls->record(calls->record_ctx, &record);
}

void history_clear(struct call *call)
{
	free(call->history.attempt);
}

void calls_set_recorder(struct calls *calls, calls_record_fn *record, void *ctx)
{
	calls->record = record;
	calls->record_ctx = ctx;
}
