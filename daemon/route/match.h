/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers against patterns. Private to the room. */
#ifndef VIADUCT_ROUTE_MATCH_H
#define VIADUCT_ROUTE_MATCH_H

#include <stddef.h>

#include "config/config.h"

#define MATCH_GROUPS_MAX 10 /* $0 to $9 */

/* 1 matches, 0 does not, negative: given up (pcre2's error), which is logged. len: bytes of
 * number. */
int match_number(const struct pattern *p, const char *number, size_t len);
/* The same, and where the groups are: group[i][0] to group[i][1] of number, equal where there is
 * none. */
int match_groups(
	const struct pattern *p, const char *number, size_t len, size_t group[MATCH_GROUPS_MAX][2]);
/* Patterns run since the start: what an index saves, seen by tests. */
extern unsigned long match_count;

#endif
