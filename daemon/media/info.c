/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CLI and the records read of a session. */
#include <errno.h>
#include <string.h>

#include "media/flows.h"
#include "media/quality.h"
#include "media/room.h"

#define MS_A_SEC 1000.0
#define PERCENT  100.0
#define NS_A_MS  1000000u
/* A leg that reports does so every five seconds (RFC 3550 6.2), seldomer where it sends little. */
#define FAR_LOSS_OLD_MS 30000u

unsigned media_stream_count(const struct media_session *s)
{
	return s->count;
}

bool media_heard(const struct media_session *s, uint64_t ms, bool heard[LEG_COUNT])
{
	bool any = false;

	heard[LEG_A] = heard[LEG_B] = false;
	for (unsigned i = 0; i < s->count; i++) {
		const struct stream *st = s->stream[i];

		for (unsigned leg = 0; st && st->now.active && leg < LEG_COUNT; leg++) {
			dataplane_flow_id rtp = st->flow[leg][COMPONENT_RTP];
			struct dataplane_stats stats;

			if (!rtp || dataplane_flow_stats(s->media->dataplane, rtp, &stats))
				continue;
			any = true;
			heard[leg] |= stats.packets && stats.last_seen_ms_ago < ms;
		}
	}
	return any;
}

static double far_loss(const struct rtcp_leg *rtcp, uint64_t now_ms)
{
	if (!rtcp->told_ns || now_ms > rtcp->told_ns / NS_A_MS + FAR_LOSS_OLD_MS)
		return -1;
	return rtcp->unheard == RTCP_UNHEARD ? PERCENT : rtcp->loss_percent;
}

static void measure(struct media_leg_info *out, const struct negotiated *now)
{
	const struct dataplane_stats *rtp = &out->rtp;

	if (rtp->expected && rtp->lost > 0)
		out->loss_percent = (double)rtp->lost * PERCENT / (double)rtp->expected;
	if (now->clock_rate)
		out->jitter_ms = rtp->jitter * MS_A_SEC / now->clock_rate;
	if (rtp->packets && !now->opaque && strcasecmp(now->kind, "audio") == 0)
		out->mos = quality_mos(now->codec, out->loss_percent, out->jitter_ms, out->rtt_ms);
}

/* With what has come since the last sample, where that is enough for one. */
static void sum_up(struct media_leg_info *out, const struct stream *st, enum leg leg, uint64_t now)
{
	struct samples s = st->samples[leg];

	out->dtmf = st->dtmf[leg];
	if (st->now.opaque || !out->rtp.packets)
		return;
	samples_take(&s, &out->rtp, st->now.clock_rate, now);
	out->jitter_mean_ms = s.count ? samples_jitter_mean(&s) : out->jitter_ms;
	out->jitter_max_ms = s.count ? s.jitter_max_ms : out->jitter_ms;
	out->loss_max_percent = s.count ? s.loss_max_percent : out->loss_percent;
	out->bursts = s.burst.runs;
	out->burst_percent = sample_density(&s.burst);
	out->burst_ms = sample_duration(&s.burst);
	out->gap_percent = sample_density(&s.gap);
	out->gap_ms = sample_duration(&s.gap);
	out->poor = out->loss_percent > QUALITY_POOR_MEAN_PERCENT ||
		    out->loss_max_percent > QUALITY_POOR_MAX_PERCENT;
}

static void fill_leg(struct media_leg_info *out, const struct media_session *s,
	const struct stream *st, enum leg leg)
{
	const struct dataplane *dp = s->media->dataplane;
	dataplane_flow_id rtp = st->flow[leg][COMPONENT_RTP], rtcp = st->flow[leg][COMPONENT_RTCP];
	struct dataplane_stats stats;

	out->rtt_ms = st->rtcp[leg].has_rtt ? st->rtcp[leg].rtt_ms : -1;
	out->far_loss_percent = far_loss(&st->rtcp[leg], s->media->now_ms(s->media));
	if (!st->local[leg].pool)
		return;
	out->local = port_pool_address(st->local[leg].pool)->advertised;
	out->local.port = st->local[leg].port;
	if (!st->now.opaque) {
		out->local_rtcp = out->local;
		out->local_rtcp.port = (uint16_t)(out->local.port + (st->now.mux ? 0 : 1));
	}
	if (!st->now.active)
		return;
	out->remote = st->now.said[leg].remote[COMPONENT_RTP];
	if (!st->now.opaque)
		out->remote_rtcp = st->now.said[leg].remote[COMPONENT_RTCP];
	out->refused = st->refused[leg];
	out->sends = flows_leg_sends(&st->now, leg);
	out->flow = rtp;
	out->flow_rtcp = st->now.mux ? rtp : rtcp;
	if (rtp) {
		dataplane_flow_stats(dp, rtp, &out->rtp);
		dataplane_flow_path(dp, rtp, &out->path);
	}
	if (rtcp && !dataplane_flow_stats(dp, rtcp, &stats))
		out->rtp.rtcp_packets += stats.rtcp_packets;
	measure(out, &st->now);
	sum_up(out, st, leg, s->media->now_ms(s->media));
}

int media_stream_info(const struct media_session *s, unsigned index, struct media_stream_info *out)
{
	const struct stream *st;

	memset(out, 0, sizeof(*out));
	out->index = index;
	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		out->leg[leg].rtt_ms = out->leg[leg].far_loss_percent = -1;
		out->leg[leg].rtp.last_seen_ms_ago = UINT64_MAX;
	}
	if (index >= s->count)
		return -ENOENT;
	st = s->stream[index];
	if (!st)
		return 0;
	memcpy(out->kind, st->now.kind, sizeof(out->kind));
	memcpy(out->proto, st->now.proto, sizeof(out->proto));
	memcpy(out->codec, st->now.codec, sizeof(st->now.codec));
	out->active = st->now.active;
	out->mux = st->now.mux;
	out->profiles_differ = st->now.profiles_differ;
	out->held = st->now.active &&
		    !(flows_leg_sends(&st->now, LEG_A) && flows_leg_sends(&st->now, LEG_B));
	fill_leg(&out->leg[LEG_A], s, st, LEG_A);
	fill_leg(&out->leg[LEG_B], s, st, LEG_B);
	return 0;
}
