/* SPDX-License-Identifier: BSD-2-Clause */
/* Session timers (RFC 4028): a call whose peer has vanished does not stand for ever. Each leg has
 * its own, with its own interval and refresher; what refreshes one leg does nothing to the other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "call/carry.h"
#include "call/end.h"
#include "call/own_request.h"
#include "call/session_timer.h"

#define SESSION_MIN_S        90    /* RFC 4028 4: Min-SE where none is written */
#define SESSION_MAX_S        86400 /* more is not asked for, nor waited for */
#define BYE_BEFORE_EXPIRY_MS 32000 /* RFC 4028 10: or a third of the interval, if that is less */
#define RETRY_MIN_MS         250
#define RETRY_BUSY_MS        1000
#define RETRY_MAX_MS         30000
#define ADOPTED_SPREAD_MS    2000

static void refresh(struct session_timer *st);

/* ---- header fields ---- */

struct session_expires {
	uint32_t interval_s; /* 0 = there is none */
	enum { BY_NONE, BY_UAC, BY_UAS } refresher;
};

/* Delta-seconds before any parameter. 0 or -EINVAL. */
static int read_seconds(const char *text, uint32_t *seconds, const char **rest)
{
	unsigned long n;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	n = strtoul(text, &end, 10);
	end += strspn(end, " \t");
	if (*end && *end != ';')
		return -EINVAL;
	*seconds = n > SESSION_MAX_S ? SESSION_MAX_S : (uint32_t)n;
	*rest = end;
	return 0;
}

static int read_session_expires(const osip_message_t *msg, struct session_expires *out)
{
	const char *text = header_value(msg, "Session-Expires"), *rest;
	int ret;

	memset(out, 0, sizeof(*out));
	if (!text)
		text = header_value(msg, "x");
	if (!text)
		return 0;
	ret = read_seconds(text, &out->interval_s, &rest);
	if (ret || !out->interval_s)
		return -EINVAL;
	while (*rest == ';') {
		rest += 1 + strspn(rest + 1, " \t");
		if (strncasecmp(rest, "refresher=uac", 13) == 0)
			out->refresher = BY_UAC;
		else if (strncasecmp(rest, "refresher=uas", 13) == 0)
			out->refresher = BY_UAS;
		rest += strcspn(rest, ";");
	}
	return 0;
}

static uint32_t read_min_se(const osip_message_t *msg)
{
	const char *text = header_value(msg, "Min-SE"), *rest;
	uint32_t min = 0;

	return text && read_seconds(text, &min, &rest) == 0 ? min : 0;
}

static int put_session_expires(osip_message_t *msg, uint32_t interval_s, const char *refresher)
{
	char text[64];

	snprintf(text, sizeof(text), "%u%s%s", interval_s, refresher ? ";refresher=" : "",
		refresher ? refresher : "");
	return osip_message_set_header(msg, "Session-Expires", text) ? -ENOMEM : 0;
}

static int put_min_se(osip_message_t *msg, uint32_t min_s)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", min_s);
	return osip_message_set_header(msg, "Min-SE", text) ? -ENOMEM : 0;
}

/* ---- the clock ---- */

static const struct session_config *config_of(const struct call *call, enum leg leg)
{
	return &call->peer[leg]->session;
}

static uint64_t end_ms(const struct session_timer *st)
{
	uint64_t interval_ms = (uint64_t)st->interval_s * 1000;
	uint64_t before = interval_ms / 3;

	if (before > BYE_BEFORE_EXPIRY_MS)
		before = BYE_BEFORE_EXPIRY_MS;
	return st->since_ms + interval_ms - before;
}

static void wait_ms(struct session_timer *st, uint64_t delay_ms)
{
	uint64_t now = loop_now_ms(st->call->calls->loop), end = end_ms(st);
	uint64_t left = end > now ? end - now : 0;

	if (loop_timer_start(st->call->calls->loop, &st->timer, delay_ms < left ? delay_ms : left))
		log_limited(LOG_LEVEL_ERROR, "call %llu: no memory for a session timer",
			(unsigned long long)st->call->id);
}

