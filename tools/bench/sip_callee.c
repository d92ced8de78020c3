/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers every call at once, with no more work than that takes: the end of a bench that is to load
 * what is before it, not itself.
 *
 *   sip_callee ADDRESS PORT        until standard input closes */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip_text.h"
#include "tool.h"

static void answer(int fd, const char *request, const struct sockaddr_in *from, const char *host,
	unsigned port)
{
	bool invite = sip_starts(request, "INVITE ");
	int via_len, from_len, to_len, id_len, cseq_len, n;
	const char *via = sip_value(request, "\r\nVia: ", &via_len);
	const char *from_value = sip_value(request, "\r\nFrom: ", &from_len);
	const char *to = sip_value(request, "\r\nTo: ", &to_len);
	const char *id = sip_value(request, "\r\nCall-ID: ", &id_len);
	const char *cseq = sip_value(request, "\r\nCSeq: ", &cseq_len);
	char sdp[SIP_TEXT_MAX / 2], text[SIP_TEXT_MAX];

	snprintf(sdp, sizeof(sdp), SIP_SDP("%s"), host, host);
	n = snprintf(text, sizeof(text),
		"SIP/2.0 200 OK\r\nVia: %.*s\r\nFrom: %.*s\r\nTo: %.*s%s\r\nCall-ID: %.*s\r\n"
		"CSeq: %.*s\r\nContact: <sip:callee@%s:%u>\r\n%sContent-Length: %zu\r\n\r\n%s",
		via_len, via, from_len, from_value, to_len, to, invite ? ";tag=callee" : "", id_len,
		id, cseq_len, cseq, host, port, invite ? "Content-Type: application/sdp\r\n" : "",
		invite ? strlen(sdp) : 0, invite ? sdp : "");
	(void)sendto(fd, text, (size_t)n, 0, (const struct sockaddr *)from, sizeof(*from));
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = SOCKET_BYTES;
	struct pollfd ready[2] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	unsigned port;

	if (argc != 3 || fd < 0 || inet_pton(AF_INET, argv[1], &here.sin_addr) != 1)
		tool_fail(0, "usage: sip_callee ADDRESS PORT");
	port = (unsigned)tool_number(argv[2], 1, UINT16_MAX);
	here.sin_port = htons((uint16_t)port);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
		bind(fd, (struct sockaddr *)&here, sizeof(here)))
		tool_fail(-errno, "socket");
	tool_say("ready");
	while (!(ready[0].revents & (POLLHUP | POLLIN))) {
		if (poll(ready, 2, -1) < 0)
			tool_fail(-errno, "poll");
		for (unsigned i = 0; i < SIP_BATCH; i++) {
			struct sockaddr_in from;
			socklen_t from_len = sizeof(from);
			char text[SIP_TEXT_MAX];
			ssize_t n = recvfrom(fd, text, sizeof(text) - 1, MSG_DONTWAIT,
				(struct sockaddr *)&from, &from_len);

			if (n <= 0)
				break;
			text[n] = '\0';
			if (!sip_starts(text, "ACK ") && !sip_starts(text, "SIP/2.0"))
				answer(fd, text, &from, argv[1], port);
		}
	}
	return 0;
}
