/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/trace.h"

#include <stdarg.h>
#include <stdio.h>

#define TRACE_LINE_MAX 1024 /* bytes, more is cut */

void trace_line(const struct trace *t, const char *fmt, ...)
{
	char line[TRACE_LINE_MAX];
	va_list ap;

	if (!t->fn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *c = line; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	t->fn(t->ctx, line);
}
