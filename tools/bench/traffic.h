/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator, loaded: RTP in frames of one shape, a packet of each stream in turn. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "generator.h"

/* What a frame looks like. bytes: as long as it would be over IPv4, untagged; over IPv6 and with a
 * tag the payload is the same and the frame longer. back: from the wires' far end to the near one.
 */
struct traffic_shape {
	bool v6, tagged, back;
	unsigned bytes;
};

#define TRAFFIC_HEAD_BYTES                                                                         \
	(ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr) + sizeof(struct rtp_header))
#define TRAFFIC_BYTES_MIN      60
#define TRAFFIC_BYTES_MAX      1400
#define TRAFFIC_BYTES          214 /* G.711, 20 ms */
#define TRAFFIC_FRAME_MAX      (TRAFFIC_BYTES_MAX + 24)
#define TRAFFIC_PORT_MIN       10000
#define TRAFFIC_PORTS          25000 /* as many even ports as there are up to 59998 */
#define TRAFFIC_ADDRESSES      4     /* of ours, each with that many streams */
#define TRAFFIC_ADDRESSES_STEP 100   /* of the last byte, from one to the next */
#define TRAFFIC_STREAMS_MAX    (TRAFFIC_PORTS * TRAFFIC_ADDRESSES)
/* The wires' addresses: see wires.py, which sets them. Two to an end, IPv4 and IPv6. */
#define TRAFFIC_SOURCE_ADDRESS(v6)      ((v6) ? "2001:db8:1::2" : "192.0.2.2")
#define TRAFFIC_INTERNAL_ADDRESS(v6)    ((v6) ? "2001:db8:1::1" : "192.0.2.1")
#define TRAFFIC_EXTERNAL_ADDRESS(v6)    ((v6) ? "2001:db8:2::1" : "198.51.100.1")
#define TRAFFIC_DESTINATION_ADDRESS(v6) ((v6) ? "2001:db8:2::2" : "198.51.100.2")

struct bpf_link;
struct generator_bpf;

struct traffic {
	struct generator_bpf *bpf;
	struct bpf_link *link;
	int prog_fd;
	struct traffic_shape shape;
	unsigned frame_bytes;
	uint8_t frame[TRAFFIC_FRAME_MAX]; /* what a page holds at first */
};

/* "4-214": IPv4, 214 bytes; "6v-60": IPv6, tagged; "4b-214": back. Exits when it is none. */
struct traffic_shape traffic_shape_parse(const char *text);
/* UDP payload with RTP's header, bytes. */
unsigned traffic_media_bytes(const struct traffic_shape *shape);

/* Stream i goes from and to port TRAFFIC_PORT_MIN + 2 (i % TRAFFIC_PORTS), to the address that
 * number i / TRAFFIC_PORTS is. */
static inline unsigned traffic_port(unsigned stream)
{
	return TRAFFIC_PORT_MIN + 2 * (stream % TRAFFIC_PORTS);
}

struct stream_ports {
	unsigned source, dest;
};

struct traffic_options {
	struct traffic_shape shape;
	const uint8_t *source_mac, *dest_mac; /* NULL: zeroes */
	const struct stream_ports *ports;     /* one for each stream; NULL for the rule above */
	unsigned streams;
	bool to_measured; /* packets go to the program set by traffic_set_measured(), not to a wire
			   */
	bool stamped;     /* for latency */
};

/* Loads the program, and attaches it to this namespace's lo, which must be idle. All streams are
 * CPU 0's. Exits on failure. */
void traffic_open(struct traffic *t, const struct traffic_options *options);
void traffic_set_wire(struct traffic *t, unsigned ifindex);
void traffic_set_measured(struct traffic *t, int prog_fd);
/* The streams in even parts to CPUs first, first + 1 ... */
void traffic_set_cpus(struct traffic *t, unsigned streams, unsigned first, unsigned count);
/* Sends count packets as live frames, batch at a time. 0 or -errno. */
int traffic_send(struct traffic *t, unsigned count, unsigned batch);
/* Runs it count times on one packet that seems to come in by that device: ns a run. Exits on
 * failure, or when the last verdict is not the expected one. */
double traffic_time(struct traffic *t, unsigned count, unsigned ifindex, enum xdp_action expected);
uint64_t traffic_sent(const struct traffic *t);
void traffic_close(struct traffic *t);

#endif
