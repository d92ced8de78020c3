/* SPDX-License-Identifier: BSD-2-Clause */
/* sink DEVICE SHAPE: counts and drops the RTP that reaches DEVICE in frames of SHAPE. Each line
 * read is answered by one line of JSON: the counts so far, or for the line "latencies" how many
 * packets were under way for how long: {"NS":PACKETS,...}, each step of time by its middle. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"
#include "sink.skel.h"
#include "tool.h"
#include "traffic.h"

static void *percpu_new(size_t bytes)
{
	void *percpu = calloc(libbpf_num_possible_cpus(), bytes);

	if (!percpu)
		tool_fail(-ENOMEM, "cannot read the counts");
	return percpu;
}

static void percpu_read(const struct bpf_map *map, uint32_t index, void *percpu)
{
	int err = bpf_map_lookup_elem(bpf_map__fd(map), &index, percpu);

	if (err)
		tool_fail(err, "cannot read the counts");
}

static void counts_say(struct sink_bpf *bpf)
{
	struct sink_counts sum = {0}, *percpu = percpu_new(sizeof(*percpu));

	percpu_read(bpf->maps.counts, 0, percpu);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		sum.packets += percpu[i].packets;
		sum.bytes += percpu[i].bytes;
		sum.checked += percpu[i].checked;
		sum.bad += percpu[i].bad;
		sum.addressed += percpu[i].addressed;
	}
	free(percpu);
	tool_say("{\"packets\":%llu,\"bytes\":%llu,\"checked\":%llu,\"bad\":%llu,\"addressed\":%"
		 "llu}",
		sum.packets, sum.bytes, sum.checked, sum.bad, sum.addressed);
}

/* The middle of a step, ns. */
static double bucket_ns(uint32_t bucket)
{
	double power = (double)(1ull << bucket / SINK_STEPS);

	return power * (1 + (bucket % SINK_STEPS + 0.5) / SINK_STEPS);
}

static void latencies_say(struct sink_bpf *bpf)
{
	__u64 *percpu = percpu_new(sizeof(*percpu));
	const char *comma = "";

	printf("{");
	for (uint32_t bucket = 0; bucket < SINK_BUCKETS; bucket++) {
		__u64 sum = 0;

		percpu_read(bpf->maps.latencies, bucket, percpu);
		for (int i = 0; i < libbpf_num_possible_cpus(); i++)
			sum += percpu[i];
		if (!sum)
			continue;
		printf("%s\"%.1f\":%llu", comma, bucket_ns(bucket), sum);
		comma = ",";
	}
	free(percpu);
	tool_say("}");
}

static void expect_shape(struct sink_bpf *bpf, const struct traffic_shape *shape)
{
	uint32_t address[4] = {0};

	inet_pton(shape->v6 ? AF_INET6 : AF_INET,
		shape->back ? TRAFFIC_SOURCE_ADDRESS(shape->v6)
			    : TRAFFIC_DESTINATION_ADDRESS(shape->v6),
		shape->v6 ? address : address + 3);
	memcpy((void *)bpf->rodata->own_address, address, sizeof(address));
	bpf->rodata->v6 = shape->v6;
	bpf->rodata->ip_at = ETH_HLEN + (shape->tagged ? GENERATOR_TAG_BYTES : 0);
	bpf->rodata->udp_bytes = sizeof(struct udphdr) + traffic_media_bytes(shape);
}

int main(int argc, char **argv)
{
	struct traffic_shape shape;
	struct bpf_link *link;
	struct sink_bpf *bpf;
	char line[64];

	if (argc != 3)
		tool_fail(0, "DEVICE SHAPE");
	shape = traffic_shape_parse(argv[2]);
	bpf = sink_bpf__open();
	if (!bpf)
		tool_fail(-errno, "cannot open the program");
	expect_shape(bpf, &shape);
	if (sink_bpf__load(bpf))
		tool_fail(-errno, "cannot load the program");
	link = bpf_program__attach_xdp(bpf->progs.sink, tool_device(argv[1]));
	if (!link)
		tool_fail(-errno, "cannot attach to %s", argv[1]);
	tool_say("ready");
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "latencies\n") == 0)
			latencies_say(bpf);
		else
			counts_say(bpf);
	}
	bpf_link__destroy(link);
	sink_bpf__destroy(bpf);
	return 0;
}
