/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's per-CPU counters, summed. */
#ifndef VIADUCT_DATAPLANE_COUNTERS_H
#define VIADUCT_DATAPLANE_COUNTERS_H

#include "dataplane/dataplane.h"

/* counters_fd: vd_counters. Fills packets and bytes. 0 or -errno. */
int counters_read(int counters_fd, struct dataplane_status *out);
/* lost_fd: vd_event_lost. */
int counters_read_lost(int lost_fd, uint64_t *lost);

#endif
