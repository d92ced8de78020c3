/* SPDX-License-Identifier: BSD-2-Clause */
/* What a start makes of the file that it finds. */
#include <sys/resource.h>
#include <time.h>

#include "state.pb-c.h"
#include "store/message.h"
#include "test_store_place.h"

#define CALLS 400
#define KEYS  16
#ifdef __SANITIZE_ADDRESS__ /* each is a fork, which the sanitizer's memory makes dear */
#define DAMAGES 100
#define KILLS   20
#else
#define DAMAGES 300
#define KILLS   60
#endif
#define KILL_US   20000
#define VALUE_MAX 9000

/* A value tells which it is, and its length. */
static char *value_of(unsigned i, size_t *len)
{
	char *value;

	*len = 16 + i * 7919 % VALUE_MAX;
	value = malloc(*len + 1);
	memset(value, 'a' + i % 26, *len);
	snprintf(value, *len + 1, "%015u", i);
	value[15] = ' ';
	return value;
}

static void put_value(struct store *s, uint64_t key, unsigned i)
{
	size_t len;
	char *value = value_of(i, &len);

	store_put(s, STORE_CALL, STORE_NUMBER(key), value, len);
}

static unsigned check_value(const struct place *p, unsigned index)
{
	unsigned i = (unsigned)strtoul(p->value[index], NULL, 10);
	size_t len;
	char *expected = value_of(i, &len);

	assert_int_equal(p->len[index], len);
	assert_memory_equal(p->value[index], expected, len);
	free(expected);
	return i;
}

static void write_calls(struct place *p)
{
	reopen(p);
	for (unsigned i = 0; i < CALLS; i++)
		put_value(p->s, i, i);
	store_close(p->s);
	p->s = NULL;
}

/* ---- kill -9 ---- */

static void write_until_killed(const char *dir, int begun)
{
	struct store *s;

	if (store_open(&s, dir, "one", BYTES_MAX))
		_exit(1);
	put_value(s, 0, KEYS);
	if (store_flush(s) || write(begun, "", 1) != 1)
		_exit(1);
	for (unsigned i = KEYS + 1;; i++)
		put_value(s, i % KEYS, i);
}

static void killed_writer_leaves_what_was_at_some_moment(void **state)
{
	struct place *p = *state;

	for (unsigned round = 0; round < KILLS; round++) {
		struct timespec pause = {.tv_nsec = (long)(random() % KILL_US) * 1000};
		unsigned latest = 0, got[KEYS] = {0};
		int begun[2], status;
		char byte;
		pid_t pid;

		assert_int_equal(pipe(begun), 0);
		pid = fork();
		if (pid == 0)
			write_until_killed(p->dir, begun[1]);
		close(begun[1]);
		assert_int_equal(read(begun[0], &byte, 1), 1);
		close(begun[0]);
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		reopen(p);
		assert_null(status_of(p).refused);
		assert_int_equal(status_of(p).damaged, 0);
		load(p, STORE_CALL);
		for (unsigned i = 0; i < p->count; i++) {
			got[p->number[i]] = check_value(p, i);
			if (got[p->number[i]] > latest)
				latest = got[p->number[i]];
		}
		assert_true(latest >= KEYS);
		for (unsigned i = latest; i > latest - KEYS && i >= KEYS; i--)
			assert_int_equal(got[i % KEYS], i);
		store_remove(p->s);
		p->s = NULL;
	}
}

/* ---- damage ---- */

