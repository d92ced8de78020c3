/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static enum log_level current = LOG_LEVEL_INFO;
static const char *const names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
	current = level;
}

enum log_level log_get_level(void)
{
	return current;
}

int log_level_parse(enum log_level *level, const char *name)
{
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	return names[level];
}

void log_write(enum log_level level, const char *fmt, ...)
{
	static const int journal_level[] = {3, 4, 6, 7};
	char line[1024];
	va_list ap;
	int n;

	if (getenv("JOURNAL_STREAM")) {
		n = snprintf(line, sizeof(line), "<%d>", journal_level[level]);
	} else {
		struct timeval tv;
		struct tm tm;

		gettimeofday(&tv, NULL);
		localtime_r(&tv.tv_sec, &tm);
		n = snprintf(line, sizeof(line), "%02d:%02d:%02d.%03d %-5s ", tm.tm_hour, tm.tm_min,
			tm.tm_sec, (int)(tv.tv_usec / 1000), names[level]);
	}
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	/* A line from the network must not forge another. */
	for (char *c = line; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	fprintf(stderr, "%s\n", line);
}

bool log_limit_ok(struct log_limit *limit)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	if (limit->window_start_ms == 0 || now - limit->window_start_ms >= LOG_LIMIT_INTERVAL_MS) {
		if (limit->suppressed)
			log_write(LOG_LEVEL_WARN, "%u more lines like the next were left out",
				limit->suppressed);
		limit->window_start_ms = now;
		limit->count = 0;
		limit->suppressed = 0;
	}
	if (limit->count >= LOG_LIMIT_BURST) {
		limit->suppressed++;
		return false;
	}
	limit->count++;
	return true;
}
