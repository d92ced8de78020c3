/* SPDX-License-Identifier: BSD-2-Clause */
/* Response codes and causes: which becomes which, and what Reason says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "call/cause.h"
#include "config_text.h"

#define HEAD                                                                                       \
	"sides: {internal: {device: a, addresses: [10.0.0.1]},\n"                                  \
	"  external: {device: b, addresses: [192.0.2.1]}}\n"                                       \
	"listeners: [{name: ex, side: external, transport: udp}]\n"                                \
	"peers: [{name: p, kind: trunk, listener: ex, address: 192.0.2.2"

static struct config *cfg;
static const char *phrase; /* of the last translation */

static int make_parser(void **state)
{
	(void)state;
	parser_init();
	return 0;
}

static void load(const char *more)
{
	struct strbuf text = {0};

	strbuf_addf(&text, HEAD "%s}]\n", more);
	config_unref(cfg);
	cfg = load_good(text.s);
	strbuf_free(&text);
}

static int unload(void **state)
{
	(void)state;
	config_unref(cfg);
	cfg = NULL;
	return 0;
}

static osip_message_t *response(const char *reason, const char *second)
{
	osip_message_t *msg;

	assert_int_equal(osip_message_init(&msg), 0);
	if (reason)
		assert_int_equal(osip_message_set_header(msg, "Reason", reason), 0);
	if (second)
		assert_int_equal(osip_message_set_header(msg, "Reason", second), 0);
	return msg;
}

static int translated(int code, const char *reason)
{
	osip_message_t *msg = response(reason, NULL);
	int to = translate_code(&cfg->peer[0], code, msg, &phrase);

	osip_message_free(msg);
	return to;
}

static void without_settings_a_code_crosses_as_it_did(void **state)
{
	(void)state;
	load("");
	assert_int_equal(translated(486, NULL), 486);
	assert_int_equal(translated(302, NULL), 480);
	assert_int_equal(translated(407, NULL), 403);
	assert_int_equal(translated(500, "Q.850;cause=17"), 500);
	assert_null(phrase);
}

static void the_first_rule_that_fits_code_and_cause_is_applied(void **state)
{
	(void)state;
	load(", codes: [{code: 404, cause: 1, to: 604, reason: No such number}, {cause: 34, to: "
	     "503},\n"
	     "  {code: 400-499, to: 480}, {code: '500', to: 486}, {code: 300-399, to: 410}]");
	assert_int_equal(translated(404, "Q.850;cause=1;text=\"Unallocated\""), 604);
	assert_string_equal(phrase, "No such number");
	assert_int_equal(translated(404, NULL), 480);
	assert_null(phrase);
	assert_int_equal(translated(500, "q.850 ; cause = 34"), 503);
	assert_int_equal(translated(500, "SIP;cause=34"), 486);
	assert_int_equal(translated(503, NULL), 503);
	assert_int_equal(translated(302, NULL), 410);
	assert_int_equal(translate_code(&cfg->peer[0], 408, NULL, &phrase), 480);
}

static void a_cause_becomes_its_code_where_the_peer_is_set_so(void **state)
{
	(void)state;
	load(", q850: {translate: true}, codes: [{cause: 21, to: 603}]");
	assert_int_equal(translated(500, "Q.850;cause=17"), 486);
	assert_int_equal(translated(500, "Q.850;cause=21"), 603);
	assert_int_equal(translated(503, "Q.850;cause=16"), 503); /* says nothing more */
	assert_int_equal(translated(503, "Q.850;cause=999"), 503);
	assert_int_equal(translated(401, NULL), 403);
}

static void codes_have_the_causes_of_rfc_3398(void **state)
{
	(void)state;
	assert_int_equal(cause_of_code(404), 1);
	assert_int_equal(cause_of_code(486), 17);
	assert_int_equal(cause_of_code(480), 18);
	assert_int_equal(cause_of_code(503), 41);
	assert_int_equal(cause_of_code(200), 16);
	assert_int_equal(cause_of_code(302), 18);
	assert_int_equal(cause_of_code(499), 41); /* as 400 */
	assert_int_equal(cause_of_code(699), 17); /* as 600 */
	assert_int_equal(code_of_cause(28), 484);
	assert_int_equal(code_of_cause(16), 0);
	/* A code that comes from a cause and goes back to one says something like it. */
	for (int cause = 1; cause < 128; cause++)
		assert_true(!code_of_cause(cause) || cause_of_code(code_of_cause(cause)) > 0);
}

static void reason_has_all_values_and_a_cause_where_wanted(void **state)
{
	char buf[REASON_MAX];
	osip_message_t *msg = response("SIP;cause=600", "Q.850;cause=17");

	(void)state;
	load("");
	assert_string_equal(reason_of(msg, buf), "SIP;cause=600, Q.850;cause=17");
	assert_int_equal(cause_of_message(msg), 17);
	assert_null(reason_of(NULL, buf));
	assert_null(reason_for(&cfg->peer[0], NULL, buf));
	load(", q850: {write: true}");
	assert_string_equal(reason_for(&cfg->peer[0], NULL, buf), "Q.850;cause=16");
	assert_string_equal(reason_for(&cfg->peer[0], "SIP;cause=408;text=\"x\"", buf),
		"SIP;cause=408;text=\"x\", Q.850;cause=102");
	assert_string_equal(reason_for(&cfg->peer[0], "Q.850;cause=31", buf), "Q.850;cause=31");
	osip_message_free(msg);
	msg = response(NULL, NULL);
	assert_int_equal(cause_write(msg, &cfg->peer[0], 486), 0);
	assert_int_equal(cause_of_message(msg), 17);
	assert_int_equal(cause_write(msg, &cfg->peer[0], 404), 0);
	assert_string_equal(reason_of(msg, buf), "Q.850;cause=17");
	osip_message_free(msg);
}

static void a_reason_that_is_too_long_is_left_out(void **state)
{
	char longest[REASON_MAX + 1], buf[REASON_MAX];
	osip_message_t *msg;

	(void)state;
	memset(longest, 'x', REASON_MAX);
	longest[REASON_MAX] = '\0';
	msg = response(longest, "SIP;cause=200");
	assert_string_equal(reason_of(msg, buf), "SIP;cause=200");
	osip_message_free(msg);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, unload)
	const struct CMUnitTest tests[] = {
		TEST(without_settings_a_code_crosses_as_it_did),
		TEST(the_first_rule_that_fits_code_and_cause_is_applied),
		TEST(a_cause_becomes_its_code_where_the_peer_is_set_so),
		TEST(codes_have_the_causes_of_rfc_3398),
		TEST(reason_has_all_values_and_a_cause_where_wanted),
		TEST(a_reason_that_is_too_long_is_left_out),
	};

	return cmocka_run_group_tests(tests, make_parser, NULL);
}
