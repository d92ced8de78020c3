/* SPDX-License-Identifier: BSD-2-Clause */
/* The neighbours behind the next hops: what the kernel says of each, and what has it ask them.
 * Private to the next-hop table, whose parts are all here. */
#ifndef VIADUCT_DATAPLANE_NEIGHBOUR_H
#define VIADUCT_DATAPLANE_NEIGHBOUR_H

#include "base/table.h"
#include "dataplane/nexthop.h"
#include "dataplane/slots.h"

/* How far the table is with asking a neighbour that flows lead to: see reachability.h. */
enum reachability_stage {
	REACHABILITY_UNWATCHED,
	REACHABILITY_RESTS,     /* until it is to be asked again */
	REACHABILITY_ASKED,     /* at the MAC address that it has */
	REACHABILITY_ASKED_ALL, /* by broadcast or multicast */
};

/* Whose turn it is first. */
enum reachability_queue {
	QUEUE_GATEWAYS,
	QUEUE_UNANSWERED, /* hosts on the link that were asked */
	QUEUE_OTHERS,
	QUEUE_COUNT,
};

struct reachability {
	enum reachability_stage stage;
	enum reachability_queue queue;
	uint64_t due_ms;               /* of what comes next */
	struct neighbour *prev, *next; /* of the queue, by due_ms */
	uint64_t asked_at_ms;          /* last */
	uint64_t unanswered_since_ms;  /* 0: what was asked last was answered, or may be yet */
	uint64_t failed_at_ms;         /* the kernel was told so */
	/* Packets take another way where there is one: nobody answered, neither at its MAC address
	 * nor elsewhere, nor often enough since. */
	bool silent;
	unsigned answers; /* in a row, of one that is silent */
	/* Requests to the MAC address alone are not made here: everybody is asked, until then. */
	bool failed_at_once;
	uint64_t ask_all_until_ms;
};

struct neighbour_key {
	uint32_t ifindex;
	struct addr ip; /* port 0 */
};

struct neighbour {
	struct neighbour_key key;
	UT_hash_handle hh;
	enum neighbour_state state;
	uint8_t mac[6];
	bool reread;  /* events about it were lost */
	bool has_mac; /* the last one known is kept while the kernel looks again, until it fails */
	uint64_t probe_at_ms, confirm_at_ms;
	uint32_t probe_wait_ms;
	uint64_t keep_until_ms; /* has_mac without an entry that backs it: until then */
	/* Packets that lead back to it came from another MAC address, ending so; 0 = never. */
	uint32_t other_mac_end;
	bool doubted;         /* it has to be asked, at ask_at_ms the soonest */
	const char *evidence; /* by which its last other one was found, NULL: the kernel's own */
	uint64_t ask_at_ms;
	uint32_t ask_wait_ms;
	struct reachability reach;
	struct way *ways;
	unsigned used, used_as_gateway; /* ways of destinations that flows lead to */
};

/* One of those by which a destination may be reached: a route may name several gateways. */
struct way {
	struct destination *destination;
	struct neighbour *neighbour;
	struct way *prev, *next;             /* of the neighbour */
	struct way *other_prev, *other_next; /* of the destination */
};

struct destination_key {
	struct addr src, dst; /* ports 0 */
	uint32_t side;
};

struct destination {
	struct destination_key key;
	UT_hash_handle hh;
	uint32_t index; /* in vd_nexthops */
	unsigned refs;
	uint64_t idle_since_ms;
	const char *why; /* NULL: the route is known */
	struct addr gateway;
	/* What packets saw of it so far. */
	bool resolved, ever_resolved;
	struct addr resolved_gateway; /* when it was resolved last */
	const char *unresolved_by;    /* why it was not first, or ceased to be */
	const char *left_by;          /* while its ways change: why the one that it took is none */
	const char *change, *change_of;
	uint64_t changed_at_ms;
	struct way *ways;            /* in the order to take them */
	struct neighbour *neighbour; /* of the one taken, NULL: there is none */
	struct destination *idle_prev, *idle_next;
	bool inherited; /* its element is a dead daemon's still: the kernel was not asked yet */
	bool dirty;
	struct destination *dirty_prev, *dirty_next;
};

