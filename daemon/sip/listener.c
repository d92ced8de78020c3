/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

static void set_option(int fd, int level, int name, int value)
{
	/* Each of them is a wish; what the kernel refuses costs speed, not truth. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_udp_options(int fd, uint8_t family)
{
	set_option(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_BUFFER_BYTES);
	set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	/* Messages over the path MTU are fragmented rather than refused. */
	if (family == 4) {
		set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
		set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
	} else {
		set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
		set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	}
}

int listener_socket(const struct addr *local, int type)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(local, &ss);
	int fd, ret;

	fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (local->family == 6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (type == SOCK_STREAM) {
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	} else {
		set_udp_options(fd, local->family);
	}
	if (bind(fd, (struct sockaddr *)&ss, len)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* The port that the kernel chose where the configuration says 0 (tests). */
static uint16_t bound_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;

	if (getsockname(fd, (struct sockaddr *)&ss, &len))
		return 0;
	addr_from_sockaddr(&a, (struct sockaddr *)&ss);
	return a.port;
}

static int set_names(struct listener *l, const struct addr *advertised)
{
	char host[ADDR_TEXT_MAX], ip[ADDR_TEXT_MAX], contact[ADDR_TEXT_MAX + 32];

	addr_print_host(advertised, host);
	addr_print_ip(advertised, ip);
	snprintf(contact, sizeof(contact), "%s:%u%s", host, l->port,
		l->transport == TRANSPORT_TCP ? ";transport=tcp" : "");
	l->host = strdup(ip);
	l->host_text = strdup(host);
	l->contact = strdup(contact);
	return l->host && l->host_text && l->contact ? 0 : -ENOMEM;
}

int listener_open(struct listener **out, struct sip *sip, unsigned slot, unsigned index,
	const struct listener_config *cfg)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct addr advertised = cfg->address.advertised;
	bool is_tcp = cfg->transport == TRANSPORT_TCP;
	int ret;

	if (!l)
		return -ENOMEM;
	l->sip = sip;
	l->slot = slot;
	l->index = index;
	l->asked = cfg->address;
	l->transport = cfg->transport;
	l->window.least_ns = UINT64_MAX;
	l->local = cfg->address.local;
	if (advertised.family == 0)
		advertised = l->local;
	ret = listener_socket(&l->local, is_tcp ? SOCK_STREAM : SOCK_DGRAM);
	l->lf.fd = ret;
	if (ret < 0)
		goto fail;
	l->local.port = bound_port(l->lf.fd);
	l->port = advertised.port ? advertised.port : l->local.port;
	ret = set_names(l, &advertised);
	if (ret)
		goto fail;
	l->lf.ready = is_tcp ? tcp_accept_ready : udp_ready;
	if (is_tcp && listen(l->lf.fd, TCP_BACKLOG)) {
		ret = -errno;
		goto fail;
	}
	ret = loop_fd_add(sip->loop, &l->lf, EPOLLIN);
	if (ret)
		goto fail;
	*out = l;
	return 0;
fail:
	if (l->lf.fd >= 0)
		close(l->lf.fd);
	free(l->contact);
	free(l->host_text);
	free(l->host);
	free(l);
	return ret;
}

void listener_close(struct listener *l)
{
	loop_fd_remove(l->sip->loop, &l->lf);
	close(l->lf.fd);
	free(l->contact);
	free(l->host_text);
	free(l->host);
	free(l);
}

struct listener *listener_at(const struct sip *sip, unsigned slot)
{
	return slot < SLOTS_MAX ? sip->listener[slot] : NULL;
}

bool listener_is(const struct listener *l, const struct listener_config *cfg)
{
	return l->transport == cfg->transport && addr_equal(&l->asked.local, &cfg->address.local) &&
	       addr_equal(&l->asked.advertised, &cfg->address.advertised);
}
