/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/mistake.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/document.h"

/* Keys and names are told as they were written, and a mistake is one line. */
static void make_plain(char *text)
{
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

static void add(struct mistakes *m, unsigned line, const char *key, const char *fmt, va_list ap)
{
	struct mistake *mistake;
	char *what = NULL;

	if (m->count++ >= MISTAKES_MAX)
		return;
	mistake = &m->list[m->count - 1];
	mistake->line = line;
	mistake->order = m->count;
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	if (!what || asprintf(&mistake->text, "%s: %s", key, what) < 0) {
		mistake->text = NULL;
		m->error = -ENOMEM;
	}
	if (mistake->text)
		make_plain(mistake->text);
	free(what);
}

void mistake_add_line(struct mistakes *m, unsigned line, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(m, line, key, fmt, ap);
	va_end(ap);
}

void mistake_add(struct mistakes *m, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(m, m->root ? document_line(m->root, key) : 1, key, fmt, ap);
	va_end(ap);
}

static int by_line(const void *a, const void *b)
{
	const struct mistake *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void mistakes_print(struct mistakes *m, FILE *out)
{
	unsigned kept = m->count < MISTAKES_MAX ? m->count : MISTAKES_MAX;

	qsort(m->list, kept, sizeof(m->list[0]), by_line);
	for (unsigned i = 0; i < kept; i++) {
		if (m->list[i].text)
			fprintf(out, "%s:%u: %s\n", m->file, m->list[i].line, m->list[i].text);
	}
	if (m->count > kept)
		fprintf(out, "%s:1: file: %u more mistakes are not shown; expected none\n", m->file,
			m->count - kept);
}

void mistakes_free(struct mistakes *m)
{
	for (unsigned i = 0; i < MISTAKES_MAX; i++)
		free(m->list[i].text);
}

const char *mistake_errno(char buf[MISTAKE_QUOTE_MAX], int error)
{
	const struct passwd *pw = error == EACCES ? getpwuid(geteuid()) : NULL;

	snprintf(buf, MISTAKE_QUOTE_MAX, "%s%s%s", strerror(error), pw ? " to user " : "",
		pw ? pw->pw_name : "");
	return buf;
}

const char *mistake_key(char buf[MISTAKE_KEY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, MISTAKE_KEY_MAX, fmt, ap);
	va_end(ap);
	return buf;
}

const char *mistake_plain(char buf[MISTAKE_QUOTE_MAX], const char *value)
{
	int cut = snprintf(buf, MISTAKE_QUOTE_MAX - 2, "%s", value);

	make_plain(buf);
	if (cut >= MISTAKE_QUOTE_MAX - 2)
		strcpy(buf + MISTAKE_QUOTE_MAX - 6, "...");
	return buf;
}

const char *mistake_quote(char buf[MISTAKE_QUOTE_MAX], const char *value)
{
	char plain[MISTAKE_QUOTE_MAX];

	snprintf(buf, MISTAKE_QUOTE_MAX, "\"%s\"", mistake_plain(plain, value));
	return buf;
}
