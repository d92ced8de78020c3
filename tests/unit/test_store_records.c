/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_store_place.h"

#include <dirent.h>

static void records_are_read_back_in_order(void **state)
{
	struct place *p = *state;

	reopen(p);
	put_text(p, STORE_CALL, STORE_NUMBER(300), "third");
	put_text(p, STORE_CALL, STORE_NUMBER(2), "first");
	put_text(p, STORE_CALL, STORE_NUMBER(255), "second");
	put_text(p, STORE_CALL, STORE_NUMBER(UINT64_MAX), "");
	put_text(p, STORE_PEER, STORE_NAME("trunk"), "drain");
	put_text(p, STORE_PEER, STORE_NAME("pbx"), "block");
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 4);
	assert_string_equal(p->value[0], "first");
	assert_string_equal(p->value[1], "second");
	assert_string_equal(p->value[2], "third");
	assert_int_equal(p->number[2], 300);
	assert_int_equal(p->number[3], UINT64_MAX);
	assert_int_equal(p->len[3], 0);
	load(p, STORE_PEER);
	assert_int_equal(p->count, 2);
	assert_string_equal(p->name[0], "pbx");
	assert_string_equal(p->value[1], "drain");
	assert_int_equal(status_of(p).taken_over, 6);
	assert_int_equal(status_of(p).records[STORE_CALL], 4);
	assert_null(status_of(p).refused);
}

static void replaced_and_deleted_records_are_not_read(void **state)
{
	struct place *p = *state;

	reopen(p);
	put_text(p, STORE_CALL, STORE_NUMBER(1), "old");
	put_text(p, STORE_CALL, STORE_NUMBER(2), "gone");
	assert_int_equal(store_flush(p->s), 0);
	put_text(p, STORE_CALL, STORE_NUMBER(1), "new");
	store_del(p->s, STORE_CALL, STORE_NUMBER(2));
	put_text(p, STORE_CALL, STORE_NUMBER(3), "never seen");
	store_del(p->s, STORE_CALL, STORE_NUMBER(3));
	store_del(p->s, STORE_CALL, STORE_NUMBER(4));
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 1);
	assert_string_equal(p->value[0], "new");
}

static void large_values_come_back_whole(void **state)
{
	const size_t len = 300000;
	struct place *p = *state;
	char *value = malloc(len);

	for (size_t i = 0; i < len; i++)
		value[i] = (char)(i * 7);
	reopen(p);
	store_put(p->s, STORE_CALL, STORE_NUMBER(1), value, len);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->len[0], len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal((uint8_t)p->value[0][i], (uint8_t)(i * 7));
}

static void names_that_cannot_be_keys_are_failures(void **state)
{
	char longest[STORE_NAME_MAX + 2];
	struct place *p = *state;

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	reopen(p);
	put_text(p, STORE_PEER, STORE_NAME(longest), "too long");
	put_text(p, STORE_PEER, STORE_NAME(""), "empty");
	assert_int_equal(status_of(p).failures, 2);
	longest[STORE_NAME_MAX] = '\0';
	put_text(p, STORE_PEER, STORE_NAME(longest), "good");
	reopen(p);
	assert_int_equal(status_of(p).records[STORE_PEER], 1);
}

/* While the writer is held, what is put is kept once a key. */
static void queue_holds_one_value_a_key(void **state)
{
	struct place *p = *state;
	struct environment e;
	const struct writer_place place = {.e = &e, .path = p->file};
	struct store_writer *w;
	struct store_status status = {0};
	MDB_txn *txn;

	assert_int_equal(environment_open(&e, p->file, BYTES_MAX), 0);
	assert_int_equal(store_writer_start(&w, &place), 0);
	store_writer_pause(w);
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned key = 0; key < 10; key++) {
			char *value = malloc(16);
			int n = snprintf(value, 16, "%u", round);

			store_writer_put(w, STORE_CALL, STORE_NUMBER(key), value, (size_t)n);
		}
	}
	store_writer_get_status(w, &status);
	assert_int_equal(status.queued, 10);
	assert_int_equal(status.commits, 0);
	store_writer_resume(w);
	assert_int_equal(store_writer_flush(w), 0);
	store_writer_get_status(w, &status);
	assert_int_equal(status.queued, 0);
	assert_int_equal(status.commits, 1);
	assert_int_equal(status.records[STORE_CALL], 10);
	assert_true(store_writer_stop(w));
	assert_int_equal(mdb_txn_begin(e.env, NULL, MDB_RDONLY, &txn), 0);
	for (unsigned i = 0; i < 10; i++) {
		struct record_key k;
		MDB_val key, data;
		const uint8_t *value;
		size_t len;

		record_key_make(&k, STORE_NUMBER(i));
		key = (MDB_val){.mv_size = k.len, .mv_data = k.bytes};
		assert_int_equal(mdb_get(txn, e.kind[STORE_CALL], &key, &data), 0);
		assert_int_equal(record_check(&key, &data, &value, &len), 0);
		assert_int_equal(len, 3);
		assert_memory_equal(value, "999", 3);
	}
	mdb_txn_abort(txn);
	environment_close(&e);
}

