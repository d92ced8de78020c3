/* SPDX-License-Identifier: BSD-2-Clause */
/* Where passwords come from, and what is said where they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "config/users.h"
#include "config_text.h"
#include "test_tmp.h"

#define GOOD     "tests/unit/data/good.yaml"
#define PASSWORD "Secret, or not?"

static char path[64];

/* good.yaml, with these keys for its second peer. The mistakes, NULL for none. */
static char *load_with(struct config **cfg, const char *keys)
{
	char *good = slurp(GOOD), *at = strstr(good, "    limits: {calls: 500"), *errors;
	struct strbuf text = {0};

	assert_non_null(at);
	strbuf_addn(&text, good, (size_t)(at - good));
	strbuf_addf(&text, "    %s\n", keys);
	strbuf_add(&text, at);
	if (load_text(cfg, text.s, text.len, &errors) == 0) {
		free(errors);
		errors = NULL;
	}
	strbuf_free(&text);
	free(good);
	return errors;
}

static void write_bytes(const char *bytes, size_t len, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void write_file(const char *text, mode_t mode)
{
	write_bytes(text, strlen(text), mode);
}

static char *load_file(struct config **cfg, const char *text, mode_t mode)
{
	char keys[256];

	write_file(text, mode);
	snprintf(keys, sizeof(keys), "auth: {user: me, password_file: %s}", path);
	return load_with(cfg, keys);
}

static void expect_mistake(char *errors, const char *what)
{
	char *expected = NULL;

	assert_non_null(errors);
	assert_true(asprintf(&expected, what, path) > 0);
	assert_string_equal(errors, expected);
	assert_null(strstr(errors, PASSWORD));
	free(expected);
	free(errors);
}

static void a_password_is_the_first_line_of_its_file(void **state)
{
	static const char *const texts[] = {PASSWORD, PASSWORD "\n", PASSWORD "\r\nand more\n"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const struct auth_config *auth;
		struct config *cfg;

		assert_null(load_file(&cfg, texts[i], i ? 0600 : 0640));
		auth = config_peer_by_name(cfg, "itsp")->auth;
		assert_string_equal(auth->user, "me");
		assert_null(auth->realm);
		assert_string_equal(auth->password->text, PASSWORD);
		assert_int_equal(auth->password->len, strlen(PASSWORD));
		assert_null(config_peer_by_name(cfg, "pbx")->auth);
		config_unref(cfg);
	}
}

static void a_password_may_be_in_the_environment(void **state)
{
	struct config *cfg;

	(void)state;
	setenv("VIADUCT_TEST_PASSWORD", PASSWORD, 1);
	assert_null(
		load_with(&cfg, "auth: {user: me, realm: r, password_env: VIADUCT_TEST_PASSWORD}"));
	assert_string_equal(config_peer_by_name(cfg, "itsp")->auth->password->text, PASSWORD);
	assert_string_equal(config_peer_by_name(cfg, "itsp")->auth->realm, "r");
	config_unref(cfg);
}

static void a_file_that_everybody_can_read_is_a_mistake(void **state)
{
	struct config *cfg;

	(void)state;
	expect_mistake(load_file(&cfg, PASSWORD, 0644),
		"27: peers[1].auth.password_file: \"%s\" can be read or written by everybody (mode "
		"0644); expected 0600 or 0640\n");
	expect_mistake(load_file(&cfg, PASSWORD, 0602),
		"27: peers[1].auth.password_file: \"%s\" can be read or written by everybody (mode "
		"0602); expected 0600 or 0640\n");
}

static void a_file_without_a_password_is_a_mistake(void **state)
{
	char text[600];
	struct config *cfg;

	(void)state;
	snprintf(text, sizeof(text), "%0*d\n", AUTH_PASSWORD_MAX, 0);
	assert_null(load_file(&cfg, text, 0600));
	config_unref(cfg);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "%0*d\n", AUTH_PASSWORD_MAX + 1, 0);
		expect_mistake(load_file(&cfg,
				       i == 0   ? "\n" PASSWORD
				       : i == 1 ? PASSWORD "\t"
						: text,
				       0600),
			"27: peers[1].auth.password_file: the first line of \"%s\" is no password; "
			"expected 1 to 255 bytes without control characters\n");
	}
}

