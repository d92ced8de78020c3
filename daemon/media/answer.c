/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer on its way back, and what follows from it (RFC 3264 6). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "media/bypass.h"
#include "media/hold.h"
#include "media/offer_answer.h"
#include "media/unsupported.h"

/* What the answer means for one m-line: now is what is negotiated, w how it is written. */
static int read_answered(struct media_session *s, unsigned i, struct negotiated *now,
	struct rewrite_media *w, struct payload list[SDP_FORMATS_MAX], struct payload_match *match)
{
	const struct negotiation *ex = s->exchange;
	const struct offered *o = &ex->offered[i];
	const struct sdp *sdp = s->media->scratch;
	const struct sdp_media *m = &sdp->media[i];
	enum leg offerer = ex->from, answerer = OTHER_LEG(ex->from);
	struct said *said = &now->said[answerer];
	const struct payload *codec;
	unsigned all = 0, kept = 0;
	uint8_t te;

	memset(now, 0, sizeof(*now));
	sdp_text_copy(now->kind, sizeof(now->kind), m->kind);
	sdp_text_copy(now->proto, sizeof(now->proto), m->proto);
	w->rejected = !o->accepted || m->port == 0;
	if (w->rejected)
		return 0;
	if (strncasecmp(now->kind, o->kind, sizeof(o->kind)) != 0 ||
		(m->transport == SDP_TRANSPORT_UDPTL) != o->opaque)
		return -EINVAL;
	if (m->transport == SDP_TRANSPORT_OTHER || !negotiation_can_reach(m)) {
		unsupported_stream(s, m);
		return -EPROTONOSUPPORT;
	}
	now->active = true;
	now->opaque = o->opaque;
	now->mux = o->mux && m->rtcp_mux;
	now->secure = o->secure && m->secure;
	now->profiles_differ = o->savp != m->savp;
	now->said[offerer] = o->said;
	negotiation_read_said(said, m, s->stream[i], answerer);
	/* RFC 3264 6.1: an answer does not send what the offer does not receive, nor the other way
	 * round. */
	said->send &= o->said.recv;
	said->recv &= o->said.send;
	if (now->mux) {
		for (unsigned leg = 0; leg < LEG_COUNT; leg++)
			now->said[leg].remote[COMPONENT_RTCP] =
				now->said[leg].remote[COMPONENT_RTP];
	}
	w->address = negotiation_advertised(s->stream[i], offerer);
	w->keep_mux = w->muxed = now->mux;
	w->direction = negotiation_direction(said->send, said->recv);
	w->set_direction = w->direction != m->direction;
	hold_in_answer(s->peer[offerer], w);
	now->telephone_event[LEG_A] = now->telephone_event[LEG_B] = PAYLOAD_NONE;
	if (now->opaque) {
		if (m->format_count)
			sdp_text_copy(now->codec, sizeof(now->codec), m->format[0]);
		now->rate = o->rate;
		return 0;
	}
	kept = negotiation_read_payloads(s, sdp, m, list, &all);
	if (kept == 0)
		return -EPROTONOSUPPORT;
	/* The number is part of what SRTP authenticates: it cannot be changed on the way. */
	payload_match(match, now->secure ? list : o->payload, now->secure ? kept : o->payload_count,
		list, kept);
	now->map[offerer] = match->offerer_to_answerer;
	now->map[answerer] = match->answerer_to_offerer;
	w->payload = list;
	w->payload_count = kept;
	w->written = match->written;
	w->filter = kept != all;
	te = payload_telephone_event(list, kept);
	for (unsigned j = 0; j < kept; j++) {
		w->filter |= match->written[j] != list[j].number;
		if (te == PAYLOAD_NONE || list[j].number != te)
			continue;
		now->telephone_event[offerer] = now->telephone_event[answerer] = match->written[j];
		for (unsigned k = 0; k < match->answerer_to_offerer.count; k++) {
			if (match->answerer_to_offerer.from[k] == te)
				now->telephone_event[answerer] = te;
		}
	}
	codec = payload_codec(list, kept);
	if (!codec)
		codec = &list[0];
	bandwidth_read(&now->rate, sdp, m, codec, 1, o->ptime, &s->media->bandwidth);
	now->clock_rate = codec->clock_rate;
	if (codec->channels > 1)
		snprintf(now->codec, sizeof(now->codec), "%s/%u/%u", codec->name, codec->clock_rate,
			codec->channels);
	else
		snprintf(now->codec, sizeof(now->codec), "%s/%u", codec->name, codec->clock_rate);
	return 0;
}

