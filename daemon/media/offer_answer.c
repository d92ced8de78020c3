/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/offer_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/token.h"
#include "media/flows.h"
#include "media/stream.h"
#include "media/unsupported.h"

#define PORT_LAST 65535
/* RFC 8866 5.2 asks for a number; many keep it in a signed 64-bit one. */
#define SESSION_ID_BITS 62

static bool direction_sends(enum sdp_direction d)
{
	return d == SDP_SENDRECV || d == SDP_SENDONLY;
}

static bool direction_receives(enum sdp_direction d)
{
	return d == SDP_SENDRECV || d == SDP_RECVONLY;
}

enum sdp_direction negotiation_direction(bool send, bool recv)
{
	if (send)
		return recv ? SDP_SENDRECV : SDP_SENDONLY;
	return recv ? SDP_RECVONLY : SDP_INACTIVE;
}

void negotiation_free(struct negotiation *ex)
{
	if (!ex)
		return;
	for (unsigned i = 0; i < ex->count; i++)
		free(ex->offered[i].payload);
	for (unsigned leg = 0; leg < LEG_COUNT; leg++)
		free(ex->text[leg]);
	free(ex->before);
	free(ex);
}

void negotiation_sync(struct media_session *s, int *ret)
{
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		int r = s->stream[i] ? flows_sync(s, i) : 0;

		*ret = *ret ? *ret : r;
	}
	s->changed_ms = s->media->now_ms(s->media);
}

void negotiation_revert(struct media_session *s)
{
	struct negotiation *ex = s->exchange;
	int ret = 0;

	if (!ex || !ex->before)
		return;
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		if (s->stream[i])
			s->stream[i]->now = ex->before[i];
	}
	s->count = ex->before_count;
	free(ex->before);
	ex->before = NULL;
	negotiation_sync(s, &ret);
}

void negotiation_conclude(struct media_session *s)
{
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		if (s->stream[i] && !s->stream[i]->now.active)
			stream_close(s, i);
	}
	if (s->exchange && s->exchange->answered)
		s->bypassed = s->exchange->bypass;
	for (unsigned leg = 0; s->exchange && s->exchange->answered && leg < LEG_COUNT; leg++) {
		if (!s->exchange->text[leg])
			continue;
		free(s->heard[leg]);
		s->heard[leg] = s->exchange->text[leg];
		s->exchange->text[leg] = NULL;
	}
	negotiation_free(s->exchange);
	s->exchange = NULL;
	bandwidth_tell(s);
}

/* kbit/s of the session on that leg: of each stream what is in force, or what the offer may make of
 * it where that is more. ex: the pending offer, or NULL. */
static unsigned session_kbit(
	const struct media_session *s, const struct negotiation *ex, enum leg leg)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		const struct stream *st = s->stream[i];
		const struct offered *o = ex && i < ex->count ? &ex->offered[i] : NULL;
		unsigned now = 0, then = 0;
		uint8_t family;

		if (!st || !st->local[leg].pool)
			continue;
		family = port_pool_address(st->local[leg].pool)->local.family;
		if (st->now.active)
			now = bandwidth_kbit(&st->now.rate, family, st->now.secure);
		if (o && o->accepted)
			then = bandwidth_kbit(&o->rate, family, o->secure);
		sum += now > then ? now : then;
	}
	return sum;
}

static int report_bandwidth(struct media_session *s, const struct negotiation *ex, bool may_refuse)
{
	const struct media_handlers *h = &s->media->handlers;
	const unsigned kbit[LEG_COUNT] = {session_kbit(s, ex, LEG_A), session_kbit(s, ex, LEG_B)};

	return h->bandwidth && !s->spare ? h->bandwidth(h->ctx, s->owner, kbit, may_refuse) : 0;
}

int bandwidth_ask(struct media_session *s, const struct negotiation *ex)
{
	return report_bandwidth(s, ex, true);
}

void bandwidth_tell(struct media_session *s)
{
	(void)report_bandwidth(s, s->exchange, false);
}

bool negotiation_can_reach(const struct sdp_media *m)
{
	return m->connection.is_reachable || m->connection.is_any;
}

void negotiation_read_said(
	struct said *out, const struct sdp_media *m, const struct stream *st, enum leg leg)
{
	struct addr *rtp = &out->remote[COMPONENT_RTP], *rtcp = &out->remote[COMPONENT_RTCP];
	unsigned rtcp_port;

