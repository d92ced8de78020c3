/* SPDX-License-Identifier: BSD-2-Clause */
/* generator DEVICE DEST_MAC STREAMS SECONDS RATE CPU [PORTS_FILE]
 *
 * Sends RTP into DEVICE for SECONDS, RATE packets a second (0: as many as go) from one thread on
 * CPU, and prints {"sent":N,"seconds":S}. PORTS_FILE: a line "SOURCE DEST" for each stream. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <netinet/ether.h>

#include "tool.h"
#include "traffic.h"

#define NS_A_SECOND    1000000000ull
#define BATCH_PACKETS  64    /* frames between two flushes: NAPI's own budget */
#define BURST_PACKETS  65536 /* in one system call, when as many as go */
#define PACED_BURST_NS 1000000ull
#define RATE_MAX       100000000

static void ports_read(const char *file, struct stream_ports *ports, unsigned streams)
{
	FILE *f = fopen(file, "r");
	unsigned source, dest;

	if (!f)
		tool_fail(-errno, "%s", file);
	for (unsigned i = 0; i < streams; i++) {
		if (fscanf(f, "%u %u", &source, &dest) != 2)
			tool_fail(0, "%s: fewer than %u lines", file, streams);
		ports[i].source = htons(source);
		ports[i].dest = htons(dest);
	}
	fclose(f);
}

static void send_all(struct traffic *t, uint64_t packets)
{
	int err = traffic_send(t, packets, packets < BATCH_PACKETS ? packets : BATCH_PACKETS);

	if (err)
		tool_fail(err, "cannot send");
}

static void send_unlimited(struct traffic *t, uint64_t start, uint64_t seconds)
{
	while (tool_now_ns() < start + seconds * NS_A_SECOND)
		send_all(t, BURST_PACKETS);
}

/* A burst is due when the packets before it are; a burst that is late is not sent faster. */
static void send_paced(struct traffic *t, uint64_t start, uint64_t seconds, uint64_t rate)
{
	uint64_t total = rate * seconds, burst = rate * PACED_BURST_NS / NS_A_SECOND + 1;

	for (uint64_t done = 0; done < total; done += burst) {
		uint64_t due = start + done * NS_A_SECOND / rate;
		struct timespec until = {.tv_sec = due / NS_A_SECOND, .tv_nsec = due % NS_A_SECOND};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		if (burst > total - done)
			burst = total - done;
		send_all(t, burst);
	}
}

int main(int argc, char **argv)
{
	static struct stream_ports ports[GENERATOR_STREAMS_MAX];
	uint64_t seconds, rate, start, end;
	struct ether_addr *mac;
	struct traffic t;
	unsigned streams;

	if (argc < 7 || argc > 8)
		tool_fail(0, "DEVICE DEST_MAC STREAMS SECONDS RATE CPU [PORTS_FILE]");
	mac = ether_aton(argv[2]);
	if (!mac)
		tool_fail(0, "'%s' is not a MAC address", argv[2]);
	streams = tool_number(argv[3], 1, TRAFFIC_STREAMS_MAX);
	seconds = tool_number(argv[4], 1, 3600);
	rate = tool_number(argv[5], 0, RATE_MAX);
	if (argc == 8)
		ports_read(argv[7], ports, streams);

	traffic_open(&t, NULL, mac->ether_addr_octet, argc == 8 ? ports : NULL, streams, false);
	traffic_set_wire(&t, tool_device(argv[1]));
	tool_pin_to_cpu(tool_number(argv[6], 0, 1023));

	start = tool_now_ns();
	if (rate)
		send_paced(&t, start, seconds, rate);
	else
		send_unlimited(&t, start, seconds);
	end = tool_now_ns();
	tool_say("{\"sent\":%llu,\"seconds\":%.6f}", (unsigned long long)traffic_sent(&t),
		(double)(end - start) / NS_A_SECOND);
	traffic_close(&t);
	return 0;
}
