/* SPDX-License-Identifier: BSD-2-Clause */
/* c-ares on the loop: its sockets, its timeouts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "dns/internal.h"

#define CLASS_IN 1

static void arm(struct dns *dns)
{
	struct timeval tv;

	if (!dns->has_channel || !ares_timeout(dns->channel, NULL, &tv)) {
		loop_timer_stop(dns->loop, &dns->channel_timer);
		return;
	}
	/* Rounded up: a round too early would find nothing due, and spin. */
	(void)loop_timer_start(dns->loop, &dns->channel_timer,
		(uint64_t)tv.tv_sec * 1000 + (uint64_t)(tv.tv_usec + 999) / 1000);
}

static void timer_fire(struct loop_timer *t)
{
	struct dns *dns = (struct dns *)(void *)((char *)t - offsetof(struct dns, channel_timer));

	ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(dns);
}

static void socket_ready(struct loop_fd *lf, uint32_t events)
{
	struct dns_socket *s = (struct dns_socket *)lf;
	struct dns *dns = s->dns;
	bool writable = s->wants_write && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP));
	int fd = lf->fd;

	ares_process_fd(dns->channel, events & ~(uint32_t)EPOLLOUT ? fd : ARES_SOCKET_BAD,
		writable ? fd : ARES_SOCKET_BAD);
	arm(dns);
}

static struct dns_socket *find_socket(struct dns *dns, ares_socket_t fd)
{
	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		if (dns->socket[i].used && dns->socket[i].lf.fd == fd)
			return &dns->socket[i];
	}
	return NULL;
}

static void socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct dns *dns = data;
	struct dns_socket *s = find_socket(dns, fd);
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	int ret;

	if (!events) {
		if (s) {
			loop_fd_remove(dns->loop, &s->lf);
			s->used = false;
		}
		return;
	}
	if (s) {
		ret = loop_fd_modify(dns->loop, &s->lf, events);
	} else {
		for (s = dns->socket; s < dns->socket + SOCKETS_MAX && s->used; s++)
			;
		if (s == dns->socket + SOCKETS_MAX) {
			/* Its queries run into their timeouts. */
			log_limited(LOG_LEVEL_WARN, "dns: too many sockets");
			return;
		}
		*s = (struct dns_socket){.lf = {.fd = fd, .ready = socket_ready}, .dns = dns};
		ret = loop_fd_add(dns->loop, &s->lf, events);
		s->used = ret == 0;
	}
	s->wants_write = writable;
	if (ret)
		log_limited(LOG_LEVEL_WARN, "dns: a socket cannot be watched: %s", strerror(-ret));
}

static struct timespec changed_at(void)
{
	struct stat st = {0};

	if (stat(RESOLV_CONF, &st))
		st.st_mtim = (struct timespec){0};
	return st.st_mtim;
}

static int set_servers(ares_channel channel, const struct dns_options *o)
{
	struct ares_addr_port_node node[DNS_SERVERS_MAX];

	if (!o->server_count)
		return ARES_SUCCESS;
	memset(node, 0, sizeof(node));
	for (unsigned i = 0; i < o->server_count; i++) {
		const struct addr *a = &o->server[i];

		node[i].next = i + 1 < o->server_count ? &node[i + 1] : NULL;
		node[i].family = a->family == 4 ? AF_INET : AF_INET6;
		node[i].udp_port = node[i].tcp_port = a->port;
		memcpy(&node[i].addr, a->ip, a->family == 4 ? 4 : 16);
	}
	return ares_set_servers_ports(channel, node);
}

static int error_of(int status)
{
	return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? -ENOMEM : -EIO;
}

/* Newer c-ares keep answers for an hour, and set the timeout by how fast a nameserver has been, up
 * to 5 s. Both are ours to say: the next question is to be asked, and silence ends when dns.h says.
 */
static int newer_options(struct ares_options *o, const struct dns_options *options)
{
#ifdef ARES_OPT_QUERY_CACHE
	o->qcache_max_ttl = 0;
	o->maxtimeout = (int)(options->timeout_ms << (options->tries - 1));
	return ARES_OPT_QUERY_CACHE | ARES_OPT_MAXTIMEOUTMS;
#else
	(void)o;
	(void)options;
	return 0;
#endif
}

int channel_open(struct dns *dns, const struct dns_options *options)
{
	struct ares_options o = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOALIASES | ARES_FLAG_NOSEARCH,
		.ednspsz = EDNS_BYTES,
		.timeout = (int)options->timeout_ms,
		.tries = (int)options->tries,
		.sock_state_cb = socket_state,
		.sock_state_cb_data = dns,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		   ARES_OPT_SOCK_STATE_CB;
	struct timespec resolv_conf = changed_at();
	ares_channel channel;
	int status;

	mask |= newer_options(&o, options);
	status = ares_init_options(&channel, &o, mask);
	if (status != ARES_SUCCESS) {
		log_error("dns: c-ares: %s", ares_strerror(status));
		return error_of(status);
	}
	status = set_servers(channel, options);
	if (status != ARES_SUCCESS) {
		ares_destroy(channel);
		return error_of(status);
	}
	channel_close(dns);
	dns->channel = channel;
	dns->has_channel = true;
	dns->channel_timer.fire = timer_fire;
	dns->resolv_conf = resolv_conf;
	return 0;
}

void channel_close(struct dns *dns)
{
	if (!dns->has_channel)
		return;
	dns->has_channel = false; /* its callbacks ask nothing more */
	ares_destroy(dns->channel);
	loop_timer_stop(dns->loop, &dns->channel_timer);
}

void channel_refresh(struct dns *dns)
{
	struct timespec now;

	if (dns->options.server_count)
		return;
	now = changed_at();
	if (now.tv_sec == dns->resolv_conf.tv_sec && now.tv_nsec == dns->resolv_conf.tv_nsec)
		return;
	log_info("dns: " RESOLV_CONF " has changed");
	(void)channel_open(dns, &dns->options);
}

void channel_query(
	struct dns *dns, const char *name, enum message_type type, ares_callback done, void *ctx)
{
	if (!dns->has_channel) {
		done(ctx, ARES_ECANCELLED, 0, NULL, 0);
		return;
	}
	dns->status.queries++;
	ares_query(dns->channel, name, CLASS_IN, (int)type, done, ctx);
	arm(dns);
}
