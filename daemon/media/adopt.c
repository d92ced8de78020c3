/* SPDX-License-Identifier: BSD-2-Clause */
/* A session from the message that save.c of the daemon before wrote. The message is checked where
 * the rest of the room relies on what it says; a number that is merely wrong is taken as it is. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "media/flows.h"
#include "media/offer_answer.h"
#include "media/room.h"
#include "media/stream.h"

#define PORT_BYTES  2
#define PACKETS_MAX (1ull << 48) /* of a stream: sums of them stay far from any end */

/* What is wrong sticks; everything else is read on. */
struct reading {
	struct media_session *s;
	uint64_t now_ms;
	int error;
};

static void fail(struct reading *r, int error)
{
	if (!r->error)
		r->error = error;
}

static void read_text(struct reading *r, char *out, size_t room, const ProtobufCBinaryData *in)
{
	if (in->len >= room || (in->len && memchr(in->data, '\0', in->len))) {
		fail(r, -EINVAL);
		return;
	}
	if (in->len)
		memcpy(out, in->data, in->len);
	out[in->len] = '\0';
}

/* malloc'd; NULL where it is empty. */
static char *read_sdp(struct reading *r, const ProtobufCBinaryData *in)
{
	char *out;

	if (in->len == 0)
		return NULL;
	out = in->len > STRBUF_LIMIT ? NULL : strndup((const char *)in->data, in->len);
	if (!out)
		fail(r, in->len > STRBUF_LIMIT ? -EINVAL : -ENOMEM);
	return out;
}

static struct addr read_addr(struct reading *r, const ProtobufCBinaryData *in)
{
	struct addr a = {0};

	if (in->len == 0)
		return a;
	if (in->len != PORT_BYTES + 4 && in->len != PORT_BYTES + 16) {
		fail(r, -EINVAL);
		return a;
	}
	a.family = in->len == PORT_BYTES + 4 ? 4 : 6;
	a.port = (uint16_t)(in->data[0] << 8 | in->data[1]);
	memcpy(a.ip, in->data + PORT_BYTES, in->len - PORT_BYTES);
	return a;
}

static double read_measure(double value)
{
	return isfinite(value) && value > 0 ? value : 0;
}

static uint64_t read_past_ms(const struct reading *r, uint64_t ms)
{
	return ms < r->now_ms ? ms : r->now_ms;
}

static uint64_t read_packets(struct reading *r, uint64_t packets)
{
	if (packets > PACKETS_MAX)
		fail(r, -EINVAL);
	return packets;
}

static void read_said(struct reading *r, struct said *out, const VdState__Said *in)
{
	if (!in)
		return;
	out->remote[COMPONENT_RTP] = read_addr(r, &in->rtp);
	out->remote[COMPONENT_RTCP] = read_addr(r, &in->rtcp);
	out->send = in->send;
	out->recv = in->recv;
}

static void read_rate(struct media_rate *out, const VdState__MediaRate *in)
{
	if (in)
		*out = (struct media_rate){in->bits, in->packets, in->ip_kbit, in->all_kbit};
}

static void read_map(struct reading *r, struct payload_map *out, const VdState__NegotiatedLeg *in)
{
	if (in->map_from.len > VD_PT_MAP_MAX || in->map_from.len != in->map_to.len) {
		fail(r, -EINVAL);
		return;
	}
	out->count = (uint8_t)in->map_from.len;
	for (unsigned i = 0; i < out->count; i++) {
		out->from[i] = in->map_from.data[i];
		out->to[i] = in->map_to.data[i];
		if ((out->from[i] | out->to[i]) > PAYLOAD_NUMBER_MAX)
			fail(r, -EINVAL);
	}
}

static void read_negotiated(
	struct reading *r, struct negotiated *out, const VdState__Negotiated *in)
{
	memset(out, 0, sizeof(*out));
	if (!in)
		return;
	out->active = in->active;
	out->opaque = in->opaque;
	out->mux = in->mux;
	out->secure = in->secure;
	out->profiles_differ = in->profiles_differ;
	read_text(r, out->kind, sizeof(out->kind), &in->kind);
	read_text(r, out->proto, sizeof(out->proto), &in->proto);
	read_text(r, out->codec, sizeof(out->codec), &in->codec);
	out->clock_rate = in->clock_rate;
	read_rate(&out->rate, in->rate);
	if (in->n_leg != LEG_COUNT)
		fail(r, -EINVAL);
	for (unsigned leg = 0; leg < LEG_COUNT && leg < in->n_leg; leg++) {
		const VdState__NegotiatedLeg *l = in->leg[leg];

		read_said(r, &out->said[leg], l->said);
		read_map(r, &out->map[leg], l);
		out->telephone_event[leg] = PAYLOAD_NONE;
		if (l->telephone_event && l->telephone_event <= PAYLOAD_NUMBER_MAX + 1)
			out->telephone_event[leg] = (uint8_t)(l->telephone_event - 1);
	}
}

