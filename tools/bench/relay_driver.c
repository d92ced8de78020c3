/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_driver INTERNAL EXTERNAL SHAPE_IN SHAPE_OUT STREAMS [waiting]
 *
 * Relays the generator's streams (shapes: see traffic.h) as the daemon would; waiting: packets wait
 * for others, however few streams there are. Each line read is answered by one line of JSON: how it
 * is attached, verdicts by reason (both sides together), the flows' statistics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay.h"
#include "tool.h"
#include "traffic.h"

struct driver {
	struct loop_fd input; /* first: the loop hands it back */
	struct relay relay;
};

static void counters_print(const struct dataplane_status *status)
{
	const char *comma = "";

	printf("\"counters\":{");
	for (unsigned reason = 0; reason < VD_REASON_MAX; reason++) {
		uint64_t packets = 0;

		for (unsigned side = 0; side < SIDE_COUNT; side++)
			packets += status->packets[side][reason];
		if (!packets)
			continue;
		printf("%s\"%s\":%llu", comma, dataplane_reason_name(reason),
			(unsigned long long)packets);
		comma = ",";
	}
	printf("}");
}

static void status_say(struct relay *r)
{
	struct dataplane_status status;
	struct dataplane_stats stats;
	unsigned long long packets = 0;
	long long lost = 0;
	int err = dataplane_status(r->dataplane, &status);

	if (err)
		tool_fail(err, "cannot read the status");
	for (unsigned i = 0; i < r->streams; i++) {
		if (dataplane_flow_stats(r->dataplane, r->flow[i], &stats))
			continue;
		packets += stats.packets;
		lost += stats.lost;
	}
	printf("{\"mode\":\"%s\",\"attached\":\"%s\",\"flows\":%u,\"memory_bytes\":%llu,"
	       "\"events\":%llu,\"events_lost\":%llu,\"packets\":%llu,\"lost\":%lld,",
		status.device[SIDE_INTERNAL].mode, status.device[SIDE_INTERNAL].attached,
		status.flows, (unsigned long long)status.memory_bytes,
		(unsigned long long)r->events, (unsigned long long)status.events_lost, packets,
		lost);
	counters_print(&status);
	tool_say("}");
}

static void input_ready(struct loop_fd *input, uint32_t epoll_events)
{
	struct driver *d = (struct driver *)input;
	char line[64];

	(void)epoll_events;
	if (read(input->fd, line, sizeof(line)) > 0)
		status_say(&d->relay);
	else
		loop_stop(d->relay.loop);
}

int main(int argc, char **argv)
{
	static struct driver d;
	struct relay_shape shape;
	int err;

	if (argc < 6 || argc > 7 || (argc == 7 && strcmp(argv[6], "waiting") != 0))
		tool_fail(0, "INTERNAL EXTERNAL SHAPE_IN SHAPE_OUT STREAMS [waiting]");
	shape = (struct relay_shape){.internal_device = argv[1],
		.external_device = argv[2],
		.in = traffic_shape_parse(argv[3]),
		.out = traffic_shape_parse(argv[4]),
		.batching = argc == 7 ? BATCHING_ON : BATCHING_AUTO};
	relay_open(&d.relay, &shape, tool_number(argv[5], 1, TRAFFIC_STREAMS_MAX));
	d.input.fd = STDIN_FILENO;
	d.input.ready = input_ready;
	err = loop_fd_add(d.relay.loop, &d.input, EPOLLIN);
	if (err)
		tool_fail(err, "cannot watch standard input");
	tool_say("ready");
	err = loop_run(d.relay.loop);
	if (err)
		tool_fail(err, "event loop");
	relay_close(&d.relay);
	return 0;
}
