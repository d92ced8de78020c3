/* SPDX-License-Identifier: BSD-2-Clause */
/* A session as a message for the daemon that comes after this one: adopt.c reads it. */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "media/room.h"

#define PORT_BYTES 2

static ProtobufCBinaryData bytes_of(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)data};
}

static ProtobufCBinaryData text_of(const char *text)
{
	return bytes_of(text, text ? strlen(text) : 0);
}

static ProtobufCBinaryData addr_of(struct arena *a, const struct addr *addr)
{
	size_t len = addr->family == 4 ? 4 : 16;
	uint8_t *p;

	if (!addr->family)
		return bytes_of(NULL, 0);
	p = arena_take(a, PORT_BYTES + len);
	if (!p)
		return bytes_of(NULL, 0);
	p[0] = (uint8_t)(addr->port >> 8);
	p[1] = (uint8_t)addr->port;
	memcpy(p + PORT_BYTES, addr->ip, len);
	return bytes_of(p, PORT_BYTES + len);
}

/* A message of that type in the arena, or a return. */
#define NEW(m, a, INIT)                                                                            \
	do {                                                                                       \
		(m) = arena_take((a), sizeof(*(m)));                                               \
		if (!(m))                                                                          \
			return NULL;                                                               \
		*(m) = (__typeof__(*(m)))INIT;                                                     \
	} while (0)

static VdState__Said *save_said(struct arena *a, const struct said *said)
{
	VdState__Said *m;

	NEW(m, a, VD_STATE__SAID__INIT);
	m->rtp = addr_of(a, &said->remote[COMPONENT_RTP]);
	m->rtcp = addr_of(a, &said->remote[COMPONENT_RTCP]);
	m->send = said->send;
	m->recv = said->recv;
	return m;
}

static VdState__MediaRate *save_rate(struct arena *a, const struct media_rate *rate)
{
	VdState__MediaRate *m;

	NEW(m, a, VD_STATE__MEDIA_RATE__INIT);
	m->bits = rate->bits;
	m->packets = rate->packets;
	m->ip_kbit = rate->ip_kbit;
	m->all_kbit = rate->all_kbit;
	return m;
}

static VdState__NegotiatedLeg *save_negotiated_leg(
	struct arena *a, const struct negotiated *now, enum leg leg)
{
	const struct payload_map *map = &now->map[leg];
	VdState__NegotiatedLeg *m;

	NEW(m, a, VD_STATE__NEGOTIATED_LEG__INIT);
	m->said = save_said(a, &now->said[leg]);
	if (now->telephone_event[leg] != PAYLOAD_NONE)
		m->telephone_event = now->telephone_event[leg] + 1u;
	m->map_from = bytes_of(map->from, map->count);
	m->map_to = bytes_of(map->to, map->count);
	return m;
}

static VdState__Negotiated *save_negotiated(struct arena *a, const struct negotiated *now)
{
	VdState__Negotiated *m;

	NEW(m, a, VD_STATE__NEGOTIATED__INIT);
	m->active = now->active;
	m->opaque = now->opaque;
	m->mux = now->mux;
	m->secure = now->secure;
	m->profiles_differ = now->profiles_differ;
	m->kind = text_of(now->kind);
	m->proto = text_of(now->proto);
	m->codec = text_of(now->codec);
	m->clock_rate = now->clock_rate;
	m->leg = arena_take(a, LEG_COUNT * sizeof(*m->leg));
	if (!m->leg)
		return NULL;
	m->n_leg = LEG_COUNT;
	for (unsigned leg = 0; leg < LEG_COUNT; leg++)
		m->leg[leg] = save_negotiated_leg(a, now, (enum leg)leg);
	m->rate = save_rate(a, &now->rate);
	return m;
}

static VdState__SampleKind *save_kind(struct arena *a, const struct sample_kind *kind)
{
	VdState__SampleKind *m;

	if (!kind->runs)
		return NULL;
	NEW(m, a, VD_STATE__SAMPLE_KIND__INIT);
	m->runs = kind->runs;
	m->expected = kind->expected;
	m->lost = kind->lost;
	m->ms = kind->ms;
	return m;
}

static VdState__Reception *save_reception(struct arena *a, const struct samples *s)
{
	VdState__Reception *m;

	if (!s->at_ms)
		return NULL;
	NEW(m, a, VD_STATE__RECEPTION__INIT);
	m->expected = s->expected;
	m->lost = s->lost;
	m->at_ms = s->at_ms;
	m->count = s->count;
	m->jitter_sum_ms = s->jitter_sum_ms;
	m->jitter_max_ms = s->jitter_max_ms;
	m->loss_max_percent = s->loss_max_percent;
	m->in_burst = s->in_burst;
	m->burst = save_kind(a, &s->burst);
	m->gap = save_kind(a, &s->gap);
	return m;
}

