/* SPDX-License-Identifier: BSD-2-Clause */
/* REFER that is passed to the other leg (refer: pass), and INVITE with Replaces (RFC 3891). */
#include "test_call_transfer.h"

static char b_invite[TEXT_MAX], request[TEXT_MAX], text_of[TEXT_MAX], extra_of[1200];

static void begin(struct world *w, struct ua *a, struct ua *b)
{
	world_peer_keys[B] = ", refer: pass";
	world_open(w);
	world_peer_keys[B] = "";
	establish(w, a, b, b_invite, "100");
}

/* NOTIFY from A, carried to B; both answer. */
static const char *notify(
	struct world *w, struct ua *a, const char *state, const char *id, const char *fragment)
{
	char extra[256];

	snprintf(extra, sizeof(extra),
		"Event: refer%s\r\nSubscription-State: %s\r\nContent-Type: message/sipfrag\r\n", id,
		state);
	snprintf(text_of, sizeof(text_of),
		"NOTIFY %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=%s;rport\r\n"
		"From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u NOTIFY\r\nMax-Forwards: 70\r\n"
		"Contact: <sip:a@%s:%u>\r\n%sContent-Length: %zu\r\n\r\n%s",
		a->target, host_of[A], w->port[A], new_branch(), a->local, a->remote, a->call_id,
		++a->cseq, host_of[A], w->port[A], extra, strlen(fragment), fragment);
	send_text(w, A, text_of);
	copy_text(request, TEXT_MAX, expect(w, B, "NOTIFY "));
	answer(w, B, request, 200, NULL, NULL);
	expect(w, A, "SIP/2.0 200");
	return request;
}

