/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file taken up anew while the daemon runs. Of tens of thousands of routes it
 * takes some tenths of a second to read: a thread does that, beside the loop, which has the new one
 * only to swap in. */
#ifndef VIADUCT_CONFIG_READER_H
#define VIADUCT_CONFIG_READER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/loop.h"
#include "config/config.h"

struct config_reader_handlers {
	void *ctx;
	/* Swaps cfg in, and takes its reference. On refusal returns -errno, the reasons written to
	 * errors, a line each, and the reference stays. */
	int (*take)(void *ctx, struct config *cfg, FILE *errors);
	/* What became of that reading and of all that were asked for before it: 0, or -errno with
	 * the reasons, a line each. */
	void (*done)(void *ctx, uint64_t number, int error, const char *text);
};

struct config_reader {
	/* Private. */
	struct loop *loop;
	const char *file;
	struct config_reader_handlers handlers;
	struct loop_fd read;     /* told when the thread has read it */
	struct reading *reading; /* what runs; NULL = nothing */
	pthread_t thread;
	bool has_thread;
	bool again;      /* asked for while one ran: the file may have changed under it */
	uint64_t number; /* of the reading that runs, or ran last */
};

#define CONFIG_READER_END_S 5

/* file has to stay, for as long as the process is there. 0 or -errno. */
int config_reader_init(struct config_reader *r, struct loop *loop, const char *file,
	const struct config_reader_handlers *handlers);
/* Waits for a reading that is under way, which is not taken up and not told; not longer than
 * CONFIG_READER_END_S: a file system that hangs does not keep a daemon from its end. */
void config_reader_fini(struct config_reader *r);
/* Has the file read as it is now. 0, with the number that handlers.done has for it; or -errno. */
int config_reader_ask(struct config_reader *r, uint64_t *number);

#endif
