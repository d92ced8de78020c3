/* SPDX-License-Identifier: BSD-2-Clause */
/* One daemon after another in the world of the call tests: the first leaves what is answered, the
 * next takes it up. */
#ifndef VIADUCT_TEST_CALL_RESTART_H
#define VIADUCT_TEST_CALL_RESTART_H

#include <sys/stat.h>

#include "store/store.h"
#include "test_call_world.h"
#include "test_tmp.h"

#define PORT_TRIES   50
#define PORT_WAIT_US 100000

#define TOLD_MAX 64

struct told {
	unsigned count; /* records */
	uint64_t of[TOLD_MAX];
	uint64_t id; /* what the last one said */
	int code;
	unsigned attempts;
	char ended_by[16], from[32], to[32], why[128];
	uint64_t setup_ms, answer_ms, end_ms;
};

struct relay {
	struct world w;
	struct store *store;
	char dir[64];
	struct told told;
	unsigned loading_ms; /* the next daemon's programs, before it takes up calls */
};

static inline void on_record(void *ctx, const struct call_record *r)
{
	struct told *told = ctx;

	if (told->count < TOLD_MAX)
		told->of[told->count] = r->id;
	told->count++;
	told->id = r->id;
	told->code = r->code;
	told->attempts = r->attempt_count;
	told->setup_ms = r->setup_ms;
	told->answer_ms = r->answer_ms;
	told->end_ms = r->end_ms;
	snprintf(told->ended_by, sizeof(told->ended_by), "%s", r->ended_by);
	snprintf(told->from, sizeof(told->from), "%s", r->from);
	snprintf(told->to, sizeof(told->to), "%s", r->to);
	snprintf(told->why, sizeof(told->why), "%s", r->why);
}

/* Records outlive a kill. */
static inline unsigned records_of(const struct told *told, uint64_t id)
{
	unsigned n = 0;

	for (unsigned i = 0; i < told->count && i < TOLD_MAX; i++)
		n += told->of[i] == id;
	return n;
}

static inline bool is_recorded(void *ctx, uint64_t id, uint64_t setup_ms)
{
	(void)setup_ms;
	return records_of(ctx, id) > 0;
}

static inline void take_up(struct relay *r)
{
	assert_int_equal(
		store_open(&r->store, r->dir, r->w.cfg->instance, store_bytes_max(100)), 0);
	calls_set_recorder(r->w.calls, on_record, &r->told);
	calls_set_recorded(r->w.calls, is_recorded);
	assert_int_equal(calls_adopt(r->w.calls, r->store), 0);
}

static inline void relay_open_with(struct relay *r, const char *extra)
{
	memset(r, 0, sizeof(*r));
	world_open_with(&r->w, extra);
	assert_non_null(mkdtemp(tmp_template(r->dir, sizeof(r->dir), "calls")));
	take_up(r);
}

static inline void relay_open(struct relay *r)
{
	relay_open_with(r, "");
}

/* The daemon ends and leaves what is answered. */
static inline void leave(struct relay *r)
{
	uint64_t end = loop_now_ms(r->w.loop) + 4 * TIMEOUT_MS;

	calls_leave(r->w.calls);
	while (calls_under_way(r->w.calls) && loop_now_ms(r->w.loop) < end)
		loop_once(r->w.loop, 1);
	calls_free(r->w.calls);
	r->w.calls = NULL;
	store_close(r->store);
}

/* The next one, with the world's configuration of now. */
static inline void come_back_with(struct relay *r, unsigned t2_ms)
{
	struct world *w = &r->w;
	int ret, tries = 0;

	/* A test beside us may have taken one of our ports meanwhile, for as long as it runs. */
	while ((ret = calls_new(&w->calls, w->loop, w->cfg, DATAPLANE_NULL, on_event, w)) ==
			-EADDRINUSE &&
		tries++ < PORT_TRIES)
		usleep(PORT_WAIT_US);
	assert_int_equal(ret, 0);
	sip_set_timers(calls_sip(w->calls), T1_MS, t2_ms, T4_MS);
	test_clock_pass(r->loading_ms);
	take_up(r);
}

static inline void come_back(struct relay *r)
{
	come_back_with(r, T2_MS);
}

/* What is under way is not waited for. */
static inline void leave_at_once(struct relay *r)
{
	calls_leave(r->w.calls);
	calls_free(r->w.calls);
	r->w.calls = NULL;
	store_close(r->store);
}

/* In its order, as the file begins with what says which of the rest counts, and what that is a
 * commit leaves alone: one that is under way is in the copy, or is not. */
static inline void copy_state(const char *from, const char *to)
{
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	char buf[65536];
	size_t n;

	assert_true(in && out);
	assert_int_equal(fchmod(fileno(out), 0600), 0);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		assert_int_equal(fwrite(buf, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static inline uint64_t commits(struct relay *r)
{
	struct store_status status;

	store_get_status(r->store, &status);
	return status.commits;
}

/* As a kill -9 leaves things: both files as they are at this moment, whatever was to be written
 * yet.
 */
static inline void die(struct relay *r)
{
	static const char *const kind[] = {"state", "journal"};
	char file[2][128], copy[2][128];
	uint64_t before;

	for (unsigned i = 0; i < 2; i++) {
		snprintf(file[i], sizeof(file[i]), "%s/%s.%s", r->dir, r->w.cfg->instance, kind[i]);
		snprintf(copy[i], sizeof(copy[i]), "%s/copy.%s", r->dir, kind[i]);
	}
	do {
		before = commits(r);
		for (unsigned i = 0; i < 2; i++)
			copy_state(file[i], copy[i]);
	} while (commits(r) != before);
	leave_at_once(r);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(rename(copy[i], file[i]), 0);
}

static inline void restart_at_once(struct relay *r)
{
	leave_at_once(r);
	come_back(r);
}

static inline void restart(struct relay *r)
{
	leave(r);
	come_back(r);
}

static inline struct calls_adoption adoption(struct relay *r)
{
	struct calls_adoption got;

	calls_get_adoption(r->w.calls, &got);
	return got;
}

static inline void forget_what_came(struct relay *r, enum who who)
{
	char buf[TEXT_MAX];

	while (recv(r->w.fd[who], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

/* Killed, or told to leave without waiting. */
static inline void next_daemon(struct relay *r, bool is_killed)
{
	if (is_killed)
		die(r);
	else
		leave_at_once(r);
	forget_what_came(r, A);
	forget_what_came(r, B);
	come_back(r);
}

static inline uint64_t stored(struct relay *r)
{
	struct store_status status;

	while (calls_unsaved(r->w.calls))
		run_ms(&r->w, 1);
	assert_int_equal(store_flush(r->store), 0);
	store_get_status(r->store, &status);
	return status.records[STORE_CALL];
}

static inline void relay_close(struct relay *r)
{
	world_is_empty(&r->w);
	calls_free(r->w.calls);
	store_remove(r->store);
	assert_int_equal(rmdir(r->dir), 0);
	assert_int_equal(r->w.cfg->refs, 1);
	config_unref(r->w.cfg);
	loop_free(r->w.loop);
	for (unsigned i = 0; i < PEERS; i++)
		close(r->w.fd[i]);
}

#endif
