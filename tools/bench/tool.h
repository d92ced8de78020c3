/* SPDX-License-Identifier: BSD-2-Clause */
/* What the bench's little programs have in common. They are started by the harness, say "ready" on
 * standard output, obey lines on standard input, and end when it closes. */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stdint.h>

/* Prints "NAME: TEXT" (with strerror of err, 0 or -errno, where it is not 0) and exits with 1. */
void tool_fail(int err, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* Exits by tool_fail() unless text is a whole number in the given range. */
uint64_t tool_number(const char *text, uint64_t min, uint64_t max);
/* Index of a device in this namespace; exits by tool_fail() if there is none. */
unsigned tool_device(const char *name);
/* CLOCK_MONOTONIC. */
uint64_t tool_now_ns(void);
void tool_pin_to_cpu(unsigned cpu);
/* One line, flushed. */
void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* In rising order. */
void tool_sort(double *values, unsigned count);
/* Of count > 0 values, which it sorts. */
double tool_median(double *values, unsigned count);

#endif
