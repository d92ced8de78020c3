/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may open a connection, and how many. */
#include "sip/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

struct source_count *tcp_source_take(struct sip *sip, const struct addr *remote)
{
	struct source_count *s;
	struct addr ip = *remote;

	ip.port = 0;
	HASH_FIND(hh, sip->sources, &ip, sizeof(ip), s);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->ip = ip;
		table_add_failed = false;
		HASH_ADD(hh, sip->sources, ip, sizeof(s->ip), s);
		if (table_add_failed) {
			free(s);
			return NULL;
		}
	}
	s->connections++;
	return s;
}

void tcp_source_release(struct sip *sip, struct source_count *s)
{
	if (!s || --s->connections)
		return;
	HASH_DELETE(hh, sip->sources, s);
	free(s);
}

/* Handshakes cost more than anything else that a caller can ask for; one source leaves room for
 * the others. */
static bool may_handshake(struct sip *sip, const struct source_count *s)
{
	unsigned max = sip->cfg->tls_handshakes_max,
		 share = (max + TLS_SOURCE_SHARE - 1) / TLS_SOURCE_SHARE;

	if (sip->handshake_count < max && (!s || s->handshakes < share))
		return true;
	sip->status.tls_handshakes_refused++;
	return false;
}

/* RFC 3261 18.2: whoever is not a peer gets no connection; a peer gets its share. */
static bool may_connect(struct listener *l, const struct addr *remote)
{
	struct sip *sip = l->sip;
	struct source_count *s;
	struct addr ip = *remote;

	if (!admit(sip, remote, l->slot, NULL) ||
		sip->connection_count >= sip->cfg->tcp_connections_max)
		return false;
	ip.port = 0;
	HASH_FIND(hh, sip->sources, &ip, sizeof(ip), s);
	if (s && s->connections >= TCP_CONNECTIONS_PER_SOURCE)
		return false;
	return l->transport != TRANSPORT_TLS || may_handshake(sip, s);
}

/* Without a descriptor to spare, whoever waits to be accepted would wake the loop for ever. */
static void turn_away(struct listener *l)
{
	struct sip *sip = l->sip;
	int fd;

	if (sip->spare_fd < 0)
		return;
	close(sip->spare_fd);
	fd = accept4(l->lf.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	sip->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sip->status.tcp_refused++;
}

void tcp_accept_ready(struct loop_fd *lf, uint32_t events)
{
	struct listener *l = (struct listener *)(void *)lf;
	struct sockaddr_storage ss;
	struct connection *c;
	struct addr remote;

	(void)events;
	for (unsigned i = 0; i < TCP_ACCEPTS_A_ROUND; i++) {
		socklen_t len = sizeof(ss);
		int fd =
			accept4(lf->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		int one = 1;

		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				log_limited(LOG_LEVEL_WARN, "sip: accept: %s", strerror(errno));
			if (errno == EMFILE || errno == ENFILE)
				turn_away(l);
			return;
		}
		addr_from_sockaddr(&remote, (struct sockaddr *)&ss);
		if (!may_connect(l, &remote)) {
			char text[ADDR_TEXT_MAX];

			l->sip->status.tcp_refused++;
			log_limited(LOG_LEVEL_INFO, "sip: connection from %s refused",
				addr_print(&remote, text));
			close(fd);
			continue;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		if (tcp_connection_new(&c, l->sip, fd, l->slot, &remote, false, NULL))
			l->sip->status.tcp_refused++;
	}
}
