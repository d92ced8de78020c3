/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The XDP program: media from one side's NIC to the other's.
 *
 * A packet's way:
 *
 *   parse      Ethernet, one VLAN tag, IPv4 or IPv6, UDP           parse.h
 *   flow       our address? our port? whose flow?                  local.h flow.h
 *   admit      the expected source, or one to latch onto           admit.h rtp.h
 *   transform  statistics, events; the payload type planned        clock.h statistics.h
 *                                                                  telephone_event.h
 *   rewrite    Ethernet, VLAN, IPv4/IPv6, UDP, checksums           rewrite.h checksum.h
 *   send       the next hop's device                               send.h
 *   count      once, under the reason that is the verdict          count.h
 *
 * With many streams a packet for a port of ours waits, after its flow is known to exist, for others
 * (batch.h): it goes to the egress device as it is, and all of this is done there by a second
 * program, viaduct_finish. Where it is dropped there, that is no loss of the driver's.
 *
 * Nothing is written before everything is decided, so that what is passed up is as it came.
 *
 * What becomes of what, in the order of the checks; the first that applies counts:
 *
 *   packet                                                      verdict, reason
 *   ----------------------------------------------------------  ----------------------
 *   neither IPv4 nor IPv6 behind at most one 802.1Q tag         pass  PASS_NOT_IP
 *   IP header cut short, or another version's                   pass  PASS_NOT_OURS
 *   to an address, device and VLAN that is not in vd_locals     pass  PASS_NOT_OURS
 *   to a media address of ours (SIP may live there too):
 *     IPv4 fragment, first or later; IPv6 fragment header       pass  PASS_FRAGMENT
 *     IPv4 options; IPv6 hop-by-hop, routing, ESP, AH,
 *       destination options, mobility                           pass  PASS_OPTIONS
 *     IPv4 header length below 20; UDP header cut short         drop  DROP_MALFORMED
 *     ICMP, ICMPv6                                              pass  PASS_ICMP
 *     any other protocol, or a port outside the media range     pass  PASS_NOT_OURS
 *   to a media port of ours:
 *     UDP, IP and frame lengths that do not agree (bytes
 *       behind the IP packet are Ethernet padding: they are
 *       legal, and travel on unharmed)                          drop  DROP_MALFORMED
 *     no flow on the port                                       drop  DROP_NO_FLOW
 *     TTL or hop limit 0 or 1                                   drop  DROP_TTL
 *     IPv6 UDP without a checksum (RFC 8200 8.1)                drop  DROP_ZERO_CSUM
 *     not from the source admitted, or not in the prefix that
 *       may latch                                               drop  DROP_SOURCE
 *     while another CPU is locking the source                   drop  DROP_LATCH_BUSY
 *     STUN, DTLS by RFC 7983 (flows of RTP and RTCP)            drop  DROP_STUN, DROP_DTLS
 *     not RTP version 2; shorter than its header; RTCP on a
 *       port for RTP alone, RTP on a port for RTCP alone        drop  DROP_NOT_RTP
 *   from here on it is received, and in the stream's statistics:
 *     the other leg takes nothing now                           drop  DROP_HELD
 *     the next hop is not resolved                              drop  DROP_NO_NEIGHBOUR
 *     too long for the egress device (or, from IPv4 without a
 *       checksum to IPv6, longer than 9216 bytes)               drop  DROP_MTU
 *     IPv4 header checksum wrong, and leaving as IPv6 (to
 *       IPv4 it travels on, as wrong as it came)                drop  DROP_MALFORMED
 *     no headroom to grow into                                  drop  DROP_ADJUST
 *     the next hop's device is not in vd_devices, or, where the
 *       packet waited, another than it is at                    drop  DROP_REDIRECT
 *     else                                                      sent  FORWARDED
 *
 * A source latches by a packet that passed all checks up to DROP_NOT_RTP, never by less. */
#include "base.h"
#include "maps.h"
#include "parse.h"
#include "local.h"
#include "flow.h"
#include "batch.h"
#include "admit.h"
#include "rtp.h"
#include "source_mac.h"
#include "statistics.h"
#include "rewrite.h"
#include "send.h"
#include "count.h"

static __always_inline void receive(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, struct vd_stream *stream, enum media_kind kind)
{
	if (likely(kind == MEDIA_RTP))
		statistics_rtp(ctx, p, flow, stream);
	else if (kind == MEDIA_RTCP)
		statistics_rtcp(ctx, p, flow, stream);
	else
		statistics_opaque(ctx, p, flow, stream);
}

