/* SPDX-License-Identifier: BSD-2-Clause */
/* The literal beginnings of what a pattern matches: "\+?49[13].*" begins with +491, +493, 491 or
 * 493. They are what routes are found by without running every pattern. Private to the room. */
#ifndef VIADUCT_CONFIG_PREFIXES_H
#define VIADUCT_CONFIG_PREFIXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFIX_MAX   15 /* bytes of a beginning, more are left out */
#define PREFIXES_MAX 32 /* of one pattern; one that has more is cut before they branch */

struct prefix {
	char text[PREFIX_MAX];
	uint8_t len;
	bool open; /* what comes next in the pattern comes next in the number */
};

struct prefixes {
	struct prefix one[PREFIXES_MAX];
	unsigned count;
};

/* Each number that the pattern matches begins with one of out, and none of them begins with
 * another. The empty one alone: it may begin with anything. pattern: PCRE2 that compiles, anchored,
 * without options; NULL: every number. */
void prefixes_of(struct prefixes *out, const char *pattern);

#endif
