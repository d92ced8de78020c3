/* SPDX-License-Identifier: BSD-2-Clause */
/* An offer on its way from one leg to the other (RFC 3264 5, 8). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/bypass.h"
#include "media/hold.h"
#include "media/offer_answer.h"
#include "media/stream.h"
#include "media/unsupported.h"

static uint8_t family_of(const struct sdp_media *m)
{
	return m->connection.is_reachable ? m->connection.ip.family : 0;
}

static int read_offered(struct media_session *s, struct negotiation *ex, unsigned i, bool *filtered)
{
	const struct sdp *sdp = s->media->scratch;
	const struct sdp_media *m = &sdp->media[i];
	struct offered *o = &ex->offered[i];
	struct payload list[SDP_FORMATS_MAX];
	unsigned all = 0, kept;

	*filtered = false;
	sdp_text_copy(o->kind, sizeof(o->kind), m->kind);
	if (m->port == 0 || m->port_count != 1)
		return 0;
	if (m->transport == SDP_TRANSPORT_OTHER || !negotiation_can_reach(m)) {
		unsupported_stream(s, m);
		return 0;
	}
	o->opaque = m->transport == SDP_TRANSPORT_UDPTL;
	o->secure = m->secure;
	o->savp = m->savp;
	o->mux = m->rtcp_mux && !o->opaque;
	negotiation_read_said(&o->said, m, s->stream[i], ex->from);
	o->direction = negotiation_direction(o->said.send, o->said.recv);
	if (o->opaque) {
		bandwidth_read(&o->rate, sdp, m, NULL, 0, 0, &s->media->bandwidth);
	} else {
		kept = negotiation_read_payloads(s, sdp, m, list, &all);
		if (kept == 0)
			return 0;
		o->payload = malloc(kept * sizeof(list[0]));
		if (!o->payload)
			return -ENOMEM;
		memcpy(o->payload, list, kept * sizeof(list[0]));
		o->payload_count = kept;
		*filtered = kept != all;
		o->ptime = bandwidth_ptime(sdp, m);
		bandwidth_read(&o->rate, sdp, m, list, kept, 0, &s->media->bandwidth);
	}
	o->accepted = true;
	return 0;
}

/* What the other leg is shown of the offer in scratch, with our addresses. */
static int relay_offer(struct media_session *s, struct negotiation *ex, char **out, size_t *out_len)
{
	struct sdp *sdp = s->media->scratch;
	struct rewrite_media media[MEDIA_STREAMS_MAX] = {0};
	struct stream_taken taken[MEDIA_STREAMS_MAX] = {0};
	bool accepted[MEDIA_STREAMS_MAX] = {false};
	enum leg to = OTHER_LEG(ex->from);
	unsigned wanted = 0, good = 0;
	struct addr address;
	int ret = 0;

	for (unsigned i = 0; i < ex->count && !ret; i++) {
		ret = read_offered(s, ex, i, &media[i].filter);
		wanted += sdp->media[i].port != 0;
		good += accepted[i] = ex->offered[i].accepted;
	}
	if (!ret && wanted && !good)
		ret = -EPROTONOSUPPORT;
	for (unsigned i = 0; i < ex->count && !ret; i++) {
		uint8_t family[LEG_COUNT] = {0};

		family[ex->from] = family_of(&sdp->media[i]);
		if (accepted[i])
			ret = stream_open(s, i, family, &taken[i]);
	}
	if (!ret)
		ret = negotiation_address(s, to, accepted, ex->count, &address);
	if (ret)
		goto undo;
	for (unsigned i = 0; i < ex->count; i++) {
		const struct offered *o = &ex->offered[i];

		media[i].rejected = !accepted[i];
		if (!accepted[i])
			continue;
		media[i].address = negotiation_advertised(s->stream[i], to);
		media[i].keep_mux = o->mux;
		media[i].set_direction = o->direction != sdp->media[i].direction;
		media[i].direction = o->direction;
		media[i].payload = o->payload;
		media[i].payload_count = o->payload_count;
		if (s->stream[i]->now.active)
			hold_in_offer(s->peer[to], &media[i]);
	}
	ret = bandwidth_ask(s, ex);
	if (!ret)
		ret = negotiation_write(s, to, &address, media, out, out_len);
	if (ret)
		goto undo;
	return 0;
undo:
	for (unsigned i = ex->count; i-- > 0;)
		stream_undo(s, i, &taken[i]);
	bandwidth_tell(s);
	return ret;
}

static int offer(struct media_session *s, enum leg from, bool by_us, const char *text, size_t len,
	char **out, size_t *out_len)
{
	struct sdp *sdp = s->media->scratch;
	struct negotiation *ex, *old;
	int ret;

	unsupported_none(s->media);
	ret = sdp_parse(sdp, text, len);
	if (ret == -EPROTONOSUPPORT)
		unsupported_count(s->media);
	if (ret)
		return ret;
	if (s->exchange && s->exchange->from != from) {
		/* A new offer after an answer that was not said to be final: it was. */
		if (!s->exchange->answered && !s->exchange->by_us)
			return -EBUSY;
		if (s->exchange->by_us) {
			/* The ports that the leg was told stay. */
			negotiation_free(s->exchange);
			s->exchange = NULL;
		} else {
			negotiation_conclude(s);
		}
	}
	ex = calloc(1, sizeof(*ex));
	if (!ex)
		return -ENOMEM;
	ex->from = from;
	ex->by_us = by_us;
	ex->count = sdp->media_count;
	ex->text[from] = strndup(text, len);
	if (!ex->text[from])
		ret = -ENOMEM;
	ex->bypass = !by_us && bypass_applies(s);
	if (!ret && ex->bypass)
		ret = bypass_write(s, OTHER_LEG(from), text, len, out, out_len);
	else if (!ret)
		ret = relay_offer(s, ex, out, out_len);
	if (ret) {
		negotiation_free(ex);
		return ret;
	}
	old = s->exchange;
	if (old) {
		ex->before = old->before;
		ex->before_count = old->before_count;
		old->before = NULL;
		negotiation_free(old);
	}
	ex->shown = true;
	s->exchange = ex;
	return 0;
}

int media_offer(struct media_session *s, enum leg from, const char *text, size_t len, char **out,
	size_t *out_len)
{
	return offer(s, from, false, text, len, out, out_len);
}

int media_offer_by_us(struct media_session *s, enum leg from, const char *text, size_t len,
	char **out, size_t *out_len)
{
	return offer(s, from, true, text, len, out, out_len);
}