static void refer_is_passed_and_its_notifys_come_back(void **state)
{
	struct ua a, b;
	struct world w;
	const char *text;
	char line[64];

	(void)state;
	begin(&w, &a, &b);
	say_with(&w, &b, "REFER", 0, new_branch(),
		"Refer-To: <sip:300@127.0.0.2;x=1?Subject=secret>\r\nX-More: kept\r\n", NULL);
	text = expect(&w, A, "REFER ");
	snprintf(line, sizeof(line), "<sip:300@127.0.0.1:%u>", w.listener_port[SIDE_INTERNAL]);
	assert_string_equal(header(text, "Refer-To"), line);
	has(text, ": kept\r\n");
	has_not(text, "127.0.0.2");
	copy_text(request, TEXT_MAX, text);
	answer(&w, A, request, 202, NULL, NULL);
	expect(&w, B, "SIP/2.0 202");
	/* One at a time. */
	refer_with(&w, &b, "<sip:300@127.0.0.2>", "", "SIP/2.0 491");
	text = notify(&w, &a, "active;expires=99999", "",
		"SIP/2.0 180 Ringing\r\nContact: <sip:127.0.0.3>\r\n");
	assert_string_equal(body(text), "SIP/2.0 180 Ringing\r\n");
	has(text, "Event: refer\r\n");
	has(text, "Subscription-State: active;expires=1");
	/* What is no status line may be anything, addresses too. */
	text = notify(&w, &a, "active", "", "Contact: <sip:127.0.0.3>");
	assert_string_equal(body(text), "");
	snprintf(line, sizeof(line), ";id=%lu", strtoul(header(request, "CSeq"), NULL, 10));
	text = notify(&w, &a, "terminated;reason=noresource", ";id=1", "SIP/2.0 200 OK\r\n");
	has(text, "Subscription-State: terminated");
	snprintf(line, sizeof(line), "Event: refer;id=%u\r\n", b.cseq - 1);
	has(text, line);
	assert_string_equal(body(text), "SIP/2.0 200 OK\r\n");
	/* And no more of them. */
	say_with(&w, &a, "NOTIFY", 0, new_branch(),
		"Event: refer\r\nSubscription-State: active\r\n", NULL);
	expect(&w, A, "SIP/2.0 405");
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_number_of_the_other_legs_own_stays_with_it(void **state)
{
	struct ua a, b;
	struct world w;
	char line[64];

	(void)state;
	begin(&w, &a, &b);
	say_with(&w, &b, "REFER", 0, new_branch(),
		"Refer-To: <sip:500@127.0.0.2>\r\nRefer-Sub: false\r\n", NULL);
	copy_text(request, TEXT_MAX, expect(&w, A, "REFER "));
	snprintf(line, sizeof(line), "<sip:500@127.0.0.3:%u>", w.port[A]);
	assert_string_equal(header(request, "Refer-To"), line);
	answer_with(&w, A, request, 200, NULL, "Refer-Sub: false\r\n", NULL);
	has(expect(&w, B, "SIP/2.0 200"), ": false\r\n");
	/* It is over with that: the next one may come. What fails is over as well. */
	say_with(&w, &b, "REFER", 0, new_branch(), "Refer-To: <sip:500@127.0.0.2>\r\n", NULL);
	copy_text(request, TEXT_MAX, expect(&w, A, "REFER "));
	answer(&w, A, request, 603, NULL, NULL);
	expect(&w, B, "SIP/2.0 603");
	bye_from(&w, &b, A);
	world_close(&w);
}

static void where_the_other_leg_takes_no_refer_it_is_done_here(void **state)
{
	struct ua a, b, a2;
	struct world w;

	(void)state;
	world_peer_keys[A] = ", refer: refuse";
	begin(&w, &a, &b);
	world_peer_keys[A] = "";
	refer(&w, &b, "<sip:500@127.0.0.2>");
	copy_text(request, TEXT_MAX, expect(&w, A, "INVITE "));
	take(&a2, A, request, "a2");
	expect_notify(&w, &b, 100);
	answer_final(&w, A, request, 486, "a2", NULL);
	expect_notify(&w, &b, 486);
	bye_from(&w, &b, A);
	world_close(&w);
}

/* ---- INVITE with Replaces ---- */

/* Of A's. */
static void invite_replacing(struct world *w, struct ua *n, const char *call_id, const char *to,
	const char *from, const char *extra, const char *sdp)
{
	invite_replacing_from(w, n, A, call_id, to, from, extra, sdp);
}

static void a_leg_is_taken_over_by_another_of_its_peer(void **state)
{
	struct ua a, b, n;
	struct world w;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	has(header(b_invite, "Supported"), "replaces");
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP("4002", ""));
	text = follow(&w, &b, SDP_B);
	has(body(text), "c=IN IP4 127.0.0.2");
	expect_bye(&w, &a);
	text = expect(&w, A, "SIP/2.0 200");
	has(header(text, "Supported"), "replaces");
	has(body(text), "c=IN IP4 127.0.0.1");
	learn(&n, text);
	ack(&w, &n, 1, NULL);
	run_ms(&w, 2);
	assert_int_equal(live_calls(&w), 1);
	assert_int_equal(media_port(the_call(&w), LEG_A), 4002);
	assert_int_equal(counters(&w).transfers, 1);
	say(&w, &b, "INFO", NULL);
	text = expect(&w, A, "INFO ");
	assert_string_equal(header(text, "Call-ID"), n.call_id);
	answer(&w, A, text, 200, NULL, NULL);
	expect(&w, B, "SIP/2.0 200");
	bye_from(&w, &n, B);
	world_close(&w);
}

/* It is no call more; one with a Replaces of nothing is. */
static void a_leg_is_taken_over_where_no_call_more_is_let_in(void **state)
{
	struct ua a, b, n, more;
	struct world w;

	(void)state;
	world_peer_keys[A] = ", limits: {calls: 1}";
	world_open_with(&w, "limits: {calls: 1}\n");
	world_peer_keys[A] = "";
	establish(&w, &a, &b, b_invite, "100");
	invite_replacing(&w, &more, "unknown@a", a.remote, a.local, "", SDP_A);
	expect_refusal(&w, &more, "SIP/2.0 503");
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP("4002", ""));
	follow(&w, &b, SDP_B);
	expect_bye(&w, &a);
	learn(&n, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &n, 1, NULL);
	invite(&w, &more, "100", SDP_A);
	expect_refusal(&w, &more, "SIP/2.0 503");
	bye_from(&w, &n, B);
	world_close(&w);
}

