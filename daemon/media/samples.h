/* SPDX-License-Identifier: BSD-2-Clause */
/* How the reception of a stream went over its time. The kernel counts; every WATCHDOG_PERIOD_MS of
 * an answered call, and at its end, what was counted since the sample before is looked at: jitter
 * (RFC 3550 A.8, as it stood then) and the share of packets that were lost.
 *
 * Bursts are RFC 3611 4.7.2's by their density, not by their packets, which are not known one by
 * one: a sample belongs to a burst when at least 1 in Gmin (16) of its packets was lost, to a gap
 * otherwise; neighbouring samples of a kind are one burst or gap. A burst shorter than a sample so
 * counts as one sample long and less dense, or not at all. */
#ifndef VIADUCT_MEDIA_SAMPLES_H
#define VIADUCT_MEDIA_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

#define SAMPLE_PACKETS_MIN 20 /* expected since the last sample, for one of its own */
#define BURST_GMIN         16 /* RFC 3611 4.7.2 */

/* A kind of time: bursts or gaps. */
struct sample_kind {
	unsigned runs;
	uint64_t expected, lost, ms;
};

struct samples {
	uint64_t expected; /* counted at the last sample */
	int64_t lost;
	uint64_t at_ms;
	unsigned count;
	double jitter_sum_ms, jitter_max_ms;
	double loss_max_percent;
	bool in_burst;
	struct sample_kind burst, gap;
};

/* now_ms: monotonic. clock_rate in Hz, 0 = jitter is not known. */
void samples_take(struct samples *s, const struct dataplane_stats *stats, uint32_t clock_rate,
	uint64_t now_ms);
/* Share of the packets that was lost in it, in percent, and the mean length of one run in ms; 0
 * where there was none. */
double sample_density(const struct sample_kind *kind);
double sample_duration(const struct sample_kind *kind);
double samples_jitter_mean(const struct samples *s);

#endif
