/* SPDX-License-Identifier: BSD-2-Clause */
/* What was put outlives a kill at any moment, as a whole or not at all. */
#include "test_store_place.h"

#include <sys/mman.h>
#include <time.h>

#include "base/mapped.h"

#define RING       4096u
#define KEYS       8
#define KILLS      20
#define LONGEST_US 3000
#define HEAD       128 /* bytes of the file before its ring */

/* ---- the journal by itself ---- */

/* What a replay brings: a value a key, NULL: none. */
struct model {
	char *value[KEYS];
};

static void model_put(struct model *m, uint64_t number, const void *value, size_t len)
{
	free(m->value[number]);
	m->value[number] = value ? strndup(value, len) : NULL;
}

static void model_free(struct model *m)
{
	for (unsigned i = 0; i < KEYS; i++)
		free(m->value[i]);
	*m = (struct model){0};
}

static int replayed(void *ctx, enum store_kind kind, const struct record_key *key,
	const void *value, size_t len)
{
	const MDB_val name = {.mv_size = key->len, .mv_data = (void *)(uintptr_t)key->bytes};
	char text[STORE_NAME_MAX + 1];
	struct store_key k;

	assert_int_equal(kind, STORE_CALL);
	assert_true(record_key_read(&k, text, &name));
	assert_true(k.number < KEYS);
	model_put(ctx, k.number, value, len);
	return 0;
}

static bool same(const struct model *a, const struct model *b)
{
	for (unsigned i = 0; i < KEYS; i++) {
		if (!a->value[i] != !b->value[i] ||
			(a->value[i] && strcmp(a->value[i], b->value[i]) != 0))
			return false;
	}
	return true;
}

static void put(struct store_journal *j, uint64_t number, const char *text)
{
	struct record_key key;

	assert_int_equal(record_key_make(&key, STORE_NUMBER(number)), 0);
	store_journal_put(j, STORE_CALL, &key, text, text ? strlen(text) : 0);
}

static struct store_journal *open_journal(struct place *p)
{
	struct store_journal *j;

	assert_int_equal(store_journal_open(&j, p->journal, RING), 0);
	return j;
}

/* As the next daemon finds it: what comes after that position. */
static int find(struct place *p, const struct store_position *from, struct model *m, bool *gap)
{
	struct store_journal *j = open_journal(p);
	unsigned count;
	int ret = store_journal_replay(j, from, replayed, m, &count, gap);

	store_journal_close(j, false);
	return ret;
}

static void expect(
	struct place *p, const struct store_position *from, uint64_t number, const char *text)
{
	struct model m = {0};
	bool gap;

	assert_int_equal(find(p, from, &m, &gap), 0);
	assert_false(gap);
	if (text)
		assert_string_equal(m.value[number], text);
	else
		assert_null(m.value[number]);
	model_free(&m);
}

static void what_is_published_is_found_and_nothing_else(void **state)
{
	struct place *p = *state;
	struct store_journal *j = open_journal(p);
	struct store_position start = store_journal_position(j), one;

	put(j, 1, "one");
	expect(p, &start, 1, NULL);
	store_journal_publish(j);
	one = store_journal_position(j);
	expect(p, &start, 1, "one");
	put(j, 1, "two");
	put(j, 2, "with it");
	expect(p, &start, 1, "one");
	store_journal_publish(j);
	expect(p, &start, 1, "two");
	expect(p, &one, 1, "two");
	expect(p, &one, 2, "with it");
	put(j, 2, NULL);
	store_journal_publish(j);
	expect(p, &start, 2, NULL);
	one = store_journal_position(j);
	expect(p, &one, 1, NULL);
	store_journal_close(j, false);
}

static void what_the_file_has_is_not_found_again(void **state)
{
	struct place *p = *state;
	struct store_journal *j = open_journal(p);
	struct store_position start = store_journal_position(j), one;

	put(j, 1, "one");
	store_journal_publish(j);
	one = store_journal_position(j);
	put(j, 2, "two");
	store_journal_publish(j);
	store_journal_done(j, &one);
	expect(p, &start, 1, NULL);
	expect(p, &start, 2, "two");
	one = store_journal_position(j);
	store_journal_done(j, &one);
	expect(p, &start, 2, NULL);
	put(j, 3, "three");
	store_journal_publish(j);
	expect(p, &start, 3, "three");
	expect(p, &one, 3, "three");
	store_journal_close(j, false);
}

