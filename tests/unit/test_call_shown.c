/* SPDX-License-Identifier: BSD-2-Clause */
/* What a caller is shown before the answer, and what a callee is offered where the caller has not
 * offered: forks folded, early media and ringing as set, delayed offers converted. */
#include "test_call_world.h"

#define SDP_TWO                                                                                    \
	"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"                \
	"m=audio 5000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"

static char b_invite[TEXT_MAX], seen[TEXT_MAX], told[TEXT_MAX];

static struct session_config *session_of(struct world *w, enum who who)
{
	return &w->cfg->peer[who].session;
}

static void begin(struct world *w, struct ua *a, struct ua *b, const char *sdp)
{
	invite(w, a, "100", sdp);
	copy_text(b_invite, TEXT_MAX, expect(w, B, "INVITE "));
	take(b, B, b_invite, "b1");
}

/* B answers with that tag, A is answered and acknowledges. */
static void answered(struct world *w, struct ua *a, const char *tag, const char *sdp)
{
	answer_final(w, B, b_invite, 200, tag, sdp);
	copy_text(seen, TEXT_MAX, expect(w, A, "SIP/2.0 200"));
	learn(a, seen);
	ack(w, a, 1, NULL);
}

static struct addr remote_of(struct world *w, enum leg leg)
{
	struct media_stream_info info;

	assert_int_equal(media_stream_info(call_media(the_call(w)), 0, &info), 0);
	return info.leg[leg].remote;
}

