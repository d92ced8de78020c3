/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/overload.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/token.h"
#include "sip/reply.h"
#include "sip/sip.h"

#define NS_A_MS   1000000ull
#define TEXT_MAX  160
#define MS_A_SEC  1000.0
#define PERCENT   100u
#define TAG_PARAM ";tag="

static void tell(struct overload *o, bool begins)
{
	char text[TEXT_MAX];

	if (begins)
		snprintf(text, sizeof(text), "%llu ms behind: new calls are refused",
			(unsigned long long)(o->lag_ns / NS_A_MS));
	else
		snprintf(text, sizeof(text), "over after %.1f s: %llu new calls were refused",
			(double)(o->shed_ms - o->began_ms) / MS_A_SEC, (unsigned long long)o->shed);
	log_warn("overload: %s", text);
	if (o->told)
		o->told(o->ctx, begins, text);
}

static void tick(struct loop_timer *t)
{
	struct overload *o = (struct overload *)((char *)t - offsetof(struct overload, timer));

	if (loop_now_ms(o->loop) - o->shed_ms < OVERLOAD_QUIET_MS) {
		loop_timer_start(o->loop, t, OVERLOAD_QUIET_MS / 2);
		return;
	}
	o->on = false;
	o->share = 0;
	tell(o, false);
}

void overload_init(struct overload *o, struct loop *loop)
{
	o->loop = loop;
	o->timer.fire = tick;
	token_make(o->tag, OVERLOAD_TAG_LEN);
}

void overload_free(struct overload *o)
{
	if (o->loop)
		loop_timer_stop(o->loop, &o->timer);
}

void overload_configure(struct overload *o, const struct config *cfg)
{
	o->shed_from_ms = cfg->shed_from_ms;
	o->shed_all_ms = cfg->shed_all_ms;
	o->stale_ms = SIP_T1_MS > cfg->shed_all_ms ? SIP_T1_MS : cfg->shed_all_ms;
	o->share = 0;
}

/* ---- the signal ---- */

void overload_note(struct overload *o, struct overload_window *w, uint64_t age_ns)
{
	o->age_ns = age_ns;
	w->count++;
	if (age_ns < w->least_ns)
		w->least_ns = age_ns;
}

bool overload_window_closed(struct overload *o, struct overload_window *w)
{
	uint64_t now = loop_now_ms(o->loop);

	if (now - w->start_ms < OVERLOAD_WINDOW_MS)
		return false;
	w->lag_ns[w->next] = w->count >= OVERLOAD_MESSAGES ? w->least_ns : 0;
	w->count = 0;
	w->next = (w->next + 1) % OVERLOAD_WINDOWS;
	w->least_ns = UINT64_MAX;
	w->start_ms = now;
	return true;
}

uint64_t overload_window_lag(const struct overload *o, const struct overload_window *w)
{
	uint64_t least = w->lag_ns[0];

	for (unsigned i = 1; i < OVERLOAD_WINDOWS; i++)
		least = w->lag_ns[i] < least ? w->lag_ns[i] : least;
	return loop_now_ms(o->loop) - w->start_ms < 2 * OVERLOAD_WINDOW_MS ? least : 0;
}

/* How many of the new calls that are so old are shed. */
static unsigned share_of(const struct overload *o, uint64_t age_ns)
{
	uint64_t from = o->shed_from_ms * NS_A_MS, all = o->shed_all_ms * NS_A_MS;

	if (age_ns >= all)
		return OVERLOAD_ALL;
	return age_ns > from ? (unsigned)((age_ns - from) * OVERLOAD_ALL / (all - from)) : 0;
}

void overload_reckon(struct overload *o, uint64_t lag_ns)
{
	o->lag_ns = lag_ns;
	o->share = o->shed_all_ms ? share_of(o, lag_ns) : 0;
}

bool overload_chooses(const struct overload *o, uint32_t hash)
{
	if (!o->shed_all_ms)
		return false;
	if (o->age_ns >= o->stale_ms * NS_A_MS)
		return true;
	return o->share && (hash & (OVERLOAD_ALL - 1)) < share_of(o, o->age_ns);
}

void overload_count(struct overload *o)
{
	uint64_t now = loop_now_ms(o->loop);

	o->shed_ms = now;
	if (!o->on) {
		o->on = true;
		o->began_ms = now;
		o->shed = 0;
		if (o->age_ns > o->lag_ns)
			o->lag_ns = o->age_ns;
		loop_timer_start(o->loop, &o->timer, OVERLOAD_QUIET_MS);
		tell(o, true);
	}
	o->shed++;
}

/* ---- messages by their text ---- */

bool overload_is_ack(const struct overload *o, const char *buf, size_t len)
{
	char tag[sizeof(TAG_PARAM) + OVERLOAD_TAG_LEN];

	if (len < 4 || memcmp(buf, "ACK ", 4) != 0)
		return false;
	memcpy(tag, TAG_PARAM, sizeof(TAG_PARAM) - 1);
	memcpy(tag + sizeof(TAG_PARAM) - 1, o->tag, OVERLOAD_TAG_LEN);
	return memmem(buf, len, tag, sizeof(TAG_PARAM) - 1 + OVERLOAD_TAG_LEN) != NULL;
}

/* The value of To in the text of a message, empty where there is none before the body. */
static struct text find_to(const char *buf, size_t len)
{
	const char *line = buf, *end = buf + len, *stop;

	while ((line = memchr(line, '\n', (size_t)(end - line)))) {
		size_t name = 0;

		line++;
		if (end - line < 4 || *line == '\r' || *line == '\n')
			break;
		if ((line[0] | 0x20) == 't') /* RFC 3261 7.3.3: or "t" */
			name = (line[1] | 0x20) == 'o' ? 2 : 1;
		while (name && line + name < end && (line[name] == ' ' || line[name] == '\t'))
			name++;
		if (!name || line + name >= end || line[name] != ':')
			continue;
		stop = memchr(line, '\n', (size_t)(end - line));
		return (struct text){
			line + name + 1, (size_t)((stop ? stop : end) - line) - name - 1};
	}
	return (struct text){buf, 0};
}

bool overload_is_new_call(const char *buf, size_t len)
{
	if (len < 7)
		return false;
	if (memcmp(buf, "CANCEL ", 7) == 0)
		return true; /* after the INVITE that it follows */
	return memcmp(buf, "INVITE ", 7) == 0 && !reply_has_tag(find_to(buf, len));
}