/* Of all lengths, through the ring many times; the file is some changes behind. */
static void round_and_round_nothing_is_lost(void **state)
{
	struct place *p = *state;
	struct store_journal *j = open_journal(p);
	struct store_position file = store_journal_position(j), older = file;
	struct model now = {0};
	char text[600];

	srand(1);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned number = (unsigned)rand() % KEYS, len = (unsigned)rand() % sizeof(text);
		struct model found = {0};
		bool gap;

		memset(text, 'a' + (int)(i % 26), len);
		text[len ? len - 1 : 0] = '\0';
		put(j, number, i % 5 ? text : NULL);
		model_put(&now, number, i % 5 ? text : NULL, strlen(text));
		store_journal_publish(j);
		if (i % 3 == 0) {
			/* What the file has by then is of no interest here: all of it again. */
			older = file;
			file = store_journal_position(j);
			store_journal_done(j, i % 9 ? &older : &file);
		}
		assert_int_equal(find(p, &older, &found, &gap), 0);
		for (unsigned k = 0; k < KEYS; k++)
			assert_true(!found.value[k] ||
				    (now.value[k] && strcmp(found.value[k], now.value[k]) == 0));
		assert_true(i % 5 == 0 || i % 9 == 0 || found.value[number]);
		model_free(&found);
	}
	assert_int_equal(store_journal_left_out(j), 0);
	model_free(&now);
	store_journal_close(j, false);
}

/* What counts together is left out together, and so is all that comes after it until the file has
 * it. */
static void what_has_no_room_is_a_gap_until_the_file_has_it(void **state)
{
	struct place *p = *state;
	struct store_journal *j = open_journal(p);
	struct store_position start = store_journal_position(j), behind;
	char large[RING / 2];
	struct model m = {0};
	bool gap;

	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	put(j, 1, large);
	store_journal_publish(j);
	put(j, 2, "small");
	put(j, 3, large);
	store_journal_publish(j);
	put(j, 4, "small enough");
	store_journal_publish(j);
	assert_int_equal(store_journal_left_out(j), 2);
	expect(p, &start, 1, large);
	expect(p, &start, 2, NULL);
	expect(p, &start, 4, NULL);

	/* The writer takes all that waits; what comes meanwhile has room. */
	behind = store_journal_position(j);
	put(j, 5, "after it");
	store_journal_publish(j);
	assert_int_equal(find(p, &start, &m, &gap), 0);
	assert_true(gap);
	assert_non_null(m.value[1]);
	assert_null(m.value[5]);
	expect(p, &behind, 5, "after it");
	store_journal_done(j, &behind);
	expect(p, &start, 5, "after it");
	model_free(&m);
	store_journal_close(j, false);
}

static void a_full_ring_has_room_for_the_gap(void **state)
{
	struct place *p = *state;
	struct store_journal *j = open_journal(p);
	struct store_position start = store_journal_position(j), behind;
	struct record_key single;
	unsigned count = 0;

	/* One unit, so that the last is left for the gap; the others take two. */
	assert_int_equal(record_key_make(&single, STORE_NAME("x")), 0);
	store_journal_put(j, STORE_CALL, &single, "", 0);
	while (!store_journal_left_out(j)) {
		put(j, 1, "");
		store_journal_publish(j);
		count++;
	}
	assert_int_equal(count, RING / 64);
	behind = store_journal_position(j);
	assert_int_equal(behind.at, RING);
	put(j, 2, "no room");
	store_journal_publish(j);
	assert_int_equal(store_journal_position(j).at, behind.at);
	store_journal_done(j, &behind);
	/* The file has not what was put after it was taken. */
	put(j, 3, "nor this");
	store_journal_publish(j);
	expect(p, &start, 3, NULL);
	assert_int_equal(store_journal_left_out(j), 3);
	behind = store_journal_position(j);
	put(j, 4, "room");
	store_journal_publish(j);
	expect(p, &behind, 4, "room");
	store_journal_close(j, false);
}

static void a_place_in_another_journal_says_nothing(void **state)
{
	struct place *p = *state;
	struct store_journal *j = open_journal(p);
	struct store_position start = store_journal_position(j), none = {0};
	struct model m = {0};
	bool gap;

	put(j, 1, "one");
	store_journal_publish(j);
	assert_int_equal(find(p, &none, &m, &gap), -ESTALE);
	store_journal_begin(j);
	assert_int_equal(find(p, &start, &m, &gap), -ESTALE);
	start = store_journal_position(j);
	put(j, 1, "two");
	store_journal_publish(j);
	expect(p, &start, 1, "two");
	assert_null(m.value[1]);
	store_journal_close(j, false);
}