/* ---- streams ---- */

static void read_kind(struct reading *r, struct sample_kind *out, const VdState__SampleKind *in)
{
	if (!in)
		return;
	out->runs = in->runs;
	out->expected = read_packets(r, in->expected);
	out->lost = read_packets(r, in->lost);
	out->ms = in->ms;
}

static void read_reception(struct reading *r, struct samples *out, const VdState__Reception *in)
{
	if (!in)
		return;
	out->expected = read_packets(r, in->expected);
	if (in->lost > (int64_t)PACKETS_MAX || in->lost < -(int64_t)PACKETS_MAX)
		fail(r, -EINVAL);
	out->lost = in->lost;
	out->at_ms = read_past_ms(r, in->at_ms);
	out->count = in->count;
	out->jitter_sum_ms = read_measure(in->jitter_sum_ms);
	out->jitter_max_ms = read_measure(in->jitter_max_ms);
	out->loss_max_percent = read_measure(in->loss_max_percent);
	out->in_burst = in->in_burst;
	read_kind(r, &out->burst, in->burst);
	read_kind(r, &out->gap, in->gap);
}

static void read_reports(struct reading *r, struct rtcp_leg *out, const VdState__MediaStreamLeg *in)
{
	out->has_rtt = in->has_rtt;
	out->rtt_ms = read_measure(in->rtt_ms);
	if (in->n_report_ntp != in->n_report_seen_ns || in->n_report_ntp > RTCP_REPORTS_KEPT) {
		fail(r, -EINVAL);
		return;
	}
	for (size_t i = 0; i < in->n_report_ntp; i++) {
		out->report[i].ntp = in->report_ntp[i];
		out->report[i].seen_ns = in->report_seen_ns[i];
	}
	out->next = (uint8_t)(in->n_report_ntp % RTCP_REPORTS_KEPT);
}

/* An address that the configuration has no more keeps a pool for what is in use, as after a
 * reload. */
static void claim_port(
	struct reading *r, struct stream *st, enum leg leg, const VdState__MediaStreamLeg *in)
{
	struct side_address address = {
		.local = read_addr(r, &in->local), .advertised = read_addr(r, &in->advertised)};
	struct port_pool *pool;
	int ret;

	if (!in->port)
		return;
	if (in->side >= SIDE_COUNT || in->port > UINT16_MAX || !address.local.family ||
		address.advertised.family != address.local.family)
		fail(r, -EINVAL);
	if (r->error)
		return;
	ret = media_pool_of(r->s->media, in->side, &address, &pool);
	if (!ret)
		ret = port_pool_claim(pool, (uint16_t)in->port);
	if (ret) {
		fail(r, ret);
		return;
	}
	st->local[leg].pool = pool;
	st->local[leg].port = (uint16_t)in->port;
}

static void read_counted(
	struct reading *r, struct dataplane_stats *out, size_t count, VdState__Counted *const *in)
{
	if (count > COMPONENT_COUNT)
		fail(r, -EINVAL);
	for (size_t c = 0; c < COMPONENT_COUNT; c++) {
		out[c].last_seen_ms_ago = UINT64_MAX;
		if (c >= count)
			continue;
		out[c].packets = read_packets(r, in[c]->packets);
		out[c].bytes = in[c]->bytes;
		out[c].rtcp_packets = read_packets(r, in[c]->rtcp_packets);
		out[c].expected = read_packets(r, in[c]->expected);
		if (in[c]->lost > (int64_t)PACKETS_MAX || in[c]->lost < -(int64_t)PACKETS_MAX)
			fail(r, -EINVAL);
		out[c].lost = in[c]->lost;
		out[c].out_of_order = read_packets(r, in[c]->out_of_order);
		out[c].ssrc = in[c]->ssrc;
		out[c].ssrc_changes = in[c]->ssrc_changes;
		out[c].jitter = in[c]->jitter;
		if (in[c]->last_seen_ms)
			out[c].last_seen_ms_ago = r->now_ms - read_past_ms(r, in[c]->last_seen_ms);
		out[c].dropped_source = read_packets(r, in[c]->dropped_source);
	}
}

