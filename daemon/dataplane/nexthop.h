/* SPDX-License-Identifier: BSD-2-Clause */
/* Where packets to a remote leave: one destination entry, and one element of vd_nexthops, for each
 * {egress side, our source address, remote address}; behind it the neighbour that the route names.
 * Of several gateways the one that the kernel names is taken as long as it answers, then another.
 * The table is kept true by events; it asks the kernel only about destinations that are new and
 * about those that an event may have changed.
 *
 * Nothing of ours passes through the kernel's stack, so no traffic keeps a neighbour entry alive:
 * the table has the kernel confirm stale entries, look for missing ones (NTF_USE), and ask those
 * that flows lead to several times a second (reachability.h). */
#ifndef VIADUCT_DATAPLANE_NEXTHOP_H
#define VIADUCT_DATAPLANE_NEXTHOP_H

#include "dataplane/dataplane.h"

/* A side's device, and the one that routes name (its VLAN interface where there is one). */
struct egress {
	char device[16];
	unsigned ifindex;       /* 0 = gone */
	unsigned route_ifindex; /* of DEVICE.VLAN if it exists, else ifindex */
	uint32_t devmap_index;
	uint16_t vlan;
	uint8_t mac[6];
	uint32_t mtu; /* L3 bytes */
	bool up;
	bool no_carrier; /* not up: set up, but there is nothing at the other end */
};

#define ROUTE_OTHERS_MAX 7
/* What the kernel says about a route. */
struct route_answer {
	unsigned ifindex;
	struct addr gateway; /* family 0: on link */
	/* Of a multipath route: the other gateways over that device. */
	unsigned other_count;
	struct addr other[ROUTE_OTHERS_MAX];
};

enum neighbour_state {
	NEIGHBOUR_NONE,    /* no entry */
	NEIGHBOUR_LOOKING, /* incomplete: the kernel is asking */
	NEIGHBOUR_STALE,
	NEIGHBOUR_PROBED, /* it has a MAC address that the kernel asks, or is about to */
	NEIGHBOUR_VALID,  /* reachable, or permanent */
	NEIGHBOUR_FAILED,
};

/* How the table asks: rtnetlink, or a test. Nothing here waits for the network. */
struct nexthop_ops {
	void *ctx;
	/* The route from src to dst over the device, or over any (ifindex 0). 0, -ENETUNREACH and
	 * the like, -EADDRNOTAVAIL or -EINVAL where src is not on this machine, -EAGAIN to be asked
	 * again. */
	int (*route)(void *ctx, const struct addr *src, const struct addr *dst, unsigned ifindex,
		struct route_answer *out);
	/* Has the kernel use, and so resolve or confirm, a neighbour; makes the entry if need be.
	 */
	void (*neighbour_use)(void *ctx, unsigned ifindex, const struct addr *ip);
	/* Has the kernel ask everybody on the link who has that address, at once, whatever it
	 * believes. False: it does not, the entry is not its own finding. */
	bool (*neighbour_ask_anew)(void *ctx, unsigned ifindex, const struct addr *ip);
	/* Has the kernel ask the MAC address that it believes in, where it has one, whether it
	 * still has that address. False: it does not, the entry is not its own finding. */
	bool (*neighbour_confirm)(void *ctx, unsigned ifindex, const struct addr *ip);
	/* Has the kernel give it up as one that does not answer: what waits for it is refused, and
	 * of several IPv6 routers another one is taken (RFC 4861 6.3.6). Not where it is known to
	 * answer, or the entry is not the kernel's own finding. */
	void (*neighbour_fail)(void *ctx, unsigned ifindex, const struct addr *ip);
	/* Reads one entry. */
	enum neighbour_state (*neighbour_get)(
		void *ctx, unsigned ifindex, const struct addr *ip, uint8_t mac[6]);
};

struct nexthop_table;
struct destination;

/* array: vd_nexthops, count elements; element 0 stays invalid for flows that go nowhere. grace_ms:
 * before an element is used for another destination. */
int nexthop_table_new(struct nexthop_table **out, struct loop *loop, struct vd_nexthop *array,
	uint32_t count, uint32_t grace_ms, const struct nexthop_ops *ops);
void nexthop_table_free(struct nexthop_table *t);
/* Sets what is known of a side's device and re-examines what leaves by it. */
void nexthop_set_egress(struct nexthop_table *t, uint8_t side, const struct egress *egress);
const struct egress *nexthop_egress(const struct nexthop_table *t, uint8_t side);

/* One reference to the destination. 0, -ENOSPC when the table is full, -ENOMEM. */
int nexthop_get(struct nexthop_table *t, uint8_t side, const struct addr *src,
	const struct addr *dst, struct destination **out);
void nexthop_put(struct nexthop_table *t, struct destination *d);
uint32_t nexthop_index(const struct destination *d); /* in vd_nexthops */
void nexthop_path(
	const struct nexthop_table *t, const struct destination *d, struct dataplane_path *out);
/* Counts those in use, and shows the first of those that are not resolved. */
void nexthop_survey(const struct nexthop_table *t, struct dataplane_status *out);
/* What packets need of the device, and is not there: "device gone" …, NULL where it is up. */
const char *egress_why(const struct egress *e);

/* What a daemon before us left in the array. Right after the table was made: elements whose use[]
 * (by index) is not 0 have flows that lead there, and stay as they are until a destination takes
 * each one up or the adoption is done; all others are free. 0 or -ENOMEM. */
int nexthop_adoption_begin(struct nexthop_table *t, const uint8_t *use);
/* As nexthop_get; a destination that is new takes up the element at index where that is kept, and
 * packets go where it leads until the kernel has named route and neighbour. */
int nexthop_adopt(struct nexthop_table *t, uint8_t side, const struct addr *src,
	const struct addr *dst, uint32_t index, struct destination **out);
/* Gives up the elements that nobody took. */
void nexthop_adoption_done(struct nexthop_table *t);

/* Events. A route to net/prefix came, went or changed; prefix 0 with family 0: anything may have.
 */
void nexthop_route_changed(struct nexthop_table *t, const struct addr *net, unsigned prefix);
void nexthop_neighbour_changed(struct nexthop_table *t, unsigned ifindex, const struct addr *ip,
	enum neighbour_state state, const uint8_t mac[6]);
/* Packets come to local, an address of that side's, from source, and from a MAC address whose last
 * four bytes these are, as they lie in memory; moved: they came from another one before. Where that
 * is not what the neighbour has who leads to source, the kernel is made to ask. It alone says what
 * is true: whoever may send, or seem to, from that address moves nothing. */
void nexthop_came_from(struct nexthop_table *t, uint8_t side, const struct addr *local,
	const struct addr *source, uint32_t mac_end, bool moved);
/* Events were lost: ask about everything again. */
void nexthop_resync(struct nexthop_table *t);

#endif
