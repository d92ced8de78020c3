/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/media.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "media/flows.h"
#include "media/room.h"
#include "media/resting.h"
#include "media/watchdog.h"

#define MS_A_SEC        1000u
#define STREAMS_A_CALL  2 /* that flows are sized for: audio, and one more */
#define FLOWS_MIN       64
#define EVENT_TEXT_MAX  160
#define STREAM_BITS     3
#define GENERATION_BITS 7

/* ---- pools ------------------------------------------------------------------------------------
 */

struct port_pool *media_pool_for(
	const struct media *m, const struct peer_config *peer, uint8_t family)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		uint8_t wanted = pass ? peer->media_family : family;

		for (unsigned i = 0; i < m->pool_count; i++) {
			struct port_pool_status st;

			if (port_pool_side(m->pool[i]) != peer->side ||
				port_pool_address(m->pool[i])->local.family != wanted)
				continue;
			port_pool_get_status(m->pool[i], m->now_ms(m), &st);
			if (st.total)
				return m->pool[i];
		}
	}
	return NULL;
}

struct port_pool *media_find_pool(const struct media *m, unsigned side, const struct addr *local)
{
	for (unsigned i = 0; i < m->pool_count; i++) {
		if (port_pool_side(m->pool[i]) == side &&
			addr_equal_ip(&port_pool_address(m->pool[i])->local, local))
			return m->pool[i];
	}
	return NULL;
}

int media_pool_of(
	struct media *m, unsigned side, const struct side_address *address, struct port_pool **out)
{
	int ret;

	*out = media_find_pool(m, side, &address->local);
	if (*out)
		return 0;
	if (m->pool_count == POOLS_MAX)
		return -ENOSPC;
	ret = port_pool_new(out, side, address, 1, 0);
	if (!ret)
		m->pool[m->pool_count++] = *out;
	return ret;
}

void media_drop_empty_pools(struct media *m)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->pool_count; i++) {
		struct port_pool_status st;

		port_pool_get_status(m->pool[i], m->now_ms(m), &st);
		if (st.total || st.used || st.quarantined)
			m->pool[kept++] = m->pool[i];
		else
			port_pool_free(m->pool[i]);
	}
	m->pool_count = kept;
}

static int set_pools(struct media *m, const struct config *cfg)
{
	unsigned old = m->pool_count;
	int ret = 0;

	/* First what can fail: pools of new addresses. */
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		const struct side_config *sc = &cfg->side[side];

		for (unsigned i = 0; i < sc->address_count && !ret; i++) {
			if (media_find_pool(m, side, &sc->address[i].local))
				continue;
			if (m->pool_count == POOLS_MAX)
				ret = -ENOSPC;
			else
				ret = port_pool_new(&m->pool[m->pool_count], side, &sc->address[i],
					sc->media_port_min, sc->media_port_max);
			if (!ret)
				m->pool_count++;
		}
	}
	if (ret) {
		while (m->pool_count > old)
			port_pool_free(m->pool[--m->pool_count]);
		return ret;
	}
	for (unsigned i = 0; i < old; i++)
		port_pool_set_range(m->pool[i], 1, 0);
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		const struct side_config *sc = &cfg->side[side];

		for (unsigned i = 0; i < sc->address_count; i++) {
			struct port_pool *pool = media_find_pool(m, side, &sc->address[i].local);

			port_pool_set_range(pool, sc->media_port_min, sc->media_port_max);
			port_pool_set_advertised(pool, &sc->address[i].advertised);
		}
		m->dscp[side] = sc->dscp;
	}
	m->bandwidth = (struct bandwidth_defaults){cfg->audio_kbit, cfg->video_kbit};
	m->quarantine_ms = (uint64_t)cfg->port_quarantine_s * MS_A_SEC;
	media_drop_empty_pools(m);
	return 0;
}

/* As many as the calls can want, no more than there are ports to reach them by. */
static unsigned flows_wanted(struct media *m, const struct config *cfg)
{
	uint64_t calls = (uint64_t)cfg->calls_max * STREAMS_A_CALL * FLOWS_A_STREAM, ports = 0;

	for (unsigned i = 0; i < m->pool_count; i++) {
		struct port_pool_status st;

		port_pool_get_status(m->pool[i], m->now_ms(m), &st);
		ports += st.total;
	}
	if (calls > ports)
		calls = ports;
	return calls < FLOWS_MIN ? FLOWS_MIN : (unsigned)calls;
}

/* ---- events -----------------------------------------------------------------------------------
 */

