/* SPDX-License-Identifier: BSD-2-Clause */
/* What a call leaves behind for its record: when it came to what, which peers were tried, how it
 * ended. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call/cause.h"
#include "call/end.h"
#include "call/history.h"
#include "call/number.h"

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

bool history_was_tried(const struct call *call, unsigned first, const struct addr *target)
{
	const struct history *h = &call->history;

	for (unsigned i = first; i < h->attempt_count; i++) {
		if (addr_equal(&h->attempt[i].address, target))
			return true;
	}
	return false;
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

static struct call_attempt *last_attempt(const struct call *call)
{
	const struct history *h = &call->history;

	return h->attempt_count ? &h->attempt[h->attempt_count - 1] : NULL;
}

void history_attempt_left_out(struct call *call, const struct peer_config *peer, int code)
{
	history_attempt(call, peer);
	history_attempt_over(call, code);
}

void history_picked_up(struct call *call, const struct peer_config *by)
{
	history_attempt_over(call, SIP_REQUEST_TERMINATED);
	history_attempt(call, by);
	history_attempt_over(call, SIP_OK);
}

/* Where memory is out, the record is without. */
void history_attempt_sent(
	struct call *call, const struct sip_dest *dest, const osip_message_t *invite)
{
	struct call_attempt *attempt = last_attempt(call);
	char *call_id = NULL;

	if (!attempt || attempt->end_ms || attempt->call_id ||
		osip_call_id_to_str(invite->call_id, &call_id))
		return;
	attempt->address = dest->remote;
	attempt->call_id = strdup(call_id);
	attempt->from = strdup(call->sent.calling);
	attempt->to = strdup(call->sent.called);
	osip_free(call_id);
}

void history_attempt_cause(struct call *call, const osip_message_t *resp)
{
	struct call_attempt *attempt = last_attempt(call);

	if (attempt && !attempt->end_ms)
		attempt->cause = cause_of_message(resp);
}

static const char *who(int by)
{
	return by == LEG_A ? "a" : by == LEG_B ? "b" : "viaduct";
}

/* What an INVITE says of its sender, where there is no dialog of it. */
struct caller {
	char *call_id;
};

static void name_caller(struct caller *c, const osip_message_t *req, struct call_leg_info *leg)
{
	if (!req->call_id || osip_call_id_to_str(req->call_id, &c->call_id))
		return;
	leg->sip_call_id = c->call_id;
	leg->remote_tag = sip_tag(req->from);
}

/* The cause that goes with the end to the leg that has not ended it: as the Reason has it, or as
 * the peer wants it made of the code. A leg A that is not there yet, as we call for it, hears
 * nothing. */
static int cause_sent(const struct call *call, const struct ending *end)
{
	const struct call_attempt *last = last_attempt(call);
	const struct peer_config *told =
		call->peer[end->is_refusal || end->by == LEG_B ? LEG_A : LEG_B];
	int cause = cause_of_reason(end->reason);
	char buf[REASON_MAX];

	if (end->is_refusal && call->leg_gone[LEG_A])
		return 0;
	if (cause || !told)
		return cause;
	if (!end->is_refusal)
		return cause_of_reason(reason_for(told, end->reason, buf));
	if (!told->codes.write_cause)
		return 0;
	return cause_of_code(end->by == LEG_B && last ? last->code : end->code);
}

void history_end(struct call *call, const struct ending *end)
{
	const struct calls *calls = call->calls;
	const struct history *h = &call->history;
	struct media_stream_info stream[MEDIA_STREAMS_MAX];
	struct call_record record = {.id = call->id, .from = call->from, .to = call->to};
	struct caller caller = {0};
	struct call_info info;
	unsigned count;

	if (!calls->record || call->recorded)
		return;
	call->recorded = true;
	history_attempt_over(call, 0);
	call_get_info(call, &info);
	if (!*info.leg[LEG_A].sip_call_id && call->initial && call->initial->server)
		name_caller(&caller, sip_server_request(call->initial->server), &info.leg[LEG_A]);
	record.routed_from = call->routed.calling;
	record.routed_to = call->routed.called;
	record.peer = call->peer[LEG_A]->name;
	record.route = info.route;
	record.setup_ms = h->setup_ms;
	record.ring_ms = h->ring_ms;
	record.answer_ms = h->answer_ms;
	record.end_ms = wall_clock_ms();
	if (call->answered)
		record.talk_ms = loop_now_ms(calls->loop) - call->answered_ms;
	record.code = end->code;
	record.ended_by = who(end->by);
	record.why = end->why;
	record.reason = end->reason;
	record.cause_in = end->by == LEG_NONE ? 0 : cause_of_reason(end->reason);
	record.cause_out = cause_sent(call, end);
	record.emergency = call->emergency;
	record.leg[LEG_A] = info.leg[LEG_A];
	record.leg[LEG_B] = info.leg[LEG_B];
	record.attempt = h->attempt;
	record.attempt_count = h->attempt_count;
	record.came_of = call->came_of;
	record.transfer = h->transfer;
	record.transfer_count = h->transfer_count;
	count = call->media ? media_stream_count(call->media) : 0;
	for (unsigned i = 0; i < count && record.stream_count < MEDIA_STREAMS_MAX; i++) {
		if (media_stream_info(call->media, i, &stream[record.stream_count]) == 0)
			record.stream_count++;
	}
	record.stream = stream;
	calls->record(calls->record_ctx, &record);
	osip_free(caller.call_id);
}

