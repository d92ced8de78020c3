/* SPDX-License-Identifier: BSD-2-Clause */
/* The clients that follow the events. Each holds a lease and renews it; one whose buffer is full,
 * or that is gone, is dropped. */
#ifndef VIADUCT_CONTROL_SUBSCRIBERS_H
#define VIADUCT_CONTROL_SUBSCRIBERS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "control/answer.h"

struct subscriber {
	uint32_t port;
	uid_t uid;        /* the port id may become another's */
	uint64_t call_id; /* 0 = of every call */
	uint64_t lease_end_ms;
};

struct subscribers {
	struct loop *loop;
	struct loop_timer timer;
	struct subscriber one[VDC_SUBSCRIBERS_MAX];
	unsigned count;
	uint64_t dropped; /* too slow */
};

void subscribers_init(struct subscribers *s, struct loop *loop);
void subscribers_fini(struct subscribers *s);
/* Anew, or in place of what that port had. 0, -EBUSY, -ENOMEM. */
int subscribers_add(struct subscribers *s, uint32_t port, uid_t uid, uint64_t call_id);
/* 0, or -ESTALE: no such subscription (any more). */
int subscribers_renew(struct subscribers *s, uint32_t port, uid_t uid);
void subscribers_remove(struct subscribers *s, uint32_t port);
/* Sends the page of a to each of them whom call_id concerns. */
void subscribers_send(struct subscribers *s, struct answer *a, uint64_t call_id);

#endif
