/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/diagnosis.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/request.h"

#define UDP_BYTES  8
#define IPV4_BYTES 20
#define IPV6_BYTES 40

const char *finding_name(enum finding_code code)
{
#define FINDING_NAME(name, when) #name,
	static const char *const names[] = {FINDINGS(FINDING_NAME)};

	return names[code];
}

const char *leg_name(enum leg leg)
{
	return leg == LEG_A ? "a" : "b";
}

static void __attribute__((format(printf, 4, 5)))
find(struct findings *out, enum finding_code code, int leg, const char *fmt, ...)
{
	struct finding *finding;
	va_list ap;

	if (out->count == FINDINGS_MAX)
		return;
	finding = &out->one[out->count++];
	finding->code = code;
	finding->leg = leg;
	va_start(ap, fmt);
	vsnprintf(finding->text, sizeof(finding->text), fmt, ap);
	va_end(ap);
}

bool diagnosis_in_kernel(const struct diagnosis_facts *facts, enum leg leg)
{
	const struct dataplane_flow *flow = facts->flow[leg];

	return facts->stream->leg[leg].flow && flow && facts->attached[flow->in_side];
}

static bool ever_seen(const struct dataplane_stats *stats)
{
	return stats->packets > 0;
}

static bool lately_seen(const struct dataplane_stats *stats)
{
	return ever_seen(stats) && stats->last_seen_ms_ago < DIAGNOSIS_SILENT_MS;
}

/* Bytes of the leg's packets as they leave, on the average, with their IP header. */
static uint64_t usual_bytes(const struct diagnosis_facts *facts, enum leg leg)
{
	const struct dataplane_stats *stats = &facts->stream->leg[leg].rtp;
	bool v6 = facts->flow[leg]->out_remote.family == 6;

	if (!ever_seen(stats))
		return 0;
	return stats->bytes / stats->packets + UDP_BYTES + (v6 ? IPV6_BYTES : IPV4_BYTES);
}

static bool is_too_long(const struct diagnosis_facts *facts, enum leg leg)
{
	const struct dataplane_path *path = &facts->stream->leg[leg].path;

	return path->resolved && path->mtu && usual_bytes(facts, leg) > path->mtu;
}

/* What keeps the packets of a leg from being forwarded. */
static void find_obstacles(const struct diagnosis_facts *facts, enum leg leg, struct findings *out)
{
	const struct media_leg_info *info = &facts->stream->leg[leg];
	const struct dataplane_flow *flow = facts->flow[leg];
	const char *name = leg_name(leg), *other = leg_name(OTHER_LEG(leg));
	char address[ADDR_TEXT_MAX], port[ADDR_TEXT_MAX];

	if (!info->flow || !flow) {
		find(out, FINDING_no_flow, leg,
			"no flow is programmed for what leg %s sends: the offer has no answer yet",
			name);
		return;
	}
	if (!facts->attached[flow->in_side])
		find(out, FINDING_not_attached, leg,
			"XDP is not attached on the %s side, where leg %s's packets come in",
			side_name(flow->in_side), name);
	if (flow->remote.family == 0 && !flow->latch)
		find(out, FINDING_no_source, leg,
			"leg %s's SDP gives no address to send from, and latching is off: nothing "
			"is admitted",
			name);
	if (flow->blackhole || flow->out_remote.family == 0)
		find(out, FINDING_held, leg,
			"packets from leg %s are counted and not sent on: leg %s takes no media "
			"now",
			name, other);
	else if (!info->path.resolved)
		find(out, FINDING_next_hop, leg, "next hop %s towards leg %s is not resolved: %s",
			info->path.gateway.family ? addr_print_ip(&info->path.gateway, address)
						  : addr_print_ip(&flow->out_remote, address),
			other, info->path.why ? info->path.why : "not known why");
	else if (is_too_long(facts, leg))
		find(out, FINDING_too_long, leg,
			"what leg %s sends is dropped as too long: packets of %" PRIu64
			" bytes, and %s takes %" PRIu32 " (MTU)",
			name, usual_bytes(facts, leg), info->path.device, info->path.mtu);
	if (info->rtp.dropped_source)
		find(out, FINDING_refused_source, leg,
			"%" PRIu64 " packets to %s were refused: they do not come from %s, %s",
			info->rtp.dropped_source, addr_print(&flow->local, port),
			addr_print(info->rtp.latched.family ? &info->rtp.latched : &flow->remote,
				address),
			info->rtp.latched.family ? "which the stream has locked onto"
			: flow->latch            ? "or its prefix, the address in the SDP"
						 : "the address in the SDP (latching is off)");
}