static void branches_are_folded_into_one_dialog(void **state)
{
	char to[512];
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, A)->forking = FORKING_FOLD;
	begin(&w, &a, &b, SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 180"));
	copy_text(to, sizeof(to), header(seen, "To"));
	learn(&a, seen);
	answer(&w, B, b_invite, 183, "b2", SDP_B);
	assert_string_equal(header(expect(&w, A, "SIP/2.0 183"), "To"), to);
	/* The last that spoke has the dialog. */
	say(&w, &a, "INFO", NULL);
	copy_text(seen, TEXT_MAX, expect(&w, B, "INFO "));
	has(seen, ";tag=b2");
	answer(&w, B, seen, 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	/* And whoever asks something in his. */
	say(&w, &b, "INFO", NULL);
	answer(&w, A, expect(&w, A, "INFO "), 200, NULL, NULL);
	expect(&w, B, "SIP/2.0 200");
	answer(&w, B, b_invite, 182, "b1", NULL);
	assert_string_equal(header(expect(&w, A, "SIP/2.0 182"), "To"), to);
	answered(&w, &a, "b1", SDP_B);
	assert_string_equal(header(seen, "To"), to);
	expect_nothing(&w, A); /* it was told no other answer */
	bye_from(&w, &a, B);
	world_close(&w);
}

/* As after a restart with another configuration. */
static void a_branch_that_lost_its_dialog_and_is_folded_no_more_answers_in_a_new_one(void **state)
{
	char to[512];
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, A)->forking = FORKING_FOLD;
	begin(&w, &a, &b, SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	copy_text(to, sizeof(to), header(expect(&w, A, "SIP/2.0 180"), "To"));
	answer(&w, B, b_invite, 182, "b2", NULL);
	expect(&w, A, "SIP/2.0 182");
	session_of(&w, A)->forking = FORKING_PASS;
	answered(&w, &a, "b1", SDP_B);
	has(header(seen, "To"), ";tag=");
	assert_string_not_equal(header(seen, "To"), to);
	hang_up(&w, &b);
	copy_text(seen, TEXT_MAX, expect(&w, A, "BYE "));
	assert_string_equal(header(seen, "From"), a.remote);
	answer(&w, A, seen, 200, NULL, NULL);
	world_close(&w);
}

static void the_answer_of_another_branch_is_offered_again(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, A)->forking = FORKING_FOLD;
	begin(&w, &a, &b, SDP_A);
	answer(&w, B, b_invite, 183, "b1", SDP("5000", "a=sendonly\r\n"));
	expect(&w, A, "SIP/2.0 183");
	answered(&w, &a, "b2", SDP("6000", ""));
	assert_int_equal(remote_of(&w, LEG_B).port, 6000);
	copy_text(seen, TEXT_MAX, expect(&w, A, "INVITE "));
	has_not(seen, "a=sendonly");
	answer_final(&w, A, seen, 200, NULL, SDP_A);
	expect_nothing(&w, B);
	assert_int_equal(remote_of(&w, LEG_B).port, 6000);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_request_under_way_ends_with_its_branchs_turn(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, A)->forking = FORKING_FOLD;
	begin(&w, &a, &b, SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	say(&w, &a, "INFO", NULL);
	expect(&w, B, "INFO ");
	answer(&w, B, b_invite, 182, "b2", NULL);
	expect(&w, A, "SIP/2.0 481");
	expect(&w, A, "SIP/2.0 182");
	say(&w, &b, "INFO", NULL); /* b1 again, and unanswered */
	expect(&w, A, "INFO ");
	answer(&w, B, b_invite, 200, "b2", SDP_B);
	expect(&w, B, "SIP/2.0 481");
	expect(&w, B, "ACK ");
	expect_answer(&w, &a, 1);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void folded_and_reliable(void **state)
{
	struct world w;
	struct ua a, b;
	unsigned rseq;

	(void)state;
	world_open(&w);
	session_of(&w, A)->forking = FORKING_FOLD;
	invite_with(&w, &a, "100", "Require: 100rel\r\n", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	has(header(b_invite, "Supported"), "100rel");
	has_not(b_invite, "Require");
	answer_reliably(&w, B, b_invite, 180, "b1", 50, NULL);
	expect(&w, B, "PRACK ");
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 180"));
	rseq = (unsigned)strtoul(header(seen, "RSeq"), NULL, 10);
	learn(&a, seen);
	/* The next branch's waits behind the one that is not acknowledged. */
	answer_reliably(&w, B, b_invite, 183, "b2", 9, SDP_B);
	expect(&w, B, "PRACK ");
	expect_nothing(&w, A);
	prack(&w, &a, rseq, NULL);
	expect(&w, A, "SIP/2.0 200");
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 183"));
	assert_int_equal(strtoul(header(seen, "RSeq"), NULL, 10), rseq + 1);
	prack(&w, &a, rseq + 1, NULL);
	expect(&w, A, "SIP/2.0 200");
	answered(&w, &a, "b2", NULL);
	bye_from(&w, &a, B);
	world_close(&w);
}

/* One 2xx waits for the PRACK: who has answered as well hears ACK and BYE, ACK alone where it says
 * so again, and is not who the caller is given. */
static void who_was_told_bye_while_another_waits_is_not_taken(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, A)->forking = FORKING_FOLD;
	invite_with(&w, &a, "100", "Require: 100rel\r\n", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, b_invite, "b1");
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 183"));
	learn(&a, seen);
	answer(&w, B, b_invite, 200, "b1", SDP_B);
	answer(&w, B, b_invite, 200, "b2", SDP_B);
	has(header(expect(&w, B, "ACK "), "To"), "tag=b2");
	copy_text(told, TEXT_MAX, expect(&w, B, "BYE "));
	has(header(told, "To"), "tag=b2");
	answer(&w, B, told, 200, NULL, NULL);
	for (unsigned i = 0; i < 2; i++) {
		answer(&w, B, b_invite, 200, "b2", SDP_B);
		has(header(expect(&w, B, "ACK "), "To"), "tag=b2");
		expect_nothing(&w, A);
	}
	prack(&w, &a, (unsigned)strtoul(header(seen, "RSeq"), NULL, 10), NULL);
	has(header(expect(&w, A, "SIP/2.0 200"), "CSeq"), "PRACK");
	has(header(expect(&w, A, "SIP/2.0 200"), "CSeq"), "INVITE");
	ack(&w, &a, 1, NULL);
	has(header(expect(&w, B, "ACK "), "To"), "tag=b1");
	hang_up(&w, &a);
	copy_text(told, TEXT_MAX, expect(&w, B, "BYE "));
	has(header(told, "To"), "tag=b1");
	answer(&w, B, told, 200, NULL, NULL);
	world_close(&w);
}

static void early_dialogs_have_a_limit_by_peer(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->early_dialogs_max = 2;
	begin(&w, &a, &b, SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	expect(&w, A, "SIP/2.0 180");
	answer(&w, B, b_invite, 180, "b2", NULL);
	expect(&w, A, "SIP/2.0 180");
	answer(&w, B, b_invite, 180, "b3", NULL);
	expect_nothing(&w, A);
	assert_int_equal(w.calls->counters.early_dialogs_refused, 1);
	answered(&w, &a, "b3", SDP_B); /* but whoever answers is heard */
	bye_from(&w, &a, B);
	world_close(&w);
}

static void early_media_can_be_blocked_by_either_peer(void **state)
{
	static const struct {
		enum who who;
		const char *sdp;
	} cases[] = {{A, SDP_B}, {B, SDP_B}, {A, NULL}};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct dataplane_status flows;
		struct world w;
		struct ua a, b;

		world_open(&w);
		session_of(&w, cases[i].who)->early_media = EARLY_MEDIA_BLOCK;
		begin(&w, &a, &b, SDP_A);
		answer(&w, B, b_invite, 183, "b1", SDP_B);
		has_not(expect(&w, A, "SIP/2.0 180"), "m=audio");
		answer(&w, B, b_invite, 183, "b1", NULL); /* without media nothing is blocked */
		expect(&w, A, "SIP/2.0 183");
		dataplane_status(media_dataplane(calls_media(w.calls)), &flows);
		assert_int_equal(flows.flows, 0);
		answered(&w, &a, "b1", cases[i].sdp);
		has(seen, "m=audio");
		bye_from(&w, &a, B);
		world_close(&w);
	}
}

static void a_blocked_reliable_answer_comes_with_the_2xx(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, A)->early_media = EARLY_MEDIA_BLOCK;
	invite_with(&w, &a, "100", "Supported: 100rel\r\n", SDP_A);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_reliably(&w, B, b_invite, 183, "b1", 3, SDP_B);
	expect(&w, B, "PRACK ");
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 180"));
	has_not(seen, "m=audio");
	has(seen, "RSeq: ");
	learn(&a, seen);
	prack(&w, &a, (unsigned)strtoul(header(seen, "RSeq"), NULL, 10), NULL);
	expect(&w, A, "SIP/2.0 200");
	answered(&w, &a, "b1", NULL);
	has(seen, "m=audio");
	(void)b;
	bye_from(&w, &a, B);
	world_close(&w);
}

static void ringing_is_told_as_the_caller_likes_it(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, A)->ringing = RINGING_180_TO_183;
	begin(&w, &a, &b, SDP_A);
	answer(&w, B, b_invite, 180, "b1", NULL);
	expect(&w, A, "SIP/2.0 183 Session Progress");
	answered(&w, &a, "b1", SDP_B);
	bye_from(&w, &a, B);
	session_of(&w, A)->ringing = RINGING_183_TO_180;
	begin(&w, &a, &b, SDP_A);
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	has(expect(&w, A, "SIP/2.0 180 Ringing"), "m=audio");
	answer(&w, B, b_invite, 182, "b1", NULL);
	expect(&w, A, "SIP/2.0 182");
	answered(&w, &a, "b1", SDP_B);
	bye_from(&w, &a, B);
	world_close(&w);
}

