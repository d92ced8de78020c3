/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients whose reload is under way: answered when it is done, others meanwhile. */
#ifndef VIADUCT_CONTROL_WAITING_H
#define VIADUCT_CONTROL_WAITING_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/netlink.h>

#include "control/answer.h"

struct waiting {
	unsigned count;
	struct waiting_client {
		struct nlmsghdr request;
		uint32_t port;
		uint64_t number; /* of the reload that answers it */
	} one[VDC_RELOADS_MAX];
};

bool waiting_is_full(const struct waiting *w);
void waiting_add(struct waiting *w, const struct nlmsghdr *request, uint32_t port, uint64_t number);
/* Answers all who wait for that reload or one before it: error is 0 or -errno, text may be NULL. */
void waiting_answer(
	struct waiting *w, struct answer *a, int fd, uint64_t number, int error, const char *text);

#endif
