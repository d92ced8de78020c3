/* SPDX-License-Identifier: BSD-2-Clause */
/* What number rules make of a called or calling number. Numbers are user parts without parameters,
 * percent-decoded, NUL-terminated. */
#ifndef VIADUCT_ROUTE_NUMBER_H
#define VIADUCT_ROUTE_NUMBER_H

#include "route/route.h"

#define NUMBER_MAX 128 /* bytes of a number that a call can have */

enum number_kind { NUMBER_CALLED, NUMBER_CALLING };

/* The first rule that matches is applied; without one the number stays. A rule whose result is no
 * number (longer than NUMBER_MAX, with characters that no number has, a called number without any)
 * or whose matching is given up is not passed over: what it should have caught would go on as it
 * is. Then -EINVAL. trace, which may be NULL, gets a line for the rule that matched. */
/* Of a number that `from` sent. */
int number_in(const struct peer_config *from, enum number_kind kind, const char *number,
	char out[NUMBER_MAX + 1], route_trace_fn *trace, void *trace_ctx);
/* Of a number that is sent to `to`; with its remove_plus. */
int number_out(const struct peer_config *to, enum number_kind kind, const char *number,
	char out[NUMBER_MAX + 1], route_trace_fn *trace, void *trace_ctx);

/* The numbers of a call at one point of its way. */
struct numbers {
	char calling[NUMBER_MAX + 1], called[NUMBER_MAX + 1];
	bool anonymous; /* calling is no number: From's host is anonymous.invalid (RFC 3323) */
};

/* From received to routed, both of them. 0 or -EINVAL. */
int numbers_in(const struct peer_config *from, const struct numbers *received,
	struct numbers *routed, route_trace_fn *trace, void *trace_ctx);
/* From routed to what is sent to the candidate: its route's caller, then its peer's rules. Of an
 * emergency call the caller is not suppressed. 0 or -EINVAL. */
int numbers_out(const struct route_candidate *candidate, bool is_emergency,
	const struct numbers *routed, struct numbers *sent, route_trace_fn *trace, void *trace_ctx);

/* Whether a called number is one of `emergency`, as `from` sent it or as its rules make it. */
bool number_is_emergency(
	const struct config *cfg, const struct peer_config *from, const char *called);

#endif
