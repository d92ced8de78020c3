/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the routes of a list whose patterns may match a number by the literal beginnings of the
 * patterns, so that the cost of a call does not grow with the number of routes. */
#ifndef VIADUCT_CONFIG_ROUTE_INDEX_H
#define VIADUCT_CONFIG_ROUTE_INDEX_H

#include "config/config.h"

#define ROUTE_CURSOR_RUNS 64 /* of two indexes, called and calling, each beginning of a number */

struct route_index;

/* Walks what was found, in ascending order. */
struct route_cursor {
	struct {
		const unsigned *at, *end;
	} run[ROUTE_CURSOR_RUNS];
	unsigned runs;
};

/* Of a list of routes (indexes of cfg's): by_route, the cursor gives their indexes, which have to
 * ascend in the list, else their places in the list. 0 or -ENOMEM. */
int route_index_new(struct route_index **out, const struct config *cfg, const unsigned *list,
	unsigned count, bool by_route);
void route_index_free(struct route_index *index);

/* Adds what may match to the cursor (begun as {0}); index: NULL has none. At most two indexes for
 * one cursor, both by_route. */
void route_index_find(const struct route_index *index, const char *called, const char *calling,
	struct route_cursor *cursor);
bool route_cursor_next(struct route_cursor *cursor, unsigned *value);

#endif
