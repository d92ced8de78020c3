/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers that go back to the peer that asks for them (refer: back). */
#include "test_call_transfer.h"

#include "call/refer_to.h"
#include "peer/internal.h"

/* As Microsoft Teams has them: no user part, parameters of its own, escapes. */
#define TEAMS_URI                                                                                  \
	"sip:sip.pstnhub.microsoft.com:5061;transport=tls;x-m=8:orgid:fce2158f-0e99-4ff7-a0b3-"    \
	"5b6b87d16689;x-t=2d88cb42;x-ti=9cfa2ad6;x-tt=aHR0cHM6Ly9hcGk%3d%3D;X-Odd"
#define TEAMS_BY                                                                                   \
	"<sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:bdc0511a-4a8d-48aa-bf1d-5ea6ef316e2a;"    \
	"x-t=2d88cb42;x-ti=9cfa2ad6;x-tt=aHR0cHM6Ly9hcGk%3D>;x-Own=%3b"
#define GROUP "groups: [{name: g, members: [{peer: c, priority: 1}, {peer: b, priority: 2}]}]\n"

static char b_invite[TEXT_MAX], target[TEXT_MAX];
static struct call_transfer noted;

/* Of a call that was transferred. */
static void on_transfer(void *ctx, const struct call_record *record)
{
	(void)ctx;
	if (record->transfer_count)
		noted = record->transfer[0];
}

/* By its rules the URI's host would be a number of A's, and none that it could be sent. */
static void begin_with(struct world *w, struct ua *a, struct ua *b, const char *extra)
{
	world_peer_keys[B] = ", refer: back, numbers: {called_in: [{match: '.*', replace: '5$0'}], "
			     "called_out: [{match: 'sip(x?).*', replace: '$1'}], "
			     "calling_out: [{match: '1000', replace: '+491000'}]}";
	world_open_with(w, extra);
	world_peer_keys[B] = "";
	calls_set_recorder(w->calls, on_transfer, NULL);
	memset(&noted, 0, sizeof(noted));
	establish(w, a, b, b_invite, "100");
}

static void begin(struct world *w, struct ua *a, struct ua *b)
{
	begin_with(w, a, b, "");
}

/* B is asked to be called at that, and is: *again, which rings. */
static void refer_and_ring(
	struct world *w, struct ua *b, const char *refer_to, const char *extra, struct ua *again)
{
	refer_with(w, b, refer_to, extra, "SIP/2.0 202");
	copy_text(target, TEXT_MAX, expect(w, B, "INVITE "));
	take(again, B, target, "b2");
	expect_notify(w, b, 100);
	answer(w, B, target, 180, "b2", NULL);
	expect_notify(w, b, 180);
}

/* It answers: A is led to it, and both can say so. */
static void joined(struct world *w, struct ua *a, struct ua *b, struct ua *again)
{
	const char *text;

	answer_final(w, B, target, 200, "b2", SDP_C);
	follow(w, a, SDP_A);
	expect_notify(w, b, 200);
	expect_bye(w, b);
	run_ms(w, 2);
	assert_int_equal(live_calls(w), 1);
	assert_int_equal(media_port(the_call(w), LEG_A), 4000);
	assert_int_equal(media_port(the_call(w), LEG_B), 6000);
	say(w, again, "INFO", NULL);
	text = expect(w, A, "INFO ");
	assert_string_equal(header(text, "Call-ID"), a->call_id);
	answer(w, A, text, 200, NULL, NULL);
	expect(w, B, "SIP/2.0 200");
	bye_from(w, a, B);
	assert_int_equal(counters(w).transfers, 1);
}

static void starts(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)) != 0)
		fail_msg("expected '%s' first in:\n%s", start, text);
}