static void read_stream_leg(
	struct reading *r, struct stream *st, enum leg leg, const VdState__MediaStreamLeg *in)
{
	claim_port(r, st, leg, in);
	if (in->n_counted || in->n_earlier) {
		if (!st->before)
			st->before = calloc(1, sizeof(*st->before));
		if (!st->before) {
			fail(r, -ENOMEM);
			return;
		}
		read_counted(r, st->before->all[leg], in->n_counted, in->counted);
		read_counted(r, st->before->earlier[leg], in->n_earlier, in->earlier);
	}
	st->latched[leg][COMPONENT_RTP] = read_addr(r, &in->latched_rtp);
	st->latched[leg][COMPONENT_RTCP] = read_addr(r, &in->latched_rtcp);
	st->dtmf[leg] = in->dtmf;
	read_reception(r, &st->samples[leg], in->reception);
	read_reports(r, &st->rtcp[leg], in);
}

static void read_stream(struct reading *r, const VdState__MediaStream *in)
{
	struct media_session *s = r->s;
	struct stream *st;

	if (in->index >= MEDIA_STREAMS_MAX || s->stream[in->index] || in->n_leg != LEG_COUNT) {
		fail(r, -EINVAL);
		return;
	}
	st = calloc(1, sizeof(*st));
	if (!st) {
		fail(r, -ENOMEM);
		return;
	}
	s->stream[in->index] = st;
	/* More may be in use than the present configuration allows. */
	if (in->reserved)
		s->media->flows_reserved += FLOWS_A_STREAM;
	st->reserved = in->reserved;
	read_negotiated(r, &st->now, in->now);
	for (unsigned leg = 0; leg < LEG_COUNT; leg++)
		read_stream_leg(r, st, (enum leg)leg, in->leg[leg]);
	if (st->now.active && (!st->reserved || !st->local[LEG_A].pool || !st->local[LEG_B].pool))
		fail(r, -EINVAL);
}

/* ---- the pending offer ---- */

static void read_payload(struct reading *r, struct payload *out, const VdState__Payload *in)
{
	if (in->number > PAYLOAD_NUMBER_MAX || in->channels > UINT8_MAX)
		fail(r, -EINVAL);
	out->number = (uint8_t)in->number;
	out->channels = (uint8_t)in->channels;
	read_text(r, out->name, sizeof(out->name), &in->name);
	out->clock_rate = in->clock_rate;
	out->parameters = in->parameters;
}

static void read_offered(struct reading *r, struct offered *out, const VdState__Offered *in)
{
	out->accepted = in->accepted;
	out->opaque = in->opaque;
	out->mux = in->mux;
	out->secure = in->secure;
	out->savp = in->savp;
	read_text(r, out->kind, sizeof(out->kind), &in->kind);
	if (in->direction > SDP_INACTIVE)
		fail(r, -EINVAL);
	out->direction = (enum sdp_direction)in->direction;
	read_said(r, &out->said, in->said);
	out->ptime = in->ptime;
	read_rate(&out->rate, in->rate);
	if (in->n_payload > SDP_FORMATS_MAX) {
		fail(r, -EINVAL);
		return;
	}
	if (in->n_payload == 0)
		return;
	out->payload = calloc(in->n_payload, sizeof(out->payload[0]));
	if (!out->payload) {
		fail(r, -ENOMEM);
		return;
	}
	out->payload_count = (unsigned)in->n_payload;
	for (unsigned i = 0; i < out->payload_count; i++)
		read_payload(r, &out->payload[i], in->payload[i]);
}

static void read_before(
	struct reading *r, struct negotiation *ex, const VdState__MediaNegotiation *in)
{
	if (in->n_before != MEDIA_STREAMS_MAX || in->before_count > MEDIA_STREAMS_MAX) {
		fail(r, -EINVAL);
		return;
	}
	ex->before = calloc(MEDIA_STREAMS_MAX, sizeof(ex->before[0]));
	if (!ex->before) {
		fail(r, -ENOMEM);
		return;
	}
	ex->before_count = in->before_count;
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++)
		read_negotiated(r, &ex->before[i], in->before[i]);
}

/* An answer writes our ports of every stream that was accepted. */
static void check_offered(struct reading *r, const struct negotiation *ex)
{
	for (unsigned i = 0; i < ex->count; i++) {
		const struct stream *st = r->s->stream[i];

		if (ex->shown && !ex->bypass && ex->offered[i].accepted &&
			(!st || !st->local[LEG_A].pool || !st->local[LEG_B].pool))
			fail(r, -EINVAL);
	}
}

