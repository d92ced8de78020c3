/* SPDX-License-Identifier: BSD-2-Clause */
#include "random_world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MIN     10000
#define ADDRESSES    4 /* two of IPv4, two of IPv6 */
#define FLOWS        RANDOM_FLOWS
#define PORTS        (8 * ADDRESSES)
#define EXIT_DEVICES VD_EXIT_MASK /* that vd_exits can name */

static uint64_t random_state;

void random_seed(uint64_t seed)
{
	random_state = seed;
}

/* splitmix64 */
static uint64_t random_next(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (unsigned)(random_next() % n);
}

static bool one_in(unsigned n)
{
	return !below(n);
}

static const char *const ours[ADDRESSES] = {
	"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"};
static const char *const theirs[ADDRESSES] = {
	"192.0.2.77", "203.0.113.9", "2001:db8::77", "2001:db9::9"};
static const unsigned vlans[] = {0, 0, 7, 4094};

static void add_locals(struct random_world *w)
{
	struct model *m = &w->model;

	for (unsigned i = 0; i < ADDRESSES; i++) {
		struct vd_local *l = &m->locals.local[i];

		frame_address(l->addr, ours[i]);
		l->side = (uint8_t)(i & 1);
		l->ifindex = w->lab->ifindex[l->side];
		l->family = i < 2 ? 4 : 6;
		l->vlan = (uint16_t)vlans[below(4)];
		l->port_base = i * 8;
		l->port_min = PORT_MIN;
		l->port_max = PORT_MIN + 7;
	}
	m->locals.count = one_in(6) ? 1 + below(ADDRESSES) : ADDRESSES;
	if (one_in(4)) { /* the first address again, with another range */
		m->locals.local[3] = (struct vd_local){.ifindex = m->locals.local[0].ifindex,
			.port_base = 24,
			.port_min = 20000,
			.port_max = 20007,
			.vlan = m->locals.local[0].vlan,
			.family = 4};
		memcpy(m->locals.local[3].addr, m->locals.local[0].addr, 16);
	}
}

static void add_nexthops(struct random_world *w)
{
	for (unsigned i = 0; i < LAB_NEXTHOPS; i++) {
		struct vd_nexthop *n = &w->model.nexthops[i];

		for (int b = 0; b < 6; b++) {
			n->dmac[b] = (uint8_t)below(256);
			n->smac[b] = (uint8_t)below(256);
		}
		n->flags = one_in(20) ? 0 : VD_NEXTHOP_VALID;
		n->vlan = (uint16_t)vlans[below(4)];
		n->mtu = one_in(6) ? 60 + below(200) : 1500;
		n->device = below(8);
	}
	for (unsigned i = 0; i < 8; i++) {
		w->model.devices[i] = !one_in(10);
		if (w->model.devices[i])
			lab_set_device(w->lab, i, w->lab->ifindex[i & 1]);
	}
}

static void random_address(uint8_t out[16], bool v6)
{
	memset(out, 0, 16);
	out[10] = out[11] = 0xff;
	for (int i = v6 ? 0 : 12; i < 16; i++)
		out[i] = (uint8_t)below(256);
}

