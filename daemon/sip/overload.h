/* SPDX-License-Identifier: BSD-2-Clause */
/* When we fall behind: new calls are refused before anything is made of them, so that what stands
 * goes on as ever. After RFC 7339, with ourselves as the only one to tell.
 *
 * The signal is the age of messages when their turn comes: from the kernel's time of receipt, and
 * for a stream from the beginning of the loop's round. Of a listener counts the youngest message of
 * OVERLOAD_WINDOWS windows in a row: a burst or a pause of ours is no overload, and a queue that
 * never empties is one. Once that is older than shed_from_ms, a share of the new calls is shed that
 * grows with the age of each, to all that are older than shed_all_ms: so the queue finds a length
 * and keeps it, never so short that we would wait for work, never so long that calls, which grow
 * older with it, crowd the memory. A call that is as old as its sender's first retransmission (T1)
 * is shed at once. */
#ifndef VIADUCT_SIP_OVERLOAD_H
#define VIADUCT_SIP_OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "sip/text.h"

#define OVERLOAD_WINDOW_MS 20
#define OVERLOAD_WINDOWS   5
#define OVERLOAD_MESSAGES  16   /* in a window at least: few that come late are no queue */
#define OVERLOAD_QUIET_MS  1000 /* without shedding for so long, it is over */
#define OVERLOAD_ALL       65536u
#define OVERLOAD_TAG_LEN   10

/* Of one listener, or of all streams. */
struct overload_window {
	uint64_t start_ms;
	unsigned count;                    /* messages since then */
	uint64_t least_ns;                 /* age of the youngest message since then */
	uint64_t lag_ns[OVERLOAD_WINDOWS]; /* of the windows before */
	unsigned next;
};

struct overload {
	struct loop *loop;
	unsigned shed_from_ms, shed_all_ms; /* 0 and 0: never */
	unsigned stale_ms;
	uint64_t age_ns; /* of the message that is being handled */
	uint64_t lag_ns; /* the most of the windows */
	unsigned share;  /* of OVERLOAD_ALL, at that age; 0: nothing is shed for its age */
	bool on;
	uint64_t began_ms, shed_ms;     /* when it began; when something was shed last */
	uint64_t shed;                  /* since it began */
	struct loop_timer timer;        /* while it is on */
	char tag[OVERLOAD_TAG_LEN + 1]; /* how the To tags of our refusals begin */
	void (*told)(void *ctx, bool begins, const char *text);
	void *ctx;
};

void overload_init(struct overload *o, struct loop *loop);
void overload_free(struct overload *o);
void overload_configure(struct overload *o, const struct config *cfg);
/* A message is about to be handled, age_ns after it came. lag_of: the most of all windows. */
void overload_note(struct overload *o, struct overload_window *w, uint64_t age_ns);
/* After a window has closed (true from overload_window_closed): what the windows together say. */
bool overload_window_closed(struct overload *o, struct overload_window *w);
void overload_reckon(struct overload *o, uint64_t lag_ns);
/* The window's lag, 0 where nothing came lately. */
uint64_t overload_window_lag(const struct overload *o, const struct overload_window *w);
/* Whether the new call that is being handled is one to shed. hash: of its transaction, so that it
 * meets the same fate when it comes again. */
bool overload_chooses(const struct overload *o, uint32_t hash);
/* It is shed. */
void overload_count(struct overload *o);
/* Whether this is an ACK for one of our refusals: nobody waits for it (RFC 3261 8.2.7). */
bool overload_is_ack(const struct overload *o, const char *buf, size_t len);
/* Whether the message asks for a new call, or withdraws it: the others go first. */
bool overload_is_new_call(const char *buf, size_t len);

#endif