static void save_reports(struct arena *a, VdState__MediaStreamLeg *m, const struct rtcp_leg *rtcp)
{
	m->has_rtt = rtcp->has_rtt;
	m->rtt_ms = rtcp->rtt_ms;
	m->report_ntp = arena_take(a, RTCP_REPORTS_KEPT * sizeof(*m->report_ntp));
	m->report_seen_ns = arena_take(a, RTCP_REPORTS_KEPT * sizeof(*m->report_seen_ns));
	for (unsigned i = 0; m->report_ntp && m->report_seen_ns && i < RTCP_REPORTS_KEPT; i++) {
		unsigned at = (rtcp->next + i) % RTCP_REPORTS_KEPT;

		if (!rtcp->report[at].ntp)
			continue;
		m->report_ntp[m->n_report_ntp++] = rtcp->report[at].ntp;
		m->report_seen_ns[m->n_report_seen_ns++] = rtcp->report[at].seen_ns;
	}
}

static VdState__Counted *save_counted(
	struct arena *a, const struct dataplane_stats *stats, uint64_t now_ms)
{
	VdState__Counted *m;

	NEW(m, a, VD_STATE__COUNTED__INIT);
	m->packets = stats->packets;
	m->bytes = stats->bytes;
	m->rtcp_packets = stats->rtcp_packets;
	m->expected = stats->expected;
	m->lost = stats->lost;
	m->out_of_order = stats->out_of_order;
	m->ssrc = stats->ssrc;
	m->ssrc_changes = stats->ssrc_changes;
	m->jitter = stats->jitter;
	if (stats->last_seen_ms_ago < now_ms)
		m->last_seen_ms = now_ms - stats->last_seen_ms_ago;
	m->dropped_source = stats->dropped_source;
	return m;
}

typedef int stats_fn(const struct dataplane *, dataplane_flow_id, struct dataplane_stats *);

/* Of both components, or of none where neither has anything to tell. */
static size_t save_stats(struct arena *a, struct media *media, const struct stream *st,
	enum leg leg, stats_fn *get, VdState__Counted ***out)
{
	struct dataplane_stats stats[COMPONENT_COUNT];
	bool any = false;

	for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
		if (!st->flow[leg][c] || get(media->dataplane, st->flow[leg][c], &stats[c]))
			stats[c] = (struct dataplane_stats){.last_seen_ms_ago = UINT64_MAX};
		any |= stats[c].packets || stats[c].rtcp_packets || stats[c].dropped_source;
	}
	*out = any ? arena_take(a, COMPONENT_COUNT * sizeof(**out)) : NULL;
	if (!*out)
		return 0;
	for (unsigned c = 0; c < COMPONENT_COUNT; c++)
		(*out)[c] = save_counted(a, &stats[c], media->now_ms(media));
	return COMPONENT_COUNT;
}

static VdState__MediaStreamLeg *save_stream_leg(
	struct arena *a, struct media *media, const struct stream *st, enum leg leg)
{
	const struct port_pool *pool = st->local[leg].pool;
	VdState__MediaStreamLeg *m;

	NEW(m, a, VD_STATE__MEDIA_STREAM_LEG__INIT);
	if (pool) {
		m->port = st->local[leg].port;
		m->side = port_pool_side(pool);
		m->local = addr_of(a, &port_pool_address(pool)->local);
		m->advertised = addr_of(a, &port_pool_address(pool)->advertised);
	}
	m->latched_rtp = addr_of(a, &st->latched[leg][COMPONENT_RTP]);
	m->latched_rtcp = addr_of(a, &st->latched[leg][COMPONENT_RTCP]);
	m->dtmf = st->dtmf[leg];
	m->reception = save_reception(a, &st->samples[leg]);
	save_reports(a, m, &st->rtcp[leg]);
	m->n_counted = save_stats(a, media, st, leg, dataplane_flow_stats, &m->counted);
	if (m->n_counted)
		m->n_earlier = save_stats(a, media, st, leg, dataplane_flow_earlier, &m->earlier);
	return m;
}

static VdState__MediaStream *save_stream(
	struct arena *a, struct media *media, const struct stream *st, unsigned index)
{
	VdState__MediaStream *m;