static void the_uri_and_referred_by_come_back_to_the_letter(void **state)
{
	struct ua a, b, again;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	has(header(b_invite, "Allow"), "REFER");
	refer_and_ring(&w, &b, "\"A <sip:x>\" <" TEAMS_URI ">;own=1",
		"Referred-By: " TEAMS_BY "\r\n", &again);
	starts(target, "INVITE " TEAMS_URI " SIP/2.0\r\n");
	assert_string_equal(header(target, "To"), "<" TEAMS_URI ">");
	assert_string_equal(header(target, "Referred-By"), TEAMS_BY);
	/* The caller's number goes by the rules, as ever. */
	has(header(target, "From"), "sip:+491000@");
	has_not(target, "Replaces: ");
	joined(&w, &a, &b, &again);
	world_close(&w);
	assert_string_equal(noted.kind, "blind");
	assert_string_equal(noted.to, "sip.pstnhub.microsoft.com");
	assert_int_equal(noted.by, 'b');
	assert_int_equal(noted.code, 200);
}

static void nothing_is_said_of_who_refers_unless_it_says_so(void **state)
{
	struct ua a, b, again;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &b, "sip:what?ever@127.0.0.4:5061;of=the-header-field", "", &again);
	starts(target, "INVITE sip:what?ever@127.0.0.4:5061 SIP/2.0\r\n");
	has_not(target, "Referred-By");
	joined(&w, &a, &b, &again);
	world_close(&w);
	assert_string_equal(noted.to, "what?ever");
}

static void header_fields_of_the_uri_are_no_part_of_it(void **state)
{
	struct ua a, b, again;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	refer_and_ring(&w, &b,
		"<sip:127.0.0.4;x=1?Replaces=theirs%40there%3Bto-tag%3Dt%3Bfrom-tag%3Df&"
		"Subject=x%0d%0aRoute:%20evil>",
		"b: <sip:me@there>\r\n", &again);
	starts(target, "INVITE sip:127.0.0.4;x=1 SIP/2.0\r\n");
	/* Of a dialog that its peer alone knows. */
	assert_string_equal(header(target, "Replaces"), "theirs@there;to-tag=t;from-tag=f");
	assert_string_equal(header(target, "Referred-By"), "<sip:me@there>");
	has_not(target, "evil");
	joined(&w, &a, &b, &again);
	world_close(&w);
}

static void replaces_of_a_call_of_ours_joins_it_here(void **state)
{
	struct ua a, b, a2, b2;
	struct world w;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	call_to(&w, &a2, B, &b2, "101", "bb", SDP("5002", ""));
	refer(&w, &b, refer_to_dialog(&b2, "100"));
	expect_notify(&w, &b, 100);
	text = expect(&w, A, "INVITE ");
	assert_string_equal(header(text, "Call-ID"), a2.call_id);
	answer(&w, A, text, 200, NULL, SDP("4002", ""));
	expect(&w, A, "ACK ");
	follow(&w, &a, SDP_A);
	/* Both of its dialogs end; no INVITE has come to it. */
	expect_bye(&w, &b2);
	expect_notify(&w, &b, 200);
	expect_bye(&w, &b);
	bye_from(&w, &a, A);
	world_close(&w);
}

