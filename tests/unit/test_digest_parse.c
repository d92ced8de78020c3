/* SPDX-License-Identifier: BSD-2-Clause */
/* Challenges and credentials as others write them, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "digest/digest.h"

#define MUTATIONS 200000

static int next(struct digest_challenge *c, const char **at)
{
	return digest_challenge_next(c, at, *at + strlen(*at));
}

static void a_challenge_is_read_whole(void **state)
{
	const char *at =
		"Digest realm=\"atlanta.example.com\", domain=\"sip:a sip:b\",\r\n"
		" qop=\"auth-int , auth\", nonce=\"f84f1\\\"c,e=41\", opaque=\"o\", stale=TRUE,"
		" algorithm=SHA-256, charset=UTF-8, userhash=false, x-new=\"y\\\\\"";
	struct digest_challenge c;

	(void)state;
	assert_int_equal(next(&c, &at), 0);
	assert_string_equal(c.realm, "atlanta.example.com");
	assert_string_equal(c.nonce, "f84f1\"c,e=41");
	assert_string_equal(c.opaque, "o");
	assert_true(c.has_opaque && c.stale && c.has_qop && c.has_algorithm);
	assert_int_equal(c.algorithm, DIGEST_SHA_256);
	assert_int_equal(next(&c, &at), -ENOENT);
}

static void loose_writing_is_understood(void **state)
{
	static const char *const texts[] = {"digest realm=a,nonce=b",
		"Digest\trealm = \"a\" ,nonce=b", "DIGEST nonce=b,,realm=\"a\",",
		", Digest realm=\"\\a\", nonce=\"b\", qop=auth",
		"Digest realm=\"a\", nonce=\"b\", stale=no, algorithm=\"MD5\""};
	struct digest_challenge c;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *at = texts[i];

		assert_int_equal(next(&c, &at), 0);
		assert_string_equal(c.realm, "a");
		assert_string_equal(c.nonce, "b");
		assert_int_equal(c.algorithm, DIGEST_MD5);
		assert_false(c.stale);
		assert_int_equal(next(&c, &at), -ENOENT);
	}
}

static void several_in_one_header_field_are_told_apart(void **state)
{
	const char *at = "Basic realm=\"x, Digest y\", Digest realm=\"a\", nonce=\"1\", "
			 "algorithm=SHA-3, Negotiate, Bearer a=\"b\", c=d, "
			 "Digest realm=\"a\", nonce=\"2\", qop=\"auth-int\", "
			 "Digest realm=\"a\", nonce=\"3\", algorithm=SHA-256-sess, qop=\"auth\", "
			 "Digest realm=\"a\", nonce=\"4\"";
	static const int results[] = {
		-EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP, 0, 0, -ENOENT};
	struct digest_challenge c[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(next(&c[i], &at), results[i]);
	assert_string_equal(c[5].nonce, "3");
	assert_true(c[5].is_session);
	assert_string_equal(c[6].nonce, "4");
	assert_true(digest_is_stronger(&c[5], &c[6]));
	assert_false(digest_is_stronger(&c[6], &c[5]));
	assert_false(digest_is_stronger(&c[5], &c[5]));
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const char *const texts[] = {"Digest", "Digest ", "Digest realm=\"a\"",
		"Digest nonce=\"b\"", "Digest realm=\"a, nonce=b", "Digest realm=\"a\" nonce=\"b\"",
		"Digest realm=\"a\", nonce=\"b\", realm=\"c\"", "Digest realm=, nonce=b",
		"Digest realm=\"a\x01\", nonce=\"b\"", "Digest realm=\"a\\", "Digestrealm=\"a\"",
		"\"Digest\" realm=a, nonce=b", "Digest realm=\"a\", nonce=\"b\" \"c\"",
		"Digest =a"};
	char long_realm[DIGEST_VALUE_MAX + 64];
	struct digest_challenge c;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *at = texts[i];

		if (next(&c, &at) != -EINVAL)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(next(&c, &at), -ENOENT);
	}
	snprintf(long_realm, sizeof(long_realm), "Digest nonce=n, realm=\"%0*d\"", DIGEST_VALUE_MAX,
		0);
	{
		const char *at = long_realm;

		assert_int_equal(next(&c, &at), 0);
		snprintf(long_realm, sizeof(long_realm), "Digest nonce=n, realm=\"%0*d\"",
			DIGEST_VALUE_MAX + 1, 0);
		at = long_realm;
		assert_int_equal(next(&c, &at), -EINVAL);
	}
}

static int credentials(struct digest_credentials *c, const char *text)
{
	return digest_credentials_parse(c, text, strlen(text));
}

#define WHOLE "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"abc\""

static void credentials_are_read_or_refused(void **state)
{
	struct digest_credentials c;

	(void)state;
	assert_int_equal(credentials(&c, WHOLE), 0);
	assert_false(c.has_qop);
	assert_int_equal(
		credentials(&c, WHOLE ", qop=auth, nc=0000000A, cnonce=\"c\", opaque=\"\""), 0);
	assert_int_equal(c.nc, 10);
	assert_int_equal(credentials(&c, WHOLE ", qop=\"auth\", nc=00000001, cnonce=c"), 0);
	assert_int_equal(credentials(&c, WHOLE ", qop=auth, nc=1, cnonce=\"c\""), -EINVAL);
	assert_int_equal(credentials(&c, WHOLE ", qop=auth, nc=+0000001, cnonce=c"), -EINVAL);
	assert_int_equal(credentials(&c, WHOLE ", qop=auth, cnonce=\"c\""), -EINVAL);
	assert_int_equal(credentials(&c, WHOLE ", qop=auth, nc=00000001"), -EINVAL);
	assert_int_equal(
		credentials(&c, WHOLE ", qop=auth-int, nc=00000001, cnonce=c"), -EOPNOTSUPP);
	assert_int_equal(credentials(&c, WHOLE ", algorithm=SHA-1"), -EOPNOTSUPP);
	assert_int_equal(credentials(&c, WHOLE ", algorithm=MD5-sess"), -EINVAL);
	assert_int_equal(credentials(&c, WHOLE ", Digest username=\"v\""), -EINVAL);
	assert_int_equal(credentials(&c, "Basic QWxhZGRpbg=="), -EOPNOTSUPP);
	assert_int_equal(credentials(&c, ""), -EINVAL);
}

static void no_mutation_does_harm(void **state)
{
	static const char seed_text[] =
		"Digest realm=\"a \\\"b\\\"\", nonce=\"c\", opaque=\"\", algorithm=SHA-256, "
		"qop=\"auth\","
		" username=\"u\", uri=\"sip:x\", response=\"abc\", cnonce=d, nc=00000001, "
		"Digest realm=x, nonce=y";
	static const char odd[] = "\"\\,= \r\n\t\0\xff;:a";
	unsigned seed = 7616;

	(void)state;
	for (unsigned i = 0; i < MUTATIONS; i++) {
		size_t len = sizeof(seed_text) - 1;
		char *text = malloc(len); /* its end is the sanitizer's to watch */
		struct digest_challenge challenge;
		struct digest_credentials c;
		const char *at = text;
		unsigned rounds = 0;

		assert_non_null(text);
		memcpy(text, seed_text, len);
		for (unsigned n = (unsigned)rand_r(&seed) % 6; n; n--)
			text[(unsigned)rand_r(&seed) % len] =
				odd[(unsigned)rand_r(&seed) % (sizeof(odd) - 1)];
		len -= (unsigned)rand_r(&seed) % 4 ? 0 : (unsigned)rand_r(&seed) % len;
		while (digest_challenge_next(&challenge, &at, text + len) != -ENOENT) {
			assert_true(at <= text + len);
			assert_true(++rounds < 100);
		}
		(void)digest_credentials_parse(&c, text, len);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_challenge_is_read_whole),
		cmocka_unit_test(loose_writing_is_understood),
		cmocka_unit_test(several_in_one_header_field_are_told_apart),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(credentials_are_read_or_refused),
		cmocka_unit_test(no_mutation_does_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