uint32_t cookie_make(
	const struct media_session *s, unsigned stream, enum leg leg, enum component component)
{
	uint32_t cookie = s->slot;

	cookie = cookie << GENERATION_BITS | s->generation;
	cookie = cookie << STREAM_BITS | stream;
	return cookie << 2 | (uint32_t)leg << 1 | (uint32_t)component;
}

struct origin {
	struct media_session *s;
	struct stream *st;
	unsigned stream;
	enum leg leg;
	enum component component;
};

/* Events may come late: the slot may be another session's by then, or nobody's. */
static bool origin_of(const struct media *m, uint32_t cookie, struct origin *out)
{
	uint32_t slot = cookie >> (GENERATION_BITS + STREAM_BITS + 2);

	out->component = (enum component)(cookie & 1);
	out->leg = (enum leg)(cookie >> 1 & 1);
	out->stream = cookie >> 2 & ((1u << STREAM_BITS) - 1);
	if (slot >= m->slot_count || !m->slot[slot].session)
		return false;
	out->s = m->slot[slot].session;
	if (out->s->generation != (cookie >> (STREAM_BITS + 2) & (GENERATIONS - 1)))
		return false;
	out->st = out->s->stream[out->stream];
	return out->st && out->st->now.active;
}

static void __attribute__((format(printf, 3, 4)))
media_event(const struct media_session *s, const char *kind, const char *fmt, ...)
{
	const struct media_handlers *h = &s->media->handlers;
	char text[EVENT_TEXT_MAX];
	va_list ap;

	if (!h->event)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	h->event(h->ctx, s->owner, kind, text);
}

void media_changed(const struct media_session *s)
{
	const struct media_handlers *h = &s->media->handlers;

	if (h->changed)
		h->changed(h->ctx, s->owner);
}

static char leg_letter(enum leg leg)
{
	return leg == LEG_A ? 'a' : 'b';
}

static void on_first_packet(void *ctx, uint32_t cookie, const struct addr *source)
{
	struct origin o;
	char text[ADDR_TEXT_MAX];

	if (origin_of(ctx, cookie, &o))
		media_event(o.s, "media", "leg %c stream %u first %s packet from %s",
			leg_letter(o.leg), o.stream,
			o.component == COMPONENT_RTCP ? "RTCP" : "media", addr_print(source, text));
}

static void on_latched(void *ctx, uint32_t cookie, const struct addr *source)
{
	struct origin o;
	char text[ADDR_TEXT_MAX];

	if (!origin_of(ctx, cookie, &o))
		return;
	o.st->latched[o.leg][o.component] = *source;
	flows_sync(o.s, o.stream);
	media_changed(o.s);
	media_event(o.s, "latched", "leg %c stream %u%s latched %s", leg_letter(o.leg), o.stream,
		o.component == COMPONENT_RTCP ? " RTCP" : "", addr_print(source, text));
}

/* Each source once, though it may be told again. */
static void on_refused(void *ctx, uint32_t cookie, const struct addr *source)
{
	struct origin o;
	char from[ADDR_TEXT_MAX], admitted[ADDR_TEXT_MAX];
	const struct addr *remote;

	if (!origin_of(ctx, cookie, &o) || o.component == COMPONENT_RTCP ||
		addr_equal(&o.st->refused[o.leg], source))
		return;
	o.st->refused[o.leg] = *source;
	remote = &o.st->latched[o.leg][COMPONENT_RTP];
	if (!remote->family)
		remote = &o.st->now.said[o.leg].remote[COMPONENT_RTP];
	media_event(o.s, "stranger", "leg %c stream %u media from %s is refused, admitted is %s",
		leg_letter(o.leg), o.stream, addr_print(source, from),
		remote->family ? addr_print(remote, admitted) : "nobody");
}

static void on_ssrc_changed(void *ctx, uint32_t cookie, uint32_t ssrc)
{
	struct origin o;

	if (origin_of(ctx, cookie, &o))
		media_event(o.s, "ssrc", "leg %c stream %u SSRC %08x", leg_letter(o.leg), o.stream,
			ssrc);
}

static void on_dtmf(void *ctx, uint32_t cookie, uint8_t event, uint16_t duration)
{
	static const char digits[] = "0123456789*#ABCD";
	struct origin o;
	char digit = '?';
	double clock;

	if (!origin_of(ctx, cookie, &o))
		return;
	if (event < sizeof(digits) - 1)
		digit = digits[event];
	o.st->dtmf[o.leg]++;
	media_changed(o.s);
	clock = o.st->now.clock_rate;
	media_event(o.s, "dtmf", "leg %c stream %u digit %c %.0f ms", leg_letter(o.leg), o.stream,
		digit, clock > 0 ? duration * (double)MS_A_SEC / clock : 0.0);
}

