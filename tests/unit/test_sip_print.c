/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages are printed as the library prints them, those that it has to and those that it has not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sip/internal.h"

#define M_START   "INVITE sip:100@192.0.2.1 SIP/2.0\r\n"
#define M_VIA     "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK74bf9;rport\r\n"
#define M_FROM    "From: <sip:1@127.0.0.1:5070>;tag=9fx\r\n"
#define M_TO      "To: <sip:100@192.0.2.1>\r\n"
#define M_CALL    "Call-ID: 384@127.0.0.1\r\nCSeq: 2 INVITE\r\n"
#define M_NO_BODY "Content-Length: 0\r\n\r\n"
#define M_REST    M_VIA M_FROM M_TO M_CALL M_NO_BODY
#define M_AFTER   M_VIA M_FROM M_TO M_CALL

static osip_message_t *parsed(const char *text)
{
	osip_message_t *msg;

	assert_int_equal(osip_message_init(&msg), 0);
	if (osip_message_parse(msg, text, strlen(text)))
		fail_msg("not parsed: %s", text);
	return msg;
}

/* Prints it both ways, and frees it. */
static void assert_same(osip_message_t *msg, bool plain)
{
	char *ours, *theirs;
	size_t ours_len, theirs_len;

	assert_int_equal(message_print(msg, &ours, &ours_len), 0);
	osip_message_force_update(msg);
	assert_int_equal(osip_message_to_str(msg, &theirs, &theirs_len), 0);
	assert_string_equal(ours, theirs);
	assert_int_equal(ours_len, theirs_len);
	assert_int_equal(strlen(ours), ours_len);
	if (message_is_plain(msg) != plain)
		fail_msg("%s: %s", plain ? "left to the library" : "not left to it", ours);
	osip_free(ours);
	osip_free(theirs);
	osip_message_free(msg);
}

static void test_what_messages_consist_of_is_written_as_the_library_does(void **state)
{
	static const char *const texts[] = {
		M_START M_REST,
		"INVITE sips:100@[2001:db8::1]:5061;transport=tcp;lr SIP/2.0\r\n" M_REST,
		"INVITE sip:192.0.2.1 SIP/2.0\r\n" M_REST,
		"INVITE sip:+49-30.1@example.com;user=phone SIP/2.0\r\n" M_REST,
		"SIP/2.0 200 OK\r\n" M_REST,
		"SIP/2.0 183 Session Progress\r\n" M_REST,
		M_START M_VIA
		"Via: SIP/2.0/TCP [2001:db8::9]:5060;branch=z9;received=1.2.3.4\r\n" M_REST,
		M_START "Via: SIP/2.0/TLS a.example;branch=z, SIP/2.0/UDP b;branch=y\r\n" M_REST,
		M_START "Record-Route: <sip:p1@192.0.2.9;lr>, <sip:[2001:db8::5];lr>\r\n"
			"Route: \"A b\" <sip:p@h:5062;lr>;x=y;z\r\nRoute: <sip:q>\r\n" M_REST,
		M_START M_VIA "From: \"A \\\"B\\\" c\" <sip:1@h>;tag=1;x\r\n"
			      "To: Bob <sip:2@h;user=phone>;tag=\"q\";y=z\r\n" M_CALL M_NO_BODY,
		M_START M_VIA M_FROM M_TO
		"Call-ID: without-host\r\nCSeq: 4294967295 INVITE\r\n" M_NO_BODY,
		M_START M_AFTER "Contact: <sip:1@127.0.0.1:5070;transport=udp>;expires=60\r\n"
				"Contact: sip:2@h\r\n" M_NO_BODY,
		M_START M_AFTER
		"Max-Forwards: 70\r\nsubject: small letters\r\nSupported: 100rel, timer\r\n"
		"X-None:\r\nX-Folded: a\r\n b\r\nP-Asserted-Identity: <tel:+1>\r\n" M_NO_BODY,
		M_START M_AFTER "Content-Type: application/sdp;charset=\"utf-8\"\r\n"
				"Content-Length: 5\r\n\r\nv=0\r\n",
		M_START M_AFTER "Content-Length: 3\r\n\r\na b",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_same(parsed(texts[i]), true);
}

static void test_the_rest_is_left_to_the_library(void **state)
{
	static const char *const texts[] = {
		"INVITE tel:+15551234 SIP/2.0\r\n" M_REST,
		"INVITE sip:1%23@h SIP/2.0\r\n" M_REST,
		"INVITE sip:a:b@h SIP/2.0\r\n" M_REST,
		"INVITE sip:a;b=c@h SIP/2.0\r\n" M_REST,
		"INVITE sip:a@h?x=y SIP/2.0\r\n" M_REST,
		"INVITE sip:a@h;x=%23 SIP/2.0\r\n" M_REST,
		M_START "Via: SIP/2.0/UDP h;branch=z (why)\r\n" M_REST,
		M_START M_VIA "From: <tel:+15551234>;tag=1\r\n" M_TO M_CALL M_NO_BODY,
		M_START M_AFTER "Contact: *\r\n" M_NO_BODY,
		M_START M_AFTER "Authorization: Digest username=\"a\", realm=\"b\", nonce=\"c\", "
				"uri=\"sip:d\", response=\"e\"\r\n" M_NO_BODY,
		M_START M_AFTER "Accept: application/sdp\r\nAllow: INVITE, ACK\r\n" M_NO_BODY,
		M_START M_AFTER "MIME-Version: 1.0\r\n" M_NO_BODY,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_same(parsed(texts[i]), false);
}

static void test_what_changed_since_it_was_parsed_is_printed(void **state)
{
	osip_message_t *msg = parsed(M_START M_REST);

	(void)state;
	osip_message_set_header(msg, "X-New", "1");
	osip_free(msg->req_uri->host);
	msg->req_uri->host = osip_strdup("198.51.100.7");
	assert_same(msg, true);
	msg = parsed("INVITE tel:+1 SIP/2.0\r\n" M_REST);
	osip_message_set_header(msg, "X-New", "1");
	assert_same(msg, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_messages_consist_of_is_written_as_the_library_does),
		cmocka_unit_test(test_the_rest_is_left_to_the_library),
		cmocka_unit_test(test_what_changed_since_it_was_parsed_is_printed),
	};

	parser_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