/* Whether C has the INVITE, else B, for that host. */
static void goes_to(const char *extra, const char *refer_to, enum who who)
{
	struct ua a, b;
	struct world w;

	begin_with(&w, &a, &b, extra);
	refer(&w, &b, refer_to);
	copy_text(target, TEXT_MAX, expect(&w, who, "INVITE "));
	assert_false(the_call(&w)->emergency);
	assert_memory_equal(target + strlen("INVITE "), refer_to + 1, strlen(refer_to) - 2);
	expect_notify(&w, &b, 100);
	answer_final(&w, who, target, 486, "x", NULL);
	expect_notify(&w, &b, 486);
	expect_nothing(&w, B);
	expect_nothing(&w, C);
	assert_int_equal(counters(&w).transfers_failed, 1);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void it_goes_to_the_peer_or_one_of_its_groups_and_nowhere_else(void **state)
{
	(void)state;
	goes_to(GROUP, "<sip:127.0.0.5;x=1>", C);
	goes_to(GROUP, "<sip:127.0.0.4;x=1>", B);
	goes_to(GROUP, "<sip:127.0.0.9;x=1>", B);
	goes_to(GROUP, "<sip:elsewhere.example>", B);
	/* C is nothing to B, nor is A, in whatever group. */
	goes_to("", "<sip:127.0.0.5;x=1>", B);
	goes_to("groups: [{name: g, members: [{peer: c}, {peer: a}]}]\n", "<sip:127.0.0.5>", B);
	goes_to(GROUP, "<sip:500@127.0.0.3>", B);
	/* No emergency: it would pass limits. */
	goes_to("emergency: ['112']\n", "<sip:112@127.0.0.4>", B);
}

/* C, of its group, is as B is. */
static void begin_with_two(struct world *w, struct ua *a, struct ua *b)
{
	world_peer_keys[C] = ", refer: back";
	begin_with(w, a, b, GROUP);
	world_peer_keys[C] = "";
}

/* The INVITE has come to the other one, for that host, who takes it. */
static void next_takes_it(
	struct world *w, struct ua *a, struct ua *b, enum who who, const char *line)
{
	starts(target, line);
	assert_string_equal(header(target, "Referred-By"), "<sip:me@there>");
	answer_final(w, who, target, 200, "c1", SDP_C);
	follow(w, a, SDP_A);
	expect_notify(w, b, 200);
	expect_bye(w, b);
	run_ms(w, 2);
	assert_int_equal(media_port(the_call(w), LEG_B), 6000);
	bye_from(w, a, who);
	assert_int_equal(counters(w).transfers, 1);
}

static void what_its_peer_does_not_take_goes_to_the_next_of_its_group(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	begin_with_two(&w, &a, &b);
	refer_with(&w, &b, "<sip:127.0.0.4;x=1>", "Referred-By: <sip:me@there>\r\n", "SIP/2.0 202");
	copy_text(target, TEXT_MAX, expect(&w, B, "INVITE "));
	expect_notify(&w, &b, 100);
	answer_final(&w, B, target, 503, "b2", NULL);
	copy_text(target, TEXT_MAX, expect(&w, C, "INVITE "));
	next_takes_it(&w, &a, &b, C, "INVITE sip:127.0.0.4;x=1 SIP/2.0\r\n");
	assert_int_equal(counters(&w).failovers, 1);
	world_close(&w);
}

static void a_peer_that_takes_no_calls_is_passed_over_for_the_next_of_its_group(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	begin_with_two(&w, &a, &b);
	peer_set_command((struct peer *)(uintptr_t)peer_by_name(w.calls->peers, "c"), PEER_BLOCK);
	refer_with(&w, &b, "<sip:127.0.0.5;x=1>", "Referred-By: <sip:me@there>\r\n", "SIP/2.0 202");
	copy_text(target, TEXT_MAX, expect(&w, B, "INVITE "));
	expect_notify(&w, &b, 100);
	next_takes_it(&w, &a, &b, B, "INVITE sip:127.0.0.5;x=1 SIP/2.0\r\n");
	expect_nothing(&w, C);
	world_close(&w);
}

/* B has itself called, and takes no call. */
static void refer_and_refuse(struct world *w, struct ua *b)
{
	refer(w, b, "<sip:127.0.0.4;x=1>");
	copy_text(target, TEXT_MAX, expect(w, B, "INVITE "));
	expect_notify(w, b, 100);
	answer_final(w, B, target, 503, "b2", NULL);
}

/* What it says means nothing to a peer that stands there for another reason. */
static void one_without_refer_back_is_no_next_one(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	begin_with(&w, &a, &b, GROUP);
	refer_and_refuse(&w, &b);
	expect_notify(&w, &b, 503);
	expect_nothing(&w, C);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_group_without_the_one_that_refers_has_no_next_one(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	world_peer_keys[C] = ", refer: back";
	begin_with(&w, &a, &b, "groups: [{name: g, members: [{peer: c}, {peer: a}]}]\n");
	world_peer_keys[C] = "";
	refer_and_refuse(&w, &b);
	expect_notify(&w, &b, 503);
	expect_nothing(&w, C);
	bye_from(&w, &b, A);
	world_close(&w);
}

/* One that is failing comes after the others of its priority alone. */
static void those_of_its_group_are_next_by_priority_and_cost(void **state)
{
	static const char *const lower[] = {"priority: 1", "priority: 0, cost: 1"};
	char groups[256];
	struct ua a, b;
	struct world w;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(groups, sizeof(groups),
			"groups: [{name: g, members: [{peer: c, priority: 0}, {peer: a, %s}, "
			"{peer: b, priority: 2}]}]\n",
			lower[i]);
		world_peer_keys[A] = world_peer_keys[C] = ", refer: back";
		begin_with(&w, &a, &b, groups);
		world_peer_keys[A] = world_peer_keys[C] = "";
		fact_set(peer_by_name(calls_peers(w.calls), "c"), FACT_FAILING, "x");
		refer_and_refuse(&w, &b);
		answer_final(&w, C, expect(&w, C, "INVITE "), 486, "c1", NULL);
		expect_notify(&w, &b, 486);
		bye_from(&w, &b, A);
		world_close(&w);
	}
}

/* A URI in brackets, of so many bytes. */
static char *long_value(char *out, int bytes)
{
	static const char start[] = "<sip:127.0.0.4;x=";

	sprintf(out, "%s%0*d>", start, bytes - (int)sizeof(start), 1);
	return out;
}

static void what_cannot_come_back_is_refused(void **state)
{
	static const struct {
		const char *refer_to, *extra, *answer;
	} bad[] = {
		{"<sips:127.0.0.4;x=1>", "", "SIP/2.0 603"},
		{"<http://127.0.0.4>", "", "SIP/2.0 603"},
		{"<sip:127.0.0.4;method=BYE>", "", "SIP/2.0 603"},
		{"<sip:127.0.0.4;x=a b>", "", "SIP/2.0 400"},
		{"<sip:127.0.0.4;x=\x7f>", "", "SIP/2.0 400"},
		{"<sip:127.0.0.4;x=\xc3\xa4>", "", "SIP/2.0 400"},
		{"<sip:127.0.0.4>\r\nRefer-To: <sip:127.0.0.4>", "", "SIP/2.0 400"},
		{"<sip:127.0.0.4?Replaces=a%0d%0aX:%20y%3Bto-tag%3Dt%3Bfrom-tag%3Df>", "",
			"SIP/2.0 400"},
		{"<sip:127.0.0.4?Replaces=a%3Bto-tag%3Dt%3Bfrom-tag%3Df%0d%0aX:%20y>", "",
			"SIP/2.0 400"},
		{"<sip:127.0.0.4>", "Referred-By: <sip:a@b>\r\nReferred-By: <sip:c@d>\r\n",
			"SIP/2.0 400"},
	};
	static char longest[REFER_TO_MAX + 64];
	struct ua a, b;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refer_with(&w, &b, bad[i].refer_to, bad[i].extra, bad[i].answer);
	refer_with(&w, &b, long_value(longest, REFER_TO_MAX + 1), "", "SIP/2.0 400");
	strcpy(longest, "Referred-By: ");
	long_value(longest + strlen(longest), REFER_TO_MAX + 1);
	refer_with(&w, &b, "<sip:127.0.0.4>", strcat(longest, "\r\n"), "SIP/2.0 400");
	expect_nothing(&w, B);
	assert_int_equal(live_calls(&w), 1);
	bye_from(&w, &b, A);
	world_close(&w);
}

/* Of the REFER and of its sender. */
static void values_at_their_limit_are_taken(void **state)
{
	static char longest[REFER_TO_MAX + 64], by[REFER_TO_MAX + 64];
	struct ua a, b;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	long_value(longest, REFER_TO_MAX);
	strcpy(by, "Referred-By: ");
	long_value(by + strlen(by), REFER_TO_MAX);
	strcat(by, "\r\n");
	refer_with(&w, &b, longest, by, "SIP/2.0 202");
	expect_notify(&w, &b, 100);
	copy_text(target, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_int_equal(strcspn(target, "\r"), strlen("INVITE  SIP/2.0") + REFER_TO_MAX - 2);
	has(target, by);
	answer_final(&w, B, target, 486, "b2", NULL);
	expect_notify(&w, &b, 486);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_uri_too_long_for_the_dialog_is_whole_in_the_request_line(void **state)
{
	static char refer_to[1300], line[1300];
	struct ua a, b, again;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	snprintf(refer_to, sizeof(refer_to), "<sip:127.0.0.4:5061;x-tt=%01200d>", 1);
	snprintf(line, sizeof(line), "INVITE sip:127.0.0.4:5061;x-tt=%01200d SIP/2.0\r\n", 1);
	refer(&w, &b, refer_to);
	expect_notify(&w, &b, 100);
	/* Too long for UDP, too: it comes when nobody takes it by TCP. */
	copy_text(target, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&again, B, target, "b2");
	starts(target, line);
	assert_string_equal(header(target, "To"), "<sip:127.0.0.4:5061>");
	joined(&w, &a, &b, &again);
	world_close(&w);
}

static void a_refer_is_not_passed_to_a_peer_that_has_its_own_back(void **state)
{
	struct ua a, b, c;
	struct world w;

	(void)state;
	world_peer_keys[A] = ", refer: pass";
	begin(&w, &a, &b);
	world_peer_keys[A] = "";
	refer(&w, &a, "<sip:300@127.0.0.1>");
	copy_text(target, TEXT_MAX, expect(&w, C, "INVITE "));
	take(&c, C, target, "c1");
	expect_notify(&w, &a, 100);
	answer_final(&w, C, target, 486, "c1", NULL);
	expect_notify(&w, &a, 486);
	expect_nothing(&w, B);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_peer_that_is_blocked_is_not_called_back(void **state)
{
	struct ua a, b;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	peer_set_command((struct peer *)(uintptr_t)peer_by_name(w.calls->peers, "b"), PEER_BLOCK);
	refer(&w, &b, "<" TEAMS_URI ">");
	expect_notify(&w, &b, 100);
	expect_notify(&w, &b, 403);
	bye_from(&w, &b, A);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_uri_and_referred_by_come_back_to_the_letter),
		cmocka_unit_test(nothing_is_said_of_who_refers_unless_it_says_so),
		cmocka_unit_test(header_fields_of_the_uri_are_no_part_of_it),
		cmocka_unit_test(replaces_of_a_call_of_ours_joins_it_here),
		cmocka_unit_test(it_goes_to_the_peer_or_one_of_its_groups_and_nowhere_else),
		cmocka_unit_test(what_its_peer_does_not_take_goes_to_the_next_of_its_group),
		cmocka_unit_test(
			a_peer_that_takes_no_calls_is_passed_over_for_the_next_of_its_group),
		cmocka_unit_test(one_without_refer_back_is_no_next_one),
		cmocka_unit_test(a_group_without_the_one_that_refers_has_no_next_one),
		cmocka_unit_test(those_of_its_group_are_next_by_priority_and_cost),
		cmocka_unit_test(what_cannot_come_back_is_refused),
		cmocka_unit_test(values_at_their_limit_are_taken),
		cmocka_unit_test(a_uri_too_long_for_the_dialog_is_whole_in_the_request_line),
		cmocka_unit_test(a_refer_is_not_passed_to_a_peer_that_has_its_own_back),
		cmocka_unit_test(a_peer_that_is_blocked_is_not_called_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
