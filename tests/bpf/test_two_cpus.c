/* SPDX-License-Identifier: BSD-2-Clause */
/* Two CPUs receive one stream at once: nothing is lost from the counts, and nobody latches twice.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

#define CPUS   2
#define REPEAT 200000
#define ROUNDS 300

struct worker {
	struct lab *lab;
	int cpu;
	uint8_t data[FRAME_MAX];
	size_t len;
	struct lab_result result;
	pthread_barrier_t *start;
};

static struct worker workers[CPUS];

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *work_often(void *arg)
{
	struct worker *w = arg;

	pin(w->cpu);
	pthread_barrier_wait(w->start);
	lab_run_often(w->lab, 0, w->data, w->len, REPEAT);
	return NULL;
}

static void *work_once(void *arg)
{
	struct worker *w = arg;

	pin(w->cpu);
	pthread_barrier_wait(w->start);
	lab_run(w->lab, 0, w->data, w->len, &w->result);
	return NULL;
}

static void run_both(void *(*work)(void *))
{
	pthread_t threads[CPUS];
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, CPUS);
	for (int i = 0; i < CPUS; i++) {
		workers[i].start = &start;
		workers[i].cpu = i;
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
}

/* What s receives next comes to that CPU. */
static void give(struct scene *s, int cpu)
{
	workers[cpu].lab = s->lab;
	workers[cpu].len = frame_build(workers[cpu].data, &s->in);
}

/* A packet that is sent on as it came matches again when it is fed in again. */
static void open_loop(struct scene *s, void **state)
{
	scene_open(s, state, SCENE_4_TO_4);
	s->expected = s->in;
	s->flow->ttl = s->in.ttl;
	scene_set_output(s, s->flow);
}

static bool single_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) < CPUS;
}

static void packets_bytes_and_sequence_are_exact(void **state)
{
	struct scene s;

	if (single_cpu())
		skip();
	for (int round = 0; round < 5; round++) {
		open_loop(&s, state);
		for (int i = 0; i < CPUS; i++) {
			scene_rtp(&s, (size_t)(100 + i), 0, (uint16_t)(SCENE_SEQ + i * 50), 0);
			give(&s, i);
		}
		run_both(work_often);
		assert_int_equal(scene_packets(&s), CPUS * REPEAT);
		assert_int_equal(s.stream->bytes, (uint64_t)REPEAT * (100 + 101));
		assert_int_equal(s.stream->received_ssrc, CPUS * REPEAT);
		assert_int_equal(s.stream->ext_max_seq, SCENE_SEQ + 50);
		assert_int_equal(s.stream->flags, VD_STREAM_STARTED);
		assert_int_equal(lab_counter(s.lab, 0, VD_FORWARDED).packets, CPUS * REPEAT);
		lab_read_events(s.lab);
		assert_int_equal(lab_count_events(s.lab, VD_EVENT_FIRST_PACKET), 1);
	}
}

/* Each change of SSRC lets what was received by the one before go to packets_apart. */
static void packets_are_exact_while_two_sources_take_turns(void **state)
{
	struct scene s;

	if (single_cpu())
		skip();
	for (int round = 0; round < 5; round++) {
		open_loop(&s, state);
		for (int i = 0; i < CPUS; i++) {
			scene_rtp(&s, 100, 0, SCENE_SEQ, 0);
			s.rtp[11] = (uint8_t)i;
			give(&s, i);
		}
		run_both(work_often);
		assert_int_equal(scene_packets(&s), CPUS * REPEAT);
		assert_true(s.stream->ssrc_changes > 0);
		assert_int_equal(s.stream->flags, VD_STREAM_STARTED);
	}
}

