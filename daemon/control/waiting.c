/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/waiting.h"

bool waiting_is_full(const struct waiting *w)
{
	return w->count == VDC_RELOADS_MAX;
}

void waiting_add(struct waiting *w, const struct nlmsghdr *request, uint32_t port, uint64_t number)
{
	w->one[w->count++] = (struct waiting_client){*request, port, number};
}

void waiting_answer(
	struct waiting *w, struct answer *a, int fd, uint64_t number, int error, const char *text)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < w->count; i++) {
		const struct waiting_client *client = &w->one[i];

		if (client->number > number) {
			w->one[kept++] = *client;
			continue;
		}
		answer_begin(a, fd, client->port, client->request.nlmsg_seq);
		answer_error(a, error, &client->request, text);
		(void)answer_send(a); /* who has gone wants none */
	}
	w->count = kept;
}
