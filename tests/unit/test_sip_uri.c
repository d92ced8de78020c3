/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sip/uri.h"

static void what_names_the_same_is_the_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} pairs[] = {
		{"sip:100@pbx.example", "sip:100@pbx.example", true},
		{"sip:100@PBX.example", "SIP:100@pbx.Example:5060", true},
		{"sip:100@pbx.example;transport=tcp", "sip:100@pbx.example;user=phone?x=y", true},
		{"sip:%31%30%30@10.0.0.1", "sip:100@10.0.0.1", true},
		{"sip:100@[fd10::1]:5070", "sip:100@[FD10::1]:5070", true},
		{"sip:10.0.0.1:5060", "sip:10.0.0.1", true},
		{"sips:a@h", "sips:a@h:5061", true},
		{"tel:+49-30(1)23", "tel:+493012.3", true},
		{"tel:+4930;phone-context=x", "tel:+4930;phone-context=X", true},
		{"sip:100@pbx.example", "sip:101@pbx.example", false},
		{"sip:alice@h", "sip:Alice@h", false},
		{"sip:100@pbx.example", "sip:pbx.example", false},
		{"sip:100@pbx.example", "sip:100@pbx.example:5061", false},
		{"sip:100@pbx.example", "sips:100@pbx.example", false},
		{"sip:100:a@h", "sip:100@h", false},
		{"sip:100;rn=1@h", "sip:100@h", false},
		{"tel:100", "sip:100@h", false},
		{"tel:+49301", "tel:+493012", false},
		{"tel:+4930;phone-context=x", "tel:+4930", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		osip_uri_t *a, *b;

		osip_uri_init(&a);
		osip_uri_init(&b);
		assert_int_equal(osip_uri_parse(a, pairs[i].a), 0);
		assert_int_equal(osip_uri_parse(b, pairs[i].b), 0);
		if (uri_is_same(a, b) != pairs[i].same || uri_is_same(b, a) != pairs[i].same)
			fail_msg("%s and %s", pairs[i].a, pairs[i].b);
		osip_uri_free(a);
		osip_uri_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_names_the_same_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
