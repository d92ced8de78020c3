/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two engines give the rest of the room: memory in the shape of the kernel's maps, and
 * someone to ask about next hops. */
#ifndef VIADUCT_DATAPLANE_ENGINE_H
#define VIADUCT_DATAPLANE_ENGINE_H

#include "dataplane/batching.h"
#include "dataplane/driver_loss.h"
#include "dataplane/events.h"
#include "dataplane/flow_table.h"
#include "dataplane/locals.h"
#include "dataplane/nexthop.h"
#include "dataplane/recent.h"
#include "dataplane/rtnetlink.h"
#include "dataplane/xdp_load.h"

struct null_flow_stats;

struct engine_sizes {
	uint32_t flows, ports, nexthops;
	unsigned capacity;
};

struct dataplane {
	enum dataplane_engine engine;
	struct loop *loop;
	struct locals locals;
	struct nexthop_table *nexthops;
	struct flow_table *flows;
	struct loop_timer drain; /* runs while a reload has something left to retire */
	char device[SIDE_COUNT][16];
	uint16_t vlan[SIDE_COUNT];
	/* An earlier daemon's tables were found: until dataplane_adoption_done(). */
	bool adopting;
	struct vd_locals left; /* as they were found */
	/* The XDP engine's. */
	struct xdp xdp;
	struct loop_timer take_up; /* runs while a device that came back is not in use again */
	bool take_up_side[SIDE_COUNT];
	struct rtnetlink *rtnetlink;
	struct batching batching;
	struct events *events;
	struct driver_loss *loss; /* NULL where the kernel does not tell */
	struct recent *recent;
	/* The null engine's. */
	struct null_memory {
		struct vd_flow *flows;
		struct vd_port *ports;
		struct vd_exits *exits;
		struct vd_nexthop *nexthops;
		struct null_flow_stats *stats; /* set by tests */
		unsigned stats_count;
	} null;
	char *instance;
	struct engine_sizes sizes; /* in force */
};

/* What becomes of what the kernel holds. */
enum dataplane_end {
	END_CLOSE,   /* all of it goes */
	END_LEAVE,   /* it stays */
	END_ABANDON, /* a start that failed: what we made goes, what an earlier daemon left stays */
};

/* Each fills nexthops, flows and what locals needs, of dp->sizes or, where an earlier daemon's
 * tables are found (dp->adopting and dp->left say so), of theirs. On failure the caller closes what
 * there is; the end functions come after flows and nexthops were freed. */
int null_open(struct dataplane *dp, const struct config *cfg);
void null_end(struct dataplane *dp, enum dataplane_end how);
/* Before flows are freed: what a test set stays with the flow that has that cookie. */
void null_leave_stats(struct dataplane *dp);
void null_adopted(struct dataplane *dp, dataplane_flow_id id);
/* What a test set for the flow: 0, -ENOENT if nothing. */
int null_stats(const struct dataplane *dp, dataplane_flow_id id, struct dataplane_stats *out);

int xdp_engine_open(
	struct dataplane *dp, const struct config *cfg, const struct dataplane_handlers *handlers);
void xdp_engine_end(struct dataplane *dp, enum dataplane_end how);
int xdp_engine_remove(const struct config *cfg);
/* From here on packets come to our program, if no other layout's tables serve; then from
 * xdp_engine_replace() on. */
int xdp_engine_attach(struct dataplane *dp);
void xdp_engine_replace(struct dataplane *dp);
int xdp_engine_status(struct dataplane *dp, struct dataplane_status *out);
/* Shows the program the locals as they are now. */
int xdp_engine_publish_locals(struct dataplane *dp);

#endif
