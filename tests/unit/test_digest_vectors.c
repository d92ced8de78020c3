/* SPDX-License-Identifier: BSD-2-Clause */
/* Responses against the published ones: RFC 2617 3.5, RFC 2069 (as its errata have it), RFC 7616
 * 3.9 (3.9.2 as its erratum 4897 has it). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "digest/internal.h"

struct vector {
	const char *what;
	struct digest_input in;
	const char *response;
};

#define IN(...)                                                                                    \
	{                                                                                          \
		__VA_ARGS__, .nc = 1, .method = "GET", .has_qop = true                             \
	}
#define MUFASA                                                                                     \
	.user = "Mufasa", .realm = "http-auth@example.org", .password = "Circle of Life",          \
	.nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",                                   \
	.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", .uri = "/dir/index.html"

static const struct vector vectors[] = {
	{"RFC 2617 3.5",
		IN(.algorithm = DIGEST_MD5, .user = "Mufasa", .realm = "testrealm@host.com",
			.password = "Circle Of Life", .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
			.cnonce = "0a4f113b", .uri = "/dir/index.html"),
		"6629fae49393a05397450978507c4ef1"},
	{"RFC 7616 3.9.1, MD5", IN(.algorithm = DIGEST_MD5, MUFASA),
		"8ca523f5e9506fed4657c9700eebdbec"},
	{"RFC 7616 3.9.1, SHA-256", IN(.algorithm = DIGEST_SHA_256, MUFASA),
		"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	{"RFC 7616 3.9.2",
		IN(.algorithm = DIGEST_SHA_512_256, .user = "J\xc3\xa4s\xc3\xb8n Doe",
			.realm = "api@example.org", .password = "Secret, or not?",
			.nonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
			.cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
			.uri = "/doe.json"),
		"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"},
	{"RFC 2069, without quality of protection",
		{.algorithm = DIGEST_MD5,
			.user = "Mufasa",
			.realm = "testrealm@host.com",
			.password = "CircleOfLife",
			.nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
			.cnonce = "",
			.method = "GET",
			.uri = "/dir/index.html"},
		"1949323746fe6a43ef61f9606e7febea"},
};

static void responses_are_the_published_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct digest_input in = vectors[i].in;
		char response[DIGEST_HEX_MAX + 1];

		in.password_len = strlen(in.password);
		assert_int_equal(digest_compute(response, &in), 0);
		if (strcmp(response, vectors[i].response) != 0)
			fail_msg("%s: %s", vectors[i].what, response);
	}
}

/* MD5-sess by hand: H(H(a:b:c):n:x) in place of H(a:b:c). */
static void a_session_hashes_nonce_and_cnonce_into_the_secret(void **state)
{
	struct digest_input in = {.algorithm = DIGEST_MD5,
		.user = "a",
		.realm = "b",
		.password = "c",
		.password_len = 1,
		.nonce = "n",
		.cnonce = "x",
		.method = "M",
		.uri = "u",
		.nc = 1,
		.has_qop = true};
	char plain[DIGEST_HEX_MAX + 1], session[DIGEST_HEX_MAX + 1];

	(void)state;
	assert_int_equal(digest_compute(plain, &in), 0);
	in.is_session = true;
	assert_int_equal(digest_compute(session, &in), 0);
	assert_string_not_equal(plain, session);
	assert_string_equal(session, "d0b11111d0e0d8bc9d5aef1fdb479d91");
}

static struct secret *password(const char *text)
{
	struct secret *secret;

	assert_int_equal(secret_new(&secret, strlen(text)), 0);
	memcpy(secret->text, text, strlen(text));
	secret->len = strlen(text);
	return secret;
}

static void what_one_side_answers_the_other_verifies(void **state)
{
	static const char *const algorithms[] = {
		"MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"};
	struct secret *secret = password("s\"e\\c:RET");

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		char text[256];
		const char *at = text;
		struct digest_challenge challenge;
		struct digest_credentials c;
		struct strbuf b = {0};

		snprintf(text, sizeof(text),
			"Digest realm=\"a \\\"b\\\", c\", nonce=\"n\", opaque=\"\", algorithm=%s, "
			"qop=\"auth-int,auth\"",
			algorithms[i]);
		assert_int_equal(digest_challenge_next(&challenge, &at, text + strlen(text)), 0);
		assert_int_equal(digest_answer(&b, &challenge, "us\\er", secret, "INVITE",
					 "sip:1@192.0.2.1", 0x2a),
			0);
		assert_non_null(strstr(b.s, "opaque=\"\""));
		assert_non_null(strstr(b.s, "nc=0000002a"));
		assert_non_null(strstr(b.s, "realm=\"a \\\"b\\\", c\""));
		assert_null(strstr(b.s, "RET")); /* nonces of ours are in small letters */
		assert_int_equal(digest_credentials_parse(&c, b.s, b.len), 0);
		assert_string_equal(c.username, "us\\er");
		assert_string_equal(c.realm, "a \"b\", c");
		assert_int_equal(c.nc, 0x2a);
		assert_int_equal(digest_verify(&c, secret->text, secret->len, "INVITE"), 0);
		assert_int_equal(digest_verify(&c, secret->text, secret->len, "BYE"), -EACCES);
		assert_int_equal(
			digest_verify(&c, secret->text, secret->len - 1, "INVITE"), -EACCES);
		c.response[3] ^= 1;
		assert_int_equal(digest_verify(&c, secret->text, secret->len, "INVITE"), -EACCES);
		strbuf_free(&b);
	}
	secret_free(secret);
}

/* As under FIPS. */
static void an_algorithm_that_openssl_lacks_is_skipped(void **state)
{
	static const char text[] = "Digest realm=\"a\", nonce=\"n\"";
	static const char written[] = "Digest realm=\"a\", nonce=\"n\", algorithm=md5";
	struct digest_challenge challenge;
	const char *at = text;

	(void)state;
	digest_set_available(DIGEST_MD5, false);
	assert_int_equal(digest_challenge_next(&challenge, &at, text + strlen(text)), -EOPNOTSUPP);
	at = written;
	assert_int_equal(
		digest_challenge_next(&challenge, &at, written + strlen(written)), -EOPNOTSUPP);
	digest_set_available(DIGEST_MD5, true);
	at = text;
	assert_int_equal(digest_challenge_next(&challenge, &at, text + strlen(text)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_the_published_ones),
		cmocka_unit_test(a_session_hashes_nonce_and_cnonce_into_the_secret),
		cmocka_unit_test(what_one_side_answers_the_other_verifies),
		cmocka_unit_test(an_algorithm_that_openssl_lacks_is_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
