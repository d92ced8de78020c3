/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/cdr.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIME_TEXT_MAX 40
#define MS_A_SECOND   1000

/* RFC 3339, UTC, milliseconds; null for 0. */
static json_t *wall_clock(uint64_t ms)
{
	time_t seconds = (time_t)(ms / MS_A_SECOND);
	char text[TIME_TEXT_MAX];
	struct tm tm;
	size_t n;

	if (!ms)
		return json_null();
	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned)(ms % MS_A_SECOND));
	return json_string(text);
}

/* What came from a peer need not be UTF-8: then its bytes above ASCII become '?'. */
static json_t *text(const char *s)
{
	json_t *v = json_string(s ? s : "");
	char *copy;

	if (v)
		return v;
	copy = strdup(s);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	v = json_string(copy);
	free(copy);
	return v;
}

static json_t *text_or_null(const char *s)
{
	return s && *s ? text(s) : json_null();
}

static json_t *address(const struct addr *a)
{
	char buf[ADDR_TEXT_MAX];

	return a->family ? json_string(addr_print(a, buf)) : json_null();
}

static json_t *number_or_null(double v, bool known)
{
	return known ? json_real(v) : json_null();
}

static json_t *leg(const struct call_leg_info *l)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "peer", text_or_null(l->peer), "call_id",
		text_or_null(l->sip_call_id), "listener", text_or_null(l->listener), "address",
		address(&l->signalling));
}

static json_t *attempts(const struct call_record *call)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < call->attempt_count; i++) {
		const struct call_attempt *a = &call->attempt[i];

		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:i}", "peer", text(a->peer),
						    "start", wall_clock(a->start_ms), "end",
						    wall_clock(a->end_ms), "code", a->code));
	}
	return list;
}

/* What was received from one leg of a stream. */
static json_t *reception(const struct media_leg_info *m)
{
	bool any = m->rtp.packets > 0;

	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "remote",
		address(m->rtp.latched.family ? &m->rtp.latched : &m->remote), "local",
		address(&m->local), "packets", (json_int_t)m->rtp.packets, "bytes",
		(json_int_t)m->rtp.bytes, "lost", (json_int_t)(m->rtp.lost > 0 ? m->rtp.lost : 0),
		"out_of_order", (json_int_t)m->rtp.out_of_order, "loss_percent",
		number_or_null(m->loss_percent, any), "jitter_ms",
		number_or_null(m->jitter_ms, any), "rtt_ms",
		number_or_null(m->rtt_ms, m->rtt_ms >= 0), "mos",
		number_or_null(m->mos, m->mos > 0));
}

static json_t *streams(const struct call_record *call)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < call->stream_count; i++) {
		const struct media_stream_info *s = &call->stream[i];

		json_array_append_new(
			list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "index", (int)s->index,
				      "kind", text(s->kind), "proto", text(s->proto), "codec",
				      text_or_null(s->codec), "a", reception(&s->leg[LEG_A]), "b",
				      reception(&s->leg[LEG_B])));
	}
	return list;
}

char *cdr_line(const struct call_record *call)
{
	uint64_t talk_ms = call->answer_ms ? call->end_ms - call->answer_ms : 0;
	char *json, *line = NULL;
	json_t *root;

	root = json_pack(
		"{s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:s, s:o, s:o, "
		"s:o, s:o, s:o, s:o}",
		"version", 1, "id", (json_int_t)call->id, "from", text(call->from), "to",
		text(call->to), "peer", text(call->peer), "route", text_or_null(call->route),
		"setup", wall_clock(call->setup_ms), "ring", wall_clock(call->ring_ms), "answer",
		wall_clock(call->answer_ms), "end", wall_clock(call->end_ms), "talk_ms",
		(json_int_t)talk_ms, "code", call->code, "ended_by", call->ended_by, "why",
		text(call->why), "reason", text_or_null(call->reason), "a", leg(&call->leg[LEG_A]),
		"b", leg(&call->leg[LEG_B]), "attempts", attempts(call), "streams", streams(call));
	if (!root)
		return NULL;
	json = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(root);
	if (json && asprintf(&line, "%s\n", json) < 0)
		line = NULL;
	free(json);
	return line;
}
