/* SPDX-License-Identifier: BSD-2-Clause */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "route/match.h"

#include <pcre2.h>
#include <string.h>

#include "base/log.h"

/* A number that makes a pattern backtrace is given up at this many steps (well under a
 * millisecond), and counts as no match. */
#define MATCH_LIMIT   20000
#define MATCH_HEAP_KB 256

unsigned long match_count;

/* What a match works with: made once for the process, which routes in one thread. NULL without
 * memory. */
static pcre2_match_data *match_data(pcre2_match_context **context)
{
	static pcre2_match_data *data;
	static pcre2_match_context *limits;

	if (!data)
		data = pcre2_match_data_create(MATCH_GROUPS_MAX, NULL);
	if (!limits) {
		limits = pcre2_match_context_create(NULL);
		if (limits) {
			pcre2_set_match_limit(limits, MATCH_LIMIT);
			pcre2_set_heap_limit(limits, MATCH_HEAP_KB);
		}
	}
	*context = limits;
	return data && limits ? data : NULL;
}

int match_groups(
	const struct pattern *p, const char *number, size_t len, size_t group[MATCH_GROUPS_MAX][2])
{
	pcre2_match_context *limits;
	pcre2_match_data *data;
	const PCRE2_SIZE *at;
	int n;

	if (group)
		memset(group, 0, MATCH_GROUPS_MAX * sizeof(group[0]));
	if (!p->code) {
		if (group)
			group[0][1] = len;
		return 1;
	}
	data = match_data(&limits);
	if (!data)
		return PCRE2_ERROR_NOMEMORY;
	match_count++;
	n = pcre2_match(p->code, (PCRE2_SPTR)number, len, 0, 0, data, limits);
	if (n < 0) {
		if (n == PCRE2_ERROR_NOMATCH)
			return 0;
		log_limited(
			LOG_LEVEL_WARN, "matching %s was given up (pcre2 error %d)", p->text, n);
		return n;
	}
	at = pcre2_get_ovector_pointer(data);
	if (n == 0)
		n = MATCH_GROUPS_MAX; /* the pattern has more groups than data keeps */
	for (int i = 0; group && i < n; i++) {
		/* Unset ones are all ones; a lookbehind may put an end before its beginning. */
		if (at[2 * i] <= at[2 * i + 1] && at[2 * i + 1] <= len) {
			group[i][0] = at[2 * i];
			group[i][1] = at[2 * i + 1];
		}
	}
	return 1;
}

int match_number(const struct pattern *p, const char *number, size_t len)
{
	return match_groups(p, number, len, NULL);
}
