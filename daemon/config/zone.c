/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/zone_internal.h"

#define ZONEINFO     "/usr/share/zoneinfo"
#define OWN_ZONE     "/etc/localtime"
#define NAME_MAX_LEN 64
#define FILE_MAX_LEN (64 * 1024)

/* A name must not lead out of the database. */
static bool is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-/";
	size_t len = strlen(name);

	return len && len <= NAME_MAX_LEN && name[0] != '/' && strspn(name, allowed) == len;
}

/* *data is malloc'd. 0, -ENOENT, -ENOMEM. */
static int read_file(const char *path, unsigned char **data, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char *buf = NULL;
	struct stat st;
	ssize_t n = 0;
	int ret = -ENOENT;

	*len = 0;
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX_LEN)
		goto out;
	buf = malloc((size_t)st.st_size + 1);
	ret = buf ? 0 : -ENOMEM;
	while (!ret && (n = read(fd, buf + *len, (size_t)st.st_size - *len)) > 0)
		*len += (size_t)n;
	if (n < 0)
		ret = -ENOENT;
out:
	if (fd >= 0)
		close(fd);
	if (ret)
		free(buf);
	else
		*data = buf;
	return ret;
}

static int add_path(struct zone *zone, const char *path, int64_t after, int64_t until)
{
	unsigned char *data;
	size_t len;
	int ret = read_file(path, &data, &len);

	if (ret)
		return ret;
	if (zone_add_file(zone, data, len, after, until))
		ret = -ENOENT;
	free(data);
	return ret;
}

static int add_name(struct zone *zone, const char *name, int64_t after, int64_t until)
{
	char path[sizeof(ZONEINFO) + NAME_MAX_LEN + 2];

	if (!is_name(name))
		return -EINVAL;
	snprintf(path, sizeof(path), "%s/%s", ZONEINFO, name);
	return add_path(zone, path, after, until);
}

/* TZ, a name or a rule, else the host's file, else UTC. */
static int add_own(struct zone *zone, int64_t after, int64_t until)
{
	const char *own = getenv("TZ");
	int ret;

	if (!own || !*own)
		ret = own ? 0 : add_path(zone, OWN_ZONE, after, until);
	else
		ret = add_name(zone, own + (*own == ':'), after, until);
	if (ret && ret != -ENOMEM) {
		memset(zone, 0, sizeof(*zone));
		if (own)
			zone_add_rule(zone, own, after, until);
		ret = 0;
	}
	return ret;
}

void zone_add(struct zone *zone, int64_t at, int32_t offset)
{
	unsigned n = zone->count;

	/* What a later one overtakes at the same moment never was. */
	if (n && zone->change[n - 1].at >= at)
		n--;
	if (n == ZONE_CHANGES_MAX)
		return;
	zone->count = n;
	if (offset == (n ? zone->change[n - 1].offset : zone->first))
		return;
	zone->change[n].at = at;
	zone->change[n].offset = offset;
	zone->count++;
}

int zone_new(struct zone **out, const char *name)
{
	struct zone *zone = calloc(1, sizeof(*zone));
	int64_t now = (int64_t)time(NULL);
	int64_t after = now - ZONE_PAST_YEARS * ZONE_YEAR_S;
	int64_t until = now + ZONE_FUTURE_YEARS * ZONE_YEAR_S;
	int ret;

	if (!zone)
		return -ENOMEM;
	ret = name[0] ? add_name(zone, name, after, until) : add_own(zone, after, until);
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
