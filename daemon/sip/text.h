/* SPDX-License-Identifier: BSD-2-Clause */
/* A piece of a received message, not NUL-terminated, and what is asked of it before any parser. */
#ifndef VIADUCT_SIP_TEXT_H
#define VIADUCT_SIP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct text {
	const char *s;
	size_t len;
};

static inline bool text_is(struct text t, const char *word)
{
	size_t n = strlen(word);

	return t.len == n && memcmp(t.s, word, n) == 0;
}

static inline bool text_is_nocase(struct text t, const char *word)
{
	size_t n = strlen(word);

	return t.len == n && strncasecmp(t.s, word, n) == 0;
}

/* A set of characters below 64, which all of SIP's separators are but brackets, '@' and '\\':
 * TEXT_SET(';') | TEXT_SET(','). */
#define TEXT_SET(c)    (1ull << (c))
#define TEXT_SET_SPACE (TEXT_SET(' ') | TEXT_SET('\t') | TEXT_SET('\r') | TEXT_SET('\n'))

static inline bool text_in_set(char c, uint64_t set)
{
	unsigned char i = (unsigned char)c;

	return i < 64 && (set >> i & 1);
}

/* LWS of RFC 3261 25.1, folded lines included. */
static inline bool text_is_space(char c)
{
	return text_in_set(c, TEXT_SET_SPACE);
}

static inline struct text text_trim(struct text t)
{
	while (t.len && text_is_space(t.s[0])) {
		t.s++;
		t.len--;
	}
	while (t.len && text_is_space(t.s[t.len - 1]))
		t.len--;
	return t;
}

/* A run of digits and nothing else, up to max. */
static inline bool text_to_number(struct text t, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (t.len == 0)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		if (t.s[i] < '0' || t.s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(t.s[i] - '0');
		if (v > max)
			return false;
	}
	*out = v;
	return true;
}

#endif