struct nexthop_table {
	struct loop *loop;
	struct nexthop_ops ops;
	struct vd_nexthop *array;
	struct slots slots;
	uint8_t *kept; /* by index, while adopting: not 0 where the element waits for its
			  destination */
	uint32_t count;
	struct egress egress[SIDE_COUNT];
	struct destination *destinations;
	struct neighbour *neighbours, *probe_next; /* NULL: the first one */
	struct destination *idle;                  /* oldest first */
	struct destination *dirty;                 /* first in, first examined */
	struct loop_timer tick, reexamine;
	struct neighbour *queue[QUEUE_COUNT]; /* of reachability.c */
	struct loop_timer turn;
	uint64_t pace_ms; /* no turn before */
	unsigned turns;
	unsigned asks;  /* since the last tick */
	uint64_t asked; /* in all */
};

/* Packets can be sent to it. */
static inline bool neighbour_usable(const struct neighbour *n)
{
	return n && n->has_mac;
}

/* Packets sent to it are thought to arrive. */
static inline bool neighbour_answers(const struct neighbour *n)
{
	return neighbour_usable(n) && !n->reach.silent;
}

/* The kernel has a MAC address for it, whatever it thinks of that. */
static inline bool neighbour_state_has_mac(enum neighbour_state state)
{
	return state == NEIGHBOUR_VALID || state == NEIGHBOUR_PROBED || state == NEIGHBOUR_STALE;
}

/* NULL: none is known. */
struct neighbour *neighbour_find(
	const struct nexthop_table *t, unsigned ifindex, const struct addr *ip);
/* One with no ways to it yet, looked for; NULL: no memory. */
struct neighbour *neighbour_make(struct nexthop_table *t, unsigned ifindex, const struct addr *ip);
/* Its last way has gone. */
void neighbour_free(struct nexthop_table *t, struct neighbour *n);
/* What the kernel says of it; packets follow. */
void neighbour_learn(struct nexthop_table *t, struct neighbour *n, enum neighbour_state state,
	const uint8_t *mac);
/* Learns what the kernel says now. */
void neighbour_read(struct nexthop_table *t, struct neighbour *n);
/* Its mac counts while the kernel looks for it. */
void neighbour_keep(const struct nexthop_table *t, struct neighbour *n);
/* The last four bytes, as vd_flow.src_mac has them. */
uint32_t neighbour_mac_end(const struct neighbour *n);
/* Its packets came from another MAC address, ending so: see nexthop_came_from. */
void neighbour_doubt(struct nexthop_table *t, struct neighbour *n, uint32_t end, bool moved);
/* By count more, or fewer, of its ways' destinations have flows; as_gateway: it is not where they
 * end. Those that any lead to are watched. */
void neighbour_count_use(struct nexthop_table *t, struct neighbour *n, int count, bool as_gateway);
bool neighbour_egress_is_up(const struct nexthop_table *t, const struct neighbour *n);
/* It answers again: where the kernel leaves gateways that do not (IPv6;
 * net.ipv4.fib_multipath_use_neigh) it may name this one again. */
void neighbour_is_back(struct nexthop_table *t, const struct neighbour *n);
/* Looks for those that are missing and that nobody watches. */
void neighbours_tick(struct nexthop_table *t, uint64_t now);

/* ---- nexthop.c ---- */
/* What is known of n has changed: packets follow. */
void nexthop_neighbour_moved(const struct nexthop_table *t, const struct neighbour *n);
/* The kernel is asked for its route when its turn comes. */
void nexthop_examine_later(struct nexthop_table *t, struct destination *d);

#endif
