/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes calls at a rate that does not yield to how they fare, unlike a well-behaved caller: it is
 * to find out what becomes of calls beyond the capacity. Every answered call is acknowledged, held,
 * and ended by BYE; what is refused is acknowledged; requests without an answer are sent again
 * after T1, and each time after twice as long (RFC 3261 17.1.1.2).
 *
 *   sip_caller ADDRESS PORT REMOTE PORT [NUMBERS]
 *
 * NUMBERS: a file of the numbers to call, one a line, taken by turns.
 * A line "RATE MS HOLD_MS" makes RATE calls a second for MS; the answer tells what became of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip_text.h"
#include "tool.h"

#define NS_A_MS         1000000ull
#define NS_A_SEC        1000000000ull
#define CALLS           (1u << 18) /* at once */
#define T1_NS           (500 * NS_A_MS)
#define TRIES           64    /* times T1 that a request waits for an answer */
#define DRAIN_MS        33000 /* for the last calls to end, at most */
#define INVITES_AT_ONCE 64
#define NUMBER_MAX      32

enum state { FREE, CALLING, UP, ENDING };

struct call {
	unsigned number; /* of the call that has the place */
	enum state state;
	bool heard; /* a provisional response */
	unsigned tries;
	char to[96], target[64];
};

/* Calls in the order of their dues, as every due of a queue is the same time ahead. */
struct queue {
	struct {
		unsigned number;
		uint64_t due_ns;
	} * entry;
	unsigned first, count;
};

static struct {
	uint64_t sent, answered, refused, ended, failed, invites_again, byes_again, answers_again;
} counts;
static struct call *calls;
static struct queue unanswered, to_end, unended;
static int fd;
static const char *host, *remote;
static unsigned port, remote_port, next_number;
static char (*called)[NUMBER_MAX];
static unsigned called_count;

static struct call *call_at(unsigned number)
{
	struct call *c = &calls[number % CALLS];

	return c->number == number && c->state != FREE ? c : NULL;
}

static void queue_put(struct queue *q, unsigned number, uint64_t due_ns)
{
	unsigned at = (q->first + q->count) % CALLS;

	if (q->count == CALLS)
		tool_fail(0, "too many calls at once");
	q->count++;
	q->entry[at].number = number;
	q->entry[at].due_ns = due_ns;
}

/* The next call that is due and still lives. */
static struct call *queue_due(struct queue *q, uint64_t now_ns)
{
	while (q->count && q->entry[q->first].due_ns <= now_ns) {
		struct call *c = call_at(q->entry[q->first].number);

		q->first = (q->first + 1) % CALLS;
		q->count--;
		if (c)
			return c;
	}
	return NULL;
}

/* The user part of whom a call is for. */
static void put_user(char *out, size_t room, unsigned number)
{
	if (called_count)
		snprintf(out, room, "%s", called[number % called_count]);
	else
		snprintf(out, room, "bench%u", number);
}

static void say(const char *method, const char *branch, const struct call *c, unsigned cseq)
{
	bool invite = strcmp(method, "INVITE") == 0;
	char text[SIP_TEXT_MAX], sdp[SIP_TEXT_MAX / 2] = "", user[NUMBER_MAX], target[64], to[96];
	int n;

	if (invite)
		snprintf(sdp, sizeof(sdp), SIP_SDP("%s"), host, host);
	put_user(user, sizeof(user), c->number);
	snprintf(target, sizeof(target), "sip:%s@%s:%u", user, remote, remote_port);
	snprintf(to, sizeof(to), "<%s>", target);
	n = snprintf(text, sizeof(text),
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bK%s%u\r\n"
		"From: <sip:caller@%s:%u>;tag=c%u\r\nTo: %s\r\nCall-ID: %u@bench\r\nCSeq: %u %s\r\n"
		"Contact: <sip:caller@%s:%u>\r\nMax-Forwards: 70\r\n%sContent-Length: "
		"%zu\r\n\r\n%s",
		method, *c->target ? c->target : target, host, port, branch, c->number, host, port,
		c->number, *c->to ? c->to : to, c->number, cseq, method, host, port,
		invite ? "Content-Type: application/sdp\r\n" : "", strlen(sdp), sdp);
	(void)send(fd, text, (size_t)n, MSG_DONTWAIT);
}

