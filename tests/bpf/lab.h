/* SPDX-License-Identifier: BSD-2-Clause */
/* The XDP program in a network namespace of its own, run by BPF_PROG_TEST_RUN: two devices, one a
 * side, maps to fill, counters and events to look at. Errors end the test. */
#ifndef VIADUCT_TESTS_LAB_H
#define VIADUCT_TESTS_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "frame.h"
#include "viaduct_xdp.h"

#define LAB_PORTS    1024
#define LAB_FLOWS    64
#define LAB_NEXTHOPS 16
#define LAB_EVENTS   512
#define LAB_SIDES    2

union lab_event {
	struct vd_event head;
	uint8_t record[sizeof(struct vd_event) + VD_EVENT_RTCP_BYTES];
};

struct lab {
	struct viaduct_bpf *bpf;
	struct ring_buffer *ring;
	int program;
	unsigned ifindex[LAB_SIDES];
	struct vd_locals locals; /* lab_set_locals writes it */
	struct vd_port *ports;
	struct vd_flow *flows;
	struct vd_nexthop *nexthops;
	union lab_event events[LAB_EVENTS];
	unsigned events_count;
};

struct lab_result {
	uint32_t verdict;
	uint8_t data[FRAME_MAX + 64];
	size_t len;
};

/* For cmocka: *state is a struct lab. */
int lab_setup(void **state);
/* The same, and packets may wait (struct vd_batch). */
int lab_setup_batching(void **state);
/* The same, and the program guesses which address of ours a packet is for (struct vd_locals). */
int lab_setup_guessing(void **state);
int lab_teardown(void **state);
/* Empties every map; what lab_setup made stays. */
int lab_reset(void **state);

/* As lab->locals is, its likely[] filled in. */
void lab_set_locals(struct lab *lab);
void lab_set_device(struct lab *lab, uint32_t index, unsigned ifindex);
/* The same, and packets that waited are finished there. */
void lab_set_finishing_device(struct lab *lab, uint32_t index, unsigned ifindex);
/* What packets to that port are told by vd_exits. */
void lab_set_exit(const struct lab *lab, uint32_t port, unsigned exit);
void lab_unset_device(struct lab *lab, uint32_t index);
/* meta_len: bytes of XDP metadata before the frame, which take headroom away. 0 or -errno. */
int lab_run_with_meta(struct lab *lab, unsigned side, const uint8_t *data, size_t len,
	size_t meta_len, struct lab_result *result);
void lab_run(
	struct lab *lab, unsigned side, const uint8_t *data, size_t len, struct lab_result *result);
/* repeat times over, without a look at the outcome: for threads. Returns ns a packet. */
uint32_t lab_run_often(struct lab *lab, unsigned side, const uint8_t *data, size_t len, int repeat);
struct vd_counter lab_counter(struct lab *lab, unsigned side, enum vd_reason reason);
/* Packets under every reason and side together. */
uint64_t lab_counted(struct lab *lab);
uint64_t lab_events_lost(struct lab *lab);
/* Takes what is in the ring buffer into lab->events. */
void lab_read_events(struct lab *lab);
unsigned lab_count_events(const struct lab *lab, uint32_t type);

const char *lab_reason_name(unsigned reason);
int lab_reason_verdict(unsigned reason); /* XDP_PASS, XDP_DROP, XDP_REDIRECT */

#endif
