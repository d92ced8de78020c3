/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of emergency calls. */
#include <string.h>

#include "route/match.h"
#include "route/number.h"

bool route_is_emergency(const struct config *cfg, const char *called)
{
	size_t len = strnlen(called, ROUTE_NUMBER_MAX + 1);

	if (len > ROUTE_NUMBER_MAX)
		return false;
	for (unsigned i = 0; i < cfg->emergency_count; i++) {
		if (match_number(&cfg->emergency[i], called, len) > 0)
			return true;
	}
	return false;
}

bool number_is_emergency(
	const struct config *cfg, const struct peer_config *from, const char *called)
{
	char routed[NUMBER_MAX + 1];

	if (!cfg->emergency_count)
		return false;
	return route_is_emergency(cfg, called) ||
	       (number_in(from, NUMBER_CALLED, called, routed, NULL, NULL) == 0 &&
		       route_is_emergency(cfg, routed));
}
