/* SPDX-License-Identifier: BSD-2-Clause */
/* Which packets wait at their device for others: only those do not come out finished. That they
 * come to no harm there test_wire.c shows, BPF_PROG_TEST_RUN runs no program of a device. */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <string.h>

#include "scene.h"

#include "viaduct.skel.h"

#define DEVICE  1 /* of those that vd_exits has room for */
#define BATCHES 128

static void forget_batches(const struct lab *lab)
{
	const struct vd_batch none = {};
	int fd = bpf_map__fd(lab->bpf->maps.vd_batches);

	for (uint32_t i = 0; i < BATCHES; i++)
		assert_int_equal(bpf_map_update_elem(fd, &i, &none, 0), 0);
}

/* One packet waits since then, for what stands at that port. */
static void assert_waits(const struct lab *lab, uint32_t port)
{
	int fd = bpf_map__fd(lab->bpf->maps.vd_batches);
	unsigned waiting = 0;

	for (uint32_t i = 0; i < BATCHES; i++) {
		struct vd_batch batch;

		assert_int_equal(bpf_map_lookup_elem(fd, &i, &batch), 0);
		waiting += batch.waiting;
		if (batch.waiting) {
			assert_int_equal(batch.port[0], port);
		}
	}
	assert_int_equal(waiting, 1);
}

static void open_waiting(struct scene *s, void **state, uint32_t port)
{
	scene_open(s, state, SCENE_4_TO_4);
	s->nexthop->device = DEVICE;
	lab_set_device(s->lab, DEVICE, s->lab->ifindex[1]);
	s->local->port_base = port;
	s->lab->locals.batched = 1u << DEVICE;
	lab_set_locals(s->lab);
	s->lab->ports[4].flow = 0;
	s->lab->ports[port] = (struct vd_port){.flow = SCENE_FLOW};
	lab_set_exit(s->lab, port, DEVICE + 1);
	forget_batches(s->lab);
}

/* It is on its way as it came, and not counted yet. */
static void expect_waits(struct scene *s)
{
	uint64_t counted = lab_counted(s->lab);
	uint8_t data[FRAME_MAX];
	size_t len = frame_build(data, &s->in);

	lab_run(s->lab, 0, data, len, &s->result);
	assert_int_equal(s->result.verdict, XDP_REDIRECT);
	assert_int_equal(s->result.len, len);
	assert_memory_equal(s->result.data, data, len);
	assert_int_equal(lab_counted(s->lab), counted);
	assert_waits(s->lab, s->local->port_base);
}

static void each_port_has_its_own_exit(void **state)
{
	static const uint32_t ports[] = {4, 5, 6, 7, 255, 256, 300, 511, 1023};
	struct scene s;

	for (unsigned i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		open_waiting(&s, state, ports[i]);
		expect_waits(&s);
		/* Neither neighbour waits, and none has a flow. */
		s.in.dport = SCENE_PORT + 1;
		scene_expect(&s, VD_DROP_NO_FLOW);
		s.in.dport = SCENE_PORT;
		s.local->port_base = ports[i] - 1;
		lab_set_locals(s.lab);
		scene_expect(&s, VD_DROP_NO_FLOW);
		lab_set_exit(s.lab, ports[i], 0);
	}
}

static void no_exit_means_finished_at_once(void **state)
{
	struct scene s;

	open_waiting(&s, state, 4);
	lab_set_exit(s.lab, 3, VD_EXIT_MASK);
	lab_set_exit(s.lab, 4, 0);
	lab_set_exit(s.lab, 5, VD_EXIT_MASK);
	scene_expect(&s, VD_FORWARDED);
	lab_set_exit(s.lab, 3, 0);
	lab_set_exit(s.lab, 5, 0);
}

static void a_device_without_its_bit_has_none_wait(void **state)
{
	struct scene s;

	open_waiting(&s, state, 4);
	s.lab->locals.batched = ~(1u << DEVICE);
	lab_set_locals(s.lab);
	scene_expect(&s, VD_FORWARDED);
	lab_set_exit(s.lab, 4, 0);
}

static void without_the_device_it_is_counted_as_that(void **state)
{
	struct scene s;

	open_waiting(&s, state, 4);
	lab_unset_device(s.lab, DEVICE);
	scene_expect(&s, VD_DROP_REDIRECT);
	lab_set_exit(s.lab, 4, 0);
}

static void what_is_longer_than_each_link_takes_is_finished_at_once(void **state)
{
	const size_t headers = 20 + 8; /* IPv4 and UDP */
	struct scene s;

	open_waiting(&s, state, 4);
	scene_rtp(&s, 1280 - headers + 1, 0, SCENE_SEQ, SCENE_TIMESTAMP);
	scene_expect(&s, VD_FORWARDED);
	scene_rtp(&s, 1280 - headers, 0, SCENE_SEQ + 1, SCENE_TIMESTAMP);
	expect_waits(&s);
	lab_set_exit(s.lab, 4, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_port_has_its_own_exit),
		cmocka_unit_test(no_exit_means_finished_at_once),
		cmocka_unit_test(a_device_without_its_bit_has_none_wait),
		cmocka_unit_test(without_the_device_it_is_counted_as_that),
		cmocka_unit_test(what_is_longer_than_each_link_takes_is_finished_at_once),
	};

	return cmocka_run_group_tests_name("bpf batch", tests, lab_setup_batching, lab_teardown);
}
