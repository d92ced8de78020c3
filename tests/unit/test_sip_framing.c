/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sip/framing.h"

#define MAX 65535

static const char first[] = "OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\nContent-Length: 5\r\n\r\nabcde";
static const char second[] = "BYE sip:a@b SIP/2.0\r\nl : 0\r\nFrom: y\r\n\r\n";
static const char third[] = "INFO sip:a@b SIP/2.0\r\nCONTENT-LENGTH:\r\n 3\r\n\r\n\r\n\r";

/* Feeds the stream in two pieces and takes what is whole after each. */
static void feed_split(const char *stream, size_t len, size_t split)
{
	static const struct {
		enum framing_kind kind;
		const char *text;
	} want[] = {
		{FRAMING_MESSAGE, first},
		{FRAMING_MESSAGE, second},
		{FRAMING_PING, "\r\n\r\n"},
		{FRAMING_MESSAGE, third},
	};
	struct framing f = {0};
	size_t done = 0, n;
	unsigned i = 0;

	for (unsigned piece = 0; piece < 2; piece++) {
		size_t have = piece ? len : split;

		while (done < have) {
			enum framing_kind kind =
				framing_next(&f, stream + done, have - done, MAX, &n);

			if (kind == FRAMING_MORE)
				break;
			/* A ping cut in two is two bare CRLFs. */
			if (kind == FRAMING_KEEPALIVE && want[i].kind == FRAMING_PING) {
				done += n;
				i += stream[done] != '\r';
				continue;
			}
			assert_true(i < 4);
			assert_int_equal(kind, want[i].kind);
			assert_int_equal(n, strlen(want[i].text));
			assert_memory_equal(stream + done, want[i].text, n);
			done += n;
			i++;
		}
	}
	assert_int_equal(i, 4);
	assert_int_equal(done, len);
}

static void test_pipelined_messages_come_out_whole_at_every_split(void **state)
{
	char stream[512];
	int len = snprintf(stream, sizeof(stream), "%s%s\r\n\r\n%s", first, second, third);

	(void)state;
	for (int split = 0; split <= len; split++)
		feed_split(stream, (size_t)len, (size_t)split);
}

static void test_one_byte_at_a_time(void **state)
{
	struct framing f = {0};
	size_t n, len = sizeof(first) - 1;

	(void)state;
	for (size_t i = 1; i < len; i++)
		assert_int_equal(framing_next(&f, first, i, MAX, &n), FRAMING_MORE);
	assert_int_equal(framing_next(&f, first, len, MAX, &n), FRAMING_MESSAGE);
	assert_int_equal(n, len);
}

static void expect(const char *text, enum framing_kind want)
{
	struct framing f = {0};
	size_t n;

	assert_int_equal(framing_next(&f, text, strlen(text), MAX, &n), want);
}

static void test_missing_content_length_is_bad(void **state)
{
	(void)state;
	expect("BYE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n", FRAMING_BAD);
}

static void test_content_length_that_is_no_number_is_bad(void **state)
{
	(void)state;
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n", FRAMING_BAD);
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length: 0x10\r\n\r\n", FRAMING_BAD);
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length:\r\n\r\n", FRAMING_BAD);
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n", FRAMING_BAD);
}

static void test_two_content_lengths_are_bad(void **state)
{
	(void)state;
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\nl: 5\r\n\r\n", FRAMING_BAD);
}

static void test_content_length_over_the_limit_is_too_long(void **state)
{
	(void)state;
	/* Of the whole message. */
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length: 65489\r\n\r\n", FRAMING_MORE);
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length: 65490\r\n\r\n", FRAMING_TOO_LONG);
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length: 65535\r\n\r\n", FRAMING_TOO_LONG);
	expect("BYE sip:a@b SIP/2.0\r\nContent-Length: 4294967295\r\n\r\n", FRAMING_TOO_LONG);
}

static void test_header_without_end_is_too_long_at_the_limit(void **state)
{
	static char text[MAX + 2];
	struct framing f = {0};
	size_t n;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(framing_next(&f, text, MAX, MAX, &n), FRAMING_MORE);
	assert_int_equal(framing_next(&f, text, MAX + 1, MAX, &n), FRAMING_TOO_LONG);
}

static void test_content_length_in_the_request_line_is_not_one(void **state)
{
	(void)state;
	expect("BYE sip:a;Content-Length: 5 SIP/2.0\r\nVia: x\r\n\r\n", FRAMING_BAD);
}

static void test_lone_crlf_is_a_keepalive(void **state)
{
	(void)state;
	expect("\r\nBYE", FRAMING_KEEPALIVE);
	expect("\r\n\r\n", FRAMING_PING);
	expect("\r", FRAMING_MORE);
	expect("\n", FRAMING_BAD);
	expect("\rx", FRAMING_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipelined_messages_come_out_whole_at_every_split),
		cmocka_unit_test(test_one_byte_at_a_time),
		cmocka_unit_test(test_missing_content_length_is_bad),
		cmocka_unit_test(test_content_length_that_is_no_number_is_bad),
		cmocka_unit_test(test_two_content_lengths_are_bad),
		cmocka_unit_test(test_content_length_over_the_limit_is_too_long),
		cmocka_unit_test(test_header_without_end_is_too_long_at_the_limit),
		cmocka_unit_test(test_content_length_in_the_request_line_is_not_one),
		cmocka_unit_test(test_lone_crlf_is_a_keepalive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
