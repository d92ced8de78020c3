/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator, loaded: RTP over IPv4, 160 bytes of payload, streams in turn. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "generator.h"

#define TRAFFIC_PAYLOAD_BYTES 160
#define TRAFFIC_FRAME_BYTES   (sizeof(struct frame_header) + TRAFFIC_PAYLOAD_BYTES)
#define TRAFFIC_PORT_MIN      10000 /* stream i: port TRAFFIC_PORT_MIN + 2 i at both ends */
#define TRAFFIC_STREAMS_MAX   25000 /* as many even ports as there are up to 59998 */
/* The wires' addresses: see wires.py, which sets them. */
#define TRAFFIC_SOURCE_ADDRESS      "192.0.2.2"
#define TRAFFIC_INTERNAL_ADDRESS    "192.0.2.1"
#define TRAFFIC_EXTERNAL_ADDRESS    "198.51.100.1"
#define TRAFFIC_DESTINATION_ADDRESS "198.51.100.2"

struct bpf_link;
struct generator_bpf;

struct traffic {
	struct generator_bpf *bpf;
	struct bpf_link *link;
	int prog_fd;
	uint8_t frame[TRAFFIC_FRAME_BYTES]; /* what a page holds at first */
};

/* Loads the program, and attaches it to this namespace's lo, which must be idle. dest_mac may be
 * NULL. ports: one for each stream, NULL for the rule above. to_measured: packets go to the program
 * set by traffic_measure(), not to a wire. Exits on failure. */
void traffic_open(struct traffic *t, const uint8_t *source_mac, const uint8_t *dest_mac,
	const struct stream_ports *ports, unsigned streams, bool to_measured);
void traffic_set_wire(struct traffic *t, unsigned ifindex);
void traffic_set_measured(struct traffic *t, int prog_fd);
/* Sends count packets as live frames, batch at a time. 0 or -errno. */
int traffic_send(struct traffic *t, unsigned count, unsigned batch);
/* Runs it count times on one packet that seems to come in by that device: ns a run. Exits on
 * failure, or when the last verdict is not the expected one. */
double traffic_time(struct traffic *t, unsigned count, unsigned ifindex, enum xdp_action expected);
uint64_t traffic_sent(const struct traffic *t);
void traffic_close(struct traffic *t);

#endif
