/* SPDX-License-Identifier: BSD-2-Clause */
/* What waits to be written, one value a key, and the thread that writes it: all that waits at a
 * time in one transaction, so that the file is always what the daemon was at some moment. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/table.h"
#include "base/thread.h"
#include "store/internal.h"

#define RETRY_MS 1000 /* after a write that failed */
/* A commit costs 0.1 ms, however little it holds, and much of what is put is soon replaced. */
#define GATHER_MS      50
#define GATHER_BARE_MS 2 /* where there is no journal: a kill loses what is gathered */
#define NS_A_MS        1000000L
#define MS_A_SEC       1000

struct waiting {
	UT_hash_handle hh;
	enum store_kind kind;
	void *value; /* NULL: delete it */
	size_t len;
	uint16_t key_len;
	uint8_t key[]; /* as in struct record_key */
};

/* A hash a kind, in the order of coming. */
struct queue {
	struct waiting *kind[STORE_KIND_COUNT];
};

struct store_writer {
	struct environment *e;
	struct store_journal *journal; /* NULL: there is none */
	struct store_position taken;   /* of what is being written */
	char path[PATH_MAX];
	store_move_fn *move; /* NULL: it is where it belongs */
	void *move_ctx;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	struct queue queue;
	unsigned queued, writing; /* keys that wait; that are being written */
	unsigned paused;
	bool held;             /* the queue is not whole: nothing is taken of it */
	bool is_waiting;       /* the thread, for something to do */
	bool closing, hurry;   /* hurry: no pause after a failure */
	uint64_t begun, ended; /* rounds of the thread */
	bool last_failed;
	int error; /* -errno of the last round; 0: the file has what was there to be written */
	uint64_t records[STORE_KIND_COUNT], bytes, bytes_max;
	uint64_t commits, failures;
};

static void waiting_free(struct waiting *q)
{
	free(q->value);
	free(q);
}

static struct waiting *find(
	const struct queue *queue, enum store_kind kind, const uint8_t *key, uint16_t len)
{
	struct waiting *q;

	HASH_FIND(hh, queue->kind[kind], key, len, q);
	return q;
}

static int add(struct queue *queue, struct waiting *q)
{
	table_add_failed = false;
	HASH_ADD_KEYPTR(hh, queue->kind[q->kind], q->key, q->key_len, q);
	return table_add_failed ? -ENOMEM : 0;
}

/* ---- the thread: one round ---- */

static int write_one(struct store_writer *w, MDB_txn *txn, const struct waiting *q)
{
	MDB_val key = {.mv_size = q->key_len, .mv_data = (void *)q->key};
	int rc;

	if (q->value)
		return record_put(txn, w->e->kind[q->kind], &key, q->value, q->len, 0);
	rc = mdb_del(txn, w->e->kind[q->kind], &key, NULL);
	return rc == MDB_NOTFOUND ? 0 : environment_errno(rc);
}

struct measured {
	uint64_t records[STORE_KIND_COUNT], bytes;
};

static void measure(struct store_writer *w, MDB_txn *txn, struct measured *out)
{
	MDB_stat stat;

	*out = (struct measured){0};
	for (unsigned i = 0; i < STORE_KIND_COUNT; i++) {
		if (mdb_stat(txn, w->e->kind[i], &stat))
			continue;
		out->records[i] = stat.ms_entries;
		out->bytes += stat.ms_psize *
			      (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages);
	}
}

static void tell_measured(struct store_writer *w, const struct measured *m)
{
	pthread_mutex_lock(&w->lock);
	memcpy(w->records, m->records, sizeof(w->records));
	w->bytes = m->bytes;
	w->commits++;
	pthread_mutex_unlock(&w->lock);
}

/* ret: of what was done in it so far. */
static int finish(struct store_writer *w, MDB_txn *txn, int ret)
{
	struct measured measured;

	if (ret) {
		mdb_txn_abort(txn);
		return ret;
	}
	measure(w, txn, &measured);
	ret = environment_errno(mdb_txn_commit(txn));
	if (!ret)
		tell_measured(w, &measured);
	return ret;
}

