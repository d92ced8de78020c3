/* SPDX-License-Identifier: BSD-2-Clause */
/* redirect IN OUT: passes every frame from IN to OUT, unchanged, until standard input closes. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>

#include "redirect.skel.h"
#include "tool.h"

int main(int argc, char **argv)
{
	uint32_t zero = 0, ifindex;
	struct redirect_bpf *bpf;
	struct bpf_link *link;
	int err;

	if (argc != 3)
		tool_fail(0, "IN OUT");
	bpf = redirect_bpf__open_and_load();
	if (!bpf)
		tool_fail(-errno, "cannot load the program");
	ifindex = tool_device(argv[2]);
	err = bpf_map_update_elem(bpf_map__fd(bpf->maps.out), &zero, &ifindex, BPF_ANY);
	if (err)
		tool_fail(err, "cannot direct to %s", argv[2]);
	link = bpf_program__attach_xdp(bpf->progs.redirect, tool_device(argv[1]));
	if (!link)
		tool_fail(-errno, "cannot attach to %s", argv[1]);
	tool_say("ready");
	while (getchar() != EOF)
		;
	bpf_link__destroy(link);
	redirect_bpf__destroy(bpf);
	return 0;
}
