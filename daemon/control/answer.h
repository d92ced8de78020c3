/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer under construction: netlink messages, one after the other, in one datagram. */
#ifndef VIADUCT_CONTROL_ANSWER_H
#define VIADUCT_CONTROL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netlink/msg.h>
#include <netlink/attr.h>

#include "base/addr.h"
#include "viaduct_control.h"

/* Kept back in each page for NLMSG_DONE. */
#define ANSWER_DONE_ROOM 64

struct answer {
	int fd;
	uint32_t port; /* of the client */
	uint32_t seq;
	struct nl_msg *object; /* the message being written */
	bool overflow;         /* it found no room */
	size_t len;            /* of page */
	uint8_t page[VDC_DATAGRAM_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* 0 or -ENOMEM. */
int answer_init(struct answer *a);
void answer_fini(struct answer *a);
void answer_begin(struct answer *a, int fd, uint32_t port, uint32_t seq);

/* Between the two, the attributes: answer_put_*. answer_end_object puts the object on the page, or
 * returns -EMSGSIZE and leaves the page as it was. */
void answer_begin_object(struct answer *a, uint16_t type);
int answer_end_object(struct answer *a);

void answer_put_bool(struct answer *a, int attr, bool v);
void answer_put_u32(struct answer *a, int attr, uint32_t v);
void answer_put_u64(struct answer *a, int attr, uint64_t v);
void answer_put_s64(struct answer *a, int attr, int64_t v);
/* In thousandths. */
void answer_put_milli(struct answer *a, int attr, double v);
/* NULL is left out; what is longer than VDC_TEXT_MAX is cut and ends in "...". */
void answer_put_text(struct answer *a, int attr, const char *text);
/* Family 0 is left out. */
void answer_put_addr(struct answer *a, int attr, const struct addr *addr);
void answer_put_mac(struct answer *a, int attr, const uint8_t mac[6]);
void answer_put_counter(struct answer *a, int attr, const char *name, uint64_t v);
/* OBJECT, LIST and TEXTS; NULL when there is no room, which answer_nest_end takes. */
struct nlattr *answer_nest(struct answer *a, int attr);
void answer_nest_end(struct answer *a, struct nlattr *nest);

/* Ends the answer. cursor NULL: nothing more to come. */
void answer_done(struct answer *a, const uint64_t *cursor, uint32_t generation);
/* The whole answer: error is 0 or -errno; text (may be NULL) at most VDC_REPORT_MAX bytes, longer
 * ones are cut at a line. */
void answer_error(struct answer *a, int error, const struct nlmsghdr *request, const char *text);
/* Sends the page without waiting and empties it. 0 or -errno. */
int answer_send(struct answer *a);

#endif
