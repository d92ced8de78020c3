/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/unsupported.h"

#include <stdio.h>
#include <string.h>

void unsupported_none(struct media *m)
{
	m->unsupported[0] = '\0';
}

void unsupported_count(struct media *m)
{
	snprintf(m->unsupported, sizeof(m->unsupported), "more than %d m-lines", MEDIA_STREAMS_MAX);
}

void unsupported_stream(const struct media_session *s, const struct sdp_media *m)
{
	char *out = s->media->unsupported;
	int kind = (int)m->kind.len, proto = (int)m->proto.len;

	if (out[0])
		return;
	if (m->transport == SDP_TRANSPORT_OTHER)
		snprintf(out, MEDIA_UNSUPPORTED_MAX, "%.*s over %.*s%s is not relayed", kind,
			m->kind.s, proto, m->proto.s, m->dtls ? " with keys by DTLS" : "");
	else
		snprintf(out, MEDIA_UNSUPPORTED_MAX, "%.*s at no address that media can be sent to",
			kind, m->kind.s);
}

void unsupported_codecs(const struct media_session *s, const struct sdp_media *m,
	const struct payload *list, unsigned count)
{
	char *out = s->media->unsupported;
	size_t len;

	if (out[0])
		return;
	len = (size_t)snprintf(
		out, MEDIA_UNSUPPORTED_MAX, "%.*s with ", (int)m->kind.len, m->kind.s);
	for (unsigned i = 0; i < count && len < MEDIA_UNSUPPORTED_MAX; i++)
		len += (size_t)snprintf(out + len, MEDIA_UNSUPPORTED_MAX - len, "%s%s",
			i ? ", " : "", list[i].name[0] ? list[i].name : "an unnamed codec");
	for (unsigned leg = 0; leg < LEG_COUNT && len < MEDIA_UNSUPPORTED_MAX; leg++) {
		const struct peer_config *peer = s->peer[leg];

		for (unsigned i = 0; i < peer->codec_count && len < MEDIA_UNSUPPORTED_MAX; i++)
			len += (size_t)snprintf(out + len, MEDIA_UNSUPPORTED_MAX - len, "%s%s",
				i ? ", " : "; ", peer->codec[i]);
		if (peer->codec_count && len < MEDIA_UNSUPPORTED_MAX)
			len += (size_t)snprintf(out + len, MEDIA_UNSUPPORTED_MAX - len,
				" allowed to %s", peer->name);
	}
}
