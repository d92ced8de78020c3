/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw messages and what becomes of them: 0 passes, a code is answered, SILENT is dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <osipparser2/osip_parser.h>

#include "sip/guard.h"
#include "sip/reply.h"

#define SILENT (-1)

#define A_VIA    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\n"
#define A_FROM   "From: <sip:a@192.0.2.1>;tag=1\r\n"
#define A_TO     "To: <sip:b@192.0.2.2>\r\n"
#define A_ID     "Call-ID: x@y\r\n"
#define A_CSEQ   "CSeq: 1 OPTIONS\r\n"
#define A_LENGTH "Content-Length: 0\r\n"
#define BLANK    "\r\n"
#define REQUEST  "OPTIONS sip:b@192.0.2.2 SIP/2.0\r\n"
#define RESPONSE "SIP/2.0 200 OK\r\n"
#define A_MULTI  "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;boundary=x\r\n"
#define A_PART   "--x\r\nContent-Type: text/plain\r\n"
#define A_END    "\r\n--x--\r\n"

static int setup(void **state)
{
	(void)state;
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	return parser_init();
}

/* Guards, parser, guards: as receive.c does. */
static int verdict_of(const char *buf, size_t len, bool is_stream, const char **reason)
{
	static struct raw raw;
	osip_message_t *msg;
	struct guard g;
	int code;

	guard_raw(&g, &raw, buf, len, is_stream);
	*reason = g.reason;
	code = g.code;
	if (!code) {
		assert_int_equal(osip_message_init(&msg), 0);
		*reason = "parser";
		code = osip_message_parse(msg, buf, g.len) ? 400 : guard_parsed(msg, reason);
		osip_message_free(msg);
	}
	return code && !g.answerable ? SILENT : code;
}

struct claim {
	const char *name, *text;
	int code;
};

