/* SPDX-License-Identifier: BSD-2-Clause */
/* One end of many calls: sends RTP in each, 50 packets a second, and holds what it receives against
 * what the other end must have sent.
 *
 *   talkers ADDRESS
 *
 * Standard input: a line "CALL PORT REMOTE_ADDRESS REMOTE_PORT" for each call,
 * an empty line, then
 *   start   sends from now on
 *   stop    sends no more
 *   report  one line of JSON
 * Each call's packets carry the call's number and count up from 0, so that what is lost, doubled,
 * out of order, changed or of another call is seen at the receiver. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_MS     20
#define PAYLOAD_BYTES 160
#define CALLS_MAX     20000
#define EVENTS        256
#define RECEIVE_BYTES (1 << 18)
#define LINE_BYTES    256
#define BEHIND_MAX_MS 20
#define NS_A_MS       1000000ull
#define NS_A_SEC      1000000000ull

struct packet {
	uint8_t version, payload_type;
	uint16_t sequence;
	uint32_t timestamp, ssrc;
	uint32_t call, count;
	uint8_t filler[PAYLOAD_BYTES - 8];
} __attribute__((packed));

struct talk {
	int fd;
	uint32_t call, sent, due; /* due: the next count expected */
};

static struct talk *talks;
static unsigned talk_count;
static struct {
	uint64_t sent, unsent, received, gaps, late, changed, strange;
} counts;

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "talkers: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_A_SEC + (uint64_t)ts.tv_nsec;
}

static socklen_t address(struct sockaddr_storage *ss, const char *text, unsigned port)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
		errno = EINVAL;
		fail(text);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	return sizeof(*v6);
}

static void add(int epoll, const char *local, const char *line)
{
	struct talk *t = &talks[talk_count];
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = talk_count};
	char remote[INET6_ADDRSTRLEN];
	unsigned port, remote_port;
	struct sockaddr_storage ss;
	int bytes = RECEIVE_BYTES;
	socklen_t len;

	if (talk_count == CALLS_MAX ||
		sscanf(line, "%u %u %45s %u", &t->call, &port, remote, &remote_port) != 4) {
		errno = EINVAL;
		fail(line);
	}
	len = address(&ss, local, port);
	t->fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (t->fd < 0 || bind(t->fd, (struct sockaddr *)&ss, len))
		fail(line);
	if (setsockopt(t->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(t->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	len = address(&ss, remote, remote_port);
	if (connect(t->fd, (struct sockaddr *)&ss, len) ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, t->fd, &event))
		fail(line);
	talk_count++;
}

static void fill(struct packet *p, uint32_t call, uint32_t count)
{
	*p = (struct packet){.version = 0x80,
		.sequence = htobe16((uint16_t)count),
		.timestamp = htobe32(count * PAYLOAD_BYTES),
		.ssrc = htobe32(call + 1),
		.call = htobe32(call),
		.count = htobe32(count)};
	for (unsigned i = 0; i < sizeof(p->filler); i++)
		p->filler[i] = (uint8_t)(call + count + i);
}

static void send_one(struct talk *t)
{
	struct packet p;

	fill(&p, t->call, t->sent);
	if (send(t->fd, &p, sizeof(p), 0) == sizeof(p)) {
		t->sent++;
		counts.sent++;
	} else {
		counts.unsent++;
	}
}

static void take(struct talk *t, const struct packet *p, ssize_t len)
{
	struct packet expected;
	uint32_t count = be32toh(p->count);

	counts.received++;
	if (len != sizeof(*p)) {
		counts.changed++;
		return;
	}
	if (be32toh(p->call) != t->call) {
		counts.strange++;
		return;
	}
	fill(&expected, t->call, count);
	if (memcmp(p, &expected, sizeof(expected)) != 0) {
		counts.changed++;
		return;
	}
	if (count < t->due) {
		counts.late++; /* or doubled; its gap was counted */
		return;
	}
	counts.gaps += count - t->due;
	t->due = count + 1;
}

static void receive(struct talk *t)
{
	struct packet p;
	ssize_t len;

	while ((len = recv(t->fd, &p, sizeof(p), 0)) >= 0)
		take(t, &p, len);
}

/* Those whose turn it is in this millisecond of the period. */
static void send_due(uint64_t tick)
{
	for (unsigned i = tick % PERIOD_MS; i < talk_count; i += PERIOD_MS)
		send_one(&talks[i]);
}

static void report(void)
{
	printf("{\"sent\": %llu, \"unsent\": %llu, \"received\": %llu, \"gaps\": %llu, "
	       "\"late\": %llu, \"changed\": %llu, \"strange\": %llu}\n",
		(unsigned long long)counts.sent, (unsigned long long)counts.unsent,
		(unsigned long long)counts.received, (unsigned long long)counts.gaps,
		(unsigned long long)counts.late, (unsigned long long)counts.changed,
		(unsigned long long)counts.strange);
	fflush(stdout);
}

/* False at the end of input. */
static bool obey(bool *sends, uint64_t *next_ns)
{
	char line[LINE_BYTES];
	size_t len = 0;

	while (len < sizeof(line) - 1) {
		ssize_t n = read(STDIN_FILENO, &line[len], 1);

		if (n <= 0)
			return false;
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
	if (strcmp(line, "start") == 0) {
		*sends = true;
		*next_ns = now_ns();
	} else if (strcmp(line, "stop") == 0) {
		*sends = false;
	} else if (strcmp(line, "report") == 0) {
		report();
	}
	return true;
}

static void run(int epoll)
{
	struct epoll_event input = {.events = EPOLLIN, .data.u32 = UINT32_MAX}, event[EVENTS];
	uint64_t next_ns = 0, tick = 0;
	bool sends = false, on = true;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input))
		fail("epoll");
	while (on) {
		bool due = sends && now_ns() >= next_ns;
		int n = epoll_wait(epoll, event, EVENTS, due ? 0 : 1);

		for (int i = 0; i < n; i++) {
			if (event[i].data.u32 == UINT32_MAX)
				on = obey(&sends, &next_ns);
			else
				receive(&talks[event[i].data.u32]);
		}
		if (!due)
			continue;
		send_due(tick++);
		next_ns += NS_A_MS;
		/* On a machine that is too busy it sends less, rather than all at once. */
		if (now_ns() > next_ns + BEHIND_MAX_MS * NS_A_MS)
			next_ns = now_ns();
	}
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int epoll = epoll_create1(0);
	char line[LINE_BYTES];

	if (argc != 2) {
		fprintf(stderr, "usage: talkers ADDRESS\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	talks = calloc(CALLS_MAX, sizeof(*talks));
	if (!talks || epoll < 0)
		fail("start");
	setvbuf(stdin, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin) && line[0] != '\n')
		add(epoll, argv[1], line);
	puts("ready");
	fflush(stdout);
	run(epoll);
	return 0;
}
