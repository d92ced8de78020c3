/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The time of a packet. Reading the kernel's clock costs as much as all else that is done for a
 * packet (30 ns of 70), so packets that follow each other closely on one CPU, as those of one poll
 * of a network card do, share a reading: CLOCK_SHARE_MAX of them at most, and only while the clock
 * was last seen to advance by less than CLOCK_CLOSE_NS a packet. That is some microseconds of a
 * G.711 tick's 125. Where traffic is sparser each packet has a reading of its own. When the stream
 * of packets breaks off, those left of a share take an old reading, though never one of an earlier
 * jiffy. */
#ifndef VIADUCT_BPF_CLOCK_H
#define VIADUCT_BPF_CLOCK_H

#include "base.h"

#define CLOCK_SHARE_MAX 16
#define CLOCK_CLOSE_NS  500
#define CLOCK_CPUS      128 /* a power of two; CPUs beyond share, which costs them, but no more */

/* A CPU's own, so nothing here need be atomic. */
struct vd_clock clocks[CLOCK_CPUS];

static __always_inline void clock_read(struct vd_clock *clock, __u64 jiffies)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 served = 1 + clock->share - clock->left;
	__u32 share = 0;

	if (now - clock->ns < served * CLOCK_CLOSE_NS)
		share = 2 * served < CLOCK_SHARE_MAX ? 2 * served : CLOCK_SHARE_MAX;
	clock->ns = now;
	clock->jiffies = jiffies;
	clock->share = clock->left = share;
}

/* CLOCK_MONOTONIC. */
static __always_inline __u64 clock_ns(void)
{
	struct vd_clock *clock = &clocks[bpf_get_smp_processor_id() & (CLOCK_CPUS - 1)];
	__u64 jiffies = bpf_jiffies64();

	if (likely(clock->left && clock->jiffies == jiffies))
		clock->left--;
	else
		clock_read(clock, jiffies);
	return clock->ns;
}

#endif
