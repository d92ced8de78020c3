/* SPDX-License-Identifier: BSD-2-Clause */
#include "model.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static unsigned internet_sum(const uint8_t *p, size_t len, unsigned start)
{
	uint64_t sum = start;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned)sum;
}

/* Sum of pseudo-header and datagram: 0xffff where its checksum is right. */
static unsigned udp_sum(const uint8_t *ip, bool v6, const uint8_t *udp, size_t len)
{
	unsigned sum = internet_sum(ip + (v6 ? 8 : 12), v6 ? 32 : 8, (unsigned)len + 17);

	return internet_sum(udp, len, sum);
}

struct view {
	const uint8_t *frame, *ip, *udp, *payload;
	size_t len, l2, header, payload_len;
	bool v6;
	unsigned vlan, priority;
	uint8_t src[16], dst[16], ttl, tos;
	unsigned sport, dport;
};

static void v4_mapped(uint8_t out[16], const uint8_t *in)
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, in, 4);
}

/* True: there is an IP header to look at. */
static bool view_open(struct view *v, const uint8_t *data, size_t len, enum vd_reason *reason)
{
	unsigned type;

	memset(v, 0, sizeof(*v));
	v->frame = data;
	v->len = len;
	v->l2 = 14;
	*reason = VD_PASS_NOT_IP;
	if (len < 14)
		return false;
	type = get16(data + 12);
	if (type == 0x8100) {
		if (len < 18)
			return false;
		v->vlan = get16(data + 14) & 0xfff;
		v->priority = get16(data + 14) & 0xf000;
		type = get16(data + 16);
		v->l2 = 18;
	}
	if (type != 0x0800 && type != 0x86dd)
		return false;
	*reason = VD_PASS_NOT_OURS;
	v->v6 = type == 0x86dd;
	v->header = v->v6 ? 40 : 20;
	v->ip = data + v->l2;
	if (len < v->l2 + v->header || v->ip[0] >> 4 != (v->v6 ? 6 : 4))
		return false;
	if (v->v6) {
		memcpy(v->src, v->ip + 8, 16);
		memcpy(v->dst, v->ip + 24, 16);
		v->ttl = v->ip[7];
		v->tos = (uint8_t)(get16(v->ip) >> 4);
	} else {
		v4_mapped(v->src, v->ip + 12);
		v4_mapped(v->dst, v->ip + 16);
		v->ttl = v->ip[8];
		v->tos = v->ip[1];
	}
	return true;
}

/* What is wrong with it before its port is known; VD_FORWARDED: it has one. */
static enum vd_reason layer_four(struct view *v)
{
	unsigned protocol = v->v6 ? v->ip[6] : v->ip[9];

	if (v->v6) {
		if (protocol == 44)
			return VD_PASS_FRAGMENT;
		if (memchr("\0\53\62\63\74\207", (int)protocol, 6))
			return VD_PASS_OPTIONS;
	} else {
		if (get16(v->ip + 6) & 0x3fff)
			return VD_PASS_FRAGMENT;
		if ((v->ip[0] & 15) > 5)
			return VD_PASS_OPTIONS;
		if ((v->ip[0] & 15) < 5)
			return VD_DROP_MALFORMED;
	}
	if (protocol == (v->v6 ? 58 : 1))
		return VD_PASS_ICMP;
	if (protocol != 17)
		return VD_PASS_NOT_OURS;
	if (v->len < v->l2 + v->header + 8)
		return VD_DROP_MALFORMED;
	v->udp = v->ip + v->header;
	v->sport = get16(v->udp);
	v->dport = get16(v->udp + 2);
	return VD_FORWARDED;
}

static bool lengths_right(struct view *v)
{
	size_t udp_len = get16(v->udp + 4);
	size_t ip_len = v->v6 ? 40 + get16(v->ip + 4) : get16(v->ip + 2);

	if (udp_len < 8 || ip_len != v->header + udp_len || v->l2 + ip_len > v->len)
		return false;
	v->payload = v->udp + 8;
	v->payload_len = udp_len - 8;
	return true;
}

