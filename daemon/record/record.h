/* SPDX-License-Identifier: BSD-2-Clause */
/* Call detail records: one line of JSON for every INVITE that asked for a call, answered or
 * refused. The keys are those of include/viaduct_record.schema.json. */
#ifndef VIADUCT_RECORD_RECORD_H
#define VIADUCT_RECORD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "call/call.h"

struct record;

/* Opens path for appending; a thread of its own writes, so that a slow disk never holds up
 * signalling. The file may be moved away at any time (logrotate): the next line makes a new one.
 * journal: where records are safe from a kill until they are in that file (record/journal.h). path
 * "": no records are kept, and calls that are over are remembered all the same. 0 or -errno. */
int record_open(struct record **out, const char *path, const char *journal);
/* From now on. 0, or -errno: then they go where they went. */
int record_set_path(struct record *record, const char *path);
/* Writes what is still queued, for some seconds at most, and closes. remove: no daemon is to
 * follow; the journal goes where all is written. NULL is fine. */
void record_close(struct record *record, bool remove);
/* Queues the record: no kill loses it after this. Never blocks; when so much waits already it is
 * lost, and counted. Fits calls_record_fn. */
void record_call(void *record, const struct call_record *call);
/* Whether the daemon before has done so for that call. Fits calls_recorded_fn. */
bool record_had(void *record, uint64_t id, uint64_t setup_ms);

#define RECORD_QUEUE_MAX 16384 /* lines, in JOURNAL_BYTES at most */

struct record_status {
	uint64_t written, lost; /* lines */
	unsigned queued;
};
/* Whether there is a file for them. */
bool record_is_kept(const struct record *record);
/* False: none are kept. */
bool record_get_status(struct record *record, struct record_status *out);

#endif
