/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* RFC 4733 2.3: a telephone-event's end, told once. The packets themselves travel on like any. */
#ifndef VIADUCT_BPF_TELEPHONE_EVENT_H
#define VIADUCT_BPF_TELEPHONE_EVENT_H

#include "event.h"
#include "rtp.h"

#define TELEPHONE_EVENT_END     0x80
#define TELEPHONE_EVENT_RUNNING 0x8000       /* in vd_stream.te_event */
#define TELEPHONE_EVENT_TOLD    (1ull << 32) /* te_reported, in vd_stream.te_told */

struct telephone_event {
	__u8 event;
	__u8 end_volume;
	__be16 duration;
};

struct rtp_extension {
	__be16 profile;
	__be16 words;
};

/* The payload's offset in the frame, behind CSRCs and header extension (RFC 3550 5.3.1), or a
 * negative errno. */
static __always_inline int rtp_payload_offset(
	struct xdp_md *ctx, __u32 rtp_offset, const struct rtp_header *rtp)
{
	__u32 offset = rtp_offset + sizeof(*rtp) + (rtp->vpxcc & RTP_CSRC_MASK) * RTP_CSRC_BYTES;
	struct rtp_extension extension;
	long err;

	if (rtp->vpxcc & RTP_EXTENSION) {
		err = bpf_xdp_load_bytes(ctx, offset, &extension, sizeof(extension));
		if (err)
			return err;
		offset += sizeof(extension) + bpf_ntohs(extension.words) * 4;
	}
	return offset;
}

/* An event's last packet is sent three times (RFC 4733 2.5.1.4), all with its timestamp: one of
 * them is reported, whichever CPUs they come by. */
__noinline int telephone_event_seen(
	struct xdp_md *ctx, __u32 at, const struct vd_flow *flow, struct vd_stream *stream)
{
	__u32 rtp_offset = event_udp_offset(at) + sizeof(struct udphdr);
	struct telephone_event te;
	struct udphdr udp;
	struct rtp_header rtp;
	__u64 told, tell;
	int offset;

	if (!flow || !stream || bpf_xdp_load_bytes(ctx, event_udp_offset(at), &udp, sizeof(udp)) ||
		bpf_xdp_load_bytes(ctx, rtp_offset, &rtp, sizeof(rtp)))
		return 0;
	offset = rtp_payload_offset(ctx, rtp_offset, &rtp);
	/* Within the UDP payload: behind it there may be Ethernet padding. */
	if (offset < 0 || offset + sizeof(te) > event_udp_offset(at) + bpf_ntohs(udp.len) ||
		bpf_xdp_load_bytes(ctx, offset, &te, sizeof(te)))
		return 0;
	tell = TELEPHONE_EVENT_TOLD | bpf_ntohl(rtp.timestamp);
	told = READ_ONCE(stream->te_told);
	if (told == tell)
		return 0;
	if (!(te.end_volume & TELEPHONE_EVENT_END)) {
		stream->te_event = te.event | TELEPHONE_EVENT_RUNNING;
		return 0;
	}
	if (__sync_val_compare_and_swap(&stream->te_told, told, tell) != told)
		return 0;
	stream->te_event = 0;
	event_send(
		ctx, at, flow, VD_EVENT_DTMF_END, te.event | (__u32)bpf_ntohs(te.duration) << 16);
	return 0;
}

#endif
