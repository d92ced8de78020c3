/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is told about whom: from a PBX or a trunk, to peers that may know more or less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "call/carry.h"
#include "call/number.h"
#include "config_text.h"

#define PAI_FIELD "P-Asserted-Identity"
#define PAI                                                                                        \
	"P-Asserted-Identity: \"Ann, of desk 5\" <sip:+4912345;npdi@10.0.0.2:5070;user=phone>\r\n"

static struct peer_config from, to;
static const struct caller_config *replaced_caller;

static osip_message_t *message(
	const char *user, const char *host, const char *from_value, const char *headers)
{
	osip_message_t *msg = NULL;
	char text[4096];

	snprintf(text, sizeof(text),
		"INVITE sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKa\r\n"
		"From: %s;tag=x\r\nTo: <sip:100@%s>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n"
		"%sContent-Length: 0\r\n\r\n",
		user, host, host, from_value, host, headers);
	assert_int_equal(osip_message_init(&msg), 0);
	assert_int_equal(osip_message_parse(msg, text, strlen(text)), 0);
	return msg;
}

/* What the other side is sent, as text. */
static const char *cross_by(const struct crossing *way, const char *headers, const char *tag)
{
	static char text[8192];
	osip_message_t *in = message("100", "10.0.0.2", "<sip:1@10.0.0.2>", headers);
	osip_message_t *out = message("+100", "192.0.2.1", "\"Ann\" <sip:1@192.0.2.1>", "");
	char *printed = NULL;
	size_t len;

	if (*tag)
		osip_to_set_tag(out->to, osip_strdup(tag));
	assert_int_equal(carry_headers(way, in, out), 0);
	osip_message_force_update(out);
	assert_int_equal(osip_message_to_str(out, &printed, &len), 0);
	snprintf(text, sizeof(text), "%s", printed);
	osip_free(printed);
	osip_message_free(in);
	osip_message_free(out);
	return text;
}

