/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: answers the CLI (include/viaduct_control.h) from what the rooms show. */
#ifndef VIADUCT_CONTROL_CONTROL_H
#define VIADUCT_CONTROL_CONTROL_H

#include <stdint.h>

#include "base/loop.h"
#include "call/call.h"
#include "store/store.h"

struct control;

/* How the daemon ends. */
enum stop_mode {
	STOP_NOW,   /* with every call */
	STOP_DRAIN, /* when the last call has ended; no new one is taken */
	STOP_LEAVE, /* and leaves calls and media to the next one */
};
const char *stop_mode_name(enum stop_mode mode);

struct control_handlers {
	void *ctx;
	/* Begins to read the configuration file anew; what becomes of it is told by
	 * control_reloaded, with that number or a later one. 0 or -errno. */
	int (*reload)(void *ctx, uint64_t *number);
	/* Begins to end; the loop has to run on until that is answered. 0 or -errno. */
	int (*stop)(void *ctx, enum stop_mode mode);
	/* Whether it has begun to, and how. May be NULL. */
	bool (*stopping)(void *ctx, enum stop_mode *mode);
	/* Of the state file. May be NULL. */
	void (*state)(void *ctx, struct store_status *out);
	/* Lines of the call detail records; false where none are kept. May be NULL. */
	bool (*records)(void *ctx, uint64_t *written, uint64_t *lost, unsigned *queued);
};

int control_new(struct control **out, struct loop *loop, struct calls *calls,
	const struct config *cfg, const struct control_handlers *handlers);
void control_free(struct control *control);
/* After a reload: who may use the socket may have changed. */
void control_reload(struct control *control, const struct config *cfg);
/* Answers who waits for that reload or one before it: 0, or -errno and why, one mistake a line. */
void control_reloaded(struct control *control, uint64_t number, int error, const char *text);
/* To everyone who watches `viaduct events`. Cheap when nobody does. Fits calls_event_fn. */
void control_event(void *control, uint64_t call_id, const char *kind, const char *text);

#endif
