/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stream's counters mean (RFC 3550 A.3, A.8). Pure functions. */
#ifndef VIADUCT_DATAPLANE_STATS_H
#define VIADUCT_DATAPLANE_STATS_H

#include "dataplane/dataplane.h"

/* stream may be changing under the reader. now_ns: CLOCK_MONOTONIC. */
void stats_from_stream(
	struct dataplane_stats *out, const struct vd_stream *stream, uint64_t now_ns);
/* How long ago that was; UINT64_MAX where seen_ns is 0: never. */
uint64_t stats_age_ms(uint64_t seen_ns, uint64_t now_ns);
/* Adds what an earlier stream of the same flow had counted: sum holds the later one's. */
void stats_merge(struct dataplane_stats *sum, const struct dataplane_stats *earlier);

#endif
