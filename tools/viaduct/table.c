/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

static void *need(void *p)
{
	if (!p) {
		fputs("viaduct: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static void tame(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		bool c1 = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 to U+009F */

		if (*c < 0x20 || *c == 0x7f || c1)
			*c = '?';
		if (c1)
			*++c = '?';
	}
}

static char *format(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	tame(need(text));
	return text;
}

void show_line(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	puts(text);
	free(text);
}

void table_init(struct table *t, const char *const *heading, unsigned columns)
{
	*t = (struct table){.heading = heading, .columns = columns};
}

void table_add(struct table *t, const char *fmt, ...)
{
	va_list ap;

	if (t->count == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		t->cell = need(realloc(t->cell, t->room * sizeof(*t->cell)));
	}
	va_start(ap, fmt);
	t->cell[t->count++] = format(fmt, ap);
	va_end(ap);
}

/* Characters, not bytes. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* No spaces where the last cells are empty. */
static void print_row(const struct table *t, char *const *cell, const int *widths)
{
	unsigned columns = t->columns;

	while (columns && !*cell[columns - 1])
		columns--;
	for (unsigned i = 0; i < columns; i++) {
		int pad = widths[i] - width(cell[i]);

		if (t->heading[i][0] == '>')
			printf("%*s%s", pad, "", cell[i]);
		else if (i + 1 < columns)
			printf("%s%*s", cell[i], pad, "");
		else
			printf("%s", cell[i]);
		if (i + 1 < columns)
			fputs("  ", stdout);
	}
	putchar('\n');
}

void table_print(struct table *t)
{
	char *heading[TABLE_COLUMNS_MAX] = {0};
	int widths[TABLE_COLUMNS_MAX] = {0};

	for (unsigned i = 0; i < t->columns; i++) {
		heading[i] = (char *)t->heading[i] + (t->heading[i][0] == '>');
		widths[i] = width(heading[i]);
	}
	for (size_t row = 0; row + t->columns <= t->count; row += t->columns) {
		for (unsigned i = 0; i < t->columns; i++) {
			int w = width(t->cell[row + i]);

			if (w > widths[i])
				widths[i] = w;
		}
	}
	print_row(t, heading, widths);
	for (size_t i = 0; i + t->columns <= t->count; i += t->columns)
		print_row(t, t->cell + i, widths);
	for (size_t i = 0; i < t->count; i++)
		free(t->cell[i]);
	free(t->cell);
}

const char *show_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "-";
}

uint64_t show_u64(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

double show_real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

bool show_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

char *show_texts(const json_t *object, const char *key)
{
	const json_t *list = json_object_get(object, key), *one;
	char *text = NULL;
	size_t i, len;
	FILE *f = need(open_memstream(&text, &len));

	json_array_foreach(list, i, one)
	{
		fprintf(f, "%s%s", i ? ", " : "", json_string_value(one));
	}
	if (json_array_size(list) == 0)
		fputc('-', f);
	fclose(f);
	return need(text);
}

const char *show_duration(const json_t *object, const char *key, char buf[SHOW_SHORT_MAX])
{
	const json_t *v = json_object_get(object, key);
	uint64_t ms = (uint64_t)json_integer_value(v), s = ms / 1000;

	if (!v)
		snprintf(buf, SHOW_SHORT_MAX, "-");
	else if (ms < 1000)
		snprintf(buf, SHOW_SHORT_MAX, "%" PRIu64 " ms", ms);
	else if (s < 60)
		snprintf(buf, SHOW_SHORT_MAX, "%" PRIu64 " s", s);
	else if (s < 3600)
		snprintf(buf, SHOW_SHORT_MAX, "%" PRIu64 "m%02us", s / 60, (unsigned)(s % 60));
	else if (s < 86400)
		snprintf(buf, SHOW_SHORT_MAX, "%" PRIu64 "h%02um", s / 3600,
			(unsigned)(s % 3600 / 60));
	else
		snprintf(buf, SHOW_SHORT_MAX, "%" PRIu64 "d%02uh", s / 86400,
			(unsigned)(s % 86400 / 3600));
	return buf;
}

const char *show_bytes(uint64_t bytes, char buf[SHOW_SHORT_MAX])
{
	static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes / 1024;
	unsigned i = 0;

	if (bytes < 1024) {
		snprintf(buf, SHOW_SHORT_MAX, "%u B", (unsigned)bytes);
		return buf;
	}
	for (; v >= 1024 && i < 3; i++)
		v /= 1024;
	snprintf(buf, SHOW_SHORT_MAX, "%.1f %s", v, unit[i]);
	return buf;
}