static void begin(uint64_t now_ns)
{
	struct call *c = &calls[next_number % CALLS];

	if (c->state != FREE)
		tool_fail(0, "too many calls at once");
	memset(c, 0, sizeof(*c));
	c->number = next_number++;
	c->state = CALLING;
	counts.sent++;
	say("INVITE", "i", c, 1);
	queue_put(&unanswered, c->number, now_ns + T1_NS);
}

static void learn(struct call *c, const char *response)
{
	int len;
	const char *value = sip_value(response, "\r\nTo: ", &len);

	snprintf(c->to, sizeof(c->to), "%.*s", len, value);
	value = sip_value(response, "\r\nContact: <", &len);
	snprintf(c->target, sizeof(c->target), "%.*s", (int)strcspn(value, ">\r"), value);
}

static void take_response(const char *text, uint64_t hold_ns, uint64_t now_ns)
{
	int len, code = atoi(text + 8);
	const char *id = sip_value(text, "\r\nCall-ID: ", &len);
	bool bye = strstr(text, " BYE\r\n") != NULL;
	struct call *c = call_at((unsigned)strtoul(id, NULL, 10));

	if (!c)
		return;
	if (bye && c->state == ENDING) {
		counts.ended += code == 200;
		counts.failed += code != 200;
		c->state = FREE;
	} else if (bye) {
		return;
	} else if (code < 200) {
		c->heard = true;
	} else if (code < 300) {
		if (c->state == CALLING) {
			learn(c, text);
			c->state = UP;
			counts.answered++;
			queue_put(&to_end, c->number, now_ns + hold_ns);
		} else {
			counts.answers_again++;
		}
		say("ACK", "a", c, 1);
	} else if (c->state == CALLING) {
		learn(c, text);
		*c->target = '\0';
		say("ACK", "i", c, 1);
		counts.refused += code == 503;
		counts.failed += code != 503;
		c->state = FREE;
	}
}

static bool take_responses(uint64_t hold_ns, uint64_t now_ns)
{
	bool any = false;

	for (unsigned i = 0; i < SIP_BATCH; i++) {
		char text[SIP_TEXT_MAX];
		ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

		if (n <= 0)
			break;
		any = true;
		text[n] = '\0';
		if (sip_starts(text, "SIP/2.0 "))
			take_response(text, hold_ns, now_ns);
	}
	return any;
}

/* Each T1 for every call that waits: the queue stays in order. */
static void wait_on(struct call *c, struct queue *q, uint64_t now_ns)
{
	bool is_due;

	c->tries++;
	is_due = (c->tries & (c->tries + 1)) == 0; /* 1, 3, 7, ... */
	if (c->tries > TRIES) {
		counts.failed++;
		c->state = FREE;
		return;
	}
	if (is_due && c->state == CALLING && !c->heard) {
		counts.invites_again++;
		say("INVITE", "i", c, 1);
	} else if (is_due && c->state == ENDING) {
		counts.byes_again++;
		say("BYE", "b", c, 2);
	}
	queue_put(q, c->number, now_ns + T1_NS);
}

static void mind_queues(uint64_t now_ns)
{
	struct call *c;

	while ((c = queue_due(&unanswered, now_ns))) {
		if (c->state == CALLING)
			wait_on(c, &unanswered, now_ns);
	}
	while ((c = queue_due(&to_end, now_ns))) {
		c->state = ENDING;
		c->tries = 0;
		say("BYE", "b", c, 2);
		queue_put(&unended, c->number, now_ns + T1_NS);
	}
	while ((c = queue_due(&unended, now_ns))) {
		if (c->state == ENDING)
			wait_on(c, &unended, now_ns);
	}
}

