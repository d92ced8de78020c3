/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a device that is up has a listener's address. It is bound without (IP_FREEBIND): of two
 * that share addresses (VRRP) the standby has none, IPv6 lets none be used before it has asked
 * around (RFC 4862 5.4), and the kernel delivers to it from the moment that the address is here.
 * What is left to do is to say so, and to send nothing: IPv6 would let go what seems to come from
 * whoever has the address now. */
#include "sip/internal.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define LOOK_MS 1000

/* A socket that is bound there and would talk to itself: where nobody has the address the kernel
 * refuses the one or, with net.ipv4.ip_nonlocal_bind, the other. What else fails says nothing. */
static bool is_here(const struct addr *a, bool was_here)
{
	struct sockaddr_storage ss;
	struct addr any_port = *a;
	socklen_t len;
	int fd, error = 0;

	any_port.port = 0;
	len = addr_to_sockaddr(&any_port, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return was_here;
	if (bind(fd, (struct sockaddr *)&ss, len)) {
		error = errno;
	} else {
		len = addr_to_sockaddr(a, &ss);
		if (connect(fd, (struct sockaddr *)&ss, len))
			error = errno;
	}
	close(fd);
	return error != EADDRNOTAVAIL && error != EINVAL;
}

static void tell(struct listener *l)
{
	const struct sip_handlers *handlers = &l->sip->handlers;
	char name[LISTENER_TEXT_MAX], text[2 * LISTENER_TEXT_MAX];

	snprintf(text, sizeof(text), "%s: %s",
		sip_listener_text(&l->sip->cfg->listener[l->index], name),
		l->is_waiting ? SIP_LISTENER_MISSING ", it serves when one has"
			      : "the address is here, it serves");
	log_at(l->is_waiting ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "sip: listener %s", text);
	if (handlers->event)
		handlers->event(handlers->ctx, "listener", text);
}

static void look(struct listener *l)
{
	bool was_waiting = l->is_waiting;

	l->is_waiting = !is_here(&l->local, !was_waiting);
	if (l->is_waiting != was_waiting)
		tell(l);
}

bool listener_waits(struct listener *l)
{
	if (l->is_waiting)
		look(l);
	return l->is_waiting;
}

static void look_fire(struct loop_timer *t)
{
	struct sip *sip = (struct sip *)(void *)((char *)t - offsetof(struct sip, address_timer));

	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		if (sip->listener[i])
			look(sip->listener[i]);
	}
	loop_timer_start(sip->loop, t, LOOK_MS);
}

void listeners_watch(struct sip *sip)
{
	/* Those that wait are told of at each reload. */
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		if (sip->listener[i])
			sip->listener[i]->is_waiting = false;
	}
	sip->address_timer.fire = look_fire;
	look_fire(&sip->address_timer);
}
