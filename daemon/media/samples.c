/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/samples.h"

#define MS_A_SEC 1000.0
#define PERCENT  100.0

static void take_loss(struct samples *s, uint64_t expected, uint64_t lost, uint64_t ms)
{
	bool burst = lost * BURST_GMIN >= expected;
	struct sample_kind *kind = burst ? &s->burst : &s->gap;
	double percent = (double)lost * PERCENT / (double)expected;

	if (s->count == 0 || burst != s->in_burst)
		kind->runs++;
	s->in_burst = burst;
	kind->expected += expected;
	kind->lost += lost;
	kind->ms += ms;
	if (percent > s->loss_max_percent)
		s->loss_max_percent = percent;
}

void samples_take(struct samples *s, const struct dataplane_stats *stats, uint32_t clock_rate,
	uint64_t now_ms)
{
	double jitter = clock_rate ? stats->jitter * MS_A_SEC / clock_rate : 0;
	uint64_t expected;
	int64_t lost;

	if (!s->at_ms)
		s->at_ms = now_ms;
	if (stats->expected < s->expected) { /* counted from nothing again: another flow */
		s->expected = 0;
		s->lost = 0;
	}
	expected = stats->expected - s->expected;
	if (expected < SAMPLE_PACKETS_MIN)
		return;
	lost = stats->lost - s->lost;
	if (lost < 0) /* what seemed lost came late, or twice */
		lost = 0;
	if ((uint64_t)lost > expected)
		lost = (int64_t)expected;
	take_loss(s, expected, (uint64_t)lost, now_ms - s->at_ms);
	s->count++;
	s->jitter_sum_ms += jitter;
	if (jitter > s->jitter_max_ms)
		s->jitter_max_ms = jitter;
	s->expected = stats->expected;
	s->lost = stats->lost;
	s->at_ms = now_ms;
}

double sample_density(const struct sample_kind *kind)
{
	return kind->expected ? (double)kind->lost * PERCENT / (double)kind->expected : 0;
}

double sample_duration(const struct sample_kind *kind)
{
	return kind->runs ? (double)kind->ms / kind->runs : 0;
}

double samples_jitter_mean(const struct samples *s)
{
	return s->count ? s->jitter_sum_ms / s->count : 0;
}
