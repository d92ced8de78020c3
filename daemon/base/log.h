/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines to standard error, in the form that systemd's journal reads ("<6>text") when the
 * journal is the reader, "HH:MM:SS.mmm level text" otherwise. */
#ifndef VIADUCT_BASE_LOG_H
#define VIADUCT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error", "warn", "info", "debug". 0 or -EINVAL. */
int log_level_parse(enum log_level *level, const char *name);
const char *log_level_name(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		if ((level) <= log_get_level())                                                    \
			log_write(level, __VA_ARGS__);                                             \
	} while (0)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Whatever the network can provoke is logged through a limit: at most LOG_LIMIT_BURST lines a
 * LOG_LIMIT_INTERVAL_MS from each place in the code; the first line after says how many were
 * left out. */
#define LOG_LIMIT_BURST       5
#define LOG_LIMIT_INTERVAL_MS 5000
struct log_limit {
	uint64_t window_start_ms;
	unsigned count;
	unsigned suppressed;
};
/* Whether a line may be written now. */
bool log_limit_ok(struct log_limit *limit);

#define log_limited(level, ...)                                                                    \
	do {                                                                                       \
		static struct log_limit limit_here;                                                \
		if ((level) <= log_get_level() && log_limit_ok(&limit_here))                       \
			log_write(level, __VA_ARGS__);                                             \
	} while (0)

#endif
