/* SPDX-License-Identifier: BSD-2-Clause */
/* The data plane as the media room sees it: flows that the kernel forwards, what it measured, what
 * it noticed. Two engines: the real one (XDP), and a null one in memory for tests without root. */
#ifndef VIADUCT_DATAPLANE_DATAPLANE_H
#define VIADUCT_DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "config/config.h"
#include "viaduct_xdp.h"

struct dataplane;

enum dataplane_engine { DATAPLANE_XDP, DATAPLANE_NULL };

/* Called from the loop. cookie is the flow's. */
struct dataplane_handlers {
	void *ctx;
	void (*first_packet)(void *ctx, uint32_t cookie, const struct addr *source);
	void (*latched)(void *ctx, uint32_t cookie, const struct addr *source);
	/* Packets are dropped that do not come from the admitted source: one of the last of them.
	 */
	void (*refused)(void *ctx, uint32_t cookie, const struct addr *source);
	void (*ssrc_changed)(void *ctx, uint32_t cookie, uint32_t ssrc);
	/* event: RFC 4733 code, 0-15 = 0-9 * # A-D; duration in RTP timestamp units. */
	void (*dtmf)(void *ctx, uint32_t cookie, uint8_t event, uint16_t duration);
	/* The head of an RTCP packet (up to VD_EVENT_RTCP_BYTES); time_ns CLOCK_MONOTONIC. */
	void (*rtcp)(
		void *ctx, uint32_t cookie, const uint8_t *data, unsigned len, uint64_t time_ns);
};

/* Loads, attaches to both sides' devices, maps. capacity_flows: as many flows (one direction of one
 * component each) as can ever be asked for: the maps are sized for it. Errors are logged with
 * their cause. 0 or -errno. */
int dataplane_open(struct dataplane **out, enum dataplane_engine engine, const struct config *cfg,
	unsigned capacity_flows, struct loop *loop, const struct dataplane_handlers *handlers);
/* Detaches, unpins and frees everything. */
void dataplane_close(struct dataplane *dp);
/* Frees what is ours and leaves program, maps and flows in the kernel, where media go on; the next
 * dataplane_open of the same instance finds them. (The null engine keeps them in memory.) */
void dataplane_leave(struct dataplane *dp);
/* Whether an earlier daemon left something that is not adopted yet: until dataplane_adoption_done.
 */
bool dataplane_is_adopting(const struct dataplane *dp);
/* Detaches and unpins what a daemon of that configuration left, without starting one. 0; -EBUSY
 * where one runs; -errno. Errors are logged. */
int dataplane_remove(const struct config *cfg);
/* Takes up a reloaded configuration's addresses, port ranges and VLANs. Flows in use keep working:
 * an address or range that is gone stays open to them alone until the last one is deleted.
 * -ENOSPC, with everything as before, when the maps have no room for the new ranges. */
int dataplane_reload(struct dataplane *dp, const struct config *cfg);

/* One direction of one component of a stream: packets from remote to local leave from out_local to
 * out_remote. */
struct dataplane_flow {
	uint8_t in_side, out_side;
	struct addr local;  /* where they arrive: an address of in_side's, a port of its range */
	struct addr remote; /* expected source; family 0: not known yet, nothing is admitted unless
			     * latch */
	struct addr out_local;
	struct addr out_remote; /* family 0, or blackhole: counted as held, not sent */
	bool latch;
	unsigned latch_prefix; /* bits of remote's address that must agree (its own family's) */
	bool rtcp;             /* RTCP alone */
	bool mux;              /* RTP and RTCP on this port */
	bool opaque;           /* not RTP: udptl and unknown */
	bool secure;           /* SRTP passing through */
	bool blackhole;
	uint8_t dscp;
	uint32_t clock_rate; /* Hz, 0 = no jitter */
	uint8_t te_pt;       /* telephone-event's payload type as received, 0xff = none */
	uint8_t pt_from[VD_PT_MAP_MAX], pt_to[VD_PT_MAP_MAX];
	unsigned pt_count;
	uint32_t cookie;
	uint32_t rtcp_flow; /* mux here, not muxed on the other leg: id of the flow RTCP takes (one
			     * added with unindexed), else 0 */
	bool unindexed;     /* reached through another flow's rtcp_flow alone, not by port */
};

