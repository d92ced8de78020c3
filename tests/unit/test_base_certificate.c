/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a name is a certificate's: RFC 6125 6.4, RFC 5922 7.1 and 7.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/certificate.h"
#include "test_certificates.h"

static bool is_for(const char *cn, const char *san, const char *name)
{
	struct identity id = issue(NULL, (struct wish){.cn = cn, .san = san});
	bool ret = certificate_is_for(id.certificate, name);

	identity_free(&id);
	return ret;
}

static void names_are_those_of_the_subject_alt_name(void **state)
{
	(void)state;
	assert_true(is_for("x", "DNS:sip.example.com", "sip.example.com"));
	assert_true(is_for("x", "DNS:a.example,DNS:SIP.example.COM", "sip.Example.com"));
	assert_false(is_for("x", "DNS:sip.example.com", "example.com"));
	assert_false(is_for("x", "DNS:sip.example.com", "evil-sip.example.com"));
	assert_false(is_for("x", "DNS:sip.example.com", "sip.example.com.evil.net"));
	assert_false(is_for("x", "DNS:sip.example.com", ""));
}

static void the_common_name_counts_where_there_is_no_subject_alt_name_alone(void **state)
{
	(void)state;
	assert_true(is_for("sip.example.com", NULL, "sip.example.com"));
	assert_false(is_for("sip.example.com", "DNS:other.example", "sip.example.com"));
	assert_false(is_for("sip.example.com", "IP:192.0.2.1", "sip.example.com"));
	assert_false(is_for("192.0.2.1", NULL, "192.0.2.1"));
}

static void a_wildcard_stands_for_one_whole_label(void **state)
{
	(void)state;
	assert_true(is_for("x", "DNS:*.example.com", "sip.example.com"));
	assert_false(is_for("x", "DNS:*.example.com", "a.sip.example.com"));
	assert_false(is_for("x", "DNS:*.example.com", "example.com"));
	assert_false(is_for("x", "DNS:s*.example.com", "sip.example.com"));
	assert_false(is_for("x", "DNS:*.com", "example.com"));
}

static void an_address_is_an_ip_entry_and_no_name(void **state)
{
	(void)state;
	assert_true(is_for("x", "IP:192.0.2.1", "192.0.2.1"));
	assert_true(is_for("x", "IP:2001:db8::1", "2001:db8:0::1"));
	assert_false(is_for("x", "IP:192.0.2.1", "192.0.2.2"));
	assert_false(is_for("x", "DNS:192.0.2.1", "192.0.2.1"));
}

static void a_sip_uri_entry_names_a_domain(void **state)
{
	(void)state;
	assert_true(is_for("x", "URI:sip:example.com", "example.com"));
	assert_false(is_for("x", "URI:sip:bob@example.com", "example.com"));
	assert_false(is_for("x", "URI:http:example.com", "example.com"));
}

static void info_tells_names_issuer_and_days(void **state)
{
	struct identity ca = issue(NULL, (struct wish){.cn = "The Authority"});
	struct identity id = issue(
		&ca, (struct wish){.cn = "cn.example",
			     .san = "DNS:a.example,IP:192.0.2.1,IP:2001:db8::1,URI:sip:b.example",
			     .until_s = 20 * DAY_S + 3600});
	struct identity old = issue(
		&ca, (struct wish){.cn = "cn.example", .from_s = -9 * DAY_S, .until_s = -3600});
	struct certificate_info info;
	char list[CERTIFICATE_TEXT_MAX];

	(void)state;
	certificate_get_info(id.certificate, &info);
	assert_string_equal(
		certificate_name_list(&info, list), "a.example, 192.0.2.1, 2001:db8::1, b.example");
	assert_string_equal(info.issuer, "The Authority");
	assert_int_equal(info.days_left, 20);
	certificate_get_info(old.certificate, &info);
	assert_string_equal(certificate_name_list(&info, list), "cn.example");
	assert_int_equal(info.days_left, -1);
	identity_free(&old);
	identity_free(&id);
	identity_free(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_subject_alt_name),
		cmocka_unit_test(the_common_name_counts_where_there_is_no_subject_alt_name_alone),
		cmocka_unit_test(a_wildcard_stands_for_one_whole_label),
		cmocka_unit_test(an_address_is_an_ip_entry_and_no_name),
		cmocka_unit_test(a_sip_uri_entry_names_a_domain),
		cmocka_unit_test(info_tells_names_issuer_and_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
