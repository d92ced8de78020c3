/* SPDX-License-Identifier: BSD-2-Clause */
/* What waits for the store's writer, in memory that outlives a kill -9 (base/mapped.h): a ring of
 * changes in the order of their coming. The file of the store says up to which of them it has all;
 * the daemon that starts next takes up what comes after that.
 *
 * What has no room is left to the writer alone, and a gap is noted: what comes after one says
 * nothing until the file has what was left out. Not for two threads at a time. */
#ifndef VIADUCT_STORE_JOURNAL_H
#define VIADUCT_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct store_journal;
struct record_key;

#define STORE_JOURNAL_BYTES (16u * 1024 * 1024) /* some 2,000 changes of calls */

/* A place between two changes. */
struct store_position {
	uint64_t journal; /* its random name, which is never 0 */
	uint64_t at;      /* bytes since it was begun */
};

/* bytes: of the ring, a multiple of 32. 0, or -errno where the file cannot be had. */
int store_journal_open(struct store_journal **out, const char *path, uint32_t bytes);
/* remove: the file goes as well. NULL is fine. */
void store_journal_close(struct store_journal *j, bool remove);

/* One change; value NULL: deleted. 0 or -errno, which ends the replay. */
typedef int store_journal_each_fn(void *ctx, enum store_kind kind, const struct record_key *key,
	const void *value, size_t len);
/* What the daemon before has published behind from, up to the first gap. All of it is looked at
 * before each has the first. 0; -EBADMSG: it is damaged; -ESTALE: from is a place in another
 * journal; or what each returned. *count: changes. *gap: there was one. */
int store_journal_replay(const struct store_journal *j, const struct store_position *from,
	store_journal_each_fn *each, void *ctx, unsigned *count, bool *gap);
/* It is empty from now on, with another name: its old positions are of no more use. */
void store_journal_begin(struct store_journal *j);

/* No file says up to where it has the journal, which began anew, and none will for a while: until
 * store_journal_done all of it counts, whatever the file's position. */
void store_journal_stand_alone(struct store_journal *j, const struct store_position *file);

/* A change is one of those that count together, from the next publishing on. */
void store_journal_put(struct store_journal *j, enum store_kind kind, const struct record_key *key,
	const void *value, size_t len);
void store_journal_publish(struct store_journal *j);
/* Behind all that is published; what had no room before that, the writer has. Between a publishing
 * and the next put alone. */
struct store_position store_journal_position(struct store_journal *j);
/* The file has all that is before that place. */
void store_journal_done(struct store_journal *j, const struct store_position *to);
/* Changes that had no room. */
uint64_t store_journal_left_out(const struct store_journal *j);

#endif
