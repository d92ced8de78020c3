/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/subscribers.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"

#define LEASE_CHECK_MS 1000

static void drop_at(struct subscribers *s, unsigned i)
{
	s->one[i] = s->one[--s->count];
	if (s->count == 0)
		loop_timer_stop(s->loop, &s->timer);
}

static void check_leases(struct loop_timer *t)
{
	struct subscribers *s =
		(struct subscribers *)((char *)t - offsetof(struct subscribers, timer));

	for (unsigned i = s->count; i-- > 0;) {
		if (loop_now_ms(s->loop) >= s->one[i].lease_end_ms)
			drop_at(s, i);
	}
	if (s->count && loop_timer_start(s->loop, &s->timer, LEASE_CHECK_MS)) {
		log_error("control: no memory for the lease timer: event subscriptions end");
		s->count = 0;
	}
}

void subscribers_init(struct subscribers *s, struct loop *loop)
{
	memset(s, 0, sizeof(*s));
	s->loop = loop;
	s->timer.fire = check_leases;
}

void subscribers_fini(struct subscribers *s)
{
	loop_timer_stop(s->loop, &s->timer);
	s->count = 0;
}

static struct subscriber *find(struct subscribers *s, uint32_t port)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (s->one[i].port == port)
			return &s->one[i];
	}
	return NULL;
}

int subscribers_add(struct subscribers *s, uint32_t port, uid_t uid, uint64_t call_id)
{
	struct subscriber *one = find(s, port);

	if (!one) {
		if (s->count == VDC_SUBSCRIBERS_MAX)
			return -EBUSY;
		if (s->count == 0 && loop_timer_start(s->loop, &s->timer, LEASE_CHECK_MS))
			return -ENOMEM;
		one = &s->one[s->count++];
	}
	*one = (struct subscriber){
		.port = port,
		.uid = uid,
		.call_id = call_id,
		.lease_end_ms = loop_now_ms(s->loop) + VDC_LEASE_MS,
	};
	return 0;
}

int subscribers_renew(struct subscribers *s, uint32_t port, uid_t uid)
{
	struct subscriber *one = find(s, port);

	if (!one || one->uid != uid)
		return -ESTALE;
	one->lease_end_ms = loop_now_ms(s->loop) + VDC_LEASE_MS;
	return 0;
}

void subscribers_remove(struct subscribers *s, uint32_t port)
{
	struct subscriber *one = find(s, port);

	if (one)
		drop_at(s, (unsigned)(one - s->one));
}

void subscribers_send(struct subscribers *s, struct answer *a, uint64_t call_id)
{
	size_t len = a->len;

	for (unsigned i = s->count; i-- > 0;) {
		int ret;

		if (s->one[i].call_id && s->one[i].call_id != call_id)
			continue;
		a->port = s->one[i].port;
		a->len = len;
		ret = answer_send(a);
		if (ret == 0)
			continue;
		if (ret == -EAGAIN || ret == -ENOBUFS) {
			s->dropped++;
			log_limited(LOG_LEVEL_WARN,
				"control: dropped an event subscriber (port 0x%08x): it does not "
				"read fast enough",
				s->one[i].port);
		}
		drop_at(s, i);
	}
	a->len = 0;
}