/* waited: a constant where this is inlined; the packet is at its device already. */
static __always_inline __u32 relay(
	struct xdp_md *ctx, const struct packet *p, __u32 port, bool waited)
{
	struct vd_flow *flow, *out;
	struct vd_stream *stream;
	struct vd_nexthop *nexthop;
	struct rewrite headers = {};
	enum media_kind kind = MEDIA_RTP;
	__u32 admission, reason;

	flow = flow_find(port, p->v6, waited);
	if (!flow)
		return VD_DROP_NO_FLOW;
	stream = flow_stream(flow);
	if (!stream)
		return VD_DROP_NO_FLOW;
	if (unlikely(p->ttl <= 1))
		return VD_DROP_TTL;
	if (p->v6 && unlikely(!p->udp->check))
		return VD_DROP_ZERO_CSUM;

	admission = admit_source(ctx, p, flow, stream);
	if (unlikely(admission != VD_CONTINUE && admission != ADMIT_MAY_LATCH))
		return admission;
	reason = rtp_classify(p, flow->flags, &kind);
	if (unlikely(reason != VD_CONTINUE))
		return reason;
	if (unlikely(admission == ADMIT_MAY_LATCH)) {
		reason = admit_latch(ctx, p, flow, stream);
		if (reason != VD_CONTINUE)
			return reason;
	}

	source_mac_watch(ctx, p, flow);
	receive(ctx, p, flow, stream, kind);
	out = flow_output(flow, kind == MEDIA_RTCP);
	if (!out)
		return VD_DROP_NO_FLOW;
	if (unlikely(out->flags & VD_FLOW_BLACKHOLE))
		return VD_DROP_HELD;

	nexthop = nexthop_find(out);
	if (!nexthop)
		return VD_DROP_NO_NEIGHBOUR;
	reason = rewrite_plan(ctx, p, flow, out, nexthop, kind, &headers);
	if (unlikely(reason != VD_CONTINUE))
		return reason;
	reason = rewrite(ctx, p, out, nexthop, &headers);
	if (unlikely(reason != VD_CONTINUE))
		return reason;
	return waited ? send_waited(ctx, nexthop) : send(nexthop);
}

/* What becomes of a packet that is no whole UDP datagram. It is parsed once more: the way of a
 * call's packet thus need not carry along what there was to object. Not static, as the functions of
 * event.h. */
__noinline int judge_objection(struct xdp_md *ctx)
{
	__u32 frame_bytes = ctx->data_end - ctx->data;
	struct local_match match;
	struct packet packet = {}; /* what parse has not come to is read, if to no effect */
	__u32 objection;

	objection = parse(ctx, &packet);
	if (objection >= VD_REASON_MAX)
		return XDP_PASS; /* never: it is called with none */
	local_find(&match, true, ctx->ingress_ifindex, &packet);
	if (packet.has_address && !(packet.has_port ? match.in_range : match.address))
		objection = VD_PASS_NOT_OURS;
	return count(match.side, objection, frame_bytes);
}

/* Packets as they come in. */
SEC("xdp")
int viaduct_xdp(struct xdp_md *ctx)
{
	__u32 frame_bytes = ctx->data_end - ctx->data;
	struct local_match match;
	struct packet packet;
	__u32 reason;

	if (parse(ctx, &packet) != VD_CONTINUE)
		return judge_objection(ctx);
	local_find(&match, true, ctx->ingress_ifindex, &packet);
	if (!match.in_range)
		return count(match.side, VD_PASS_NOT_OURS, frame_bytes);
	if (batching && batch_defer(&packet, match.port))
		return XDP_REDIRECT;
	reason = relay(ctx, &packet, match.port, false);
	return count(match.side, reason, frame_bytes);
}

/* Packets that waited, at the device that they leave by. All others were finished and counted
 * before they came here. */
SEC("xdp/devmap")
int viaduct_finish(struct xdp_md *ctx)
{
	struct local_match match;
	struct packet packet;
	__u32 frame_bytes, reason;

	if (parse(ctx, &packet) != VD_CONTINUE)
		return XDP_PASS;
	local_find(&match, false, 0, &packet);
	if (!match.in_range)
		return XDP_PASS;
	batch_begin(packet.v6);
	frame_bytes = packet.l2_len + packet.l3_room; /* as it came in */
	reason = relay(ctx, &packet, match.port, true);
	count(match.side, reason, frame_bytes);
	if (likely(reason == VD_FORWARDED))
		return XDP_PASS;
	batch_drop();
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
