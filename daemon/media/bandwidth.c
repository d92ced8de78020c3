/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/bandwidth.h"

#include <string.h>
#include <strings.h>

/* Bytes of each packet besides the payload. */
#define ETHERNET_BYTES 18 /* header and checksum */
#define IPV4_BYTES     20
#define IPV6_BYTES     40
#define UDP_BYTES      8
#define RTP_BYTES      12 /* RFC 3550 5.1, without CSRCs */
#define SRTP_TAG_BYTES 10 /* RFC 3711 5.2, HMAC_SHA1_80 */

#define RTCP_SHARE       20   /* RTCP takes one part in so many (RFC 3550 6.2) */
#define PTIME_DEFAULT_MS 20   /* RFC 3551 4.2 */
#define PTIME_MIN_MS     5    /* nobody sends more often, whatever the SDP says */
#define VIDEO_PACKET     1200 /* payload bytes of most packets of a video frame */
#define VIDEO_PACKETS    30   /* a second at least: a frame each */
#define T38_KBIT         80   /* V.17 at 14.4 kbit/s, three times redundant (ITU-T T.38 Annex D) */
#define KBIT_MAX         10000000 /* of one stream; a call's never overflow */
#define BITS             8u
#define KILO             1000u
#define MS_A_SEC         1000u

/* Encodings by their most bits a second, frame by frame (RFC 3551 4.5 and the payload formats of
 * each). ptime: where the frame is not one that 20 ms hold. */
static const struct {
	const char *name;
	uint32_t bits;
	unsigned ptime_ms;
} codecs[] = {
	{"PCMA", 64000, 0},
	{"PCMU", 64000, 0},
	{"G722", 64000, 0},
	{"CLEARMODE", 64000, 0},
	{"G729", 8000, 0},
	{"G729D", 6400, 0},
	{"G729E", 11800, 0},
	{"G723", 6400, 30},
	{"GSM", 13200, 0},
	{"GSM-EFR", 12400, 0},
	{"GSM-HR-08", 6000, 0},
	{"iLBC", 15200, 0},
	{"G726-16", 16000, 0},
	{"G726-24", 24000, 0},
	{"G726-32", 32000, 0},
	{"G726-40", 40000, 0},
	{"G728", 16000, 0},
	{"DVI4", 32000, 0},
	{"LPC", 5600, 0},
	{"AMR", 13200, 0},
	{"AMR-WB", 24400, 0},
	{"opus", 40000, 0},
	{"SILK", 40000, 0},
	{"speex", 44000, 0},
};

static bool is_audio(const struct sdp_media *m)
{
	return sdp_text_equal(m->kind, "audio");
}

static unsigned read_ms(const struct sdp *sdp, const struct sdp_media *m, const char *name)
{
	struct sdp_text value;
	unsigned long ms;

	for (unsigned i = m->first + 1; i < m->end; i++) {
		if (sdp_line_is_attribute(&sdp->line[i], name, &value) &&
			sdp_text_number(value, MS_A_SEC, &ms) == 0 && ms > 0)
			return ms < PTIME_MIN_MS ? PTIME_MIN_MS : (unsigned)ms;
	}
	return 0;
}

unsigned bandwidth_ptime(const struct sdp *sdp, const struct sdp_media *m)
{
	unsigned ptime = read_ms(sdp, m, "ptime"), most = read_ms(sdp, m, "maxptime");

	if (most && (ptime ? ptime : PTIME_DEFAULT_MS) > most)
		return most;
	return ptime;
}

/* b=AS or b=TIAS among lines [first, end), the latter before the former. */
static bool read_told(struct media_rate *out, const struct sdp *sdp, unsigned first, unsigned end)
{
	bool found = false;

	for (unsigned i = first; i < end; i++) {
		struct sdp_text v = sdp->line[i].value;
		bool tias = v.len > 5 && strncasecmp(v.s, "TIAS:", 5) == 0;
		bool as = v.len > 3 && strncasecmp(v.s, "AS:", 3) == 0;
		struct sdp_text number = {v.s + (tias ? 5 : 3), v.len - (tias ? 5 : 3)};
		unsigned long n;

		if (sdp->line[i].type != 'b' || !(tias || (as && !found)) ||
			sdp_text_number(number, UINT32_MAX, &n))
			continue;
		out->bits = tias ? (uint32_t)n : 0;
		out->ip_kbit = tias ? 0 : (uint32_t)n;
		found = true;
	}
	return found;
}

