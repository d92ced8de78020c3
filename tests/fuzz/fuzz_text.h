/* SPDX-License-Identifier: BSD-2-Clause */
/* A text of an input in which $ and a letter stand for what it cannot know: a field of a message
 * that a peer got. Whoever includes this has header() of a test's world. */
#ifndef VIADUCT_FUZZ_TEXT_H
#define VIADUCT_FUZZ_TEXT_H

#include "fuzz.h"

#define TEXT_OUT_MAX 65535

struct text_out {
	char s[TEXT_OUT_MAX];
	size_t len;
};

static void add(struct text_out *out, const char *s, size_t n)
{
	if (n > sizeof(out->s) - out->len)
		n = sizeof(out->s) - out->len;
	memcpy(out->s + out->len, s, n);
	out->len += n;
}

static const char *tag_of(const char *value)
{
	static char text[256];
	const char *tag = strstr(value, ";tag=");

	snprintf(text, sizeof(text), "%.*s", tag ? (int)strcspn(tag + 5, ";") : 0,
		tag ? tag + 5 : "");
	return text;
}

/* Of that message, by the letter: v Via, f From, t To, i Call-ID, n CSeq number, m CSeq method, u
 * the URI of Contact, g the tag in To, h the tag in From, r RSeq. NULL: it stands for nothing. */
static const char *field_of(const char *msg, char letter)
{
	static char text[256];
	const char *cseq = header(msg, "CSeq"), *space = strchr(cseq, ' '), *uri;

	switch (letter) {
	case 'v':
		return header(msg, "Via");
	case 'f':
		return header(msg, "From");
	case 't':
		return header(msg, "To");
	case 'i':
		return header(msg, "Call-ID");
	case 'n':
		snprintf(text, sizeof(text), "%.*s", space ? (int)(space - cseq) : 0, cseq);
		return text;
	case 'm':
		return space ? space + 1 : "";
	case 'u':
		uri = strchr(header(msg, "Contact"), '<');
		snprintf(text, sizeof(text), "%.*s", uri ? (int)strcspn(uri + 1, ">") : 0,
			uri ? uri + 1 : "");
		return text;
	case 'g':
		return tag_of(header(msg, "To"));
	case 'h':
		return tag_of(header(msg, "From"));
	case 'r':
		return header(msg, "RSeq");
	default:
		return NULL;
	}
}

/* What stands for text, a '$' with left bytes from it on; NULL: itself. *len: of what it replaces.
 */
typedef const char *meaning_fn(void *ctx, const char *text, size_t left, size_t *len);

static void expand(
	struct text_out *out, meaning_fn *meaning, void *ctx, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t n;
		const char *value = text[i] == '$' ? meaning(ctx, text + i, len - i, &n) : NULL;

		if (value) {
			add(out, value, strlen(value));
			i += n - 1;
		} else {
			add(out, text + i, 1);
		}
	}
}

#endif
