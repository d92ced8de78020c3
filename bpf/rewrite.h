/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the headers a packet came with to those it leaves with: Ethernet, 802.1Q, IPv4, IPv6 and
 * between the two, UDP, the payload type. First a plan that only reads, then the writing. */
#ifndef VIADUCT_BPF_REWRITE_H
#define VIADUCT_BPF_REWRITE_H

#include "checksum.h"

#define ECN_MASK           0x03
#define DSCP_SHIFT         2
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_VERSION_IHL   0x4500
#define IPV6_LABEL_MASK    0xfffff
#define IPV6_VERSION       (6u << 28)
#define IPV6_CLASS_SHIFT   20

struct rewrite {
	__u32 l2_len; /* to send with */
	int grow;     /* bytes that the headers become longer */
	bool v6;
	__u16 tci;          /* host order; sent where l2_len has room for a tag */
	__u16 udp_check;    /* to send, network order */
	__u8 traffic_class; /* DSCP and ECN */
	__u8 ttl;
	__u8 marker_pt; /* to send, valid with rtp */
	bool rtp;
};

static __always_inline __u32 header_bytes(bool v6)
{
	return v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static __always_inline bool ipv4_checksum_holds(const struct iphdr *ip)
{
	const __u32 *words = (const __u32 *)ip;
	__u64 sum = 0;

	for (int i = 0; i < IPV4_HEADER_WORDS; i++)
		sum += words[i];
	return checksum_fold(sum) == 0xffff;
}

/* RFC 8200 8.1: over IPv6 a checksum must be there; made from nothing where IPv4 had none. */
static __always_inline __u32 rewrite_make_checksum(
	struct xdp_md *ctx, const struct packet *p, const struct vd_flow *out, struct rewrite *r)
{
	__u32 payload = p->l2_len + sizeof(struct iphdr) + sizeof(struct udphdr);
	int payload_sum = checksum_payload(ctx, payload, p->payload_len);
	__u64 sum;

	if (payload_sum < 0)
		return VD_DROP_MTU;
	/* The length stands in the pseudo-header and in the header. */
	sum = (__u64)payload_sum + p->udp->len + p->udp->len + bpf_htons(IPPROTO_UDP) +
	      bpf_htons(out->out_csum);
	if (r->rtp)
		sum += minus16(*(__u16 *)rtp_header(p)) +
		       (__u16)(rtp_header(p)->vpxcc | r->marker_pt << 8);
	r->udp_check = checksum_udp_finish(sum);
	return VD_CONTINUE;
}

/* VD_CONTINUE, or the reason to drop. kind: MEDIA_RTP has its payload type mapped. */
static __always_inline __u32 rewrite_plan(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *flow, const struct vd_flow *out, const struct vd_nexthop *nexthop,
	enum media_kind kind, struct rewrite *r)
{
	__u64 sum;

	r->v6 = out->flags & VD_FLOW_OUT_V6;
	r->l2_len = ETH_HLEN + (nexthop->vlan ? VLAN_HLEN : 0);
	r->tci = (nexthop->vlan & VLAN_ID_MASK) | p->vlan_bits;
	r->grow = (int)(r->l2_len + header_bytes(r->v6)) - (int)(p->l2_len + header_bytes(p->v6));
	r->traffic_class = out->dscp << DSCP_SHIFT | (p->traffic_class & ECN_MASK);
	r->ttl = out->ttl ? out->ttl : p->ttl - 1;
	r->rtp = kind == MEDIA_RTP && flow->flags & VD_FLOW_PT_MAP;

	/* What follows IP in the frame counts: the egress device must take it too. */
	if (p->l3_room - header_bytes(p->v6) + header_bytes(r->v6) > nexthop->mtu)
		return VD_DROP_MTU;
	if (unlikely(r->rtp))
		r->marker_pt = rtp_map_pt(flow, rtp_header(p)->marker_pt);
	/* IPv4's header checksum ends here: what it would have told must be told now. */
	if (r->v6 && !p->v6 && !ipv4_checksum_holds(p->ip4))
		return VD_DROP_MALFORMED;
	if (unlikely(!p->udp->check)) {
		r->udp_check = 0;
		return r->v6 ? rewrite_make_checksum(ctx, p, out, r) : VD_CONTINUE;
	}
	/* RFC 1624: HC' = ~(~HC + ~m + m') */
	sum = minus16(p->udp->check) + checksum_minus_addresses(p) + bpf_htons(out->out_csum);
	if (unlikely(r->rtp))
		sum += minus16(*(__u16 *)rtp_header(p)) +
		       (__u16)(rtp_header(p)->vpxcc | r->marker_pt << 8);
	r->udp_check = checksum_udp_finish(sum);
	return VD_CONTINUE;
}

static __always_inline void write_ethernet(
	void *data, const struct vd_nexthop *nexthop, const struct rewrite *r, bool v6)
{
	const __u32 *macs = (const __u32 *)nexthop->dmac; /* and smac behind it */
	__u32 *words = data;
	__be16 ethertype = v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	__be16 *type = data + 2 * ETH_ALEN;

	words[0] = macs[0];
	words[1] = macs[1];
	words[2] = macs[2];
	if (r->l2_len > ETH_HLEN) {
		type[0] = bpf_htons(ETH_P_8021Q);
		type[1] = bpf_htons(r->tci);
		type[2] = ethertype;
	} else {
		type[0] = ethertype;
	}
}

/* IPv4 as it came, changed by differences: what was wrong in its checksum stays wrong. Words are
 * written whole and not read again: the CPU waits long for a word of which it just wrote a byte. */
static __always_inline void write_ipv4(
	struct iphdr *ip, const struct vd_flow *out, const struct rewrite *r)
{
	__u32 source = out->out_src_low;
	__u32 destination = out->out_dst_low;
	__u16 *words = (__u16 *)ip;
	__u16 first = bpf_htons(IPV4_VERSION_IHL | r->traffic_class);
	__u16 fifth = bpf_htons(r->ttl << 8 | IPPROTO_UDP);
	__u64 sum = minus16(ip->check) + minus16(words[0]) + minus16(words[4]) +
		    minus32(ip->saddr) + minus32(ip->daddr);

	sum += (__u64)first + fifth + source + destination;
	words[0] = first;
	words[4] = fifth;
	ip->saddr = source;
	ip->daddr = destination;
	ip->check = ~checksum_fold(sum);
}

/* RFC 7915 5.1, with DF set: an atomic datagram, whose identification says nothing (RFC 6864). */
static __always_inline void write_ipv4_new(
	struct iphdr *ip, const struct vd_flow *out, const struct rewrite *r, __u16 udp_len)
{
	__u32 source = out->out_src_low;
	__u32 destination = out->out_dst_low;
	__u16 *words = (__u16 *)ip;
	__u64 sum;

	words[0] = bpf_htons(IPV4_VERSION_IHL | r->traffic_class);
	words[1] = bpf_htons(udp_len + sizeof(*ip));
	words[2] = 0;
	words[3] = bpf_htons(IPV4_DONT_FRAGMENT);
	words[4] = bpf_htons(r->ttl << 8 | IPPROTO_UDP);
	ip->saddr = source;
	ip->daddr = destination;
	sum = (__u64)words[0] + words[1] + words[3] + words[4] + source + destination;
	ip->check = ~checksum_fold(sum);
}

static __always_inline void write_ipv6_addresses(struct ipv6hdr *ip, const struct vd_flow *out)
{
	const __u32 *source = (const __u32 *)out->out_src_high;
	const __u32 *destination = (const __u32 *)out->out_dst_high;

	for (int i = 0; i < 3; i++) {
		ip->saddr.in6_u.u6_addr32[i] = source[i];
		ip->daddr.in6_u.u6_addr32[i] = destination[i];
	}
	ip->saddr.in6_u.u6_addr32[3] = out->out_src_low;
	ip->daddr.in6_u.u6_addr32[3] = out->out_dst_low;
}

/* The flow label is the sender's where it was IPv6, else 0. */
static __always_inline void write_ipv6(
	struct ipv6hdr *ip, const struct vd_flow *out, const struct rewrite *r, __u32 flow_label)
{
	*(__be32 *)ip =
		bpf_htonl(IPV6_VERSION | (__u32)r->traffic_class << IPV6_CLASS_SHIFT | flow_label);
	ip->hop_limit = r->ttl;
	write_ipv6_addresses(ip, out);
}

/* v6: a constant where this is inlined: the verifier of Linux 6.1 does not remember that what
 * made the headers' size decides which header is written. */
static __always_inline __u32 rewrite_as(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *out, const struct vd_nexthop *nexthop, const struct rewrite *r,
	bool v6)
{
	__u16 udp_len = p->payload_len + sizeof(struct udphdr);
	bool was_v6 = p->v6;
	void *data, *data_end, *l3;
	struct rtp_header *rtp;
	struct udphdr *udp;

	if (unlikely(r->grow) && bpf_xdp_adjust_head(ctx, -r->grow))
		return VD_DROP_ADJUST;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	l3 = data + r->l2_len;
	udp = l3 + header_bytes(v6);
	if ((void *)(udp + 1) > data_end)
		return VD_DROP_ADJUST;

	if (v6) {
		struct ipv6hdr *ip = l3;

		if (was_v6) {
			write_ipv6(ip, out, r, bpf_ntohl(*(__be32 *)ip) & IPV6_LABEL_MASK);
		} else {
			write_ipv6(ip, out, r, 0);
			ip->payload_len = bpf_htons(udp_len);
			ip->nexthdr = IPPROTO_UDP;
		}
	} else {
		struct iphdr *ip = l3;

		if (was_v6)
			write_ipv4_new(ip, out, r, udp_len);
		else
			write_ipv4(ip, out, r);
	}
	write_ethernet(data, nexthop, r, v6);
	udp->source = out->out_sport_be;
	udp->dest = out->out_dport_be;
	udp->check = r->udp_check;
	rtp = (struct rtp_header *)(udp + 1);
	if (unlikely(r->rtp) && (void *)(rtp + 1) <= data_end)
		rtp->marker_pt = r->marker_pt;
	return VD_CONTINUE;
}

/* The headers as planned. The packet's own pointers are void afterwards. */
static __always_inline __u32 rewrite(struct xdp_md *ctx, const struct packet *p,
	const struct vd_flow *out, const struct vd_nexthop *nexthop, const struct rewrite *r)
{
	if (r->v6)
		return rewrite_as(ctx, p, out, nexthop, r, true);
	return rewrite_as(ctx, p, out, nexthop, r, false);
}

#endif