static uint8_t *map_journal(struct place *p)
{
	int fd = open(p->journal, O_RDWR | O_CLOEXEC);
	uint8_t *m = mmap(NULL, HEAD + RING, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(m, MAP_FAILED);
	close(fd);
	return m;
}

/* Of a file with any one byte changed, all is found as it was, or nothing. */
static void no_damage_is_taken_for_a_change(void **state)
{
	struct place *p = *state;
	struct store_journal *j = open_journal(p);
	struct store_position start = store_journal_position(j), end;
	struct model all = {0};
	unsigned refused = 0;
	uint8_t *file;
	bool gap;

	for (uint64_t i = 0; i < KEYS; i++)
		put(j, i, "a value of some length, the same for all");
	put(j, 3, NULL);
	store_journal_publish(j);
	end = store_journal_position(j);
	store_journal_close(j, false);
	assert_int_equal(find(p, &start, &all, &gap), 0);
	file = map_journal(p);
	for (size_t at = sizeof(struct mapped); at < HEAD + end.at; at++) {
		struct model found = {0}, none = {0};
		uint8_t was = file[at];
		int ret;

		file[at] ^= 0x20; /* a place stays one, further on or before */
		ret = find(p, &start, &found, &gap);
		assert_true(ret == 0 || ret == -EBADMSG || ret == -ESTALE);
		assert_true(same(&found, ret ? &none : &all) || at < HEAD);
		refused += ret != 0;
		file[at] = was;
		model_free(&found);
	}
	assert_true(refused > end.at / 2);
	munmap(file, HEAD + RING);
	model_free(&all);
}

/* Wherever what is published ends: what is before it is found, or, within a change, nothing. */
static void a_cut_anywhere_is_seen(void **state)
{
	struct place *p = *state;
	struct store_journal *j = open_journal(p);
	struct store_position start = store_journal_position(j);
	uint64_t boundary[KEYS + 1] = {0}, put_was;
	uint8_t *file;

	for (uint64_t i = 0; i < KEYS; i++) {
		put(j, i,
			"longer than a unit of the ring, by far: two of them and some more of it");
		store_journal_publish(j);
		boundary[i + 1] = store_journal_position(j).at;
	}
	store_journal_close(j, false);
	file = map_journal(p);
	memcpy(&put_was, file + sizeof(struct mapped) + 8, sizeof(put_was));
	assert_int_equal(put_was, boundary[KEYS]);
	for (uint64_t cut = 0, n = 0; cut <= put_was; cut++) {
		struct model found = {0};
		bool gap;
		int ret;

		n += n < KEYS && cut == boundary[n + 1];
		memcpy(file + sizeof(struct mapped) + 8, &cut, sizeof(cut));
		ret = find(p, &start, &found, &gap);
		assert_int_equal(ret, cut == boundary[n] ? 0 : -EBADMSG);
		for (uint64_t i = 0; i < KEYS; i++)
			assert_true(!found.value[i] == (ret || i >= n));
		model_free(&found);
	}
	munmap(file, HEAD + RING);
}

/* ---- the store with it ---- */

/* What the child says of itself before it is killed, in memory that we share. */
static void killed(struct place *p, void (*child)(struct place *, volatile uint64_t *said),
	volatile uint64_t *said, unsigned after_us)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (store_open(&p->s, p->dir, "one", BYTES_MAX))
			_exit(1);
		child(p, said);
		if (!after_us)
			kill(getpid(), SIGKILL);
		pause();
	}
	while (after_us && !*said)
		usleep(100);
	usleep(after_us);
	if (after_us)
		kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void put_and_delete(struct place *p, volatile uint64_t *said)
{
	(void)said;
	put_text(p, STORE_CALL, STORE_NUMBER(1), "written");
	put_text(p, STORE_CALL, STORE_NUMBER(2), "to go");
	if (store_flush(p->s))
		_exit(1);
	put_text(p, STORE_CALL, STORE_NUMBER(1), "waits");
	store_del(p->s, STORE_CALL, STORE_NUMBER(2));
	put_text(p, STORE_PEER, STORE_NAME("trunk"), "drain");
	store_begin(p->s);
	put_text(p, STORE_CALL, STORE_NUMBER(3), "not whole");
}

static void what_was_put_is_there_after_a_kill(void **state)
{
	struct place *p = *state;

	killed(p, put_and_delete, NULL, 0);
	for (unsigned again = 0; again < 2; again++) {
		reopen(p);
		load(p, STORE_CALL);
		assert_int_equal(p->count, 1);
		assert_string_equal(p->value[0], "waits");
		load(p, STORE_PEER);
		assert_string_equal(p->value[0], "drain");
		assert_int_equal(status_of(p).taken_over, 2);
	}
}

