/* SPDX-License-Identifier: BSD-2-Clause */
/* How the daemon ends: with every call, with the last one, or leaving calls and their media to the
 * daemon that comes next. */
#ifndef VIADUCT_ENDING_H
#define VIADUCT_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "call/call.h"
#include "control/control.h"

struct ending {
	struct loop *loop;
	struct calls *calls;
	struct loop_timer timer;
	enum { ENDING_NOT, ENDING_DRAINS, ENDING_BEGUN } state;
	enum stop_mode how;
	uint64_t deadline_ms; /* the loop stops then, whatever is still unsaid */
};

void ending_init(struct ending *e, struct loop *loop, struct calls *calls);
/* The loop stops when it is done, A drain may still become one of the others;
 * they stay. 0 or -errno. */
int ending_begin(struct ending *e, enum stop_mode how);
bool ending_begun(const struct ending *e, enum stop_mode *how);

#endif
