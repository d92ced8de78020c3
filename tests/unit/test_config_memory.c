/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading with memory failing at each step in turn: -ENOMEM (or a good load, where the step can be
 * done without), and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>

#include "config_text.h"
#include "sanitized.h"

#ifdef SANITIZED
static void loading_survives_every_failing_allocation(void **state)
{
	(void)state;
	skip(); /* the sanitizer owns malloc */
}
#else
#include "failing_memory.h"

static long fail_at = -1, step;

static int memory_fails(const void *caller)
{
	(void)caller;
	return fail_at >= 0 && step++ == fail_at;
}

static void survives_every_failing_allocation(const char *file)
{
	FILE *errors = fopen("/dev/null", "w");
	struct config *cfg;
	long failures = 0, before;
	int ret;

	setvbuf(errors, NULL, _IONBF, 0);
	assert_int_equal(config_load(&cfg, file, errors), 0);
	config_unref(cfg);
	for (long at = 0;; at++) {
		before = memory_live;
		cfg = NULL;
		step = 0;
		fail_at = at;
		ret = config_load(&cfg, file, errors);
		fail_at = -1;
		if (ret)
			assert_null(cfg);
		else
			config_unref(cfg);
		assert_int_equal(memory_live, before);
		if (step <= at)
			break; /* the load needed no more */
		assert_true(ret == 0 || ret == -ENOMEM);
		failures += ret != 0;
	}
	assert_true(failures > 100);
	fclose(errors);
}

/* What auth.yaml names. */
static void open_users(void)
{
	int fd = memfd_create("users", 0);

	assert_int_equal(write(fd, "a:x\nb:y\n", 8), 8);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(dup2(fd, 200), 200);
	setenv("VIADUCT_TEST_PASSWORD", "secret", 1);
}

static void loading_survives_every_failing_allocation(void **state)
{
	(void)state;
	survives_every_failing_allocation("tests/unit/data/good.yaml");
	survives_every_failing_allocation("tests/unit/data/routing.yaml");
	open_users();
	survives_every_failing_allocation("tests/unit/data/auth.yaml");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loading_survives_every_failing_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
