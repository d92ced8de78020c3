/* SPDX-License-Identifier: BSD-2-Clause */
/* trunk_callee udp FIRST COUNT PORT
 * trunk_callee tls FIRST COUNT PORT CERTIFICATE KEY CA
 *
 * COUNT trunks on as many addresses from FIRST (IPv4) on, each answering at PORT what comes to it:
 * an INVITE with 180 and 200, anything else but an ACK with 200. Far lighter than sipp, so that the
 * machine's CPUs are the server's under measurement; over TLS it presents CERTIFICATE and demands
 * one that CA has signed. Keeps no state but that of connections: nothing is sent again. Each line
 * read is answered by one line of JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tool.h"

#define TRUNKS_MAX   1000
#define EVENTS_MAX   64
#define MESSAGE_MAX  65536
#define SOCKET_BYTES (4 << 20)
#define BACKLOG      512

/* A trunk's UDP socket, the listening socket of all of them, or a connection. */
struct end {
	int fd;
	bool is_listener;
	SSL *ssl;
	bool is_up; /* its handshake is over */
	char *in;
	size_t in_len;
	struct in_addr address;
};

static struct {
	int epoll;
	SSL_CTX *tls;
	uint16_t port;
	uint64_t requests, invites, options, connections;
} callee;

static const char sdp[] = "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
			  "m=audio 30000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
			  "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n";

static void watch(struct end *end)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};

	if (epoll_ctl(callee.epoll, EPOLL_CTL_ADD, end->fd, &event))
		tool_fail(-errno, "epoll");
}

static struct end *end_new(int fd, struct in_addr address)
{
	struct end *end = calloc(1, sizeof(*end));

	if (!end)
		tool_fail(-ENOMEM, "an end");
	end->fd = fd;
	end->address = address;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	watch(end);
	return end;
}

/* ---- what is answered ---- */

