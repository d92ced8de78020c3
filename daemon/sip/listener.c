/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
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

static void bind_before_it_is_here(int fd, uint8_t family)
{
	if (family == 4)
		set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
	else
		set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
}

static int bound_socket(const struct addr *local, int type, bool is_to_listen)
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
	if (is_to_listen)
		bind_before_it_is_here(fd, local->family);
	if (bind(fd, (struct sockaddr *)&ss, len)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int listener_socket(const struct addr *local, int type)
{
	return bound_socket(local, type, false);
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

static void free_names(struct listener *l)
{
	free(l->contact);
	free(l->host_text);
	free(l->host);
}

static int set_names(struct listener *l, const struct listener_config *cfg)
{
	static const char *const params[] = {[TRANSPORT_UDP] = "",
		[TRANSPORT_TCP] = ";transport=tcp",
		[TRANSPORT_TLS] = ";transport=tls"};
	struct addr advertised = cfg->address.advertised;
	char host[ADDR_TEXT_MAX], ip[ADDR_TEXT_MAX], *contact = NULL;
	struct listener names = {0};

	if (advertised.family == 0)
		advertised = l->local;
	addr_print_host(&advertised, host);
	addr_print_ip(&advertised, ip);
	if (asprintf(&contact, "%s:%u%s", cfg->fqdn ? cfg->fqdn : host, l->port,
		    params[l->transport]) < 0)
		contact = NULL;
	names.host = strdup(cfg->fqdn ? cfg->fqdn : ip);
	names.host_text = strdup(cfg->fqdn ? cfg->fqdn : host);
	names.contact = contact;
	if (!names.host || !names.host_text || !names.contact) {
		free_names(&names);
		return -ENOMEM;
	}
	free_names(l);
	l->host = names.host;
	l->host_text = names.host_text;
	l->contact = names.contact;
	return 0;
}

int listener_update(struct listener *l, const struct listener_config *cfg)
{
	int ret = set_names(l, cfg);

	if (ret || !cfg->tls)
		return ret;
	/* What stands keeps the context that it was made with. */
	SSL_CTX_up_ref(cfg->tls->context);
	SSL_CTX_free(l->tls);
	l->tls = cfg->tls->context;
	l->asks_certificate = cfg->tls->verify == TLS_VERIFY_MUTUAL;
	return 0;
}

int listener_open(struct listener **out, struct sip *sip, unsigned slot, unsigned index,
	const struct listener_config *cfg)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct addr advertised = cfg->address.advertised;
	bool is_tcp = cfg->transport != TRANSPORT_UDP;
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
	ret = bound_socket(&l->local, is_tcp ? SOCK_STREAM : SOCK_DGRAM, true);
	l->lf.fd = ret;
	if (ret < 0)
		goto fail;
	l->local.port = bound_port(l->lf.fd);
	l->port = advertised.port ? advertised.port : l->local.port;
	ret = listener_update(l, cfg);
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
	SSL_CTX_free(l->tls);
	free_names(l);
	free(l);
	return ret;
}

void listener_close(struct listener *l)
{
	loop_fd_remove(l->sip->loop, &l->lf);
	close(l->lf.fd);
	SSL_CTX_free(l->tls);
	free_names(l);
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