static void add_flow(struct random_world *w, unsigned index, bool in_v6)
{
	struct vd_flow *f = &w->model.flows[index];
	struct frame out = {.v6 = one_in(2)};

	frame_address(f->src_addr, theirs[(in_v6 ? 2 : 0) + below(2)]);
	f->stream = w->apart ? FLOWS - index : index;
	f->nexthop = below(LAB_NEXTHOPS);
	f->src_prefix = 128;
	f->src_port_be = htons(4000);
	if (one_in(3)) {
		f->flags |= VD_FLOW_LATCH;
		f->src_port_be = one_in(2) ? 0 : htons(4000);
		f->src_prefix = (uint8_t)((in_v6 ? 0 : 96) + below(in_v6 ? 129 : 33));
	}
	if (one_in(8))
		f->flags |= VD_FLOW_OPAQUE;
	else if (one_in(4))
		f->flags |= VD_FLOW_RTCP;
	else if (one_in(3))
		f->flags |= VD_FLOW_MUX;
	f->flags |= (one_in(2) ? VD_FLOW_RTCP_COPY : 0) | (one_in(2) ? VD_FLOW_PT_MAP : 0) |
		    (one_in(8) ? VD_FLOW_SECURE : 0) | (one_in(8) ? VD_FLOW_BLACKHOLE : 0) |
		    (in_v6 ? VD_FLOW_IN_V6 : 0);
	f->rtcp_flow = one_in(2) ? 0 : 1 + below(FLOWS - 1);
	f->clock_mult = one_in(3) ? 0 : 34360;
	f->dscp = (uint8_t)below(64);
	f->ttl = one_in(2) ? 0 : (uint8_t)(1 + below(255));
	f->te_pt = one_in(4) ? 0xff : 101;
	for (int i = 0; i < VD_PT_MAP_MAX; i++) {
		f->pt_from[i] = one_in(2) ? 0xff : (uint8_t)(96 + below(8));
		f->pt_to[i] = (uint8_t)below(128);
	}
	random_address(out.src, out.v6);
	random_address(out.dst, out.v6);
	out.sport = (uint16_t)below(65536);
	out.dport = (uint16_t)below(65536);
	frame_set_output(f, &out);
}

static void have_them_wait(struct random_world *w)
{
	struct model *m = &w->model;
	unsigned device = below(EXIT_DEVICES);

	for (unsigned i = 0; i < EXIT_DEVICES; i++) {
		m->devices[i] = i == device;
		lab_unset_device(w->lab, i);
	}
	m->devices[device] = true;
	lab_set_finishing_device(w->lab, device, w->lab->ifindex[device & 1]);
	for (unsigned i = 0; i < LAB_NEXTHOPS; i++) {
		m->nexthops[i].device = device;
		m->nexthops[i].ifindex = w->lab->ifindex[device & 1];
	}
	memcpy(w->lab->nexthops, m->nexthops, sizeof(m->nexthops));
	for (unsigned i = 0; i < PORTS; i++)
		lab_set_exit(w->lab, i, m->ports[i] && !one_in(4) ? device + 1 : 0);
	w->lab->locals.batched = 1u << device;
	lab_set_locals(w->lab);
}

void random_world_make(struct random_world *w)
{
	struct model *m = &w->model;
	void *lab = w->lab;

	lab_reset(&lab);
	memset(m, 0, sizeof(*m));
	add_locals(w);
	add_nexthops(w);
	w->apart = one_in(2);
	for (unsigned i = 1; i < FLOWS; i++) {
		bool v6 = one_in(2);

		add_flow(w, i, v6);
		if (!one_in(6))
			m->ports[(v6 ? 16 : 0) + below(16)] = i;
		w->seq[i] = (uint16_t)below(65536);
		w->ssrc[i] = (uint32_t)random_next();
	}
	w->lab->locals = m->locals;
	lab_set_locals(w->lab);
	for (unsigned i = 0; i < LAB_PORTS; i++)
		w->lab->ports[i].flow = m->ports[i];
	memcpy(w->lab->flows, m->flows, sizeof(m->flows));
	memcpy(w->lab->nexthops, m->nexthops, sizeof(m->nexthops));
	if (w->waits)
		have_them_wait(w);
}

static size_t random_payload(
	struct random_world *w, uint8_t *out, const struct vd_flow *f, unsigned index)
{
	static const uint8_t types[] = {0, 8, 13, 96, 97, 99, 101, 103, 128, 224, 229};
	size_t len = one_in(20) ? below(14) : 12 + below(!one_in(4) ? 180 : w->waits ? 1100 : 1400);
	uint8_t rtp[FRAME_MAX];
	uint8_t type = types[below(sizeof(types))];
	int step = one_in(10) ? (int)below(65536) : (int)below(4) - 1;

