/* SPDX-License-Identifier: BSD-2-Clause */
/* Offers and answers with one leg alone, while what the other said last holds on (RFC 4028 7.4). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/offer_answer.h"

/* FNV-1a: without a seed of this process, for the next daemon compares with it. */
static uint32_t hash_of(const char *text)
{
	uint32_t hash = 0x811c9dc5;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x01000193;
	return hash;
}

uint32_t media_told(const struct media_session *s, enum leg leg)
{
	const char *text = s->sdp[leg].last, *o, *end;
	uint32_t hash;

	if (!text)
		return 0;
	o = strstr(text, "\r\no=");
	end = o ? strstr(o + 2, "\r\n") : NULL;
	if (end)
		text = end;
	hash = hash_of(text);
	return hash ? hash : 1;
}

bool media_is_unchanged(const struct media_session *s, enum leg from, const char *sdp, size_t len)
{
	const char *heard = s->heard[from];

	return heard && strlen(heard) == len && memcmp(heard, sdp, len) == 0;
}

int media_answer_again(struct media_session *s, enum leg from, const char *sdp, size_t len,
	char **out, size_t *out_len)
{
	enum leg other = OTHER_LEG(from);
	uint64_t version = s->sdp[other].version;
	size_t text_len, told_len = s->sdp[other].last_len;
	char *text = NULL, *told;
	int ret;

	if (s->exchange)
		return -EBUSY;
	if (!s->heard[other] || !s->sdp[other].last)
		return -ENOENT;
	told = strdup(s->sdp[other].last);
	if (!told)
		return -ENOMEM;
	ret = media_offer(s, from, sdp, len, &text, &text_len);
	free(text);
	if (!ret) {
		ret = media_answer(
			s, other, s->heard[other], strlen(s->heard[other]), true, out, out_len);
		if (ret)
			media_offer_failed(s);
	}
	/* The other leg is not told: what is said to it next counts on from what it knows. */
	free(s->sdp[other].last);
	s->sdp[other].last = told;
	s->sdp[other].last_len = told_len;
	s->sdp[other].version = version;
	return ret;
}
