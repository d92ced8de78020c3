/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Changes told to user space. Off the usual path: nothing here may touch a packet's fate.
 *
 * Functions that are __noinline without static, here and elsewhere, are verified once by themselves
 * and not again at every call: that keeps loading quick. They must expect NULL for a pointer. */
#ifndef VIADUCT_BPF_EVENT_H
#define VIADUCT_BPF_EVENT_H

#include "maps.h"
#include "parse.h"

#define NSEC_PER_SEC 1000000000ull

/* Where a packet's headers are, in one number that crosses a call: the IP header's offset in the
 * frame, and whether it is IPv6. */
#define EVENT_AT_V6 (1u << 16)

static __always_inline __u32 event_at(const struct packet *p)
{
	return p->l2_len | (p->v6 ? EVENT_AT_V6 : 0);
}

static __always_inline __u32 event_udp_offset(__u32 at)
{
	return (at & 0xff) + (at & EVENT_AT_V6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
}

static __always_inline void event_lose(void)
{
	const __u32 zero = 0;
	__u64 *lost = bpf_map_lookup_elem(&vd_event_lost, &zero);

	if (lost)
		(*lost)++;
}

/* What strangers cause finds room in one half of the ring only: with all of it taken by who sweeps
 * thousands of ports, what calls do would go untold. */
static __always_inline bool event_is_crowded(void)
{
	return bpf_ringbuf_query(&vd_events, BPF_RB_AVAIL_DATA) >
	       bpf_ringbuf_query(&vd_events, BPF_RB_RING_SIZE) / 2;
}

/* What a peer can provoke at will is limited, a stream: two CPUs may let one or two too many by. */
static __always_inline bool event_allowed(__u32 stream_index, __u32 type, __u64 now_ns)
{
	struct vd_stream *stream = stream_at(stream_index);
	__u32 second = now_ns / NSEC_PER_SEC;

	if (type == VD_EVENT_REFUSED)
		return !event_is_crowded();
	if (type == VD_EVENT_FIRST_PACKET || type == VD_EVENT_LATCHED ||
		type == VD_EVENT_SOURCE_MAC)
		return true;
	if (!stream)
		return false;
	if (stream->event_second != second) {
		stream->event_second = second;
		stream->event_count = 0;
	}
	return __sync_fetch_and_add(&stream->event_count, 1) < VD_EVENTS_PER_SECOND;
}

/* Fills in all but data. False: over the limit, counted as lost. */
static __always_inline bool event_fill(struct vd_event *event, struct xdp_md *ctx, __u32 at,
	const struct vd_flow *flow, __u32 type, __u32 value)
{
	__builtin_memset(event, 0, sizeof(*event));
	event->type = type;
	event->cookie = flow->cookie;
	event->stream = flow->stream;
	event->value = value;
	event->time_ns = bpf_ktime_get_ns();
	if (!event_allowed(flow->stream, type, event->time_ns)) {
		event_lose();
		return false;
	}
	if (at & EVENT_AT_V6) {
		bpf_xdp_load_bytes(ctx, (at & 0xff) + offsetof(struct ipv6hdr, saddr), event->addr,
			sizeof(event->addr));
	} else {
		event->addr[10] = 0xff;
		event->addr[11] = 0xff;
		bpf_xdp_load_bytes(
			ctx, (at & 0xff) + offsetof(struct iphdr, saddr), event->addr + 12, 4);
	}
	bpf_xdp_load_bytes(ctx, event_udp_offset(at), &event->port_be, sizeof(event->port_be));
	return true;
}

__noinline int event_send(
	struct xdp_md *ctx, __u32 at, const struct vd_flow *flow, __u32 type, __u32 value)
{
	struct vd_event event;

	if (flow && event_fill(&event, ctx, at, flow, type, value) &&
		bpf_ringbuf_output(&vd_events, &event, sizeof(event), 0))
		event_lose();
	return 0;
}

/* The head of an RTCP packet, with as many bytes as there are up to VD_EVENT_RTCP_BYTES. */
__noinline int event_send_rtcp(
	struct xdp_md *ctx, __u32 at, const struct vd_flow *flow, __u32 payload_len)
{
	__u8 record[sizeof(struct vd_event) + VD_EVENT_RTCP_BYTES] __attribute__((aligned(8)));
	struct vd_event *event = (struct vd_event *)record;
	__u32 len = payload_len;

	if (len > VD_EVENT_RTCP_BYTES)
		len = VD_EVENT_RTCP_BYTES;
	__builtin_memset(record, 0, sizeof(record));
	if (!flow || !len || !event_fill(event, ctx, at, flow, VD_EVENT_RTCP, 0))
		return 0;
	len = length_within(len, VD_EVENT_RTCP_BYTES);
	if (bpf_xdp_load_bytes(ctx, event_udp_offset(at) + sizeof(struct udphdr), event->data, len))
		return 0;
	event->len = len;
	if (bpf_ringbuf_output(&vd_events, record, sizeof(*event) + len, 0))
		event_lose();
	return 0;
}

#endif