static bool records_refused(const struct calls *calls)
{
	return calls->record && !calls->refused_unrecorded;
}

void history_refused(
	struct calls *calls, const osip_message_t *req, const struct peer_config *peer, int code)
{
	char from[CALL_NUMBER_MAX + 1], to[CALL_NUMBER_MAX + 1];
	struct call_record record = {.from = from, .to = to, .peer = peer->name, .route = ""};
	struct caller caller = {0};

	if (!records_refused(calls))
		return;
	number_of(req->from->url, from);
	number_of(req->req_uri, to);
	record.leg[LEG_A].peer = peer->name;
	record.leg[LEG_A].signalling = peer->address;
	name_caller(&caller, req, &record.leg[LEG_A]);
	record.setup_ms = record.end_ms = wall_clock_ms();
	record.code = code;
	record.ended_by = who(LEG_NONE);
	record.why = "refused before it was a call";
	calls->record(calls->record_ctx, &record);
	osip_free(caller.call_id);
}

static void keep_text(struct text t, char *buf, size_t room)
{
	size_t n = t.len < room ? t.len : room - 1;

	memcpy(buf, t.s ? t.s : "", n);
	buf[n] = '\0';
}

/* The URI of a From or To value. */
static struct text uri_of(struct text value)
{
	const char *end = value.s + value.len, *stop = end;

	for (const char *s = value.s; s < end; s++) {
		if (*s == '"') { /* a display name, with whatever stands in it */
			while (++s < end && *s != '"')
				s += *s == '\\';
		} else if (*s == '<') {
			value.s = s + 1;
			stop = memchr(value.s, '>', (size_t)(end - value.s));
			break;
		}
	}
	return (struct text){value.s, (size_t)((stop ? stop : end) - value.s)};
}

void history_refused_text(void *ctx, const struct sip_refused *refused)
{
	struct calls *calls = ctx;
	char from[CALL_NUMBER_MAX + 1], to[CALL_NUMBER_MAX + 1];
	char call_id[CALL_ID_KEPT + 1], tag[CALL_ID_KEPT + 1];
	struct call_record record = {.from = from,
		.to = to,
		.peer = refused->peer->name,
		.route = "",
		.code = refused->code,
		.ended_by = who(LEG_NONE),
		.why = refused->why};

	if (!records_refused(calls))
		return;
	number_of_text(uri_of(refused->from), from);
	number_of_text(refused->uri, to);
	keep_text(refused->call_id, call_id, sizeof(call_id));
	keep_text(refused->from_tag, tag, sizeof(tag));
	record.leg[LEG_A].peer = refused->peer->name;
	record.leg[LEG_A].signalling = refused->source;
	record.leg[LEG_A].sip_call_id = call_id;
	record.leg[LEG_A].remote_tag = tag;
	record.setup_ms = record.end_ms = wall_clock_ms();
	calls->record(calls->record_ctx, &record);
}

void history_transfer(struct call *call, const struct call_transfer *transfer)
{
	struct history *h = &call->history;
	struct call_transfer *list =
		realloc(h->transfer, (h->transfer_count + 1) * sizeof(struct call_transfer));

	if (!list)
		return;
	h->transfer = list;
	list[h->transfer_count] = *transfer;
	list[h->transfer_count++].at_ms = wall_clock_ms();
	call_touch(call);
}

void history_clear(struct call *call)
{
	for (unsigned i = 0; i < call->history.attempt_count; i++) {
		free(call->history.attempt[i].call_id);
		free(call->history.attempt[i].from);
		free(call->history.attempt[i].to);
	}
	free(call->history.attempt);
	free(call->history.transfer);
}

void calls_set_recorder(struct calls *calls, calls_record_fn *record, void *ctx)
{
	calls->record = record;
	calls->record_ctx = ctx;
}

void calls_record_refused(struct calls *calls, bool wanted)
{
	calls->refused_unrecorded = !wanted;
}

void calls_set_recorded(struct calls *calls, calls_recorded_fn *recorded)
{
	calls->recorded = recorded;
}
