/* SPDX-License-Identifier: BSD-2-Clause */
/* program_cost INTERNAL EXTERNAL RUNS
 *
 * What Viaduct's program costs a packet, by BPF_PROG_TEST_RUN: the generator writes each packet's
 * head anew and hands it over by a tail call, to Viaduct's program and in turn to one that does
 * nothing. The difference of the medians is the cost. So sequence numbers advance and no packet is
 * met that was rewritten already. Prints one line of JSON: ns by case. */
#include <arpa/inet.h>
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

static const struct measure {
	const char *name;
	unsigned streams;
	bool hit;
} measures[] = {
	{"hit_ns", 1, true},
	{"hit_1000_ns", 1000, true},
	{"hit_20000_ns", STREAMS_MANY, true},
	{"miss_ns", 1, false},
};

struct programs {
	int viaduct, nothing;
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
	const struct stream_ports not_media = {htons(PORT_NOT_MEDIA), htons(PORT_NOT_MEDIA)};
	enum xdp_action expected = m->hit ? XDP_REDIRECT : XDP_PASS;
	double with[RUNS_MAX], without[RUNS_MAX];
	struct traffic t;

	traffic_open(&t, NULL, NULL, m->hit ? NULL : &not_media, m->streams, true);
	run(&t, p, p->viaduct, expected);
	for (unsigned i = 0; i < runs; i++) {
		without[i] = run(&t, p, p->nothing, XDP_PASS);
		with[i] = run(&t, p, p->viaduct, expected);
	}
	traffic_close(&t);
	return tool_median(with, runs) - tool_median(without, runs);
}

int main(int argc, char **argv)
{
	const unsigned count = sizeof(measures) / sizeof(*measures);
	static struct relay relay;
	struct redirect_bpf *bpf;
	struct programs programs;
	unsigned runs;

	if (argc != 4)
		tool_fail(0, "INTERNAL EXTERNAL RUNS");
	runs = tool_number(argv[3], 1, RUNS_MAX);
	relay_open(&relay, argv[1], argv[2], STREAMS_MANY);
	bpf = redirect_bpf__open_and_load();
	if (!bpf)
		tool_fail(-errno, "cannot load the empty program");
	programs.nothing = bpf_program__fd(bpf->progs.nothing);
	programs.ifindex = tool_device(argv[1]);
	programs.viaduct = attached_program(programs.ifindex);
	tool_pin_to_cpu(MEASURING_CPU);

	for (unsigned i = 0; i < count; i++)
		printf("%s\"%s\":%.1f", i ? "," : "{", measures[i].name,
			measure_cost(&measures[i], &programs, runs));
	tool_say(",\"packets_a_run\":%u,\"runs\":%u}", RUN_PACKETS, runs);

	close(programs.viaduct);
	redirect_bpf__destroy(bpf);
	relay_close(&relay);
	return 0;
}
