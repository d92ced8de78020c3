/* SPDX-License-Identifier: BSD-2-Clause */
/* Time zones: what the tz database says, read once, so that a call neither waits for a disk nor
 * touches the process's own zone. */
#ifndef VIADUCT_CONFIG_ZONE_H
#define VIADUCT_CONFIG_ZONE_H

#include <stdint.h>

struct zone;

/* name as Europe/Berlin; "": the host's own. 0, -ENOENT where the tz database has none of that
 * name, -EINVAL where the name is none, -ENOMEM. */
int zone_new(struct zone **out, const char *name);
void zone_free(struct zone *zone);
/* Seconds that local time is ahead of UTC at that time (seconds since 1970). Beyond some decades
 * from the reading on it stays as it is then. */
int32_t zone_offset(const struct zone *zone, int64_t at);

#endif