typedef uint32_t dataplane_flow_id; /* 0 = none */

/* Makes it live, whole. 0; -EINVAL where spec contradicts itself (families of out_local and
 * out_remote, of local and remote; an rtcp_flow that is none); -ENOSPC when the table is full;
 * -ENOENT when local is not one of ours; -EEXIST when the local port has a flow already. A next hop
 * that is not resolved yet is no error: see dataplane_flow_path. */
int dataplane_flow_add(
	struct dataplane *dp, const struct dataplane_flow *spec, dataplane_flow_id *id);
/* Replaces it whole, atomically; local, in_side and the statistics stay. A latched source is kept
 * where remote and the latch settings are unchanged, reopened otherwise. id stays valid. Errors as
 * dataplane_flow_add; the flow is as before then. Delete a flow before the one that it names as
 * rtcp_flow. */
int dataplane_flow_update(
	struct dataplane *dp, dataplane_flow_id id, const struct dataplane_flow *spec);
void dataplane_flow_del(struct dataplane *dp, dataplane_flow_id id);

/* As dataplane_flow_add, of a flow that had latched onto source (family 0: it had not) in tables
 * that are not ours to read: from its first packet on it admits that one alone. Where spec does not
 * let it latch there, its latch is open. */
int dataplane_flow_add_latched(struct dataplane *dp, const struct dataplane_flow *spec,
	const struct addr *source, dataplane_flow_id *id);
/* Adoption of what an earlier daemon left, killed or by dataplane_leave(). From dataplane_open on
 * its flows go on as they were; each is taken over by what is known of it, the rest is removed. */

/* As dataplane_flow_add, for the flow that the kernel has at spec->local (an unindexed one: behind
 * the flow whose rtcp_flow it is; it is adopted before that one, as it is added before it) with
 * spec->cookie: it is taken over in place, with its statistics and its latch, and what packets see
 * does not change where spec says what it said before. dataplane_flow_stats tells onto whom it
 * latched meanwhile. -ENOENT: the kernel has no such flow. Errors else as dataplane_flow_update. */
int dataplane_flow_adopt(
	struct dataplane *dp, const struct dataplane_flow *spec, dataplane_flow_id *id);
/* The flows that nobody adopted are removed; returns how many. To be called once after
 * dataplane_open, before the loop runs and before the first flow of a new call. */
unsigned dataplane_adoption_done(struct dataplane *dp);

/* What was received on a flow so far, since it was added. */
struct dataplane_stats {
	uint64_t packets, bytes; /* RTP (or opaque), UDP payload bytes */
	uint64_t rtcp_packets;
	uint64_t expected; /* RFC 3550 A.3 */
	int64_t lost;      /* expected - packets; negative with duplicates */
	uint64_t out_of_order;
	uint32_t ssrc, ssrc_changes;
	uint32_t jitter;           /* RTP timestamp units */
	uint64_t last_seen_ms_ago; /* UINT64_MAX = never */
	uint64_t dropped_source;
	struct addr latched; /* family 0 = not latched */
};
/* A read of mapped memory: no system call. 0 or -ENOENT. */
int dataplane_flow_stats(
	const struct dataplane *dp, dataplane_flow_id id, struct dataplane_stats *out);

/* What a flow had counted in tables that are not ours to read is in its statistics from now on;
 * latched says nothing. 0, -ENOENT or -ENOMEM. */
int dataplane_flow_count_on(
	struct dataplane *dp, dataplane_flow_id id, const struct dataplane_stats *earlier);
/* That, and what it counted before its latch was opened anew: all that the next daemon does not
 * find in the tables. -ENOENT: nothing. */
int dataplane_flow_earlier(
	const struct dataplane *dp, dataplane_flow_id id, struct dataplane_stats *out);

