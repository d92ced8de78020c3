/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring buffer of what the program noticed, from the loop to the handlers. */
#ifndef VIADUCT_DATAPLANE_EVENTS_H
#define VIADUCT_DATAPLANE_EVENTS_H

#include "dataplane/flow_table.h"

struct events;

/* map_fd: vd_events. 0 or -errno. */
int events_open(struct events **out, struct loop *loop, int map_fd, const struct flow_table *flows,
	const struct dataplane_handlers *handlers);
void events_close(struct events *ev);
/* One record of size bytes, as the ring buffer holds it. What is malformed, or about a flow that
 * is gone, is left out. */
void events_deliver(const struct flow_table *flows, const struct dataplane_handlers *handlers,
	const struct vd_event *event, size_t size);

#endif
