/* SPDX-License-Identifier: BSD-2-Clause */
/* One stream that the golden tests start from: a PBX inside sends RTP to our internal address, and
 * it leaves for a trunk outside. Tests change what they are about. */
#ifndef VIADUCT_TESTS_SCENE_H
#define VIADUCT_TESTS_SCENE_H

#include "lab.h"

#define SCENE_PORT      10000 /* RTP on our internal address; RTCP one above */
#define SCENE_PORT_MAX  10009
#define SCENE_FLOW      1
#define SCENE_FLOW_RTCP 2
#define SCENE_STREAM    3
#define SCENE_NEXTHOP   2
#define SCENE_DEVICE    5
#define SCENE_SSRC      0x11223344
#define SCENE_TIMESTAMP 160000
#define SCENE_SEQ       1000
#define SCENE_COOKIE    0xc00c1e
#define SCENE_PAYLOAD   172 /* 20 ms of G.711 and the RTP header */
#define SCENE_TE_PT     101

enum scene_families { SCENE_4_TO_4, SCENE_4_TO_6, SCENE_6_TO_4, SCENE_6_TO_6 };

struct scene {
	struct lab *lab;
	struct vd_flow *flow;
	struct vd_stream *stream;
	struct vd_nexthop *nexthop;
	struct vd_local *local;
	struct frame in, expected;  /* what goes in; what comes out if it is forwarded */
	uint8_t rtp[FRAME_MAX];     /* payload of in */
	uint8_t rtp_out[FRAME_MAX]; /* payload of expected */
	struct lab_result result;
};

/* Resets the lab and sets it all up. */
void scene_open(struct scene *s, void **state, enum scene_families families);
/* Flow's output half from expected, after a change of that. */
void scene_set_output(struct scene *s, struct vd_flow *flow);
/* The next packet of the stream, payload len bytes. */
void scene_rtp(struct scene *s, size_t len, uint8_t marker_pt, uint16_t seq, uint32_t timestamp);
/* Of the stream, as user space adds them up. */
uint64_t scene_packets(const struct scene *s);
/* Runs in; asserts that it is counted once, under reason on the internal side, with its verdict;
 * that expected comes out, or what went in where it is passed up. */
void scene_expect(struct scene *s, enum vd_reason reason);
/* The same for a frame made by hand. */
void scene_expect_frame(struct scene *s, const uint8_t *data, size_t len, enum vd_reason reason);

#endif