static void expire(struct session_timer *st)
{
	struct call *call = st->call;

	call->calls->counters.sessions_expired++;
	log_info("call %llu: the session with %s was not refreshed: ended",
		(unsigned long long)call->id, call->peer[st->leg]->name);
	call_end(call, LEG_NONE, "SIP;cause=408;text=\"Session expired\"", "session expired");
}

static void fire(struct loop_timer *t)
{
	struct session_timer *st =
		(struct session_timer *)((char *)t - offsetof(struct session_timer, timer));

	if (loop_now_ms(st->call->calls->loop) >= end_ms(st))
		expire(st);
	else if (st->we_refresh)
		refresh(st);
}

static struct session_timer *timer_of(struct call *call, enum leg leg)
{
	struct session_timer *st = &call->session_timer[leg];

	st->timer.fire = fire;
	st->call = call;
	st->leg = leg;
	return st;
}

static void stop(struct session_timer *st)
{
	if (st->call)
		loop_timer_stop(st->call->calls->loop, &st->timer);
	st->active = false;
	if (st->call)
		call_touch(st->call);
}

static void start(struct session_timer *st, uint32_t interval_s, bool we_refresh)
{
	st->active = true;
	st->interval_s = interval_s;
	st->we_refresh = we_refresh;
	st->since_ms = loop_now_ms(st->call->calls->loop);
	/* RFC 4028 10: at half of it; who only waits looks when it is too late. */
	wait_ms(st, we_refresh ? (uint64_t)interval_s * 1000 / 2 : UINT64_MAX);
	call_touch(st->call);
}

void session_timer_adopt(struct call *call, enum leg leg, const struct session_timer_state *was)
{
	struct session_timer *st = timer_of(call, leg);
	uint64_t now = loop_now_ms(call->calls->loop), due;

	st->min_s = was->min_s;
	st->has_update = was->has_update;
	if (!was->interval_s)
		return;
	st->active = true;
	st->interval_s = was->interval_s < SESSION_MAX_S ? was->interval_s : SESSION_MAX_S;
	st->we_refresh = was->we_refresh;
	st->since_ms = was->since_ms < now ? was->since_ms : now;
	due = st->since_ms + (uint64_t)st->interval_s * 1000 / 2;
	if (!st->we_refresh)
		wait_ms(st, UINT64_MAX);
	else /* what fell due while nobody was there is not done all at once */
		wait_ms(st, due > now ? due - now : call->id % ADOPTED_SPREAD_MS);
}

void session_timer_adopt_asked(struct call *call, enum leg leg, const osip_message_t *req)
{
	timer_of(call, leg)->asked = header_value(req, "Session-Expires") != NULL;
}

void session_timers_stop(struct call *call)
{
	stop(&call->session_timer[LEG_A]);
	stop(&call->session_timer[LEG_B]);
}

void session_timer_stop(struct call *call, enum leg leg)
{
	stop(timer_of(call, leg));
}

void session_timer_forget(struct call *call, enum leg leg)
{
	struct session_timer *st = timer_of(call, leg);

	stop(st);
	st->asked = st->has_update = false;
	st->min_s = 0;
}

void session_timer_move(struct call *from, enum leg from_leg, struct call *to, enum leg to_leg)
{
	struct session_timer *old = timer_of(from, from_leg), *st = timer_of(to, to_leg);
	bool active = old->active;

	stop(old);
	stop(st);
	st->has_update = old->has_update;
	st->min_s = old->min_s;
	if (active)
		start(st, old->interval_s, old->we_refresh);
}

/* ---- refreshes of ours ---- */