	memset(out, 0, sizeof(*out));
	out->send = direction_sends(m->direction);
	out->recv = direction_receives(m->direction);
	if (m->connection.is_any) {
		/* RFC 2543 B.5: hold by 0.0.0.0. Nothing goes there; what it may send comes from
		 * where it did before. */
		out->recv = false;
		if (st && st->now.active && st->now.said[leg].remote[COMPONENT_RTP].port == m->port)
			memcpy(out->remote, st->now.said[leg].remote, sizeof(out->remote));
		return;
	}
	*rtp = m->connection.ip;
	rtp->port = m->port;
	rtcp_port = m->rtcp_port ? m->rtcp_port : m->port + 1u;
	if (rtcp_port > PORT_LAST ||
		(m->rtcp_connection.present && !m->rtcp_connection.is_reachable))
		return;
	*rtcp = m->rtcp_connection.present ? m->rtcp_connection.ip : m->connection.ip;
	rtcp->port = (uint16_t)rtcp_port;
}

unsigned negotiation_read_payloads(const struct media_session *s, const struct sdp *sdp,
	const struct sdp_media *m, struct payload list[SDP_FORMATS_MAX], unsigned *all)
{
	bool audio = sdp_text_equal(m->kind, "audio");
	unsigned kept = 0;

	*all = payload_read(sdp, m, list);
	if (!audio || (s->peer[LEG_A]->codec_count == 0 && s->peer[LEG_B]->codec_count == 0))
		return *all;
	for (unsigned i = 0; i < *all; i++) {
		if (payload_is_allowed(&list[i], s->peer[LEG_A]) &&
			payload_is_allowed(&list[i], s->peer[LEG_B]))
			list[kept++] = list[i];
	}
	if (payload_codec(list, kept))
		return kept;
	payload_read(sdp, m, list);
	unsupported_codecs(s, m, list, *all);
	return 0;
}

int negotiation_address(const struct media_session *s, enum leg leg, const bool *accepted,
	unsigned count, struct addr *out)
{
	struct port_pool *pool = NULL;

	for (unsigned i = 0; i < count && !pool; i++)
		pool = accepted[i] ? s->stream[i]->local[leg].pool : NULL;
	if (!pool)
		pool = media_pool_for(s->media, s->peer[leg], 0);
	if (!pool)
		return -EPROTONOSUPPORT;
	*out = port_pool_address(pool)->advertised;
	out->port = 0;
	return 0;
}

int negotiation_write(struct media_session *s, enum leg leg, const struct addr *address,
	const struct rewrite_media *media, char **out, size_t *out_len)
{
	struct strbuf b = {0};
	uint64_t id = s->sdp[leg].id, version = s->sdp[leg].version;
	char *copy = NULL;
	int ret;

	if (id == 0) {
		id = token_random64() >> (64 - SESSION_ID_BITS) | 1;
		version = 1;
	}
	rewrite_sdp(&b, s->media->scratch, address, id, version, media);
	if (s->sdp[leg].last && !strbuf_error(&b) &&
		(b.len != s->sdp[leg].last_len || memcmp(b.s, s->sdp[leg].last, b.len) != 0)) {
		strbuf_reset(&b);
		rewrite_sdp(&b, s->media->scratch, address, id, ++version, media);
	}
	ret = strbuf_error(&b);
	if (!ret) {
		copy = strdup(b.s);
		ret = copy ? 0 : -ENOMEM;
	}
	if (ret) {
		strbuf_free(&b);
		return ret == -ENOMEM ? ret : -EINVAL;
	}
	free(s->sdp[leg].last);
	s->sdp[leg].last = copy;
	s->sdp[leg].last_len = b.len;
	s->sdp[leg].id = id;
	s->sdp[leg].version = version;
	*out = b.s;
	*out_len = b.len;
	return 0;
}

struct addr negotiation_advertised(const struct stream *st, enum leg leg)
{
	struct addr a = port_pool_address(st->local[leg].pool)->advertised;

	a.port = st->local[leg].port;
	return a;
}

void media_offer_failed(struct media_session *s)
{
	negotiation_revert(s);
	if (s->exchange)
		s->exchange->answered = false;
	negotiation_conclude(s);
}

bool media_offer_pending(const struct media_session *s)
{
	return s->exchange != NULL;
}
