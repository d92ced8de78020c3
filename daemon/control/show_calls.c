/* SPDX-License-Identifier: BSD-2-Clause */
/* Live calls, and one of them with all that is known about it. */
#include <errno.h>
#include <string.h>

#include "control/diagnosis.h"
#include "control/request.h"

/* From whom media came lately, once the call is answered. */
static void put_media(struct answer *a, const struct media_session *media)
{
	bool heard[2];

	if (media && media_heard(media, DIAGNOSIS_SILENT_MS, heard))
		answer_put_text(a, VDC_CALL_MEDIA,
			heard[LEG_A] && heard[LEG_B] ? "both"
			: heard[LEG_A]               ? leg_name(LEG_A)
			: heard[LEG_B]               ? leg_name(LEG_B)
						     : "none");
}

static void put_call(struct answer *a, const struct call *call, const struct call_info *info)
{
	const struct media_session *media = call_media(call);

	answer_put_u64(a, VDC_CALL_ID, info->id);
	answer_put_text(a, VDC_CALL_STATE, call_state_name(info->state));
	answer_put_text(a, VDC_CALL_FROM, info->from);
	answer_put_text(a, VDC_CALL_TO, info->to);
	if (info->route && *info->route)
		answer_put_text(a, VDC_CALL_ROUTE, info->route);
	answer_put_text(a, VDC_CALL_PEER_A, info->leg[LEG_A].peer);
	answer_put_text(a, VDC_CALL_PEER_B, info->leg[LEG_B].peer);
	answer_put_u64(a, VDC_CALL_AGE, info->setup_ms_ago);
	if (info->answered_ms_ago != UINT64_MAX)
		answer_put_u64(a, VDC_CALL_TALKING, info->answered_ms_ago);
	if (info->state == CALL_ANSWERED)
		put_media(a, media);
	answer_put_u32(a, VDC_CALL_ATTEMPTS, info->attempts);
	answer_put_u32(a, VDC_CALL_STREAM_COUNT, media ? media_stream_count(media) : 0);
}

int show_calls(struct request *r)
{
	uint64_t after = r->cursor;
	struct call *call;

	r->has_objects = true;
	while ((call = call_next(r->control->calls, after))) {
		struct call_info info;

		call_get_info(call, &info);
		answer_begin_object(r->answer, VDC_CALL);
		put_call(r->answer, call, &info);
		if (answer_end_object(r->answer)) {
			r->has_more = true;
			r->next_cursor = after;
			break;
		}
		after = info.id;
	}
	return 0;
}

static void put_leg(struct answer *a, enum leg leg, const struct call_leg_info *info)
{
	struct nlattr *one = answer_nest(a, (int)leg + 1);

	answer_put_text(a, VDC_LEG_LEG, leg_name(leg));
	answer_put_text(a, VDC_LEG_PEER, info->peer);
	answer_put_text(a, VDC_LEG_LISTENER, info->listener);
	answer_put_addr(a, VDC_LEG_SIGNALLING, &info->signalling);
	answer_put_text(a, VDC_LEG_CALL_ID, info->sip_call_id);
	answer_put_text(a, VDC_LEG_LOCAL_TAG, info->local_tag);
	answer_put_text(a, VDC_LEG_REMOTE_TAG, info->remote_tag);
	answer_put_text(a, VDC_LEG_LOCAL_URI, info->local_uri);
	answer_put_text(a, VDC_LEG_REMOTE_URI, info->remote_uri);
	if (info->session_s) {
		answer_put_u32(a, VDC_LEG_SESSION, info->session_s);
		answer_put_text(a, VDC_LEG_REFRESHER, info->we_refresh ? "viaduct" : "peer");
		answer_put_u64(a, VDC_LEG_SESSION_LEFT, info->session_left_ms);
	}
	answer_nest_end(a, one);
}

static void put_findings(struct answer *a, int attr, const struct findings *findings)
{
	struct nlattr *list;

	if (findings->count == 0)
		return;
	list = answer_nest(a, attr);
	for (unsigned i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->one[i];
		struct nlattr *one = answer_nest(a, (int)i + 1);

		answer_put_text(a, VDC_FINDING_CODE, finding_name(finding->code));
		if (finding->leg >= 0)
			answer_put_text(a, VDC_FINDING_LEG, leg_name((enum leg)finding->leg));
		answer_put_text(a, VDC_FINDING_TEXT, finding->text);
		answer_nest_end(a, one);
	}
	answer_nest_end(a, list);
}