/* The INVITE begins a dialog. */
static const char *cross(const char *headers)
{
	const struct crossing way = {
		.from = &from, .to = &to, .host = "192.0.2.1", .caller = replaced_caller};

	return cross_by(&way, headers, "");
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("expected '%s' in:\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("expected no '%s' in:\n%s", part, text);
}

static int setup(void **state)
{
	(void)state;
	return parser_init();
}

/* A PBX that is believed, and a trunk outside the trust domain that is told everything it may. */
static int begin(void **state)
{
	(void)state;
	memset(&from.numbers, 0, sizeof(from.numbers));
	memset(&to.numbers, 0, sizeof(to.numbers));
	from.identity = (struct identity_config){.trusted = true};
	to.identity = (struct identity_config){.asserted = ASSERTED_PASS,
		.history = true,
		.referred_by = true,
		.user_to_user = true};
	return 0;
}

static void an_asserted_identity_keeps_name_and_number_and_gets_our_host(void **state)
{
	const char *text = cross(PAI);

	(void)state;
	has(text, PAI_FIELD ": \"Ann, of desk 5\" <sip:+4912345;npdi@192.0.2.1;user=phone>\r\n");
	has_not(text, "10.0.0.2");
}

static void each_of_several_identities_crosses(void **state)
{
	const char *text = cross(
		PAI_FIELD ": <sip:1@10.0.0.2>, <tel:+491>\r\n" PAI_FIELD ": <sip:2@10.0.0.2>\r\n");

	(void)state;
	has(text, "<sip:1@192.0.2.1>");
	has(text, "<tel:+491>");
	has(text, "<sip:2@192.0.2.1>");
}

static void an_identity_that_is_no_person_or_no_uri_stays(void **state)
{
	(void)state;
	has_not(cross(PAI_FIELD ": <sip:10.0.0.2>\r\n"), PAI_FIELD);
	has_not(cross(PAI_FIELD ": <mailto:ann@pbx.example>\r\n"), PAI_FIELD);
	has_not(cross(PAI_FIELD ": \"\r\n"), PAI_FIELD);
}

static void what_an_untrusted_peer_asserts_is_not_believed(void **state)
{
	(void)state;
	from.identity.trusted = false;
	has_not(cross(PAI "Diversion: <sip:7@10.0.0.2>\r\nHistory-Info: <sip:7@a>;index=1\r\n"
			  "Referred-By: <sip:7@a>\r\nP-Preferred-Identity: <sip:7@a>\r\n"),
		"sip:7@");
	has_not(cross(PAI), PAI_FIELD);
}

static void a_peer_that_is_to_have_none_gets_none(void **state)
{
	const char *text;

	(void)state;
	memset(&to.identity, 0, sizeof(to.identity));
	text = cross(PAI "Diversion: <sip:7@a>\r\nHistory-Info: <sip:7@a>;index=1\r\n"
			 "Referred-By: <sip:7@a>\r\nUser-to-User: 0001;encoding=hex\r\n");
	has_not(text, PAI_FIELD);
	has_not(text, "sip:7@");
	has_not(text, "User-to-User");
}

static void a_preferred_identity_of_a_trusted_peer_is_asserted(void **state)
{
	const char *text = cross("P-Preferred-Identity: <sip:+499@10.0.0.2>\r\n");

	(void)state;
	has(text, PAI_FIELD ": <sip:+499@192.0.2.1>\r\n");
	has_not(text, "P-Preferred-Identity");
	has_not(cross(PAI "P-Preferred-Identity: <sip:+499@10.0.0.2>\r\n"), "+499");
}

static void always_asserts_the_from_where_nothing_else_is(void **state)
{
	(void)state;
	to.identity.asserted = ASSERTED_ALWAYS;
	has(cross(""), PAI_FIELD ": <sip:1@192.0.2.1>\r\n");
	has_not(cross(PAI), PAI_FIELD ": <sip:1@");
	from.identity.trusted = false;
	has(cross(PAI), PAI_FIELD ": <sip:1@192.0.2.1>\r\n");
}

static void privacy_id_withholds_the_identity_from_the_untrusted_alone(void **state)
{
	const char *text = cross(PAI "Privacy: id\r\n");

	(void)state;
	has_not(text, PAI_FIELD);
	has(text, "Privacy: id\r\n");
	to.identity.asserted = ASSERTED_ALWAYS;
	has_not(cross(PAI "Privacy: id\r\n"), PAI_FIELD);
	to.identity.trusted = true;
	text = cross(PAI "Privacy: id\r\n");
	has(text, PAI_FIELD ": \"Ann, of desk 5\"");
	has(text, "Privacy: id\r\n");
}

static void privacy_user_is_provided_by_us_towards_the_untrusted(void **state)
{
	const char *text = cross("Privacy: user;header;id\r\nSubject: me\r\nReply-To: <sip:1@a>\r\n"
				 "Call-Info: <http://a/me.png>\r\n");

	(void)state;
	has(text, "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x\r\n");
	has(text, "Privacy: id\r\n");
	has_not(text, "Subject");
	has_not(text, "Reply-To");
	has_not(text, "Call-Info");
	to.identity.trusted = true;
	text = cross("Privacy: user;id\r\nSubject: me\r\n");
	has(text, "From: \"Ann\" <sip:1@192.0.2.1>");
	has(text, "Privacy: user;id\r\n");
	has(text, "Subject: me");
}

static void history_crosses_with_its_indexes_and_reasons(void **state)
{
	const char *text = cross("History-Info: <sip:5@10.0.0.2?Reason=SIP%3Bcause%3D302>;index=1,"
				 "<sip:6@10.0.0.3>;index=1.1;rc=1\r\n"
				 "Diversion: <sip:5@10.0.0.2>;reason=unconditional;counter=1\r\n");

	(void)state;
	has(text, "<sip:5@192.0.2.1?Reason=SIP%3Bcause%3D302>;index=1\r\n");
	has(text, "<sip:6@192.0.2.1>;index=1.1;rc=1\r\n");
	has(text, "Diversion: <sip:5@192.0.2.1>;reason=unconditional;counter=1\r\n");
	has_not(text, "10.0.0.");
}

/* A PBX says 201, and a trunk wants to read 030201; what is dialled abroad is 00 there. */
static struct config *number_rules(void)
{
	struct config *cfg =
		load_good("sides: {internal: {device: a, addresses: [10.0.0.1]},\n"
			  "  external: {device: b, addresses: [192.0.2.1]}}\n"
			  "listeners: [{name: in, side: internal, transport: udp}]\n"
			  "peers:\n"
			  "  - {name: a, kind: direct, listener: in, address: 10.0.0.2, numbers:\n"
			  "     {calling_in: [{match: '(2..)', replace: '+4930$1'},\n"
			  "                   {match: 'x(.*)', replace: '$1'}],\n"
			  "      called_in: [{match: '100', replace: '+100'}]}}\n"
			  "  - {name: b, kind: direct, listener: in, address: 10.0.0.3, numbers:\n"
			  "     {calling_out: [{match: '[+]49(.*)', replace: '0$1'}]}}\n");

	from.numbers = cfg->peer[0].numbers;
	to.numbers = cfg->peer[1].numbers;
	return cfg;
}

static void numbers_of_those_on_the_way_take_the_calling_rules(void **state)
{
	const struct caller_config caller = {.number = (char *)"0800"};
	struct config *cfg = number_rules();
	const char *text;

	(void)state;
	replaced_caller = &caller; /* is the caller's, and nobody else's */
	text = cross("Diversion: \"Two\" <sip:201@10.0.0.2>;reason=no-answer\r\n"
		     "Diversion: <tel:+49171555>, <sip:anonymous@anonymous.invalid>\r\n"
		     "History-Info: <sip:202@10.0.0.2?Reason=SIP%3Bcause%3D302>;index=1\r\n"
		     "Referred-By: <sip:203@10.0.0.2>\r\n");
	replaced_caller = NULL;
	has(text, "Diversion: \"Two\" <sip:030201@192.0.2.1>;reason=no-answer\r\n");
	has(text, "Diversion: <tel:0171555>\r\n");
	has(text, "Diversion: <sip:anonymous@anonymous.invalid>\r\n");
	has(text, "History-Info: <sip:030202@192.0.2.1?Reason=SIP%3Bcause%3D302>;index=1\r\n");
	has(text, "Referred-By: <sip:030203@192.0.2.1>\r\n");
	/* One that becomes no number is told to nobody; the others are. */
	text = cross("Diversion: <sip:x%20y@10.0.0.2>, <sip:204@10.0.0.2>\r\n");
	has_not(text, "y@");
	has(text, "Diversion: <sip:030204@192.0.2.1>\r\n");
	config_unref(cfg);
}

static void the_entry_that_is_the_request_uri_stays_it(void **state)
{
	struct config *cfg = number_rules();
	const char *text;

	(void)state;
	text = cross("History-Info: <sip:202@10.0.0.2>;index=1, <sip:100@10.0.0.2>;index=1.1\r\n");
	has(text, "INVITE sip:+100@192.0.2.1 ");
	has(text, "History-Info: <sip:030202@192.0.2.1>;index=1\r\n");
	has(text, "History-Info: <sip:+100@192.0.2.1>;index=1.1\r\n");
	config_unref(cfg);
}

static void private_history_is_not_told_to_the_untrusted(void **state)
{
	static const char *const entries[] = {"History-Info: <sip:5@a?Privacy=history>;index=1\r\n",
		"History-Info: <sip:5@a?Reason=SIP%3Bcause%3D302&Privacy=id%3Bhistory>;index=1\r\n",
		"Diversion: <sip:5@a>;privacy=full\r\n",
		"Diversion: <sip:5@a>;reason=away;privacy=\"full\";screen=no\r\n",
		"Diversion: \"A\" <sip:5@a>;Privacy = uri\r\n",
		"Privacy: header\r\nDiversion: <sip:5@a>\r\n",
		"Privacy: session\r\nHistory-Info: <sip:5@a>;index=1\r\n",
		"Privacy: history\r\nHistory-Info: <sip:5@a>;index=1\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		to.identity.trusted = false;
		has_not(cross(entries[i]), "sip:5@");
		to.identity.trusted = true;
		has(cross(entries[i]), "sip:5@");
	}
}

/* RFC 8224: a PASSporT names the number that it was made for. */
static void a_signed_number_crosses_with_that_number_alone(void **state)
{
	static const char *const fields[] = {
		"Identity: eyJ.b.c;info=<https://a/>\r\n", "y: eyJ.b.c\r\n"};
	static const struct caller_config caller = {.number = "2"};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct crossing suppressed = {
			.from = &from, .to = &to, .host = "192.0.2.1", .withhold = true};

		has(cross(fields[i]), "eyJ.b.c");
		has_not(cross_by(&suppressed, fields[i], ""), "eyJ");
		replaced_caller = &caller;
		has_not(cross(fields[i]), "eyJ");
		replaced_caller = NULL;
	}
}