static int write_all(struct store_writer *w, const struct queue *batch, bool deletes_alone)
{
	struct waiting *q, *next;
	MDB_txn *txn;
	int ret = environment_errno(mdb_txn_begin(w->e->env, NULL, 0, &txn));

	if (ret)
		return ret;
	for (unsigned i = 0; i < STORE_KIND_COUNT; i++) {
		HASH_ITER (hh, batch->kind[i], q, next) {
			if (!ret && !(deletes_alone && q->value))
				ret = write_one(w, txn, q);
		}
	}
	if (!ret && !deletes_alone && w->journal)
		ret = position_put(txn, w->e, &w->taken);
	return finish(w, txn, ret);
}

static int write_single(struct store_writer *w, const struct waiting *q)
{
	MDB_txn *txn;
	int ret = environment_errno(mdb_txn_begin(w->e->env, NULL, 0, &txn));

	return ret ? ret : finish(w, txn, write_one(w, txn, q));
}

static void forget(struct queue *batch, struct waiting *q)
{
	HASH_DEL(batch->kind[q->kind], q);
	waiting_free(q);
}

/* After a failure: what gives room first, then each by itself, so that one that cannot be written
 * holds up no other. What is written leaves the batch. */
static void write_singly(struct store_writer *w, struct queue *batch)
{
	bool deleted = write_all(w, batch, true) == 0;
	struct waiting *q, *next;

	for (unsigned i = 0; i < STORE_KIND_COUNT; i++) {
		HASH_ITER (hh, batch->kind[i], q, next) {
			if ((!q->value && deleted) || write_single(w, q) == 0)
				forget(batch, q);
		}
	}
}

/* Under the lock. What came meanwhile is newer. Whether something is still to be written. */
static bool put_back(struct store_writer *w, struct queue *batch)
{
	struct waiting *q, *next;
	bool failed = false;

	for (unsigned i = 0; i < STORE_KIND_COUNT; i++) {
		HASH_ITER (hh, batch->kind[i], q, next) {
			HASH_DEL(batch->kind[i], q);
			failed = true;
			w->failures++;
			if (find(&w->queue, q->kind, q->key, q->key_len) || add(&w->queue, q))
				waiting_free(q);
			else
				w->queued++;
		}
	}
	return failed;
}

static void clear(struct queue *batch)
{
	struct waiting *q, *next;

	for (unsigned i = 0; i < STORE_KIND_COUNT; i++) {
		HASH_ITER (hh, batch->kind[i], q, next)
			forget(batch, q);
	}
}

/* 0: the environment is in its file. */
static int move(struct store_writer *w)
{
	return w->move ? w->move(w->move_ctx) : 0;
}

static void tell_failure(const struct store_writer *w, int error)
{
	log_limited(LOG_LEVEL_ERROR, "store: %s: %s; tried again each %u ms", w->path,
		error == -ENOSPC ? "no room left" : strerror(-error), RETRY_MS);
}

/* Entered and left with the lock. */
static void write_batch(struct store_writer *w)
{
	struct queue batch = w->queue;
	int ret;

	w->queue = (struct queue){0};
	w->writing = w->queued;
	w->queued = 0;
	w->hurry = false;
	w->begun++;
	if (w->journal)
		w->taken = store_journal_position(w->journal);
	pthread_mutex_unlock(&w->lock);
	ret = write_all(w, &batch, false);
	if (ret) {
		tell_failure(w, ret);
		write_singly(w, &batch);
	} else {
		clear(&batch);
		ret = move(w);
	}
	pthread_mutex_lock(&w->lock);
	if (!ret)
		w->move = NULL;
	if (!ret && w->journal)
		store_journal_done(w->journal, &w->taken);
	w->writing = 0;
	w->error = ret;
	w->last_failed = put_back(w, &batch);
	w->failures += ret && !w->last_failed;
	w->ended++;
	pthread_cond_broadcast(&w->done);
}