static void put_received(struct answer *a, const struct media_leg_info *leg, bool opaque)
{
	const struct dataplane_stats *rtp = &leg->rtp;

	answer_put_u64(a, VDC_STREAM_LEG_PACKETS, rtp->packets);
	answer_put_u64(a, VDC_STREAM_LEG_BYTES, rtp->bytes);
	answer_put_u64(a, VDC_STREAM_LEG_RTCP_PACKETS, rtp->rtcp_packets);
	answer_put_u64(a, VDC_STREAM_LEG_DROPPED_SOURCE, rtp->dropped_source);
	if (rtp->last_seen_ms_ago != UINT64_MAX)
		answer_put_u64(a, VDC_STREAM_LEG_LAST_SEEN, rtp->last_seen_ms_ago);
	answer_put_addr(a, VDC_STREAM_LEG_REFUSED_SOURCE, &leg->refused);
	answer_put_addr(a, VDC_STREAM_LEG_LATCHED, &rtp->latched);
	answer_put_u32(a, VDC_STREAM_LEG_DTMF, leg->dtmf);
	if (opaque || rtp->packets == 0)
		return;
	answer_put_u64(a, VDC_STREAM_LEG_EXPECTED, rtp->expected);
	answer_put_s64(a, VDC_STREAM_LEG_LOST, rtp->lost);
	answer_put_milli(a, VDC_STREAM_LEG_LOSS, leg->loss_percent);
	answer_put_u64(a, VDC_STREAM_LEG_OUT_OF_ORDER, rtp->out_of_order);
	answer_put_milli(a, VDC_STREAM_LEG_JITTER, leg->jitter_ms);
	answer_put_milli(a, VDC_STREAM_LEG_JITTER_MEAN, leg->jitter_mean_ms);
	answer_put_milli(a, VDC_STREAM_LEG_JITTER_MAX, leg->jitter_max_ms);
	answer_put_milli(a, VDC_STREAM_LEG_LOSS_MAX, leg->loss_max_percent);
	answer_put_u32(a, VDC_STREAM_LEG_BURSTS, leg->bursts);
	if (leg->bursts) {
		answer_put_milli(a, VDC_STREAM_LEG_BURST_DENSITY, leg->burst_percent);
		answer_put_milli(a, VDC_STREAM_LEG_BURST_DURATION, leg->burst_ms);
		answer_put_milli(a, VDC_STREAM_LEG_GAP_DENSITY, leg->gap_percent);
		answer_put_milli(a, VDC_STREAM_LEG_GAP_DURATION, leg->gap_ms);
	}
	answer_put_bool(a, VDC_STREAM_LEG_POOR, leg->poor);
	answer_put_u32(a, VDC_STREAM_LEG_SSRC, rtp->ssrc);
	answer_put_u32(a, VDC_STREAM_LEG_SSRC_CHANGES, rtp->ssrc_changes);
	if (leg->mos > 0)
		answer_put_milli(a, VDC_STREAM_LEG_MOS, leg->mos);
	if (leg->rtt_ms >= 0)
		answer_put_milli(a, VDC_STREAM_LEG_RTT, leg->rtt_ms);
	if (leg->far_loss_percent >= 0)
		answer_put_milli(a, VDC_STREAM_LEG_FAR_LOSS, leg->far_loss_percent);
}

static void put_stream_leg(struct answer *a, const struct diagnosis_facts *facts, enum leg which)
{
	const struct media_leg_info *leg = &facts->stream->leg[which];
	const struct dataplane_flow *flow = facts->flow[which];
	struct nlattr *one = answer_nest(a, (int)which + 1);

	answer_put_text(a, VDC_STREAM_LEG_LEG, leg_name(which));
	answer_put_addr(a, VDC_STREAM_LEG_LOCAL, &leg->local);
	answer_put_addr(a, VDC_STREAM_LEG_LOCAL_RTCP, &leg->local_rtcp);
	answer_put_addr(a, VDC_STREAM_LEG_REMOTE, &leg->remote);
	answer_put_addr(a, VDC_STREAM_LEG_REMOTE_RTCP, &leg->remote_rtcp);
	answer_put_bool(a, VDC_STREAM_LEG_SENDS, leg->sends);
	answer_put_bool(a, VDC_STREAM_LEG_IN_KERNEL, diagnosis_in_kernel(facts, which));
	if (leg->flow_rtcp)
		answer_put_u32(a, VDC_STREAM_LEG_FLOW_RTCP, leg->flow_rtcp);
	if (leg->flow && flow) {
		answer_put_u32(a, VDC_STREAM_LEG_FLOW, leg->flow);
		answer_put_bool(a, VDC_STREAM_LEG_BLACKHOLE,
			flow->blackhole || flow->out_remote.family == 0);
		answer_put_bool(a, VDC_STREAM_LEG_LATCH, flow->latch);
		answer_put_addr(a, VDC_STREAM_LEG_OUT_LOCAL, &flow->out_local);
		answer_put_addr(a, VDC_STREAM_LEG_OUT_REMOTE, &flow->out_remote);
		put_received(a, leg, flow->opaque);
		show_path(a, VDC_STREAM_LEG_PATH, &leg->path, true);
	}
	answer_nest_end(a, one);
}

