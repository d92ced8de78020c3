/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of ours within a leg's dialog, and what crosses them. */
#include "call/own_request.h"
#include "test_call_world.h"

static char b_invite[TEXT_MAX], a_request[TEXT_MAX], b_request[TEXT_MAX];

struct heard {
	unsigned count;
	int code;
	char answer[2048];
};

static void on_done(void *ctx, int code, osip_message_t *resp, const char *answer)
{
	struct heard *heard = ctx;

	(void)resp;
	heard->count++;
	heard->code = code;
	copy_text(heard->answer, sizeof(heard->answer), answer ? answer : "");
}

static struct exchange *ask(
	struct world *w, struct heard *heard, enum leg to, const char *method, bool with_offer)
{
	struct call *call = the_call(w);
	struct exchange *x = NULL;
	const struct own_request r = {.call = call,
		.to = to,
		.method = method,
		.header = {{"X-Why", "asked"}},
		.media = with_offer ? call_media(call) : NULL,
		.offerer = OTHER_LEG(to),
		.done = on_done,
		.ctx = heard};

	memset(heard, 0, sizeof(*heard));
	assert_int_equal(own_request_send(&r, &x), 0);
	return x;
}

static void begin(struct world *w, struct ua *a, struct ua *b)
{
	world_open(w);
	establish(w, a, b, b_invite, "100");
}

