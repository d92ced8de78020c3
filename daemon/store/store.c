/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/internal.h"

#define CALL_BYTES    (64ull * 1024)
#define BASE_BYTES    (32ull * 1024 * 1024)
#define DIR_MODE      0700
#define FILE_MODE     0600
#define LOGGED_SINGLY 5
#define KEY_TEXT_MAX  (STORE_NAME_MAX + 16)

struct store {
	char path[PATH_MAX], refused_path[PATH_MAX], new_path[PATH_MAX], journal_path[PATH_MAX];
	int lock; /* the file, locked: one daemon has it */
	struct environment e;
	struct store_writer *writer;
	struct store_journal *journal; /* NULL: it cannot be had */
	struct takeover found;
	struct store_position position; /* of the journal, as the new file begins with it */
	uint64_t bytes_max;
	int memory; /* the file of the environment while that is in memory; else -1 */
	unsigned taken_over, unusable;
	bool is_new; /* there was neither a file nor a journal */
};

uint64_t store_bytes_max(unsigned calls)
{
	return BASE_BYTES + calls * CALL_BYTES;
}

/* ---- open ---- */

static int make_paths(struct store *s, const char *dir, const char *instance)
{
	int n = snprintf(s->path, sizeof(s->path), "%s/%s.state", dir, instance);

	if (n < 0 || (size_t)n >= sizeof(s->path) - sizeof(".refused"))
		return -ENAMETOOLONG;
	snprintf(s->refused_path, sizeof(s->refused_path), "%s/%s.state.refused", dir, instance);
	snprintf(s->journal_path, sizeof(s->journal_path), "%s/%s.journal", dir, instance);
	snprintf(s->new_path, sizeof(s->new_path), "%s/%s.state.new", dir, instance);
	return 0;
}

/* Where others may write, they may put a file of theirs in our file's place. */
static int open_directory(const char *dir)
{
	struct stat st;

	if (mkdir(dir, DIR_MODE) && errno != EEXIST) {
		log_error("store: %s: %s", dir, strerror(errno));
		return -errno;
	}
	if (stat(dir, &st)) {
		log_error("store: %s: %s", dir, strerror(errno));
		return -errno;
	}
	if (!S_ISDIR(st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) ||
		(st.st_uid != geteuid() && st.st_uid != 0)) {
		log_error("store: %s: expected a directory that only we or root can write in", dir);
		return -EPERM;
	}
	if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) && errno == EACCES) {
		log_error("store: %s belongs to user %u, and user %u may not write there", dir,
			st.st_uid, geteuid());
		return -EACCES;
	}
	return 0;
}

/* The descriptor of the file at path, locked, made where it is missing. */
static int lock_file(const char *path)
{
	struct stat locked, at_path;

	for (;;) {
		int fd = open(
			path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
		int ret = 0;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &locked))
			ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (!ret && stat(path, &at_path) == 0 && at_path.st_ino == locked.st_ino &&
			at_path.st_dev == locked.st_dev)
			return fd;
		close(fd);
		if (ret)
			return ret;
	}
}

static void set_aside(struct store *s)
{
	const struct takeover *t = &s->found;
	char what[80] = "";

	if (t->records[STORE_CALL])
		snprintf(what, sizeof(what),
			"; the %" PRIu64 " calls that it held are not taken over",
			t->records[STORE_CALL]);
	if (rename(s->path, s->refused_path)) {
		log_warn("store: %s is %s (%s) and cannot be set aside (%s): it is removed%s",
			s->path, refusal_name(t->refusal), t->detail, strerror(errno), what);
		(void)unlink(s->path);
		return;
	}
	log_warn("store: %s is %s (%s): set aside as %s%s", s->path, refusal_name(t->refusal),
		t->detail, s->refused_path, what);
}

/* Somebody else's file tells us nothing, whatever it says. */
static bool is_ours(struct store *s, int fd)
{
	struct takeover *t = &s->found;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		(st.st_uid == geteuid() || st.st_uid == 0) && !(st.st_mode & (S_IRWXG | S_IRWXO)))
		return true;
	t->refusal = REFUSAL_FOREIGN;
	snprintf(t->detail, sizeof(t->detail), "it is not a file of ours alone");
	return false;
}

static int take_over(struct store *s, const char *to, const struct header *own, uint64_t *bytes_max)
{
	struct stat st;
	int ret;

	if (fstat(s->lock, &st))
		return -errno;
	if (!is_ours(s, s->lock) || st.st_size == 0)
		return 0;
	/* It is written out in full before the old one goes. */
	if (*bytes_max < (uint64_t)st.st_size * 2)
		*bytes_max = (uint64_t)st.st_size * 2;
	ret = takeover_run(&s->found, s->path, to, own, *bytes_max);
	return ret ? ret : s->found.error;
}