static char *load_users(struct config **cfg, const char *text)
{
	char keys[256];

	write_file(text, 0600);
	snprintf(keys, sizeof(keys), "challenge: {realm: r, users_file: %s}", path);
	return load_with(cfg, keys);
}

/* What stands behind it would be left out without a word. */
static void a_file_with_a_nul_byte_is_a_mistake(void **state)
{
	static const char line[] = PASSWORD "\0more\n", users[] = "zoe:" PASSWORD "\n\0\nadam:a\n";
	char keys[256];
	struct config *cfg;

	(void)state;
	write_bytes(line, sizeof(line) - 1, 0600);
	snprintf(keys, sizeof(keys), "auth: {user: me, password_file: %s}", path);
	expect_mistake(load_with(&cfg, keys),
		"27: peers[1].auth.password_file: \"%s\" holds a NUL byte; expected text\n");
	write_bytes(users, sizeof(users) - 1, 0600);
	snprintf(keys, sizeof(keys), "challenge: {realm: r, users_file: %s}", path);
	expect_mistake(load_with(&cfg, keys),
		"27: peers[1].challenge.users_file: \"%s\" holds a NUL byte; expected text\n");
}

static void users_are_read_from_their_file(void **state)
{
	const struct challenge_config *challenge;
	const struct user *user;
	struct config *cfg;

	(void)state;
	assert_null(load_users(&cfg, "# who may call\nzoe:z\r\n\nadam:a:b c\nbob:" PASSWORD));
	challenge = config_peer_by_name(cfg, "itsp")->challenge;
	assert_int_equal(challenge->users->count, 3);
	user = users_find(challenge->users, "adam");
	assert_string_equal(user->password, "a:b c");
	assert_int_equal(user->password_len, 5);
	assert_string_equal(users_find(challenge->users, "zoe")->password, "z");
	assert_string_equal(users_find(challenge->users, "bob")->password, PASSWORD);
	assert_null(users_find(challenge->users, "ada"));
	assert_null(users_find(challenge->users, ""));
	assert_true(challenge_covers(challenge, "INVITE"));
	assert_false(challenge_covers(challenge, "BYE"));
	assert_false(challenge_covers(challenge, "ACK"));
	assert_int_equal(challenge->nonce_lifetime_s, 300);
	config_unref(cfg);
}

static void a_line_that_is_no_user_is_a_mistake(void **state)
{
	struct config *cfg;

	(void)state;
	expect_mistake(load_users(&cfg, "a:b\n\n" PASSWORD "\n"),
		"27: peers[1].challenge.users_file: line 3 of \"%s\" cannot be used; expected "
		"USER:PASSWORD, for at most 10000 users\n");
	expect_mistake(load_users(&cfg, "a:\n"),
		"27: peers[1].challenge.users_file: line 1 of \"%s\" cannot be used; expected "
		"USER:PASSWORD, for at most 10000 users\n");
	expect_mistake(load_users(&cfg, "b:x\na:" PASSWORD "\n#\nc:y\na:z\n"),
		"27: peers[1].challenge.users_file: line 5 of \"%s\" has a user for the second "
		"time; expected each once\n");
}

static void make_file(void)
{
	int fd = mkstemp(tmp_template(path, sizeof(path), "test"));

	assert_true(fd >= 0);
	close(fd);
}

static int begin(void **state)
{
	(void)state;
	make_file();
	return 0;
}

static int end(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_the_first_line_of_its_file),
		cmocka_unit_test(a_password_may_be_in_the_environment),
		cmocka_unit_test(a_file_that_everybody_can_read_is_a_mistake),
		cmocka_unit_test(a_file_without_a_password_is_a_mistake),
		cmocka_unit_test(a_file_with_a_nul_byte_is_a_mistake),
		cmocka_unit_test(users_are_read_from_their_file),
		cmocka_unit_test(a_line_that_is_no_user_is_a_mistake),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
