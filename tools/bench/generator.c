/* SPDX-License-Identifier: BSD-2-Clause */
/* generator DEVICE DEST_MAC SHAPE STREAMS MS RATE FIRST_CPU CPUS [PORTS_FILE]
 *
 * Sends RTP in frames of SHAPE (see traffic.h) into DEVICE for MS, RATE packets a second (0: as
 * many as go) from a thread on each of the CPUS, and before them one packet of each stream, so that
 * streams have begun when the time does. RATE with an "s" at its end: stamped for latency.
 * PORTS_FILE: a line "SOURCE DEST" for each stream.
 *
 * Prints {"sent":N,"first":N,"seconds":S,"cpu_seconds":S}: all packets, those of them that were
 * sent before the seconds began, how long it took, and for how much of that the threads ran. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <netinet/ether.h>

#include "tool.h"
#include "traffic.h"

#define NS_A_SECOND    1000000000ull
#define NS_A_MS        1000000ull
#define BATCH_PACKETS  64    /* frames between two flushes: NAPI's own budget */
#define BURST_PACKETS  16384 /* in one system call, when as many as go */
#define PACED_BURST_NS 200000ull
#define RATE_MAX       100000000
#define MS_MAX         3600000

struct sender {
	pthread_t thread;
	struct traffic *traffic;
	unsigned cpu, streams;
	uint64_t ns, rate;
	uint64_t start, end, cpu_ns; /* when it did, and for how long it ran */
};

static void ports_read(const char *file, struct stream_ports *ports, unsigned streams)
{
	FILE *f = fopen(file, "r");

	if (!f)
		tool_fail(-errno, "%s", file);
	for (unsigned i = 0; i < streams; i++)
		if (fscanf(f, "%u %u", &ports[i].source, &ports[i].dest) != 2)
			tool_fail(0, "%s: fewer than %u lines", file, streams);
	fclose(f);
}

static void send_all(const struct sender *s, uint64_t packets)
{
	int err = traffic_send(
		s->traffic, packets, packets < BATCH_PACKETS ? packets : BATCH_PACKETS);

	if (err)
		tool_fail(err, "cannot send");
}

static void send_unlimited(const struct sender *s)
{
	do
		send_all(s, BURST_PACKETS);
	while (tool_now_ns() < s->start + s->ns);
}

/* A burst is due when the packets before it are; a burst that is late is not sent faster. */
static void send_paced(const struct sender *s)
{
	uint64_t total = s->rate * s->ns / NS_A_SECOND;
	uint64_t burst = s->rate * PACED_BURST_NS / NS_A_SECOND + 1;

	prctl(PR_SET_TIMERSLACK, 1);
	for (uint64_t done = 0; done < total; done += burst) {
		uint64_t due = s->start + done * NS_A_SECOND / s->rate;
		struct timespec until = {.tv_sec = due / NS_A_SECOND, .tv_nsec = due % NS_A_SECOND};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		if (burst > total - done)
			burst = total - done;
		send_all(s, burst);
	}
}

static uint64_t thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_A_SECOND + (uint64_t)t.tv_nsec;
}

static void *send_from_cpu(void *arg)
{
	struct sender *s = arg;

	tool_pin_to_cpu(s->cpu);
	send_all(s, s->streams);
	s->start = tool_now_ns();
	s->cpu_ns = thread_ns();
	if (s->rate)
		send_paced(s);
	else
		send_unlimited(s);
	s->end = tool_now_ns();
	s->cpu_ns = thread_ns() - s->cpu_ns;
	return NULL;
}

static void send_from_cpus(struct traffic *t, unsigned streams, unsigned first, unsigned count,
	uint64_t ms, uint64_t rate)
{
	struct sender senders[GENERATOR_CPUS_MAX];
	uint64_t start = UINT64_MAX, end = 0, cpu_ns = 0;

	for (unsigned i = 0; i < count; i++) {
		struct sender *s = &senders[i];

		*s = (struct sender){.traffic = t,
			.cpu = first + i,
			.streams = (streams + count - 1) / count,
			.ns = ms * NS_A_MS,
			.rate = rate / count};
		if (!i) /* the first is the process's own thread: profile looks at that */
			continue;
		if (pthread_create(&s->thread, NULL, send_from_cpu, s))
			tool_fail(0, "cannot start a thread");
	}
	send_from_cpu(&senders[0]);
	for (unsigned i = 0; i < count; i++) {
		if (i)
			pthread_join(senders[i].thread, NULL);
		cpu_ns += senders[i].cpu_ns;
		start = senders[i].start < start ? senders[i].start : start;
		end = senders[i].end > end ? senders[i].end : end;
	}
	tool_say("{\"sent\":%llu,\"first\":%u,\"seconds\":%.6f,\"cpu_seconds\":%.6f}",
		(unsigned long long)traffic_sent(t), (streams + count - 1) / count * count,
		(double)(end - start) / NS_A_SECOND, (double)cpu_ns / NS_A_SECOND);
}

int main(int argc, char **argv)
{
	static struct stream_ports ports[TRAFFIC_STREAMS_MAX];
	static struct traffic t;
	struct traffic_options options = {0};
	struct ether_addr *mac;
	uint64_t ms, rate;
	unsigned first, count;

	if (argc < 9 || argc > 10)
		tool_fail(0, "DEVICE DEST_MAC SHAPE STREAMS MS RATE FIRST_CPU CPUS [PORTS_FILE]");
	mac = ether_aton(argv[2]);
	if (!mac)
		tool_fail(0, "'%s' is not a MAC address", argv[2]);
	options.dest_mac = mac->ether_addr_octet;
	options.shape = traffic_shape_parse(argv[3]);
	options.streams = tool_number(argv[4], 1, TRAFFIC_STREAMS_MAX);
	ms = tool_number(argv[5], 1, MS_MAX);
	if (*argv[6] && argv[6][strlen(argv[6]) - 1] == 's') {
		options.stamped = true;
		argv[6][strlen(argv[6]) - 1] = '\0';
	}
	rate = tool_number(argv[6], 0, RATE_MAX);
	first = tool_number(argv[7], 0, GENERATOR_CPUS_MAX - 1);
	count = tool_number(argv[8], 1, GENERATOR_CPUS_MAX);
	if (argc == 10) {
		ports_read(argv[9], ports, options.streams);
		options.ports = ports;
	}

	traffic_open(&t, &options);
	traffic_set_cpus(&t, options.streams, first, count);
	traffic_set_wire(&t, tool_device(argv[1]));
	send_from_cpus(&t, options.streams, first, count, ms, rate);
	traffic_close(&t);
	return 0;
}
