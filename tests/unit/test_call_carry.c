/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "call/carry.h"
#include "call/number.h"

#define SDP "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\n"

static osip_message_t *parse(const char *text)
{
	osip_message_t *msg = NULL;

	assert_int_equal(osip_message_init(&msg), 0);
	assert_int_equal(osip_message_parse(msg, text, strlen(text)), 0);
	return msg;
}

static osip_message_t *invite(const char *headers, const char *type, const char *body)
{
	static char text[8192];

	snprintf(text, sizeof(text),
		"INVITE sip:100@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKa\r\n"
		"From: <sip:1@10.0.0.2>;tag=x\r\nTo: <sip:100@10.0.0.1>\r\nCall-ID: a\r\n"
		"CSeq: 1 INVITE\r\nContact: <sip:1@10.0.0.2>\r\n%s%s%s%sContent-Length: "
		"%zu\r\n\r\n%s",
		headers, type[0] ? "Content-Type: " : "", type, type[0] ? "\r\n" : "", strlen(body),
		body);
	return parse(text);
}

/* Two peers that tell each other nothing of anybody. */
static const struct peer_config untrusted;
static const struct crossing strangers = {.from = &untrusted, .to = &untrusted, .host = "10.1.1.1"};

static osip_message_t *outgoing(void)
{
	osip_message_t *out = NULL;

	assert_int_equal(osip_message_init(&out), 0);
	osip_message_set_method(out, osip_strdup("INVITE"));
	return out;
}

static int setup(void **state)
{
	(void)state;
	return parser_init();
}

static void unknown_header_fields_cross(void **state)
{
	osip_message_t *in = invite("X-Account: 42\r\nX-account: 43\r\nSubject: hi\r\n", "", ""),
		       *out;

	(void)state;
	out = outgoing();
	assert_int_equal(carry_headers(&strangers, in, out), 0);
	assert_string_equal(header_value(out, "X-Account"), "42");
	assert_string_equal(header_value(out, "Subject"), "hi");
	assert_int_equal(osip_list_size(&out->headers), 3);
	osip_message_free(in);
	osip_message_free(out);
}

static void what_names_the_other_side_stays(void **state)
{
	static const char *const fields[] = {"Max-Forwards: 7\r\n",
		"P-Asserted-Identity: <sip:1@a>\r\n", "Diversion: <sip:1@a>\r\n",
		"History-Info: <sip:1@a>;index=1\r\n", "b: <sip:1@a>\r\n",
		"Remote-Party-ID: <sip:1@a>\r\n", "P-Preferred-Identity: <sip:1@a>\r\n",
		"Replaces: a;to-tag=b;from-tag=c\r\n", "RSeq: 1\r\n",
		"Warning: 399 10.0.0.2 \"x\"\r\n", "User-Agent: pbx\r\n",
		"In-Reply-To: a@10.0.0.2\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		osip_message_t *in = invite(fields[i], "", ""), *out;

		out = outgoing();
		assert_int_equal(carry_headers(&strangers, in, out), 0);
		assert_int_equal(osip_list_size(&out->headers), 0);
		osip_message_free(in);
		osip_message_free(out);
	}
}

static void only_options_that_we_carry_are_offered(void **state)
{
	osip_message_t *in = invite("Supported: 100rel, replaces,timer\r\n", "", ""), *out;

	(void)state;
	out = outgoing();
	assert_int_equal(carry_headers(&strangers, in, out), 0);
	assert_string_equal(header_value(out, "Supported"), "100rel");
	osip_message_free(in);
	osip_message_free(out);
}

static void a_required_unknown_extension_is_named(void **state)
{
	osip_message_t *in = invite("Require: 100rel, gruu\r\nRequire: foo\r\n", "", "");
	struct peer_config peer = {.session.timer = SESSION_TIMER_ACCEPT};
	char *unsupported;

	(void)state;
	assert_int_equal(carry_check_require(in, &peer, &unsupported), -EOPNOTSUPP);
	assert_string_equal(unsupported, "gruu, foo");
	free(unsupported);
	osip_message_free(in);
	in = invite("Require: timer\r\n", "", "");
	assert_int_equal(carry_check_require(in, &peer, &unsupported), 0);
	peer.session.timer = SESSION_TIMER_OFF;
	assert_int_equal(carry_check_require(in, &peer, &unsupported), -EOPNOTSUPP);
	assert_string_equal(unsupported, "timer");
	free(unsupported);
	osip_message_free(in);
}