static bool told(struct media_rate *out, const struct sdp *sdp, const struct sdp_media *m)
{
	uint64_t bytes;

	if (!read_told(out, sdp, m->first + 1, m->end) &&
		!(sdp->media_count == 1 && read_told(out, sdp, 0, sdp->session_end)))
		return false;
	bytes = (out->bits ? (uint64_t)out->bits : (uint64_t)out->ip_kbit * KILO) / BITS;
	if (is_audio(m))
		out->packets = MS_A_SEC / PTIME_DEFAULT_MS;
	else if (bytes / VIDEO_PACKET > VIDEO_PACKETS)
		out->packets = (uint32_t)(bytes / VIDEO_PACKET);
	else
		out->packets = VIDEO_PACKETS;
	return true;
}

static bool known(struct media_rate *out, const struct payload *p, unsigned ptime)
{
	unsigned frame_ms = 0;

	memset(out, 0, sizeof(*out));
	if (strcasecmp(p->name, "L16") == 0)
		out->bits = p->clock_rate * 16 * (p->channels ? p->channels : 1);
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		if (strcasecmp(codecs[i].name, p->name) == 0) {
			out->bits = codecs[i].bits;
			frame_ms = codecs[i].ptime_ms;
		}
	}
	if (!ptime || ptime < frame_ms)
		ptime = frame_ms ? frame_ms : PTIME_DEFAULT_MS;
	out->packets = (MS_A_SEC + ptime - 1) / ptime;
	return out->bits != 0;
}

void bandwidth_read(struct media_rate *out, const struct sdp *sdp, const struct sdp_media *m,
	const struct payload *list, unsigned count, unsigned ptime,
	const struct bandwidth_defaults *defaults)
{
	unsigned own = bandwidth_ptime(sdp, m), worst = 0;
	struct media_rate unknown = {0};

	memset(out, 0, sizeof(*out));
	if (own && (!ptime || own < ptime))
		ptime = own;
	if (m->transport == SDP_TRANSPORT_UDPTL) {
		out->all_kbit = T38_KBIT;
		return;
	}
	if (!told(&unknown, sdp, m))
		unknown.all_kbit = is_audio(m) ? defaults->audio_kbit : defaults->video_kbit;
	for (unsigned i = 0; i < count; i++) {
		struct media_rate rate;
		unsigned kbit;

		if (payload_is_companion(&list[i]))
			continue;
		if (!is_audio(m) || !known(&rate, &list[i], ptime))
			rate = unknown;
		kbit = bandwidth_kbit(&rate, 6, true);
		if (kbit >= worst) {
			worst = kbit;
			*out = rate;
		}
	}
}

unsigned bandwidth_kbit(const struct media_rate *rate, uint8_t family, bool secure)
{
	uint64_t bits = rate->bits, headers = ETHERNET_BYTES, kbit;

	if (rate->all_kbit)
		return rate->all_kbit;
	if (rate->ip_kbit)
		bits = (uint64_t)rate->ip_kbit * KILO;
	else if (rate->bits)
		headers += (family == 6 ? IPV6_BYTES : IPV4_BYTES) + UDP_BYTES + RTP_BYTES;
	else
		return 0;
	if (secure)
		headers += SRTP_TAG_BYTES;
	bits += headers * BITS * rate->packets;
	kbit = (bits + KILO - 1) / KILO;
	kbit += (kbit + RTCP_SHARE - 1) / RTCP_SHARE;
	return kbit > KBIT_MAX ? KBIT_MAX : (unsigned)kbit;
}
