/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the store room. */
#ifndef VIADUCT_STORE_INTERNAL_H
#define VIADUCT_STORE_INTERNAL_H

#include <lmdb.h>
#include <limits.h>
#include <stdbool.h>

#include "base/boot.h"
#include "store/journal.h"
#include "store/store.h"

/* ---- environment.c: the file as LMDB has it ---- */

struct environment {
	MDB_env *env;
	MDB_dbi header, kind[STORE_KIND_COUNT];
};

/* A key as it is in the file. */
struct record_key {
	uint16_t len;
	uint8_t bytes[1 + STORE_NAME_MAX];
};

/* All return 0 or -errno; what LMDB says of a file's contents is -EUCLEAN, a full map -ENOSPC. */
int environment_open(struct environment *e, const char *path, uint64_t bytes_max);
int environment_open_to_read(struct environment *e, const char *path);
void environment_close(struct environment *e);
int environment_errno(int rc);

/* 0 or -EINVAL. */
int record_key_make(struct record_key *out, struct store_key key);
/* False where it is none of ours. name is NUL-terminated in text. */
bool record_key_read(struct store_key *out, char text[STORE_NAME_MAX + 1], const MDB_val *key);
/* "call 17", "peer \"pbx\"": for log lines. */
const char *record_key_show(char *buf, size_t room, enum store_kind kind, struct store_key key);
int record_put(MDB_txn *txn, MDB_dbi dbi, const MDB_val *key, const void *value, size_t len,
	unsigned flags);
/* The value behind the checksum. -EBADMSG where that is wrong. */
int record_check(const MDB_val *key, const MDB_val *data, const uint8_t **value, size_t *len);

/* Up to where the file has all that is in the journal (journal.h). */
int position_put(MDB_txn *txn, struct environment *e, const struct store_position *position);
/* All 0 where it does not say. */
void position_get(MDB_txn *txn, const struct environment *e, struct store_position *out);

/* ---- takeover.c: the old file ---- */

enum refusal {
	REFUSAL_NONE,
	REFUSAL_DAMAGED,
	REFUSAL_FOREIGN,
	REFUSAL_NEWER,
	REFUSAL_OTHER_BOOT,
};

struct takeover {
	enum refusal refusal;
	int error;                          /* -errno: the new file could not be written */
	uint64_t records[STORE_KIND_COUNT]; /* in the old file, as far as it says */
	unsigned damaged;                   /* records left behind */
	struct store_position position;     /* of the old file */
	char detail[160];                   /* of the refusal; else the first of the damaged */
};

struct header {
	char instance[128];
	char boot_id[BOOT_ID_MAX];
};

/* Writes this build's header. */
int header_write(struct environment *e, const struct header *h);
/* Copies the good records of the file at from to a new one at to, in a process of its own. 0, with
 * out filled in, or -errno where there is no process to be had. */
int takeover_run(struct takeover *out, const char *from, const char *to, const struct header *own,
	uint64_t bytes_max);
const char *refusal_name(enum refusal r);

/* ---- writer.c: the queue and the thread ---- */

struct store_writer;

/* The environment is in memory: where the file has room now it goes there. 0 or -errno. */
typedef int store_move_fn(void *ctx);
/* What the writer writes to. */
struct writer_place {
	struct environment *e;
	const char *path;
	struct store_journal *journal; /* what waits is there as well; NULL: there is none */
	store_move_fn *move;           /* tried until it succeeds; NULL: it is in the file */
	void *move_ctx;
	int move_error; /* -errno: why it is not */
};
int store_writer_start(struct store_writer **out, const struct writer_place *place);
/* value NULL: delete. */
void store_writer_put(struct store_writer *w, enum store_kind kind, struct store_key key,
	void *value, size_t len);
/* What is put from now until the release is written in one commit. */
void store_writer_hold(struct store_writer *w);
void store_writer_release(struct store_writer *w);
/* No commit is under way, and none begins, until resumed. */
void store_writer_pause(struct store_writer *w);
void store_writer_resume(struct store_writer *w);
int store_writer_flush(struct store_writer *w);
void store_writer_get_status(struct store_writer *w, struct store_status *out);
/* Writes what waits. False where the thread hangs: it keeps what it uses then. */
bool store_writer_stop(struct store_writer *w);

#endif
