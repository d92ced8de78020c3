/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon writes down of itself for the one that comes after it: a file of records, in
 * LMDB, written by a thread of its own. The caller never waits for it.
 *
 * What was put outlives a kill -9 from then on, not a reboot: until the file has it, it is in the
 * journal as well (store/journal.h), <dir>/<instance>.journal. Nothing is synced, the page cache
 * keeps it. The file is <dir>/<instance>.state, of mode 0600 in a directory of mode 0700, for it
 * holds what calls do: SDP with its SDES keys, numbers, credentials that peers sent.
 *
 * At the start a process of its own reads the old file and copies what is good to a new one, so
 * that no damage can reach the daemon. A file that cannot serve is set aside as
 * <instance>.state.refused: damaged, foreign (another instance's or user's), newer (another
 * schema), or of another boot. A single record whose checksum is wrong costs that record alone.
 * Either is logged and shown. */
#ifndef VIADUCT_STORE_STORE_H
#define VIADUCT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_SCHEMA_MAJOR 1   /* of state.proto: see there */
#define STORE_NAME_MAX     255 /* characters of a key that is a name */

struct store;

/* STORE_ROOM: what a room knows as a whole, under its name. */
enum store_kind { STORE_CALL, STORE_PEER, STORE_ROOM, STORE_KIND_COUNT };

/* A number, or a name that is not empty. */
struct store_key {
	uint64_t number;
	const char *name; /* NULL: the number */
};
#define STORE_NUMBER(n)  ((struct store_key){.number = (n)})
#define STORE_NAME(text) ((struct store_key){.name = (text)})

/* The most that the file may take: a call's records are 10 kB as a rule; 64 KiB each and 32 MiB
 * leave room for those that are longer, and for a batch to be written beside what it replaces. */
uint64_t store_bytes_max(unsigned calls);

/* Makes the directory where it is missing, takes over what is there, starts the writer. Errors are
 * logged with their cause. Where the new file has no room on its disk it is made in memory, and
 * goes to its place as soon as there is some: until then the old file and the journal are what the
 * next daemon finds. 0; -EBUSY where another daemon has the file; -errno. */
int store_open(struct store **out, const char *dir, const char *instance, uint64_t bytes_max);

/* One record: 0, or -errno where it cannot be used; it is counted, logged and deleted then. value
 * is aligned to 8 and gone afterwards. */
typedef int store_each_fn(void *ctx, struct store_key key, const uint8_t *value, size_t len);
/* All of a kind: numbers in their order, then names in theirs. each may put and delete. 0 or
 * -errno: the file cannot be read. */
int store_load(struct store *s, enum store_kind kind, store_each_fn *each, void *ctx);

/* Takes value over (malloc'd). What waits for the writer is one value a key, the latest. A failure
 * is counted and tried again; the file has the value before until then. */
void store_put(
	struct store *s, enum store_kind kind, struct store_key key, void *value, size_t len);
void store_del(struct store *s, enum store_kind kind, struct store_key key);
/* What is put and deleted between the two is there as a whole or not at all, whenever the daemon is
 * killed: the writer waits meanwhile, so that it should not be long. */
void store_begin(struct store *s);
void store_end(struct store *s);
/* Waits until what was put is in the file. 0, also where the file has no room since the start and
 * the journal has it all; -EIO where something could not be written; -ETIMEDOUT after
 * STORE_FLUSH_S. */
int store_flush(struct store *s);
#define STORE_FLUSH_S 10

struct store_status {
	const char *path;
	uint64_t records[STORE_KIND_COUNT]; /* in the file */
	uint64_t bytes, bytes_max;          /* that they take there */
	unsigned queued;                    /* keys that wait for the writer */
	uint64_t commits;
	uint64_t failures;   /* writes that failed, each try */
	int error;           /* -errno: why the file lacks something just now; 0 */
	bool in_memory;      /* it has had no room since the start */
	bool has_journal;    /* false: a kill may lose what is about to be written */
	bool in_journal;     /* what the file lacks is there, all of it */
	uint64_t left_out;   /* changes that found no room in the journal */
	unsigned taken_over; /* records that the start found good, of all kinds */
	unsigned damaged,
		unusable; /* records lost at the start: by checksum; refused by store_load's each */
	const char *refused;    /* what the start found: "damaged" …; NULL: nothing to refuse */
	uint64_t refused_calls; /* that the refused file held, as far as it says */
};
void store_get_status(struct store *s, struct store_status *out);

/* Flushes, closes. NULL is fine. */
void store_close(struct store *s);
/* Closes and deletes the file. */
void store_remove(struct store *s);
/* No daemon before has left anything there: who fails to start has nothing to keep. */
bool store_is_new(const struct store *s);

#endif
