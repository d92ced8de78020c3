/* SPDX-License-Identifier: BSD-2-Clause */
/* An offer that no leg made: for a peer that takes no INVITE without one. Audio, with the codecs
 * that both peers' lists allow. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "media/offer_answer.h"

#define PORT_DISCARD 9 /* RFC 863: where the leg that is to be asked yet stands, nobody knows */

/* What we can describe without having been told (RFC 3551 6, RFC 4733 7). */
static const struct known {
	const char *name;
	unsigned number;
	const char *fmtp;
	bool is_default; /* where no list says what to offer */
} known[] = {
	{"PCMA", 8, NULL, true},
	{"PCMU", 0, NULL, true},
	{"G722", 9, NULL, false},
	{"G729", 18, NULL, false},
	{"GSM", 3, NULL, false},
	{"telephone-event", 101, "0-16", true},
};
#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))

static const struct known *find_known(const char *name)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		if (strcasecmp(known[i].name, name) == 0)
			return &known[i];
	}
	return NULL;
}

/* In the order of the list of the peer that is asked, or else of the other's. */
static unsigned choose(const struct media_session *s, enum leg to, const struct known *out[])
{
	const struct peer_config *peer = s->peer[to];
	unsigned count = 0;

	if (!peer->codec_count)
		peer = s->peer[OTHER_LEG(to)];
	for (unsigned i = 0; i < peer->codec_count && count < KNOWN_COUNT - 1; i++) {
		const struct known *k = find_known(peer->codec[i]);

		if (k && !k->fmtp)
			out[count++] = k;
	}
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		if (known[i].is_default && (!peer->codec_count || known[i].fmtp))
			out[count++] = &known[i];
	}
	return count;
}

int media_own_offer(
	struct media_session *s, enum leg to, bool inactive, char **out, size_t *out_len)
{
	const struct known *chosen[2 * KNOWN_COUNT];
	unsigned count = choose(s, to, chosen);
	struct addr nowhere = s->peer[OTHER_LEG(to)]->address;
	struct strbuf b = {0};
	char ip[ADDR_TEXT_MAX];
	int ret;

	addr_print_ip(&nowhere, ip);
	strbuf_addf(&b, "v=0\r\no=- 1 1 IN IP%u %s\r\ns=-\r\nc=IN IP%u %s\r\nt=0 0\r\n",
		nowhere.family == 6 ? 6 : 4, ip, nowhere.family == 6 ? 6 : 4, ip);
	strbuf_addf(&b, "m=audio %u RTP/AVP", PORT_DISCARD);
	for (unsigned i = 0; i < count; i++)
		strbuf_addf(&b, " %u", chosen[i]->number);
	strbuf_add(&b, "\r\n");
	for (unsigned i = 0; i < count; i++) {
		strbuf_addf(&b, "a=rtpmap:%u %s/8000\r\n", chosen[i]->number, chosen[i]->name);
		if (chosen[i]->fmtp)
			strbuf_addf(&b, "a=fmtp:%u %s\r\n", chosen[i]->number, chosen[i]->fmtp);
	}
	strbuf_add(&b, inactive ? "a=inactive\r\n" : "a=sendrecv\r\n");
	ret = strbuf_error(&b);
	if (!ret)
		ret = media_offer_by_us(s, OTHER_LEG(to), b.s, b.len, out, out_len);
	strbuf_free(&b);
	return ret;
}

/* The formats of the first m-line, "8 101"; empty where it is rejected. */
static struct sdp_text formats_of(const char *sdp)
{
	const char *m = strstr(sdp, "\r\nm=");
	struct sdp_text rest = {0}, word;
	unsigned long port = 0;

	if (!m)
		return rest;
	m += 4;
	rest = (struct sdp_text){m, strcspn(m, "\r\n")};
	sdp_text_word(&rest, &word);
	if (!sdp_text_word(&rest, &word) || sdp_text_number(word, 65535, &port) || !port)
		rest.len = 0;
	sdp_text_word(&rest, &word);
	return rest;
}

static bool has_word(struct sdp_text in, struct sdp_text word)
{
	struct sdp_text one;

	while (sdp_text_word(&in, &one)) {
		if (one.len == word.len && memcmp(one.s, word.s, word.len) == 0)
			return true;
	}
	return false;
}

bool media_is_narrower(const char *answer, const char *offered)
{
	struct sdp_text may = formats_of(answer), wants = formats_of(offered), one;

	if (strstr(answer, "a=sendonly") || strstr(answer, "a=recvonly") ||
		strstr(answer, "a=inactive"))
		return true;
	while (sdp_text_word(&wants, &one)) {
		if (!has_word(may, one))
			return true;
	}
	return false;
}