static int open_lock(struct store *s)
{
	s->lock = lock_file(s->path);
	if (s->lock != -ELOOP && s->lock != -EACCES && s->lock != -ENXIO)
		return s->lock;
	s->found.refusal = REFUSAL_FOREIGN;
	snprintf(s->found.detail, sizeof(s->found.detail), "%s", strerror(-s->lock));
	set_aside(s);
	s->lock = lock_file(s->path);
	return s->lock;
}

/* The file that is locked was made for that. */
static bool had_nothing(const struct store *s)
{
	struct stat st;

	return fstat(s->lock, &st) == 0 && st.st_size == 0 && access(s->journal_path, F_OK) != 0 &&
	       errno == ENOENT;
}

/* The new file takes the old one's place, and its lock with it. */
static int replace(struct store *s)
{
	int fd = lock_file(s->new_path), ret = 0;

	if (fd < 0)
		return fd;
	if (rename(s->new_path, s->path)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	close(s->lock);
	s->lock = fd;
	return 0;
}

struct applying {
	MDB_txn *txn;
	struct environment *e;
};

static int apply(void *ctx, enum store_kind kind, const struct record_key *key, const void *value,
	size_t len)
{
	struct applying *a = ctx;
	MDB_val name = {.mv_size = key->len, .mv_data = (void *)(uintptr_t)key->bytes};
	int rc;

	if (value)
		return record_put(a->txn, a->e->kind[kind], &name, value, len, 0);
	rc = mdb_del(a->txn, a->e->kind[kind], &name, NULL);
	return rc == MDB_NOTFOUND ? 0 : environment_errno(rc);
}

/* What the daemon before had not written when it was killed. 0 or -errno. */
static int replay(struct store *s, MDB_txn *txn)
{
	struct applying a = {txn, &s->e};
	unsigned count;
	bool gap;
	int ret = store_journal_replay(s->journal, &s->found.position, apply, &a, &count, &gap);

	if (ret && ret != -ESTALE)
		log_warn("store: %s %s: what calls did last before the kill is lost",
			s->journal_path, ret == -EBADMSG ? "is damaged" : strerror(-ret));
	if (!ret && count)
		log_info("store: %u changes are taken up from %s", count, s->journal_path);
	if (!ret && gap)
		log_warn("store: %s had no room for all that calls did last before the kill",
			s->journal_path);
	return ret;
}

static void open_journal(struct store *s)
{
	int ret = s->journal
			  ? 0
			  : store_journal_open(&s->journal, s->journal_path, STORE_JOURNAL_BYTES);

	if (ret)
		log_warn("store: %s: %s: a kill may lose what calls did last", s->journal_path,
			strerror(-ret));
}

/* The new file has what is in the journal, and says so, before it takes the old one's place. */
static int take_up_journal(struct store *s)
{
	MDB_txn *txn;
	int ret;

	if (!s->journal)
		return 0;
	ret = environment_errno(mdb_txn_begin(s->e.env, NULL, 0, &txn));
	if (ret)
		return ret;
	if (replay(s, txn)) {
		/* Without half of it, and without meeting the same at each start. */
		mdb_txn_abort(txn);
		store_journal_begin(s->journal);
		ret = environment_errno(mdb_txn_begin(s->e.env, NULL, 0, &txn));
		if (ret)
			return ret;
	}
	s->position = store_journal_position(s->journal);
	ret = position_put(txn, &s->e, &s->position);
	if (ret)
		mdb_txn_abort(txn);
	else
		ret = environment_errno(mdb_txn_commit(txn));
	return ret;
}

/* The new environment, at to, with all that the daemon before has left. */
static int make_environment(struct store *s, const char *to, const struct header *own)
{
	int ret = 0;

	if (!s->found.refusal) {
		ret = take_over(s, to, own, &s->bytes_max);
		if (!ret && s->found.refusal)
			set_aside(s);
	}
	/* What the refused file has left behind there. */
	if (!ret && s->found.refusal && truncate(to, 0) && errno != ENOENT)
		ret = -errno;
	if (!ret)
		ret = environment_open(&s->e, to, s->bytes_max);
	if (ret)
		return ret;
	ret = header_write(&s->e, own);
	if (!ret)
		ret = take_up_journal(s);
	if (ret)
		environment_close(&s->e);
	return ret;
}

/* ---- while its disk has no room ---- */

static bool is_without_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EIO || error == -EROFS;
}

