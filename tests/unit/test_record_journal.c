/* SPDX-License-Identifier: BSD-2-Clause */
/* Records outlive a kill at any moment, each of them once. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "record/journal.h"
#include "record/writer.h"
#include "test_record_place.h"

#define LINES 256
#define MANY  (1 << 14)
#define OLD   "{\"of\":\"before\"}\n"

static char *content_of(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (f) {
		assert_true(fread(text, 1, (1 << 20) - 1, f) < (1 << 20) - 1);
		fclose(f);
	}
	return text;
}

static void holds(const char *path, const char *expected)
{
	char *text = content_of(path);

	assert_string_equal(text, expected);
	free(text);
}

static void write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

/* A daemon's journal with those lines, the first in the file behind OLD: as if it had been killed
 * while it wrote them there. file: where the file is, whatever its name. */
static void leave(struct place *p, const char *file, unsigned count, const char *const line[])
{
	struct journal *j;
	struct stat st;

	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(journal_open(&j, p->journal, LINES), 0);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(journal_put(j, i + 1, 1, line[i], strlen(line[i])), 0);
	journal_begin(j, &st, strlen(OLD));
	journal_close(j, false);
}

/* The next daemon comes, and ends. */
static void come_and_go(struct place *p, unsigned lines)
{
	struct writer *w;

	assert_int_equal(writer_open(&w, p->file, p->journal, lines), 0);
	writer_close(w, false);
}

static void what_was_put_is_written_after_a_kill_and_known(void **state)
{
	struct place *p = *state;
	struct writer *w;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct journal *j;

		if (journal_open(&j, p->journal, LINES) || journal_put(j, 7, 1000, "{7}\n", 4) ||
			journal_put(j, 0, 1001, "{refused}\n", 10) ||
			journal_put(j, 8, 1002, NULL, 0) || journal_put(j, 9, 1003, "{9}\n", 4))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(writer_open(&w, p->file, p->journal, LINES), 0);
	assert_true(writer_had(w, 7, 1000) && writer_had(w, 8, 1002) && writer_had(w, 9, 1003));
	assert_false(writer_had(w, 7, 1001)); /* ids begin anew where the state is lost */
	assert_false(writer_had(w, 10, 1000) || writer_had(w, 0, 1001));
	writer_close(w, false);
	holds(p->file, "{7}\n{refused}\n{9}\n");
	come_and_go(p, LINES);
	holds(p->file, "{7}\n{refused}\n{9}\n");
}

/* However much of them is in the file. */
static void a_kill_while_lines_are_written_leaves_each_there_once(void **state)
{
	static const char *const line[] = {"{first}\n", "{second}\n", "{3}\n"};
	static const char all[] = OLD "{first}\n{second}\n{3}\n";
	struct place *p = *state;

	for (size_t there = strlen(OLD); there <= strlen(all); there++) {
		write_file(p->file, all, there);
		leave(p, p->file, 3, line);
		come_and_go(p, LINES);
		holds(p->file, all);
	}
}

/* It is beside the new one, under another name. */
static void a_file_moved_between_kill_and_start_has_its_lines_once(void **state)
{
	static const char *const line[] = {"{first}\n", "{second}\n"};
	static const char all[] = OLD "{first}\n{second}\n";
	struct place *p = *state;

	for (size_t there = strlen(OLD); there <= strlen(all); there++) {
		char *moved, *begun, both[sizeof(all)];

		write_file(p->file, all, there);
		leave(p, p->file, 2, line);
		assert_int_equal(rename(p->file, p->moved), 0);
		come_and_go(p, LINES);
		moved = content_of(p->moved);
		begun = content_of(p->file);
		snprintf(both, sizeof(both), "%s%s", moved, begun);
		assert_string_equal(both, all);
		assert_int_equal(strlen(moved) + strlen(begun), strlen(all));
		free(moved);
		free(begun);
		unlink(p->file);
		unlink(p->moved);
	}
}

/* One that has the number of ours is another's by its text. */
static void a_file_that_has_other_text_is_not_touched(void **state)
{
	static const char *const line[] = {"{1}\n"};
	static const char other[] = OLD "{somebody's}";
	struct place *p = *state;

	write_file(p->moved, other, strlen(other));
	leave(p, p->moved, 1, line);
	come_and_go(p, LINES);
	holds(p->moved, other);
	holds(p->file, "{1}\n");
}

/* The file is another one, or was emptied: what was begun there is not here. */
static void lines_begun_in_a_file_that_is_gone_are_written_anew(void **state)
{
	static const char *const line[] = {"{1}\n"};
	struct place *p = *state;

	write_file(p->file, OLD, strlen(OLD));
	leave(p, p->file, 1, line);
	assert_int_equal(rename(p->file, p->moved), 0);
	write_file(p->file, OLD OLD OLD, 3 * strlen(OLD));
	come_and_go(p, LINES);
	holds(p->file, OLD OLD OLD "{1}\n");
}

struct shared {
	unsigned put; /* lines that writer_put has returned for */
};

static void put_until_killed(struct place *p, struct shared *shared)
{
	struct writer *w;
	char line[64];

	if (writer_open(&w, p->file, p->journal, MANY))
		_exit(1);
	for (;;) {
		unsigned n = shared->put;

		snprintf(line, sizeof(line), "{\"number\":%u}\n", n);
		writer_put(w, n + 1, 1, line);
		__atomic_store_n(&shared->put, n + 1, __ATOMIC_RELEASE);
		if (n % 8 == 0)
			usleep(50);
	}
}