static void run(uint64_t rate, uint64_t ms, uint64_t hold_ms)
{
	uint64_t start = tool_now_ns(), now = start, end = start + ms * NS_A_MS;
	uint64_t answered_by_end = 0, sent = 0;
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	memset(&counts, 0, sizeof(counts));
	while (now < end + DRAIN_MS * NS_A_MS) {
		bool busy = take_responses(hold_ms * NS_A_MS, now);

		mind_queues(now);
		for (unsigned i = 0;
			i < INVITES_AT_ONCE && now < end && sent < (now - start) * rate / NS_A_SEC;
			i++, sent++)
			begin(now);
		if (now < end)
			answered_by_end = counts.answered;
		else if (counts.ended + counts.refused + counts.failed >= counts.sent)
			break;
		if (!busy)
			(void)poll(&ready, 1, 1);
		now = tool_now_ns();
	}
	tool_say(
		"{\"rate\": %llu, \"sent\": %llu, \"answered\": %llu, \"answered_a_second\": %.1f, "
		"\"refused\": %llu, \"ended\": %llu, \"failed\": %llu, \"invites_again\": %llu, "
		"\"byes_again\": %llu, \"answers_again\": %llu}",
		(unsigned long long)rate, (unsigned long long)counts.sent,
		(unsigned long long)counts.answered, (double)answered_by_end * 1000 / (double)ms,
		(unsigned long long)counts.refused, (unsigned long long)counts.ended,
		(unsigned long long)counts.failed, (unsigned long long)counts.invites_again,
		(unsigned long long)counts.byes_again, (unsigned long long)counts.answers_again);
}

static void queue_new(struct queue *q)
{
	q->entry = calloc(CALLS, sizeof(*q->entry));
	if (!q->entry)
		tool_fail(-ENOMEM, "queue");
}

static void read_numbers(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[NUMBER_MAX];

	if (!file)
		tool_fail(-errno, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		called = reallocarray(called, called_count + 1, sizeof(*called));
		if (!called)
			tool_fail(-ENOMEM, "numbers");
		line[strcspn(line, "\n")] = '\0';
		strcpy(called[called_count++], line);
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};
	unsigned long long rate, ms, hold_ms;
	int bytes = SOCKET_BYTES;
	char line[128];

	if ((argc != 5 && argc != 6) || inet_pton(AF_INET, argv[1], &here.sin_addr) != 1 ||
		inet_pton(AF_INET, argv[3], &there.sin_addr) != 1)
		tool_fail(0, "usage: sip_caller ADDRESS PORT REMOTE PORT [NUMBERS]");
	if (argc == 6)
		read_numbers(argv[5]);
	host = argv[1];
	remote = argv[3];
	port = (unsigned)tool_number(argv[2], 1, UINT16_MAX);
	remote_port = (unsigned)tool_number(argv[4], 1, UINT16_MAX);
	here.sin_port = htons((uint16_t)port);
	there.sin_port = htons((uint16_t)remote_port);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
		bind(fd, (struct sockaddr *)&here, sizeof(here)) ||
		connect(fd, (struct sockaddr *)&there, sizeof(there)))
		tool_fail(-errno, "socket");
	calls = calloc(CALLS, sizeof(*calls));
	if (!calls)
		tool_fail(-ENOMEM, "calls");
	queue_new(&unanswered);
	queue_new(&to_end);
	queue_new(&unended);
	next_number = (unsigned)getpid() << 12; /* of another run's calls, no number comes again */
	tool_say("ready");
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%llu %llu %llu", &rate, &ms, &hold_ms) != 3)
			tool_fail(0, "expected RATE MS HOLD_MS");
		run(rate, ms, hold_ms);
	}
	return 0;
}
