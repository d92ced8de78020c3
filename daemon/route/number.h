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

#endif
