/* SPDX-License-Identifier: BSD-2-Clause */
/* What each key of the file expects: the one table of ranges, defaults and wordings, which
 * viaduct.yaml(5) repeats. */
#ifndef VIADUCT_CONFIG_KEYS_H
#define VIADUCT_CONFIG_KEYS_H

#include <stdint.h>

#include "config/mistake.h"

/* The row of a key's path: indexes are "[]", the sides' names "*". */
struct key {
	const char *path;
	const char *expected; /* completes "expected ..."; a number's range is printed after it */
	uint32_t min, max, fallback; /* numbers: inclusive range, value where not written */
	const char *text_fallback;   /* texts; NULL = none */
};

/* NULL where there is none. */
const struct key *key_find(const char *path);
/* Writes what a value at path expects, "a UDP or TCP port, 1 to 65535". Returns buf. */
#define KEY_EXPECTED_MAX 160
const char *key_expected(char buf[KEY_EXPECTED_MAX], const char *path);
/* The value, or the key's default where value is NULL. Out of range is a mistake, and the default,
 * so that other numbers are not measured by it. */
uint32_t key_number(struct mistakes *m, const char *path, const uint32_t *value);

#endif