static void a_suppressed_caller_stays_so_within_the_dialog(void **state)
{
	const struct crossing way = {
		.from = &from, .to = &to, .host = "192.0.2.1", .withhold = true};
	const char *text = cross_by(&way,
		PAI "Subject: of Ann\r\nCall-Info: <http://a/>\r\n"
		    "Referred-By: <sip:777@a>\r\n",
		"t");

	(void)state;
	has_not(text, "4912345");
	has_not(text, "sip:777@");
	has_not(text, "Subject");
	has_not(text, "http");
	has(text, "Privacy: id\r\n");
	has(text, "From: \"Ann\" <sip:1@192.0.2.1>"); /* the dialog's */
	to.identity.trusted = true;
	has(cross_by(&way, PAI, "t"), "sip:+4912345");
}

static void a_name_that_is_private_is_not_told_to_the_untrusted(void **state)
{
	static const char *const entries[] = {"Diversion: \"Boss\" <sip:5@a>;privacy=name\r\n",
		"Diversion: \"Boss\" <sip:5@a>;privacy=\"name\"\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		to.identity.trusted = false;
		has(cross(entries[i]), "Diversion: <sip:5@192.0.2.1>");
		to.identity.trusted = true;
		has(cross(entries[i]), "Diversion: \"Boss\" <sip:5@192.0.2.1>");
	}
	to.identity.trusted = false;
	has(cross("Diversion: \"Boss\" <sip:5@a>;privacy=\"off\"\r\n"), "\"Boss\" <sip:5@");
}