static const struct claim claims[] = {
	{"a plain request", REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 0},
	{"two parts, a type each",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ A_MULTI BLANK A_PART BLANK
		"hi\r\n" A_PART BLANK "ho" A_END,
		0},
	/* Would leak in the parser. */
	{"a part with two types",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ A_MULTI BLANK A_PART
		"Content-Type: text/html\r\n" BLANK "hi" A_END,
		400},
	{"a part with what begins like a second type",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ A_MULTI BLANK A_PART
		"content-typeset: a/b\r\n" BLANK "hi" A_END,
		400},
	{"a media type with a parameter",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Content-Type: a/b;c=d\r\n" A_LENGTH BLANK,
		0},
	/* Would be printed as "Content-Type: " and the next field behind it. */
	{"a media type with a parameter that has no value",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Content-Type: a/b;c\r\n" A_LENGTH BLANK,
		400},
	{"a plain response", RESPONSE A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 0},
	{"compact names",
		REQUEST "v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nf: <sip:a@x>;tag=1\r\n"
			"t: <sip:b@y>\r\ni: x\r\nCSeq: 1 OPTIONS\r\nl: 0\r\n\r\n",
		0},
	{"no Content-Length in a datagram", REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ BLANK, 0},
	{"a folded Via",
		REQUEST "Via: SIP/2.0/UDP\r\n 192.0.2.1:5060 ;\r\n\tbranch=z9hG4bKa\r\n" A_FROM A_TO
			A_ID A_CSEQ A_LENGTH BLANK,
		0},
	{"an empty reason phrase behind its space",
		"SIP/2.0 200 \r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 0},
	{"no space behind the status code",
		"SIP/2.0 200\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, SILENT},
	{"status 99", "SIP/2.0 099 Low\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, SILENT},
	{"status 700", "SIP/2.0 700 High\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, SILENT},
	{"status 4294967301",
		"SIP/2.0 4294967301 Huge\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, SILENT},
	{"a response of SIP/7.0", "SIP/7.0 200 OK\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		SILENT},
	{"a request of SIP/7.0",
		"OPTIONS sip:b@192.0.2.2 SIP/7.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		505},
	{"a response with two Via", RESPONSE A_VIA A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		SILENT},
	{"a response with two Via in a line",
		RESPONSE "Via: SIP/2.0/UDP a;branch=z9hG4bKa, SIP/2.0/UDP b\r\n" A_FROM A_TO A_ID
			A_CSEQ A_LENGTH BLANK,
		SILENT},
	{"a request with two Via", REQUEST A_VIA A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 0},
	{"negative Content-Length",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Content-Length: -1\r\n" BLANK, 400},
	{"Content-Length of letters",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Content-Length: ten\r\n" BLANK, 400},
	{"Content-Length beyond 32 bits",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ
		"Content-Length: 18446744073709551617\r\n" BLANK,
		400},
	{"Content-Length beyond the datagram",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Content-Length: 5\r\n" BLANK "abc", 400},
	{"two Content-Length that differ",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Content-Length: 0\r\nl: 3\r\n" BLANK "abc",
		400},
	{"CSeq 2^31-1",
		REQUEST A_VIA A_FROM A_TO A_ID "CSeq: 2147483647 OPTIONS\r\n" A_LENGTH BLANK, 0},
	{"CSeq 2^31", REQUEST A_VIA A_FROM A_TO A_ID "CSeq: 2147483648 OPTIONS\r\n" A_LENGTH BLANK,
		400},
	{"CSeq of another method",
		REQUEST A_VIA A_FROM A_TO A_ID "CSeq: 1 INVITE\r\n" A_LENGTH BLANK, 400},
	{"CSeq without a method", REQUEST A_VIA A_FROM A_TO A_ID "CSeq: 1\r\n" A_LENGTH BLANK, 400},
	{"CSeq below zero", REQUEST A_VIA A_FROM A_TO A_ID "CSeq: -1 OPTIONS\r\n" A_LENGTH BLANK,
		400},
	{"no Via", REQUEST A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, SILENT},
	{"an empty Via", REQUEST "Via:\r\n" A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, SILENT},
	{"Via of another protocol",
		REQUEST
		"Via: HTTP/1.1/TCP a;branch=z9hG4bKa\r\n" A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		SILENT},
	{"Via with an unbracketed IPv6 address",
		REQUEST "Via: SIP/2.0/UDP 2001:db8::1;branch=z9hG4bKa\r\n" A_FROM A_TO A_ID A_CSEQ
			A_LENGTH BLANK,
		SILENT},
	{"Via with IPv6 in brackets",
		REQUEST "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKa\r\n" A_FROM A_TO A_ID
			A_CSEQ A_LENGTH BLANK,
		0},
	{"Via with empty parameters",
		REQUEST
		"Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n" A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		400},
	{"Via of SIP/7.0",
		REQUEST
		"Via: SIP/7.0/UDP a;branch=z9hG4bKa\r\n" A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		400},
	{"a request and its Via of SIP/7.0",
		"OPTIONS sip:b@192.0.2.2 SIP/7.0\r\n"
		"Via: SIP/7.0/UDP a;branch=z9hG4bKa\r\n" A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		505},
	{"Via with port 0",
		REQUEST
		"Via: SIP/2.0/UDP a:0;branch=z9hG4bKa\r\n" A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		SILENT},
	{"no From", REQUEST A_VIA A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"no To", REQUEST A_VIA A_FROM A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"no Call-ID", REQUEST A_VIA A_FROM A_TO A_CSEQ A_LENGTH BLANK, 400},
	{"an empty Call-ID", REQUEST A_VIA A_FROM A_TO "Call-ID: \r\n" A_CSEQ A_LENGTH BLANK, 400},
	{"no CSeq", REQUEST A_VIA A_FROM A_TO A_ID A_LENGTH BLANK, 400},
	{"no Max-Forwards", REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 0},
	{"two From", REQUEST A_VIA A_FROM A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"two To", REQUEST A_VIA A_FROM A_TO "t: <sip:c@d>\r\n" A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"two Call-ID", REQUEST A_VIA A_FROM A_TO A_ID "i: z\r\n" A_CSEQ A_LENGTH BLANK, 400},
	{"two CSeq", REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ A_CSEQ A_LENGTH BLANK, 400},
	{"Max-Forwards 255",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Max-Forwards: 255\r\n" A_LENGTH BLANK, 0},
	{"Max-Forwards 256",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Max-Forwards: 256\r\n" A_LENGTH BLANK, 400},
	{"Max-Forwards of letters",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Max-Forwards: x\r\n" A_LENGTH BLANK, 400},
	{"an unknown URI scheme",
		"OPTIONS nobodyKnowsThisScheme:opaque SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ
			A_LENGTH BLANK,
		416},
	{"an http URI",
		"OPTIONS http://x/ SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 416},
	{"a tel URI",
		"OPTIONS tel:+15551234 SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		0},
	{"a URI without scheme",
		"OPTIONS b SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"a URI in brackets",
		"OPTIONS <sip:b@c> SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"a URI with a space",
		"OPTIONS sip:b@c d SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"two spaces before the URI",
		"OPTIONS  sip:b@c SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"two spaces behind the URI",
		"OPTIONS sip:b@c  SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"a space behind the version",
		"OPTIONS sip:b@c SIP/2.0 \r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"no URI", "OPTIONS SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"a Request-URI with header fields",
		"OPTIONS sip:b@c?Route=%3Csip:d%3E SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ
			A_LENGTH BLANK,
		400},
	{"an escaped NUL in the Request-URI",
		"OPTIONS sip:b%00c@d SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		400},
	{"an escaped NUL in From",
		REQUEST A_VIA "From: <sip:%00@b>;tag=1\r\n" A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"an escaped NUL in To",
		REQUEST A_VIA A_FROM "To: <sip:a%00@b>\r\n" A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"an unbracketed IPv6 host",
		"OPTIONS sip:b@2001:db8::1 SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH
			BLANK,
		400},
	{"an unbracketed IPv6 host alone",
		"OPTIONS sip:2001:db8::1 SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK,
		400},
	{"an IPv6 host in brackets",
		"OPTIONS sip:b@[2001:db8::1]:5070 SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ
			A_LENGTH BLANK,
		0},
	{"a password in the URI",
		"OPTIONS sip:b:secret@c:5070 SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH
			BLANK,
		0},
	{"a Contact port of 99999",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Contact: <sip:a@b:99999>\r\n" A_LENGTH BLANK,
		400},
	{"a Contact of another scheme",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Contact: <name:John>\r\n" A_LENGTH BLANK, 0},
	/* It would be the Request-URI of what we send in the dialog. */
	{"a Contact of another scheme with a space",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Contact: x: 189\r\n" A_LENGTH BLANK, 400},
	{"a Contact whose host has a space",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Contact: <sip:a@b c>\r\n" A_LENGTH BLANK,
		400},
	{"a From without a host",
		REQUEST A_VIA "From: <sip:>;tag=1\r\n" A_TO A_ID A_CSEQ A_LENGTH BLANK, 400},
	{"a header field without a colon",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "nonsense\r\n" A_LENGTH BLANK, 400},
	{"a space in a field name",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "A b: c\r\n" A_LENGTH BLANK, 400},
	{"a bare LF", REQUEST A_VIA A_FROM A_TO A_ID "CSeq: 1 OPTIONS\n" A_LENGTH BLANK, 400},
	{"a bare CR", REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Subject: a\rb\r\n" A_LENGTH BLANK,
		400},
	{"a control character",
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Subject: a\x01\r\n" A_LENGTH BLANK, 400},
	{"UTF-8 in a display name",
		REQUEST A_VIA
		"From: \"J\xc3\xbcrgen\" <sip:a@b>;tag=1\r\n" A_TO A_ID A_CSEQ A_LENGTH BLANK,
		0},
	{"a header without end", REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH, 400},
	{"ACK with a bad CSeq",
		"ACK sip:b@c SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID "CSeq: x ACK\r\n" A_LENGTH BLANK,
		SILENT},
	{"noise", "hello\r\n\r\n", SILENT},
	{"a line alone", "OPTIONS sip:b@c SIP/2.0\r\n", SILENT},
	{"a method that is no token",
		"OPT(ONS sip:b@c SIP/2.0\r\n" A_VIA A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK, SILENT},
};

static void test_each_message_of_the_table_gets_its_verdict(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		const char *reason;
		int code = verdict_of(claims[i].text, strlen(claims[i].text), false, &reason);

		if (code == claims[i].code)
			continue;
		print_error("%s: %d (%s), expected %d\n", claims[i].name, code,
			reason ? reason : "", claims[i].code);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void test_what_follows_the_body_is_cut_off(void **state)
{
	static const char text[] =
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Content-Length: 3\r\n" BLANK "abcdef";
	static struct raw raw;
	struct guard g;

	(void)state;
	guard_raw(&g, &raw, text, sizeof(text) - 1, false);
	assert_int_equal(g.code, 0);
	assert_int_equal(g.len, sizeof(text) - 1 - 3);
}

static void test_nul_in_the_header_is_refused(void **state)
{
	static const char text[] =
		REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Subject: a\0b\r\n" A_LENGTH BLANK;
	const char *reason;

	(void)state;
	assert_int_equal(verdict_of(text, sizeof(text) - 1, false, &reason), 400);
}

/* RFC 3261 25.1: TEXT-UTF8-TRIM. Each byte, at each place in a line, behind bytes of all kinds. */
static void test_control_characters_are_found_wherever_they_stand(void **state)
{
	static const char line[] = "Subject: 0123\xff\x80 9ab~\x81 efgh ijkl\r\n";
	static struct raw raw;
	const char *why;
	char text[256];
	int len = snprintf(text, sizeof(text), REQUEST "%s" A_TO BLANK, line);
	char *first = text + strlen(REQUEST "Subject: ");

	(void)state;
	for (char *at = first; at < text + strlen(REQUEST) + strlen(line) - 2; at++) {
		char before = *at;

		for (unsigned byte = 0; byte < 256; byte++) {
			bool is_good = (byte >= 0x20 && byte != 0x7f) || byte == '\t';

			*at = (char)byte;
			assert_int_equal(raw_scan(&raw, text, (size_t)len, &why) == 0, is_good);
			assert_int_equal(raw.count, 2);
		}
		*at = before;
	}
}

/* Whoever takes a bare CR or LF for the end of a line would read it as several fields. */
static void test_no_answer_repeats_what_stands_behind_a_bare_line_end(void **state)
{
	static const char text[] =
		REQUEST "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\nX: y\r\n"
			"From:\r\n <sip:a@192.0.2.1>\r\n\t;tag=1\rX: y\r\n"
			"t: <sip:b@192.0.2.2>\n\nX: y\r\n"
			"Call-ID: x@y\n\r\n" A_CSEQ A_LENGTH BLANK;
	static const char answer[] = "SIP/2.0 400 X\r\n"
				     "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\n"
				     "From: <sip:a@192.0.2.1>\r\n\t;tag=1\r\n"
				     "To: <sip:b@192.0.2.2>;tag=z\r\n"
				     "Call-ID: x@y\r\n" A_CSEQ A_LENGTH BLANK;
	struct strbuf out = {0};
	static struct raw raw;
	struct addr source = {0};
	struct guard g;

	(void)state;
	addr_parse_ip(&source, "192.0.2.1", 9);
	guard_raw(&g, &raw, text, sizeof(text) - 1, false);
	assert_int_equal(g.code, 400);
	assert_true(g.answerable);
	reply_print(&out, &raw, &g, &source, 400, "X", "z", 0);
	assert_string_equal(out.s, answer);
	strbuf_free(&out);
}

static void test_what_stands_behind_a_bad_line_is_there_for_the_answer(void **state)
{
	static const char text[] =
		REQUEST A_VIA "Subject: a\0b\r\n" A_FROM A_TO A_ID A_CSEQ A_LENGTH BLANK "body";
	static struct raw raw;
	struct guard g;

	(void)state;
	guard_raw(&g, &raw, text, sizeof(text) - 1, false);
	assert_int_equal(g.code, 400);
	assert_true(g.answerable);
	assert_string_equal(g.reason, "Bad Character in Header");
	assert_non_null(raw.first[RAW_FROM]);
	assert_non_null(raw.first[RAW_TO]);
	assert_non_null(raw.first[RAW_CALL_ID]);
	assert_non_null(raw.first[RAW_CSEQ]);
	assert_int_equal(raw.body.len, 4);
}

static void test_stream_without_content_length_is_refused(void **state)
{
	static const char text[] = REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ BLANK;
	const char *reason;

	(void)state;
	assert_int_equal(verdict_of(text, sizeof(text) - 1, true, &reason), 400);
}

static void test_too_many_fields_are_refused(void **state)
{
	char *text = malloc(65536);
	const char *reason;
	size_t n;

	(void)state;
	n = (size_t)sprintf(text, "%s", REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ);
	for (int i = 0; i < RAW_HEADERS_MAX; i++)
		n += (size_t)sprintf(text + n, "X: %d\r\n", i);
	n += (size_t)sprintf(text + n, "%s", A_LENGTH BLANK);
	assert_int_equal(verdict_of(text, n, false, &reason), 400);
	free(text);
}

static void test_too_long_a_line_is_refused(void **state)
{
	char *text = malloc(65536);
	const char *reason;
	size_t n;

	(void)state;
	n = (size_t)sprintf(text, "%s", REQUEST A_VIA A_FROM A_TO A_ID A_CSEQ "Subject: ");
	memset(text + n, 'a', RAW_LINE_MAX);
	n += RAW_LINE_MAX;
	n += (size_t)sprintf(text + n, "%s", "\r\n" A_LENGTH BLANK);
	assert_int_equal(verdict_of(text, n, false, &reason), 400);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_message_of_the_table_gets_its_verdict),
		cmocka_unit_test(test_what_follows_the_body_is_cut_off),
		cmocka_unit_test(test_nul_in_the_header_is_refused),
		cmocka_unit_test(test_control_characters_are_found_wherever_they_stand),
		cmocka_unit_test(test_no_answer_repeats_what_stands_behind_a_bare_line_end),
		cmocka_unit_test(test_what_stands_behind_a_bad_line_is_there_for_the_answer),
		cmocka_unit_test(test_stream_without_content_length_is_refused),
		cmocka_unit_test(test_too_many_fields_are_refused),
		cmocka_unit_test(test_too_long_a_line_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