	NEW(m, a, VD_STATE__MEDIA_STREAM__INIT);
	m->index = index;
	m->now = save_negotiated(a, &st->now);
	m->reserved = st->reserved;
	m->leg = arena_take(a, LEG_COUNT * sizeof(*m->leg));
	if (!m->leg)
		return NULL;
	m->n_leg = LEG_COUNT;
	for (unsigned leg = 0; leg < LEG_COUNT; leg++)
		m->leg[leg] = save_stream_leg(a, media, st, (enum leg)leg);
	return m;
}

static VdState__Payload *save_payload(struct arena *a, const struct payload *p)
{
	VdState__Payload *m;

	NEW(m, a, VD_STATE__PAYLOAD__INIT);
	m->number = p->number;
	m->channels = p->channels;
	m->name = text_of(p->name);
	m->clock_rate = p->clock_rate;
	m->parameters = p->parameters;
	return m;
}

static VdState__Offered *save_offered(struct arena *a, const struct offered *o)
{
	VdState__Offered *m;

	NEW(m, a, VD_STATE__OFFERED__INIT);
	m->accepted = o->accepted;
	m->opaque = o->opaque;
	m->mux = o->mux;
	m->secure = o->secure;
	m->savp = o->savp;
	m->kind = text_of(o->kind);
	m->direction = o->direction;
	m->said = save_said(a, &o->said);
	m->ptime = o->ptime;
	m->rate = save_rate(a, &o->rate);
	m->payload = arena_take(a, o->payload_count * sizeof(*m->payload));
	if (!m->payload)
		return NULL;
	m->n_payload = o->payload_count;
	for (unsigned i = 0; i < o->payload_count; i++)
		m->payload[i] = save_payload(a, &o->payload[i]);
	return m;
}

static VdState__MediaNegotiation *save_pending(struct arena *a, const struct negotiation *ex)
{
	VdState__MediaNegotiation *m;

	NEW(m, a, VD_STATE__MEDIA_NEGOTIATION__INIT);
	m->from = ex->from;
	m->by_us = ex->by_us;
	m->shown = ex->shown;
	m->answered = ex->answered;
	m->bypass = ex->bypass;
	m->text_a = text_of(ex->text[LEG_A]);
	m->text_b = text_of(ex->text[LEG_B]);
	m->offered = arena_take(a, MEDIA_STREAMS_MAX * sizeof(*m->offered));
	m->before = arena_take(a, MEDIA_STREAMS_MAX * sizeof(*m->before));
	if (!m->offered || !m->before)
		return NULL;
	m->n_offered = ex->count;
	for (unsigned i = 0; i < ex->count; i++)
		m->offered[i] = save_offered(a, &ex->offered[i]);
	if (!ex->before)
		return m;
	m->has_before = true;
	m->before_count = ex->before_count;
	m->n_before = MEDIA_STREAMS_MAX;
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++)
		m->before[i] = save_negotiated(a, &ex->before[i]);
	return m;
}

static VdState__MediaLeg *save_leg(struct arena *a, const struct media_session *s, enum leg leg)
{
	VdState__MediaLeg *m;

	NEW(m, a, VD_STATE__MEDIA_LEG__INIT);
	m->session_id = s->sdp[leg].id;
	m->version = s->sdp[leg].version;
	m->told = bytes_of(s->sdp[leg].last, s->sdp[leg].last_len);
	m->heard = text_of(s->heard[leg]);
	return m;
}

int media_session_save(const struct media_session *s, struct arena *a, VdState__MediaSession *out)
{
	*out = (VdState__MediaSession)VD_STATE__MEDIA_SESSION__INIT;
	out->slot = s->slot;
	out->generation = s->generation;
	out->started = s->started;
	out->timed_out = s->timed_out;
	out->urgent = s->urgent;
	out->spare = s->spare;
	out->bypassed = s->bypassed;
	out->changed_ms = s->changed_ms;
	out->count = s->count;
	out->leg = arena_take(a, LEG_COUNT * sizeof(*out->leg));
	out->stream = arena_take(a, MEDIA_STREAMS_MAX * sizeof(*out->stream));
	if (!out->leg || !out->stream)
		return -ENOMEM;
	out->n_leg = LEG_COUNT;
	for (unsigned leg = 0; leg < LEG_COUNT; leg++)
		out->leg[leg] = save_leg(a, s, (enum leg)leg);
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		if (s->stream[i])
			out->stream[out->n_stream++] = save_stream(a, s->media, s->stream[i], i);
	}
	if (s->exchange)
		out->pending = save_pending(a, s->exchange);
	return arena_failed(a) ? -ENOMEM : 0;
}
