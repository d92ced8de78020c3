/* SPDX-License-Identifier: BSD-2-Clause */
/* Aligned columns, and facts in the form people read. */
#ifndef VIADUCT_TOOLS_TABLE_H
#define VIADUCT_TOOLS_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#define TABLE_COLUMNS_MAX 20

struct table {
	unsigned columns;
	const char *const *heading; /* a heading that begins with '>' is aligned right */
	char **cell;                /* row by row */
	size_t count, room;
};

void table_init(struct table *t, const char *const *heading, unsigned columns);
/* Adds the next cell, copied; what could move the terminal's cursor becomes '?'. */
void table_add(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees. */
void table_print(struct table *t);

/* Members of an object, with a stand-in where there is none. */
const char *show_text(const json_t *object, const char *key); /* "-" */
uint64_t show_u64(const json_t *object, const char *key);     /* 0 */
double show_real(const json_t *object, const char *key);      /* 0 */
bool show_bool(const json_t *object, const char *key);        /* false */
/* Texts of an array, joined by ", "; "-" where it is empty. Free it. */
char *show_texts(const json_t *object, const char *key);

#define SHOW_SHORT_MAX 24
/* "350 ms", "12 s", "1m23s", "2h05m", "3d04h"; "-" where there is none. */
const char *show_duration(const json_t *object, const char *key, char buf[SHOW_SHORT_MAX]);
/* "812 B", "1.4 MiB" */
const char *show_bytes(uint64_t bytes, char buf[SHOW_SHORT_MAX]);

/* A line of text with what could move the terminal's cursor as '?'. */
void show_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
