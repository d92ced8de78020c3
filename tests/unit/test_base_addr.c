/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"

static void good_addresses_parse_and_print(void **state)
{
	static const char *const cases[][2] = {
		{"192.0.2.1", "192.0.2.1:5060"},
		{"192.0.2.1:1", "192.0.2.1:1"},
		{"192.0.2.1:65535", "192.0.2.1:65535"},
		{"0.9.10.99:10", "0.9.10.99:10"},
		{"255.100.199.0:9", "255.100.199.0:9"},
		{"2001:db8::1", "[2001:db8::1]:5060"},
		{"[2001:db8::1]", "[2001:db8::1]:5060"},
		{"[2001:db8:0::1]:5061", "[2001:db8::1]:5061"},
		{"::", "[::]:5060"},
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(addr_parse(&a, cases[i][0], 5060), 0);
		assert_string_equal(addr_print(&a, text), cases[i][1]);
	}
	assert_int_equal(addr_parse(&a, "[2001:db8::1]:5061", 0), 0);
	assert_string_equal(addr_print_ip(&a, text), "2001:db8::1");
	assert_string_equal(addr_print_host(&a, text), "[2001:db8::1]");
	memset(&a, 0, sizeof(a));
	assert_string_equal(addr_print(&a, text), "-");
}

static void bad_addresses_are_refused(void **state)
{
	static const char *const cases[] = {"", "x", "192.0.2", "192.0.2.1:", "192.0.2.1:0",
		"192.0.2.1:65536", "192.0.2.1:99999", "192.0.2.1:+1", "192.0.2.1:5060x",
		"192.0.2.256", "192.0.2.1 ", "[192.0.2.1]:5060", "[::1", "[::1]5060",
		"[::1]:", "[]", "2001:db8::1::2", "fe80::1%eth0", ":5060",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(addr_parse(&a, cases[i], 5060), -EINVAL);
}

static void prefixes_hold_what_they_cover(void **state)
{
	static const struct {
		const char *net, *ip;
		bool in;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"0.0.0.0/0", "203.0.113.1", true},
		{"::/0", "203.0.113.1", false},
		{"0.0.0.0/0", "::", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1/128", "2001:db8::1", true},
	};
	struct addr net, ip;
	unsigned len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(addr_parse_prefix(&net, &len, cases[i].net), 0);
		assert_int_equal(addr_parse(&ip, cases[i].ip, 0), 0);
		assert_int_equal(addr_in_prefix(&ip, &net, len), cases[i].in);
	}
	assert_int_equal(addr_parse_prefix(&net, &len, "192.0.2.0/33"), -EINVAL);
	assert_int_equal(addr_parse_prefix(&net, &len, "::/129"), -EINVAL);
	assert_int_equal(addr_parse_prefix(&net, &len, "192.0.2.0/"), -EINVAL);
	assert_int_equal(addr_parse_prefix(&net, &len, "192.0.2.0/-1"), -EINVAL);
	assert_int_equal(addr_parse_prefix(&net, &len, "192.0.2.0/8x"), -EINVAL);
	assert_int_equal(addr_parse_prefix(&net, &len, "192.0.2.0/99999999999999999999"), -EINVAL);
}

static void sockaddrs_survive_the_round_trip(void **state)
{
	static const char *const cases[] = {"192.0.2.1:5060", "[2001:db8::1]:5061"};
	struct sockaddr_storage ss;
	struct addr a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(addr_parse(&a, cases[i], 0), 0);
		assert_int_equal(addr_to_sockaddr(&a, &ss),
			a.family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		addr_from_sockaddr(&b, (struct sockaddr *)&ss);
		assert_memory_equal(&a, &b, sizeof(a));
		assert_true(addr_equal(&a, &b));
		b.port++;
		assert_false(addr_equal(&a, &b));
		assert_true(addr_equal_ip(&a, &b));
	}
}

static void a_mapped_address_is_ipv4(void **state)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	in6.sin6_addr.s6_addr[12] = 10;
	in6.sin6_addr.s6_addr[15] = 1;
	addr_from_sockaddr(&a, (struct sockaddr *)&in6);
	assert_string_equal(addr_print(&a, text), "10.0.0.1:7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_addresses_parse_and_print),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(prefixes_hold_what_they_cover),
		cmocka_unit_test(sockaddrs_survive_the_round_trip),
		cmocka_unit_test(a_mapped_address_is_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