/* The lock has gone with a file that was set aside. 0 or -errno. */
static int lock_again(struct store *s)
{
	int fd = access(s->path, F_OK) ? lock_file(s->path) : s->lock;

	if (fd >= 0 && fd != s->lock) {
		close(s->lock);
		s->lock = fd;
	}
	return fd < 0 ? fd : 0;
}

static int make_in_memory(struct store *s, const struct header *own, int error)
{
	char path[64];
	int ret;

	(void)unlink(s->new_path);
	if (s->found.error) /* it was not read to the end */
		s->found = (struct takeover){0};
	s->memory = memfd_create("viaduct-state", MFD_CLOEXEC);
	if (s->memory < 0)
		return error;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->memory);
	ret = make_environment(s, path, own);
	if (!ret)
		ret = lock_again(s);
	if (ret)
		return ret;
	if (s->journal)
		store_journal_stand_alone(s->journal, &s->found.position);
	log_error("store: %s: %s: it is kept in memory until there is room, and a kill finds %s",
		s->path, strerror(-error),
		s->journal ? "what the journal has room for" : "nothing of it");
	return 0;
}

/* So many bytes are there to be written, or none is. */
static int copy_environment(struct store *s)
{
	struct stat st;
	int fd, ret;

	if (fstat(s->memory, &st) || (unlink(s->new_path) && errno != ENOENT))
		return -errno;
	fd = open(s->new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0)
		return -errno;
	ret = -posix_fallocate(fd, 0, st.st_size);
	if (!ret)
		ret = environment_errno(mdb_env_copyfd(s->e.env, fd));
	close(fd);
	return ret;
}

/* Of the writer's thread: nobody else has the environment then. */
static int move_to_file(void *ctx)
{
	struct environment in_file = {0};
	struct store *s = ctx;
	int ret = copy_environment(s);

	if (!ret)
		ret = environment_open(&in_file, s->new_path, s->bytes_max);
	if (!ret)
		ret = replace(s);
	if (ret) {
		if (in_file.env)
			environment_close(&in_file);
		(void)unlink(s->new_path);
		return ret;
	}
	environment_close(&s->e);
	s->e = in_file;
	close(s->memory);
	s->memory = -1;
	log_info("store: %s has room again", s->path);
	return 0;
}

/* *error: -errno where it is in memory. */
static int open_files(struct store *s, const char *instance, int *error)
{
	struct header own = {0};
	int ret = boot_id_read(own.boot_id);

	snprintf(own.instance, sizeof(own.instance), "%s", instance);
	if (ret)
		return ret;
	if (unlink(s->new_path) && errno != ENOENT)
		return -errno;
	open_journal(s);
	ret = make_environment(s, s->new_path, &own);
	if (!ret) {
		ret = replace(s);
		if (ret)
			environment_close(&s->e);
		else if (s->journal)
			store_journal_done(s->journal, &s->position); /* it has room again */
	} else if (is_without_room(ret)) {
		*error = ret;
		ret = make_in_memory(s, &own, ret);
	}
	return ret;
}

static unsigned count_records(struct store *s)
{
	unsigned count = 0;
	MDB_stat stat;
	MDB_txn *txn;

	if (mdb_txn_begin(s->e.env, NULL, MDB_RDONLY, &txn))
		return 0;
	for (unsigned i = 0; i < STORE_KIND_COUNT; i++)
		count += mdb_stat(txn, s->e.kind[i], &stat) ? 0 : (unsigned)stat.ms_entries;
	mdb_txn_abort(txn);
	return count;
}

static void tell_found(struct store *s)
{
	const struct takeover *t = &s->found;

	if (t->refusal)
		return;
	s->taken_over = count_records(s);
	if (t->damaged)
		log_warn(
			"store: %s: %u records are damaged and lost, %u are good; the first was %s",
			s->path, t->damaged, s->taken_over, t->detail);
}

