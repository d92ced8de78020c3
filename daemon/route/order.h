/* SPDX-License-Identifier: BSD-2-Clause */
/* The order in which the peers of a group are tried. Private to the room. */
#ifndef VIADUCT_ROUTE_ORDER_H
#define VIADUCT_ROUTE_ORDER_H

#include "config/config.h"

/* Orders count members of one priority and cost by chance, each coming next with the share that its
 * weight has of those that are left; those of weight 0 come last, among themselves with equal
 * chances. *seed moves on; 0: no chance, they stay as they are. */
void order_by_weight(struct group_member *member, unsigned count, uint64_t *seed);

#endif