/* Each leg that comes with another configuration holds that. */
static void a_leg_of_one_configuration_too_many_is_refused_and_the_call_stands(void **state)
{
	struct ua a, b, n, more;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	while (the_call(&w)->held_cfg_count < CALL_CONFIGS_MAX - 1)
		the_call(&w)->held_cfg[the_call(&w)->held_cfg_count++] = config_ref(w.cfg);
	world_reload(&w, "");
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP("4002", ""));
	follow(&w, &b, SDP_B);
	expect_bye(&w, &a);
	learn(&n, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &n, 1, NULL);
	assert_int_equal(the_call(&w)->held_cfg_count, CALL_CONFIGS_MAX);
	world_reload(&w, "");
	invite_replacing(&w, &more, n.call_id, n.remote, n.local, "", SDP("4004", ""));
	expect_refusal(&w, &more, "SIP/2.0 503");
	assert_int_equal(counters(&w).transfers, 1);
	assert_int_equal(counters(&w).transfers_refused, 1);
	expect_nothing(&w, B);
	bye_from(&w, &n, B);
	world_close(&w);
}

/* The 2xx offers what B says; A's end of before is gone. */
static void take_over_without_offer(struct world *w, struct ua *a, struct ua *b, struct ua *n)
{
	const char *text;

	begin(w, a, b);
	invite_replacing(w, n, a->call_id, a->remote, a->local, "", NULL);
	expect_bye(w, a);
	text = expect(w, A, "SIP/2.0 200");
	has(body(text), "c=IN IP4 127.0.0.1\r\n");
	has(body(text), "m=audio ");
	learn(n, text);
}

static void an_invite_without_an_offer_takes_a_leg_over_as_well(void **state)
{
	struct ua a, b, n;
	struct world w;

	(void)state;
	take_over_without_offer(&w, &a, &b, &n);
	expect_nothing(&w, B);
	ack(&w, &n, 1, SDP("4002", ""));
	has(body(follow(&w, &b, SDP_B)), "c=IN IP4 127.0.0.2");
	run_ms(&w, 2);
	assert_int_equal(media_port(the_call(&w), LEG_A), 4002);
	assert_int_equal(media_port(the_call(&w), LEG_B), 5000);
	assert_int_equal(counters(&w).transfers, 1);
	/* Nothing is left open. */
	say(&w, &b, "INVITE", SDP("5002", ""));
	copy_text(request, TEXT_MAX, expect(&w, A, "INVITE "));
	assert_string_equal(header(request, "Call-ID"), n.call_id);
	answer(&w, A, request, 200, NULL, SDP("4002", ""));
	expect(&w, B, "SIP/2.0 200");
	ack(&w, &b, b.cseq - 1, NULL);
	expect(&w, A, "ACK ");
	bye_from(&w, &n, B);
	world_close(&w);
	/* An ACK without an answer. */
	take_over_without_offer(&w, &a, &b, &n);
	ack(&w, &n, 1, NULL);
	expect_bye(&w, &n);
	expect_bye(&w, &b);
	world_close(&w);
}

static void a_far_leg_that_cannot_follow_now_is_asked_again(void **state)
{
	struct ua a, b, n;
	struct world w;

	(void)state;
	take_over_without_offer(&w, &a, &b, &n);
	ack(&w, &n, 1, SDP("4002", ""));
	answer_final(&w, B, expect(&w, B, "INVITE "), 503, NULL, NULL);
	expect_nothing(&w, A);
	follow(&w, &b, SDP_B);
	bye_from(&w, &n, B);
	world_close(&w);
	/* One that will not ends the call. */
	take_over_without_offer(&w, &a, &b, &n);
	ack(&w, &n, 1, SDP("4002", ""));
	answer_final(&w, B, expect(&w, B, "INVITE "), 488, NULL, NULL);
	expect_bye(&w, &n);
	expect_bye(&w, &b);
	world_close(&w);
}

