/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/cdr.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS_A_SECOND 1000

const char *cdr_time(uint64_t ms, char text[CDR_TIME_MAX])
{
	time_t seconds = (time_t)(ms / MS_A_SECOND);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, CDR_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, CDR_TIME_MAX - n, ".%03uZ", (unsigned)(ms % MS_A_SECOND));
	return text;
}

static json_t *wall_clock(uint64_t ms)
{
	char text[CDR_TIME_MAX];

	return ms ? json_string(cdr_time(ms, text)) : json_null();
}

json_t *cdr_text(const char *s)
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
	return s && *s ? cdr_text(s) : json_null();
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

static json_t *cause_or_null(int cause)
{
	return cause ? json_integer(cause) : json_null();
}

static json_t *leg(const struct call_leg_info *l)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "peer", text_or_null(l->peer), "call_id",
		text_or_null(l->sip_call_id), "local_tag", text_or_null(l->local_tag), "remote_tag",
		text_or_null(l->remote_tag), "listener", text_or_null(l->listener), "address",
		address(&l->signalling));
}

static json_t *attempts(const struct call_record *call)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < call->attempt_count; i++) {
		const struct call_attempt *a = &call->attempt[i];

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o}", "peer",
				      cdr_text(a->peer), "address", address(&a->address), "call_id",
				      text_or_null(a->call_id), "from", text_or_null(a->from), "to",
				      text_or_null(a->to), "start", wall_clock(a->start_ms), "end",
				      wall_clock(a->end_ms), "code", a->code, "cause",
				      cause_or_null(a->cause)));
	}
	return list;
}

/* Put one by one: json_pack's formats are hard to read at this length. */
static void put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

/* What was received from one leg of a stream. */
static json_t *reception(const struct media_leg_info *m)
{
	bool any = m->rtp.packets > 0, burst = m->bursts > 0;
	json_t *o = json_object();

	put(o, "remote", address(m->rtp.latched.family ? &m->rtp.latched : &m->remote));
	put(o, "local", address(&m->local));
	put(o, "packets", json_integer((json_int_t)m->rtp.packets));
	put(o, "bytes", json_integer((json_int_t)m->rtp.bytes));
	put(o, "lost", json_integer((json_int_t)(m->rtp.lost > 0 ? m->rtp.lost : 0)));
	put(o, "out_of_order", json_integer((json_int_t)m->rtp.out_of_order));
	put(o, "loss_percent", number_or_null(m->loss_percent, any));
	put(o, "loss_max_percent", number_or_null(m->loss_max_percent, any));
	put(o, "jitter_ms", number_or_null(m->jitter_ms, any));
	put(o, "jitter_mean_ms", number_or_null(m->jitter_mean_ms, any));
	put(o, "jitter_max_ms", number_or_null(m->jitter_max_ms, any));
	put(o, "bursts", json_integer(m->bursts));
	put(o, "burst_percent", number_or_null(m->burst_percent, burst));
	put(o, "burst_ms", number_or_null(m->burst_ms, burst));
	put(o, "gap_percent", number_or_null(m->gap_percent, burst));
	put(o, "gap_ms", number_or_null(m->gap_ms, burst));
	put(o, "rtt_ms", number_or_null(m->rtt_ms, m->rtt_ms >= 0));
	put(o, "mos", number_or_null(m->mos, m->mos > 0));
	put(o, "dtmf", json_integer(m->dtmf));
	put(o, "poor", json_boolean(m->poor));
	put(o, "refused", json_integer((json_int_t)m->rtp.dropped_source));
	put(o, "refused_source", address(&m->refused));
	return o;
}

static json_t *transfers(const struct call_record *call)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < call->transfer_count; i++) {
		const struct call_transfer *t = &call->transfer[i];
		const char by[] = {t->by, '\0'};

		json_array_append_new(list,
			json_pack("{s:o, s:s, s:s, s:o, s:i, s:o}", "at", wall_clock(t->at_ms),
				"kind", t->kind, "by", by, "to", cdr_text(t->to), "code", t->code,
				"call", t->call ? json_integer((json_int_t)t->call) : json_null()));
	}
	return list;
}

static json_t *streams(const struct call_record *call)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < call->stream_count; i++) {
		const struct media_stream_info *s = &call->stream[i];

		json_array_append_new(
			list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "index", (int)s->index,
				      "kind", cdr_text(s->kind), "proto", cdr_text(s->proto),
				      "codec", text_or_null(s->codec), "a",
				      reception(&s->leg[LEG_A]), "b", reception(&s->leg[LEG_B])));
	}
	return list;
}

static bool is_poor(const struct call_record *call)
{
	for (unsigned i = 0; i < call->stream_count; i++) {
		if (call->stream[i].leg[LEG_A].poor || call->stream[i].leg[LEG_B].poor)
			return true;
	}
	return false;
}

char *cdr_call_line(const struct call_record *call)
{
	char *json, *line = NULL;
	json_t *root;

	root = json_pack(
		"{s:i, s:I, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:s, "
		"s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
		"version", 1, "id", (json_int_t)call->id, "from", cdr_text(call->from), "to",
		cdr_text(call->to), "routed_from", text_or_null(call->routed_from), "routed_to",
		text_or_null(call->routed_to), "emergency", (int)call->emergency, "peer",
		cdr_text(call->peer), "route", text_or_null(call->route), "setup",
		wall_clock(call->setup_ms), "ring", wall_clock(call->ring_ms), "answer",
		wall_clock(call->answer_ms), "end", wall_clock(call->end_ms), "talk_ms",
		(json_int_t)call->talk_ms, "code", call->code, "ended_by", call->ended_by, "why",
		cdr_text(call->why), "reason", text_or_null(call->reason), "cause_in",
		cause_or_null(call->cause_in), "cause_out", cause_or_null(call->cause_out), "a",
		leg(&call->leg[LEG_A]), "b", leg(&call->leg[LEG_B]), "attempts", attempts(call),
		"streams", streams(call), "poor", (int)is_poor(call));
	if (!root)
		return NULL;
	put(root, "came_of", call->came_of ? json_integer((json_int_t)call->came_of) : json_null());
	put(root, "transfers", transfers(call));
	json = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(root);
	if (json && asprintf(&line, "%s\n", json) < 0)
		line = NULL;
	free(json);
	return line;
}

char *cdr_line(const struct call_record *call)
{
	return call->id ? cdr_call_line(call) : cdr_refusal_line(call);
}
