/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the sink's program and its user-space side share. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <linux/types.h>

#define SINK_SAMPLE 1024 /* one packet in so many (a power of two) is looked at closely */

struct sink_counts {
	__u64 packets;
	__u64 bytes;     /* of frames */
	__u64 checked;   /* packets looked at closely */
	__u64 bad;       /* of those: IP or UDP checksum wrong, or not as long as sent */
	__u64 addressed; /* of those: addressed to the sink */
};

/* One-way latencies, a histogram: 32 steps to each power of two of nanoseconds, so that a step is 3
 * % wide; the last power is 2^32, four seconds. */
#define SINK_STEP_BITS 5
#define SINK_STEPS     (1 << SINK_STEP_BITS)
#define SINK_POWERS    33
#define SINK_BUCKETS   (SINK_POWERS * SINK_STEPS)

#endif
