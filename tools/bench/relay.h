/* SPDX-License-Identifier: BSD-2-Clause */
/* Viaduct's data plane opened on the bench's wires, with a flow for each of the generator's
 * streams: the program, the maps and the code that fills them are the daemon's own. */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include "config/config.h"
#include "dataplane/dataplane.h"

struct relay {
	struct config config;
	struct loop *loop;
	struct dataplane *dataplane;
	dataplane_flow_id *flow;
	unsigned streams;
	uint64_t events; /* that the program reported */
};

/* Attaches to both devices, adds the flows and waits until their next hop is known. r must stay in
 * place. Exits on failure. */
void relay_open(struct relay *r, char *internal_device, char *external_device, unsigned streams);
void relay_close(struct relay *r);

#endif
