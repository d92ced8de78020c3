/* SPDX-License-Identifier: BSD-2-Clause */
/* Which peers a call goes to. */
#ifndef VIADUCT_ROUTE_ROUTE_H
#define VIADUCT_ROUTE_ROUTE_H

#include "config/config.h"

#define ROUTE_CALLED_MAX 256 /* bytes of a called number; a longer one matches no route */

enum route_verdict {
	ROUTE_FOUND,
	ROUTE_NONE,   /* nothing matches: 404 */
	ROUTE_DENIED, /* matches, but external to external without trunk_to_trunk: 403 */
};

struct route_result {
	enum route_verdict verdict;
	const struct route_config *route; /* the one that matched, also when denied */
	unsigned route_index;
	const struct peer_config *to[CONFIG_ROUTE_PEERS_MAX]; /* in the order to try */
	unsigned to_count;
};

/* Receives one line a step: what was looked at and why it did or did not match. */
typedef void route_trace_fn(void *ctx, const char *line);

/* called: the user part of the Request-URI, NUL-terminated, without parameters. trace may be
 * NULL. */
void route_find(const struct config *cfg, const struct peer_config *from, const char *called,
	struct route_result *out, route_trace_fn *trace, void *trace_ctx);

#endif
