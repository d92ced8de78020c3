/* SPDX-License-Identifier: BSD-2-Clause */
/* flood SOURCE DESTINATION PORT COUNT: so many RTP packets from SOURCE, from ports of its own, to
 * DESTINATION's PORT, as fast as they go out. Says how many went, and in how many seconds. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"

#define SOCKETS       16
#define BATCH         64
#define PAYLOAD_BYTES 172 /* RTP header and 20 ms of G.711 */

static int stranger(const char *source, const struct sockaddr *to, socklen_t len)
{
	struct sockaddr_storage from;
	struct addr a;
	int fd;

	if (addr_parse_ip(&a, source, strlen(source)))
		return -1;
	fd = socket(a.family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, addr_to_sockaddr(&a, &from)) ||
		connect(fd, to, len))
		return -1;
	return fd;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static uint8_t payload[BATCH][PAYLOAD_BYTES];
	static struct mmsghdr message[BATCH];
	static struct iovec iov[BATCH];
	struct sockaddr_storage to;
	int fd[SOCKETS];
	long count = argc == 5 ? atol(argv[4]) : 0, sent = 0;
	struct addr a;
	double begun;

	if (count <= 0 || addr_parse_ip(&a, argv[2], strlen(argv[2]))) {
		fprintf(stderr, "usage: flood SOURCE DESTINATION PORT COUNT\n");
		return 2;
	}
	a.port = (uint16_t)atoi(argv[3]);
	for (int i = 0; i < SOCKETS; i++) {
		fd[i] = stranger(argv[1], (struct sockaddr *)&to, addr_to_sockaddr(&a, &to));
		if (fd[i] < 0) {
			perror("flood");
			return 1;
		}
	}
	for (int i = 0; i < BATCH; i++) {
		payload[i][0] = 0x80; /* RTP version 2, PCMA */
		payload[i][1] = 8;
		iov[i] = (struct iovec){payload[i], PAYLOAD_BYTES};
		message[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	begun = now_s();
	for (unsigned turn = 0; sent < count; turn++) {
		unsigned n = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;
		int done;

		for (unsigned i = 0; i < n; i++) {
			uint16_t sequence = htons((uint16_t)(sent + i));

			memcpy(&payload[i][2], &sequence, sizeof(sequence));
		}
		done = sendmmsg(fd[turn % SOCKETS], message, n, 0);
		if (done > 0)
			sent += done;
	}
	printf("%ld %.3f\n", sent, now_s() - begun);
	return 0;
}
