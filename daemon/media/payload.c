/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/payload.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CLOCK_RATE_MAX 999999999ul

/* RFC 3551 6: static payload types, known without an rtpmap. */
static const struct payload static_payloads[] = {
	{.number = 0, .name = "PCMU", .clock_rate = 8000, .channels = 1},
	{.number = 3, .name = "GSM", .clock_rate = 8000, .channels = 1},
	{.number = 4, .name = "G723", .clock_rate = 8000, .channels = 1},
	{.number = 5, .name = "DVI4", .clock_rate = 8000, .channels = 1},
	{.number = 6, .name = "DVI4", .clock_rate = 16000, .channels = 1},
	{.number = 7, .name = "LPC", .clock_rate = 8000, .channels = 1},
	{.number = 8, .name = "PCMA", .clock_rate = 8000, .channels = 1},
	{.number = 9, .name = "G722", .clock_rate = 8000, .channels = 1},
	{.number = 10, .name = "L16", .clock_rate = 44100, .channels = 2},
	{.number = 11, .name = "L16", .clock_rate = 44100, .channels = 1},
	{.number = 12, .name = "QCELP", .clock_rate = 8000, .channels = 1},
	{.number = 13, .name = "CN", .clock_rate = 8000, .channels = 1},
	{.number = 14, .name = "MPA", .clock_rate = 90000, .channels = 1},
	{.number = 15, .name = "G728", .clock_rate = 8000, .channels = 1},
	{.number = 18, .name = "G729", .clock_rate = 8000, .channels = 1},
	{.number = 26, .name = "JPEG", .clock_rate = 90000, .channels = 1},
	{.number = 31, .name = "H261", .clock_rate = 90000, .channels = 1},
	{.number = 32, .name = "MPV", .clock_rate = 90000, .channels = 1},
	{.number = 33, .name = "MP2T", .clock_rate = 90000, .channels = 1},
	{.number = 34, .name = "H263", .clock_rate = 90000, .channels = 1},
};

static struct payload *find(struct payload *list, unsigned count, unsigned long number)
{
	for (unsigned i = 0; i < count; i++) {
		if (list[i].number == number)
			return &list[i];
	}
	return NULL;
}

/* RFC 8866 6.6: <encoding name>/<clock rate>[/<encoding parameters>] */
static void read_rtpmap(struct payload *p, struct sdp_text rest)
{
	struct sdp_text word, name;
	unsigned long number;
	const char *slash;

	if (!sdp_text_word(&rest, &word))
		return;
	slash = memchr(word.s, '/', word.len);
	name = word;
	p->clock_rate = 0;
	p->channels = 1;
	if (slash) {
		struct sdp_text clock = {slash + 1, word.len - (size_t)(slash + 1 - word.s)};

		name.len = (size_t)(slash - word.s);
		slash = memchr(clock.s, '/', clock.len);
		if (slash) {
			struct sdp_text channels = {
				slash + 1, clock.len - (size_t)(slash + 1 - clock.s)};

			clock.len = (size_t)(slash - clock.s);
			if (!sdp_text_number(channels, UINT8_MAX, &number) && number)
				p->channels = (uint8_t)number;
		}
		if (!sdp_text_number(clock, CLOCK_RATE_MAX, &number))
			p->clock_rate = (uint32_t)number;
	}
	sdp_text_copy(p->name, sizeof(p->name), name);
}

unsigned payload_read(
	const struct sdp *sdp, const struct sdp_media *m, struct payload out[SDP_FORMATS_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < m->format_count; i++) {
		unsigned long number;
		struct payload p = {.channels = 1};

		if (sdp_text_number(m->format[i], 127, &number) || find(out, count, number))
			continue;
		for (unsigned j = 0; j < sizeof(static_payloads) / sizeof(static_payloads[0]);
			j++) {
			if (static_payloads[j].number == number)
				p = static_payloads[j];
		}
		p.number = (uint8_t)number;
		out[count++] = p;
	}
	for (unsigned i = m->first + 1; i < m->end; i++) {
		struct sdp_text rest, word;
		bool rtpmap = sdp_line_is_attribute(&sdp->line[i], "rtpmap", &rest);
		unsigned long number;
		struct payload *p;

		if (!rtpmap && !sdp_line_is_attribute(&sdp->line[i], "fmtp", &rest))
			continue;
		if (!sdp_text_word(&rest, &word) || sdp_text_number(word, 127, &number))
			continue;
		p = find(out, count, number);
		if (!p)
			continue;
		if (rtpmap)
			read_rtpmap(p, rest);
		else
			p->parameters = (uint32_t)XXH3_64bits(rest.s, rest.len) | 1;
	}
	return count;
}

