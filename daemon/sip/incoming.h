/* SPDX-License-Identifier: BSD-2-Clause */
/* A message on its way in, and what it is answered with from its text alone. */
#ifndef VIADUCT_SIP_INCOMING_H
#define VIADUCT_SIP_INCOMING_H

#include "sip/internal.h"

struct incoming {
	struct sip *sip;
	const struct flow *flow;
	const struct peer_config *peer;
	bool is_leaving; /* the peer's name does not stand for this source any more */
	const char *buf;
	struct guard guard;
	struct raw *raw;
};

/* Where the response to it goes. */
void incoming_flow(const struct incoming *in, struct flow *out);
/* Answers it; to_tag: as for reply_print. */
void incoming_reply_tagged(struct incoming *in, int code, const char *reason, const char *to_tag);
void incoming_reply(struct incoming *in, int code, const char *reason);
/* One line of the log, where not too many were written. */
void incoming_log(const struct incoming *in, const char *what);

/* ---- refuse.c ---- */
void refuse_malformed(struct incoming *in, int code, const char *reason);
/* A stranger gets one line at most, and strangers together not more than so many a second: our
 * answers are not to be aimed at anybody. */
void refuse_stranger(struct incoming *in, size_t len, bool is_stream);
/* Whoever keeps records hears that it was refused, where it asked for a call; once for each. */
void refuse_tell(const struct incoming *in, int code, const char *why);
/* Whether there are too many transactions, or too many of its peer. */
bool refuse_busy(struct incoming *in);
void refuse_without_memory(struct incoming *in);
/* RFC 3261 16.3, 11 */
void refuse_hops(struct incoming *in);
/* RFC 7339 and RFC 3261 21.5.4: whether it is shed, with the answer that costs least. What was shed
 * hears the same when it comes again, whether we have caught up or not. */
bool refuse_overload(struct incoming *in);

#endif
