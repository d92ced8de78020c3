/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sip/via.h"

static struct text text_of(const char *s)
{
	return (struct text){s, strlen(s)};
}

static struct addr addr_of(const char *s)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, s, 0), 0);
	return a;
}

static void expect_destination(const char *value, const char *source, const char *want)
{
	struct addr from = addr_of(source), to;
	struct via_text via;
	char text[ADDR_TEXT_MAX];

	assert_int_equal(via_text_parse(&via, text_of(value)), 0);
	via_response_destination(&via, &from, &to);
	assert_string_equal(addr_print(&to, text), want);
}

static void test_response_goes_to_the_source_at_the_port_of_sent_by(void **state)
{
	(void)state;
	expect_destination(
		"SIP/2.0/UDP 192.0.2.1:5070;branch=x", "192.0.2.9:1024", "192.0.2.9:5070");
	expect_destination("SIP/2.0/UDP host.example;branch=x", "192.0.2.9:1024", "192.0.2.9:5060");
	expect_destination(
		"SIP/2.0/UDP [2001:db8::1]:5071", "[2001:db8::9]:1024", "[2001:db8::9]:5071");
}

static void test_rport_asks_for_the_source_port(void **state)
{
	(void)state;
	expect_destination(
		"SIP/2.0/UDP 192.0.2.1:5070;rport;branch=x", "192.0.2.9:1024", "192.0.2.9:1024");
	expect_destination("SIP / 2.0 / UDP 192.0.2.1 : 5070 ; RPort ; branch=x", "192.0.2.9:1024",
		"192.0.2.9:1024");
}

static void test_maddr_and_received_of_the_peer_lead_nowhere(void **state)
{
	(void)state;
	expect_destination("SIP/2.0/UDP 192.0.2.1;maddr=203.0.113.5;received=203.0.113.6",
		"192.0.2.9:1024", "192.0.2.9:5060");
}

static void expect_received(const char *value, const char *source, const char *want)
{
	struct addr from = addr_of(source);
	struct strbuf out = {0};
	struct via_text via;

	assert_int_equal(via_text_parse(&via, text_of(value)), 0);
	via_print_received(&out, text_of(value), &via, &from);
	assert_string_equal(out.s, want);
	strbuf_free(&out);
}

static void test_received_is_written_where_the_source_differs(void **state)
{
	(void)state;
	expect_received("SIP/2.0/UDP 192.0.2.1;branch=x", "192.0.2.1:5060",
		"SIP/2.0/UDP 192.0.2.1;branch=x");
	expect_received("SIP/2.0/UDP 192.0.2.1;branch=x", "192.0.2.2:5060",
		"SIP/2.0/UDP 192.0.2.1;branch=x;received=192.0.2.2");
	expect_received("SIP/2.0/UDP [2001:DB8:0::1];branch=x", "[2001:db8::1]:5060",
		"SIP/2.0/UDP [2001:DB8:0::1];branch=x");
}

static void test_rport_is_filled_in_and_forged_parameters_are_dropped(void **state)
{
	(void)state;
	expect_received("SIP/2.0/UDP 192.0.2.1;rport;branch=x", "192.0.2.1:99",
		"SIP/2.0/UDP 192.0.2.1;branch=x;received=192.0.2.1;rport=99");
	expect_received("SIP/2.0/UDP 192.0.2.1;received=1.1.1.1;branch=x;rport=5", "192.0.2.2:99",
		"SIP/2.0/UDP 192.0.2.1;branch=x;received=192.0.2.2;rport=99");
}

static void test_only_the_first_of_several_is_touched(void **state)
{
	(void)state;
	expect_received("SIP/2.0/UDP a;rport;x=\"1,;2\", SIP/2.0/TCP b;rport", "192.0.2.1:99",
		"SIP/2.0/UDP a;x=\"1,;2\";received=192.0.2.1;rport=99, SIP/2.0/TCP b;rport");
}

static void test_parsed_via_gets_the_same(void **state)
{
	struct addr from = addr_of("192.0.2.2:99");
	osip_via_t *via;
	char *text;

	(void)state;
	assert_int_equal(osip_via_init(&via), 0);
	assert_int_equal(osip_via_parse(via, "SIP/2.0/UDP 192.0.2.1;rport;branch=x"), 0);
	assert_int_equal(via_set_received(via, &from), 0);
	assert_int_equal(osip_via_to_str(via, &text), 0);
	assert_string_equal(text, "SIP/2.0/UDP 192.0.2.1;rport=99;branch=x;received=192.0.2.2");
	osip_free(text);
	osip_via_free(via);
}

static void expect_made(const char *transport, const char *expected)
{
	osip_via_t *via;
	char *text;

	assert_int_equal(via_make(&via, transport, "2001:db8::1", 5060, "z9hG4bKq"), 0);
	assert_int_equal(osip_via_to_str(via, &text), 0);
	assert_string_equal(text, expected);
	osip_free(text);
	osip_via_free(via);
}

static void test_our_via_brackets_ipv6_and_asks_for_the_port_over_udp_alone(void **state)
{
	(void)state;
	expect_made("UDP", "SIP/2.0/UDP [2001:db8::1]:5060;rport;branch=z9hG4bKq");
	expect_made("TCP", "SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bKq");
	expect_made("TLS", "SIP/2.0/TLS [2001:db8::1]:5060;branch=z9hG4bKq");
}

static void test_what_is_no_via_is_refused(void **state)
{
	static const char *const bad[] = {"", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/3.0/UDP a",
		"SIP/2.0 a", "SIP/2.0/UDP a:", "SIP/2.0/UDP a:99999", "SIP/2.0/UDP [::1",
		"SIP/2.0/UDP a b", "SIP/2.0/UDP a;", "SIP/2.0/UDP a;x=\"open", "SIP/2.0/UDP ::1"};
	struct via_text via;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (via_text_parse(&via, text_of(bad[i])) != -EINVAL)
			fail_msg("'%s' passes", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_response_goes_to_the_source_at_the_port_of_sent_by),
		cmocka_unit_test(test_rport_asks_for_the_source_port),
		cmocka_unit_test(test_maddr_and_received_of_the_peer_lead_nowhere),
		cmocka_unit_test(test_received_is_written_where_the_source_differs),
		cmocka_unit_test(test_rport_is_filled_in_and_forged_parameters_are_dropped),
		cmocka_unit_test(test_only_the_first_of_several_is_touched),
		cmocka_unit_test(test_parsed_via_gets_the_same),
		cmocka_unit_test(test_our_via_brackets_ipv6_and_asks_for_the_port_over_udp_alone),
		cmocka_unit_test(test_what_is_no_via_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
