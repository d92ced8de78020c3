/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a time of the configuration holds. Private to the room. */
#ifndef VIADUCT_ROUTE_TIME_H
#define VIADUCT_ROUTE_TIME_H

#include "config/config.h"

/* at: seconds since 1970, UTC. */
bool time_holds(const struct time_config *time, int64_t at);

#endif
