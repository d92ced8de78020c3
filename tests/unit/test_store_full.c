/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk without room: what is there already, the journal, goes on being written to, and the daemon
 * starts all the same. The disk is a file system in memory, in a mount namespace of the test's. */
#include <sched.h>
#include <sys/mount.h>

#include "test_store_place.h"

#define DISK      "size=48m,mode=0700" /* the journal takes 16 of them */
#define RECORDS   200
#define RECORD    10000
#define WAIT_MS   5000
#define MS_A_STEP 10

static void say(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

/* Whether mounts are ours alone from here on. */
static bool leave_mounts(void)
{
	char map[32];

	if (geteuid() == 0)
		return unshare(CLONE_NEWNS) == 0 &&
		       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	say("/proc/self/uid_map", map);
	return geteuid() == 0;
}

static bool has_own_mounts;

static int disk_setup(void **state)
{
	struct place *p;

	if (place_setup(state))
		return -1;
	p = *state;
	return has_own_mounts && mount("none", p->dir, "tmpfs", 0, DISK) ? -1 : 0;
}

static int disk_teardown(void **state)
{
	struct place *p = *state;

	store_close(p->s);
	p->s = NULL;
	if (has_own_mounts && umount(p->dir))
		return -1;
	return place_teardown(state);
}

static void need_a_disk(void)
{
	if (has_own_mounts)
		return;
	print_message("no mount namespace may be had: skipped\n");
	skip();
}

static void filler_path(const struct place *p, char out[128])
{
	snprintf(out, 128, "%s/filler", p->dir);
}

static void fill(const struct place *p)
{
	static const char zeros[4096];
	char path[128];
	int fd;

	filler_path(p, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void make_room(const struct place *p)
{
	char path[128];

	filler_path(p, path);
	assert_int_equal(unlink(path), 0);
}

/* A daemon that is killed at its end. */
static void daemon_does(struct place *p, void (*what)(struct place *))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (store_open(&p->s, p->dir, "one", BYTES_MAX) == 0) {
			what(p);
			kill(getpid(), SIGKILL);
		}
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void write_many(struct place *p)
{
	char text[RECORD + 1];

	memset(text, 'x', RECORD);
	text[RECORD] = '\0';
	for (unsigned i = 0; i < RECORDS; i++)
		put_text(p, STORE_CALL, STORE_NUMBER(i), text);
	if (store_flush(p->s))
		_exit(1);
	/* The file has no time for these. */
	store_begin(p->s);
	put_text(p, STORE_CALL, STORE_NUMBER(7), "changed");
	store_del(p->s, STORE_CALL, STORE_NUMBER(8));
	store_end(p->s);
}

static void add_one(struct place *p)
{
	put_text(p, STORE_CALL, STORE_NUMBER(RECORDS), "one more");
	(void)store_flush(p->s);
}

static void add_another(struct place *p)
{
	put_text(p, STORE_CALL, STORE_NUMBER(RECORDS + 1), "another");
	(void)store_flush(p->s);
}

static void expect_all(struct place *p, unsigned count)
{
	load(p, STORE_CALL);
	assert_int_equal(p->count, count);
	assert_string_equal(p->value[7], "changed");
	assert_int_equal(p->number[8], 9);
	assert_int_equal(p->len[count - 1] == RECORD, count == RECORDS - 1);
}

static void wait_for_the_file(struct place *p)
{
	unsigned waited = 0;

	while (status_of(p).error && waited < WAIT_MS) {
		usleep(MS_A_STEP * 1000);
		waited += MS_A_STEP;
	}
	assert_int_equal(status_of(p).error, 0);
	assert_false(status_of(p).in_memory);
}

static void a_start_without_room_has_it_all_and_the_next_one_too(void **state)
{
	struct place *p = *state;
	struct store_status status;

	need_a_disk();
	daemon_does(p, write_many);
	fill(p);
	reopen(p);
	status = status_of(p);
	assert_int_equal(status.error, -ENOSPC);
	assert_true(status.in_memory && status.in_journal);
	assert_null(status.refused);
	expect_all(p, RECORDS - 1);
	/* Nothing is lost by that, so nobody has to hear of it at the end. */
	assert_int_equal(store_flush(p->s), 0);
	store_close(p->s);
	p->s = NULL;
	daemon_does(p, add_one);
	daemon_does(p, add_another);
	reopen(p);
	assert_true(status_of(p).in_memory);
	expect_all(p, RECORDS + 1);
	make_room(p);
	wait_for_the_file(p);
	put_text(p, STORE_CALL, STORE_NUMBER(RECORDS + 2), "in the file");
	reopen(p);
	assert_int_equal(status_of(p).error, 0);
	assert_false(status_of(p).in_memory);
	expect_all(p, RECORDS + 2);
}

static void touch_journal(struct place *p)
{
	(void)store_flush(p->s);
}

/* Nor does it take a file of before. */
static void without_a_file_the_journal_alone_is_enough(void **state)
{
	struct place *p = *state;

	need_a_disk();
	daemon_does(p, touch_journal);
	assert_int_equal(unlink(p->file), 0);
	fill(p);
	daemon_does(p, add_one);
	daemon_does(p, add_another);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 2);
	make_room(p);
	wait_for_the_file(p);
	store_close(p->s);
	p->s = NULL;
	daemon_does(p, add_one);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 2);
	assert_string_equal(p->value[1], "another");
}

/* Of what it has no room for, it is said that a kill loses it. */
static void a_full_journal_beside_a_full_disk_is_told(void **state)
{
	struct place *p = *state;
	char text[RECORD + 1];

	need_a_disk();
	memset(text, 'x', RECORD);
	text[RECORD] = '\0';
	daemon_does(p, write_many);
	fill(p);
	reopen(p);
	for (unsigned i = 0; i < 3 * STORE_JOURNAL_BYTES / 2 / RECORD; i++)
		put_text(p, STORE_CALL, STORE_NUMBER(RECORDS + i % RECORDS), text);
	assert_true(status_of(p).left_out > 0);
	assert_false(status_of(p).in_journal);
	assert_int_equal(store_flush(p->s), -EIO);
	make_room(p);
	wait_for_the_file(p);
	assert_int_equal(store_flush(p->s), 0);
	reopen(p);
	load(p, STORE_CALL);
	assert_int_equal(p->count, 2 * RECORDS - 1);
}

/* The file has all again as soon as there is room; a journal the next start has. */
static void that_there_is_no_journal_is_told_until_the_next_start(void **state)
{
	struct place *p = *state;

	need_a_disk();
	fill(p);
	reopen(p);
	assert_false(status_of(p).has_journal);
	make_room(p);
	wait_for_the_file(p);
	assert_int_equal(status_of(p).error, 0);
	assert_false(status_of(p).has_journal);
	reopen(p);
	assert_true(status_of(p).has_journal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, disk_setup, disk_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_start_without_room_has_it_all_and_the_next_one_too),
		TEST(without_a_file_the_journal_alone_is_enough),
		TEST(a_full_journal_beside_a_full_disk_is_told),
		TEST(that_there_is_no_journal_is_told_until_the_next_start),
	};

	has_own_mounts = leave_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