static void who_may_not_take_over_is_refused(void **state)
{
	struct ua a, b, n;
	struct world w;
	const char *refusal;

	(void)state;
	begin(&w, &a, &b);
	invite_replacing(&w, &n, "unknown@a", a.remote, a.local, "", SDP_A);
	expect_refusal(&w, &n, "SIP/2.0 481");
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, ";early-only", SDP_A);
	expect_refusal(&w, &n, "SIP/2.0 486");
	/* B's leg, by its own dialog and by that of the far leg. */
	invite_replacing(&w, &n, b.call_id, b.remote, b.local, "", SDP_A);
	expect_refusal(&w, &n, "SIP/2.0 403");
	invite_replacing(&w, &n, a.call_id, a.local, a.remote, "", SDP_A);
	expect_refusal(&w, &n, "SIP/2.0 403");
	invite_with(&w, &n, "100", "Replaces: nonsense\r\n", SDP_A);
	expect_refusal(&w, &n, "SIP/2.0 400");
	expect_nothing(&w, B);
	bye_from(&w, &a, B);
	/* Over, and not forgotten yet. */
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP_A);
	ack_refusal(&w, &n, receive(&w, A, PATIENCE_MS));
	world_close(&w);
	world_peer_keys[A] = ", replaces: refuse";
	begin(&w, &a, &b);
	world_peer_keys[A] = "";
	/* RFC 3261 8.2.2.3: what is not done here is not to be required. */
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP_A);
	refusal = receive(&w, A, PATIENCE_MS);
	has(refusal, "SIP/2.0 420");
	assert_string_equal(header(refusal, "Unsupported"), "replaces");
	ack_refusal(&w, &n, refusal);
	snprintf(extra_of, sizeof(extra_of), "Replaces: %s;to-tag=%s;from-tag=%s\r\n", a.call_id,
		strstr(a.remote, ";tag=") + 5, strstr(a.local, ";tag=") + 5);
	invite_with(&w, &n, "100", extra_of, SDP_A);
	expect_refusal(&w, &n, "SIP/2.0 403");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_far_leg_that_refuses_leaves_the_call_as_it_was(void **state)
{
	struct ua a, b, n;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP("4002", ""));
	answer_final(&w, B, expect(&w, B, "INVITE "), 488, NULL, NULL);
	expect_refusal(&w, &n, "SIP/2.0 488");
	/* Nobody crosses one that is under way; given up, it is undone. */
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP("4002", ""));
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	refer_with(&w, &a, "<sip:300@127.0.0.1>", "", "SIP/2.0 491");
	answer(&w, B, request, 180, NULL, NULL);
	cancel(&w, &n);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &n, "SIP/2.0 487");
	answer(&w, B, expect(&w, B, "CANCEL "), 200, NULL, NULL);
	answer_final(&w, B, request, 200, NULL, SDP_B);
	follow(&w, &b, SDP("5002", ""));
	assert_int_equal(media_port(call_by_id(w.calls, 1), LEG_A), 4000);
	assert_int_equal(media_port(call_by_id(w.calls, 1), LEG_B), 5002);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void either_leg_may_hang_up_meanwhile(void **state)
{
	struct ua a, b, n;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP("4002", ""));
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	hang_up(&w, &a);
	answer_final(&w, B, request, 200, NULL, SDP_B);
	learn(&n, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &n, 1, NULL);
	bye_from(&w, &b, A);
	world_close(&w);
	begin(&w, &a, &b);
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP("4002", ""));
	copy_text(request, TEXT_MAX, expect(&w, B, "INVITE "));
	hang_up(&w, &b);
	expect_refusal(&w, &n, "SIP/2.0 603");
	expect_bye(&w, &a);
	world_close(&w);
	/* And nobody acknowledges. */
	begin(&w, &a, &b);
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP("4002", ""));
	follow(&w, &b, SDP_B);
	expect_bye(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_bye(&w, &b);
	expect(&w, A, "BYE ");
	world_close(&w);
}

