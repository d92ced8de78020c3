/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines to a file, by a thread, each of them once. */
#ifndef VIADUCT_RECORD_WRITER_H
#define VIADUCT_RECORD_WRITER_H

#include <stdbool.h>
#include <stdint.h>

struct writer;

struct writer_status {
	uint64_t written, lost; /* lines */
	unsigned queued;
};

/* Lines go through the journal at journal_path ("": memory alone), up to lines_max and
 * JOURNAL_BYTES of them; what a daemon that was killed left there is written first. path "": there
 * is no file. 0 or -errno. */
int writer_open(
	struct writer **out, const char *path, const char *journal_path, unsigned lines_max);
/* The record of call id, which began at setup_ms (id 0: of no call), with its newline; NULL: it is
 * over, and nobody wants its record. Safe from a kill when this returns. Never blocks on the disk.
 */
void writer_put(struct writer *w, uint64_t id, uint64_t setup_ms, const char *line);
/* Whether the daemon before has put the record of that call. */
bool writer_had(const struct writer *w, uint64_t id, uint64_t setup_ms);
/* The lines go to that file from now on. 0, or -errno: then they go where they went. */
int writer_set_path(struct writer *w, const char *path);
void writer_get_status(struct writer *w, struct writer_status *out);
#define WRITER_CLOSE_S 10
/* Writes what waits, for WRITER_CLOSE_S at most, then that is the next daemon's; closes, frees.
 * remove: the journal goes where nothing waits in it. */
void writer_close(struct writer *w, bool remove);

#endif
