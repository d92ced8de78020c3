/* SPDX-License-Identifier: BSD-2-Clause */
/* program_cost INTERNAL EXTERNAL RUNS
 *
 * What Viaduct's program costs a packet, by BPF_PROG_TEST_RUN: the generator writes each packet's
 * head anew and hands it over by a tail call, to Viaduct's program and in turn to one that does
 * nothing. The difference of the medians is the cost. So sequence numbers advance and no packet is
 * met that was rewritten already. No packet waits for others, as that would take it past what is
 * measured. Prints one line of JSON: ns by case, and the
 * program's size. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "redirect.skel.h"
#include "relay.h"
#include "tool.h"
#include "traffic.h"

#define RUN_PACKETS    400000
#define RUNS_MAX       99
#define STREAMS_MANY   20000
#define PORT_NOT_MEDIA 5060
#define MEASURING_CPU  0

enum program { VIADUCT, REDIRECT };

static const struct stream_ports not_media = {PORT_NOT_MEDIA, PORT_NOT_MEDIA};
/* At the first stream's port, from another than the flow admits. */
static const struct stream_ports stranger = {TRAFFIC_PORT_MIN + 1, TRAFFIC_PORT_MIN};

/* ports: NULL for those of the streams. redirect_ns: of hit_ns, what any program pays that sends
 * frames on. */
static const struct measure {
	const char *name;
	unsigned streams;
	const struct stream_ports *ports;
	enum xdp_action expected;
	enum program program;
} measures[] = {
	{"hit_ns", 1, NULL, XDP_REDIRECT, VIADUCT},
	{"hit_1000_ns", 1000, NULL, XDP_REDIRECT, VIADUCT},
	{"hit_20000_ns", STREAMS_MANY, NULL, XDP_REDIRECT, VIADUCT},
	{"hit_100000_ns", TRAFFIC_STREAMS_MAX, NULL, XDP_REDIRECT, VIADUCT},
	{"miss_ns", 1, &not_media, XDP_PASS, VIADUCT},
	{"refused_ns", 1, &stranger, XDP_DROP, VIADUCT},
	{"redirect_ns", 1, NULL, XDP_REDIRECT, REDIRECT},
};

struct programs {
	int measured[2], nothing;
	unsigned ifindex;
};

static int attached_program(unsigned ifindex)
{
	uint32_t id;
	int err = bpf_xdp_query_id((int)ifindex, 0, &id);
	int fd;

	if (err)
		tool_fail(err, "cannot ask for the attached program");
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		tool_fail(fd, "cannot open program %u", id);
	return fd;
}

static double run(
	struct traffic *t, const struct programs *p, int program, enum xdp_action expected)
{
	traffic_set_measured(t, program);
	return traffic_time(t, RUN_PACKETS, p->ifindex, expected);
}

static double measure_cost(const struct measure *m, const struct programs *p, unsigned runs)
{
	const struct traffic_options options = {.shape = {.bytes = TRAFFIC_BYTES},
		.ports = m->ports,
		.streams = m->streams,
		.to_measured = true};
	int measured = p->measured[m->program];
	double with[RUNS_MAX], without[RUNS_MAX];
	static struct traffic t;

	traffic_open(&t, &options);
	traffic_set_cpus(&t, m->streams, MEASURING_CPU, 1);
	run(&t, p, measured, m->expected);
	for (unsigned i = 0; i < runs; i++) {
		without[i] = run(&t, p, p->nothing, XDP_PASS);
		with[i] = run(&t, p, measured, m->expected);
	}
	traffic_close(&t);
	return tool_median(with, runs) - tool_median(without, runs);
}

/* What the kernel made of the program. tests/bpf/test_size.c has the bounds. */
static void say_size(int program)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &len))
		tool_fail(-errno, "cannot ask for the program's size");
	printf(",\"bytes\":%u,\"compiled_bytes\":%u,\"verified_instructions\":%u",
		info.xlated_prog_len, info.jited_prog_len, info.verified_insns);
}

int main(int argc, char **argv)
{
	const unsigned count = sizeof(measures) / sizeof(*measures);
	static struct relay relay;
	struct relay_shape shape;
	uint32_t zero = 0, out;
	struct redirect_bpf *bpf;
	struct programs programs;
	unsigned runs;

	if (argc != 4)
		tool_fail(0, "INTERNAL EXTERNAL RUNS");
	runs = tool_number(argv[3], 1, RUNS_MAX);
	shape = (struct relay_shape){.internal_device = argv[1],
		.external_device = argv[2],
		.in = {.bytes = TRAFFIC_BYTES},
		.out = {.bytes = TRAFFIC_BYTES},
		.batching = BATCHING_OFF};
	relay_open(&relay, &shape, TRAFFIC_STREAMS_MAX);
	bpf = redirect_bpf__open_and_load();
	if (!bpf)
		tool_fail(-errno, "cannot load the empty program");
	programs.nothing = bpf_program__fd(bpf->progs.nothing);
	programs.ifindex = tool_device(argv[1]);
	programs.measured[VIADUCT] = attached_program(programs.ifindex);
	programs.measured[REDIRECT] = bpf_program__fd(bpf->progs.redirect);
	out = tool_device(argv[2]);
	if (bpf_map_update_elem(bpf_map__fd(bpf->maps.out), &zero, &out, BPF_ANY))
		tool_fail(-errno, "cannot direct to %s", argv[2]);
	tool_pin_to_cpu(MEASURING_CPU);

	for (unsigned i = 0; i < count; i++)
		printf("%s\"%s\":%.1f", i ? "," : "{", measures[i].name,
			measure_cost(&measures[i], &programs, runs));
	say_size(programs.measured[VIADUCT]);
	tool_say(",\"packets_a_run\":%u,\"runs\":%u}", RUN_PACKETS, runs);

	close(programs.measured[VIADUCT]);
	redirect_bpf__destroy(bpf);
	relay_close(&relay);
	return 0;
}