/* B, in two calls with A, refers the one of A's ends to the other. */
static void who_was_referred_may_take_over_what_the_refer_named(void **state)
{
	struct ua a1, b1, a2, b2, n;
	struct world w;
	const char *text, *replaces;
	char call_id[256], *s;

	(void)state;
	begin(&w, &a1, &b1);
	call_to(&w, &a2, B, &b2, "101", "b2", SDP("5002", ""));
	snprintf(extra_of, sizeof(extra_of), "Refer-To: %s\r\n", refer_to_dialog(&b2, "500"));
	say_with(&w, &b1, "REFER", 0, new_branch(), extra_of, NULL);
	copy_text(request, TEXT_MAX, expect(&w, A, "REFER "));
	/* As A knows that dialog, and nothing of B's. */
	replaces = strstr(header(request, "Refer-To"), "?Replaces=");
	assert_non_null(replaces);
	copy_text(call_id, sizeof(call_id), a2.call_id);
	s = strchr(call_id, '@');
	snprintf(text_of, sizeof(text_of),
		"?Replaces=%.*s%%40%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>", (int)(s - call_id),
		call_id, s + 1, strstr(a2.local, ";tag=") + 5, strstr(a2.remote, ";tag=") + 5);
	assert_string_equal(replaces, text_of);
	answer(&w, A, request, 202, NULL, NULL);
	expect(&w, B, "SIP/2.0 202");
	invite_replacing(&w, &n, a2.call_id, a2.local, a2.remote, "", SDP("4004", ""));
	follow(&w, &a2, SDP_A);
	text = expect(&w, A, "SIP/2.0 200");
	learn(&n, text);
	ack(&w, &n, 1, NULL);
	expect_bye(&w, &b2);
	run_ms(&w, 2);
	assert_int_equal(media_port(call_by_id(w.calls, 2), LEG_A), 4000);
	assert_int_equal(media_port(call_by_id(w.calls, 2), LEG_B), 4004);
	bye_from(&w, &b1, A);
	bye_from(&w, &n, A);
	world_close(&w);
}

/* B's ringing end is told that it has missed nothing. */
static void expect_elsewhere(struct world *w)
{
	const char *text = expect(w, B, "CANCEL ");

	has(header(text, "Reason"), "cause=200");
	answer(w, B, text, 200, NULL, NULL);
	answer_final(w, B, b_invite, 487, "b1", NULL);
}

/* B's REFER that names that dialog of its as A gets it, who accepts. */
static void pass_naming(struct world *w, struct ua *b, const struct ua *named, const char *number)
{
	snprintf(extra_of, sizeof(extra_of), "Refer-To: %s\r\n", refer_to_dialog(named, number));
	say_with(w, b, "REFER", 0, new_branch(), extra_of, NULL);
	copy_text(request, TEXT_MAX, expect(w, A, "REFER "));
	answer(w, A, request, 202, NULL, NULL);
	expect(w, B, "SIP/2.0 202");
}

/* B, who is called by A a second time and rings, refers A there. */
static void who_was_referred_may_pick_up_what_rings_with_the_referring_one(void **state)
{
	struct ua a1, b1, a2, b2, n;
	struct world w;
	char named[512];

	(void)state;
	begin(&w, &a1, &b1);
	invite(&w, &a2, "101", SDP("4002", ""));
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b2, B, b_invite, "b2");
	answer(&w, B, b_invite, 180, "b2", NULL);
	learn(&a2, expect(&w, A, "SIP/2.0 180"));
	pass_naming(&w, &b1, &b2, "500");
	snprintf(named, sizeof(named), "to-tag%%3D%s%%3Bfrom-tag%%3D%s>",
		strstr(a2.local, ";tag=") + 5, strstr(a2.remote, ";tag=") + 5);
	has(header(request, "Refer-To"), named);
	invite_replacing(&w, &n, a2.call_id, a2.local, a2.remote, "", SDP("4004", ""));
	expect_elsewhere(&w);
	learn(&a2, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a2, 1, NULL);
	follow(&w, &a2, SDP("4002", ""));
	learn(&n, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &n, 1, NULL);
	run_ms(&w, 2);
	assert_int_equal(media_port(call_by_id(w.calls, 2), LEG_A), 4002);
	assert_int_equal(media_port(call_by_id(w.calls, 2), LEG_B), 4004);
	bye_from(&w, &b1, A);
	bye_from(&w, &n, A);
	world_close(&w);
}

