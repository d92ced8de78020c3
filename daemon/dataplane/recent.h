/* SPDX-License-Identifier: BSD-2-Clause */
/* What the program counted within the last DATAPLANE_LOSS_WINDOW_MS: what is dropped now, and not
 * at some time since it was loaded. */
#ifndef VIADUCT_DATAPLANE_RECENT_H
#define VIADUCT_DATAPLANE_RECENT_H

#include "dataplane/dataplane.h"

struct recent;

/* counters_fd: vd_counters. 0, -ENOMEM or what reading them gave. */
int recent_open(struct recent **out, struct loop *loop, int counters_fd);
/* r may be NULL. */
void recent_close(struct recent *r);
/* Fills lately, of packets as they were just read. */
void recent_read(const struct recent *r, struct dataplane_status *status);

#endif