static void an_option_is_added_once(void **state)
{
	osip_message_t *msg = invite("Supported: 100rel\r\n", "", "");

	(void)state;
	assert_int_equal(option_add(msg, "Supported", "timer"), 0);
	assert_int_equal(option_add(msg, "Supported", "timer"), 0);
	assert_string_equal(header_value(msg, "Supported"), "100rel, timer");
	assert_true(option_has(msg, "Supported", "TIMER"));
	assert_false(option_has(msg, "Supported", "time"));
	assert_false(option_has(msg, "Require", "timer"));
	osip_message_free(msg);
	msg = invite("k: timer\r\nAllow: INVITE, UPDATE\r\n", "", "");
	assert_true(option_has(msg, "Supported", "timer"));
	assert_true(option_has(msg, "Allow", "UPDATE"));
	assert_false(option_has(msg, "Allow", "INFO"));
	osip_message_free(msg);
}

static void an_option_is_taken_out_however_the_list_is_written(void **state)
{
	static const char *const lists[][2] = {{"100rel,timer,replaces", "timer, replaces"},
		{"timer,100rel", "timer"}, {"a,b,100rel,c,d", "a,b, c, d"},
		{"timer, 100rel, replaces", "timer, replaces"}, {"a,b,c,d,e,f,g", "a,b,c,d,e,f,g"}};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		osip_message_t *out = outgoing();

		osip_message_set_header(out, "Supported", lists[i][0]);
		option_remove(out, "Supported", "100rel");
		assert_string_equal(header_value(out, "Supported"), lists[i][1]);
		osip_message_free(out);
	}
}

static void a_plain_sdp_body_is_replaced(void **state)
{
	osip_message_t *in = invite("", "application/sdp", SDP), *out;
	osip_body_t *body;

	(void)state;
	osip_message_init(&out);
	assert_non_null(carry_find_sdp(in));
	assert_int_equal(carry_bodies(in, out, "v=1\r\n", 5), 0);
	body = osip_list_get(&out->bodies, 0);
	assert_int_equal(body->length, 5);
	assert_string_equal(body->body, "v=1\r\n");
	assert_string_equal(out->content_type->subtype, "sdp");
	osip_message_free(in);
	osip_message_free(out);
}

static void an_sdp_body_without_rewriting_is_left_out(void **state)
{
	osip_message_t *in = invite("", "application/sdp", SDP), *out;

	(void)state;
	osip_message_init(&out);
	assert_int_equal(carry_bodies(in, out, NULL, 0), 0);
	assert_int_equal(osip_list_size(&out->bodies), 0);
	assert_null(out->content_type);
	osip_message_free(in);
	osip_message_free(out);
}

static void another_body_crosses_as_it_is(void **state)
{
	osip_message_t *in = invite("", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"),
		       *out;
	osip_body_t *body;

	(void)state;
	osip_message_init(&out);
	assert_int_equal(carry_bodies(in, out, NULL, 0), 0);
	body = osip_list_get(&out->bodies, 0);
	assert_string_equal(body->body, "Signal=5\r\nDuration=160\r\n");
	osip_message_free(in);
	osip_message_free(out);
}

static void in_a_multipart_body_the_sdp_part_alone_is_replaced(void **state)
{
	osip_message_t *in = invite("", "multipart/mixed;boundary=zz",
		"--zz\r\nContent-Type: application/sdp\r\n\r\n" SDP
		"\r\n--zz\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--zz--\r\n");
	osip_message_t *out;
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_non_null(carry_find_sdp(in));
	osip_message_init(&out);
	osip_message_set_version(out, osip_strdup("SIP/2.0"));
	osip_message_set_status_code(out, 200);
	osip_message_set_reason_phrase(out, osip_strdup("OK"));
	assert_int_equal(carry_bodies(in, out, "v=7\r\n", 5), 0);
	assert_int_equal(osip_message_to_str(out, &text, &len), 0);
	assert_non_null(strstr(text, "v=7\r\n"));
	assert_null(strstr(text, "10.0.0.1"));
	assert_non_null(strstr(text, "<presence/>"));
	assert_non_null(strstr(text, "--zz--"));
	osip_free(text);
	osip_message_free(in);
	osip_message_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_header_fields_cross),
		cmocka_unit_test(what_names_the_other_side_stays),
		cmocka_unit_test(only_options_that_we_carry_are_offered),
		cmocka_unit_test(an_option_is_added_once),
		cmocka_unit_test(a_required_unknown_extension_is_named),
		cmocka_unit_test(an_option_is_taken_out_however_the_list_is_written),
		cmocka_unit_test(a_plain_sdp_body_is_replaced),
		cmocka_unit_test(an_sdp_body_without_rewriting_is_left_out),
		cmocka_unit_test(another_body_crosses_as_it_is),
		cmocka_unit_test(in_a_multipart_body_the_sdp_part_alone_is_replaced),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