static bool is_telephone_event(const struct payload *p)
{
	return strcasecmp(p->name, "telephone-event") == 0;
}

bool payload_is_companion(const struct payload *p)
{
	return is_telephone_event(p) || strcasecmp(p->name, "CN") == 0;
}

bool payload_is_allowed(const struct payload *p, const struct peer_config *peer)
{
	if (peer->codec_count == 0 || payload_is_companion(p))
		return true;
	for (unsigned i = 0; i < peer->codec_count; i++) {
		if (strcasecmp(peer->codec[i], p->name) == 0)
			return true;
	}
	return false;
}

const struct payload *payload_codec(const struct payload *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!payload_is_companion(&list[i]))
			return &list[i];
	}
	return NULL;
}

uint8_t payload_telephone_event(const struct payload *list, unsigned count)
{
	const struct payload *codec = payload_codec(list, count);
	uint8_t first = PAYLOAD_NONE;

	for (unsigned i = 0; i < count; i++) {
		if (!is_telephone_event(&list[i]))
			continue;
		if (codec && list[i].clock_rate == codec->clock_rate)
			return list[i].number;
		if (first == PAYLOAD_NONE)
			first = list[i].number;
	}
	return first;
}

static bool same_encoding(const struct payload *a, const struct payload *b)
{
	return a->name[0] && strcasecmp(a->name, b->name) == 0 && a->clock_rate == b->clock_rate &&
	       a->channels == b->channels;
}

/* The format of the offer that this one of the answer accepts, NULL where it cannot be told. */
static const struct payload *counterpart(
	const struct payload *offer, unsigned count, const struct payload *p)
{
	const struct payload *same = NULL, *alike = NULL;
	unsigned same_count = 0, alike_count = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!same_encoding(&offer[i], p))
			continue;
		if (offer[i].number == p->number)
			return &offer[i];
		alike = &offer[i];
		alike_count++;
		if (offer[i].parameters == p->parameters) {
			same = &offer[i];
			same_count++;
		}
	}
	if (same_count == 1)
		return same;
	return same_count == 0 && alike_count == 1 ? alike : NULL;
}

static bool refers_to_numbers(const struct payload *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (strcasecmp(list[i].name, "rtx") == 0 || strcasecmp(list[i].name, "red") == 0)
			return true;
	}
	return false;
}

static bool map_add(struct payload_map *map, uint8_t from, uint8_t to)
{
	if (map->count == VD_PT_MAP_MAX)
		return false;
	map->from[map->count] = from;
	map->to[map->count++] = to;
	return true;
}

static bool match(struct payload_match *out, const struct payload *offer, unsigned offer_count,
	const struct payload *answer, unsigned answer_count)
{
	bool taken[128] = {false};

	for (unsigned i = 0; i < answer_count; i++) {
		const struct payload *o = counterpart(offer, offer_count, &answer[i]);
		uint8_t number = answer[i].number;
		bool offered = false;

		out->written[i] = o ? o->number : number;
		if (taken[out->written[i]])
			return false;
		taken[out->written[i]] = true;
		if (!o || o->number == number)
			continue;
		if (!map_add(&out->offerer_to_answerer, o->number, number))
			return false;
		/* An answerer should send the offer's numbers, yet many send the ones that they
		 * wrote: those are mapped where they can mean nothing else. */
		for (unsigned j = 0; j < offer_count; j++)
			offered |= offer[j].number == number;
		if (!offered && !map_add(&out->answerer_to_offerer, number, o->number))
			return false;
	}
	return true;
}

void payload_match(struct payload_match *out, const struct payload *offer, unsigned offer_count,
	const struct payload *answer, unsigned answer_count)
{
	memset(out, 0, sizeof(*out));
	if (!refers_to_numbers(answer, answer_count) &&
		match(out, offer, offer_count, answer, answer_count))
		return;
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < answer_count; i++)
		out->written[i] = answer[i].number;
}
