/* SPDX-License-Identifier: BSD-2-Clause */
/* Random flows and random packets, many of them broken: the program and the model in plain C say
 * the same of each. VIADUCT_SEED and VIADUCT_ROUNDS (of PACKETS_A_ROUND packets) repeat a run. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"

#define PACKETS_A_ROUND 500
#define ROUNDS          450
#define FLOWS           12 /* of them some are reached by no port, as rtcp_flow alone */
#define PORT_MIN        10000
#define ADDRESSES       4 /* two of IPv4, two of IPv6 */

static uint64_t random_state;

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

struct world {
	struct lab *lab;
	struct model model;
	bool apart; /* each flow counts in another element than its own */
	struct model_answer answer;
	struct lab_result got;
	uint64_t reasons[VD_REASON_MAX];
	uint16_t seq[FLOWS];
	uint32_t ssrc[FLOWS];
};

static void add_locals(struct world *w)
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

static void add_nexthops(struct world *w)
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

static void add_flow(struct world *w, unsigned index, bool in_v6)
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

static void make_world(struct world *w)
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
}

static size_t random_payload(struct world *w, uint8_t *out, const struct vd_flow *f, unsigned index)
{
	static const uint8_t types[] = {0, 8, 13, 96, 97, 99, 101, 103, 128, 224, 229};
	size_t len = one_in(20) ? below(14) : 12 + below(one_in(4) ? 1400 : 180);
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

static size_t random_packet(struct world *w, uint8_t *data, unsigned *side)
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
	f.smac[5] = (uint8_t)below(3);
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

/* Takes from the program's element what time and other CPUs have a say in. */
static void settle_stream(struct vd_stream *model, const struct vd_stream *got, bool jitter)
{
	int32_t d = (int32_t)(got->transit - model->transit);

	if (jitter)
		model->jitter += (uint32_t)(d < 0 ? -d : d) - ((model->jitter + 8) >> 4);
	model->transit = got->transit;
	model->last_seen_ns = got->last_seen_ns;
	model->event_second = got->event_second;
	model->event_count = got->event_count;
}

/* The clock has a say in whether it was told: a stream's first is, at any rate. */
static bool same_source_mac(struct world *w)
{
	const struct model_answer *a = &w->answer;
	struct vd_flow *flow = &w->model.flows[a->flow];
	struct vd_stream *model = &w->model.flows[flow->stream].own;
	const struct vd_stream *got = &w->lab->flows[flow->stream].own;

	if (!a->flow)
		return true;
	if (a->new_mac && got->mac_second != model->mac_second) {
		flow->src_mac = a->new_mac;
		model->mac_second = got->mac_second;
		w->model.events++;
	}
	return w->lab->flows[a->flow].src_mac == flow->src_mac &&
	       got->mac_second == model->mac_second && (model->mac_second || !a->new_mac);
}

static bool same_bytes(struct world *w)
{
	struct model_answer *a = &w->answer;
	const size_t wrong[] = {a->wrong_ip_check, a->wrong_udp_check};

	if (w->got.len != a->len)
		return false;
	for (int i = 0; i < 2; i++) {
		if (!wrong[i])
			continue;
		if (!memcmp(w->got.data + wrong[i], a->data + wrong[i], 2))
			return false;
		memcpy(a->data + wrong[i], w->got.data + wrong[i], 2);
	}
	return !memcmp(w->got.data, a->data, a->len);
}

static void dump(const char *what, const uint8_t *data, size_t len)
{
	fprintf(stderr, "%s, %zu bytes:", what, len);
	for (size_t i = 0; i < len && i < 120; i++)
		fprintf(stderr, "%s%02x", i % 16 ? " " : "\n  ", data[i]);
	fprintf(stderr, "\n");
}

static void compare_one(struct world *w, const uint8_t *data, size_t len, unsigned side)
{
	const struct model_answer *a = &w->answer;
	struct vd_counter before, after;
	const char *differs = NULL;

	model_run(&w->model, w->lab->ifindex[side], data, len, &w->answer);
	before = lab_counter(w->lab, a->side, a->reason);
	lab_run(w->lab, side, data, len, &w->got);
	after = lab_counter(w->lab, a->side, a->reason);
	w->reasons[a->reason]++;

	if ((int)w->got.verdict != lab_reason_verdict(a->reason))
		differs = "verdict";
	else if (after.packets != before.packets + 1 || after.bytes != before.bytes + len)
		differs = "counter";
	else if (w->got.verdict != XDP_DROP && !same_bytes(w))
		differs = "bytes";
	if (!differs && !same_source_mac(w))
		differs = "source MAC";
	if (a->stream < LAB_FLOWS) {
		struct vd_stream *s = &w->model.flows[a->stream].own;

		settle_stream(s, &w->lab->flows[a->stream].own, a->jitter);
		if (!differs && memcmp(s, &w->lab->flows[a->stream].own, sizeof(*s)))
			differs = "statistics";
	}
	if (!differs)
		return;
	print_error("%s: expected %s on side %u, verdict %u\n", differs, lab_reason_name(a->reason),
		a->side, w->got.verdict);
	for (unsigned i = 0; i < LAB_SIDES * VD_REASON_MAX; i++) {
		uint64_t packets =
			lab_counter(w->lab, i / VD_REASON_MAX, (enum vd_reason)(i % VD_REASON_MAX))
				.packets;

		if (packets)
			print_error("  counted side %u %s %lu\n", i / VD_REASON_MAX,
				lab_reason_name(i % VD_REASON_MAX), (unsigned long)packets);
	}
	dump("in", data, len);
	if (w->got.verdict != XDP_DROP) {
		dump("out", w->got.data, w->got.len);
		dump("expected", a->data, a->len);
	}
	if (a->stream < LAB_FLOWS) {
		dump("stream", (const uint8_t *)&w->lab->flows[a->stream].own,
			sizeof(struct vd_stream));
		dump("expected", (const uint8_t *)&w->model.flows[a->stream].own,
			sizeof(struct vd_stream));
	}
	fail();
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

static void program_and_model_agree_on_random_packets(void **state)
{
	static struct world w;
	unsigned long rounds = from_environment("VIADUCT_ROUNDS", ROUNDS);
	unsigned long seed = from_environment("VIADUCT_SEED", (unsigned long)time(NULL));
	uint8_t data[FRAME_MAX];

	print_message("VIADUCT_SEED=%lu VIADUCT_ROUNDS=%lu\n", seed, rounds);
	w.lab = *state;
	random_state = seed;
	for (unsigned long round = 0; round < rounds; round++) {
		uint64_t told;

		make_world(&w);
		for (int i = 0; i < PACKETS_A_ROUND; i++) {
			unsigned side;
			size_t len = random_packet(&w, data, &side);

			compare_one(&w, data, len, side);
			lab_read_events(w.lab); /* they always find room */
		}
		assert_int_equal(lab_counted(w.lab), PACKETS_A_ROUND);
		told = w.lab->events_count + lab_events_lost(w.lab);
		assert_int_equal(told, w.model.events);
	}
	for (unsigned i = 0; i < VD_REASON_MAX; i++)
		print_message("%9lu %s\n", (unsigned long)w.reasons[i], lab_reason_name(i));
	/* Headroom and another CPU's lock are not left to chance: see the other tests. */
	for (unsigned i = 0; i < VD_REASON_MAX && rounds >= ROUNDS; i++)
		assert_true(w.reasons[i] || i == VD_DROP_ADJUST || i == VD_DROP_LATCH_BUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_and_model_agree_on_random_packets),
	};

	return cmocka_run_group_tests_name("bpf random", tests, lab_setup, lab_teardown) +
	       cmocka_run_group_tests_name(
		       "bpf random, guessing", tests, lab_setup_guessing, lab_teardown);
}
