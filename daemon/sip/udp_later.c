/* SPDX-License-Identifier: BSD-2-Clause */
/* Refusals of one batch of datagrams, given to the kernel together: under overload most of what a
 * refusal costs is its way through the kernel. Neighbours of one length to one place go as one
 * message that the kernel or the device cuts up (UDP_SEGMENT). */
#include "sip/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>

#define TEXT_MAX     1024            /* bytes of one; longer ones go at once */
#define TOGETHER_MAX (48 * TEXT_MAX) /* bytes of one message; below 64 KiB with headers */

struct later {
	struct listener *listener;
	struct addr remote;
	size_t at, len; /* in text */
};

struct udp_later {
	unsigned count;
	size_t len;
	bool no_segments; /* the kernel does not cut messages up */
	struct later entry[UDP_BATCH];
	struct mmsghdr msg[UDP_BATCH];
	unsigned alike[UDP_BATCH]; /* entries of each message */
	struct iovec iov[UDP_BATCH];
	struct sockaddr_storage to[UDP_BATCH];
	union {
		struct cmsghdr header; /* aligned as the kernel reads it */
		char room[CMSG_SPACE(sizeof(uint16_t))];
	} control[UDP_BATCH];
	char text[UDP_BATCH * TEXT_MAX];
};

int udp_later_new(struct udp_later **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void udp_later_free(struct udp_later *l)
{
	free(l);
}

static bool is_alike(const struct later *a, const struct later *b)
{
	return a->listener == b->listener && a->len == b->len && addr_equal(&a->remote, &b->remote);
}

/* How many of those that follow each other from first on can go together. */
static unsigned count_alike(const struct udp_later *l, unsigned first)
{
	unsigned n = 1;

	while (!l->no_segments && first + n < l->count &&
		(n + 1) * l->entry[first].len <= TOGETHER_MAX &&
		is_alike(&l->entry[first], &l->entry[first + n]))
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

/* Messages for the entries from first on, as far as they share a listener. Returns how many. */
static unsigned prepare(struct udp_later *l, unsigned first)
{
	unsigned n = 0, at = first;

	while (at < l->count && l->entry[at].listener == l->entry[first].listener) {
		const struct later *e = &l->entry[at];
		struct msghdr *h = &l->msg[n].msg_hdr;

		l->alike[n] = count_alike(l, at);
		l->iov[n] = (struct iovec){l->text + e->at, l->alike[n] * e->len};
		*h = (struct msghdr){.msg_name = &l->to[n],
			.msg_namelen = addr_to_sockaddr(&e->remote, &l->to[n]),
			.msg_iov = &l->iov[n],
			.msg_iovlen = 1};
		if (l->alike[n] > 1)
			put_segment_size(l, h, n, e->len);
		at += l->alike[n++];
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
		const struct later *e = &l->entry[i];

		(void)udp_send(e->listener, &e->remote, l->text + e->at, e->len);
	}
}

void udp_later_flush(struct udp_later *l)
{
	unsigned first = 0;

	while (first < l->count) {
		unsigned n = prepare(l, first);
		int sent = sendmmsg(
			l->entry[first].listener->lf.fd, l->msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent <= 0) {
			send_singly(l, first, errno);
			sent = 1;
		}
		for (int i = 0; i < sent; i++)
			first += l->alike[i];
	}
	l->count = 0;
	l->len = 0;
}

bool udp_later_put(struct udp_later *l, struct listener *listener, const struct addr *remote,
	const char *text, size_t len)
{
	if (len > TEXT_MAX || l->count == UDP_BATCH)
		return false;
	l->entry[l->count++] = (struct later){listener, *remote, l->len, len};
	memcpy(l->text + l->len, text, len);
	l->len += len;
	return true;
}
