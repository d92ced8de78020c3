/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this room share: sessions, streams, the exchange in progress. Private. */
#ifndef VIADUCT_MEDIA_ROOM_H
#define VIADUCT_MEDIA_ROOM_H

#include <limits.h>

#include "media/bandwidth.h"
#include "media/media.h"
#include "media/payload.h"
#include "media/port_pool.h"
#include "media/rtcp.h"
#include "media/samples.h"
#include "media/sdp.h"

#define LEG_COUNT 2

enum component { COMPONENT_RTP, COMPONENT_RTCP };
#define COMPONENT_COUNT 2

/* Flows that a stream can need at most: one direction of one component each. */
#define FLOWS_A_STREAM (LEG_COUNT * COMPONENT_COUNT)
#define POOLS_MAX      (4 * SIDE_COUNT * CONFIG_SIDE_ADDRESSES_MAX)

/* Cookies of flows: slot (20 bits), its generation (7), stream (3), leg (1), component (1). */
#define STREAM_SLOTS_MAX (1u << 20)
#define GENERATIONS      128u
#define SLOT_NONE        UINT_MAX

/* What one leg said of one stream. */
struct said {
	struct addr remote[COMPONENT_COUNT]; /* family 0 = not known */
	bool send, recv;
};

/* A stream as negotiated. */
struct negotiated {
	bool active;
	bool opaque; /* udptl */
	bool mux;
	bool secure;
	bool profiles_differ; /* one leg's is secure, the other's is not */
	char kind[16], proto[32], codec[40];
	uint32_t clock_rate;
	struct said said[LEG_COUNT];
	uint8_t telephone_event[LEG_COUNT]; /* number as received from that leg */
	struct payload_map map[LEG_COUNT];  /* of packets received from that leg */
	struct media_rate rate;
};

struct stream {
	struct negotiated now;
	struct {
		struct port_pool *pool; /* NULL = no ports */
		uint16_t port;          /* RTP's; RTCP's is one above */
	} local[LEG_COUNT];
	bool reserved; /* its flows are counted in flows_reserved */
	dataplane_flow_id flow[LEG_COUNT][COMPONENT_COUNT]; /* of packets received from that leg */
	struct addr latched[LEG_COUNT][COMPONENT_COUNT];
	struct addr
		refused[LEG_COUNT]; /* where RTP came from that was not admitted; family 0 = none */
	struct rtcp_leg rtcp[LEG_COUNT];
	struct samples samples[LEG_COUNT]; /* of what was received from that leg */
	unsigned dtmf[LEG_COUNT];          /* telephone-events */
	struct counted *before;            /* while it is adopted, else NULL */
};

/* What the daemon before had read of a stream's flows. */
struct counted {
	struct dataplane_stats all[LEG_COUNT][COMPONENT_COUNT];
	struct dataplane_stats earlier[LEG_COUNT][COMPONENT_COUNT]; /* not in the tables */
};

/* One m-line of the pending offer. */
struct offered {
	bool accepted; /* we relay it, and it was not offered with port 0 */
	bool opaque, mux, secure, savp;
	char kind[16];
	enum sdp_direction direction;
	struct said said;
	struct payload *payload; /* those that passed the codec lists */
	unsigned payload_count;
	unsigned ptime;         /* ms, 0 = it does not say */
	struct media_rate rate; /* the most that it can come to */
};

/* An offer and what came of it so far (RFC 3264). */
struct negotiation {
	enum leg from;
	bool by_us;    /* nobody's offer but ours: its answer becomes an offer to leg `from` */
	bool shown;    /* written for the other leg, as it is now */
	bool answered; /* by an early answer at least */
	bool bypass;   /* SDP crosses as it is */
	unsigned count;
	struct offered offered[MEDIA_STREAMS_MAX];
	char *text[LEG_COUNT]; /* SDP as each leg sent it, NULL = nothing yet */
	/* What was in force before the first early answer. */
	unsigned before_count;
	struct negotiated *before;
};

struct resting;

struct media_session {
	struct media *media;
	void *owner;
	unsigned slot;
	uint8_t generation;
	bool started, timed_out, urgent;
	bool spare;          /* not the owner's yet: what it takes is not reported */
	bool bypassed;       /* by the last negotiation that succeeded */
	bool adopting;       /* flows may be there already */
	uint64_t changed_ms; /* when the watchdog's expectations last changed */
	uint64_t told_ms;    /* when the owner was last told of what is measured */
	bool is_measured;    /* something was, since then */
	const struct peer_config *peer[LEG_COUNT];
	struct {
		uint64_t id, version; /* of o= */
		char *last;           /* SDP */
		size_t last_len;
	} sdp[LEG_COUNT];
	char *heard[LEG_COUNT]; /* SDP as it came, of the last negotiation that succeeded */
	unsigned count;
	struct stream *stream[MEDIA_STREAMS_MAX]; /* NULL = never had media */
	struct negotiation *exchange;             /* NULL = none pending */
};

struct slot {
	struct media_session *session;
	uint8_t generation;
	unsigned next_free, prev_free;
};

struct media {
	struct loop *loop;
	struct dataplane *dataplane;
	struct media_handlers handlers;
	uint64_t (*now_ms)(const struct media *m); /* the loop's clock; tests put their own */
	struct port_pool *pool[POOLS_MAX];
	unsigned pool_count;
	uint64_t quarantine_ms;
	struct resting *resting; /* NULL: quarantine ends with the daemon */
	uint8_t dscp[SIDE_COUNT];
	struct bandwidth_defaults bandwidth;
	unsigned flows_max, flows_reserved;
	struct slot *slot;
	unsigned slot_count, slot_free;
	unsigned session_count, started_count;
	bool leaving; /* what is freed stays in the kernel */
	unsigned sessions_adopted, flows_adopted, flows_added, flows_removed; /* at the start */
	struct sdp *scratch;                     /* parsing is never nested */
	char unsupported[MEDIA_UNSUPPORTED_MAX]; /* why nothing of that one could be used */
	struct loop_timer watchdog;
	unsigned watchdog_next;
};

/* The pool of ports for SDP written to that peer, of the family wanted (4, 6) where the side has
 * it, else of the peer's own. NULL if there is none. */
struct port_pool *media_pool_for(
	const struct media *m, const struct peer_config *peer, uint8_t family);

/* The pool of that address of ours; one that is in no configuration gets one without a range. 0,
 * -ENOSPC or -ENOMEM. */
int media_pool_of(
	struct media *m, unsigned side, const struct side_address *address, struct port_pool **out);
/* NULL where that address has none. */
struct port_pool *media_find_pool(const struct media *m, unsigned side, const struct addr *local);
/* Pools of addresses that went, once nothing of them is in use. */
void media_drop_empty_pools(struct media *m);
/* Tells the owner that something to be saved has changed. */
void media_changed(const struct media_session *s);
/* As media_session_new, with that slot and generation. -EEXIST: the slot is in use. */
int media_session_new_at(struct media *m, unsigned slot, uint8_t generation, void *owner,
	const struct peer_config *peer_a, const struct peer_config *peer_b,
	struct media_session **out);
/* What the data plane calls. */
struct dataplane_handlers media_dataplane_handlers(struct media *m);
uint32_t cookie_make(
	const struct media_session *s, unsigned stream, enum leg leg, enum component component);

#endif
