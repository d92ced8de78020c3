/* SPDX-License-Identifier: BSD-2-Clause */
/* A text under construction. Errors (out of memory, past the limit) stick: append freely, then
 * ask strbuf_error() once. */
#ifndef VIADUCT_BASE_STRBUF_H
#define VIADUCT_BASE_STRBUF_H

#include <stddef.h>
#include <string.h>

#define STRBUF_LIMIT (256 * 1024)

struct strbuf {
	char *s; /* always NUL-terminated once something was appended; NULL before */
	size_t len, room;
	int error;
};

void strbuf_addn(struct strbuf *b, const char *text, size_t n);
/* Here, so that the compiler counts what a literal's letters are. */
static inline void strbuf_add(struct strbuf *b, const char *text)
{
	strbuf_addn(b, text, strlen(text));
}
void strbuf_addu(struct strbuf *b, unsigned long long number); /* as "%llu", in less time */
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0, -ENOMEM or -EMSGSIZE. */
int strbuf_error(const struct strbuf *b);
void strbuf_reset(struct strbuf *b); /* empties, keeps the memory */
void strbuf_free(struct strbuf *b);

#endif
