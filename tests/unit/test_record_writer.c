/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "record/writer.h"
#include "test_record_place.h"

#define LINES        1000
#define WAIT_STEPS   500
#define WAIT_STEP_NS 10000000

static unsigned count_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;
	int c;

	if (!f)
		return 0;
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void wait_written(struct writer *w, uint64_t lines)
{
	struct timespec step = {0, WAIT_STEP_NS};
	struct writer_status status;

	for (unsigned i = 0; i < WAIT_STEPS; i++) {
		writer_get_status(w, &status);
		if (status.written + status.lost >= lines)
			return;
		nanosleep(&step, NULL);
	}
	fail_msg("the writer has not caught up");
}

static void what_waits_is_written_before_closing(void **state)
{
	struct place *p = *state;
	struct writer *w;

	assert_int_equal(writer_open(&w, p->file, p->journal, LINES), 0);
	for (unsigned i = 0; i < LINES; i++)
		writer_put(w, 0, 0, "{}\n");
	writer_close(w, true);
	assert_int_equal(count_lines(p->file), LINES);
}

static void a_file_that_was_moved_away_is_begun_anew_and_no_line_is_lost(void **state)
{
	struct place *p = *state;
	struct writer *w;

	assert_int_equal(writer_open(&w, p->file, p->journal, LINES), 0);
	for (unsigned i = 0; i < 10; i++)
		writer_put(w, 0, 0, "{}\n");
	wait_written(w, 10);
	assert_int_equal(rename(p->file, p->moved), 0);
	for (unsigned i = 0; i < 7; i++)
		writer_put(w, 0, 0, "{}\n");
	writer_close(w, true);
	assert_int_equal(count_lines(p->moved), 10);
	assert_int_equal(count_lines(p->file), 7);
}

/* logrotate's copytruncate: the file is emptied under us, and goes on from its beginning. */
static void a_file_that_was_emptied_goes_on_from_its_beginning(void **state)
{
	struct place *p = *state;
	struct writer *w;
	struct stat st;

	assert_int_equal(writer_open(&w, p->file, p->journal, LINES), 0);
	for (unsigned i = 0; i < 10; i++)
		writer_put(w, 0, 0, "0123456789\n");
	wait_written(w, 10);
	assert_int_equal(truncate(p->file, 0), 0);
	for (unsigned i = 0; i < 5; i++)
		writer_put(w, 0, 0, "0123456789\n");
	writer_close(w, true);
	assert_int_equal(stat(p->file, &st), 0);
	assert_int_equal(st.st_size, 5 * 11); /* no hole before it */
	assert_int_equal(count_lines(p->file), 5);
}

static void a_new_run_appends(void **state)
{
	struct place *p = *state;
	struct writer *w;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(writer_open(&w, p->file, p->journal, LINES), 0);
		writer_put(w, 0, 0, "{}\n");
		writer_close(w, true);
	}
	assert_int_equal(count_lines(p->file), 2);
}

static void a_full_disk_is_counted_as_lost(void **state)
{
	struct writer_status status;
	struct writer *w;

	(void)state;
	if (access("/dev/full", W_OK))
		skip();
	assert_int_equal(writer_open(&w, "/dev/full", "", LINES), 0);
	for (unsigned i = 0; i < 5; i++)
		writer_put(w, 0, 0, "{}\n");
	wait_written(w, 5);
	writer_get_status(w, &status);
	assert_int_equal(status.lost, 5);
	assert_int_equal(status.written, 0);
	writer_close(w, true);
}

/* A pipe that nobody reads holds the thread up, as a disk that hangs would. */
static void a_queue_that_is_full_loses_the_newest_and_counts_them(void **state)
{
	static char big[70000];
	struct place *p = *state;
	struct writer_status status;
	struct writer *w;
	int reader, n = 0;
	char buf[65536];

	assert_int_equal(mkfifo(p->file, 0600), 0);
	reader = open(p->file, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	assert_int_equal(writer_open(&w, p->file, p->journal, 4), 0);
	memset(big, 'x', sizeof(big) - 2);
	big[sizeof(big) - 2] = '\n';
	for (unsigned i = 0; i < 20; i++)
		writer_put(w, 0, 0, big);
	writer_get_status(w, &status);
	assert_true(status.queued <= 4);
	/* Four wait, and four more may be in the hands of the thread. */
	assert_true(status.lost >= 20 - 2 * 4);
	while (n < 2000 && status.queued) {
		struct timespec step = {0, 1000000};

		if (read(reader, buf, sizeof(buf)) <= 0)
			nanosleep(&step, NULL);
		writer_get_status(w, &status);
		n++;
	}
	/* Whoever reads no more must not hold up the end either. */
	close(reader);
	writer_close(w, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_waits_is_written_before_closing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_that_was_moved_away_is_begun_anew_and_no_line_is_lost, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_file_that_was_emptied_goes_on_from_its_beginning, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_run_appends, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_is_counted_as_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_queue_that_is_full_loses_the_newest_and_counts_them, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