int store_open(struct store **out, const char *dir, const char *instance, uint64_t bytes_max)
{
	struct store *s = calloc(1, sizeof(*s));
	struct writer_place place;
	int ret, error = 0;

	if (!s)
		return -ENOMEM;
	s->lock = s->memory = -1;
	s->bytes_max = bytes_max;
	ret = make_paths(s, dir, instance);
	if (!ret)
		ret = open_directory(dir);
	if (ret)
		goto fail;
	ret = open_lock(s);
	if (ret < 0)
		goto tell;
	s->is_new = had_nothing(s);
	ret = open_files(s, instance, &error);
	if (ret)
		goto tell;
	tell_found(s);
	place = (struct writer_place){.e = &s->e,
		.path = s->path,
		.journal = s->journal,
		.move = error ? move_to_file : NULL,
		.move_ctx = s,
		.move_error = error};
	ret = store_writer_start(&s->writer, &place);
	if (ret) {
		environment_close(&s->e);
		goto tell;
	}
	*out = s;
	return 0;
tell:
	log_error("store: %s: %s", s->path,
		ret == -EBUSY ? "another viaductd has it" : strerror(-ret));
fail:
	store_journal_close(s->journal, s->is_new);
	if (s->is_new) {
		(void)unlink(s->new_path);
		(void)unlink(s->path);
	}
	if (s->lock >= 0)
		close(s->lock);
	if (s->memory >= 0)
		close(s->memory);
	free(s);
	return ret;
}

/* ---- records ---- */

static void drop_unusable(
	struct store *s, enum store_kind kind, struct store_key key, int error, unsigned *logged)
{
	char text[KEY_TEXT_MAX];

	s->unusable++;
	if ((*logged)++ < LOGGED_SINGLY)
		log_warn("store: %s cannot be used: %s",
			record_key_show(text, sizeof(text), kind, key), strerror(-error));
	store_del(s, kind, key);
}

static int load_from(
	struct store *s, MDB_txn *txn, enum store_kind kind, store_each_fn *each, void *ctx)
{
	char text[STORE_NAME_MAX + 1];
	unsigned logged = 0;
	MDB_val name, data;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, s->e.kind[kind], &cursor);

	if (rc)
		return environment_errno(rc);
	while ((rc = mdb_cursor_get(cursor, &name, &data, MDB_NEXT)) == 0) {
		struct store_key key;
		const uint8_t *value;
		size_t len;
		int ret;

		if (!record_key_read(&key, text, &name))
			continue;
		ret = record_check(&name, &data, &value, &len);
		if (!ret)
			ret = each(ctx, key, value, len);
		if (ret)
			drop_unusable(s, kind, key, ret, &logged);
	}
	mdb_cursor_close(cursor);
	if (logged > LOGGED_SINGLY)
		log_warn("store: %u more cannot be used", logged - LOGGED_SINGLY);
	return rc == MDB_NOTFOUND ? 0 : environment_errno(rc);
}

int store_load(struct store *s, enum store_kind kind, store_each_fn *each, void *ctx)
{
	MDB_txn *txn;
	int ret;

	/* Without LMDB's locks a commit could take the pages that are read. */
	store_writer_pause(s->writer);
	ret = environment_errno(mdb_txn_begin(s->e.env, NULL, MDB_RDONLY, &txn));
	if (!ret) {
		ret = load_from(s, txn, kind, each, ctx);
		mdb_txn_abort(txn);
	}
	store_writer_resume(s->writer);
	return ret;
}

void store_put(struct store *s, enum store_kind kind, struct store_key key, void *value, size_t len)
{
	store_writer_put(s->writer, kind, key, value, len);
}

void store_del(struct store *s, enum store_kind kind, struct store_key key)
{
	store_writer_put(s->writer, kind, key, NULL, 0);
}

void store_begin(struct store *s)
{
	store_writer_hold(s->writer);
}

void store_end(struct store *s)
{
	store_writer_release(s->writer);
}

int store_flush(struct store *s)
{
	return store_writer_flush(s->writer);
}

void store_get_status(struct store *s, struct store_status *out)
{
	*out = (struct store_status){
		.path = s->path,
		.taken_over = s->taken_over,
		.damaged = s->found.damaged,
		.unusable = s->unusable,
		.refused = refusal_name(s->found.refusal),
		.refused_calls = s->found.refusal ? s->found.records[STORE_CALL] : 0,
	};
	store_writer_get_status(s->writer, out);
}

static void close_and(struct store *s, bool remove)
{
	if (!s)
		return;
	if (!store_writer_stop(s->writer))
		return; /* its thread uses all of it */
	environment_close(&s->e);
	store_journal_close(s->journal, remove);
	if (remove && unlink(s->path))
		log_warn("store: %s cannot be removed: %s", s->path, strerror(errno));
	close(s->lock);
	if (s->memory >= 0)
		close(s->memory);
	free(s);
}

bool store_is_new(const struct store *s)
{
	return s->is_new;
}

void store_close(struct store *s)
{
	close_and(s, false);
}

void store_remove(struct store *s)
{
	close_and(s, true);
}
