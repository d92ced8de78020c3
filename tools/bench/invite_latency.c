/* SPDX-License-Identifier: BSD-2-Clause */
/* invite_latency IN OUT
 *
 * Listens to both devices and pairs each INVITE that comes in by IN with the one that leaves by OUT
 * for the same called number, "sip:bench<number>@": the kernel's own time stamps on either, so that
 * the listener's scheduling does not count. Each line read is answered by one line of JSON.
 * Repeated INVITEs do not count twice: the first in and the first out are the pair. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define NUMBERS_MAX    (1 << 20)
#define CALLED_PREFIX  "INVITE sip:bench"
#define RECEIVE_BYTES  (16 << 20)
#define PAYLOAD_OFFSET (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr))
#define INVI           0x494e5649 /* "INVI" */
#define NS_A_SECOND    1000000000ull

struct ear {
	int fd;
	uint64_t *first_ns; /* by number; 0 = not seen */
	unsigned repeated;
};

/* IPv4 UDP whose payload begins with INVI, in the wanted direction alone. */
static void filter_attach(int fd, bool outgoing)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, outgoing ? 0 : 7,
			outgoing ? 7 : 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct ethhdr, h_proto)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + offsetof(struct iphdr, protocol)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PAYLOAD_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, INVI, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		tool_fail(-errno, "cannot attach the filter");
}

static void ear_open(struct ear *ear, const char *device, bool outgoing)
{
	struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int on = 1, bytes = RECEIVE_BYTES;

	memset(ear, 0, sizeof(*ear));
	ear->first_ns = calloc(NUMBERS_MAX, sizeof(*ear->first_ns));
	if (!ear->first_ns)
		tool_fail(-ENOMEM, "times");
	/* Protocol 0: hears nothing before the filter is there and it is bound. */
	ear->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (ear->fd < 0)
		tool_fail(-errno, "cannot listen to packets");
	filter_attach(ear->fd, outgoing);
	where.sll_ifindex = (int)tool_device(device);
	if (setsockopt(ear->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
		setsockopt(ear->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
		bind(ear->fd, (struct sockaddr *)&where, sizeof(where)))
		tool_fail(-errno, "cannot listen on %s", device);
}

static uint64_t time_stamp(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct timespec t;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		return (uint64_t)t.tv_sec * NS_A_SECOND + (uint64_t)t.tv_nsec;
	}
	return 0;
}

static void ear_note(struct ear *ear, const char *payload, uint64_t ns)
{
	unsigned long number;

	if (strncmp(payload, CALLED_PREFIX, strlen(CALLED_PREFIX)) != 0)
		return;
	number = strtoul(payload + strlen(CALLED_PREFIX), NULL, 10);
	if (number >= NUMBERS_MAX)
		return;
	if (ear->first_ns[number])
		ear->repeated++;
	else
		ear->first_ns[number] = ns;
}

static void ear_listen(struct ear *ear)
{
	char frame[PAYLOAD_OFFSET + 256], control[128];
	struct iovec iov = {frame, sizeof(frame) - 1};

	for (;;) {
		struct msghdr message = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		ssize_t len = recvmsg(ear->fd, &message, 0);

		if (len < 0)
			return;
		if (len <= (ssize_t)PAYLOAD_OFFSET)
			continue;
		frame[len] = '\0';
		ear_note(ear, frame + PAYLOAD_OFFSET, time_stamp(&message));
	}
}

static unsigned ear_missed(const struct ear *ear)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	return getsockopt(ear->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) ? 0
										: stats.tp_drops;
}

static double percentile_us(const double *sorted, unsigned count, double percent)
{
	unsigned index = count * percent / 100;

	if (!count)
		return 0;
	return sorted[index < count ? index : count - 1] / 1000;
}

static void result_say(const struct ear *in, const struct ear *out)
{
	double *ns = calloc(NUMBERS_MAX, sizeof(*ns));
	unsigned pairs = 0, alone = 0;

	if (!ns)
		tool_fail(-ENOMEM, "result");
	for (unsigned i = 0; i < NUMBERS_MAX; i++) {
		if (in->first_ns[i] && out->first_ns[i])
			ns[pairs++] = (double)out->first_ns[i] - (double)in->first_ns[i];
		else if (in->first_ns[i] || out->first_ns[i])
			alone++;
	}
	tool_sort(ns, pairs);
	tool_say("{\"pairs\":%u,\"alone\":%u,\"repeated_in\":%u,\"repeated_out\":%u,\"missed\":%u,"
		 "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}",
		pairs, alone, in->repeated, out->repeated, ear_missed(in) + ear_missed(out),
		percentile_us(ns, pairs, 50), percentile_us(ns, pairs, 90),
		percentile_us(ns, pairs, 99), percentile_us(ns, pairs, 100));
	free(ns);
}

int main(int argc, char **argv)
{
	struct ear in, out;
	char line[64];

	if (argc != 3)
		tool_fail(0, "IN OUT");
	ear_open(&in, argv[1], false);
	ear_open(&out, argv[2], true);
	tool_say("ready");
	for (;;) {
		struct pollfd fds[] = {
			{in.fd, POLLIN, 0}, {out.fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};

		if (poll(fds, 3, -1) < 0)
			tool_fail(-errno, "poll");
		ear_listen(&in);
		ear_listen(&out);
		if (!fds[2].revents)
			continue;
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			break;
		result_say(&in, &out);
	}
	free(in.first_ns);
	free(out.first_ns);
	return 0;
}
