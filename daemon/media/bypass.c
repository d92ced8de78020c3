/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/bypass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_of_one_site(const struct media_session *s)
{
	const char *a = s->peer[LEG_A]->bypass, *b = s->peer[LEG_B]->bypass;

	return a && b && strcmp(a, b) == 0;
}

bool bypass_applies(const struct media_session *s)
{
	return is_of_one_site(s) && !s->sdp[LEG_A].id && !s->sdp[LEG_B].id;
}

int bypass_write(struct media_session *s, enum leg leg, const char *text, size_t len, char **out,
	size_t *out_len)
{
	char *copy = strndup(text, len);

	*out = strndup(text, len);
	if (!copy || !*out) {
		free(copy);
		free(*out);
		*out = NULL;
		return -ENOMEM;
	}
	*out_len = strlen(*out);
	free(s->sdp[leg].last);
	s->sdp[leg].last = copy;
	s->sdp[leg].last_len = *out_len;
	return 0;
}

int bypass_answer(
	struct media_session *s, const char *text, size_t len, char **out, size_t *out_len)
{
	int ret = bypass_write(s, s->exchange->from, text, len, out, out_len);

	if (ret)
		return ret;
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		if (s->stream[i])
			s->stream[i]->now.active = false;
	}
	s->count = 0;
	return 0;
}

const char *media_bypass(const struct media_session *s)
{
	return s->bypassed ? s->peer[LEG_A]->bypass : NULL;
}