static void refreshed(void *ctx, int code, osip_message_t *resp, const char *answer)
{
	struct session_timer *st = ctx;
	struct call *call = st->call;
	uint64_t now = loop_now_ms(call->calls->loop), end = end_ms(st), delay;

	if (answer && media_told(call->media, OTHER_LEG(st->leg)) != st->told) {
		/* The leg has changed more than its address: the other is told so. */
		own_request_restore(call, OTHER_LEG(st->leg));
	}
	if (!st->active || (resp && resp->status_code < 300))
		return; /* as the 2xx has it */
	delay = end > now ? (end - now) / 2 : 0;
	if (delay > RETRY_MAX_MS)
		delay = RETRY_MAX_MS;
	if (resp && session_timer_too_small(call, st->leg, resp)) {
		delay = 0;
	} else if (st->has_update &&
		   (code == SIP_METHOD_NOT_ALLOWED || code == SIP_NOT_IMPLEMENTED)) {
		st->has_update = false;
		delay = 0;
	}
	wait_ms(st, delay < RETRY_MIN_MS ? RETRY_MIN_MS : delay);
}

/* What 481, 408 and glare mean is own_request.c's. */
static void refresh(struct session_timer *st)
{
	struct call *call = st->call;
	/* RFC 4028 7.4: UPDATE needs no offer and is preferred. */
	const struct own_request r = {.call = call,
		.to = st->leg,
		.method = st->has_update ? "UPDATE" : "INVITE",
		.media = st->has_update ? NULL : call->media,
		.offerer = OTHER_LEG(st->leg),
		.told = &st->told,
		.done = refreshed,
		.ctx = st};
	int ret;

	if (call->state != CALL_ANSWERED)
		return;
	ret = own_request_send(&r, NULL);
	/* Under way: the next look is when it must have been answered. */
	wait_ms(st, ret ? RETRY_BUSY_MS : UINT64_MAX);
}

/* ---- asking ---- */

int session_timer_ask(struct call *call, enum leg leg, osip_message_t *req)
{
	const struct session_config *cfg = config_of(call, leg);
	struct session_timer *st = timer_of(call, leg);
	bool wanted = cfg->timer >= SESSION_TIMER_REQUEST;
	uint32_t interval = st->active ? st->interval_s : cfg->interval_s;
	uint32_t min = cfg->min_s > st->min_s ? cfg->min_s : st->min_s;
	const char *refresher = NULL;
	int ret;

	st->asked = false;
	if (cfg->timer == SESSION_TIMER_OFF)
		return 0;
	ret = option_add(req, "Supported", "timer");
	/* An UPDATE before the answer says nothing of the session. */
	if (ret || (!MSG_IS_INVITE(req) && call->state != CALL_ANSWERED) ||
		(!st->active && !wanted))
		return ret;
	if (interval < min)
		interval = min;
	if (st->active) /* the roles stay (RFC 4028 7.4) */
		refresher = st->we_refresh ? "uac" : "uas";
	else if (cfg->refresher != SESSION_REFRESHER_AUTO)
		refresher = cfg->refresher == SESSION_REFRESHER_US ? "uac" : "uas";
	st->asked = true;
	ret = put_session_expires(req, interval, refresher);
	/* RFC 4028 5: the default need not be said. */
	if (!ret && min != SESSION_MIN_S)
		ret = put_min_se(req, min);
	if (!ret && cfg->timer == SESSION_TIMER_REQUIRE)
		ret = option_add(req, "Require", "timer");
	return ret;
}

void session_timer_accepted(struct call *call, enum leg leg, const osip_message_t *resp)
{
	const struct session_config *cfg = config_of(call, leg);
	struct session_timer *st = timer_of(call, leg);
	/* RFC 4028 9: the answer must not go below our Min-SE; nobody has us refresh more often. */
	uint32_t floor_s = cfg->min_s > st->min_s ? cfg->min_s : st->min_s;
	struct session_expires se;

	if (call->state == CALL_ENDING)
		return;
	if (!st->asked && floor_s > SESSION_MIN_S)
		floor_s = SESSION_MIN_S;
	if (osip_list_size(&resp->allows) > 0)
		st->has_update = option_has(resp, "Allow", "UPDATE");
	if (cfg->timer == SESSION_TIMER_OFF)
		return;
	if (read_session_expires(resp, &se) == 0 && se.interval_s)
		start(st, se.interval_s < floor_s ? floor_s : se.interval_s,
			se.refresher != BY_UAS);
	else if (st->asked && cfg->timer >= SESSION_TIMER_REQUEST)
		/* RFC 4028 7.2: a peer without the extension answers refreshes all the same. */
		start(st, cfg->interval_s, true);
	else
		stop(st);
}

