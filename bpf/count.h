/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every packet is counted once, here, under the reason that also decides its verdict. */
#ifndef VIADUCT_BPF_COUNT_H
#define VIADUCT_BPF_COUNT_H

#include "maps.h"

#define VD_IS_PASS                       1
#define VD_IS_DROP                       0
#define VD_IS_TX                         0
#define VD_PASS_BIT(name, verdict, text) | (VD_IS_##verdict << VD_##name)

static const __u32 pass_reasons = 0 VD_REASONS(VD_PASS_BIT);

static __always_inline bool reason_passes(__u32 reason)
{
	return pass_reasons >> reason & 1;
}

static __always_inline int count(__u32 side, __u32 reason, __u32 frame_bytes)
{
	__u32 index = (side & 1) * VD_REASON_MAX + reason;
	struct vd_counter *counter = bpf_map_lookup_elem(&vd_counters, &index);

	if (counter) {
		counter->packets++;
		counter->bytes += frame_bytes;
	}
	if (likely(reason == VD_FORWARDED))
		return XDP_REDIRECT;
	return reason_passes(reason) ? XDP_PASS : XDP_DROP;
}

#endif