/* An early answer may have to be undone (negotiation_revert): notes what was in force. */
static int keep_before(struct media_session *s)
{
	struct negotiation *ex = s->exchange;

	if (ex->before)
		return 0;
	ex->before = calloc(MEDIA_STREAMS_MAX, sizeof(ex->before[0]));
	if (!ex->before)
		return -ENOMEM;
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		if (s->stream[i])
			ex->before[i] = s->stream[i]->now;
	}
	ex->before_count = s->count;
	return 0;
}

/* What an answer is worked out in; too big for the stack of a deep call. */
struct answer {
	struct negotiated now[MEDIA_STREAMS_MAX];
	struct rewrite_media media[MEDIA_STREAMS_MAX];
	struct payload payload[MEDIA_STREAMS_MAX][SDP_FORMATS_MAX];
	struct payload_match match[MEDIA_STREAMS_MAX];
};

/* What the offering leg is shown of the answer in scratch, with our addresses; it comes into force
 * with the next negotiation_sync. */
static int relay_answer(struct media_session *s, char **out, size_t *out_len)
{
	const struct negotiation *ex = s->exchange;
	bool active[MEDIA_STREAMS_MAX] = {false};
	struct answer *answer = malloc(sizeof(*answer));
	struct addr address;
	int ret = 0;

	if (!answer)
		return -ENOMEM;
	memset(answer->media, 0, sizeof(answer->media));
	for (unsigned i = 0; i < ex->count && !ret; i++) {
		ret = read_answered(s, i, &answer->now[i], &answer->media[i], answer->payload[i],
			&answer->match[i]);
		active[i] = answer->now[i].active;
	}
	if (!ret)
		ret = negotiation_address(s, ex->from, active, ex->count, &address);
	if (!ret)
		ret = negotiation_write(s, ex->from, &address, answer->media, out, out_len);
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX && !ret; i++) {
		if (!s->stream[i])
			continue;
		if (i < ex->count)
			s->stream[i]->now = answer->now[i];
		else
			s->stream[i]->now.active = false;
	}
	if (!ret)
		s->count = ex->count;
	free(answer);
	return ret;
}

int media_answer(struct media_session *s, enum leg from, const char *text, size_t len, bool final,
	char **out, size_t *out_len)
{
	struct negotiation *ex = s->exchange;
	char *copy;
	int ret;

	if (!ex || !ex->shown || ex->from == from)
		return -EBADMSG;
	unsupported_none(s->media);
	ret = sdp_parse(s->media->scratch, text, len);
	if (ret)
		return ret;
	/* RFC 3264 6: as many m-lines as the offer has, in its order. */
	if (s->media->scratch->media_count != ex->count)
		return -EINVAL;
	copy = strndup(text, len);
	if (!copy)
		return -ENOMEM;
	if (!final)
		ret = keep_before(s);
	if (!ret && ex->bypass)
		ret = bypass_answer(s, text, len, out, out_len);
	else if (!ret)
		ret = relay_answer(s, out, out_len);
	if (ret) {
		free(copy);
		return ret;
	}
	ex->answered = true;
	free(ex->text[from]);
	ex->text[from] = copy;
	negotiation_sync(s, &ret);
	if (final)
		negotiation_conclude(s);
	if (ret) {
		free(*out);
		*out = NULL;
		*out_len = 0;
	}
	return ret;
}
