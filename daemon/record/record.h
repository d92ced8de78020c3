/* SPDX-License-Identifier: BSD-2-Clause */
/* Call detail records: one line of JSON for every INVITE that asked for a call, answered or
 * refused. The keys are those of include/viaduct_record.schema.json. */
#ifndef VIADUCT_RECORD_RECORD_H
#define VIADUCT_RECORD_RECORD_H

#include <stdint.h>

#include "call/call.h"

struct record;

/* Opens path for appending; a thread of its own writes, so that a slow disk never holds up
 * signalling. The file may be moved away at any time (logrotate): the next line makes a new one.
 * 0 or -errno. */
int record_open(struct record **out, const char *path);
/* Writes what is still queued, for some seconds at most, and closes. NULL is fine. */
void record_close(struct record *record);
/* Queues the record. Never blocks; when RECORD_QUEUE_MAX lines wait already it is lost, and
 * counted. Fits calls_record_fn. */
void record_call(void *record, const struct call_record *call);

#define RECORD_QUEUE_MAX 16384 /* lines */

struct record_status {
	uint64_t written, lost; /* lines */
	unsigned queued;
};
void record_get_status(struct record *record, struct record_status *out);

#endif
