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
#define PERCENT    100.0

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

/* RFC 1918, RFC 6598, RFC 3927; RFC 4193, RFC 4291 2.5.6. */
static bool is_private(const struct addr *a)
{
	static const char *const prefixes[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct addr net;
		unsigned bits;

		if (addr_parse_prefix(&net, &bits, prefixes[i]) == 0 &&
			addr_in_prefix(a, &net, bits))
			return true;
	}
	return false;
}

/* Packets to the leg's port that somebody else sent: who is told where the program has said so. */
static void find_refused(const struct diagnosis_facts *facts, enum leg leg, struct findings *out)
{
	const struct media_leg_info *info = &facts->stream->leg[leg];
	const struct dataplane_flow *flow = facts->flow[leg];
	const struct addr *latched = &info->rtp.latched;
	const char *who = latched->family ? "which the stream has locked onto"
			  : flow->latch   ? "or its prefix, the address in the SDP"
					  : "the address in the SDP (latching is off)";
	char port[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX], admitted[ADDR_TEXT_MAX];

	if (!info->rtp.dropped_source)
		return;
	addr_print(&flow->local, port);
	addr_print(latched->family ? latched : &flow->remote, admitted);
	if (info->refused.family)
		find(out, FINDING_refused_source, leg,
			"%" PRIu64 " packets to %s were refused: they come from %s and not from "
			"%s, %s",
			info->rtp.dropped_source, port, addr_print(&info->refused, from), admitted,
			who);
	else
		find(out, FINDING_refused_source, leg,
			"%" PRIu64 " packets to %s were refused: they do not come from %s, %s",
			info->rtp.dropped_source, port, admitted, who);
}

/* What keeps the packets of a leg from being forwarded. */
static void find_obstacles(const struct diagnosis_facts *facts, enum leg leg, struct findings *out)
{
	const struct media_leg_info *info = &facts->stream->leg[leg];
	const struct dataplane_flow *flow = facts->flow[leg];
	const char *name = leg_name(leg), *other = leg_name(OTHER_LEG(leg));
	char address[ADDR_TEXT_MAX];

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
	find_refused(facts, leg, out);
}

/* What comes in by the side of the leg and is no stream's: the leg's own may be among it. */
static void find_dropped(const struct diagnosis_facts *facts, enum leg leg, struct findings *out)
{
	static const enum vd_reason reasons[] = {VD_DROP_NO_FLOW, VD_DROP_DTLS, VD_DROP_STUN,
		VD_DROP_NOT_RTP, VD_DROP_MALFORMED, VD_DROP_TTL, VD_DROP_ZERO_CSUM,
		VD_PASS_FRAGMENT, VD_PASS_OPTIONS};
	uint8_t side = facts->flow[leg]->in_side;
	char list[FINDING_TEXT_MAX] = "";
	size_t len = 0;

	if (!facts->lately)
		return;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]) && len < sizeof(list); i++) {
		uint64_t packets = facts->lately[side][reasons[i]];

		if (packets)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%" PRIu64 " %s",
				len ? ", " : "", packets, dataplane_reason_text(reasons[i]));
	}
	if (len)
		find(out, FINDING_dropped, leg,
			"on the %s side, where leg %s's packets come in, packets of this call or "
			"others were no stream's in the last %d s: %s",
			side_name(side), leg_name(leg), DATAPLANE_LOSS_WINDOW_MS / 1000, list);
}

/* A leg behind an address translation that it does not know of: it is called from one address and
 * asks for media at another, which only its own network knows. */
static void find_private(const struct diagnosis_facts *facts, enum leg leg, struct findings *out)
{
	const struct addr *media = &facts->stream->leg[leg].remote;
	const struct addr *sip = &facts->signalling[leg];
	char said[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX];

	if (media->family && sip->family && is_private(media) && !is_private(sip))
		find(out, FINDING_private_address, leg,
			"leg %s's SDP asks for media at %s, a private address, while its SIP comes "
			"from %s: behind NAT it has to name its public address in SDP",
			leg_name(leg), addr_print_ip(media, said), addr_print_ip(sip, from));
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
		find(out, FINDING_silent, leg,
			"nothing comes from leg %s: it should send to %s, and no packet of its has "
			"come there (a firewall on the way, or it sends elsewhere or not at all)",
			name, addr_print(&info->local, port));
	else if (!lately_seen(&info->rtp))
		find(out, FINDING_stopped, leg, "leg %s has sent nothing for %" PRIu64 " s", name,
			info->rtp.last_seen_ms_ago / 1000);
	if (!lately_seen(&info->rtp)) {
		find_private(facts, leg, out);
		find_dropped(facts, leg, out);
	}
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

/* What leaves us towards the leg, and is lost behind us: nobody but the leg itself can tell. */
static bool finds_far_loss(const struct diagnosis_facts *facts, enum leg leg, struct findings *out)
{
	double percent = facts->stream->leg[leg].far_loss_percent;
	const struct addr *to = &facts->flow[OTHER_LEG(leg)]->out_remote;
	char address[ADDR_TEXT_MAX];

	if (percent >= PERCENT)
		find(out, FINDING_unheard, leg,
			"leg %s says by RTCP that it receives nothing of what is sent on to %s: it "
			"is lost on the way there, or refused at its end",
			leg_name(leg), addr_print(to, address));
	else if (percent > DIAGNOSIS_LOSS_PERCENT)
		find(out, FINDING_far_loss, leg,
			"leg %s says by RTCP that it loses %.1f %% of what is sent on to %s",
			leg_name(leg), percent, addr_print(to, address));
	return percent >= PERCENT;
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
	if (facts->stream->profiles_differ)
		find(out, FINDING_profiles, -1,
			"one leg's SDP says SRTP (RTP/SAVP), the other's plain RTP: what one sends "
			"is noise to the other, since SRTP is neither ended nor begun here");
	for (int leg = LEG_A; leg <= LEG_B; leg++)
		find_obstacles(facts, (enum leg)leg, out);
	for (int leg = LEG_A; leg <= LEG_B; leg++)
		find_silence(facts, (enum leg)leg, out);
	from_a = flows_from(facts, LEG_A);
	from_b = flows_from(facts, LEG_B);
	/* What leaves the program, and is lost or not understood then, cannot be said to flow. */
	lost = facts->stream->profiles_differ;
	lost |= from_a && finds_driver_loss(facts, LEG_A, out);
	lost |= from_b && finds_driver_loss(facts, LEG_B, out);
	lost |= from_a && finds_far_loss(facts, LEG_B, out);
	lost |= from_b && finds_far_loss(facts, LEG_A, out);
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
