/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ZONEINFO      "/usr/share/zoneinfo"
#define TZIF_MAGIC    "TZif" /* RFC 9636 3.1 */
#define ZONE_NAME_MAX 64
#define DAY_S         86400
#define STEP_S        (7 * DAY_S) /* no zone changes its offset and back within a week */
#define YEAR_S        (365 * (int64_t)DAY_S)
#define PAST_YEARS    1
#define FUTURE_YEARS  30
#define CHANGES_MAX   256 /* two a year, and room */

struct zone {
	int32_t first; /* offset before the first change */
	unsigned count;
	struct {
		int64_t at;
		int32_t offset; /* from then on */
	} change[CHANGES_MAX];
};

/* The name must not lead out of the database. */
static int check_name(const char *name)
{
	char path[sizeof(ZONEINFO) + ZONE_NAME_MAX + 2], magic[sizeof(TZIF_MAGIC) - 1];
	size_t len = strlen(name), n;
	FILE *f;

	if (len > ZONE_NAME_MAX || name[0] == '/' || strstr(name, "..") ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "0123456789_+-/") != len)
		return -EINVAL;
	snprintf(path, sizeof(path), "%s/%s", ZONEINFO, name);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOMEM ? -ENOMEM : -ENOENT;
	n = fread(magic, 1, sizeof(magic), f);
	fclose(f);
	return n == sizeof(magic) && memcmp(magic, TZIF_MAGIC, n) == 0 ? 0 : -ENOENT;
}

static int32_t offset_at(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

/* Asks the C library, which knows the rules of the years to come, when the offset changes. */
static void read_changes(struct zone *zone)
{
	int64_t now = (int64_t)time(NULL), at = now - PAST_YEARS * YEAR_S;
	int32_t offset = offset_at(at);

	zone->first = offset;
	for (; at < now + FUTURE_YEARS * YEAR_S && zone->count < CHANGES_MAX; at += STEP_S) {
		int64_t low = at, high = at + STEP_S;
		int32_t next = offset_at(high);

		if (next == offset)
			continue;
		while (high - low > 1) {
			int64_t middle = low + (high - low) / 2;

			if (offset_at(middle) == offset)
				low = middle;
			else
				high = middle;
		}
		zone->change[zone->count].at = high;
		zone->change[zone->count++].offset = next;
		offset = next;
	}
}

int zone_new(struct zone **out, const char *name)
{
	const char *own = getenv("TZ");
	char *kept = own ? strdup(own) : NULL;
	struct zone *zone = calloc(1, sizeof(*zone));
	int ret = zone && (!own || kept) ? 0 : -ENOMEM;

	if (!ret && name[0])
		ret = check_name(name);
	if (!ret && name[0] && setenv("TZ", name, 1))
		ret = -ENOMEM;
	if (!ret) {
		tzset();
		read_changes(zone);
	}
	if (!ret && name[0]) {
		if (kept)
			setenv("TZ", kept, 1);
		else
			unsetenv("TZ");
		tzset();
	}
	free(kept);
	if (ret)
		free(zone);
	else
		*out = zone;
	return ret;
}

void zone_free(struct zone *zone)
{
	free(zone);
}

int32_t zone_offset(const struct zone *zone, int64_t at)
{
	int32_t offset = zone->first;
	unsigned low = 0, high = zone->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (zone->change[middle].at <= at) {
			offset = zone->change[middle].offset;
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return offset;
}
