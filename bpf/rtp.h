/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a media packet is (RFC 7983, RFC 5761) and what it says of itself (RFC 3550 5.1). */
#ifndef VIADUCT_BPF_RTP_H
#define VIADUCT_BPF_RTP_H

#include "parse.h"

/* RFC 7983 7: by the first byte */
#define STUN_FIRST_BYTE_MAX 3
#define DTLS_FIRST_BYTE_MIN 20
#define DTLS_FIRST_BYTE_MAX 63
#define RTP_VERSION         2

/* RFC 5761 4: by the second byte */
#define RTCP_TYPE_MIN 192
#define RTCP_TYPE_MAX 223
#define RTCP_SR       200
#define RTCP_RR       201
#define RTCP_BYE      203
#define RTCP_APP      204
#define RTCP_XR       207

#define RTP_HEADER_BYTES  12
#define RTP_CSRC_BYTES    4
#define RTP_CSRC_MASK     0x0f
#define RTP_EXTENSION     0x10
#define RTP_MARKER        0x80
#define RTP_PT_MASK       0x7f
#define RTCP_HEADER_BYTES 8 /* with the sender's SSRC */

struct rtp_header {
	__u8 vpxcc;
	__u8 marker_pt;
	__be16 seq;
	__be32 timestamp;
	__be32 ssrc;
};

/* What a packet of a flow is, besides a reason to drop it. */
enum media_kind { MEDIA_RTP, MEDIA_RTCP, MEDIA_OPAQUE };

static __always_inline struct rtp_header *rtp_header(const struct packet *p)
{
	return (struct rtp_header *)(p->udp + 1);
}

/* VD_CONTINUE with *kind, or the reason to drop. After MEDIA_RTP the twelve bytes of the header are
 * readable, after MEDIA_RTCP eight. */
static __always_inline __u32 rtp_classify(
	const struct packet *p, __u32 flow_flags, enum media_kind *kind)
{
	struct rtp_header *rtp = rtp_header(p);
	__u8 first, second;

	if (flow_flags & VD_FLOW_OPAQUE) {
		*kind = MEDIA_OPAQUE;
		return VD_CONTINUE;
	}
	if ((void *)rtp + 1 > p->data_end || !p->payload_len)
		return VD_DROP_NOT_RTP;
	first = rtp->vpxcc;
	if (unlikely(first >> 6 != RTP_VERSION)) {
		if (first <= STUN_FIRST_BYTE_MAX)
			return VD_DROP_STUN;
		if (first >= DTLS_FIRST_BYTE_MIN && first <= DTLS_FIRST_BYTE_MAX)
			return VD_DROP_DTLS;
		return VD_DROP_NOT_RTP;
	}
	if ((void *)rtp + RTCP_HEADER_BYTES > p->data_end || p->payload_len < RTCP_HEADER_BYTES)
		return VD_DROP_NOT_RTP;
	second = rtp->marker_pt;
	if (flow_flags & (VD_FLOW_RTCP | VD_FLOW_MUX)) {
		if (second >= RTCP_TYPE_MIN && second <= RTCP_TYPE_MAX) {
			*kind = MEDIA_RTCP;
			return VD_CONTINUE;
		}
		if (flow_flags & VD_FLOW_RTCP)
			return VD_DROP_NOT_RTP;
	} else if (unlikely(second >= RTCP_SR && second <= RTCP_APP)) {
		/* RTCP that nobody agreed to take here. As payload types these are reserved for
		 * that reason (RFC 3551 6); the rest of 192-223 may be RTP with the marker. */
		return VD_DROP_NOT_RTP;
	}
	if ((void *)(rtp + 1) > p->data_end ||
		p->payload_len < RTP_HEADER_BYTES + (first & RTP_CSRC_MASK) * RTP_CSRC_BYTES)
		return VD_DROP_NOT_RTP;
	*kind = MEDIA_RTP;
	return VD_CONTINUE;
}

/* Where the two legs gave one codec two numbers. Unused entries of the table match nothing. */
static __always_inline __u8 rtp_map_pt(const struct vd_flow *flow, __u8 marker_pt)
{
	__u8 pt = marker_pt & RTP_PT_MASK;

	for (int i = 0; i < VD_PT_MAP_MAX; i++)
		if (flow->pt_from[i] == pt)
			return (marker_pt & RTP_MARKER) | (flow->pt_to[i] & RTP_PT_MASK);
	return marker_pt;
}

#endif