#define LONG_FOR_THE_WRITER_US 60000 /* it gathers for 50 ms at most */

/* In a process that is killed, once the writer has had time for what was put until then. */
static void put_two_and_be_killed(struct place *p, bool between_them)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (store_open(&p->s, p->dir, "one", BYTES_MAX))
			_exit(1);
		store_begin(p->s);
		put_text(p, STORE_CALL, STORE_NUMBER(1), "the leg has left");
		store_del(p->s, STORE_CALL, STORE_NUMBER(3));
		if (between_them) {
			usleep(LONG_FOR_THE_WRITER_US);
			kill(getpid(), SIGKILL);
		}
		put_text(p, STORE_CALL, STORE_NUMBER(2), "the leg is here");
		store_end(p->s);
		if (store_flush(p->s))
			_exit(2);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Of the one thread that is not ours: how often it has slept. */
static unsigned long sleeps_of_the_writer(void)
{
	static const char field[] = "voluntary_ctxt_switches:";
	DIR *tasks = opendir("/proc/self/task");
	unsigned long sleeps = 0;
	char path[300], line[128];
	struct dirent *task;

	assert_non_null(tasks);
	while ((task = readdir(tasks))) {
		FILE *status;

		if (task->d_name[0] == '.' || atoi(task->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
		status = fopen(path, "r");
		assert_non_null(status);
		while (fgets(line, sizeof(line), status)) {
			if (strncmp(line, field, strlen(field)) == 0)
				sleeps += strtoul(line + strlen(field), NULL, 10);
		}
		fclose(status);
	}
	closedir(tasks);
	return sleeps;
}

static void writer_that_gathers_is_not_woken_by_what_is_put(void **state)
{
	const unsigned times = 1000;
	struct place *p = *state;
	unsigned long before;

	reopen(p);
	before = sleeps_of_the_writer();
	for (unsigned i = 0; i < times; i++) {
		store_begin(p->s);
		put_text(p, STORE_CALL, STORE_NUMBER(i), "is put");
		store_end(p->s);
		usleep(100); /* for it to wake, and to sleep again */
	}
	assert_in_range(sleeps_of_the_writer() - before, 1, times / 4);
	assert_int_equal(store_flush(p->s), 0);
	assert_int_equal(status_of(p).records[STORE_CALL], times);
}

static void what_belongs_together_is_in_the_file_whole_or_not_at_all(void **state)
{
	struct place *p = *state;

	reopen(p);
	put_text(p, STORE_CALL, STORE_NUMBER(1), "the leg is here");
	put_text(p, STORE_CALL, STORE_NUMBER(3), "goes");
	store_close(p->s);
	p->s = NULL;
	put_two_and_be_killed(p, true);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 2);
	assert_string_equal(p->value[0], "the leg is here");
	assert_string_equal(p->value[1], "goes");
	store_close(p->s);
	p->s = NULL;
	put_two_and_be_killed(p, false);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 2);
	assert_string_equal(p->value[0], "the leg has left");
	assert_string_equal(p->value[1], "the leg is here");
}

static void flush_returns_when_all_is_in_the_file(void **state)
{
	struct place *p = *state;

	reopen(p);
	for (unsigned i = 0; i < 200; i++) {
		put_text(p, STORE_CALL, STORE_NUMBER(i), "a call");
		assert_int_equal(store_flush(p->s), 0);
		assert_int_equal(status_of(p).records[STORE_CALL], i + 1);
		assert_int_equal(status_of(p).queued, 0);
	}
	assert_int_equal(store_flush(p->s), 0);
}

