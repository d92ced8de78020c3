/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/log.h"

#define ERRORS_A_ROUND  16
#define NS_A_SEC        1000000000ull
#define ERROR_QUOTE_MAX 1500 /* bytes of our datagram that the kernel gives back */
/* Not a multiple of 4096 bytes: the starts of all would share the same few lines of the cache. */
#define ROOM_OF_ONE (SIP_MESSAGE_MAX + 1 + 17 * 64)

struct udp_batch {
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct sockaddr_storage from[UDP_BATCH];
	/* Aligned as the kernel writes it. */
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct timespec))];
	} control[UDP_BATCH];
	uint64_t age_ns[UDP_BATCH];
	bool is_new_call[UDP_BATCH];
	char buf[UDP_BATCH][ROOM_OF_ONE];
};

int udp_batch_new(struct udp_batch **out)
{
	struct udp_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		b->iov[i] = (struct iovec){b->buf[i], SIP_MESSAGE_MAX + 1};
		b->msg[i].msg_hdr.msg_iov = &b->iov[i];
		b->msg[i].msg_hdr.msg_iovlen = 1;
		b->msg[i].msg_hdr.msg_name = &b->from[i];
		b->msg[i].msg_hdr.msg_control = &b->control[i];
	}
	*out = b;
	return 0;
}

void udp_batch_free(struct udp_batch *batch)
{
	free(batch);
}

/* RFC 3261 18.4: an ICMP error fails the transaction that it quotes. Where the quote is too short
 * to name one, the timers decide. */
static void read_errors(struct listener *listener)
{
	char quote[ERROR_QUOTE_MAX], control[512];

	for (unsigned i = 0; i < ERRORS_A_ROUND; i++) {
		struct iovec iov = {quote, sizeof(quote)};
		struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(listener->lf.fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);

		if (n < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			struct sock_extended_err e;

			if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
				!(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
				continue;
			memcpy(&e, CMSG_DATA(c), sizeof(e));
			if (e.ee_origin != SO_EE_ORIGIN_ICMP && e.ee_origin != SO_EE_ORIGIN_ICMP6)
				continue;
			if (e.ee_errno == ECONNREFUSED || e.ee_errno == EHOSTUNREACH ||
				e.ee_errno == ENETUNREACH)
				receive_undelivered(
					listener->sip, quote, (size_t)n, -(int)e.ee_errno);
		}
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_A_SEC + (uint64_t)ts.tv_nsec;
}

/* How long it has waited in the socket; 0 where the clock was set back meanwhile. */
static uint64_t age_of(struct msghdr *m, uint64_t now)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct timespec ts;
		uint64_t then;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		then = (uint64_t)ts.tv_sec * NS_A_SEC + (uint64_t)ts.tv_nsec;
		return now > then ? now - then : 0;
	}
	return 0;
}

static void receive_one(struct listener *listener, struct mmsghdr *m)
{
	struct sip *sip = listener->sip;
	const char *buf = m->msg_hdr.msg_iov->iov_base;
	size_t len = m->msg_len, skip = 0;
	struct flow flow = {.listener = listener->slot, .transport = TRANSPORT_UDP};

	addr_from_sockaddr(&flow.remote, m->msg_hdr.msg_name);
	/* RFC 3261 7.5: CRLFs may stand before the start line; alone they keep a NAT open. */
	while (skip < len && (buf[skip] == '\r' || buf[skip] == '\n' || buf[skip] == '\0'))
		skip++;
	if (skip == len) {
		sip->status.keepalives++;
		return;
	}
	if (len > SIP_MESSAGE_MAX || (m->msg_hdr.msg_flags & MSG_TRUNC)) {
		sip->status.too_long++;
		return;
	}
	receive_message(sip, &flow, buf + skip, len - skip, false);
}

/* Notes the ages, and which of the n datagrams ask for new calls. */
static void look_over(struct listener *listener, struct udp_batch *b, int n)
{
	uint64_t now = now_ns();

	for (int i = 0; i < n; i++) {
		b->age_ns[i] = age_of(&b->msg[i].msg_hdr, now);
		b->is_new_call[i] = overload_is_new_call(b->buf[i], b->msg[i].msg_len);
		note_age(listener->sip, &listener->window, b->age_ns[i]);
	}
}

void udp_ready(struct loop_fd *lf, uint32_t events)
{
	struct listener *listener = (struct listener *)(void *)lf;
	struct sip *sip = listener->sip;
	struct udp_batch *b = sip->batch;
	int n;

	if (events & EPOLLERR)
		read_errors(listener);
	for (unsigned i = 0; i < UDP_BATCH; i++) {
		b->msg[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
		b->msg[i].msg_hdr.msg_controllen = sizeof(b->control[i]);
		b->msg[i].msg_hdr.msg_flags = 0;
	}
	n = recvmmsg(lf->fd, b->msg, UDP_BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return;
	look_over(listener, b, n);
	udp_later_open(sip->later);
	/* What belongs to calls that stand goes before the new ones. */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (int i = 0; i < n; i++) {
			if (b->is_new_call[i] != (pass == 1))
				continue;
			sip->overload.age_ns = b->age_ns[i];
			receive_one(listener, &b->msg[i]);
			udp_later_relieve(sip->later);
		}
	}
	udp_later_flush(sip->later);
}

int udp_send(struct listener *listener, const struct addr *remote, const char *text, size_t len)
{
	struct sockaddr_storage to;
	socklen_t to_len = addr_to_sockaddr(remote, &to);
	int error = 0;

	/* With IP_RECVERR a send may report what became of an earlier one, to somebody else: that
	 * clears it, so the second try speaks for itself. */
	for (unsigned i = 0; i < 3; i++) {
		if (sendto(listener->lf.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			    (struct sockaddr *)&to, to_len) >= 0)
			return 0;
		error = errno;
		if (error != ECONNREFUSED && error != EHOSTUNREACH && error != ENETUNREACH &&
			error != EINTR)
			break;
	}
	listener->sip->status.transport_errors++;
	/* A full socket buffer is a lost datagram: the timers send again. */
	if (error == EAGAIN || error == ENOBUFS || error == EINTR)
		return 0;
	return -error;
}
