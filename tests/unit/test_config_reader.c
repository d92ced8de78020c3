/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file read anew beside a loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/reader.h"
#include "test_tmp.h"

/* Its log level is on line 7. */
#define GOOD                                                                                       \
	"sides:\n"                                                                                 \
	"  internal: {device: a, addresses: [10.0.0.1]}\n"                                         \
	"  external: {device: b, addresses: [192.0.2.1]}\n"                                        \
	"listeners: [{name: l, side: internal, transport: udp}]\n"                                 \
	"peers: [{name: p, kind: direct, listener: l, address: 10.0.0.2}]\n"                       \
	"routes: [{from: p, to: [p]}]\n"                                                           \
	"log: %s\n"
#define READ_MS 10000 /* more than it takes anywhere */

/* In place of config_load (the linker's --wrap): one that a file system lets hang. */
static bool hangs;
static sem_t hanging, let_go;
int __real_config_load(struct config **out, const char *file, FILE *errors);
int __wrap_config_load(struct config **out, const char *file, FILE *errors);

int __wrap_config_load(struct config **out, const char *file, FILE *errors)
{
	if (hangs) {
		sem_post(&hanging);
		sem_wait(&let_go);
	}
	return __real_config_load(out, file, errors);
}

static struct {
	struct loop *loop;
	struct config_reader reader;
	char file[64];
	enum log_level taken;
	int refusal; /* what take() says */
	unsigned takes, done;
	uint64_t number;
	int error;
	char text[256];
} t;

static int take(void *ctx, struct config *cfg, FILE *errors)
{
	assert_ptr_equal(ctx, &t);
	t.takes++;
	if (t.refusal) {
		fprintf(errors, "not this one\n");
		return t.refusal;
	}
	t.taken = cfg->log_level;
	config_unref(cfg);
	return 0;
}

static void done(void *ctx, uint64_t number, int error, const char *text)
{
	assert_ptr_equal(ctx, &t);
	t.done++;
	t.number = number;
	t.error = error;
	snprintf(t.text, sizeof(t.text), "%s", text);
}

static void put(const char *fmt, const char *word)
{
	FILE *f = fopen(t.file, "w");

	assert_non_null(f);
	fprintf(f, fmt, word);
	assert_int_equal(fclose(f), 0);
}

static int start(void **state)
{
	const struct config_reader_handlers handlers = {&t, take, done};
	int fd;

	(void)state;
	memset(&t, 0, sizeof(t));
	fd = mkstemp(tmp_template(t.file, sizeof(t.file), "test"));
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(loop_new(&t.loop), 0);
	assert_int_equal(config_reader_init(&t.reader, t.loop, t.file, &handlers), 0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	config_reader_fini(&t.reader);
	loop_free(t.loop);
	unlink(t.file);
	return 0;
}

static uint64_t ask(void)
{
	uint64_t number = 0;

	assert_int_equal(config_reader_ask(&t.reader, &number), 0);
	return number;
}

static void wait_for(unsigned count)
{
	while (t.done < count) {
		unsigned before = t.done;

		loop_once(t.loop, READ_MS);
		assert_true(t.done > before);
	}
}

static void what_is_read_is_taken_in_the_loop(void **state)
{
	uint64_t number;

	(void)state;
	put(GOOD, "debug");
	number = ask();
	assert_int_equal(t.takes, 0);
	wait_for(1);
	assert_int_equal(t.takes, 1);
	assert_int_equal(t.number, number);
	assert_int_equal(t.error, 0);
	assert_int_equal(t.taken, LOG_LEVEL_DEBUG);
}

static void a_mistake_is_told_and_nothing_taken(void **state)
{
	char expected[128];

	(void)state;
	put(GOOD, "loud");
	ask();
	wait_for(1);
	assert_int_equal(t.error, -EINVAL);
	snprintf(expected, sizeof(expected), "%s:7: log: \"loud\"", t.file);
	assert_memory_equal(t.text, expected, strlen(expected));
	assert_null(strchr(t.text, '\n'));
	assert_int_equal(t.takes, 0);
	/* The next one is read. */
	put(GOOD, "warn");
	ask();
	wait_for(2);
	assert_int_equal(t.error, 0);
	assert_int_equal(t.taken, LOG_LEVEL_WARN);
}

static void what_is_not_taken_is_told_with_the_reason(void **state)
{
	(void)state;
	put(GOOD, "debug");
	t.refusal = -EADDRINUSE;
	ask();
	wait_for(1);
	assert_int_equal(t.error, -EADDRINUSE);
	assert_string_equal(t.text, "not this one");
}

/* However often: one reading more sees all that was written before. */
static void who_asks_while_one_runs_has_the_file_as_it_is_then(void **state)
{
	uint64_t first, second;

	(void)state;
	put(GOOD, "debug");
	first = ask();
	put(GOOD, "warn");
	second = ask();
	assert_true(second > first);
	assert_int_equal(ask(), second);
	wait_for(2);
	assert_int_equal(t.number, second);
	assert_int_equal(t.taken, LOG_LEVEL_WARN);
	assert_int_equal(loop_once(t.loop, 0), 0);
	assert_int_equal(t.done, 2);
}

static void an_end_in_the_middle_leaves_nothing_behind(void **state)
{
	(void)state;
	put(GOOD, "debug");
	ask();
	ask();
	/* finish() */
}

static void a_file_that_hangs_does_not_keep_who_ends(void **state)
{
	(void)state;
	put(GOOD, "debug");
	sem_init(&hanging, 0, 0);
	sem_init(&let_go, 0, 0);
	hangs = true;
	ask();
	sem_wait(&hanging);
	config_reader_fini(&t.reader);
	t.reader.loop = NULL; /* finish() has nothing to end */
	assert_int_equal(t.done, 0);
	/* It comes to an end after all, with what is its own. */
	hangs = false;
	sem_post(&let_go);
	assert_int_equal(pthread_join(t.reader.thread, NULL), 0);
	assert_int_equal(loop_once(t.loop, 0), 0);
	assert_int_equal(t.takes, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
	const struct CMUnitTest tests[] = {
		TEST(what_is_read_is_taken_in_the_loop),
		TEST(a_mistake_is_told_and_nothing_taken),
		TEST(what_is_not_taken_is_told_with_the_reason),
		TEST(who_asks_while_one_runs_has_the_file_as_it_is_then),
		TEST(an_end_in_the_middle_leaves_nothing_behind),
		TEST(a_file_that_hangs_does_not_keep_who_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
