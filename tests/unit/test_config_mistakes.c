/* SPDX-License-Identifier: BSD-2-Clause */
/* Every mistake is told in one line with its place: tests/unit/data/mistakes.txt lists them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "base/strbuf.h"
#include "config_text.h"

#define GOOD          "tests/unit/data/good.yaml"
#define DAMAGED_FILES 3000
static const char *const mistakes[] = {
	"tests/unit/data/mistakes.txt", "tests/unit/data/mistakes_auth.txt"};

/* good with line number replaced. */
static void replace_line(struct strbuf *out, const char *good, int number, const char *by)
{
	for (int i = 1; *good; i++) {
		size_t n = strcspn(good, "\n") + 1;

		if (i == number)
			strbuf_add(out, by);
		else
			strbuf_addn(out, good, n);
		good += n;
	}
}

static void run_case(
	const char *good, int number, const struct strbuf *by, const struct strbuf *expected)
{
	struct strbuf text = {0};
	struct config *cfg;
	char *errors;
	int ret;

	replace_line(&text, good, number, by->s);
	ret = load_text(&cfg, text.s, text.len, &errors);
	assert_string_equal(errors, expected->s);
	assert_int_equal(ret, -EINVAL);
	assert_null(cfg);
	free(errors);
	strbuf_free(&text);
}

static int run_cases(const char *good, const char *path)
{
	char *cases = slurp(path);
	struct strbuf by = {0}, expected = {0};
	int number = 0, count = 0;

	for (char *line = strtok(cases, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "replace ", 8) == 0) {
			if (number)
				run_case(good, number, &by, &expected);
			strbuf_reset(&by);
			strbuf_reset(&expected);
			number = atoi(line + 8);
			count++;
		} else if (line[0] == '|') {
			strbuf_addf(&by, "%s\n", line + 1);
		} else if (line[0] == '=') {
			strbuf_addf(&expected, "%s\n", line + 1);
		}
	}
	run_case(good, number, &by, &expected);
	strbuf_free(&by);
	strbuf_free(&expected);
	free(cases);
	return count;
}

static void each_mistake_is_told_with_its_line_and_key(void **state)
{
	char *good = slurp(GOOD);
	int count = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		count += run_cases(good, mistakes[i]);
	assert_true(count > 90);
	free(good);
}

static void assert_refused(const char *text, size_t len, const char *expected)
{
	struct config *cfg;
	char *errors;

	assert_int_equal(load_text(&cfg, text, len, &errors), -EINVAL);
	assert_string_equal(errors, expected);
	free(errors);
}

static void an_empty_file_is_refused(void **state)
{
	static const char *const empty[] = {"", "\n\n", "# nothing\n", "---\n", "--- ''\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		assert_refused(empty[i], strlen(empty[i]),
			"1: file: is empty; expected the keys sides, listeners, peers, routes\n");
	assert_refused("hello\n", 6, "1: file: \"hello\" is not a mapping; expected a mapping\n");
	assert_refused("- a\n", 4, "1: file: is a list; expected a mapping\n");
}

static void text_that_is_not_utf8_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused("log: info\nuser: \xff\n", 18,
		"2: syntax: invalid leading UTF-8 octet; expected text in UTF-8\n");
	assert_refused("\xff\xfel\0o\0g\0:\0", 10,
		"1: syntax: invalid leading UTF-8 octet; expected text in UTF-8\n");
}

static void too_deep_too_wide_too_large_is_refused(void **state)
{
	size_t len = 5u * 1024 * 1024;
	struct strbuf wide = {0};
	char *text = malloc(len);
	struct config *cfg;
	char *errors;

	(void)state;
	memset(text, '[', len);
	assert_refused(
		text, 100000, "1: syntax: nested too deep; expected the keys of viaduct.yaml(5)\n");
	memset(text, '#', len);
	assert_refused(text, len, "1: file: 5242880 bytes long; expected at most 4194304\n");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&wide, "k%d: 1\n", i);
	assert_refused(wide.s, wide.len,
		"65: syntax: more than 64 keys in one mapping; expected the keys of "
		"viaduct.yaml(5)\n");
	strbuf_free(&wide);
	memset(text, ',', 4u * 1024 * 1024);
	text[0] = '[';
	assert_int_equal(load_text(&cfg, text, 4u * 1024 * 1024, &errors), -EINVAL);
	free(errors);
	free(text);
}

static void more_mistakes_than_are_shown_are_counted(void **state)
{
	struct strbuf text = {0};
	struct config *cfg;
	char *errors;
	int lines = 0;

	(void)state;
	strbuf_add(&text, "listeners:\n");
	for (int i = 0; i < 64; i++)
		strbuf_add(&text, "  - {name: a, side: b, transport: c}\n");
	assert_int_equal(load_text(&cfg, text.s, text.len, &errors), -EINVAL);
	for (char *c = errors; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 101);
	/* 2 of each listener, and sides and peers missing */
	assert_non_null(strstr(errors, "\n1: file: 30 more mistakes are not shown; expected none"));
	free(errors);
	strbuf_free(&text);
}

