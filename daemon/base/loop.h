/* SPDX-License-Identifier: BSD-2-Clause */
/* The one event loop: file descriptors by epoll, timers in a heap. Nothing called from it
 * may block. */
#ifndef VIADUCT_BASE_LOOP_H
#define VIADUCT_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/* A watched descriptor. The owner embeds it and keeps it in place while it is added. */
struct loop_fd {
	int fd;
	void (*ready)(struct loop_fd *lf, uint32_t epoll_events);
};

/* A one-shot timer. The owner embeds it, zeroed before its first use. */
struct loop_timer {
	void (*fire)(struct loop_timer *t);
	uint64_t due_ms;     /* private */
	unsigned heap_index; /* private: 0 = not started, else its place in the heap */
};

/* All return 0 or -errno where they return int. */
int loop_new(struct loop **out);
void loop_free(struct loop *loop);
/* Runs until loop_stop(). */
int loop_run(struct loop *loop);
/* One round: waits up to max_wait_ms (-1: until something happens) and handles what is ready. */
int loop_once(struct loop *loop, int max_wait_ms);
void loop_stop(struct loop *loop);

/* CLOCK_MONOTONIC in milliseconds, read once a round (cheap to ask). */
uint64_t loop_now_ms(const struct loop *loop);
/* Reads it anew: what runs takes long, and starts timers that are to count from now. */
void loop_see_time(struct loop *loop);

/* events: EPOLLIN and the like, level-triggered. */
int loop_fd_add(struct loop *loop, struct loop_fd *lf, uint32_t events);
int loop_fd_modify(struct loop *loop, struct loop_fd *lf, uint32_t events);
/* Takes it out, does not close it. An event already fetched for it in this round is not
 * delivered, so the owner may free lf as soon as the handler that is running returns to the loop,
 * or at once when called from another's handler. */
void loop_fd_remove(struct loop *loop, struct loop_fd *lf);

/* Starts, or starts anew. delay in ms from now; with 0 it fires in the round that is under way, so
 * that one which always starts itself so would stop all else. -ENOMEM when the heap cannot grow;
 * never of one that is started. */
int loop_timer_start(struct loop *loop, struct loop_timer *t, uint64_t delay_ms);
/* The same, in this round and before all other timers: as soon as what is running has returned. */
int loop_timer_start_first(struct loop *loop, struct loop_timer *t);
/* Harmless on one that is not started. */
void loop_timer_stop(struct loop *loop, struct loop_timer *t);
bool loop_timer_is_started(const struct loop_timer *t);

#endif
