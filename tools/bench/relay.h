/* SPDX-License-Identifier: BSD-2-Clause */
/* Viaduct's data plane opened on the bench's wires, with a flow for each of the generator's
 * streams: the program, the maps and the code that fills them are the daemon's own. */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include "config/config.h"
#include "dataplane/dataplane.h"
#include "traffic.h"

struct relay {
	struct config config;
	struct loop *loop;
	struct dataplane *dataplane;
	dataplane_flow_id *flow;
	unsigned streams;
	uint64_t events; /* that the program reported */
};

/* Where it stands, and what frames come in and go out like. Tagged: a device DEVICE.VLAN beside
 * each is needed, a real one or one in its place that has the neighbours. */
struct relay_shape {
	char *internal_device, *external_device;
	struct traffic_shape in, out;
	enum batching_mode batching; /* whether packets wait for others */
};

/* Attaches to both devices, adds the flows and waits until their next hop is known. r must stay in
 * place. Exits on failure. */
void relay_open(struct relay *r, const struct relay_shape *shape, unsigned streams);
void relay_close(struct relay *r);

#endif