static void control_characters_never_reach_the_terminal(void **state)
{
	char *good = slurp(GOOD);
	struct strbuf text = {0};
	struct config *cfg;
	char *errors;

	(void)state;
	replace_line(&text, good, 32, "log: \"a\\e[31m\\nb\"\n\"\\a\\n\": x\n");
	assert_int_equal(load_text(&cfg, text.s, text.len, &errors), -EINVAL);
	for (char *c = errors; *c; c++)
		assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
	free(errors);
	strbuf_free(&text);
	free(good);
}

/* Where others say which names there are, too. */
static void a_name_with_control_characters_breaks_no_line(void **state)
{
	static const char said[] =
		"16: peers[0].name: \"p?[31m?bx\" is no name; expected a name of letters, digits, "
		"'.', "
		"'_', '-' (1 to 63 bytes, no '.' first)\n"
		"29: routes[0].from: no peer is named \"pbx\"; expected one of p?[31m?bx, itsp\n"
		"30: routes[1].to[0]: no peer is named \"pbx\"; expected one of p?[31m?bx, itsp\n";
	char *good = slurp(GOOD);
	struct strbuf text = {0};
	struct config *cfg;
	char *errors;

	(void)state;
	replace_line(&text, good, 16, "  - name: \"p\\e[31m\\nbx\"\n");
	assert_int_equal(load_text(&cfg, text.s, text.len, &errors), -EINVAL);
	assert_string_equal(errors, said);
	free(errors);
	strbuf_free(&text);
	free(good);
}

/* Bytes changed, removed, lines doubled: whatever comes out either loads or is refused in the one
 * form, and under the sanitizers nothing is touched that should not be. */
static void a_damaged_file_is_refused_in_the_same_form(void **state)
{
	static const char splice[] = "[]{}:,-'\"#&*|>%\n\t 09.\x80\xff";
	char *good = slurp(GOOD), *text = malloc(strlen(good) * 2);
	size_t whole = strlen(good);
	unsigned refused = 0;

	(void)state;
	srandom(20261122);
	for (int i = 0; i < DAMAGED_FILES; i++) {
		size_t len = whole;
		struct config *cfg;
		char *errors;
		int ret;

		memcpy(text, good, len);
		for (int n = 1 + (int)(random() % 3); n; n--) {
			size_t at = (size_t)random() % len;

			if (random() % 2)
				text[at] = splice[(size_t)random() % (sizeof(splice) - 1)];
			else
				memmove(text + at, text + at + 1, --len - at);
		}
		ret = load_text(&cfg, text, len, &errors);
		assert_int_equal(ret != 0, errors[0] != '\0');
		for (char *line = strtok(errors, "\n"); line; line = strtok(NULL, "\n")) {
			assert_true(strtol(line, &line, 10) > 0);
			assert_int_equal(strncmp(line, ": ", 2), 0);
			assert_non_null(strstr(line, "; expected "));
		}
		refused += ret != 0;
		free(errors);
		config_unref(cfg);
	}
	assert_true(refused > DAMAGED_FILES / 2 && refused < DAMAGED_FILES);
	free(text);
	free(good);
}

static void unreadable_files_are_told(void **state)
{
	char *raw = NULL;
	size_t len;
	FILE *out = open_memstream(&raw, &len);
	struct config *cfg;

	(void)state;
	assert_int_equal(config_load(&cfg, "tests/no/such.yaml", out), -ENOENT);
	fflush(out);
	assert_string_equal(raw, "tests/no/such.yaml:1: file: cannot be read (No such file or "
				 "directory); expected a readable YAML file\n");
	assert_int_equal(config_load(&cfg, "tests/unit", out), -EINVAL);
	fclose(out);
	assert_non_null(strstr(raw, "tests/unit:1: file: is not a regular file; expected"));
	free(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_told_with_its_line_and_key),
		cmocka_unit_test(an_empty_file_is_refused),
		cmocka_unit_test(text_that_is_not_utf8_is_refused_with_its_line),
		cmocka_unit_test(too_deep_too_wide_too_large_is_refused),
		cmocka_unit_test(more_mistakes_than_are_shown_are_counted),
		cmocka_unit_test(control_characters_never_reach_the_terminal),
		cmocka_unit_test(a_name_with_control_characters_breaks_no_line),
		cmocka_unit_test(a_damaged_file_is_refused_in_the_same_form),
		cmocka_unit_test(unreadable_files_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
