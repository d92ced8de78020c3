/* SPDX-License-Identifier: BSD-2-Clause */
/* The number in a URI: what of it is one, and how another takes its place; calling numbers on
 * their way from peer to peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "call/carry.h"
#include "call/number.h"
#include "config_text.h"

static struct config *cfg;

static int load(void **state)
{
	(void)state;
	parser_init();
	cfg = load_good("sides: {internal: {device: a, addresses: [10.0.0.1]},\n"
			"  external: {device: b, addresses: [192.0.2.1]}}\n"
			"listeners: [{name: in, side: internal, transport: udp}]\n"
			"peers:\n"
			"  - {name: a, kind: direct, listener: in, address: 10.0.0.2, numbers:\n"
			"     {called_in: [{match: '0(.*)', replace: '$1'}],\n"
			"      calling_in: [{match: '(..)', replace: '+4930$1'}]}}\n"
			"  - {name: b, kind: direct, listener: in, address: 10.0.0.3, numbers:\n"
			"     {remove_plus: true}}\n"
			"emergency: ['112']\n");
	return 0;
}

static int unload(void **state)
{
	(void)state;
	config_unref(cfg);
	return 0;
}

static osip_uri_t *uri_of(const char *text)
{
	osip_uri_t *uri;

	assert_int_equal(osip_uri_init(&uri), 0);
	assert_int_equal(osip_uri_parse(uri, text), 0);
	return uri;
}

static const char *number(const char *text)
{
	static char out[CALL_NUMBER_MAX + 1];
	osip_uri_t *uri = uri_of(text);
	int ret = number_of(uri, out);

	osip_uri_free(uri);
	return ret ? "refused" : out;
}

static void a_number_is_the_user_part_decoded_and_without_parameters(void **state)
{
	(void)state;
	assert_string_equal(number("sip:+4930@h;user=phone"), "+4930");
	assert_string_equal(number("sip:+4930;phone-context=x@h"), "+4930");
	assert_string_equal(number("sip:%2B49%330@h"), "+4930");
	assert_string_equal(number("sip:*21%23@h"), "*21#");
	assert_string_equal(number("tel:+4930;ext=1"), "+4930");
	assert_string_equal(number("sip:h"), "");
	assert_string_equal(number("sip:49%0d%0aX@h"), "refused");
}

static void another_number_takes_its_place_and_parameters_stay(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{"sip:1;phone-context=x@h:5062;user=phone",
			"sip:99;phone-context=x@h:5062;user=phone"},
		{"tel:1;ext=2", "tel:99;ext=2"},
		{"sip:1:secret@h", "sip:99:secret@h"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		osip_uri_t *uri = uri_of(cases[i].before);
		char *text = NULL;

		assert_int_equal(number_replace(uri, "99"), 0);
		assert_int_equal(osip_uri_to_str(uri, &text), 0);
		assert_string_equal(text, cases[i].after);
		osip_free(text);
		osip_uri_free(uri);
	}
}

static void a_calling_number_takes_the_rules_of_both_peers(void **state)
{
	const struct caller_config replaced = {.number = (char *)"+800"};
	struct crossing way = {.from = &cfg->peer[0], .to = &cfg->peer[1]};
	osip_uri_t *uri = uri_of("sip:12@h");
	char out[CALL_NUMBER_MAX + 1];

	(void)state;
	assert_int_equal(numbers_carry_calling(&way, uri, out), 0);
	assert_string_equal(out, "493012");
	way.caller = &replaced;
	assert_int_equal(numbers_carry_calling(&way, uri, out), 0);
	assert_string_equal(out, "800");
	osip_uri_free(uri);
}

static void an_emergency_is_seen_through_the_rules_of_who_dials_it(void **state)
{
	(void)state;
	assert_true(number_is_emergency(cfg, &cfg->peer[0], "0112"));
	assert_true(number_is_emergency(cfg, &cfg->peer[0], "112"));
	assert_false(number_is_emergency(cfg, &cfg->peer[1], "0112"));
	assert_false(number_is_emergency(cfg, &cfg->peer[0], "00112"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_the_user_part_decoded_and_without_parameters),
		cmocka_unit_test(another_number_takes_its_place_and_parameters_stay),
		cmocka_unit_test(a_calling_number_takes_the_rules_of_both_peers),
		cmocka_unit_test(an_emergency_is_seen_through_the_rules_of_who_dials_it),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
