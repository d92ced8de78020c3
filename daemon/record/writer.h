/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines to a file, by a thread. */
#ifndef VIADUCT_RECORD_WRITER_H
#define VIADUCT_RECORD_WRITER_H

#include <stdint.h>

struct writer;

struct writer_status {
	uint64_t written, lost; /* lines */
	unsigned queued;
};

/* queue_max: lines that may wait. 0 or -errno. */
int writer_open(struct writer **out, const char *path, unsigned queue_max);
/* line: malloc'd, with its newline; taken over, also when lost. Never blocks on the disk. */
void writer_put(struct writer *w, char *line);
void writer_get_status(struct writer *w, struct writer_status *out);
#define WRITER_CLOSE_S 10
/* Writes what waits, for WRITER_CLOSE_S at most, then it is lost; closes, frees. */
void writer_close(struct writer *w);

#endif