static void put_stream(struct answer *a, const struct diagnosis_facts *facts)
{
	const struct media_stream_info *stream = facts->stream;
	struct findings findings;
	struct nlattr *list;

	answer_begin_object(a, VDC_STREAM);
	answer_put_u32(a, VDC_STREAM_INDEX, stream->index);
	answer_put_text(a, VDC_STREAM_KIND, stream->kind);
	answer_put_text(a, VDC_STREAM_PROTO, stream->proto);
	if (stream->codec[0])
		answer_put_text(a, VDC_STREAM_CODEC, stream->codec);
	answer_put_bool(a, VDC_STREAM_ACTIVE, stream->active);
	answer_put_bool(a, VDC_STREAM_MUX, stream->mux);
	answer_put_bool(a, VDC_STREAM_HELD, stream->held);
	list = answer_nest(a, VDC_STREAM_LEGS);
	put_stream_leg(a, facts, LEG_A);
	put_stream_leg(a, facts, LEG_B);
	answer_nest_end(a, list);
	diagnose_stream(facts, &findings);
	put_findings(a, VDC_STREAM_FINDINGS, &findings);
}

/* Puts the object that was just written on the page; a full page is sent first. */
static int end_object_or_send(struct answer *a)
{
	int ret = answer_end_object(a);

	if (ret == 0 || a->overflow || a->len == 0)
		return ret;
	ret = answer_send(a);
	return ret ? ret : answer_end_object(a);
}

static int show_streams(
	struct request *r, const struct media_session *media, const struct call_info *info)
{
	struct dataplane *dp = media_dataplane(calls_media(r->control->calls));
	struct dataplane_status status;
	struct diagnosis_facts facts = {.state = info->state,
		.signalling = {info->leg[LEG_A].signalling, info->leg[LEG_B].signalling},
		.lately = status.lately};
	unsigned count = media ? media_stream_count(media) : 0;
	int ret;

	if (count == 0)
		return 0;
	ret = dataplane_status(dp, &status);
	if (ret)
		return ret;
	for (int i = 0; i < SIDE_COUNT; i++) {
		facts.attached[status.device[i].side] = strcmp(status.device[i].mode, "none") != 0;
		facts.device[status.device[i].side] = &status.device[i];
	}
	for (unsigned i = 0; i < count && ret == 0; i++) {
		struct media_stream_info stream;

		ret = media_stream_info(media, i, &stream);
		if (ret)
			break;
		facts.stream = &stream;
		for (int leg = LEG_A; leg <= LEG_B; leg++)
			facts.flow[leg] = stream.leg[leg].flow
						  ? dataplane_flow_get(dp, stream.leg[leg].flow)
						  : NULL;
		put_stream(r->answer, &facts);
		ret = end_object_or_send(r->answer);
	}
	return ret;
}

int show_call(struct request *r)
{
	struct answer *a = r->answer;
	int ret = 0;
	const struct call *call = request_call(r, &ret);
	struct call_info info;
	struct nlattr *list;

	if (!call)
		return ret;
	call_get_info(call, &info);
	answer_begin_object(a, VDC_CALL);
	put_call(a, call, &info);
	list = answer_nest(a, VDC_CALL_LEGS);
	put_leg(a, LEG_A, &info.leg[LEG_A]);
	put_leg(a, LEG_B, &info.leg[LEG_B]);
	answer_nest_end(a, list);
	if (!call_media(call) || media_stream_count(call_media(call)) == 0) {
		struct findings findings;

		diagnose_no_streams(info.state,
			call_media(call) ? media_bypass(call_media(call)) : NULL, &findings);
		put_findings(a, VDC_CALL_FINDINGS, &findings);
	}
	r->has_objects = true;
	ret = answer_end_object(a);
	return ret ? ret : show_streams(r, call_media(call), &info);
}
