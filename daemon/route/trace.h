/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps told as lines. Private to the room. */
#ifndef VIADUCT_ROUTE_TRACE_H
#define VIADUCT_ROUTE_TRACE_H

#include "route/route.h"

struct trace {
	route_trace_fn *fn; /* NULL: nobody listens */
	void *ctx;
};

/* One line, without control characters; a long one is cut. */
void trace_line(const struct trace *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
