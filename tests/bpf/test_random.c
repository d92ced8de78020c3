/* SPDX-License-Identifier: BSD-2-Clause */
/* Random flows and random packets, many of them broken: the program and the model in plain C say
 * the same of each. VIADUCT_SEED and VIADUCT_ROUNDS (of PACKETS_A_ROUND packets) repeat a run. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "random_world.h"

#define PACKETS_A_ROUND 500
#define ROUNDS          450

struct world {
	struct random_world of;
	struct model_answer answer;
	struct lab_result got;
	uint64_t reasons[VD_REASON_MAX];
};

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
	struct vd_flow *flow = &w->of.model.flows[a->flow];
	struct vd_stream *model = &w->of.model.flows[flow->stream].own;
	const struct vd_stream *got = &w->of.lab->flows[flow->stream].own;

	if (!a->flow)
		return true;
	if (a->new_mac && got->mac_second != model->mac_second) {
		flow->src_mac = a->new_mac;
		model->mac_second = got->mac_second;
		w->of.model.events++;
	}
	return w->of.lab->flows[a->flow].src_mac == flow->src_mac &&
	       got->mac_second == model->mac_second && (model->mac_second || !a->new_mac);
}

static void compare_one(struct world *w, const uint8_t *data, size_t len, unsigned side)
{
	const struct model_answer *a = &w->answer;
	struct vd_counter before, after;
	const char *differs = NULL;

	model_run(&w->of.model, w->of.lab->ifindex[side], data, len, &w->answer);
	before = lab_counter(w->of.lab, a->side, a->reason);
	lab_run(w->of.lab, side, data, len, &w->got);
	after = lab_counter(w->of.lab, a->side, a->reason);
	w->reasons[a->reason]++;

	if ((int)w->got.verdict != lab_reason_verdict(a->reason))
		differs = "verdict";
	else if (after.packets != before.packets + 1 || after.bytes != before.bytes + len)
		differs = "counter";
	else if (w->got.verdict != XDP_DROP &&
		 !random_same_bytes(&w->answer, w->got.data, w->got.len))
		differs = "bytes";
	if (!differs && !same_source_mac(w))
		differs = "source MAC";
	if (a->stream < LAB_FLOWS) {
		struct vd_stream *s = &w->of.model.flows[a->stream].own;

		settle_stream(s, &w->of.lab->flows[a->stream].own, a->jitter);
		if (!differs && memcmp(s, &w->of.lab->flows[a->stream].own, sizeof(*s)))
			differs = "statistics";
	}
	if (!differs)
		return;
	print_error("%s: expected %s on side %u, verdict %u\n", differs, lab_reason_name(a->reason),
		a->side, w->got.verdict);
	for (unsigned i = 0; i < LAB_SIDES * VD_REASON_MAX; i++) {
		uint64_t packets = lab_counter(
			w->of.lab, i / VD_REASON_MAX, (enum vd_reason)(i % VD_REASON_MAX))
					   .packets;

		if (packets)
			print_error("  counted side %u %s %lu\n", i / VD_REASON_MAX,
				lab_reason_name(i % VD_REASON_MAX), (unsigned long)packets);
	}
	random_dump("in", data, len);
	if (w->got.verdict != XDP_DROP) {
		random_dump("out", w->got.data, w->got.len);
		random_dump("expected", a->data, a->len);
	}
	if (a->stream < LAB_FLOWS) {
		random_dump("stream", (const uint8_t *)&w->of.lab->flows[a->stream].own,
			sizeof(struct vd_stream));
		random_dump("expected", (const uint8_t *)&w->of.model.flows[a->stream].own,
			sizeof(struct vd_stream));
	}
	fail();
}

static void program_and_model_agree_on_random_packets(void **state)
{
	static struct world w;
	unsigned long rounds = random_from_environment("VIADUCT_ROUNDS", ROUNDS);
	unsigned long seed = random_from_environment("VIADUCT_SEED", (unsigned long)time(NULL));
	uint8_t data[FRAME_MAX];

	print_message("VIADUCT_SEED=%lu VIADUCT_ROUNDS=%lu\n", seed, rounds);
	w.of.lab = *state;
	random_seed(seed);
	for (unsigned long round = 0; round < rounds; round++) {
		uint64_t told;

		random_world_make(&w.of);
		for (int i = 0; i < PACKETS_A_ROUND; i++) {
			unsigned side;
			size_t len = random_world_packet(&w.of, data, &side);

			compare_one(&w, data, len, side);
			lab_read_events(w.of.lab); /* they always find room */
		}
		assert_int_equal(lab_counted(w.of.lab), PACKETS_A_ROUND);
		told = w.of.lab->events_count + lab_events_lost(w.of.lab);
		assert_int_equal(told, w.of.model.events);
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