bool session_timer_too_small(struct call *call, enum leg leg, const osip_message_t *resp)
{
	struct session_timer *st = timer_of(call, leg);
	uint32_t min = read_min_se(resp);

	/* Once for each step up, so that two answers that contradict each other end somewhere. */
	if (resp->status_code != SIP_SESSION_INTERVAL_TOO_SMALL || !st->asked || min <= st->min_s ||
		min > SESSION_MAX_S)
		return false;
	st->min_s = min;
	return true;
}

/* ---- being asked ---- */

int session_timer_check(const struct peer_config *peer, const osip_message_t *req,
	const char **header, char value[SESSION_TIMER_VALUE_MAX])
{
	const struct session_config *cfg = &peer->session;
	bool supports =
		option_has(req, "Supported", "timer") || option_has(req, "Require", "timer");
	struct session_expires se;

	*header = NULL;
	if (cfg->timer == SESSION_TIMER_OFF)
		return 0;
	if (read_session_expires(req, &se))
		return SIP_BAD_REQUEST;
	if (cfg->timer == SESSION_TIMER_REQUIRE && !supports && MSG_IS_INVITE(req) &&
		!sip_tag(req->to)[0]) {
		*header = "Require";
		snprintf(value, SESSION_TIMER_VALUE_MAX, "timer");
		return SIP_EXTENSION_REQUIRED;
	}
	/* RFC 4028 9: not where the peer could make nothing of it. */
	if (se.interval_s && se.interval_s < cfg->min_s && supports) {
		*header = "Min-SE";
		snprintf(value, SESSION_TIMER_VALUE_MAX, "%u", cfg->min_s);
		return SIP_SESSION_INTERVAL_TOO_SMALL;
	}
	return 0;
}

int session_timer_answer(
	struct call *call, enum leg leg, const osip_message_t *req, osip_message_t *resp)
{
	const struct session_config *cfg = config_of(call, leg);
	struct session_timer *st = timer_of(call, leg);
	bool supports =
		option_has(req, "Supported", "timer") || option_has(req, "Require", "timer");
	uint32_t min = read_min_se(req), interval;
	struct session_expires se;
	bool we_refresh;
	int ret;

	if (osip_list_size(&req->allows) > 0)
		st->has_update = option_has(req, "Allow", "UPDATE");
	if (cfg->timer == SESSION_TIMER_OFF)
		return 0;
	ret = option_add(resp, "Supported", "timer");
	if (ret || (!MSG_IS_INVITE(req) && call->state != CALL_ANSWERED))
		return ret;
	if (min < cfg->min_s)
		min = cfg->min_s;
	if (read_session_expires(req, &se) ||
		(!se.interval_s && cfg->timer < SESSION_TIMER_REQUEST)) {
		stop(st);
		return 0;
	}
	interval = se.interval_s;
	/* RFC 4028 9: we may shorten it, not below what the request's Min-SE allows. */
	if (!interval || (cfg->timer >= SESSION_TIMER_REQUEST && cfg->interval_s < interval))
		interval = cfg->interval_s;
	if (interval < min)
		interval = min;
	/* RFC 4028 9, table 2 */
	if (!supports)
		we_refresh = true;
	else if (se.refresher != BY_NONE)
		we_refresh = se.refresher == BY_UAS;
	else
		we_refresh = cfg->refresher == SESSION_REFRESHER_US;
	ret = put_session_expires(resp, interval, we_refresh ? "uas" : "uac");
	if (!ret && supports)
		ret = option_add(resp, "Require", "timer");
	if (!ret)
		start(st, interval, we_refresh);
	return ret;
}

unsigned session_timer_left(
	const struct call *call, enum leg leg, bool *we_refresh, uint64_t *left_ms)
{
	const struct session_timer *st = &call->session_timer[leg];
	uint64_t now = loop_now_ms(call->calls->loop), end;

	if (!st->active)
		return 0;
	end = end_ms(st);
	*we_refresh = st->we_refresh;
	*left_ms = end > now ? end - now : 0;
	return st->interval_s;
}