static size_t read_file(const char *path, uint8_t **out)
{
	FILE *f = fopen(path, "re");
	struct stat st;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	*out = malloc((size_t)st.st_size);
	assert_int_equal(fread(*out, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	return (size_t)st.st_size;
}

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static void damage(uint8_t *data, size_t *len)
{
	const size_t page = 4096;
	unsigned bytes = 1 + (unsigned)random() % 40;
	/* Anywhere, or all in one page: the tree's own are few. */
	size_t from = random() % 2 ? 0 : (size_t)random() % (*len / page) * page;
	size_t room = from ? page : *len;

	if (random() % 4 == 0) {
		from = (size_t)random() % 2 * page; /* the two that begin all */
		room = 200;
	}
	for (unsigned i = 0; i < bytes; i++)
		data[from + (size_t)random() % room] = (uint8_t)random();
	if (random() % 10 == 0)
		*len = (size_t)random() % *len + 1;
}

static void damaged_file_gives_good_records_or_none(void **state)
{
	struct place *p = *state;
	unsigned refused = 0, partly = 0;
	uint8_t *good, *bad;
	size_t size;

	write_calls(p);
	size = read_file(p->file, &good);
	bad = malloc(size);
	for (unsigned round = 0; round < DAMAGES; round++) {
		struct store_status status;
		size_t len = size;

		memcpy(bad, good, size);
		damage(bad, &len);
		unlink(p->refused);
		write_file(p->file, bad, len);
		assert_int_equal(store_open(&p->s, p->dir, "one", BYTES_MAX), 0);
		status = status_of(p);
		load(p, STORE_CALL);
		for (unsigned i = 0; i < p->count; i++)
			assert_int_equal(check_value(p, i), p->number[i]);
		if (status.refused) {
			refused++;
			assert_int_equal(p->count, 0);
			assert_int_equal(access(p->refused, F_OK), 0);
		} else {
			partly += status.damaged > 0;
			assert_int_equal(access(p->refused, F_OK), -1);
		}
		/* And the store works. */
		put_value(p->s, 5000, 5000);
		assert_int_equal(store_flush(p->s), 0);
		store_remove(p->s);
		p->s = NULL;
	}
	assert_true(refused > DAMAGES / 20);
	assert_true(partly > DAMAGES / 20);
	free(good);
	free(bad);
}

static void damaged_record_costs_itself_alone(void **state)
{
	struct place *p = *state;
	uint8_t *data, *at;
	size_t size;

	write_calls(p);
	size = read_file(p->file, &data);
	at = memmem(data, size, "000000000000201 ", 16);
	assert_non_null(at);
	at[200] ^= 1;
	write_file(p->file, data, size);
	free(data);
	reopen(p);
	assert_null(status_of(p).refused);
	assert_int_equal(status_of(p).damaged, 1);
	assert_int_equal(status_of(p).taken_over, CALLS - 1);
	load(p, STORE_CALL);
	assert_int_equal(p->count, CALLS - 1);
	for (unsigned i = 0; i < p->count; i++)
		assert_int_not_equal(check_value(p, i), 201);
}

/* ---- refused as a whole ---- */

static void assert_refused(struct place *p, const char *why, unsigned calls)
{
	reopen(p);
	assert_non_null(status_of(p).refused);
	assert_string_equal(status_of(p).refused, why);
	assert_int_equal(status_of(p).refused_calls, calls);
	assert_int_equal(access(p->refused, F_OK), 0);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 0);
	put_text(p, STORE_CALL, STORE_NUMBER(1), "a new call");
	/* The next start knows nothing of it. */
	reopen(p);
	assert_null(status_of(p).refused);
	assert_int_equal(status_of(p).records[STORE_CALL], 1);
}

static void what_is_no_store_is_damaged(void **state)
{
	struct place *p = *state;
	char zeroes[20000] = {0};

	write_file(p->file, "SQLite format 3", 15);
	assert_refused(p, "damaged", 0);
	store_remove(p->s);
	p->s = NULL;
	write_file(p->file, zeroes, sizeof(zeroes));
	assert_refused(p, "damaged", 0);
}

/* It may be read by the next start. */
static void a_start_without_descriptors_leaves_the_file_as_it_is(void **state)
{
	struct place *p = *state;
	struct rlimit few, before;
	int next;

	write_calls(p);
	next = open("/dev/null", O_RDONLY);
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	for (int ret = -EMFILE; ret; next++) { /* whichever is the one that is missing */
		few.rlim_cur = (rlim_t)next;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		ret = store_open(&p->s, p->dir, "one", BYTES_MAX);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_true(ret == 0 || ret == -EMFILE);
		assert_int_not_equal(access(p->refused, F_OK), 0);
	}
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, CALLS);
}