static void first_packets_at_once_start_the_stream_once(void **state)
{
	struct scene s;

	if (single_cpu())
		skip();
	for (int round = 0; round < ROUNDS; round++) {
		open_loop(&s, state);
		for (int i = 0; i < CPUS; i++) {
			scene_rtp(&s, 100, 0, (uint16_t)(SCENE_SEQ + i), 0);
			give(&s, i);
		}
		run_both(work_once);
		assert_int_equal(scene_packets(&s), CPUS);
		assert_int_equal(s.stream->received_ssrc, CPUS);
		assert_int_equal(s.stream->ext_max_seq, SCENE_SEQ + 1);
		lab_read_events(s.lab);
		assert_int_equal(lab_count_events(s.lab, VD_EVENT_FIRST_PACKET), 1);
	}
}

/* Both jump far ahead of what came first, again and again: what is not counted with it goes to
 * packets_apart. */
static void packets_are_exact_while_numbers_jump(void **state)
{
	struct scene s;

	if (single_cpu())
		skip();
	for (int round = 0; round < 5; round++) {
		open_loop(&s, state);
		scene_rtp(&s, 100, 0, SCENE_SEQ, 0);
		give(&s, 0);
		lab_run(s.lab, 0, workers[0].data, workers[0].len, &workers[0].result);
		for (int i = 0; i < CPUS; i++) {
			scene_rtp(&s, 100, 0, (uint16_t)(SCENE_SEQ + (i + 1) * 20000), 0);
			give(&s, i);
		}
		run_both(work_often);
		assert_int_equal(s.stream->packets_apart, CPUS * REPEAT);
		assert_int_equal(s.stream->received_ssrc, 1);
	}
}

/* The event of the one that was refused may come first. */
static uint16_t latched_port(const struct lab *lab)
{
	const union lab_event *e = lab->events;

	while (e->head.type != VD_EVENT_LATCHED)
		e++;
	return e->head.port_be;
}

static void of_two_sources_at_once_one_latches(void **state)
{
	struct scene s;

	if (single_cpu())
		skip();
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t refused;

		open_loop(&s, state);
		s.flow->flags |= VD_FLOW_LATCH;
		s.flow->src_port_be = 0;
		for (int i = 0; i < CPUS; i++) {
			s.in.sport = (uint16_t)(7000 + i);
			give(&s, i);
		}
		run_both(work_once);
		refused = lab_counter(s.lab, 0, VD_DROP_SOURCE).packets +
			  lab_counter(s.lab, 0, VD_DROP_LATCH_BUSY).packets;
		assert_int_equal(lab_counter(s.lab, 0, VD_FORWARDED).packets, 1);
		assert_int_equal(refused, 1);
		assert_int_equal(scene_packets(&s), 1);
		assert_int_equal(s.stream->latch_state, VD_LATCH_LOCKED);
		lab_read_events(s.lab);
		assert_int_equal(lab_count_events(s.lab, VD_EVENT_LATCHED), 1);
		assert_int_equal(latched_port(s.lab), s.stream->latched_port_be);
	}
}

static void telephone_event_end_on_two_cpus_is_told_once(void **state)
{
	struct scene s;

	if (single_cpu())
		skip();
	for (int round = 0; round < ROUNDS; round++) {
		open_loop(&s, state);
		for (int i = 0; i < CPUS; i++) {
			scene_rtp(&s, 16, SCENE_TE_PT, (uint16_t)i, round & 1 ? 160 : 0);
			s.rtp[13] = 0x80;
			give(&s, i);
		}
		run_both(work_once);
		lab_read_events(s.lab);
		assert_int_equal(lab_count_events(s.lab, VD_EVENT_DTMF_END), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_bytes_and_sequence_are_exact),
		cmocka_unit_test(packets_are_exact_while_two_sources_take_turns),
		cmocka_unit_test(packets_are_exact_while_numbers_jump),
		cmocka_unit_test(first_packets_at_once_start_the_stream_once),
		cmocka_unit_test(of_two_sources_at_once_one_latches),
		cmocka_unit_test(telephone_event_end_on_two_cpus_is_told_once),
	};

	return cmocka_run_group_tests_name("bpf two CPUs", tests, lab_setup, lab_teardown);
}
