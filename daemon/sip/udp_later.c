/* SPDX-License-Identifier: BSD-2-Clause */
/* What is sent is given to the kernel when what sends it has returned to the loop, so that what it
 * tells is written down before; what a batch of datagrams brings about, together: the way through
 * the kernel is a good part of what a message costs, and shorter in a row. Neighbours of one length
 * to one place, as refusals are, go as one message that the kernel or the device cuts up
 * (UDP_SEGMENT). What goes by one listener keeps its order, but for what hangs on nothing: that
 * comes last, like with like. */
#include "sip/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>

#define LATER_MAX    (2 * UDP_BATCH)
#define TEXT_ROOM    (128 * 1024) /* bytes of all that go in a row; more than a datagram has */
#define MORE_MAX     (64u * 1024 * 1024) /* bytes of what comes after those; then it goes at once */
#define SEGMENT_MAX  1024        /* bytes of one of those that go together; below any MTU of IPv6 */
#define SEGMENTS_MAX 64          /* in one message, of Linux */
#define TOGETHER_MAX (48 * 1024) /* bytes of one message; below 64 KiB with headers */

struct later {
	struct listener *listener;
	struct addr remote;
	size_t at, len; /* in text */
	bool in_any_order, is_taken;
	int error; /* -errno: it could not be sent */
};

/* It waits until there is room among those that go in a row. */
struct more {
	struct more *next;
	struct later as;
	char text[];
};

/* It could not be sent. */
struct failure {
	struct failure *next;
	int error;
	size_t len;
	char text[];
};

struct udp_later {
	struct sip *sip;
	struct loop_timer timer;
	bool is_batch;    /* which is flushed at its end */
	bool no_segments; /* the kernel does not cut messages up */
	unsigned count;
	size_t len;
	struct later entry[LATER_MAX];
	struct later *order[LATER_MAX]; /* those of one listener */
	struct mmsghdr msg[LATER_MAX];
	unsigned alike[LATER_MAX]; /* entries of each message */
	struct iovec iov[LATER_MAX];
	struct sockaddr_storage to[LATER_MAX];
	union {
		struct cmsghdr header; /* aligned as the kernel reads it */
		char room[CMSG_SPACE(sizeof(uint16_t))];
	} control[LATER_MAX];
	char text[TEXT_ROOM];
	struct more *more, **more_end;
	size_t more_bytes;
};

static void fire(struct loop_timer *t)
{
	udp_later_flush(
		(struct udp_later *)(void *)((char *)t - offsetof(struct udp_later, timer)));
}

int udp_later_new(struct udp_later **out, struct sip *sip)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->sip = sip;
	(*out)->timer.fire = fire;
	(*out)->more_end = &(*out)->more;
	return 0;
}

static struct more *take_more(struct udp_later *l)
{
	struct more *m = l->more;

	l->more = m->next;
	if (!l->more)
		l->more_end = &l->more;
	l->more_bytes -= m->as.len;
	return m;
}

void udp_later_free(struct udp_later *l)
{
	if (!l)
		return;
	loop_timer_stop(l->sip->loop, &l->timer);
	while (l->more)
		free(take_more(l));
	free(l);
}

/* Those of the listener of entry number first whose order matters, or the others, to order from n
 * on. Returns its new length. */
static unsigned collect(struct udp_later *l, unsigned first, bool in_any_order, unsigned n)
{
	for (unsigned i = first; i < l->count; i++) {
		struct later *e = &l->entry[i];

		if (e->listener != l->entry[first].listener || e->in_any_order != in_any_order)
			continue;
		e->is_taken = true;
		l->order[n++] = e;
	}
	return n;
}

static int compare(const void *a, const void *b)
{
	const struct later *x = *(struct later *const *)a, *y = *(struct later *const *)b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(&x->remote, &y->remote, sizeof(x->remote));
}

/* Takes what goes by the listener of entry number first. Returns how many they are, in order. */
static unsigned take(struct udp_later *l, unsigned first)
{
	unsigned ordered = collect(l, first, false, 0);
	unsigned n = collect(l, first, true, ordered);

	if (n - ordered > 1)
		qsort(l->order + ordered, n - ordered, sizeof(struct later *), compare);
	for (unsigned i = 0; i < n; i++)
		l->iov[i] = (struct iovec){l->text + l->order[i]->at, l->order[i]->len};
	return n;
}

static bool is_alike(const struct later *a, const struct later *b)
{
	return a->len == b->len && addr_equal(&a->remote, &b->remote);
}

/* How many of those in order, which end before end, can go together from first on. */
static unsigned count_alike(const struct udp_later *l, unsigned first, unsigned end)
{
	const struct later *e = l->order[first];
	unsigned n = 1;

	while (!l->no_segments && e->len <= SEGMENT_MAX && first + n < end && n < SEGMENTS_MAX &&
		(n + 1) * e->len <= TOGETHER_MAX && is_alike(e, l->order[first + n]))
		n++;
	return n;
}

static void put_segment_size(struct udp_later *l, struct msghdr *h, unsigned i, size_t len)
{
	uint16_t size = (uint16_t)len;

	l->control[i].header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(size)),
		.cmsg_level = SOL_UDP,
		.cmsg_type = UDP_SEGMENT};
	memcpy(CMSG_DATA(&l->control[i].header), &size, sizeof(size));
	h->msg_control = &l->control[i];
	h->msg_controllen = sizeof(l->control[i].room);
}

