/* SPDX-License-Identifier: BSD-2-Clause */
/* A data plane on the null engine: its tables are the real engine's, in plain memory. */
#ifndef TEST_DATAPLANE_WORLD_H
#define TEST_DATAPLANE_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "dataplane/engine.h"
#include "dataplane/flow_encode.h"

#define CAPACITY 64

struct world {
	struct loop *loop;
	struct dataplane *dp;
	struct config cfg;
	unsigned firsts, dtmfs;
	uint32_t cookie;
};

static struct addr address(const char *text, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, port), 0);
	return a;
}

static void on_first_packet(void *ctx, uint32_t cookie, const struct addr *source)
{
	struct world *w = ctx;

	(void)source;
	w->firsts++;
	w->cookie = cookie;
}

static void on_dtmf(void *ctx, uint32_t cookie, uint8_t event, uint16_t duration)
{
	struct world *w = ctx;

	assert_int_equal(event, 5);
	assert_int_equal(duration, 800);
	w->dtmfs++;
	w->cookie = cookie;
}

static inline int open_dataplane(struct world *w, unsigned capacity)
{
	const struct dataplane_handlers handlers = {
		.ctx = w, .first_packet = on_first_packet, .dtmf = on_dtmf};

	return dataplane_open(&w->dp, DATAPLANE_NULL, &w->cfg, capacity, w->loop, &handlers);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	static char devices[SIDE_COUNT][8] = {"int0", "ext0"};

	assert_non_null(w);
	for (unsigned s = 0; s < SIDE_COUNT; s++) {
		w->cfg.side[s].device = devices[s];
		w->cfg.side[s].media_port_min = 20000;
		w->cfg.side[s].media_port_max = 20999;
		w->cfg.side[s].address[0].local = address(s ? "192.0.2.1" : "10.0.0.1", 0);
		w->cfg.side[s].address[1].local = address(s ? "2001:db8::1" : "fd00::1", 0);
		w->cfg.side[s].address_count = 2;
	}
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(open_dataplane(w, CAPACITY), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	dataplane_close(w->dp);
	loop_free(w->loop);
	free(w);
	return 0;
}

static inline struct dataplane_flow flow(uint16_t port)
{
	return (struct dataplane_flow){
		.out_side = 1,
		.local = address("10.0.0.1", port),
		.remote = address("10.0.0.2", 4000),
		.out_local = address("192.0.2.1", port),
		.out_remote = address("192.0.2.9", 5000),
		.te_pt = 0xff,
		.cookie = port,
	};
}

/* The element of vd_flows that packets to the port find now, NULL if none. */
static inline const struct vd_flow *published(const struct world *w, const char *ip, uint16_t port)
{
	struct addr a = address(ip, port);
	const struct null_memory *memory = &w->dp->null;
	const struct vd_flow *flow;
	struct vd_locals locals;
	uint8_t mapped[16], exit;
	uint32_t at;

	flow_map_address(mapped, &a);
	locals_encode(&w->dp->locals, &locals);
	for (unsigned i = 0; i < locals.count; i++) {
		const struct vd_local *l = &locals.local[i];

		if (!l->ifindex || memcmp(l->addr, mapped, 16) || port < l->port_min ||
			port > l->port_max)
			continue;
		at = l->port_base + port - l->port_min;
		exit = locals_exit(&w->dp->locals, at);
		if (!memory->ports[at].flow) {
			assert_int_equal(exit, 0);
			return NULL;
		}
		flow = &memory->flows[memory->ports[at].flow];
		assert_int_equal(exit, flow->flags & VD_FLOW_BLACKHOLE
					       ? 0
					       : memory->nexthops[flow->nexthop].device + 1);
		return flow;
	}
	return NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
