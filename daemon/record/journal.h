/* SPDX-License-Identifier: BSD-2-Clause */
/* Records that wait to be written, in memory that outlives a kill -9: a file that is mapped. What
 * journal_put has returned for is there, whatever comes. The daemon that starts next writes what
 * its file has not yet, no line twice, and knows of which calls it has the records.
 *
 * Not a reboot: one of before it is begun anew, as is one that is damaged. Not for two threads at a
 * time. */
#ifndef VIADUCT_RECORD_JOURNAL_H
#define VIADUCT_RECORD_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

struct journal;

#define JOURNAL_BYTES (16u * 1024 * 1024) /* of lines */

/* path "": in memory alone, as where the file cannot be had; that is logged. lines_max: that may
 * wait. 0 or -ENOMEM. */
int journal_open(struct journal **out, const char *path, unsigned lines_max);
/* remove: the file goes, unless lines wait in it. NULL is fine. */
void journal_close(struct journal *j, bool remove);
/* Nothing of a daemon before is in it. */
bool journal_is_new(const struct journal *j);

/* Call id, which began at setup_ms, is over, and that is its record; 0: no call. len 0: nobody
 * wants one. 0 or -ENOSPC: so much waits already. */
int journal_put(struct journal *j, uint64_t id, uint64_t setup_ms, const char *line, size_t len);
/* Whether the daemon before has put it: of the last lines_max. */
bool journal_had(const struct journal *j, uint64_t id, uint64_t setup_ms);

unsigned journal_waiting(const struct journal *j);
/* The oldest of them, at most max: how many. They stay until they are done. */
unsigned journal_look(const struct journal *j, struct iovec *line, unsigned max);
/* The oldest are about to be written to that file, from that offset on. */
void journal_begin(struct journal *j, const struct stat *file, uint64_t offset);
/* So many of the oldest are written, or lost. */
void journal_done(struct journal *j, unsigned count);
/* Of a daemon that was killed after journal_begin: where in that file it was about to write. False:
 * it was not, or it was another file. */
bool journal_begun(const struct journal *j, const struct stat *file, uint64_t *offset);

#endif
