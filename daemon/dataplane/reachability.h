/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the neighbours that flows lead to still answer: Neighbour Unreachability Detection (RFC
 * 4861 7.3), of ARP as well, in less than a second where the kernel by itself takes half a minute
 * and three requests, a second each.
 *
 * The kernel does the asking, as nobody here may send ARP or neighbour solicitations, and its
 * answer alone is believed. Each one is asked at its MAC address, which harms nothing that the host
 * sends to it. One lost answer has everybody asked who has its address: whoever moved to another
 * MAC address is found. One that stays silent is left where a destination has another way, until it
 * has answered for a while; where there is none, packets go where they went until it is given up.
 *
 * Asks are bounded in all: of more neighbours than that is enough for, gateways come first, and
 * hosts on the link wait in proportion to their number.
 * Private to the next-hop table. */
#ifndef VIADUCT_DATAPLANE_REACHABILITY_H
#define VIADUCT_DATAPLANE_REACHABILITY_H

#include "dataplane/neighbour.h"

/* A neighbour that went unanswered, or that the kernel has no MAC address of any more, counts with
 * the last one for so long. */
#define NEIGHBOUR_GRACE_MS 4000

/* t->turn is to fire: once for each table. */
void reachability_init(struct nexthop_table *t);
/* Flows lead to n, or do no longer. Harmless where that is known. */
void reachability_watch(struct nexthop_table *t, struct neighbour *n);
void reachability_unwatch(struct nexthop_table *t, struct neighbour *n);

/* The kernel had word of it. */
void reachability_heard(struct nexthop_table *t, struct neighbour *n);
/* The kernel has no MAC address of it any more (n->state says whether it failed). */
void reachability_lost(struct nexthop_table *t, struct neighbour *n);
/* Everybody was asked, for another reason than silence. */
void reachability_asked_all(struct nexthop_table *t, struct neighbour *n);

/* Who answers now may be another than the one that was asked before. */
bool reachability_is_open(const struct neighbour *n);
/* Its MAC address counts although the kernel says that it failed. */
bool reachability_keeps(const struct nexthop_table *t, const struct neighbour *n);
/* Of several ways that by the one of the highest rank is taken; 0: it cannot be. */
unsigned reachability_rank(const struct neighbour *n);

#endif
