/* SPDX-License-Identifier: BSD-2-Clause */
/* The record of a call that was refused before it was one, put together as text: when calls are
 * shed there are thousands a second, and no time. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "record/cdr.h"

/* Quotes, backslashes, control characters and what is not ASCII: the library knows how. */
static void add_odd_string(struct strbuf *out, const char *s)
{
	json_t *v = cdr_text(s);
	char *json = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	strbuf_add(out, json ? json : "\"\"");
	free(json);
	json_decref(v);
}

static void add_string(struct strbuf *out, const char *s)
{
	size_t n = 0;

	while (s[n] >= ' ' && s[n] != '"' && s[n] != '\\')
		n++;
	if (s[n]) {
		add_odd_string(out, s);
		return;
	}
	strbuf_addn(out, "\"", 1);
	strbuf_addn(out, s, n);
	strbuf_addn(out, "\"", 1);
}

static void add_string_or_null(struct strbuf *out, const char *s)
{
	if (s && *s)
		add_string(out, s);
	else
		strbuf_add(out, "null");
}

static void add_time(struct strbuf *out, uint64_t ms)
{
	char text[CDR_TIME_MAX];

	add_string_or_null(out, ms ? cdr_time(ms, text) : NULL);
}

static void add_leg(struct strbuf *out, const struct call_leg_info *leg)
{
	char address[ADDR_TEXT_MAX];

	strbuf_add(out, ",\"a\":{\"peer\":");
	add_string_or_null(out, leg->peer);
	strbuf_add(out, ",\"call_id\":");
	add_string_or_null(out, leg->sip_call_id);
	strbuf_add(out, ",\"local_tag\":null,\"remote_tag\":");
	add_string_or_null(out, leg->remote_tag);
	strbuf_add(out, ",\"listener\":null,\"address\":");
	add_string_or_null(
		out, leg->signalling.family ? addr_print(&leg->signalling, address) : NULL);
	strbuf_add(out, "},\"b\":{\"peer\":null,\"call_id\":null,\"local_tag\":null,"
			"\"remote_tag\":null,\"listener\":null,\"address\":null}");
}

char *cdr_refusal_line(const struct call_record *call)
{
	struct strbuf out = {0};

	strbuf_add(&out, "{\"version\":1,\"id\":0,\"from\":");
	add_string(&out, call->from);
	strbuf_add(&out, ",\"to\":");
	add_string(&out, call->to);
	strbuf_add(&out, ",\"routed_from\":null,\"routed_to\":null,\"emergency\":false,\"peer\":");
	add_string(&out, call->peer);
	strbuf_add(&out, ",\"route\":null,\"setup\":");
	add_time(&out, call->setup_ms);
	strbuf_add(&out, ",\"ring\":null,\"answer\":null,\"end\":");
	add_time(&out, call->end_ms);
	strbuf_addf(&out, ",\"talk_ms\":0,\"code\":%d,\"ended_by\":", call->code);
	add_string(&out, call->ended_by);
	strbuf_add(&out, ",\"why\":");
	add_string(&out, call->why);
	strbuf_add(&out, ",\"reason\":null,\"cause_in\":null,\"cause_out\":null");
	add_leg(&out, &call->leg[LEG_A]);
	strbuf_add(&out, ",\"attempts\":[],\"streams\":[],\"poor\":false,\"came_of\":null,"
			 "\"transfers\":[]}\n");
	if (strbuf_error(&out))
		strbuf_free(&out);
	return out.s;
}