static void read_pending(struct reading *r, const VdState__MediaNegotiation *in)
{
	struct negotiation *ex;

	if (in->from >= LEG_COUNT || in->n_offered > MEDIA_STREAMS_MAX) {
		fail(r, -EINVAL);
		return;
	}
	ex = calloc(1, sizeof(*ex));
	if (!ex) {
		fail(r, -ENOMEM);
		return;
	}
	r->s->exchange = ex;
	ex->from = (enum leg)in->from;
	ex->by_us = in->by_us;
	ex->shown = in->shown;
	ex->answered = in->answered;
	ex->bypass = in->bypass;
	ex->text[LEG_A] = read_sdp(r, &in->text_a);
	ex->text[LEG_B] = read_sdp(r, &in->text_b);
	ex->count = (unsigned)in->n_offered;
	for (unsigned i = 0; i < ex->count; i++)
		read_offered(r, &ex->offered[i], in->offered[i]);
	if (in->has_before)
		read_before(r, ex, in);
	check_offered(r, ex);
}

/* ---- the session ---- */

static void read_leg(struct reading *r, enum leg leg, const VdState__MediaLeg *in)
{
	struct media_session *s = r->s;

	s->sdp[leg].id = in->session_id;
	s->sdp[leg].version = in->version;
	s->sdp[leg].last = read_sdp(r, &in->told);
	s->sdp[leg].last_len = s->sdp[leg].last ? strlen(s->sdp[leg].last) : 0;
	s->heard[leg] = read_sdp(r, &in->heard);
}

static void read_session(struct reading *r, const VdState__MediaSession *in)
{
	struct media_session *s = r->s;

	s->timed_out = in->timed_out;
	s->urgent = in->urgent;
	s->spare = in->spare;
	s->bypassed = in->bypassed;
	if (in->n_leg != LEG_COUNT || in->count > MEDIA_STREAMS_MAX) {
		fail(r, -EINVAL);
		return;
	}
	s->count = in->count;
	for (unsigned leg = 0; leg < LEG_COUNT; leg++)
		read_leg(r, (enum leg)leg, in->leg[leg]);
	for (size_t i = 0; i < in->n_stream; i++)
		read_stream(r, in->stream[i]);
	if (in->pending)
		read_pending(r, in->pending);
}

/* Where a flow had to be added anew nothing was received yet: its time begins now. */
static int adopt_flows(struct reading *r)
{
	struct media *m = r->s->media;
	unsigned added = m->flows_added;
	int ret = 0;

	for (unsigned i = 0; i < MEDIA_STREAMS_MAX && !ret; i++) {
		if (r->s->stream[i])
			ret = flows_adopt(r->s, i);
	}
	if (m->flows_added != added)
		r->s->changed_ms = r->now_ms;
	return ret;
}

/* It never came to be: its owner hears nothing of its end. */
static void give_up(struct media_session *s)
{
	s->spare = true;
	media_session_free(s);
}

int media_session_adopt(struct media *m, void *owner, const struct peer_config *peer_a,
	const struct peer_config *peer_b, const VdState__MediaSession *in,
	struct media_session **out)
{
	struct reading r = {.now_ms = m->now_ms(m)};
	int ret;

	if (in->generation >= GENERATIONS)
		return -EINVAL;
	ret = media_session_new_at(
		m, in->slot, (uint8_t)in->generation, owner, peer_a, peer_b, &r.s);
	if (ret)
		return ret;
	read_session(&r, in);
	ret = r.error;
	if (!ret && in->started)
		media_session_start(r.s);
	r.s->changed_ms = read_past_ms(&r, in->changed_ms);
	/* Sessions that come at once are not to report at once. */
	r.s->told_ms = r.now_ms - in->slot % (MEDIA_CHANGED_PERIOD_MS / 1000) * 1000;
	if (!ret)
		ret = adopt_flows(&r);
	if (ret) {
		give_up(r.s);
		return ret;
	}
	m->sessions_adopted++;
	bandwidth_tell(r.s);
	*out = r.s;
	return 0;
}

void media_adoption_done(struct media *m)
{
	m->flows_removed = dataplane_adoption_done(m->dataplane);
	media_drop_empty_pools(m);
	if (m->sessions_adopted || m->flows_removed)
		log_info("media: %u sessions of before go on, with %u flows; %u flows were added "
			 "anew, %u were nobody's and are removed",
			m->sessions_adopted, m->flows_adopted, m->flows_added, m->flows_removed);
}

void media_set_leaving(struct media *m)
{
	m->leaving = true;
}

void media_leave(struct media *m)
{
	if (!m)
		return;
	media_set_leaving(m);
	for (unsigned i = 0; i < m->slot_count; i++) {
		if (m->slot[i].session)
			give_up(m->slot[i].session);
	}
	dataplane_leave(m->dataplane);
	m->dataplane = NULL;
	media_free(m);
}

void media_abandon(struct media *m)
{
	if (m && dataplane_is_adopting(m->dataplane))
		media_leave(m);
	else
		media_free(m);
}