/* RFC 3891 3: A's early dialog with it is none that anybody may take; B's call ends. */
static void a_passed_refer_to_a_call_that_rings_has_its_callee_called_anew(void **state)
{
	struct ua a, b, b2;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	invite_from(&w, &b2, B, "500", "", SDP("5002", ""));
	copy_text(b_invite, TEXT_MAX, expect(&w, A, "INVITE "));
	answer(&w, A, b_invite, 180, "a2", NULL);
	learn(&b2, expect(&w, B, "SIP/2.0 180"));
	snprintf(extra_of, sizeof(extra_of), "Refer-To: %s\r\n", refer_to_dialog(&b2, "500"));
	say_with(&w, &b, "REFER", 0, new_branch(), extra_of, NULL);
	expect_refusal(&w, &b2, "SIP/2.0 487");
	answer(&w, A, expect(&w, A, "CANCEL "), 200, NULL, NULL);
	copy_text(request, TEXT_MAX, expect(&w, A, "REFER "));
	answer_final(&w, A, b_invite, 487, "a2", NULL);
	assert_null(strstr(header(request, "Refer-To"), "Replaces"));
	has(header(request, "Refer-To"), "<sip:500@");
	answer(&w, A, request, 202, NULL, NULL);
	expect(&w, B, "SIP/2.0 202");
	bye_from(&w, &b, A);
	world_close(&w);
}

/* Of a dialog of A's, and of one that is not there, B's REFER goes no further; every call goes on.
 */
static void a_passed_refer_names_ones_own_call_alone(void **state)
{
	struct ua a, b, b2, a2;
	struct world w;

	(void)state;
	begin(&w, &a, &b);
	invite_from(&w, &b2, B, "500", "", SDP("5002", ""));
	copy_text(b_invite, TEXT_MAX, expect(&w, A, "INVITE "));
	take(&a2, A, b_invite, "a2");
	answer(&w, A, b_invite, 180, "a2", NULL);
	learn(&b2, expect(&w, B, "SIP/2.0 180"));
	refer_with(&w, &b, refer_to_dialog(&a2, "500"), "", "SIP/2.0 603");
	refer_with(&w, &b, "<sip:500@127.0.0.2?Replaces=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>", "",
		"SIP/2.0 603");
	expect_nothing(&w, A);
	answer_final(&w, A, b_invite, 200, "a2", SDP("4002", ""));
	expect_answer(&w, &b2, 1);
	bye_from(&w, &b, A);
	world_free(&w);
}

/* ---- call pickup: the leg still rings ---- */

/* A calls B, who rings, and B's other end n asks for the call; early: SDP in the 180, or NULL. */
static void pick_up(struct world *w, struct ua *a, struct ua *b, struct ua *n, const char *early,
	const char *sdp)
{
	world_open(w);
	invite(w, a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(w, B, "INVITE "));
	take(b, B, b_invite, "b1");
	answer(w, B, b_invite, 180, "b1", early);
	expect(w, A, "SIP/2.0 180");
	invite_replacing_from(w, n, B, b->call_id, b->remote, b->local, ";early-only", sdp);
}

static void a_call_that_rings_is_picked_up(void **state)
{
	struct ua a, b, n;
	struct world w;
	const char *text;

	(void)state;
	pick_up(&w, &a, &b, &n, NULL, SDP("5002", ""));
	expect_elsewhere(&w);
	text = expect(&w, A, "SIP/2.0 200");
	has(body(text), "a=inactive\r\n");
	learn(&a, text);
	expect_nothing(&w, A); /* before its ACK */
	ack(&w, &a, 1, NULL);
	text = expect(&w, A, "INVITE ");
	assert_null(strstr(body(text), "a=inactive"));
	answer(&w, A, text, 200, NULL, SDP_A);
	expect(&w, A, "ACK ");
	text = expect(&w, B, "SIP/2.0 200");
	has(body(text), "c=IN IP4 127.0.0.2\r\n");
	learn(&n, text);
	ack(&w, &n, 1, NULL);
	run_ms(&w, 2);
	assert_int_equal(live_calls(&w), 1);
	assert_int_equal(media_port(the_call(&w), LEG_A), 4000);
	assert_int_equal(media_port(the_call(&w), LEG_B), 5002);
	assert_int_equal(counters(&w).answered, 1);
	bye_from(&w, &n, A);
	world_close(&w);
}