/* Under the lock, which is free meanwhile. */
static void rest(struct store_writer *w, unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms % MS_A_SEC * NS_A_MS;
	until.tv_sec += ms / MS_A_SEC + until.tv_nsec / (MS_A_SEC * NS_A_MS);
	until.tv_nsec %= MS_A_SEC * NS_A_MS;
	while (!w->closing && !w->hurry &&
		pthread_cond_timedwait(&w->wake, &w->lock, &until) != ETIMEDOUT)
		;
}

static bool is_stopped(const struct store_writer *w)
{
	return w->paused || w->held;
}

/* After a failure there is at least to be said up to where the file has the journal. */
static bool has_to_write(const struct store_writer *w)
{
	return w->queued || w->error;
}

static bool has_work(const struct store_writer *w)
{
	return (has_to_write(w) || w->closing) && !is_stopped(w);
}

/* Under the lock. One that writes or gathers looks by itself: to be woken each time that something
 * is put would cost both threads a system call, and the lock. */
static void wake_up(struct store_writer *w)
{
	if (!w->is_waiting || !has_work(w))
		return;
	w->is_waiting = false;
	pthread_cond_signal(&w->wake);
}

static void *run(void *arg)
{
	struct store_writer *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!has_work(w)) {
			w->is_waiting = true;
			pthread_cond_wait(&w->wake, &w->lock);
		}
		w->is_waiting = false;
		if (!has_to_write(w))
			break;
		rest(w, w->journal ? GATHER_MS : GATHER_BARE_MS);
		if (is_stopped(w))
			continue;
		write_batch(w);
		if (w->error && w->closing)
			break;
		if (w->error)
			rest(w, RETRY_MS);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- its owner's side ---- */

static uint64_t left_out_of(const struct store_writer *w)
{
	return w->journal ? store_journal_left_out(w->journal) : 0;
}

/* What the file does not have is there, all of it. */
static bool is_in_journal(const struct store_writer *w)
{
	return w->journal && !left_out_of(w);
}

static void measure_first(struct store_writer *w)
{
	struct measured measured;
	MDB_envinfo info;
	MDB_txn *txn;

	mdb_env_info(w->e->env, &info);
	w->bytes_max = info.me_mapsize;
	if (mdb_txn_begin(w->e->env, NULL, MDB_RDONLY, &txn))
		return;
	measure(w, txn, &measured);
	mdb_txn_abort(txn);
	memcpy(w->records, measured.records, sizeof(w->records));
	w->bytes = measured.bytes;
}

static void writer_free(struct store_writer *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->done);
	clear(&w->queue);
	free(w);
}

