/* SPDX-License-Identifier: BSD-2-Clause */
/* sink DEVICE: counts and drops the RTP that reaches DEVICE. Each line read is answered by one line
 * of JSON: the counts so far. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sink.h"
#include "sink.skel.h"
#include "tool.h"
#include "traffic.h"

static void counts_say(struct sink_bpf *bpf)
{
	struct sink_counts sum = {0}, *percpu;
	int cpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;
	int err;

	percpu = calloc(cpus, sizeof(*percpu));
	if (!percpu)
		tool_fail(-ENOMEM, "cannot read the counts");
	err = bpf_map_lookup_elem(bpf_map__fd(bpf->maps.counts), &zero, percpu);
	if (err)
		tool_fail(err, "cannot read the counts");
	for (int i = 0; i < cpus; i++) {
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

int main(int argc, char **argv)
{
	struct bpf_link *link;
	struct sink_bpf *bpf;
	uint32_t address;
	char line[64];

	if (argc != 2)
		tool_fail(0, "DEVICE");
	bpf = sink_bpf__open();
	if (!bpf)
		tool_fail(-errno, "cannot open the program");
	inet_pton(AF_INET, TRAFFIC_DESTINATION_ADDRESS, &address);
	bpf->rodata->own_address = address;
	if (sink_bpf__load(bpf))
		tool_fail(-errno, "cannot load the program");
	link = bpf_program__attach_xdp(bpf->progs.sink, tool_device(argv[1]));
	if (!link)
		tool_fail(-errno, "cannot attach to %s", argv[1]);
	tool_say("ready");
	while (fgets(line, sizeof(line), stdin))
		counts_say(bpf);
	bpf_link__destroy(link);
	sink_bpf__destroy(bpf);
	return 0;
}
