/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNTERS (SIDE_COUNT * VD_REASON_MAX)

static int read_singly(int fd, struct vd_counter *values, unsigned cpus)
{
	for (uint32_t key = 0; key < COUNTERS; key++) {
		int ret = bpf_map_lookup_elem(fd, &key, values + (size_t)key * cpus);

		if (ret)
			return ret;
	}
	return 0;
}

int counters_read(int counters_fd, struct dataplane_status *out)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t keys[COUNTERS], count = COUNTERS, batch = 0;
	struct vd_counter *values;
	int ret;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)COUNTERS * (unsigned)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	/* One system call instead of one each; -ENOENT says that the map's end was reached. */
	ret = bpf_map_lookup_batch(counters_fd, NULL, &batch, keys, values, &count, NULL);
	if ((ret && ret != -ENOENT) || count != COUNTERS)
		ret = read_singly(counters_fd, values, (unsigned)cpus);
	else
		ret = 0;
	if (ret)
		goto out;
	for (unsigned i = 0; i < COUNTERS; i++) {
		uint64_t packets = 0, bytes = 0;

		for (unsigned cpu = 0; cpu < (unsigned)cpus; cpu++) {
			packets += values[(size_t)i * (unsigned)cpus + cpu].packets;
			bytes += values[(size_t)i * (unsigned)cpus + cpu].bytes;
		}
		out->packets[i / VD_REASON_MAX][i % VD_REASON_MAX] = packets;
		out->bytes[i / VD_REASON_MAX][i % VD_REASON_MAX] = bytes;
	}
out:
	free(values);
	return ret;
}

int counters_read_lost(int lost_fd, uint64_t *lost)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values;
	uint32_t key = 0;
	int ret;

	if (cpus < 0)
		return cpus;
	values = calloc((unsigned)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	ret = bpf_map_lookup_elem(lost_fd, &key, values);
	*lost = 0;
	for (unsigned cpu = 0; !ret && cpu < (unsigned)cpus; cpu++)
		*lost += values[cpu];
	free(values);
	return ret;
}
