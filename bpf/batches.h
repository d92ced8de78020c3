/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What waits, by CPU: for the programs of two objects. */
#ifndef VIADUCT_BPF_BATCHES_H
#define VIADUCT_BPF_BATCHES_H

#include "base.h"

#define VD_BATCH_CPUS 128 /* a power of two; CPUs beyond share: what is in it are hints */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VD_BATCH_CPUS);
	__type(key, __u32);
	__type(value, struct vd_batch);
} vd_batches SEC(".maps");

static __always_inline struct vd_batch *batch_of_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id() & (VD_BATCH_CPUS - 1);

	return bpf_map_lookup_elem(&vd_batches, &cpu);
}

#endif