/* Messages for those in order from first to end. Returns how many. */
static unsigned prepare(struct udp_later *l, unsigned first, unsigned end)
{
	unsigned n = 0;

	for (unsigned at = first; at < end; at += l->alike[n++]) {
		const struct later *e = l->order[at];
		struct msghdr *h = &l->msg[n].msg_hdr;

		l->alike[n] = count_alike(l, at, end);
		*h = (struct msghdr){.msg_name = &l->to[n],
			.msg_namelen = addr_to_sockaddr(&e->remote, &l->to[n]),
			.msg_iov = &l->iov[at],
			.msg_iovlen = l->alike[n]};
		if (l->alike[n] > 1)
			put_segment_size(l, h, n, e->len);
	}
	return n;
}

/* The kernel has refused the first message that was prepared: its entries one by one, which says
 * what is the matter with each. */
static void send_singly(struct udp_later *l, unsigned first, int error)
{
	/* EIO: of a device that leaves checksums to us, before Linux 6.11. */
	if (l->alike[0] > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE))
		l->no_segments = true;
	for (unsigned i = first; i < first + l->alike[0]; i++) {
		struct later *e = l->order[i];

		e->error = udp_send(e->listener, &e->remote, l->text + e->at, e->len);
	}
}

static void send_taken(struct udp_later *l, unsigned count)
{
	int fd = l->order[0]->listener->lf.fd;

	for (unsigned at = 0; at < count;) {
		unsigned n = prepare(l, at, count);
		int sent = sendmmsg(fd, l->msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent <= 0) {
			send_singly(l, at, errno);
			sent = 1;
		}
		for (int i = 0; i < sent; i++)
			at += l->alike[i];
	}
}

static void send_all(struct udp_later *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		if (!l->entry[i].is_taken)
			send_taken(l, take(l, i));
	}
}

static bool has_room(const struct udp_later *l, size_t len)
{
	return l->count < LATER_MAX && len <= TEXT_ROOM - l->len;
}

static void add(struct udp_later *l, const struct later *as, const char *text)
{
	struct later *e = &l->entry[l->count++];

	*e = *as;
	e->at = l->len;
	memcpy(l->text + l->len, text, e->len);
	l->len += e->len;
}

/* Those that went make room for those that wait for it. */
static void clear(struct udp_later *l)
{
	l->count = 0;
	l->len = 0;
	while (l->more && has_room(l, l->more->as.len)) {
		struct more *m = take_more(l);

		add(l, &m->as, m->text);
		free(m);
	}
}

void udp_later_open(struct udp_later *l)
{
	l->is_batch = true;
}

/* Oldest first. Out of memory, timers tell. */
static struct failure *take_failures(const struct udp_later *l)
{
	struct failure *failures = NULL, *f;

	for (unsigned i = l->count; i-- > 0;) {
		const struct later *e = &l->entry[i];

		f = e->error ? malloc(sizeof(*f) + e->len) : NULL;
		if (!f)
			continue;
		*f = (struct failure){.next = failures, .error = e->error, .len = e->len};
		memcpy(f->text, l->text + e->at, e->len);
		failures = f;
	}
	return failures;
}

static void send_written_down(struct udp_later *l)
{
	struct failure *failures, *f;

	write_down_first(l->sip);
	send_all(l);
	failures = take_failures(l);
	clear(l);
	while ((f = failures)) {
		failures = f->next;
		receive_undelivered(l->sip, f->text, f->len, f->error);
		free(f);
	}
}

void udp_later_flush(struct udp_later *l)
{
	/* What is sent because of an error is written down as well. */
	while (l->count)
		send_written_down(l);
	l->is_batch = false;
}

void udp_later_leave(struct udp_later *l)
{
	while (l->count) {
		send_all(l);
		clear(l);
	}
}

void udp_later_relieve(struct udp_later *l)
{
	if (l->count < LATER_MAX / 2 && l->len < TEXT_ROOM / 2)
		return;
	udp_later_flush(l);
	udp_later_open(l);
}

/* False: it cannot be told to. */
static bool will_be_flushed(struct udp_later *l)
{
	return l->is_batch || loop_timer_is_started(&l->timer) ||
	       loop_timer_start_first(l->sip->loop, &l->timer) == 0;
}

/* In the middle of something nothing is written down, and nobody can be told of an error. */
static bool put_more(struct udp_later *l, const struct later *as, const char *text)
{
	struct more *m = l->more_bytes < MORE_MAX ? malloc(sizeof(*m) + as->len) : NULL;

	if (!m)
		return false;
	m->next = NULL;
	m->as = *as;
	memcpy(m->text, text, as->len);
	*l->more_end = m;
	l->more_end = &m->next;
	l->more_bytes += as->len;
	return true;
}

/* Its caller sends this one. */
static bool leave_at_once(struct udp_later *l)
{
	l->sip->status.unwritten += l->count + 1;
	for (const struct more *m = l->more; m; m = m->next)
		l->sip->status.unwritten++;
	udp_later_leave(l);
	return false;
}

bool udp_later_put(struct udp_later *l, struct listener *listener, const struct addr *remote,
	const char *text, size_t len, bool in_any_order)
{
	const struct later as = {
		.listener = listener, .remote = *remote, .len = len, .in_any_order = in_any_order};

	if (len > TEXT_ROOM || !will_be_flushed(l))
		return leave_at_once(l);
	if (!l->more && has_room(l, len)) {
		add(l, &as, text);
		return true;
	}
	return put_more(l, &as, text) || leave_at_once(l);
}
