/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written down of reliable provisional responses (RFC 3262) towards leg A. What the rest of
 * the room asks of them is in early.h. Private to the call room. */
#ifndef VIADUCT_CALL_RELIABLE_H
#define VIADUCT_CALL_RELIABLE_H

#include "call/internal.h"

#define RELIABLE_QUEUE_MAX 4 /* responses that wait for the PRACK of the one before */

/* Towards leg A, of one early dialog. */
struct reliable {
	struct exchange *x;
	struct pair *pair;
	osip_message_t *sent; /* not acknowledged yet; NULL: none */
	bool sent_answer;     /* it has the SDP answer */
	uint32_t rseq;
	unsigned interval_ms, waited_ms;
	struct loop_timer timer;
	osip_message_t *waiting[RELIABLE_QUEUE_MAX];
	unsigned waiting_count;
	osip_message_t *final; /* leg B's 2xx, that waits for the PRACK */
};

/* Of the daemon before: one with that number that has no PRACK yet, which is sent again from here
 * on; then those that wait for it, in their order. Take the message. 0 or -errno. */
int reliable_adopt(struct exchange *x, struct pair *pair, uint32_t rseq, osip_message_t *sent);
int reliable_adopt_waiting(struct pair *pair, osip_message_t *next);

#endif
