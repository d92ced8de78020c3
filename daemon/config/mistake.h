/* SPDX-License-Identifier: BSD-2-Clause */
/* The mistakes of a configuration file, gathered, then written in the order of their lines, one
 * line each: FILE:LINE: KEY: WHAT IS WRONG; expected WHAT */
#ifndef VIADUCT_CONFIG_MISTAKE_H
#define VIADUCT_CONFIG_MISTAKE_H

#include <stdarg.h>
#include <stdio.h>

#define MISTAKES_MAX      100 /* told; more are only counted */
#define MISTAKE_KEY_MAX   160 /* bytes of a key such as peers[12].media.latch_prefix.ipv4 */
#define MISTAKE_QUOTE_MAX 72  /* bytes of a quoted value */

struct node;

struct mistake {
	unsigned line;
	unsigned order;
	char *text;
};

struct mistakes {
	const char *file;
	const struct node *root; /* gives the lines; NULL until the document is parsed */
	struct mistake list[MISTAKES_MAX];
	unsigned count; /* all, also those beyond the list */
	int error;      /* -ENOMEM: one could not be kept */
};

/* fmt writes "WHAT IS WRONG; expected WHAT". */
void mistake_add(struct mistakes *m, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same where there is no tree to take the line from. */
void mistake_add_line(struct mistakes *m, unsigned line, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void mistakes_print(struct mistakes *m, FILE *out);
void mistakes_free(struct mistakes *m);

/* Why a file cannot be opened, the user named to whom it is forbidden. Returns buf. */
const char *mistake_errno(char buf[MISTAKE_QUOTE_MAX], int error);
/* Prints a key's path. Returns buf. */
const char *mistake_key(char buf[MISTAKE_KEY_MAX], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "value" in quotes, cut where long, without control characters. Returns buf. */
const char *mistake_quote(char buf[MISTAKE_QUOTE_MAX], const char *value);
/* The same without quotes. */
const char *mistake_plain(char buf[MISTAKE_QUOTE_MAX], const char *value);

#endif