static void on_rtcp(void *ctx, uint32_t cookie, const uint8_t *data, unsigned len, uint64_t time_ns)
{
	struct origin o;

	if (!origin_of(ctx, cookie, &o) || o.st->now.secure)
		return;
	rtcp_read(&o.st->rtcp[o.leg], &o.st->rtcp[OTHER_LEG(o.leg)], data, len, time_ns);
	o.s->is_measured = true;
}

const char *media_unsupported(const struct media *m)
{
	return m->unsupported;
}

struct dataplane_handlers media_dataplane_handlers(struct media *m)
{
	return (struct dataplane_handlers){
		.ctx = m,
		.first_packet = on_first_packet,
		.latched = on_latched,
		.refused = on_refused,
		.ssrc_changed = on_ssrc_changed,
		.dtmf = on_dtmf,
		.rtcp = on_rtcp,
	};
}

/* ---- the room ---------------------------------------------------------------------------------
 */

static uint64_t loop_clock(const struct media *m)
{
	return loop_now_ms(m->loop);
}

static void on_watchdog(struct loop_timer *t)
{
	struct media *m = (struct media *)((char *)t - offsetof(struct media, watchdog));

	watchdog_tick(m);
	if (m->started_count)
		loop_timer_start(m->loop, t, WATCHDOG_TICK_MS);
}

int media_new(struct media **out, struct loop *loop, const struct config *cfg,
	enum dataplane_engine engine, const struct media_handlers *handlers)
{
	struct media *m = calloc(1, sizeof(*m));
	const struct dataplane_handlers below = media_dataplane_handlers(m);
	int ret = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->loop = loop;
	m->now_ms = loop_clock;
	m->slot_free = SLOT_NONE;
	m->watchdog.fire = on_watchdog;
	if (handlers)
		m->handlers = *handlers;
	m->scratch = malloc(sizeof(*m->scratch));
	if (!m->scratch)
		goto fail;
	ret = set_pools(m, cfg);
	if (ret)
		goto fail;
	ret = dataplane_open(&m->dataplane, engine, cfg, flows_wanted(m, cfg), loop, &below);
	if (ret)
		goto fail;
	m->flows_max = dataplane_flows_max(m->dataplane);
	*out = m;
	return 0;
fail:
	media_free(m);
	return ret;
}

void media_free(struct media *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->slot_count; i++)
		media_session_free(m->slot[i].session);
	loop_timer_stop(m->loop, &m->watchdog);
	resting_close(m->resting);
	if (m->dataplane)
		dataplane_close(m->dataplane);
	while (m->pool_count)
		port_pool_free(m->pool[--m->pool_count]);
	free(m->slot);
	free(m->scratch);
	free(m);
}

int media_keep_resting(struct media *m, struct store *store)
{
	return resting_open(&m->resting, m, store);
}

int media_reload(struct media *m, const struct config *cfg)
{
	int ret = dataplane_reload(m->dataplane, cfg);
	unsigned wanted;

	if (!ret)
		ret = set_pools(m, cfg);
	if (ret)
		return ret;
	wanted = flows_wanted(m, cfg);
	if (wanted > m->flows_max)
		log_warn("media: the kernel's tables stay as they are, for %u flows where %u are "
			 "asked for; a start after `viaduct stop --now` makes them anew",
			m->flows_max, wanted);
	return 0;
}

struct dataplane *media_dataplane(struct media *m)
{
	return m->dataplane;
}

void media_get_status(const struct media *m, struct media_status *out)
{
	memset(out, 0, sizeof(*out));
	out->sessions = m->session_count;
	out->sessions_adopted = m->sessions_adopted;
	out->flows_adopted = m->flows_adopted;
	out->flows_added = m->flows_added;
	out->flows_removed = m->flows_removed;
	for (unsigned i = 0; i < m->pool_count; i++) {
		unsigned side = port_pool_side(m->pool[i]);
		struct port_pool_status st;

		port_pool_get_status(m->pool[i], m->now_ms(m), &st);
		out->ports_total[side] += st.total;
		out->ports_used[side] += st.used;
		out->ports_quarantined[side] += st.quarantined;
		out->ports_left[side] += st.left;
	}
}
