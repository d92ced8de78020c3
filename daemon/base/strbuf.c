/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/strbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for n more bytes and the NUL. */
static int grow(struct strbuf *b, size_t n)
{
	size_t room = b->room ? b->room : 512;
	char *s;

	if (b->error)
		return b->error;
	if (n < b->room - b->len)
		return 0;
	if (n >= STRBUF_LIMIT || b->len + n >= STRBUF_LIMIT)
		return b->error = -EMSGSIZE;
	while (room < b->len + n + 1)
		room *= 2;
	s = realloc(b->s, room);
	if (!s)
		return b->error = -ENOMEM;
	b->s = s;
	b->room = room;
	return 0;
}

void strbuf_addn(struct strbuf *b, const char *text, size_t n)
{
	if ((b->error || n >= b->room - b->len) && grow(b, n))
		return;
	memcpy(b->s + b->len, text, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void strbuf_addu(struct strbuf *b, unsigned long long number)
{
	char text[3 * sizeof(number)];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + number % 10);
	while (number /= 10);
	strbuf_addn(b, text + at, sizeof(text) - at);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	size_t room = b->room - b->len;
	va_list ap, again;
	int n;

	if (b->error)
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(b->s ? b->s + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room && grow(b, (size_t)n) == 0)
		vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
	if (n >= 0 && !b->error)
		b->len += (size_t)n;
	else if (b->s)
		b->s[b->len] = '\0'; /* what fitted of it goes again */
	va_end(again);
}

int strbuf_error(const struct strbuf *b)
{
	return b->error;
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	b->error = 0;
	if (b->s)
		b->s[0] = '\0';
}

void strbuf_free(struct strbuf *b)
{
	free(b->s);
	memset(b, 0, sizeof(*b));
}