/* ---- delayed offers ---- */

static void a_peer_that_wants_an_offer_gets_one(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->delayed_offer = DELAYED_OFFER_CONVERT;
	begin(&w, &a, &b, NULL);
	has(b_invite, "RTP/AVP 8 0 101\r\n");
	has(b_invite, "a=rtpmap:8 PCMA/8000");
	has(b_invite, "c=IN IP4 127.0.0.2");
	/* Early its answer is no offer yet. */
	answer(&w, B, b_invite, 183, "b1", SDP_TWO);
	has_not(expect(&w, A, "SIP/2.0 180"), "m=audio");
	answer_final(&w, B, b_invite, 200, "b1", SDP_TWO);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 200"));
	has(seen, "c=IN IP4 127.0.0.1");
	has(seen, "RTP/AVP 8 0 101");
	learn(&a, seen);
	ack(&w, &a, 1,
		"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
	expect_nothing(&w, B);
	assert_int_equal(remote_of(&w, LEG_A).port, 4000);
	assert_int_equal(remote_of(&w, LEG_B).port, 5000);
	assert_false(media_offer_pending(call_media(the_call(&w))));
	bye_from(&w, &a, B);
	world_close(&w);
}

static void what_the_caller_takes_less_the_callee_hears_of(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->delayed_offer = DELAYED_OFFER_CONVERT;
	begin(&w, &a, &b, NULL);
	answer_final(&w, B, b_invite, 200, "b1", SDP_TWO);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a, 1, SDP_A);
	copy_text(seen, TEXT_MAX, expect(&w, B, "INVITE "));
	has(seen, "RTP/AVP 8\r\n");
	answer_final(&w, B, seen, 200, NULL, SDP_B);
	expect_nothing(&w, A);
	assert_int_equal(remote_of(&w, LEG_A).port, 4000);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void the_offer_keeps_to_the_peers_codecs(void **state)
{
	static char g722[] = "G722", pcmu[] = "pcmu", opus[] = "opus";
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->delayed_offer = DELAYED_OFFER_CONVERT;
	w.cfg->peer[B].codec[0] = opus;
	w.cfg->peer[B].codec[1] = g722;
	w.cfg->peer[B].codec[2] = pcmu;
	w.cfg->peer[B].codec_count = 3;
	begin(&w, &a, &b, NULL);
	has(b_invite, "RTP/AVP 9 0 101\r\n");
	answer_final(&w, B, b_invite, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	/* And none fits: 488. */
	w.cfg->peer[B].codec_count = 1;
	invite(&w, &a, "100", NULL);
	expect_refusal(&w, &a, "SIP/2.0 488");
	w.cfg->peer[B].codec_count = 0;
	world_close(&w);
}

static void no_answer_in_the_ack_ends_a_converted_call(void **state)
{
	static const char *const answers[] = {NULL, "v=nonsense\r\n", SDP("0", "")};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world w;
		struct ua a, b;

		world_open(&w);
		session_of(&w, B)->delayed_offer = DELAYED_OFFER_CONVERT;
		begin(&w, &a, &b, NULL);
		answer_final(&w, B, b_invite, 200, "b1", SDP_B);
		learn(&a, expect(&w, A, "SIP/2.0 200"));
		ack(&w, &a, 1, answers[i]);
		answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
		answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
		world_close(&w);
	}
}

static void a_converted_call_fails_over_to_one_that_waits_for_the_offer(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	world_open(&w);
	session_of(&w, B)->delayed_offer = DELAYED_OFFER_CONVERT;
	invite(&w, &a, "200", NULL);
	copy_text(b_invite, TEXT_MAX, expect(&w, B, "INVITE "));
	has(b_invite, "m=audio");
	answer(&w, B, b_invite, 183, "b1", SDP_B);
	expect(&w, A, "SIP/2.0 180");
	answer_final(&w, B, b_invite, 503, "b1", NULL);
	text = expect(&w, C, "INVITE ");
	has_not(text, "m=audio");
	answer(&w, C, text, 200, "c1", SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a, 1, SDP_A);
	has(expect(&w, C, "ACK "), "m=audio");
	bye_from(&w, &a, C);
	(void)b;
	world_close(&w);
}

static void a_peer_may_refuse_to_be_called_without_an_offer(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->delayed_offer = DELAYED_OFFER_REFUSE;
	invite(&w, &a, "100", NULL);
	expect_refusal(&w, &a, "SIP/2.0 488");
	establish(&w, &a, &b, b_invite, "100");
	say(&w, &a, "INVITE", NULL);
	expect(&w, A, "SIP/2.0 488");
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_change_without_an_offer_is_answered_with_what_the_other_said(void **state)
{
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	session_of(&w, B)->delayed_offer = DELAYED_OFFER_CONVERT;
	establish(&w, &a, &b, b_invite, "100");
	say(&w, &a, "INVITE", NULL);
	copy_text(seen, TEXT_MAX, expect(&w, A, "SIP/2.0 200"));
	has(seen, "m=audio");
	has(header(seen, "Allow"), "REFER");
	ack(&w, &a, a.cseq, SDP_A);
	expect_nothing(&w, B);
	/* On hold now: B has to hear of it. */
	say(&w, &a, "INVITE", NULL);
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, SDP_HOLD);
	copy_text(seen, TEXT_MAX, expect(&w, B, "INVITE "));
	has(seen, "a=sendonly");
	answer_final(&w, B, seen, 200, NULL, SDP("5000", "a=recvonly\r\n"));
	assert_true(the_call(&w)->held);
	/* And one whose ACK never comes. */
	say(&w, &a, "INVITE", NULL);
	expect(&w, A, "SIP/2.0 200");
	expect(&w, A, "BYE ");
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

/* ---- digits ---- */

static void digits_in_info_cross_both_ways(void **state)
{
	static const char *const types[] = {"application/dtmf-relay", "application/dtmf"};
	struct world w;
	struct ua a, b;

	(void)state;
	world_open(&w);
	establish(&w, &a, &b, b_invite, "100");
	for (unsigned i = 0; i < 4; i++) {
		struct ua *from = i & 1 ? &b : &a;
		enum who other = i & 1 ? A : B;
		const char *digits = i < 2 ? "Signal=5\r\nDuration=160\r\n" : "5";
		char extra[128], text[TEXT_MAX];

		/* say_with writes application/sdp: here the body goes by itself. */
		snprintf(extra, sizeof(extra), "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
			types[i / 2], strlen(digits), digits);
		snprintf(text, sizeof(text),
			"INFO %.200s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=%s;rport\r\n"
			"From: %.400s\r\nTo: %.400s\r\nCall-ID: %.200s\r\nCSeq: %u INFO\r\n"
			"Max-Forwards: 70\r\n%s",
			from->target, host_of[from->who], w.port[from->who], new_branch(),
			from->local, from->remote, from->call_id, ++from->cseq, extra);
		send_text(&w, from->who, text);
		copy_text(seen, TEXT_MAX, expect(&w, other, "INFO "));
		has(seen, types[i / 2]);
		assert_string_equal(body(seen), digits);
		answer(&w, other, seen, 200, NULL, NULL);
		expect(&w, from->who, "SIP/2.0 200");
	}
	bye_from(&w, &a, B);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branches_are_folded_into_one_dialog),
		cmocka_unit_test(
			a_branch_that_lost_its_dialog_and_is_folded_no_more_answers_in_a_new_one),
		cmocka_unit_test(the_answer_of_another_branch_is_offered_again),
		cmocka_unit_test(a_request_under_way_ends_with_its_branchs_turn),
		cmocka_unit_test(folded_and_reliable),
		cmocka_unit_test(who_was_told_bye_while_another_waits_is_not_taken),
		cmocka_unit_test(early_dialogs_have_a_limit_by_peer),
		cmocka_unit_test(early_media_can_be_blocked_by_either_peer),
		cmocka_unit_test(a_blocked_reliable_answer_comes_with_the_2xx),
		cmocka_unit_test(ringing_is_told_as_the_caller_likes_it),
		cmocka_unit_test(a_peer_that_wants_an_offer_gets_one),
		cmocka_unit_test(what_the_caller_takes_less_the_callee_hears_of),
		cmocka_unit_test(the_offer_keeps_to_the_peers_codecs),
		cmocka_unit_test(no_answer_in_the_ack_ends_a_converted_call),
		cmocka_unit_test(a_converted_call_fails_over_to_one_that_waits_for_the_offer),
		cmocka_unit_test(a_peer_may_refuse_to_be_called_without_an_offer),
		cmocka_unit_test(a_change_without_an_offer_is_answered_with_what_the_other_said),
		cmocka_unit_test(digits_in_info_cross_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
