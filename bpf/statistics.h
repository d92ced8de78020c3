/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reception statistics of a stream (RFC 3550 A.1, A.3, A.8), exact when several CPUs receive it. */
#ifndef VIADUCT_BPF_STATISTICS_H
#define VIADUCT_BPF_STATISTICS_H

#include "clock.h"
#include "event.h"
#include "flow.h"
#include "rtp.h"
#include "telephone_event.h"

/* RFC 3550 A.1. Its MIN_SEQUENTIAL is 1 here: the source was named by SDP, there is no probation.
 */
#define RTP_SEQ_MOD      (1u << 16)
#define RTP_MAX_DROPOUT  3000
#define RTP_MAX_MISORDER 100

#define RECEIVED_ONE   (1ull << 32) /* of received_ssrc, in vd_stream.sequence */
#define SEQUENCE_TRIES 16
#define BUSY_TRIES     256

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "vd_stream.sequence and timing are taken apart as little-endian"
#endif

/* RFC 3550 A.3. Duplicates may make it negative: none lost, then. */
static __always_inline __u32 sequence_lost(__u32 base_seq, __u64 sequence)
{
	__s32 lost = (__u32)sequence - base_seq + 1 - (__u32)(sequence >> 32);

	return lost > 0 ? lost : 0;
}

/* sequence_start's answer besides an event: another CPU has begun, the packet is one among others.
 */
#define SEQUENCE_JOIN (-1)

/* The very first packet: whoever changes sequence from nothing begins, nobody waits. */
static __always_inline int sequence_start_first(
	struct vd_stream *stream, __u32 ssrc, __u32 seq, __u32 transit)
{
	if (__sync_val_compare_and_swap(&stream->sequence, 0, RECEIVED_ONE | seq))
		return SEQUENCE_JOIN;
	stream->base_seq = seq;
	stream->timing = transit;
	stream->ssrc = ssrc;
	/* An exchange, for its barrier. */
	__sync_lock_test_and_set(&stream->flags, VD_STREAM_STARTED);
	return VD_EVENT_FIRST_PACKET;
}

/* The first packet, a new SSRC, or RFC 3550 A.1's "other side restarted": counting begins with this
 * packet. For the latter two one CPU does it; one that comes meanwhile waits, and where that lasts
 * (an interrupt there) leaves its packet counted, its number unseen. Returns the event that this
 * is, 0 for none, or SEQUENCE_JOIN. */
__noinline int sequence_start(struct vd_stream *stream, __u32 ssrc, __u32 seq, __u32 transit)
{
	__u32 flags = VD_STREAM_BUSY;
	__u64 before;
	int event = 0;

	if (!stream)
		return 0;
	if (!READ_ONCE(stream->flags))
		return sequence_start_first(stream, ssrc, seq, transit);
	for (int i = 0; i < BUSY_TRIES; i++) {
		flags = __sync_val_compare_and_swap(
			&stream->flags, VD_STREAM_STARTED, VD_STREAM_STARTED | VD_STREAM_BUSY);
		if (flags == VD_STREAM_STARTED)
			break;
	}
	if (flags != VD_STREAM_STARTED) {
		__sync_fetch_and_add(&stream->sequence, RECEIVED_ONE);
		return 0;
	}
	if (stream->ssrc == ssrc && stream->bad_seq != (seq | VD_BAD_SEQ_SET)) {
		__sync_lock_test_and_set(&stream->flags, VD_STREAM_STARTED);
		return SEQUENCE_JOIN;
	}
	before = __sync_lock_test_and_set(&stream->sequence, RECEIVED_ONE | seq);
	__sync_fetch_and_add(&stream->packets_apart, before >> 32);
	stream->lost_before += sequence_lost(stream->base_seq, before);
	if (stream->ssrc != ssrc) {
		event = VD_EVENT_SSRC;
		stream->ssrc_changes++;
		stream->te_reported = 0;
	}
	/* Jitter goes on over a restart of the same source. */
	stream->timing = event ? transit : (__u64)stream->jitter << 32 | transit;
	stream->base_seq = seq;
	stream->bad_seq = 0;
	stream->ssrc = ssrc;
	__sync_lock_test_and_set(&stream->flags, VD_STREAM_STARTED);
	return event;
}

/* RFC 3550 A.1, update_seq. False: this packet is the second in order after a big jump, so that
 * counting must begin anew. A wrapped number carries into the cycles by itself; the cycles would
 * carry into received_ssrc after 2^32 packets, years of any call. */
