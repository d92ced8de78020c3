/* SPDX-License-Identifier: BSD-2-Clause */
#include "relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/xdp_load.h"
#include "tool.h"
#include "traffic.h"

#define BPF_DIR         "/sys/fs/bpf"
#define DSCP_EF         46
#define PCMA_CLOCK_HZ   8000
#define TELEPHONE_EVENT 101
#define PORT_MAX        (TRAFFIC_PORT_MIN + 2 * TRAFFIC_PORTS - 1)
#define RESOLVE_MS      3000
#define BATCHED_MS      5000
#define ROOM            4 /* flows a stream, as the daemon has it: two media, each with RTCP */

/* The handlers have one signature each; all of them count. */
static void count_source(void *ctx, uint32_t cookie, const struct addr *source)
{
	(void)cookie, (void)source;
	((struct relay *)ctx)->events++;
}

static void count_ssrc(void *ctx, uint32_t cookie, uint32_t ssrc)
{
	(void)cookie, (void)ssrc;
	((struct relay *)ctx)->events++;
}

static void count_dtmf(void *ctx, uint32_t cookie, uint8_t event, uint16_t duration)
{
	(void)cookie, (void)event, (void)duration;
	((struct relay *)ctx)->events++;
}

static void count_rtcp(
	void *ctx, uint32_t cookie, const uint8_t *data, unsigned len, uint64_t time_ns)
{
	(void)cookie, (void)data, (void)len, (void)time_ns;
	((struct relay *)ctx)->events++;
}

static struct addr address(const char *text, unsigned port)
{
	struct addr a;

	if (addr_parse(&a, text, port))
		tool_fail(0, "'%s' is not an address", text);
	return a;
}

/* Our address that the stream comes to: they differ in the last byte. */
static struct addr internal_address(bool v6, unsigned stream)
{
	struct addr a = address(TRAFFIC_INTERNAL_ADDRESS(v6), traffic_port(stream));

	a.ip[v6 ? 15 : 3] += TRAFFIC_ADDRESSES_STEP * (stream / TRAFFIC_PORTS);
	return a;
}

static void side_fill(struct side_config *side, char *device, const struct traffic_shape *shape)
{
	side->device = device;
	side->vlan = shape->tagged ? GENERATOR_VLAN : 0;
	side->media_port_min = TRAFFIC_PORT_MIN;
	side->media_port_max = PORT_MAX;
	side->dscp = DSCP_EF;
}

static void side_add_address(struct side_config *side, struct addr a)
{
	struct side_address *new = &side->address[side->address_count++];

	a.port = 0;
	new->local = new->advertised = a;
}

static void config_fill(struct config *c, const struct relay_shape *shape, unsigned streams)
{
	static char bpf_dir[] = BPF_DIR, user[] = "", instance[32];
	struct side_config *internal = &c->side[SIDE_INTERNAL];
	struct side_config *external = &c->side[SIDE_EXTERNAL];

	snprintf(instance, sizeof(instance), "bench-%d", getpid());
	memset(c, 0, sizeof(*c));
	c->refs = 1;
	side_fill(internal, shape->internal_device, &shape->in);
	side_fill(external, shape->external_device, &shape->out);
	for (unsigned i = 0; i < streams; i += TRAFFIC_PORTS)
		side_add_address(internal, internal_address(shape->in.v6, i));
	side_add_address(external, address(TRAFFIC_EXTERNAL_ADDRESS(shape->out.v6), 0));
	c->batching = shape->batching;
	c->bpf_dir = bpf_dir;
	c->instance = instance;
	c->user = user;
}

static void flow_add(struct relay *r, const struct relay_shape *shape, unsigned stream)
{
	unsigned port = traffic_port(stream);
	struct dataplane_flow spec = {
		.in_side = SIDE_INTERNAL,
		.out_side = SIDE_EXTERNAL,
		.local = internal_address(shape->in.v6, stream),
		.remote = address(TRAFFIC_SOURCE_ADDRESS(shape->in.v6), port),
		.out_local = address(TRAFFIC_EXTERNAL_ADDRESS(shape->out.v6), port),
		.out_remote = address(TRAFFIC_DESTINATION_ADDRESS(shape->out.v6), port),
		.dscp = DSCP_EF,
		.clock_rate = PCMA_CLOCK_HZ,
		.te_pt = TELEPHONE_EVENT,
		.cookie = stream + 1,
	};
	int err = dataplane_flow_add(r->dataplane, &spec, &r->flow[stream]);

	if (err)
		tool_fail(err, "cannot add flow %u", stream);
}

/* Where packets wait for others, they do so from a moment after the start on. */
static void wait_batched(struct relay *r)
{
	uint64_t until = tool_now_ns() + BATCHED_MS * 1000000ull;
	struct dataplane_status status;

	if (r->config.batching == BATCHING_OFF ||
		(r->config.batching == BATCHING_AUTO && r->streams * ROOM < XDP_BATCHES_FROM))
		return;
	do {
		if (tool_now_ns() > until)
			tool_fail(0, "packets do not wait for others");
		loop_once(r->loop, 10);
		if (dataplane_status(r->dataplane, &status))
			tool_fail(0, "cannot read the status");
	} while (!status.device[SIDE_EXTERNAL].batched);
}

static void wait_resolved(struct relay *r)
{
	uint64_t until = tool_now_ns() + RESOLVE_MS * 1000000ull;
	struct dataplane_path path;

	for (;;) {
		if (!dataplane_flow_path(r->dataplane, r->flow[0], &path) && path.resolved)
			return;
		if (tool_now_ns() > until)
			tool_fail(0, "the flows' next hop is not resolved: %s",
				path.why ? path.why : "no path");
		loop_once(r->loop, 10);
	}
}

void relay_open(struct relay *r, const struct relay_shape *shape, unsigned streams)
{
	struct dataplane_handlers handlers = {
		.ctx = r,
		.first_packet = count_source,
		.latched = count_source,
		.ssrc_changed = count_ssrc,
		.dtmf = count_dtmf,
		.rtcp = count_rtcp,
	};
	int err;

	memset(r, 0, sizeof(*r));
	config_fill(&r->config, shape, streams);
	r->streams = streams;
	r->flow = calloc(streams, sizeof(*r->flow));
	if (!r->flow)
		tool_fail(-ENOMEM, "flows");
	err = loop_new(&r->loop);
	if (err)
		tool_fail(err, "event loop");
	err = dataplane_open(
		&r->dataplane, DATAPLANE_XDP, &r->config, streams * ROOM, r->loop, &handlers);
	if (err)
		tool_fail(err, "cannot open the data plane");
	for (unsigned i = 0; i < streams; i++)
		flow_add(r, shape, i);
	wait_resolved(r);
	wait_batched(r);
}

void relay_close(struct relay *r)
{
	dataplane_close(r->dataplane);
	loop_free(r->loop);
	free(r->flow);
}