static void an_offer_of_ours_is_what_the_other_leg_said(void **state)
{
	struct heard heard;
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	ask(&w, &heard, LEG_B, "INVITE", true);
	text = expect(&w, B, "INVITE ");
	assert_string_equal(body(text), body(b_invite)); /* the version of o= included */
	has(text, "X-Why: asked\r\n");
	answer(&w, B, text, 200, NULL, SDP("5002", ""));
	has(expect(&w, B, "ACK "), "CSeq: 2 ACK");
	/* Its 2xx comes again: so does the ACK. */
	answer(&w, B, text, 200, NULL, SDP("5002", ""));
	has(receive_any(&w, B, PATIENCE_MS), "CSeq: 2 ACK");
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.code, 200);
	has(heard.answer, "IN IP4 127.0.0.1");
	ask(&w, &heard, LEG_A, "UPDATE", true);
	text = expect(&w, A, "UPDATE ");
	has(text, "m=audio");
	answer(&w, A, text, 200, NULL, SDP_A);
	run_ms(&w, 2);
	assert_int_equal(heard.code, 200);
	expect_nothing(&w, B);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_request_without_offer_is_answered(void **state)
{
	struct heard heard;
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	ask(&w, &heard, LEG_A, "UPDATE", false);
	/* It is in nobody's way. */
	say(&w, &a, "INVITE", SDP_A);
	answer_final(&w, B, expect(&w, B, "INVITE "), 200, NULL, SDP_B);
	copy_text(a_request, TEXT_MAX, expect(&w, A, "UPDATE "));
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, NULL);
	answer(&w, A, a_request, 405, NULL, NULL);
	run_ms(&w, 2);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.code, 405);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_busy_dialog_is_tried_again(void **state)
{
	struct heard heard;
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	/* Busy as we see it: B's own change is under way. */
	say(&w, &b, "INVITE", SDP_B);
	copy_text(a_request, TEXT_MAX, expect(&w, A, "INVITE "));
	ask(&w, &heard, LEG_A, "INVITE", true);
	expect_nothing(&w, A);
	answer_final(&w, A, a_request, 488, NULL, NULL);
	expect(&w, B, "SIP/2.0 488");
	copy_text(a_request, TEXT_MAX, expect(&w, A, "INVITE "));
	/* And as the leg sees it. */
	answer_final(&w, A, a_request, 491, NULL, NULL);
	assert_int_equal(heard.count, 0);
	/* Within 2 s, perhaps at once (RFC 3261 14.1): not with that offer pending still. */
	text = receive(&w, A, 2500);
	has(text, "INVITE ");
	answer_final(&w, A, text, 200, NULL, SDP_A);
	assert_int_equal(heard.code, 200);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void what_crosses_an_offer_of_ours_is_refused_491(void **state)
{
	struct heard heard;
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	ask(&w, &heard, LEG_B, "INVITE", true);
	copy_text(b_request, TEXT_MAX, expect(&w, B, "INVITE "));
	say(&w, &b, "INVITE", SDP_B);
	expect(&w, B, "SIP/2.0 491");
	say(&w, &a, "UPDATE", SDP_A);
	expect(&w, A, "SIP/2.0 491");
	say(&w, &a, "INFO", NULL);
	answer(&w, B, expect(&w, B, "INFO "), 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	answer_final(&w, B, b_request, 200, NULL, SDP_B);
	assert_int_equal(heard.code, 200);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void an_answer_of_no_use_is_told_as_488(void **state)
{
	struct heard heard;
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	ask(&w, &heard, LEG_B, "INVITE", true);
	answer_final(&w, B, expect(&w, B, "INVITE "), 200, NULL, NULL);
	assert_int_equal(heard.code, 488);
	assert_false(media_offer_pending(call_media(the_call(&w))));
	bye_from(&w, &a, B);
	world_close(&w);
}

static void a_leg_that_knows_the_dialog_no_more_ends_the_call(void **state)
{
	struct heard heard;
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	ask(&w, &heard, LEG_B, "INVITE", true);
	answer_final(&w, B, expect(&w, B, "INVITE "), 481, NULL, NULL);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	assert_int_equal(heard.code, 481);
	world_close(&w);
	begin(&w, &a, &b);
	ask(&w, &heard, LEG_B, "UPDATE", false);
	expect(&w, B, "UPDATE ");
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	assert_int_equal(heard.code, 408);
	assert_int_equal(heard.count, 1);
	world_close(&w);
}

static void a_call_that_ends_first_tells_nobody(void **state)
{
	struct heard heard;
	struct world w;
	struct ua a, b;

	(void)state;
	begin(&w, &a, &b);
	ask(&w, &heard, LEG_B, "INVITE", true);
	copy_text(b_request, TEXT_MAX, expect(&w, B, "INVITE "));
	bye_from(&w, &a, B);
	/* Its 2xx was on the way. */
	answer_final(&w, B, b_request, 200, NULL, SDP_B);
	assert_int_equal(heard.count, 0);
	world_close(&w);
	begin(&w, &a, &b);
	ask(&w, &heard, LEG_A, "INFO", false);
	bye_from(&w, &a, B);
	expect_nothing(&w, A);
	assert_int_equal(heard.count, 0);
	world_close(&w);
}

static void one_given_up_that_is_accepted_leads_back(void **state)
{
	struct heard heard;
	struct exchange *x;
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	begin(&w, &a, &b);
	x = ask(&w, &heard, LEG_B, "INVITE", true);
	copy_text(b_request, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, b_request, 180, NULL, NULL);
	own_request_cancel(x);
	answer(&w, B, expect(&w, B, "CANCEL "), 200, NULL, NULL);
	answer_final(&w, B, b_request, 200, NULL, SDP("5004", ""));
	text = expect(&w, B, "INVITE ");
	has(text, "CSeq: 3 INVITE");
	answer_final(&w, B, text, 488, NULL, NULL);
	/* Nor does it want to come back: nobody would hear it any more. */
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	answer(&w, A, expect(&w, A, "BYE "), 200, NULL, NULL);
	assert_int_equal(heard.count, 0);
	world_close(&w);
}

static void a_fresh_offer_is_not_on_hold(void **state)
{
	struct world w;
	struct ua a, b;
	unsigned cseq;
	char *text;

	(void)state;
	begin(&w, &a, &b);
	assert_string_equal(media_heard_sdp(call_media(the_call(&w)), LEG_A), SDP_A);
	say(&w, &a, "INVITE",
		"v=0\r\no=- 1 2 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n");
	cseq = a.cseq;
	answer_final(&w, B, expect(&w, B, "INVITE "), 200, NULL, SDP("5000", "a=inactive\r\n"));
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, cseq, NULL);
	assert_int_equal(media_fresh_offer(call_media(the_call(&w)), LEG_A, &text), 0);
	assert_string_equal(text,
		"v=0\r\no=- 1 2 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"
		"m=audio 4000 RTP/AVP 8\r\n");
	free(text);
	assert_int_equal(media_fresh_offer(call_media(the_call(&w)), LEG_B, &text), 0);
	assert_string_equal(text, SDP_B);
	free(text);
	/* What is refused is not what was said. */
	say(&w, &a, "INVITE", SDP("4444", ""));
	answer_final(&w, B, expect(&w, B, "INVITE "), 488, NULL, NULL);
	expect(&w, A, "SIP/2.0 488");
	has_not(media_heard_sdp(call_media(the_call(&w)), LEG_A), "4444");
	bye_from(&w, &a, B);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_offer_of_ours_is_what_the_other_leg_said),
		cmocka_unit_test(a_request_without_offer_is_answered),
		cmocka_unit_test(a_busy_dialog_is_tried_again),
		cmocka_unit_test(what_crosses_an_offer_of_ours_is_refused_491),
		cmocka_unit_test(an_answer_of_no_use_is_told_as_488),
		cmocka_unit_test(a_leg_that_knows_the_dialog_no_more_ends_the_call),
		cmocka_unit_test(a_call_that_ends_first_tells_nobody),
		cmocka_unit_test(one_given_up_that_is_accepted_leads_back),
		cmocka_unit_test(a_fresh_offer_is_not_on_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