/* Where a flow's packets leave. */
struct dataplane_path {
	char device[16];
	uint8_t dmac[6], smac[6];
	uint16_t vlan;
	uint32_t mtu;        /* bytes of an IP packet that the device takes; 0 = not known */
	struct addr gateway; /* the neighbour asked for: a router's or the peer's own */
	bool resolved;
	const char *why; /* where not resolved: "no route", "no neighbour", "device down" … */
	/* What the network changed about it last: "another gateway", "no route" … */
	const char *change;    /* NULL = nothing since it is in use */
	const char *change_of; /* where it was resolved again: why it was not; else NULL */
	uint64_t changed_ms_ago;
};
int dataplane_flow_path(
	const struct dataplane *dp, dataplane_flow_id id, struct dataplane_path *out);
/* The flow as it is programmed now. */
const struct dataplane_flow *dataplane_flow_get(const struct dataplane *dp, dataplane_flow_id id);

struct dataplane_device_status {
	char name[16];
	uint8_t side;
	unsigned ifindex;
	const char *mode;     /* "native", "generic", "offload", "none" */
	const char *attached; /* "libxdp dispatcher", "link", "none" */
	bool up;
	bool batched;    /* packets that leave by it wait for others: see struct vd_batch */
	const char *why; /* no media passes there: "device gone", "no carrier" …; NULL: it does */
	/* Packets sent on by it that its driver lost, since the start and within the window. */
	bool losses_counted; /* the kernel tells */
	uint64_t lost, lost_lately;
	int lost_error; /* errno of the last such loss that had one: it takes none; 0 = no room */
};
#define DATAPLANE_LOSS_WINDOW_MS 3000
/* A next hop in use that packets cannot take. */
struct dataplane_unresolved {
	uint8_t side;
	struct addr to, gateway; /* gateway: family 0 where no route names one */
	const char *why;
	uint64_t since_ms; /* UINT64_MAX = ever since it is in use */
};
#define DATAPLANE_UNRESOLVED_SHOWN 8
/* A gateway of a multipath route whose packets take another one. */
struct dataplane_gateway_left {
	uint8_t side;
	struct addr gateway;
	const char *why;
};
#define DATAPLANE_GATEWAYS_SHOWN 8
/* What the network changed last about a next hop in use, as in struct dataplane_path. */
struct dataplane_last_change {
	uint8_t side;
	struct addr to;
	const char *change, *change_of; /* change NULL: nothing */
	uint64_t ms_ago;
};
struct dataplane_status {
	struct dataplane_device_status device[SIDE_COUNT];
	uint64_t packets[SIDE_COUNT][VD_REASON_MAX];
	uint64_t bytes[SIDE_COUNT][VD_REASON_MAX];
	uint64_t lately[SIDE_COUNT][VD_REASON_MAX]; /* of the packets, within the window above */
	uint64_t events_lost;
	unsigned flows, flows_max;
	unsigned nexthops, nexthops_unresolved;
	uint64_t nexthops_asked; /* as packets came from another MAC address than one has */
	struct dataplane_unresolved unresolved[DATAPLANE_UNRESOLVED_SHOWN]; /* the first of them */
	struct dataplane_last_change last_change;
	unsigned gateways_left;
	struct dataplane_gateway_left left[DATAPLANE_GATEWAYS_SHOWN]; /* the first of them */
	uint64_t memory_bytes; /* of all maps, from the kernel */
};
int dataplane_status(struct dataplane *dp, struct dataplane_status *out);
/* For how many flows its tables have room: those of the daemon before may have another size than
 * dataplane_open() was asked for. */
unsigned dataplane_flows_max(const struct dataplane *dp);
const char *dataplane_reason_name(unsigned reason); /* "drop_no_flow": as in VD_REASONS */
const char *dataplane_reason_text(unsigned reason);
const char *dataplane_reason_verdict(unsigned reason); /* "TX", "PASS", "DROP" */

/* Null engine only: stands in for the kernel in tests. */
void dataplane_null_set_stats(
	struct dataplane *dp, dataplane_flow_id id, const struct dataplane_stats *stats);
/* Finds the live flow of a local address, NULL if none (null engine). */
const struct dataplane_flow *dataplane_null_find(
	struct dataplane *dp, uint8_t side, const struct addr *local);

#endif