static void what_was_said_early_is_the_answer_until_the_new_one_stands(void **state)
{
	struct ua a, b, n;
	struct world w;
	const char *text;

	(void)state;
	/* And without an offer. */
	pick_up(&w, &a, &b, &n, SDP_B, NULL);
	expect_elsewhere(&w);
	text = expect(&w, A, "SIP/2.0 200");
	assert_null(strstr(body(text), "a=inactive"));
	learn(&a, text);
	ack(&w, &a, 1, NULL);
	text = expect(&w, B, "SIP/2.0 200");
	has(body(text), "m=audio ");
	learn(&n, text);
	ack(&w, &n, 1, SDP("5002", ""));
	follow(&w, &a, SDP_A);
	run_ms(&w, 2);
	assert_int_equal(media_port(the_call(&w), LEG_B), 5002);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void who_answers_while_the_call_is_picked_up_is_told_bye(void **state)
{
	struct ua a, b, n;
	struct world w;
	const char *text;

	(void)state;
	pick_up(&w, &a, &b, &n, NULL, SDP("5002", ""));
	expect(&w, B, "CANCEL ");
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect_bye(&w, &b);
	text = expect(&w, A, "SIP/2.0 200");
	learn(&a, text);
	ack(&w, &a, 1, NULL);
	follow(&w, &a, SDP_A);
	expect_answer(&w, &n, 1);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_pickup_that_comes_to_nothing_ends_the_call(void **state)
{
	struct ua a, b, n;
	struct world w;

	(void)state;
	/* The caller hangs up first. */
	pick_up(&w, &a, &b, &n, NULL, SDP("5002", ""));
	expect_elsewhere(&w);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a, 1, NULL);
	copy_text(request, TEXT_MAX, expect(&w, A, "INVITE "));
	hang_up(&w, &a);
	expect_refusal(&w, &n, "SIP/2.0 603");
	world_close(&w);
	/* Who has picked up thinks better of it. */
	pick_up(&w, &a, &b, &n, NULL, SDP("5002", ""));
	expect_elsewhere(&w);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	cancel(&w, &n);
	expect(&w, B, "SIP/2.0 200");
	expect_refusal(&w, &n, "SIP/2.0 487");
	ack(&w, &a, 1, NULL);
	expect_bye(&w, &a);
	world_close(&w);
}

static void a_ringing_leg_is_picked_up_by_its_own_and_on_the_called_side_alone(void **state)
{
	struct ua a, b, n;
	struct world w;

	(void)state;
	/* With an offer that can be used. */
	pick_up(&w, &a, &b, &n, NULL, "v=0\r\nnonsense");
	expect_refusal(&w, &n, "SIP/2.0 400");
	expect_nothing(&w, B);
	expect_nothing(&w, A);
	answer_final(&w, B, b_invite, 200, "b1", SDP_B);
	expect_answer(&w, &a, 1);
	bye_from(&w, &a, B);
	world_close(&w);
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer(&w, B, b_invite, 180, "b1", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	/* RFC 3891 3: the caller has begun this one. */
	invite_replacing(&w, &n, a.call_id, a.remote, a.local, "", SDP_A);
	expect_refusal(&w, &n, "SIP/2.0 481");
	/* Another peer's. */
	invite_replacing(&w, &n, b.call_id, b.remote, b.local, "", SDP_A);
	expect_refusal(&w, &n, "SIP/2.0 403");
	expect_nothing(&w, B);
	cancel(&w, &a);
	world_close(&w);
}

/* A calls B without an offer, and B's other end asks for the call; keys: of B. */
static void pick_up_delayed(
	struct world *w, struct ua *a, struct ua *n, const char *keys, const char *sdp)
{
	struct ua b;

	world_peer_keys[B] = keys;
	world_open(w);
	world_peer_keys[B] = "";
	invite(w, a, "100", NULL);
	copy_text(b_invite, TEXT_MAX, expect(w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer(w, B, b_invite, 180, "b1", *keys ? SDP_B : NULL);
	expect(w, A, "SIP/2.0 180");
	invite_replacing_from(w, n, B, b.call_id, b.remote, b.local, "", sdp);
	expect_elsewhere(w);
}

static void a_call_without_an_offer_is_picked_up(void **state)
{
	/* B has heard no offer, or one of ours. */
	static const char *const keys[] = {"", ", delayed_offer: convert"};
	struct ua a, n;
	struct world w;
	const char *text;

	(void)state;
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		pick_up_delayed(&w, &a, &n, keys[i], SDP("5002", ""));
		/* Nobody is there yet; what A could do is heard in its ACK. */
		text = expect(&w, A, "SIP/2.0 200");
		has(body(text), "m=audio ");
		has(body(text), "a=inactive\r\n");
		learn(&a, text);
		expect_nothing(&w, A);
		ack(&w, &a, 1, SDP("4000", "a=inactive\r\n"));
		assert_null(strstr(body(follow(&w, &a, SDP_A)), "a=inactive"));
		expect_answer(&w, &n, 1);
		run_ms(&w, 2);
		assert_int_equal(media_port(the_call(&w), LEG_A), 4000);
		assert_int_equal(media_port(the_call(&w), LEG_B), 5002);
		assert_false(the_call(&w)->held);
		bye_from(&w, &n, A);
		world_close(&w);
	}
}

static void nobody_has_made_an_offer_when_the_call_is_picked_up(void **state)
{
	struct ua a, n;
	struct world w;
	const char *text;

	(void)state;
	pick_up_delayed(&w, &a, &n, "", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a, 1, SDP("4000", "a=inactive\r\n"));
	text = expect(&w, B, "SIP/2.0 200");
	assert_null(strstr(body(text), "a=inactive"));
	learn(&n, text);
	ack(&w, &n, 1, SDP("5002", ""));
	follow(&w, &a, SDP_A);
	run_ms(&w, 2);
	assert_int_equal(media_port(the_call(&w), LEG_A), 4000);
	assert_int_equal(media_port(the_call(&w), LEG_B), 5002);
	bye_from(&w, &a, B);
	world_close(&w);
	/* The caller's ACK has no answer. */
	pick_up_delayed(&w, &a, &n, "", SDP("5002", ""));
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a, 1, NULL);
	expect_bye(&w, &a);
	expect_refusal(&w, &n, "SIP/2.0 603");
	world_close(&w);
}

static void an_offer_that_waits_for_its_prack_is_not_picked_up(void **state)
{
	struct ua a, b, n;
	struct world w;

	(void)state;
	world_open(&w);
	invite_with(&w, &a, "100", "Supported: 100rel\r\n", NULL);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer_reliably(&w, B, b_invite, 183, "b1", 1, SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 183"));
	invite_replacing_from(&w, &n, B, b.call_id, b.remote, b.local, "", SDP("5002", ""));
	expect_refusal(&w, &n, "SIP/2.0 491");
	expect_nothing(&w, B);
	cancel(&w, &a);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refer_is_passed_and_its_notifys_come_back),
		cmocka_unit_test(a_number_of_the_other_legs_own_stays_with_it),
		cmocka_unit_test(where_the_other_leg_takes_no_refer_it_is_done_here),
		cmocka_unit_test(a_leg_is_taken_over_by_another_of_its_peer),
		cmocka_unit_test(a_leg_is_taken_over_where_no_call_more_is_let_in),
		cmocka_unit_test(
			a_leg_of_one_configuration_too_many_is_refused_and_the_call_stands),
		cmocka_unit_test(an_invite_without_an_offer_takes_a_leg_over_as_well),
		cmocka_unit_test(a_far_leg_that_cannot_follow_now_is_asked_again),
		cmocka_unit_test(who_may_not_take_over_is_refused),
		cmocka_unit_test(a_far_leg_that_refuses_leaves_the_call_as_it_was),
		cmocka_unit_test(either_leg_may_hang_up_meanwhile),
		cmocka_unit_test(who_was_referred_may_take_over_what_the_refer_named),
		cmocka_unit_test(who_was_referred_may_pick_up_what_rings_with_the_referring_one),
		cmocka_unit_test(a_passed_refer_to_a_call_that_rings_has_its_callee_called_anew),
		cmocka_unit_test(a_passed_refer_names_ones_own_call_alone),
		cmocka_unit_test(a_call_that_rings_is_picked_up),
		cmocka_unit_test(what_was_said_early_is_the_answer_until_the_new_one_stands),
		cmocka_unit_test(a_call_without_an_offer_is_picked_up),
		cmocka_unit_test(nobody_has_made_an_offer_when_the_call_is_picked_up),
		cmocka_unit_test(an_offer_that_waits_for_its_prack_is_not_picked_up),
		cmocka_unit_test(who_answers_while_the_call_is_picked_up_is_told_bye),
		cmocka_unit_test(a_pickup_that_comes_to_nothing_ends_the_call),
		cmocka_unit_test(
			a_ringing_leg_is_picked_up_by_its_own_and_on_the_called_side_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
