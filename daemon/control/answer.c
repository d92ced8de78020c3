/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/answer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int answer_init(struct answer *a)
{
	a->len = 0;
	a->object = nlmsg_alloc_size(VDC_DATAGRAM_MAX);
	return a->object ? 0 : -ENOMEM;
}

void answer_fini(struct answer *a)
{
	nlmsg_free(a->object);
	a->object = NULL;
}

void answer_begin(struct answer *a, int fd, uint32_t port, uint32_t seq)
{
	a->fd = fd;
	a->port = port;
	a->seq = seq;
	a->len = 0;
	a->overflow = false;
}

static struct nlmsghdr *reset_object(struct answer *a, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = nlmsg_hdr(a->object);

	memset(h, 0, sizeof(*h));
	h->nlmsg_len = NLMSG_HDRLEN;
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = a->seq;
	a->overflow = false;
	return h;
}

static int append(struct answer *a, size_t room)
{
	const struct nlmsghdr *h = nlmsg_hdr(a->object);
	size_t len = NLMSG_ALIGN(h->nlmsg_len);

	if (a->overflow || a->len + len > room)
		return -EMSGSIZE;
	memset(a->page + a->len, 0, len);
	memcpy(a->page + a->len, h, h->nlmsg_len);
	a->len += len;
	return 0;
}

void answer_begin_object(struct answer *a, uint16_t type)
{
	reset_object(a, type, NLM_F_MULTI);
}

int answer_end_object(struct answer *a)
{
	return append(a, sizeof(a->page) - ANSWER_DONE_ROOM);
}

static void put(struct answer *a, int attr, const void *data, size_t len)
{
	if (!a->overflow && nla_put(a->object, attr, (int)len, data))
		a->overflow = true;
}

void answer_put_bool(struct answer *a, int attr, bool v)
{
	uint8_t byte = v;

	put(a, attr, &byte, sizeof(byte));
}

void answer_put_u32(struct answer *a, int attr, uint32_t v)
{
	put(a, attr, &v, sizeof(v));
}

void answer_put_u64(struct answer *a, int attr, uint64_t v)
{
	put(a, attr, &v, sizeof(v));
}

void answer_put_s64(struct answer *a, int attr, int64_t v)
{
	put(a, attr, &v, sizeof(v));
}

void answer_put_milli(struct answer *a, int attr, double v)
{
	answer_put_s64(a, attr, isfinite(v) && fabs(v) < 1e15 ? llround(v * 1000) : 0);
}

void answer_put_text(struct answer *a, int attr, const char *text)
{
	static const char more[] = "...";
	char cut[VDC_TEXT_MAX];
	size_t len;

	if (!text)
		return;
	len = strnlen(text, VDC_TEXT_MAX) + 1;
	if (len > VDC_TEXT_MAX) {
		memcpy(cut, text, VDC_TEXT_MAX - sizeof(more));
		memcpy(cut + VDC_TEXT_MAX - sizeof(more), more, sizeof(more));
		text = cut;
		len = VDC_TEXT_MAX;
	}
	put(a, attr, text, len);
}

void answer_put_addr(struct answer *a, int attr, const struct addr *addr)
{
	struct vdc_address wire = {.family = addr->family, .port = addr->port};

	if (addr->family == 0)
		return;
	memcpy(wire.ip, addr->ip, sizeof(wire.ip));
	put(a, attr, &wire, sizeof(wire));
}

void answer_put_mac(struct answer *a, int attr, const uint8_t mac[6])
{
	put(a, attr, mac, 6);
}

void answer_put_counter(struct answer *a, int attr, const char *name, uint64_t v)
{
	struct nlattr *nest = answer_nest(a, attr);

	answer_put_text(a, VDC_COUNTER_NAME, name);
	answer_put_u64(a, VDC_COUNTER_VALUE, v);
	answer_nest_end(a, nest);
}

struct nlattr *answer_nest(struct answer *a, int attr)
{
	struct nlattr *nest = a->overflow ? NULL : nla_nest_start(a->object, attr);

	if (!nest)
		a->overflow = true;
	return nest;
}

void answer_nest_end(struct answer *a, struct nlattr *nest)
{
	if (nest && nla_nest_end(a->object, nest) < 0)
		a->overflow = true;
}

void answer_done(struct answer *a, const uint64_t *cursor, uint32_t generation)
{
	int zero = 0;

	reset_object(a, NLMSG_DONE, NLM_F_MULTI);
	if (nlmsg_append(a->object, &zero, sizeof(zero), NLMSG_ALIGNTO))
		a->overflow = true;
	if (cursor)
		answer_put_u64(a, VDC_DONE_CURSOR, *cursor);
	answer_put_u32(a, VDC_DONE_GENERATION, generation);
	append(a, sizeof(a->page));
}

/* As much of text as goes into VDC_REPORT_MAX bytes, in whole lines. */
static size_t report_len(const char *text)
{
	size_t len = strnlen(text, VDC_REPORT_MAX);
	const char *newline;

	if (len < VDC_REPORT_MAX)
		return len;
	newline = memrchr(text, '\n', VDC_REPORT_MAX - 1);
	return newline ? (size_t)(newline - text) + 1 : VDC_REPORT_MAX - 1;
}

void answer_error(struct answer *a, int error, const struct nlmsghdr *request, const char *text)
{
	struct nlmsgerr err = {.error = error, .msg = *request};
	uint16_t flags = NLM_F_CAPPED;

	if (text && *text)
		flags |= NLM_F_ACK_TLVS;
	a->len = 0;
	reset_object(a, NLMSG_ERROR, flags);
	if (nlmsg_append(a->object, &err, sizeof(err), NLMSG_ALIGNTO))
		a->overflow = true;
	if (flags & NLM_F_ACK_TLVS) {
		size_t len = report_len(text);
		struct nlattr *nla = nla_reserve(a->object, NLMSGERR_ATTR_MSG, (int)len + 1);

		if (nla) {
			memcpy(nla_data(nla), text, len);
			((char *)nla_data(nla))[len] = '\0';
		}
	}
	append(a, sizeof(a->page));
}

int answer_send(struct answer *a)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = a->port};
	ssize_t n;

	if (a->len == 0)
		return 0;
	n = sendto(a->fd, a->page, a->len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		sizeof(to));
	a->len = 0;
	return n < 0 ? -errno : 0;
}