/* One that does not fit holds up no other; what is deleted gives its room to what waits. */
static void full_map_is_counted_and_tried_again(void **state)
{
	const size_t large = 200000;
	struct place *p = *state;
	struct store_status status;
	unsigned fit;

	assert_int_equal(store_open(&p->s, p->dir, "one", 2 * 1024 * 1024), 0);
	for (unsigned i = 0; i < 20; i++)
		store_put(p->s, STORE_CALL, STORE_NUMBER(i), calloc(1, large), large);
	assert_int_equal(store_flush(p->s), -EIO);
	status = status_of(p);
	fit = (unsigned)status.records[STORE_CALL];
	assert_true(status.failures > 0);
	assert_in_range(fit, 3, 19);
	assert_int_equal(status.queued, 20 - fit);
	assert_true(status.bytes <= status.bytes_max);
	put_text(p, STORE_PEER, STORE_NAME("pbx"), "a small one");
	assert_int_equal(store_flush(p->s), -EIO);
	assert_int_equal(status_of(p).records[STORE_PEER], 1);
	for (unsigned i = 0; i < 20; i++) {
		if (i != 7)
			store_del(p->s, STORE_CALL, STORE_NUMBER(i));
	}
	/* LMDB takes freed pages one commit later. */
	for (unsigned i = 0; i < 3 && store_flush(p->s); i++)
		;
	assert_int_equal(status_of(p).queued, 0);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 1);
	assert_int_equal(p->number[0], 7);
	assert_int_equal(p->len[0], large);
}

struct refusing {
	struct place *p;
	unsigned seen;
};

static int refuse_odd(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	struct refusing *r = ctx;

	(void)value;
	(void)len;
	r->seen++;
	/* An adopted call may change at once. */
	if (key.number % 2 == 0)
		put_text(r->p, STORE_CALL, key, "adopted");
	return key.number % 2 ? -EPROTO : 0;
}

static void record_that_each_refuses_is_deleted_and_counted(void **state)
{
	struct place *p = *state;
	struct refusing r = {.p = p};

	reopen(p);
	for (unsigned i = 0; i < 1000; i++)
		put_text(p, STORE_CALL, STORE_NUMBER(i), "a call");
	reopen(p);
	assert_int_equal(store_load(p->s, STORE_CALL, refuse_odd, &r), 0);
	assert_int_equal(r.seen, 1000);
	assert_int_equal(status_of(p).unusable, 500);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 500);
	for (unsigned i = 0; i < 500; i++) {
		assert_int_equal(p->number[i], 2 * i);
		assert_string_equal(p->value[i], "adopted");
	}
}

static void file_is_for_us_alone(void **state)
{
	struct place *p = *state;
	struct stat st;

	reopen(p);
	assert_int_equal(stat(p->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	store_close(p->s);
	p->s = NULL;
	chmod(p->dir, 0777);
	assert_int_equal(store_open(&p->s, p->dir, "one", BYTES_MAX), -EPERM);
	chmod(p->dir, 0700);
}

static void second_daemon_is_refused(void **state)
{
	struct place *p = *state;
	struct store *second = NULL;

	reopen(p);
	put_text(p, STORE_CALL, STORE_NUMBER(1), "a call");
	assert_int_equal(store_open(&second, p->dir, "one", BYTES_MAX), -EBUSY);
	reopen(p);
	assert_int_equal(status_of(p).records[STORE_CALL], 1);
}

static void remove_leaves_nothing(void **state)
{
	struct place *p = *state;

	reopen(p);
	put_text(p, STORE_CALL, STORE_NUMBER(1), "a call");
	store_remove(p->s);
	p->s = NULL;
	assert_int_equal(rmdir(p->dir), 0);
	assert_int_equal(mkdir(p->dir, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
		TEST(records_are_read_back_in_order),
		TEST(replaced_and_deleted_records_are_not_read),
		TEST(large_values_come_back_whole),
		TEST(names_that_cannot_be_keys_are_failures),
		TEST(queue_holds_one_value_a_key),
		TEST(writer_that_gathers_is_not_woken_by_what_is_put),
		TEST(what_belongs_together_is_in_the_file_whole_or_not_at_all),
		TEST(flush_returns_when_all_is_in_the_file),
		TEST(full_map_is_counted_and_tried_again),
		TEST(record_that_each_refuses_is_deleted_and_counted),
		TEST(file_is_for_us_alone),
		TEST(second_daemon_is_refused),
		TEST(remove_leaves_nothing),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