static bool is_copied(const char *line)
{
	static const char *const names[] = {"Via:", "From:", "To:", "Call-ID:", "CSeq:"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncasecmp(line, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static size_t response(
	char *out, const struct end *end, const char *request, size_t len, int code, bool with_sdp)
{
	const char *line = memchr(request, '\n', len), *limit = request + len;
	char host[INET_ADDRSTRLEN], body[512] = "";
	size_t n = (size_t)sprintf(out, "SIP/2.0 %d %s\r\n", code, code == 180 ? "Ringing" : "OK");

	inet_ntop(AF_INET, &end->address, host, sizeof(host));
	while (line && line + 1 < limit && line[1] != '\r') {
		const char *next = memchr(line + 1, '\n', (size_t)(limit - line - 1));
		size_t length = next ? (size_t)(next - line) : 0;

		if (next && is_copied(line + 1)) {
			memcpy(out + n, line + 1, length);
			n += length;
			if (strncasecmp(line + 1, "To:", 3) == 0 &&
				!memmem(line, length, ";tag=", 5))
				n += (size_t)sprintf(out + n - 2, ";tag=trunk\r\n") - 2;
		}
		line = next;
	}
	if (with_sdp)
		snprintf(body, sizeof(body), sdp, host, host);
	n += (size_t)sprintf(out + n, "Contact: <sip:callee@%s:%u%s>\r\n", host, callee.port,
		end->ssl ? ";transport=tls" : "");
	if (with_sdp)
		n += (size_t)sprintf(out + n, "Content-Type: application/sdp\r\n");
	return n + (size_t)sprintf(out + n, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
}

static void send_to(struct end *end, const struct sockaddr_in *to, const char *text, size_t len)
{
	if (end->ssl) {
		if (SSL_write(end->ssl, text, (int)len) != (int)len)
			tool_fail(0, "a connection takes no more");
	} else if (sendto(end->fd, text, len, 0, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		tool_fail(-errno, "send");
	}
}

static void take(struct end *end, const struct sockaddr_in *from, const char *text, size_t len)
{
	static char out[2 * MESSAGE_MAX];
	bool invite = strncmp(text, "INVITE ", 7) == 0;
	size_t n = 0;

	if (len < 8 || strncmp(text, "SIP/2.0 ", 8) == 0 || strncmp(text, "ACK ", 4) == 0)
		return;
	callee.requests++;
	callee.invites += invite;
	callee.options += strncmp(text, "OPTIONS ", 8) == 0;
	if (invite && end->ssl) /* both in one record */
		n = response(out, end, text, len, 180, false);
	else if (invite)
		send_to(end, from, out, response(out, end, text, len, 180, false));
	n += response(out + n, end, text, len, 200, invite);
	send_to(end, from, out, n);
}

/* ---- UDP ---- */

static void read_datagrams(struct end *end)
{
	static char text[MESSAGE_MAX];
	struct sockaddr_in from;
	socklen_t room = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(end->fd, text, sizeof(text) - 1, 0, (struct sockaddr *)&from, &room)) >
		0) {
		text[n] = '\0';
		take(end, &from, text, (size_t)n);
		room = sizeof(from);
	}
}

/* ---- TLS ---- */

static void close_connection(struct end *end)
{
	callee.connections--;
	SSL_free(end->ssl);
	close(end->fd);
	free(end->in);
	free(end);
}

static void accept_connections(struct end *listener)
{
	struct sockaddr_in local;
	socklen_t room = sizeof(local);
	int fd, one = 1;

	while ((fd = accept(listener->fd, NULL, NULL)) >= 0) {
		struct end *end;

		getsockname(fd, (struct sockaddr *)&local, &room);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		end = end_new(fd, local.sin_addr);
		end->in = malloc(2 * MESSAGE_MAX);
		end->ssl = SSL_new(callee.tls);
		if (!end->in || !end->ssl || !SSL_set_fd(end->ssl, fd))
			tool_fail(-ENOMEM, "a connection");
		callee.connections++;
	}
}

/* Length of the message at the start, 0 where it is not whole. CRLF alone is a message. */
static size_t message_length(const char *text, size_t len)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4), *field;

	if (len >= 2 && text[0] == '\r' && text[1] == '\n')
		return 2;
	if (!end)
		return 0;
	field = memmem(text, (size_t)(end - text), "\r\nContent-Length:", 17);
	return (size_t)(end - text) + 4 + (field ? strtoul(field + 17, NULL, 10) : 0);
}

static void take_messages(struct end *end)
{
	size_t done = 0, len;

	while ((len = message_length(end->in + done, end->in_len - done)) &&
		done + len <= end->in_len) {
		char next = end->in[done + len];

		end->in[done + len] = '\0';
		if (len == 2)
			send_to(end, NULL, "\r\n", 2);
		else
			take(end, NULL, end->in + done, len);
		end->in[done + len] = next;
		done += len;
	}
	memmove(end->in, end->in + done, end->in_len - done);
	end->in_len -= done;
}

static void read_connection(struct end *end)
{
	int n = 1;

	ERR_clear_error();
	if (!end->is_up) {
		n = SSL_accept(end->ssl);
		end->is_up = n == 1;
	}
	while (end->is_up && n > 0) {
		n = SSL_read(
			end->ssl, end->in + end->in_len, (int)(2 * MESSAGE_MAX - 1 - end->in_len));
		if (n > 0) {
			end->in_len += (size_t)n;
			take_messages(end);
		}
	}
	n = SSL_get_error(end->ssl, n);
	if (n != SSL_ERROR_WANT_READ && n != SSL_ERROR_WANT_WRITE)
		close_connection(end);
}

static void tls_begin(char **files)
{
	callee.tls = SSL_CTX_new(TLS_server_method());
	if (!callee.tls || SSL_CTX_use_certificate_chain_file(callee.tls, files[0]) != 1 ||
		SSL_CTX_use_PrivateKey_file(callee.tls, files[1], SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_load_verify_locations(callee.tls, files[2], NULL) != 1)
		tool_fail(0, "certificate, key or CA cannot be used");
	SSL_CTX_set_verify(callee.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

/* ---- the ends ---- */

static int bound(int type, struct in_addr address)
{
	struct sockaddr_in local = {
		.sin_family = AF_INET, .sin_port = htons(callee.port), .sin_addr = address};
	int fd = socket(AF_INET, type, 0), one = 1, bytes = SOCKET_BYTES;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)))
		tool_fail(-errno, "%s:%u", inet_ntoa(address), callee.port);
	return fd;
}

static void read_end(struct end *end)
{
	if (end->is_listener)
		accept_connections(end);
	else if (end->ssl)
		read_connection(end);
	else
		read_datagrams(end);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS_MAX], commands = {.events = EPOLLIN};
	struct in_addr first;
	unsigned count;
	bool tls;

	if (argc < 5 || ((tls = strcmp(argv[1], "tls") == 0) && argc < 8) ||
		inet_pton(AF_INET, argv[2], &first) != 1)
		tool_fail(0, "usage: trunk_callee udp|tls FIRST COUNT PORT [CERTIFICATE KEY CA]");
	count = (unsigned)tool_number(argv[3], 1, TRUNKS_MAX);
	callee.port = (uint16_t)tool_number(argv[4], 1, UINT16_MAX);
	callee.epoll = epoll_create1(0);
	if (epoll_ctl(callee.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &commands))
		tool_fail(-errno, "standard input");
	if (tls) {
		struct end *end;

		tls_begin(argv + 5);
		end = end_new(bound(SOCK_STREAM, (struct in_addr){INADDR_ANY}), first);
		end->is_listener = true;
		if (listen(end->fd, BACKLOG))
			tool_fail(-errno, "listen");
	}
	for (unsigned i = 0; i < count && !tls; i++) {
		struct in_addr address = {htonl(ntohl(first.s_addr) + i)};

		end_new(bound(SOCK_DGRAM, address), address);
	}
	tool_say("ready");
	for (;;) {
		int n = epoll_wait(callee.epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			char line[16];

			if (events[i].data.ptr) {
				read_end(events[i].data.ptr);
				continue;
			}
			if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
				return 0;
			tool_say("{\"requests\": %llu, \"invites\": %llu, \"options\": %llu, "
				 "\"connections\": %llu}",
				(unsigned long long)callee.requests,
				(unsigned long long)callee.invites,
				(unsigned long long)callee.options,
				(unsigned long long)callee.connections);
		}
	}
}
