/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of the tz database, RFC 9636. */
#include <errno.h>
#include <string.h>

#include "config/zone_internal.h"

#define MAGIC      "TZif"
#define HEADER_LEN 44
#define COUNTS_AT  20
#define TYPE_LEN   6 /* of a local time type record: offset, is it summer, designation */
#define OLD_TIME   4 /* bytes of a time in the first block */
#define TIME       8 /* and in the second */
#define FOOTER_MAX 128
#define OFFSET_MAX (26 * 3600) /* RFC 9636 3.2, and room */
#define COUNT_MAX  100000

struct block {
	uint32_t utc, standard, leaps, times, types, chars; /* counts, in the order of the header */
	size_t len;                                         /* bytes behind the header */
};

static uint32_t read_32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_64(const unsigned char *p)
{
	return (int64_t)((uint64_t)read_32(p) << 32 | read_32(p + 4));
}

static int read_header(struct block *b, const unsigned char *data, size_t len, size_t time_len)
{
	uint32_t *const counts[] = {
		&b->utc, &b->standard, &b->leaps, &b->times, &b->types, &b->chars};

	if (len < HEADER_LEN || memcmp(data, MAGIC, strlen(MAGIC)) != 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		*counts[i] = read_32(data + COUNTS_AT + 4 * i);
		if (*counts[i] > COUNT_MAX)
			return -EINVAL;
	}
	b->len = b->times * (time_len + 1) + (size_t)b->types * TYPE_LEN + b->chars +
		 b->leaps * (time_len + 4) + b->standard + b->utc;
	return b->types && len - HEADER_LEN >= b->len ? 0 : -EINVAL;
}

/* Behind the second block, a rule between two newlines; "" where there is none. */
static int read_footer(char rule[FOOTER_MAX], const unsigned char *data, size_t len)
{
	const unsigned char *end;

	rule[0] = '\0';
	if (!len || data[0] != '\n')
		return -EINVAL;
	end = memchr(data + 1, '\n', len - 1);
	if (!end || end - data - 1 >= FOOTER_MAX)
		return -EINVAL;
	memcpy(rule, data + 1, (size_t)(end - data - 1));
	rule[end - data - 1] = '\0';
	return 0;
}

int zone_add_file(
	struct zone *zone, const unsigned char *data, size_t len, int64_t after, int64_t until)
{
	const unsigned char *times, *indexes, *types;
	struct block b;
	char rule[FOOTER_MAX];
	int64_t last = after;

	/* The first block, of 32-bit times, is for readers of old. */
	if (read_header(&b, data, len, OLD_TIME) || data[4] < '2')
		return -EINVAL;
	data += HEADER_LEN + b.len;
	len -= HEADER_LEN + b.len;
	if (read_header(&b, data, len, TIME) ||
		read_footer(rule, data + HEADER_LEN + b.len, len - HEADER_LEN - b.len))
		return -EINVAL;
	times = data + HEADER_LEN;
	indexes = times + (size_t)b.times * TIME;
	types = indexes + b.times;
	/* 3.2: type 0 holds before the first time. */
	zone->first = (int32_t)read_32(types);
	for (uint32_t i = 0; i < b.times; i++) {
		int64_t at = read_64(times + (size_t)i * TIME);
		int32_t offset;

		if (indexes[i] >= b.types)
			return -EINVAL;
		offset = (int32_t)read_32(types + (size_t)indexes[i] * TYPE_LEN);
		if (offset > OFFSET_MAX || offset < -OFFSET_MAX)
			return -EINVAL;
		if (at <= after)
			zone->first = offset;
		else if (at < until)
			zone_add(zone, at, offset);
		if (last < at)
			last = at;
	}
	/* 3.3: the rule holds from the last time on. */
	return rule[0] && last < until ? zone_add_rule(zone, rule, last, until) : 0;
}
