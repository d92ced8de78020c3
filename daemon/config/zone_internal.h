/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the zone files: a zone under construction. */
#ifndef VIADUCT_CONFIG_ZONE_INTERNAL_H
#define VIADUCT_CONFIG_ZONE_INTERNAL_H

#include <stddef.h>

#include "config/zone.h"

#define ZONE_CHANGES_MAX  256 /* two a year, and room */
#define ZONE_PAST_YEARS   1
#define ZONE_FUTURE_YEARS 30
#define ZONE_DAY_S        86400
#define ZONE_YEAR_S       (365 * (int64_t)ZONE_DAY_S)

struct zone {
	int32_t first; /* offset before the first change */
	unsigned count;
	struct {
		int64_t at;
		int32_t offset; /* from then on */
	} change[ZONE_CHANGES_MAX];
};

/* The next change; one that is none, or beyond the room, is left out. */
void zone_add(struct zone *zone, int64_t at, int32_t offset);
/* A rule such as CET-1CEST,M3.5.0,M10.5.0/3 (POSIX 8.3, RFC 9636 3.3.1) from the time `after` to
 * `until`. 0 or -EINVAL. */
int zone_add_rule(struct zone *zone, const char *rule, int64_t after, int64_t until);
/* A file of the tz database (RFC 9636), from the time `after` to `until`. 0 or -EINVAL. */
int zone_add_file(
	struct zone *zone, const unsigned char *data, size_t len, int64_t after, int64_t until);

#endif