/* The slot in ports; -1: address not ours; -2: ours, the port is not. */
static int find_local(
	const struct model *m, unsigned ifindex, const struct view *v, bool udp, unsigned *side)
{
	int found = -1;

	*side = 0;
	for (uint32_t i = 0; i < m->locals.count; i++) {
		const struct vd_local *l = &m->locals.local[i];

		if (l->ifindex != ifindex)
			continue;
		*side = l->side;
		if (!v->ip || l->vlan != v->vlan || l->family != (v->v6 ? 6 : 4) ||
			memcmp(l->addr, v->dst, 16))
			continue;
		found = -2;
		if (udp && v->dport >= l->port_min && v->dport <= l->port_max)
			return (int)(l->port_base + v->dport - l->port_min);
	}
	return found;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static bool expected_source(const struct vd_flow *f, const struct view *v)
{
	unsigned port = ntohs(f->src_port_be);

	if (port ? port != v->sport : !(f->flags & VD_FLOW_LATCH))
		return false;
	return same_prefix(f->src_addr, v->src, f->src_prefix);
}

/* VD_FORWARDED: admitted; *latch: and it is to lock. */
static enum vd_reason admit(struct model *m, const struct vd_flow *f, struct vd_stream *s,
	const struct view *v, bool *latch)
{
	bool good;

	*latch = false;
	if (f->flags & VD_FLOW_LATCH && s->latch_state == VD_LATCH_LOCKED)
		good = ntohs(s->latched_port_be) == v->sport &&
		       !memcmp(s->latched_addr, v->src, 16);
	else
		good = expected_source(f, v);
	if (!good) {
		s->dropped_source++;
		m->events += !(s->dropped_source & (s->dropped_source - 1));
		return VD_DROP_SOURCE;
	}
	if (f->flags & VD_FLOW_LATCH && s->latch_state == VD_LATCH_BUSY)
		return VD_DROP_LATCH_BUSY;
	*latch = f->flags & VD_FLOW_LATCH && s->latch_state == VD_LATCH_OPEN;
	return VD_FORWARDED;
}

enum kind { RTP, RTCP, OPAQUE };

static enum vd_reason classify(const struct vd_flow *f, const struct view *v, enum kind *kind)
{
	unsigned first, second;

	*kind = OPAQUE;
	if (f->flags & VD_FLOW_OPAQUE)
		return VD_FORWARDED;
	if (!v->payload_len)
		return VD_DROP_NOT_RTP;
	first = v->payload[0];
	if (first < 4)
		return VD_DROP_STUN;
	if (first > 19 && first < 64)
		return VD_DROP_DTLS;
	if (first < 128 || first > 191 || v->payload_len < 8)
		return VD_DROP_NOT_RTP;
	second = v->payload[1];
	*kind = RTCP;
	if (f->flags & (VD_FLOW_RTCP | VD_FLOW_MUX) && second > 191 && second < 224)
		return VD_FORWARDED;
	*kind = RTP;
	if (f->flags & VD_FLOW_RTCP)
		return VD_DROP_NOT_RTP;
	if (!(f->flags & VD_FLOW_MUX) && second >= 200 && second <= 204)
		return VD_DROP_NOT_RTP;
	return v->payload_len < 12 + 4 * (first & 15) ? VD_DROP_NOT_RTP : VD_FORWARDED;
}

static void begin(struct vd_stream *s, uint32_t ssrc, unsigned seq)
{
	s->ssrc = ssrc;
	s->base_seq = s->ext_max_seq = seq;
	s->received_ssrc = 1;
	s->bad_seq = 0;
	s->flags = VD_STREAM_STARTED;
}

static void close_sequence(struct vd_stream *s)
{
	int32_t lost = (int32_t)(s->ext_max_seq - s->base_seq + 1 - s->received_ssrc);

	if (lost > 0)
		s->lost_before += (uint32_t)lost;
	s->packets_apart += s->received_ssrc;
}

static void telephone_event(
	struct model *m, const struct vd_flow *f, struct vd_stream *s, const struct view *v)
{
	const uint8_t *rtp = v->payload;
	size_t at = 12 + 4u * (rtp[0] & 15);
	uint32_t timestamp = get32(rtp + 4);

	if ((rtp[1] & 127) != f->te_pt || f->flags & VD_FLOW_SECURE)
		return;
	if (rtp[0] & 16) {
		/* The length may lie behind the payload, in the padding: then it is too long
		 * anyway, or the event is. */
		if (at + 4 > v->payload_len)
			return;
		at += 4 + 4u * get16(rtp + at + 2);
	}
	if (at + 4 > v->payload_len || (s->te_reported && s->te_timestamp == timestamp))
		return;
	if (!(rtp[at + 1] & 0x80)) {
		s->te_event = rtp[at] | 0x8000;
		return;
	}
	s->te_event = 0;
	s->te_reported = 1;
	s->te_timestamp = timestamp;
	m->events++;
}

/* RFC 3550 A.1, in its own words. True: jitter goes on with this packet. */
static bool count_rtp(
	struct model *m, const struct vd_flow *f, struct vd_stream *s, const struct view *v)
{
	unsigned seq = get16(v->payload + 2), max = s->ext_max_seq & 0xffff;
	uint32_t ssrc = get32(v->payload + 8), cycles = s->ext_max_seq & 0xffff0000;
	unsigned delta = (seq - max) & 0xffff;
	bool goes_on = true;

	s->bytes += v->payload_len;
	if (!(s->flags & VD_STREAM_STARTED) || s->ssrc != ssrc) {
		if (s->flags & VD_STREAM_STARTED) {
			close_sequence(s);
			s->ssrc_changes++;
		}
		begin(s, ssrc, seq);
		s->jitter = 0;
		s->te_reported = 0;
		m->events++;
		goes_on = false;
	} else if (delta < 3000) {
		if (seq < max)
			cycles += 0x10000;
		s->ext_max_seq = cycles | seq;
		s->received_ssrc++;
	} else if (delta <= 65536 - 100) {
		if (s->bad_seq == (seq | VD_BAD_SEQ_SET)) {
			close_sequence(s);
			begin(s, ssrc, seq);
			goes_on = false;
		} else {
			s->bad_seq = ((seq + 1) & 0xffff) | VD_BAD_SEQ_SET;
			s->packets_apart++;
		}
	} else {
		s->received_ssrc++;
		s->out_of_order++;
	}
	telephone_event(m, f, s, v);
	return goes_on && f->clock_mult && (v->payload[1] & 127) != f->te_pt;
}

static void first_without_sequence(struct model *m, struct vd_stream *s)
{
	if (!s->flags)
		m->events++;
	s->flags |= VD_STREAM_STARTED;
}

static bool receive(struct model *m, const struct vd_flow *f, struct vd_stream *s,
	const struct view *v, enum kind kind)
{
	unsigned type;

	if (kind == RTP)
		return count_rtp(m, f, s, v);
	if (kind == OPAQUE) {
		s->packets_apart++;
		s->bytes += v->payload_len;
		first_without_sequence(m, s);
		return false;
	}
	type = v->payload[1];
	s->rtcp_packets++;
	if (f->flags & VD_FLOW_RTCP)
		first_without_sequence(m, s);
	if (f->flags & VD_FLOW_RTCP_COPY && !(f->flags & VD_FLOW_SECURE) &&
		(type == 200 || type == 201 || type == 203 || type == 207))
		m->events++;
	return false;
}

static enum vd_reason send_on(const struct model *m, const struct vd_flow *f,
	const struct vd_flow *o, const struct view *v, enum kind kind, struct model_answer *a)
{
	bool v6 = o->flags & VD_FLOW_OUT_V6;
	const struct vd_nexthop *n = &m->nexthops[o->nexthop];
	size_t header = v6 ? 40 : 20, l2 = n->vlan ? 18 : 14;
	size_t udp_len = 8 + v->payload_len;
	size_t behind = v->len - v->l2 - v->header - udp_len;
	bool ip_right = v->v6 || internet_sum(v->ip, 20, 0) == 0xffff;
	bool check_absent = !get16(v->udp + 6);
	bool udp_right = check_absent || udp_sum(v->ip, v->v6, v->udp, udp_len) == 0xffff;
	uint8_t ttl = o->ttl ? o->ttl : (uint8_t)(v->ttl - 1);
	uint8_t tos = (uint8_t)(o->dscp << 2 | (v->tos & 3));
	uint8_t *d = a->data, *ip = d + l2, *udp = ip + header;

	if (!(n->flags & VD_NEXTHOP_VALID))
		return VD_DROP_NO_NEIGHBOUR;
	if (header + udp_len + behind > n->mtu)
		return VD_DROP_MTU;
	if (v6 && !v->v6 && !ip_right)
		return VD_DROP_MALFORMED;

	memcpy(d, n->dmac, 6);
	memcpy(d + 6, n->smac, 6);
	if (n->vlan) {
		put16(d + 12, 0x8100);
		put16(d + 14, n->vlan | v->priority);
	}
	put16(d + l2 - 2, v6 ? 0x86dd : 0x0800);
	memset(ip, 0, header);
	if (v6) {
		unsigned label = v->v6 ? get32(v->ip) & 0xfffff : 0;

		put16(ip, 0x6000u | (unsigned)tos << 4 | label >> 16);
		put16(ip + 2, label & 0xffff);
		put16(ip + 4, (unsigned)udp_len);
		ip[6] = 17;
		ip[7] = ttl;
		memcpy(ip + 8, o->out_src_high, 12);
		memcpy(ip + 20, &o->out_src_low, 4);
		memcpy(ip + 24, o->out_dst_high, 12);
		memcpy(ip + 36, &o->out_dst_low, 4);
	} else {
		ip[0] = 0x45;
		ip[1] = tos;
		put16(ip + 2, (unsigned)(20 + udp_len));
		if (v->v6)
			put16(ip + 6, 0x4000);
		else
			memcpy(ip + 4, v->ip + 4, 4);
		ip[8] = ttl;
		ip[9] = 17;
		memcpy(ip + 12, &o->out_src_low, 4);
		memcpy(ip + 16, &o->out_dst_low, 4);
		put16(ip + 10, ~internet_sum(ip, 20, 0));
		if (!ip_right)
			a->wrong_ip_check = l2 + 10;
	}
	memcpy(udp, v->udp, udp_len + behind);
	memcpy(udp, &o->out_sport_be, 2);
	memcpy(udp + 2, &o->out_dport_be, 2);
	if (kind == RTP && f->flags & VD_FLOW_PT_MAP)
		for (int i = VD_PT_MAP_MAX - 1; i >= 0; i--)
			if (f->pt_from[i] == (v->payload[1] & 127))
				udp[9] = (uint8_t)((v->payload[1] & 128) | (f->pt_to[i] & 127));
	put16(udp + 6, 0);
	if (v6 || !check_absent) {
		unsigned check = ~udp_sum(ip, v6, udp, udp_len) & 0xffff;

		put16(udp + 6, check ? check : 0xffff);
	}
	if (!udp_right)
		a->wrong_udp_check = l2 + header + 6;
	a->len = l2 + header + udp_len + behind;
	a->device = n->device;
	return n->device < VD_DEVICES_MAX && m->devices[n->device] ? VD_FORWARDED
								   : VD_DROP_REDIRECT;
}

static enum vd_reason relay(struct model *m, struct view *v, unsigned slot, struct model_answer *a)
{
	const struct vd_flow *f, *o;
	struct vd_stream *s;
	enum vd_reason reason;
	enum kind kind;
	uint32_t mac;
	bool latch;

	if (!lengths_right(v))
		return VD_DROP_MALFORMED;
	if (!m->ports[slot])
		return VD_DROP_NO_FLOW;
	f = &m->flows[m->ports[slot]];
	s = &m->flows[f->stream].own;
	a->stream = f->stream;
	if (v->ttl < 2)
		return VD_DROP_TTL;
	if (v->v6 && !get16(v->udp + 6))
		return VD_DROP_ZERO_CSUM;
	reason = admit(m, f, s, v, &latch);
	if (reason != VD_FORWARDED)
		return reason;
	reason = classify(f, v, &kind);
	if (reason != VD_FORWARDED)
		return reason;
	if (latch) {
		s->latch_state = VD_LATCH_LOCKED;
		s->latched_port_be = htons((uint16_t)v->sport);
		memcpy(s->latched_addr, v->src, 16);
		m->events++;
	}
	a->flow = m->ports[slot];
	memcpy(&mac, v->frame + 8, sizeof(mac));
	if (mac != f->src_mac)
		a->new_mac = mac;
	a->jitter = receive(m, f, s, v, kind);
	o = kind == RTCP && f->flags & VD_FLOW_MUX && f->rtcp_flow ? &m->flows[f->rtcp_flow] : f;
	if (o->flags & VD_FLOW_BLACKHOLE)
		return VD_DROP_HELD;
	return send_on(m, f, o, v, kind, a);
}

void model_run(
	struct model *m, unsigned ifindex, const uint8_t *data, size_t len, struct model_answer *a)
{
	enum vd_reason reason, objection;
	struct view v;
	int slot;

	a->stream = LAB_FLOWS;
	a->jitter = false;
	a->flow = 0;
	a->new_mac = 0;
	a->wrong_ip_check = a->wrong_udp_check = 0;
	if (!view_open(&v, data, len, &reason)) {
		v.ip = NULL;
		find_local(m, ifindex, &v, false, &a->side);
	} else {
		objection = layer_four(&v);
		slot = find_local(m, ifindex, &v, objection == VD_FORWARDED, &a->side);
		if (slot == -1)
			reason = VD_PASS_NOT_OURS;
		else if (objection != VD_FORWARDED)
			reason = objection;
		else if (slot < 0)
			reason = VD_PASS_NOT_OURS;
		else
			reason = relay(m, &v, (unsigned)slot, a);
	}
	a->reason = reason;
	if (lab_reason_verdict(reason) != XDP_PASS)
		return;
	memcpy(a->data, data, len);
	a->len = len;
}
