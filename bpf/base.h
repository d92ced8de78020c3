/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every step needs: kernel types, helpers, and how memory that others write is read. */
#ifndef VIADUCT_BPF_BASE_H
#define VIADUCT_BPF_BASE_H

#include <stddef.h>
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "viaduct_xdp.h"

#define likely(x)        __builtin_expect(!!(x), 1)
#define unlikely(x)      __builtin_expect(!!(x), 0)
#define READ_ONCE(x)     (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

/* Steps answer with the reason (enum vd_reason) that ends the packet's way, or with this. */
#define VD_CONTINUE VD_REASON_MAX

/* len, known to be 1 to limit (a power of two), in the one shape that the verifier of Linux 6.1
 * takes for a length that is not 0. */
static __always_inline __u32 length_within(__u32 len, __u32 limit)
{
	barrier_var(len);
	return ((len - 1) & (limit - 1)) + 1;
}

_Static_assert(sizeof(struct vd_flow) == 256, "a flow and a stream are four cache lines");
_Static_assert(offsetof(struct vd_flow, own) == 64, "what IPv4 needs is the first one");
_Static_assert(offsetof(struct vd_flow, out_src_high) == 192, "the rest is one");
_Static_assert(sizeof(struct vd_stream) == 128, "a stream is two cache lines");
_Static_assert(offsetof(struct vd_stream, latch_state) == 64, "every packet writes the first one");
_Static_assert(sizeof(struct vd_nexthop) == 32, "a next hop is half a cache line");
_Static_assert(sizeof(struct vd_local) == 32, "a local address is half a cache line");
_Static_assert(offsetof(struct vd_locals, local) == 64, "what leads to them is a cache line long");
_Static_assert(sizeof(struct vd_clock) == 64, "CPUs share no cache line of theirs");
_Static_assert(sizeof(struct vd_batch) == 192, "CPUs share no cache line of theirs");
_Static_assert(sizeof(struct vd_event) == 48, "an event's data starts aligned");
_Static_assert(VD_REASON_MAX <= 32, "reasons fit the verdict masks");

#endif