/* Of a start that was killed before it had written anything. */
static void empty_file_is_no_loss(void **state)
{
	struct place *p = *state;

	write_file(p->file, "", 0);
	write_file(p->fresh, "half of one", 11);
	reopen(p);
	assert_null(status_of(p).refused);
	assert_int_equal(access(p->fresh, F_OK), -1);
}

static void set_header(struct place *p, void (*change)(VdState__Header *h))
{
	MDB_val key = {.mv_size = 6, .mv_data = (void *)"header"}, data;
	struct arena arena = {0};
	VdState__Header *h;
	const uint8_t *value;
	struct environment e;
	MDB_txn *txn;
	size_t len;
	void *packed;

	assert_int_equal(environment_open(&e, p->file, BYTES_MAX), 0);
	assert_int_equal(mdb_txn_begin(e.env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_get(txn, e.header, &key, &data), 0);
	assert_int_equal(record_check(&key, &data, &value, &len), 0);
	h = message_unpack(&vd_state__header__descriptor, &arena, value, len);
	assert_non_null(h);
	change(h);
	packed = message_pack(&h->base, &len);
	assert_int_equal(record_put(txn, e.header, &key, packed, len, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	free(packed);
	arena_free(&arena);
	environment_close(&e);
}

static void of_another_instance(VdState__Header *h)
{
	h->instance = (char *)"two";
}

static void of_a_newer_schema(VdState__Header *h)
{
	h->schema_major = STORE_SCHEMA_MAJOR + 1;
}

static void of_another_boot(VdState__Header *h)
{
	h->boot_id = (char *)"11111111-2222-3333-4444-555555555555";
}

static void another_instances_file_is_foreign(void **state)
{
	write_calls(*state);
	set_header(*state, of_another_instance);
	assert_refused(*state, "foreign", CALLS);
}

static void newer_schema_is_refused(void **state)
{
	write_calls(*state);
	set_header(*state, of_a_newer_schema);
	assert_refused(*state, "of a newer version", CALLS);
}

static void file_of_another_boot_is_refused(void **state)
{
	write_calls(*state);
	set_header(*state, of_another_boot);
	assert_refused(*state, "of another boot", CALLS);
}

static void file_that_others_may_write_is_foreign(void **state)
{
	struct place *p = *state;

	write_calls(p);
	chmod(p->file, 0620);
	assert_refused(p, "foreign", 0);
}

static void link_is_not_followed(void **state)
{
	struct place *p = *state;
	char target[128];

	write_calls(p);
	snprintf(target, sizeof(target), "%s/elsewhere", p->dir);
	assert_int_equal(rename(p->file, target), 0);
	assert_int_equal(symlink("elsewhere", p->file), 0);
	assert_refused(p, "foreign", 0);
	assert_int_equal(unlink(target), 0);
}

static void one_refused_file_is_kept(void **state)
{
	struct place *p = *state;
	uint8_t *data;

	write_file(p->file, "the first", 9);
	reopen(p);
	store_close(p->s);
	p->s = NULL;
	write_file(p->file, "the second", 10);
	reopen(p);
	assert_int_equal(read_file(p->refused, &data), 10);
	assert_memory_equal(data, "the second", 10);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
		TEST(killed_writer_leaves_what_was_at_some_moment),
		TEST(damaged_file_gives_good_records_or_none),
		TEST(damaged_record_costs_itself_alone),
		TEST(what_is_no_store_is_damaged),
		TEST(a_start_without_descriptors_leaves_the_file_as_it_is),
		TEST(empty_file_is_no_loss),
		TEST(another_instances_file_is_foreign),
		TEST(newer_schema_is_refused),
		TEST(file_of_another_boot_is_refused),
		TEST(file_that_others_may_write_is_foreign),
		TEST(link_is_not_followed),
		TEST(one_refused_file_is_kept),
	};

	srandom(4);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
