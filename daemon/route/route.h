/* SPDX-License-Identifier: BSD-2-Clause */
/* Which peers a call goes to. */
#ifndef VIADUCT_ROUTE_ROUTE_H
#define VIADUCT_ROUTE_ROUTE_H

#include "config/config.h"

#define ROUTE_NUMBER_MAX     256 /* bytes of a number; a longer one matches no route */
#define ROUTE_CANDIDATES_MAX 24  /* peers of one call; what comes after them is left out */

enum route_verdict {
	ROUTE_FOUND,
	ROUTE_NONE,   /* nothing matches: 404 */
	ROUTE_DENIED, /* matches, but external to external without trunk_to_trunk: 403 */
};

/* What decides. Numbers: user parts without parameters, NUL-terminated, after the inbound rules of
 * `from`. */
struct route_query {
	const struct peer_config *from;
	const char *calling, *called; /* calling: "" where there is none */
	const char *dialled;          /* called as received; NULL: the same */
	int64_t at;                   /* now: seconds since 1970, UTC */
	uint64_t seed; /* of chance among the peers of a group; 0: none, heavier first */
};

/* A peer to try. Candidates stand in the order to try. Those of one priority class are equals but
 * for chance and the order of the file: whoever knows more of them may change their order within
 * the class, not across. A peer is a candidate once. */
struct route_candidate {
	const struct peer_config *peer;
	const struct route_config *route; /* that gave it */
	unsigned priority;                /* class, from 0, never falling along the list */
};

struct route_result {
	enum route_verdict verdict;
	bool is_emergency;                /* the called number is one of `emergency` */
	const struct route_config *route; /* the first that matched, also when denied */
	unsigned route_index;
	struct route_candidate candidate[ROUTE_CANDIDATES_MAX];
	unsigned candidate_count;
};

/* Receives one line a step: what was looked at and why it did or did not match. */
typedef void route_trace_fn(void *ctx, const char *line);

/* trace may be NULL. */
void route_find(const struct config *cfg, const struct route_query *query, struct route_result *out,
	route_trace_fn *trace, void *trace_ctx);

/* Whether called is one of `emergency`. */
bool route_is_emergency(const struct config *cfg, const char *called);

#endif
