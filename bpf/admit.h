/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who may send into a flow: the source that SDP named, or the one it latched onto. */
#ifndef VIADUCT_BPF_ADMIT_H
#define VIADUCT_BPF_ADMIT_H

#include "event.h"

/* admit_source's answer where the latch is open and the source may take it. */
#define ADMIT_MAY_LATCH (VD_REASON_MAX + 1)

#define ADDRESS_BITS 128
#define WORD_BITS    32

static __always_inline bool source_equals(const struct packet *p, const __u8 *expected)
{
	const __u32 *want = (const __u32 *)expected;

	if (likely(!p->v6))
		return want[3] == p->ip4->saddr;
	return want[0] == p->ip6->saddr.in6_u.u6_addr32[0] &&
	       want[1] == p->ip6->saddr.in6_u.u6_addr32[1] &&
	       want[2] == p->ip6->saddr.in6_u.u6_addr32[2] &&
	       want[3] == p->ip6->saddr.in6_u.u6_addr32[3];
}

/* The first src_prefix bits agree. */
static __always_inline bool source_in_prefix(const struct packet *p, const struct vd_flow *flow)
{
	const __u32 *want = (const __u32 *)flow->src_addr;
	__u32 bits = flow->src_prefix;
	__u32 source[4];

	packet_source(p, source);
	for (int i = 0; i < 4; i++) {
		__u32 differ = bpf_ntohl(source[i] ^ want[i]);

		if (bits < WORD_BITS)
			return !bits || !(differ >> (WORD_BITS - bits));
		if (differ)
			return false;
		bits -= WORD_BITS;
	}
	return true;
}

/* Port 0 stands for any port where there is a latch to narrow it down, else for none. */
static __always_inline bool source_is_expected(const struct packet *p, const struct vd_flow *flow)
{
	if (!flow->src_port_be) {
		if (!(flow->flags & VD_FLOW_LATCH))
			return false;
	} else if (flow->src_port_be != p->udp->source) {
		return false;
	}
	if (likely(flow->src_prefix >= ADDRESS_BITS))
		return source_equals(p, flow->src_addr);
	return source_in_prefix(p, flow);
}

/* Counts it, and tells where it came from: of the 1st, the 2nd, the 4th, the 8th … without a clock,
 * and so that a flood makes no storm. The last one told is among the later half. */
static __always_inline __u32 admit_refuse(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, struct vd_stream *stream)
{
	__u32 count = __sync_fetch_and_add(&stream->dropped_source, 1) + 1;

	if (unlikely(!(count & (count - 1))))
		event_send(ctx, event_at(p), flow, VD_EVENT_REFUSED, count);
	return VD_DROP_SOURCE;
}

/* VD_CONTINUE, ADMIT_MAY_LATCH, or the reason to drop. */
static __always_inline __u32 admit_source(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, struct vd_stream *stream)
{
	if (!(flow->flags & VD_FLOW_LATCH)) {
		if (likely(source_is_expected(p, flow)))
			return VD_CONTINUE;
	} else {
		__u32 state = READ_ONCE(stream->latch_state);

		if (likely(state == VD_LATCH_LOCKED)) {
			if (likely(stream->latched_port_be == p->udp->source &&
				    source_equals(p, stream->latched_addr)))
				return VD_CONTINUE;
		} else if (!source_is_expected(p, flow)) {
			/* a stranger, whatever the latch does */
		} else if (state == VD_LATCH_OPEN) {
			return ADMIT_MAY_LATCH;
		} else {
			return VD_DROP_LATCH_BUSY;
		}
	}
	return admit_refuse(ctx, p, flow, stream);
}

/* Locks onto the packet's source. Of two packets that come at once on two CPUs one wins; the other
 * is judged by what that one left. */
static __always_inline __u32 admit_latch(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, struct vd_stream *stream)
{
	__u32 again;

	if (__sync_val_compare_and_swap(&stream->latch_state, VD_LATCH_OPEN, VD_LATCH_BUSY) ==
		VD_LATCH_OPEN) {
		packet_source(p, (__u32 *)stream->latched_addr);
		stream->latched_port_be = p->udp->source;
		/* An exchange, for its barrier: the address is there before the state says so. */
		__sync_lock_test_and_set(&stream->latch_state, VD_LATCH_LOCKED);
		event_send(ctx, event_at(p), flow, VD_EVENT_LATCHED, 0);
		return VD_CONTINUE;
	}
	again = admit_source(ctx, p, flow, stream);
	return again == ADMIT_MAY_LATCH ? VD_DROP_LATCH_BUSY : again;
}

#endif
