/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet, one 802.1Q tag, IPv4 or IPv6, UDP. Reads only, and judges nothing that depends on
 * whether the address is ours: it says what there would be to object.
 *
 * Nothing here is set before it is known: what a packet of a call does not need, the compiler would
 * still have to carry along its way. */
#ifndef VIADUCT_BPF_PARSE_H
#define VIADUCT_BPF_PARSE_H

#include "base.h"

#define VLAN_HLEN         4
#define VLAN_ID_MASK      0x0fff
#define VLAN_BITS_MASK    0xf000 /* PCP and DEI */
#define IPV4_FRAG_MASK    0x3fff /* more fragments, or an offset */
#define IPV4_HEADER_WORDS 5

struct vlan_tag {
	__be16 tci;
	__be16 ethertype;
};

struct packet {
	void *data_end;
	union {
		void *l3;
		struct iphdr *ip4;
		struct ipv6hdr *ip6;
	};
	struct udphdr *udp; /* with its 8 bytes, where nothing is objected */
	__u32 l2_len;       /* bytes before the IP header: 14, or 18 with a tag */
	__u32 l3_room;      /* bytes from the IP header to the frame's end */
	__u32 payload_len;  /* UDP payload bytes */
	bool has_address;   /* l3 holds a whole IP header of the family v6 */
	bool has_port;      /* and dport is set */
	bool v6;
	__u8 traffic_class;
	__u8 ttl;
	__u16 vlan;      /* VLAN id, 0 = untagged or priority-tagged */
	__u16 vlan_bits; /* PCP and DEI as received */
	__u16 dport;     /* host order */
};

/* RFC 768, RFC 791 3.1, RFC 8200 3: the UDP length is what IP carries; IP fits the frame. What
 * follows the IP packet in the frame is Ethernet padding: it is left as it is. */
static __always_inline __u32 parse_udp(struct packet *p, __u32 l3_header_len, __u32 l3_len)
{
	__u32 udp_len;

	p->udp = p->l3 + l3_header_len;
	if (unlikely((void *)(p->udp + 1) > p->data_end))
		return VD_DROP_MALFORMED;
	udp_len = bpf_ntohs(p->udp->len);
	p->dport = bpf_ntohs(p->udp->dest);
	p->has_port = true;
	p->payload_len = udp_len - sizeof(*p->udp);
	if (unlikely(udp_len < sizeof(*p->udp) || l3_header_len + udp_len != l3_len ||
		     l3_len > p->l3_room))
		return VD_DROP_MALFORMED;
	return VD_CONTINUE;
}

static __always_inline __u32 parse_ipv4(struct packet *p)
{
	struct iphdr *ip = p->ip4;

	if (unlikely((void *)(ip + 1) > p->data_end || ip->version != 4))
		return VD_PASS_NOT_OURS;
	p->has_address = true;
	p->v6 = false;
	p->traffic_class = ip->tos;
	p->ttl = ip->ttl;
	if (unlikely(ip->frag_off & bpf_htons(IPV4_FRAG_MASK)))
		return VD_PASS_FRAGMENT;
	if (unlikely(ip->ihl > IPV4_HEADER_WORDS))
		return VD_PASS_OPTIONS;
	if (unlikely(ip->ihl < IPV4_HEADER_WORDS))
		return VD_DROP_MALFORMED;
	if (likely(ip->protocol == IPPROTO_UDP))
		return parse_udp(p, sizeof(*ip), bpf_ntohs(ip->tot_len));
	return ip->protocol == IPPROTO_ICMP ? VD_PASS_ICMP : VD_PASS_NOT_OURS;
}

/* RFC 8200 4.1 and the IANA registry of IPv6 extension header types. */
static __always_inline __u32 ipv6_objection(__u8 next_header)
{
	switch (next_header) {
	case IPPROTO_ICMPV6:
		return VD_PASS_ICMP;
	case IPPROTO_FRAGMENT:
		return VD_PASS_FRAGMENT;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_ESP:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
		return VD_PASS_OPTIONS;
	default:
		return VD_PASS_NOT_OURS;
	}
}

static __always_inline __u32 parse_ipv6(struct packet *p)
{
	struct ipv6hdr *ip = p->ip6;

	if (unlikely((void *)(ip + 1) > p->data_end || ip->version != 6))
		return VD_PASS_NOT_OURS;
	p->has_address = true;
	p->v6 = true;
	p->traffic_class = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	p->ttl = ip->hop_limit;
	if (likely(ip->nexthdr == IPPROTO_UDP))
		return parse_udp(p, sizeof(*ip), sizeof(*ip) + bpf_ntohs(ip->payload_len));
	return ipv6_objection(ip->nexthdr);
}

/* VD_CONTINUE with a UDP datagram that is whole. Else the reason that applies if it is for us: to
 * our address, where it has one, and to a media port, where it has one. */
static __always_inline __u32 parse(struct xdp_md *ctx, struct packet *p)
{
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	__be16 ethertype;

	p->data_end = (void *)(long)ctx->data_end;
	p->has_address = false;
	p->has_port = false;
	p->vlan = 0;
	p->vlan_bits = 0;
	p->l2_len = sizeof(*eth);
	p->l3 = eth + 1;
	if (unlikely(p->l3 > p->data_end))
		return VD_PASS_NOT_IP;
	ethertype = eth->h_proto;
	if (unlikely(ethertype == bpf_htons(ETH_P_8021Q))) {
		struct vlan_tag *tag = p->l3;

		if ((void *)(tag + 1) > p->data_end)
			return VD_PASS_NOT_IP;
		p->vlan = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
		p->vlan_bits = bpf_ntohs(tag->tci) & VLAN_BITS_MASK;
		p->l2_len += VLAN_HLEN;
		p->l3 = tag + 1;
		ethertype = tag->ethertype;
	}
	p->l3_room = p->data_end - p->l3;
	if (likely(ethertype == bpf_htons(ETH_P_IP)))
		return parse_ipv4(p);
	if (likely(ethertype == bpf_htons(ETH_P_IPV6)))
		return parse_ipv6(p);
	return VD_PASS_NOT_IP;
}

/* The source as the maps hold it. */
static __always_inline void packet_source(const struct packet *p, __u32 addr[4])
{
	if (p->v6) {
		addr[0] = p->ip6->saddr.in6_u.u6_addr32[0];
		addr[1] = p->ip6->saddr.in6_u.u6_addr32[1];
		addr[2] = p->ip6->saddr.in6_u.u6_addr32[2];
		addr[3] = p->ip6->saddr.in6_u.u6_addr32[3];
	} else {
		addr[0] = 0;
		addr[1] = 0;
		addr[2] = bpf_htonl(0xffff);
		addr[3] = p->ip4->saddr;
	}
}

#endif