/* Whatever the thread that writes is at. */
static void a_kill_at_any_moment_loses_no_line_and_doubles_none(void **state)
{
	struct place *p = *state;
	struct shared *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (unsigned round = 0; round < 20; round++) {
		unsigned n = 0, number;
		pid_t pid;
		FILE *f;

		shared->put = 0;
		unlink(p->file);
		unlink(p->journal);
		pid = fork();
		if (pid == 0)
			put_until_killed(p, shared);
		while (__atomic_load_n(&shared->put, __ATOMIC_ACQUIRE) < 50 * round + 1)
			usleep(100);
		usleep(round * 700);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		come_and_go(p, MANY);
		f = fopen(p->file, "r");
		assert_non_null(f);
		while (fscanf(f, "{\"number\":%u}\n", &number) == 1)
			assert_int_equal(number, n++);
		assert_true(feof(f));
		fclose(f);
		/* The last may have been put without that being said. */
		assert_in_range(n, shared->put, shared->put + 1);
	}
	munmap(shared, sizeof(*shared));
}

static void one_of_another_boot_or_damaged_is_begun_anew(void **state)
{
	struct place *p = *state;

	for (unsigned what = 0; what < 4; what++) {
		struct journal *j;
		char *at;
		int fd;

		assert_int_equal(journal_open(&j, p->journal, LINES), 0);
		assert_int_equal(journal_put(j, 1, 1, "{1}\n", 4), 0);
		assert_int_equal(journal_put(j, 2, 1, "{2}\n", 4), 0);
		journal_close(j, false);
		fd = open(p->journal, O_RDWR);
		at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
		assert_true(at != MAP_FAILED);
		if (what == 0)
			at[24] ^= 1; /* boot id */
		else if (what == 1)
			memset(at + 64, 0xff, 8); /* lines that were put */
		else if (what == 2)
			memset(at + 112 + 16, 0xff, 8); /* where the first is */
		else
			memset(at + 112 + 24 + 16, 0, 4); /* the second where the first is */
		munmap(at, 4096);
		assert_int_equal(journal_open(&j, p->journal, LINES), 0);
		assert_int_equal(journal_waiting(j), 0);
		assert_false(journal_had(j, 1, 1));
		journal_close(j, true);
		assert_int_equal(access(p->journal, F_OK), -1);
	}
}

/* A link leads to somebody else's file, which stays as it is: memory alone serves. */
static void one_that_is_not_ours_alone_is_left_alone(void **state)
{
	struct place *p = *state;
	struct journal *j;

	write_file(p->moved, OLD, strlen(OLD));
	assert_int_equal(symlink(p->moved, p->journal), 0);
	assert_int_equal(journal_open(&j, p->journal, LINES), 0);
	assert_int_equal(journal_put(j, 1, 1, "{1}\n", 4), 0);
	journal_close(j, true);
	holds(p->moved, OLD);
}

/* Lines of all lengths come out as they went in, over the end of the memory and back. */
static void lines_come_out_as_they_went_in(void **state)
{
	static char text[JOURNAL_BYTES / 3];
	struct place *p = *state;
	unsigned put = 0, seen = 0, refused = 0;
	size_t len_of[1000];
	struct iovec line[4];
	struct journal *j;

	assert_int_equal(journal_open(&j, p->journal, LINES), 0);
	while (seen < 1000) {
		while (put < 1000) {
			size_t len = 1 + (put * 7919u * 4099u) % (sizeof(text) - 1);

			memset(text, 'a' + (int)(put % 26), len);
			text[len - 1] = '\n';
			if (journal_put(j, put + 1, 1, text, len)) {
				refused++;
				break;
			}
			len_of[put++] = len;
		}
		for (unsigned i = 0, n = journal_look(j, line, 2); i < n; i++, seen++) {
			const char *got = line[i].iov_base;

			assert_int_equal(line[i].iov_len, len_of[seen]);
			assert_true(len_of[seen] < 2 || got[0] == (char)('a' + seen % 26));
			assert_true(
				len_of[seen] < 3 || memcmp(got, got + 1, len_of[seen] - 2) == 0);
			assert_int_equal(got[len_of[seen] - 1], '\n');
			journal_done(j, 1);
		}
	}
	assert_true(refused > 50); /* it was full again and again */
	assert_int_equal(journal_waiting(j), 0);
	journal_close(j, true);
}

static void so_many_lines_wait_and_no_more(void **state)
{
	struct place *p = *state;
	struct journal *j;

	assert_int_equal(journal_open(&j, p->journal, 4), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(journal_put(j, i + 1, 1, "{}\n", 3), 0);
	assert_int_equal(journal_put(j, 5, 1, "{}\n", 3), -ENOSPC);
	journal_done(j, 1);
	assert_int_equal(journal_put(j, 6, 1, "{}\n", 3), 0);
	journal_close(j, false);
	/* The four last are known. */
	assert_int_equal(journal_open(&j, p->journal, 4), 0);
	assert_int_equal(journal_waiting(j), 4);
	assert_true(journal_had(j, 2, 1) && journal_had(j, 6, 1));
	assert_false(journal_had(j, 1, 1) || journal_had(j, 5, 1));
	journal_close(j, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(what_was_put_is_written_after_a_kill_and_known),
		TEST(a_kill_while_lines_are_written_leaves_each_there_once),
		TEST(a_file_moved_between_kill_and_start_has_its_lines_once),
		TEST(a_file_that_has_other_text_is_not_touched),
		TEST(lines_begun_in_a_file_that_is_gone_are_written_anew),
		TEST(a_kill_at_any_moment_loses_no_line_and_doubles_none),
		TEST(one_of_another_boot_or_damaged_is_begun_anew),
		TEST(one_that_is_not_ours_alone_is_left_alone),
		TEST(lines_come_out_as_they_went_in),
		TEST(so_many_lines_wait_and_no_more),
	};

	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