int store_writer_start(struct store_writer **out, const struct writer_place *place)
{
	struct store_writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t monotonic;
	int ret;

	if (!w)
		return -ENOMEM;
	w->e = place->e;
	w->journal = place->journal;
	w->move = place->move;
	w->move_ctx = place->move_ctx;
	w->error = place->move ? place->move_error : 0;
	snprintf(w->path, sizeof(w->path), "%s", place->path);
	(void)table_hash(place->path, 1); /* its seed is there before the threads are */
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_cond_init(&w->done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	measure_first(w);
	ret = thread_start(&w->thread, run, w);
	if (ret) {
		writer_free(w);
		return ret;
	}
	*out = w;
	return 0;
}

/* Under the lock. Takes value over in any case. */
static int enqueue(struct store_writer *w, enum store_kind kind, const struct record_key *key,
	void *value, size_t len)
{
	struct waiting *q = find(&w->queue, kind, key->bytes, key->len);

	if (!q) {
		q = malloc(sizeof(*q) + key->len);
		if (!q) {
			free(value);
			return -ENOMEM;
		}
		q->kind = kind;
		q->value = NULL;
		q->key_len = key->len;
		memcpy(q->key, key->bytes, key->len);
		if (add(&w->queue, q)) {
			free(q);
			free(value);
			return -ENOMEM;
		}
		w->queued++;
	}
	free(q->value);
	q->value = value;
	q->len = len;
	if (w->journal)
		store_journal_put(w->journal, kind, key, value, len);
	return 0;
}

void store_writer_put(
	struct store_writer *w, enum store_kind kind, struct store_key key, void *value, size_t len)
{
	struct record_key k;
	int ret = record_key_make(&k, key);
	uint64_t left_out;
	bool is_lost;

	pthread_mutex_lock(&w->lock);
	left_out = left_out_of(w);
	if (ret)
		free(value);
	else
		ret = enqueue(w, kind, &k, value, len);
	if (!ret && w->journal && !w->held)
		store_journal_publish(w->journal);
	if (ret)
		w->failures++;
	else
		wake_up(w);
	is_lost = w->error && left_out_of(w) > left_out;
	pthread_mutex_unlock(&w->lock);
	if (ret)
		log_limited(LOG_LEVEL_ERROR, "store: %s: %s", w->path, strerror(-ret));
	if (is_lost)
		log_limited(LOG_LEVEL_ERROR,
			"store: %s cannot be written and its journal is full: "
			"what calls do now is lost at a kill",
			w->path);
}

/* Waits for a round that begins after now, or until there is nothing to do. Under the lock. */
static int wait_for_round(struct store_writer *w, uint64_t round)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STORE_FLUSH_S;
	while (w->ended < round) {
		if (pthread_cond_timedwait(&w->done, &w->lock, &until) == ETIMEDOUT)
			return -ETIMEDOUT;
	}
	return 0;
}

void store_writer_hold(struct store_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->held = true;
	pthread_mutex_unlock(&w->lock);
}

void store_writer_release(struct store_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->held = false;
	if (w->journal)
		store_journal_publish(w->journal);
	wake_up(w);
	pthread_mutex_unlock(&w->lock);
}

void store_writer_pause(struct store_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->paused++;
	while (w->ended < w->begun)
		pthread_cond_wait(&w->done, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void store_writer_resume(struct store_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->paused--;
	wake_up(w);
	pthread_mutex_unlock(&w->lock);
}

int store_writer_flush(struct store_writer *w)
{
	int ret;

	pthread_mutex_lock(&w->lock);
	w->hurry = has_to_write(w);
	pthread_cond_signal(&w->wake);
	ret = wait_for_round(w, w->begun + has_to_write(w));
	if (!ret && (w->last_failed || (w->error && !is_in_journal(w))))
		ret = -EIO;
	pthread_mutex_unlock(&w->lock);
	return ret;
}

void store_writer_get_status(struct store_writer *w, struct store_status *out)
{
	pthread_mutex_lock(&w->lock);
	memcpy(out->records, w->records, sizeof(out->records));
	out->bytes = w->bytes;
	out->bytes_max = w->bytes_max;
	out->queued = w->queued + w->writing;
	out->commits = w->commits;
	out->failures = w->failures;
	out->error = w->error;
	out->in_memory = w->move != NULL;
	out->has_journal = w->journal != NULL;
	out->in_journal = is_in_journal(w);
	out->left_out = left_out_of(w);
	pthread_mutex_unlock(&w->lock);
}

bool store_writer_stop(struct store_writer *w)
{
	struct timespec until;

	pthread_mutex_lock(&w->lock);
	w->closing = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STORE_FLUSH_S;
	if (pthread_timedjoin_np(w->thread, NULL, &until)) {
		log_error("store: %s: its writer hangs", w->path);
		return false;
	}
	if (w->queued)
		log_error("store: %s: %u records could not be written", w->path, w->queued);
	if (w->move)
		log_error("store: %s had no room to the end: %s", w->path,
			is_in_journal(w) ? "what is left is in the journal"
					 : "not all that is left is in the journal");
	writer_free(w);
	return true;
}