static void referred_by_and_user_to_user_cross(void **state)
{
	const char *text = cross("b: \"Boss\" <sip:9@10.0.0.2>\r\n"
				 "User-to-User: 56a390f3d2b7310023a2;encoding=hex;purpose=foo\r\n");

	(void)state;
	has(text, "Referred-By: \"Boss\" <sip:9@192.0.2.1>\r\n");
	has(text, "User-to-User: 56a390f3d2b7310023a2;encoding=hex;purpose=foo\r\n");
}

/* RFC 3261 20: white space, quotes and lists as peers write them. */
static void hostile_values_come_to_nothing_or_something_harmless(void **state)
{
	static const char *const values[] = {",,,", "<", "\"", "\"\\", "<sip:1@a", "<sip:@>",
		"\"a\" <sip:1@[::1]>", "<sip:1@a>,", "<sip:%00@a>", "sip:1@a;x=y", "<tel:>",
		"\"<sip:x@10.0.0.2>\" <sip:1@a>, \"", "<<sip:1@a>>"};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char field[128];

		snprintf(field, sizeof(field), PAI_FIELD ": %s\r\n", values[i]);
		has_not(cross(field), "@a");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(an_asserted_identity_keeps_name_and_number_and_gets_our_host),
		TEST(each_of_several_identities_crosses),
		TEST(an_identity_that_is_no_person_or_no_uri_stays),
		TEST(what_an_untrusted_peer_asserts_is_not_believed),
		TEST(a_peer_that_is_to_have_none_gets_none),
		TEST(a_preferred_identity_of_a_trusted_peer_is_asserted),
		TEST(always_asserts_the_from_where_nothing_else_is),
		TEST(privacy_id_withholds_the_identity_from_the_untrusted_alone),
		TEST(privacy_user_is_provided_by_us_towards_the_untrusted),
		TEST(history_crosses_with_its_indexes_and_reasons),
		TEST(numbers_of_those_on_the_way_take_the_calling_rules),
		TEST(the_entry_that_is_the_request_uri_stays_it),
		TEST(private_history_is_not_told_to_the_untrusted),
		TEST(a_name_that_is_private_is_not_told_to_the_untrusted),
		TEST(a_suppressed_caller_stays_so_within_the_dialog),
		TEST(a_signed_number_crosses_with_that_number_alone),
		TEST(referred_by_and_user_to_user_cross),
		TEST(hostile_values_come_to_nothing_or_something_harmless),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