/* What there is to say about the packets themselves. */
static void find_silence(const struct diagnosis_facts *facts, enum leg leg, struct findings *out)
{
	const struct media_leg_info *info = &facts->stream->leg[leg];
	const char *name = leg_name(leg);
	char port[ADDR_TEXT_MAX];

	if (!info->flow || !facts->flow[leg])
		return;
	if (!info->sends) {
		find(out, FINDING_inactive, leg,
			"leg %s sends nothing: the direction in the SDP says so (hold)", name);
		return;
	}
	if (!ever_seen(&info->rtp))
		find(out, FINDING_silent, leg, "leg %s sends nothing: no packet has come to %s",
			name, addr_print(&info->local, port));
	else if (!lately_seen(&info->rtp))
		find(out, FINDING_stopped, leg, "leg %s has sent nothing for %" PRIu64 " s", name,
			info->rtp.last_seen_ms_ago / 1000);
	if (info->loss_percent > DIAGNOSIS_LOSS_PERCENT)
		find(out, FINDING_loss, leg,
			"%.1f %% of what leg %s sends is lost before it reaches us",
			info->loss_percent, name);
}

static bool finds_driver_loss(
	const struct diagnosis_facts *facts, enum leg leg, struct findings *out)
{
	const struct dataplane_flow *flow = facts->flow[leg];
	const struct dataplane_device_status *device = flow ? facts->device[flow->out_side] : NULL;

	if (!device || !device->lost_lately)
		return false;
	find(out, FINDING_driver_loss, leg,
		"what leg %s sends is sent on by %s, whose driver lost %" PRIu64
		" packets in the last %d s, of this call or others: %s",
		leg_name(leg), device->name, device->lost_lately, DATAPLANE_LOSS_WINDOW_MS / 1000,
		device->lost_error == EOPNOTSUPP || device->lost_error == ENXIO
			? "it takes none (a veth needs `gro on` at its other end)"
		: device->lost_error ? strerror(device->lost_error)
				     : "its queue was full");
	return true;
}

static bool flows_from(const struct diagnosis_facts *facts, enum leg leg)
{
	const struct media_leg_info *info = &facts->stream->leg[leg];
	const struct dataplane_flow *flow = facts->flow[leg];

	return diagnosis_in_kernel(facts, leg) && lately_seen(&info->rtp) && !flow->blackhole &&
	       flow->out_remote.family && info->path.resolved && !is_too_long(facts, leg);
}

void diagnose_stream(const struct diagnosis_facts *facts, struct findings *out)
{
	bool from_a, from_b, lost;

	out->count = 0;
	if (!facts->stream->active) {
		find(out, FINDING_rejected, -1,
			"the answer rejected this stream: it carries nothing");
		return;
	}
	for (int leg = LEG_A; leg <= LEG_B; leg++)
		find_obstacles(facts, (enum leg)leg, out);
	for (int leg = LEG_A; leg <= LEG_B; leg++)
		find_silence(facts, (enum leg)leg, out);
	from_a = flows_from(facts, LEG_A);
	from_b = flows_from(facts, LEG_B);
	/* What leaves the program, and is lost then, cannot be said to flow. */
	lost = from_a && finds_driver_loss(facts, LEG_A, out);
	lost |= from_b && finds_driver_loss(facts, LEG_B, out);
	if (lost)
		return;
	if (from_a && from_b)
		find(out, FINDING_ok, -1, "media flows both ways, forwarded in the kernel");
	else if (from_a || from_b)
		find(out, FINDING_one_way, from_a ? LEG_A : LEG_B,
			"media flows one way only, from leg %s to leg %s, forwarded in the kernel",
			from_a ? "a" : "b", from_a ? "b" : "a");
}

void diagnose_no_streams(enum call_state state, const char *site, struct findings *out)
{
	out->count = 0;
	if (site)
		find(out, FINDING_bypassed, -1, "the media goes past us: both peers are at site %s",
			site);
	else
		find(out, FINDING_no_media, -1,
			state == CALL_ANSWERED
				? "the call is answered without any media stream"
				: "no offer and answer were exchanged yet: no media");
}