	if (f && f->flags & VD_FLOW_RTCP && !one_in(4))
		type = (uint8_t)(199 + below(6));
	else if (one_in(6))
		type = (uint8_t)below(256);
	w->seq[index] = (uint16_t)(w->seq[index] + step);
	if (one_in(30))
		w->ssrc[index] = (uint32_t)random_next();
	frame_rtp(rtp, len < 12 ? 12 : len, type, w->seq[index], below(4) * 160, w->ssrc[index]);
	for (size_t i = 12; i < len; i++)
		rtp[i] = (uint8_t)below(256);
	if (one_in(5))
		rtp[0] = (uint8_t)below(256);
	if (one_in(10))
		rtp[0] = (uint8_t)(0x80 | below(0x40));
	if (one_in(4)) /* a short header extension */
		rtp[0] |= 0x10, rtp[14] = 0, rtp[15] = (uint8_t)below(3);
	memcpy(out, rtp, len);
	return len;
}

static void mutate(uint8_t *data, size_t *len)
{
	if (one_in(5) && *len > 14)
		*len = 14 + below((unsigned)*len - 14);
	for (unsigned i = below(3); i; i--)
		data[12 + below(60 < *len - 12 ? 60 : (unsigned)*len - 12)] ^=
			(uint8_t)(1 << below(8));
}

size_t random_world_packet(struct random_world *w, uint8_t *data, unsigned *side)
{
	static uint8_t payload[FRAME_MAX];
	struct model *m = &w->model;
	unsigned slot = below(32), local_index = slot / 8, index;
	const struct vd_local *local = &m->locals.local[local_index];
	struct frame f = {.tci = FRAME_NO_VLAN, .payload = payload};
	size_t len;

	for (int tries = 0; tries < 20 && !m->ports[slot]; tries++)
		slot = below(32);
	local_index = slot / 8;
	local = &m->locals.local[local_index];
	index = m->ports[slot];
	f.v6 = local_index >= 2;
	if (local->vlan || one_in(20))
		f.tci = (int)(local->vlan | below(16) << 12);
	memcpy(f.dst, local->addr, 16);
	if (local->family != (f.v6 ? 6 : 4))
		frame_address(f.dst, ours[local_index]);
	f.dport = (uint16_t)(local->port_min + slot % 8);
	memcpy(f.src, m->flows[index].src_addr, 16);
	if (!index || one_in(20))
		frame_address(f.src, theirs[(f.v6 ? 2 : 0) + below(2)]);
	if (one_in(20))
		f.src[15] ^= (uint8_t)(1 << below(8));
	f.sport = one_in(20) ? (uint16_t)below(65536) : 4000;
	f.smac[5] = (uint8_t)(w->one_mac ? 1 : below(3));
	f.ttl = (uint8_t)(one_in(10) ? below(3) : 2 + below(254));
	f.traffic_class = (uint8_t)below(256);
	f.id = (uint16_t)below(65536);
	f.dont_fragment = one_in(2);
	f.flow_label = below(1 << 20);
	f.no_checksum = one_in(8);
	f.padding = one_in(4) ? below(30) : 0;
	f.payload_len = random_payload(w, payload, index ? &m->flows[index] : NULL, index);
	len = frame_build(data, &f);
	if (one_in(4))
		mutate(data, &len);
	*side = one_in(30) ? 1 - local->side : local->side;
	return len;
}

bool random_same_bytes(struct model_answer *a, const uint8_t *got, size_t len)
{
	const size_t wrong[] = {a->wrong_ip_check, a->wrong_udp_check};

	if (len != a->len)
		return false;
	for (int i = 0; i < 2; i++) {
		if (!wrong[i])
			continue;
		if (!memcmp(got + wrong[i], a->data + wrong[i], 2))
			return false;
		memcpy(a->data + wrong[i], got + wrong[i], 2);
	}
	return !memcmp(got, a->data, a->len);
}

void random_dump(const char *what, const uint8_t *data, size_t len)
{
	fprintf(stderr, "%s, %zu bytes:", what, len);
	for (size_t i = 0; i < len && i < 120; i++)
		fprintf(stderr, "%s%02x", i % 16 ? " " : "\n  ", data[i]);
	fprintf(stderr, "\n");
}

unsigned long random_from_environment(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}
