/* SPDX-License-Identifier: BSD-2-Clause */
/* The flows in the kernel, call by call. */
#include <errno.h>
#include <stdio.h>

#include "control/request.h"

#define WHY_MAX    48 /* bytes: the flows of any call fit in one datagram */
#define CHANGE_MAX 96 /* bytes */

static void put_change(struct answer *a, const struct dataplane_path *path)
{
	char change[CHANGE_MAX];

	if (!path->change)
		return;
	snprintf(change, sizeof(change), "%s%s%s", path->change, path->change_of ? " after: " : "",
		path->change_of ? path->change_of : "");
	answer_put_text(a, VDC_PATH_CHANGE, change);
	answer_put_u64(a, VDC_PATH_CHANGED, path->changed_ms_ago);
}

void show_path(struct answer *a, int attr, const struct dataplane_path *path, bool with_change)
{
	struct nlattr *one = answer_nest(a, attr);
	char why[WHY_MAX];

	if (path->device[0])
		answer_put_text(a, VDC_PATH_DEVICE, path->device);
	if (path->resolved) {
		answer_put_mac(a, VDC_PATH_SMAC, path->smac);
		answer_put_mac(a, VDC_PATH_DMAC, path->dmac);
	}
	if (path->vlan)
		answer_put_u32(a, VDC_PATH_VLAN, path->vlan);
	answer_put_addr(a, VDC_PATH_GATEWAY, &path->gateway);
	answer_put_bool(a, VDC_PATH_RESOLVED, path->resolved);
	if (!path->resolved && path->why) {
		snprintf(why, sizeof(why), "%s", path->why);
		answer_put_text(a, VDC_PATH_WHY, why);
	}
	if (with_change)
		put_change(a, path);
	answer_nest_end(a, one);
}

static const char *component_name(const struct dataplane_flow *flow)
{
	if (flow->opaque)
		return "opaque";
	if (flow->rtcp)
		return "rtcp";
	return flow->mux ? "rtp+rtcp" : "rtp";
}

struct place {
	uint64_t call;
	unsigned stream;
	enum leg leg;
};

static int put_flow(struct answer *a, const struct dataplane *dp, dataplane_flow_id id,
	const struct place *place)
{
	const struct dataplane_flow *flow = id ? dataplane_flow_get(dp, id) : NULL;
	struct dataplane_stats stats;
	struct dataplane_path path;

	if (!flow)
		return 0;
	answer_begin_object(a, VDC_FLOW);
	answer_put_u32(a, VDC_FLOW_ID, id);
	answer_put_u64(a, VDC_FLOW_CALL, place->call);
	answer_put_u32(a, VDC_FLOW_STREAM, place->stream);
	answer_put_text(a, VDC_FLOW_LEG, leg_name(place->leg));
	answer_put_text(a, VDC_FLOW_COMPONENT, component_name(flow));
	answer_put_text(a, VDC_FLOW_SIDE, side_name(flow->in_side));
	answer_put_addr(a, VDC_FLOW_LOCAL, &flow->local);
	answer_put_addr(a, VDC_FLOW_REMOTE, &flow->remote);
	answer_put_text(a, VDC_FLOW_OUT_SIDE, side_name(flow->out_side));
	answer_put_addr(a, VDC_FLOW_OUT_LOCAL, &flow->out_local);
	answer_put_addr(a, VDC_FLOW_OUT_REMOTE, &flow->out_remote);
	answer_put_bool(a, VDC_FLOW_BLACKHOLE, flow->blackhole || flow->out_remote.family == 0);
	if (dataplane_flow_path(dp, id, &path) == 0)
		show_path(a, VDC_FLOW_PATH, &path, false);
	if (dataplane_flow_stats(dp, id, &stats) == 0) {
		answer_put_u64(a, VDC_FLOW_PACKETS, stats.packets + stats.rtcp_packets);
		answer_put_u64(a, VDC_FLOW_BYTES, stats.bytes);
		answer_put_u64(a, VDC_FLOW_DROPPED_SOURCE, stats.dropped_source);
		answer_put_addr(a, VDC_FLOW_LATCHED, &stats.latched);
		if (stats.last_seen_ms_ago != UINT64_MAX)
			answer_put_u64(a, VDC_FLOW_LAST_SEEN, stats.last_seen_ms_ago);
	}
	return answer_end_object(a);
}

static int put_call_flows(
	struct request *r, const struct dataplane *dp, const struct call *call, uint64_t id)
{
	const struct media_session *media = call_media(call);
	unsigned count = media ? media_stream_count(media) : 0;
	int ret = 0;

	for (unsigned i = 0; i < count && ret == 0; i++) {
		struct media_stream_info stream;

		if (media_stream_info(media, i, &stream))
			continue;
		for (int leg = LEG_A; leg <= LEG_B && ret == 0; leg++) {
			struct place place = {.call = id, .stream = i, .leg = (enum leg)leg};

			ret = put_flow(r->answer, dp, stream.leg[leg].flow, &place);
			if (ret == 0)
				ret = put_flow(r->answer, dp, stream.leg[leg].flow_rtcp, &place);
		}
	}
	return ret;
}

/* The cursor is the id of the last call whose flows were all shown: a page ends between calls. */
int show_flows(struct request *r)
{
	const struct dataplane *dp = media_dataplane(calls_media(r->control->calls));
	uint64_t after = r->cursor;
	struct call *call;

	r->has_objects = true;
	while ((call = call_next(r->control->calls, after))) {
		size_t before = r->answer->len;
		struct call_info info;

		call_get_info(call, &info);
		if (put_call_flows(r, dp, call, info.id)) {
			if (before == 0)
				return request_fail(r, -EMSGSIZE,
					"the flows of call %llu do not fit in one datagram",
					(unsigned long long)info.id);
			r->answer->len = before;
			r->has_more = true;
			r->next_cursor = after;
			break;
		}
		after = info.id;
	}
	return 0;
}