static __always_inline bool sequence_update(struct vd_stream *stream, __u16 seq)
{
	__u64 seen = READ_ONCE(stream->sequence);

	for (int i = 0; i < SEQUENCE_TRIES; i++) {
		__u32 max = seen;
		__u16 ahead = seq - (__u16)max;
		__u64 next = seen + RECEIVED_ONE, was;

		if (likely(ahead < RTP_MAX_DROPOUT)) {
			next += ahead;
		} else if (ahead <= RTP_SEQ_MOD - RTP_MAX_MISORDER) {
			if (stream->bad_seq == (seq | VD_BAD_SEQ_SET))
				return false;
			stream->bad_seq = (__u16)(seq + 1) | VD_BAD_SEQ_SET;
			__sync_fetch_and_add(&stream->packets_apart, 1);
			return true;
		}
		was = __sync_val_compare_and_swap(&stream->sequence, seen, next);
		if (likely(was == seen)) {
			if (unlikely(ahead >= RTP_MAX_DROPOUT))
				__sync_fetch_and_add(&stream->out_of_order, 1);
			return true;
		}
		seen = was;
	}
	/* Sixteen others were quicker, and each got further than the one before. */
	__sync_fetch_and_add(&stream->sequence, RECEIVED_ONE);
	return true;
}

/* RFC 3550 A.8. */
static __always_inline void jitter_update(struct vd_stream *stream, __u32 transit)
{
	__u64 timing = READ_ONCE(stream->timing);
	__u32 jitter = timing >> 32;
	__u32 d = transit - (__u32)timing;

	if ((__s32)d < 0)
		d = -d;
	jitter += d - ((jitter + 8) >> 4);
	WRITE_ONCE(stream->timing, (__u64)jitter << 32 | transit);
}

static __always_inline void statistics_rtp(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, struct vd_stream *stream)
{
	struct rtp_header *rtp = rtp_header(p);
	__u16 seq = bpf_ntohs(rtp->seq);
	__u32 ssrc = bpf_ntohl(rtp->ssrc);
	__u64 now_ns = clock_ns();
	__u32 arrival = ((now_ns >> 10) * flow->clock_mult) >> 22;
	__u32 transit = arrival - bpf_ntohl(rtp->timestamp);
	bool telephone_event = (rtp->marker_pt & RTP_PT_MASK) == flow->te_pt;
	int event = 0;

	__sync_fetch_and_add(&stream->bytes, p->payload_len);
	WRITE_ONCE(stream->last_seen_ns, now_ns);

	if (unlikely(READ_ONCE(stream->flags) != VD_STREAM_STARTED ||
		     READ_ONCE(stream->ssrc) != ssrc || !sequence_update(stream, seq))) {
		event = sequence_start(stream, ssrc, seq, transit);
		if (event > 0)
			event_send(ctx, event_at(p), flow, event, ssrc);
		if (event == SEQUENCE_JOIN && !sequence_update(stream, seq))
			__sync_fetch_and_add(&stream->packets_apart, 1);
	} else if (flow->clock_mult && likely(!telephone_event)) {
		/* All packets of one telephone-event carry its start as timestamp (RFC 4733
		 * 2.5.1.1): they say nothing of the network's jitter. */
		jitter_update(stream, transit);
	}
	if (unlikely(telephone_event) && !(flow->flags & VD_FLOW_SECURE))
		telephone_event_seen(ctx, event_at(p), flow, stream);
}

/* The first packet of a stream that has no sequence numbers to read. */
static __always_inline void statistics_first(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, struct vd_stream *stream)
{
	if (unlikely(!READ_ONCE(stream->flags)) &&
		!__sync_val_compare_and_swap(&stream->flags, 0, VD_STREAM_STARTED))
		event_send(ctx, event_at(p), flow, VD_EVENT_FIRST_PACKET, 0);
}

static __always_inline void statistics_opaque(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, struct vd_stream *stream)
{
	__sync_fetch_and_add(&stream->packets_apart, 1);
	__sync_fetch_and_add(&stream->bytes, p->payload_len);
	WRITE_ONCE(stream->last_seen_ns, clock_ns());
	statistics_first(ctx, p, flow, stream);
}

static __always_inline bool rtcp_is_wanted(__u8 type)
{
	return type == RTCP_SR || type == RTCP_RR || type == RTCP_BYE || type == RTCP_XR;
}

static __always_inline void statistics_rtcp(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, struct vd_stream *stream)
{
	__sync_fetch_and_add(&stream->rtcp_packets, 1);
	WRITE_ONCE(stream->last_seen_ns, clock_ns());
	/* On a port that RTP shares, the stream's first packet is its first RTP. */
	if (flow->flags & VD_FLOW_RTCP)
		statistics_first(ctx, p, flow, stream);
	if (flow->flags & VD_FLOW_RTCP_COPY && !(flow->flags & VD_FLOW_SECURE) &&
		rtcp_is_wanted(rtp_header(p)->marker_pt))
		event_send_rtcp(ctx, event_at(p), flow, p->payload_len);
}

#endif