static void put_numbers(struct place *p, volatile uint64_t *said)
{
	for (uint64_t n = 1;; n++) {
		char text[32];

		snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
		store_begin(p->s);
		for (uint64_t key = 1; key <= 3; key++)
			put_text(p, STORE_CALL, STORE_NUMBER(key), text);
		store_end(p->s);
		*said = n;
		usleep(n % 50 ? 0 : 200);
	}
}

/* Each time that the three values are put together they are one more. */
static void a_kill_at_any_moment_leaves_all_or_nothing_of_what_counts_together(void **state)
{
	volatile uint64_t *said = mmap(
		NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct place *p = *state;

	srand((unsigned)time(NULL));
	for (unsigned i = 0; i < KILLS; i++) {
		uint64_t was;

		*said = 0;
		killed(p, put_numbers, said, 1 + (unsigned)rand() % LONGEST_US * (i % 3 ? 1 : 30));
		was = *said;
		reopen(p);
		load(p, STORE_CALL);
		assert_int_equal(p->count, 3);
		assert_string_equal(p->value[0], p->value[1]);
		assert_string_equal(p->value[0], p->value[2]);
		assert_in_range(strtoull(p->value[0], NULL, 10), was, was + 1);
		assert_int_equal(status_of(p).left_out, 0);
		store_close(p->s);
		p->s = NULL;
	}
	munmap((void *)said, sizeof(*said));
}

static void overwrite(const char *path, long at, const char *text)
{
	FILE *f = fopen(path, "r+");

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static void of_a_damaged_journal_the_file_alone_is_taken_over(void **state)
{
	struct place *p = *state;

	killed(p, put_and_delete, NULL, 0);
	/* The file has all of before, and the ring was begun again after that. */
	overwrite(p->journal, HEAD + 30, "damage");
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 2);
	assert_string_equal(p->value[0], "written");
	/* And it works again. */
	put_text(p, STORE_CALL, STORE_NUMBER(1), "on");
	reopen(p);
	load(p, STORE_CALL);
	assert_string_equal(p->value[0], "on");
}

static void a_journal_that_is_not_of_this_file_says_nothing(void **state)
{
	struct place *p = *state;

	killed(p, put_and_delete, NULL, 0);
	assert_int_equal(unlink(p->file), 0);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 0);
}

static void put_much(struct place *p, volatile uint64_t *said)
{
	char text[1024];

	(void)said;
	put_text(p, STORE_CALL, STORE_NUMBER(1), "written");
	if (store_flush(p->s))
		_exit(1);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	store_begin(p->s);
	for (uint64_t key = 1; key <= 500; key++)
		put_text(p, STORE_CALL, STORE_NUMBER(key), text);
	store_end(p->s);
}

/* None of it, rather than a daemon that never starts again. */
static void a_journal_that_the_file_has_no_room_for_is_done_without(void **state)
{
	struct place *p = *state;

	killed(p, put_much, NULL, 0);
	assert_int_equal(store_open(&p->s, p->dir, "one", 64 * 1024), 0);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 1);
	assert_string_equal(p->value[0], "written");
	put_text(p, STORE_CALL, STORE_NUMBER(1), "on");
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 1);
	assert_string_equal(p->value[0], "on");
}

/* Somebody else could write into it. */
static void a_journal_that_others_can_reach_is_done_without(void **state)
{
	struct place *p = *state;

	killed(p, put_and_delete, NULL, 0);
	assert_int_equal(chmod(p->journal, 0644), 0);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 2);
	assert_string_equal(p->value[0], "written");
	put_text(p, STORE_CALL, STORE_NUMBER(1), "on");
	reopen(p);
	load(p, STORE_CALL);
	assert_string_equal(p->value[0], "on");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_published_is_found_and_nothing_else),
		TEST(what_the_file_has_is_not_found_again),
		TEST(round_and_round_nothing_is_lost),
		TEST(what_has_no_room_is_a_gap_until_the_file_has_it),
		TEST(a_full_ring_has_room_for_the_gap),
		TEST(a_place_in_another_journal_says_nothing),
		TEST(no_damage_is_taken_for_a_change),
		TEST(a_cut_anywhere_is_seen),
		TEST(what_was_put_is_there_after_a_kill),
		TEST(a_kill_at_any_moment_leaves_all_or_nothing_of_what_counts_together),
		TEST(of_a_damaged_journal_the_file_alone_is_taken_over),
		TEST(a_journal_that_is_not_of_this_file_says_nothing),
		TEST(a_journal_that_the_file_has_no_room_for_is_done_without),
		TEST(a_journal_that_others_can_reach_is_done_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
