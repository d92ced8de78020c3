/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers and takeovers that are under way while one daemon leaves and the next takes up. */
#include "call/refer.h"
#include "call/transfer.h"
#include "test_call_restart.h"
#include "test_call_transfer.h"

#define SDP_N SDP("4002", "")

static char b_invite[TEXT_MAX], c_invite[TEXT_MAX], request[TEXT_MAX];

static void begin_with(struct relay *r, struct ua *a, struct ua *b, const char *extra)
{
	relay_open_with(r, extra);
	establish(&r->w, a, b, b_invite, "100");
}

static void begin(struct relay *r, struct ua *a, struct ua *b)
{
	begin_with(r, a, b, "");
}

/* A refers B to C, who rings. */
static void refer_and_ring(struct relay *r, struct ua *a, struct ua *b, struct ua *c)
{
	begin(r, a, b);
	refer(&r->w, a, "<sip:300@127.0.0.1>");
	copy_text(c_invite, TEXT_MAX, expect(&r->w, C, "INVITE "));
	expect_notify(&r->w, a, 100);
	take(c, C, c_invite, "c1");
	answer(&r->w, C, c_invite, 180, "c1", NULL);
	expect_notify(&r->w, a, 180);
	run_ms(&r->w, 2);
}

static void go_on_by(struct relay *r, unsigned calls)
{
	restart_at_once(r);
	assert_int_equal(adoption(r).adopted, calls);
	assert_int_equal(adoption(r).ended + adoption(r).lost, 0);
	assert_int_equal(live_calls(&r->w), calls);
}

/* The target hears its INVITE again, and says again what it has said to it. */
static void ring_again(struct relay *r)
{
	answer(&r->w, C, c_invite, 180, "c1", NULL);
}

/* The two are one call, and can say so. */
static void joined(struct relay *r, struct ua *x, unsigned x_port, struct ua *y, unsigned y_port)
{
	struct world *w = &r->w;
	struct call *call;
	const char *text;

	run_ms(w, 2);
	assert_int_equal(live_calls(w), 1);
	call = call_next(w->calls, 0);
	while (call->state != CALL_ANSWERED)
		call = call_next(w->calls, call->id);
	assert_int_equal(media_port(call, LEG_A) + media_port(call, LEG_B), x_port + y_port);
	say(w, x, "INFO", NULL);
	text = expect(w, y->who, "INFO ");
	assert_string_equal(header(text, "Call-ID"), y->call_id);
	answer(w, y->who, text, 200, NULL, NULL);
	expect(w, x->who, "SIP/2.0 200");
	bye_from(w, y, x->who);
}

static void a_target_that_rings_is_answered_and_joined(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	go_on_by(&r, 2);
	answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
	has(body(follow(&r.w, &b, SDP_B)), "c=IN IP4 127.0.0.2");
	expect_notify(&r.w, &a, 200);
	expect_bye(&r.w, &a);
	assert_int_equal(r.told.count, 1);
	joined(&r, &b, 5000, &c, 6000);
	assert_int_equal(counters(&r.w).transfers, 1);
	relay_close(&r);
}

/* refer: back: what its INVITE is made of, should it have to be sent anew. */
static void what_goes_back_still_does(void **state)
{
	static const char uri[] = "sip:sip.example.com:5061;x-m=8:orgid:a;x-tt=a%3d%3D;X",
			  by[] = "<sip:sip.example.com;x-t=%3d>;x-Own=%3b";
	static char refer_to[256], extra[256];
	const struct refer_to *back;
	struct ua a, b, again;
	struct relay r;
	struct call *call;

	(void)state;
	world_peer_keys[B] = ", refer: back";
	begin(&r, &a, &b);
	world_peer_keys[B] = "";
	snprintf(refer_to, sizeof(refer_to),
		"<%s?Replaces=theirs%%40there%%3Bto-tag%%3Dt%%3Bfrom-tag%%3Df>", uri);
	snprintf(extra, sizeof(extra), "Referred-By: %s\r\n", by);
	refer_with(&r.w, &b, refer_to, extra, "SIP/2.0 202");
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	take(&again, B, request, "b2");
	expect_notify(&r.w, &b, 100);
	answer(&r.w, B, request, 180, "b2", NULL);
	expect_notify(&r.w, &b, 180);
	run_ms(&r.w, 2);
	go_on_by(&r, 2);
	go_on_by(&r, 2);
	call = the_call(&r.w);
	back = refer_back_of(call);
	assert_non_null(back);
	assert_string_equal(back->uri, uri);
	assert_string_equal(back->referred_by, by);
	assert_true(back->has_replaces);
	assert_string_equal(back->replaces.call_id, "theirs@there");
	assert_string_equal(back->replaces.to_tag, "t");
	assert_string_equal(back->replaces.from_tag, "f");
	assert_int_equal(call->route.candidate_count, 1);
	assert_string_equal(call->route.candidate[0].peer->name, "b");
	answer_final(&r.w, B, request, 200, "b2", SDP_C);
	follow(&r.w, &a, SDP_A);
	expect_notify(&r.w, &b, 200);
	expect_bye(&r.w, &b);
	joined(&r, &a, 4000, &again, 6000);
	relay_close(&r);
}

/* b's REFER goes back to it, the first of its group, and rings there. */
static void send_back(struct relay *r, struct ua *a, struct ua *b)
{
	world_peer_keys[B] = world_peer_keys[C] = ", refer: back";
	begin_with(r, a, b, "groups: [{name: g, members: [{peer: b}, {peer: c}]}]\n");
	world_peer_keys[B] = world_peer_keys[C] = "";
	refer(&r->w, b, "<sip:127.0.0.4;x=1>");
	copy_text(request, TEXT_MAX, expect(&r->w, B, "INVITE "));
	expect_notify(&r->w, b, 100);
	answer(&r->w, B, request, 180, "b2", NULL);
	expect_notify(&r->w, b, 180);
}

static void what_goes_back_goes_on_to_the_next_of_its_group(void **state)
{
	static const char line[] = "INVITE sip:127.0.0.4;x=1 SIP/2.0\r\n";
	struct ua a, b, c;
	struct relay r;

	(void)state;
	send_back(&r, &a, &b);
	run_ms(&r.w, 2);
	go_on_by(&r, 2);
	answer_final(&r.w, B, request, 503, "b2", NULL);
	copy_text(request, TEXT_MAX, expect(&r.w, C, "INVITE "));
	assert_memory_equal(request, line, strlen(line));
	take(&c, C, request, "c1");
	/* It goes on from there as well: the one that was asked before is not asked again. */
	answer(&r.w, C, request, 180, "c1", NULL);
	expect_notify(&r.w, &b, 180);
	run_ms(&r.w, 2);
	go_on_by(&r, 2);
	assert_int_equal(the_call(&r.w)->route.candidate_count, 1);
	answer_final(&r.w, C, request, 200, "c1", SDP_C);
	follow(&r.w, &a, SDP_A);
	expect_notify(&r.w, &b, 200);
	expect_bye(&r.w, &b);
	joined(&r, &a, 4000, &c, 6000);
	relay_close(&r);
}

static void a_target_that_rings_and_refuses_leaves_the_two_as_they_were(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	go_on_by(&r, 2);
	go_on_by(&r, 2);
	answer_final(&r.w, C, c_invite, 486, "c1", NULL);
	expect_notify(&r.w, &a, 486);
	joined(&r, &a, 4000, &b, 5000);
	assert_int_equal(counters(&r.w).transfers_failed, 1);
	relay_close(&r);
}

static void a_referrer_that_has_hung_up_is_not_waited_for(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	hang_up(&r.w, &a);
	go_on_by(&r, 2);
	answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
	follow(&r.w, &b, SDP_B);
	expect_nothing(&r.w, A);
	joined(&r, &b, 5000, &c, 6000);
	relay_close(&r);
}

static void a_remaining_one_that_hangs_up_ends_all(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	go_on_by(&r, 2);
	ring_again(&r);
	expect_notify(&r.w, &a, 180);
	hang_up(&r.w, &b);
	answer(&r.w, C, expect(&r.w, C, "CANCEL "), 200, NULL, NULL);
	answer_final(&r.w, C, c_invite, 487, "c1", NULL);
	expect_bye(&r.w, &a);
	relay_close(&r);
}

static void the_time_that_a_transfer_has_goes_on(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	call_by_id(r.w.calls, 1)->transfer->sub.expires_ms = loop_now_ms(r.w.loop);
	restart_at_once(&r);
	expect_notify(&r.w, &a, 408);
	ring_again(&r);
	answer(&r.w, C, expect(&r.w, C, "CANCEL "), 200, NULL, NULL);
	answer_final(&r.w, C, c_invite, 487, "c1", NULL);
	joined(&r, &a, 4000, &b, 5000);
	relay_close(&r);
}

/* To the re-INVITE of the daemon before, which comes again as it was. */
static void a_remaining_one_answers_the_next_daemon(void **state)
{
	struct ua a, b, c;
	struct relay r;
	const char *text;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	go_on_by(&r, 2);
	answer(&r.w, B, request, 200, NULL, SDP_B);
	text = expect(&r.w, B, "ACK ");
	assert_int_equal(strtoul(header(text, "CSeq"), NULL, 10),
		strtoul(header(request, "CSeq"), NULL, 10));
	expect_notify(&r.w, &a, 200);
	expect_bye(&r.w, &a);
	joined(&r, &b, 5000, &c, 6000);
	relay_close(&r);
}

static void a_remaining_one_that_refuses_stays_where_it_was(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	go_on_by(&r, 2);
	answer_final(&r.w, B, request, 488, NULL, NULL);
	expect_bye(&r.w, &c);
	expect_notify(&r.w, &a, 488);
	joined(&r, &a, 4000, &b, 5000);
	relay_close(&r);
}

/* The re-INVITE waited for another, and had not gone out. */
static void what_was_not_sent_yet_is_made_anew(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	say(&r.w, &b, "INVITE", SDP_B);
	copy_text(request, TEXT_MAX, expect(&r.w, A, "INVITE "));
	answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
	go_on_by(&r, 2);
	ack_refusal(&r.w, &b, expect(&r.w, B, "SIP/2.0 500"));
	follow(&r.w, &b, SDP_B);
	expect_notify(&r.w, &a, 200);
	expect_bye(&r.w, &a);
	joined(&r, &b, 5000, &c, 6000);
	relay_close(&r);
}

/* The last NOTIFY is under way: it comes again, and what follows it happens. */
static void a_transfer_that_is_decided_is_told(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
	follow(&r.w, &b, SDP_B);
	has(body(expect(&r.w, A, "NOTIFY ")), "SIP/2.0 200");
	go_on_by(&r, 2);
	expect_notify(&r.w, &a, 200);
	expect_bye(&r.w, &a);
	assert_string_equal(r.told.why, "transferred");
	joined(&r, &b, 5000, &c, 6000);
	relay_close(&r);

	refer_and_ring(&r, &a, &b, &c);
	answer_final(&r.w, C, c_invite, 486, "c1", NULL);
	has(body(expect(&r.w, A, "NOTIFY ")), "SIP/2.0 486");
	go_on_by(&r, 1);
	expect_notify(&r.w, &a, 486);
	joined(&r, &a, 4000, &b, 5000);
	relay_close(&r);
}

/* Its record is of no use to the next daemon. */
static void a_target_that_is_lost_is_told_and_the_two_stay(void **state)
{
	struct ua a, b, c;
	struct relay r;
	char *name;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	calls_leave(r.w.calls);
	calls_free(r.w.calls);
	r.w.calls = NULL;
	store_close(r.store);
	name = r.w.cfg->peer[C].name;
	r.w.cfg->peer[C].name = (char *)"cc";
	come_back(&r);
	assert_int_equal(adoption(&r).adopted, 1);
	assert_int_equal(adoption(&r).ended, 1);
	expect_notify(&r.w, &a, 503);
	joined(&r, &a, 4000, &b, 5000);
	world_is_empty(&r.w);
	leave(&r);
	r.w.cfg->peer[C].name = name;
	come_back(&r);
	relay_close(&r);
}

/* Of that name no peer is configured: what is not damaged names one that is, or its call has ended.
 */
static void what_goes_back_goes_to_no_other_where_nobody_knows_who_has_referred(void **state)
{
	const struct peer_config gone = {.name = (char *)"gone"};
	struct ua a, b;
	struct relay r;

	(void)state;
	send_back(&r, &a, &b);
	the_call(&r.w)->asking = &gone;
	call_touch(the_call(&r.w));
	run_ms(&r.w, 2);
	go_on_by(&r, 2);
	assert_null(the_call(&r.w)->asking);
	answer_final(&r.w, B, request, 503, "b2", NULL);
	expect_notify(&r.w, &b, 503);
	expect_nothing(&r.w, C);
	joined(&r, &a, 4000, &b, 5000);
	relay_close(&r);
}

/* The referring call is: nobody is left to join the target with. */
static void a_target_of_a_call_that_is_lost_is_cancelled(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	run_ms(&r.w, 20);
	store_put(r.store, STORE_CALL, STORE_NUMBER(1), strdup("nonsense"), 8);
	call_by_id(r.w.calls, 1)->saved = false;
	r.w.calls->leaving = r.w.calls->leave_wanted = true;
	calls_free(r.w.calls);
	r.w.calls = NULL;
	store_close(r.store);
	come_back(&r);
	assert_int_equal(adoption(&r).ended, 1);
	assert_int_equal(adoption(&r).lost, 1);
	assert_int_equal(live_calls(&r.w), 0);
	ring_again(&r);
	answer(&r.w, C, expect(&r.w, C, "CANCEL "), 200, NULL, NULL);
	answer_final(&r.w, C, c_invite, 487, "c1", NULL);
	relay_close(&r);
}

/* ---- killed at any moment ---- */

#define LONG_MS 40 /* in which the next changes are written down, if nothing holds that up */
#define TRIES   12

static void agree(struct world *w)
{
	static const char *const sdp_of[PEERS] = {SDP_A, SDP_B, SDP_C};
	char text[TEXT_MAX];
	ssize_t n;

	run_ms(w, 1);
	for (enum who who = A; who < PEERS; who++) {
		while ((n = recv(w->fd[who], text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
			text[n] = '\0';
			if (strncmp(text, "INVITE ", 7) == 0)
				answer(w, who, text, 200, NULL, sdp_of[who]);
			else if (strncmp(text, "BYE ", 4) == 0 || strncmp(text, "NOTIFY ", 7) == 0)
				answer(w, who, text, 200, NULL, NULL);
		}
	}
}

/* Whoever is asked says yes, as often as he is asked, until so many calls live on. */
static void agree_until(struct world *w, unsigned live)
{
	uint64_t end = loop_now_ms(w->loop) + PATIENCE_MS;

	while (live_calls(w) > live && loop_now_ms(w->loop) < end)
		agree(w);
	for (unsigned i = 0; i < 5; i++)
		agree(w);
	assert_int_equal(live_calls(w), live);
}

static void hang_up_what_lives(struct world *w)
{
	struct call *call;

	for (uint64_t after = 0; (call = call_next(w->calls, after)); after = call->id)
		call_hangup(call, "enough");
}

/* The leg has moved to the target's call and its own is over, in one moment: whether both, one or
 * none of that is written down, each call has its record once, and nobody is left behind. */
static void a_kill_at_any_moment_of_a_transfer_leaves_each_call_one_record(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t first, second;

		begin(&r, &a, &b);
		first = the_call(&r.w)->id;
		refer_with(&r.w, &a, "<sip:300@127.0.0.1>", "Refer-Sub: false\r\n", "SIP/2.0 202");
		copy_text(c_invite, TEXT_MAX, expect(&r.w, C, "INVITE "));
		second = the_call(&r.w)->id;
		take(&c, C, c_invite, "c1");
		assert_int_equal(stored(&r), 2);
		answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
		follow(&r.w, &b, SDP_B);
		run_ms(&r.w, i * LONG_MS / TRIES);
		die(&r);
		come_back(&r);
		agree_until(&r.w, 1);
		assert_int_equal(records_of(&r.told, first), 1);
		assert_int_equal(records_of(&r.told, second), 0);
		hang_up_what_lives(&r.w);
		agree_until(&r.w, 0);
		assert_int_equal(records_of(&r.told, second), 1);
		assert_int_equal(r.told.count, 2);
		relay_close(&r);
	}
}

/* ---- attended ---- */

static void refer_attended(
	struct relay *r, struct ua *a1, struct ua *a2, struct ua *b, struct ua *c)
{
	begin(r, a1, b);
	call_to(&r->w, a2, C, c, "300", "c1", SDP_C);
	refer(&r->w, a1, refer_to_dialog(a2, "300"));
	copy_text(request, TEXT_MAX, expect(&r->w, C, "INVITE "));
	expect_notify(&r->w, a1, 100);
}

static void the_far_ends_are_joined_from_where_it_had_come_to(void **state)
{
	struct ua a1, a2, b, c;
	struct relay r;

	(void)state;
	for (unsigned led = 0; led < 2; led++) {
		refer_attended(&r, &a1, &a2, &b, &c);
		if (!led)
			go_on_by(&r, 2);
		answer_final(&r.w, C, request, 200, NULL, SDP_C);
		copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
		if (led)
			go_on_by(&r, 2);
		answer_final(&r.w, B, request, 200, NULL, SDP_B);
		expect_bye(&r.w, &a2);
		expect_notify(&r.w, &a1, 200);
		expect_bye(&r.w, &a1);
		joined(&r, &b, 5000, &c, 6000);
		relay_close(&r);
	}
}

/* The newer call refers to the older one. */
static void whichever_call_is_older(void **state)
{
	struct ua a1, a2, b, c;
	struct relay r;

	(void)state;
	begin(&r, &a1, &b);
	call_to(&r.w, &a2, C, &c, "300", "c1", SDP_C);
	refer(&r.w, &a2, refer_to_dialog(&a1, "100"));
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	expect_notify(&r.w, &a2, 100);
	go_on_by(&r, 2);
	answer_final(&r.w, B, request, 200, NULL, SDP_B);
	follow(&r.w, &c, SDP_C);
	expect_bye(&r.w, &a1);
	expect_notify(&r.w, &a2, 200);
	expect_bye(&r.w, &a2);
	joined(&r, &b, 5000, &c, 6000);
	relay_close(&r);
}

static void a_far_end_that_has_followed_is_led_back(void **state)
{
	struct ua a1, a2, b, c;
	struct relay r;

	(void)state;
	refer_attended(&r, &a1, &a2, &b, &c);
	answer_final(&r.w, C, request, 200, NULL, SDP_C);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	go_on_by(&r, 2);
	answer_final(&r.w, B, request, 488, NULL, NULL);
	has(body(follow(&r.w, &c, SDP_C)), "m=audio");
	expect_notify(&r.w, &a1, 488);
	run_ms(&r.w, 2);
	assert_int_equal(live_calls(&r.w), 2);
	assert_int_equal(media_port(call_by_id(r.w.calls, 2), LEG_A), 4000);
	bye_from(&r.w, &c, A);
	joined(&r, &a1, 4000, &b, 5000);
	relay_close(&r);
}

static void who_is_unnamed_as_leg_b_is_so_after_a_restart(void **state)
{
	struct ua a1, a2;
	struct relay r;

	(void)state;
	for (unsigned withheld = 0; withheld < 2; withheld++) {
		world_peer_keys[A] = identity_keys;
		relay_open(&r);
		join_as_leg_b(&r.w, &a1, &a2, withheld ? "Privacy: user\r\n" : "", "100");
		restart(&r);
		assert_int_equal(adoption(&r).adopted, 1);
		is_named_to(&r.w, &a1, &a2, !withheld);
		bye_from(&r.w, &a1, A);
		relay_close(&r);
		world_peer_keys[A] = "";
	}
}

/* ---- INVITE with Replaces ---- */

static void replace(struct relay *r, struct ua *n, enum who who, const struct ua *d,
	const char *extra, const char *sdp)
{
	invite_replacing_from(&r->w, n, who, d->call_id, d->remote, d->local, extra, sdp);
}

/* Who rang is told that it has missed nothing. */
static void expect_elsewhere(struct relay *r, enum who who, const char *invite, const char *tag)
{
	answer(&r->w, who, expect(&r->w, who, "CANCEL "), 200, NULL, NULL);
	answer_final(&r->w, who, invite, 487, tag, NULL);
}

static void a_new_leg_takes_the_place_after_a_restart(void **state)
{
	struct ua a, b, n;
	struct relay r;

	(void)state;
	begin(&r, &a, &b);
	replace(&r, &n, A, &a, "", SDP_N);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	go_on_by(&r, 1);
	answer_final(&r.w, B, request, 200, NULL, SDP_B);
	expect_bye(&r.w, &a);
	expect_answer(&r.w, &n, 1);
	joined(&r, &n, 4002, &b, 5000);
	assert_int_equal(counters(&r.w).transfers, 1);
	relay_close(&r);
}

static void a_new_leg_that_gives_up_leaves_the_call_as_it_was(void **state)
{
	struct ua a, b, n;
	struct relay r;

	(void)state;
	begin(&r, &a, &b);
	replace(&r, &n, A, &a, "", SDP_N);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	go_on_by(&r, 1);
	cancel(&r.w, &n);
	expect(&r.w, A, "SIP/2.0 200");
	expect_refusal(&r.w, &n, "SIP/2.0 487");
	/* It has taken what was offered all the same: back to what was. */
	answer_final(&r.w, B, request, 200, NULL, SDP_B);
	follow(&r.w, &b, SDP_B);
	joined(&r, &a, 4000, &b, 5000);
	relay_close(&r);
}

static void a_call_that_was_picked_up_has_its_new_leg_after_a_restart(void **state)
{
	struct ua a, b, n;
	struct relay r;
	const char *text;

	(void)state;
	for (unsigned led = 0; led < 2; led++) {
		relay_open(&r);
		invite(&r.w, &a, "100", SDP_A);
		copy_text(b_invite, TEXT_MAX, expect(&r.w, B, "INVITE "));
		take(&b, B, b_invite, "b1");
		answer(&r.w, B, b_invite, 180, "b1", NULL);
		expect(&r.w, A, "SIP/2.0 180");
		replace(&r, &n, B, &b, ";early-only", SDP("5002", ""));
		expect_elsewhere(&r, B, b_invite, "b1");
		learn(&a, expect(&r.w, A, "SIP/2.0 200"));
		if (led) {
			ack(&r.w, &a, 1, NULL);
			copy_text(request, TEXT_MAX, expect(&r.w, A, "INVITE "));
		}
		go_on_by(&r, 1);
		if (!led) {
			ack(&r.w, &a, 1, NULL);
			copy_text(request, TEXT_MAX, expect(&r.w, A, "INVITE "));
		}
		answer_final(&r.w, A, request, 200, NULL, SDP_A);
		text = expect(&r.w, B, "SIP/2.0 200");
		learn(&n, text);
		ack(&r.w, &n, 1, NULL);
		joined(&r, &a, 4000, &n, 5002);
		relay_close(&r);
	}
}

/* Who picks up waits until the remaining one stands in the target's call. */
static void a_target_that_was_picked_up_is_joined_after_a_restart(void **state)
{
	struct ua a, b, c, n;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	replace(&r, &n, C, &c, ";early-only", SDP("6002", ""));
	expect_elsewhere(&r, C, c_invite, "c1");
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	go_on_by(&r, 2);
	answer_final(&r.w, B, request, 200, NULL, SDP("5000", "a=inactive\r\n"));
	expect_notify(&r.w, &a, 200);
	expect_bye(&r.w, &a);
	follow(&r.w, &b, SDP_B);
	expect_answer(&r.w, &n, 1);
	joined(&r, &b, 5000, &n, 6002);
	relay_close(&r);
}

/* ---- a REFER that was passed on ---- */

static void begin_passing(struct relay *r, struct ua *a, struct ua *b)
{
	world_peer_keys[B] = ", refer: pass";
	relay_open(r);
	world_peer_keys[B] = "";
	establish(&r->w, a, b, b_invite, "100");
}

static void pass_refer(struct relay *r, struct ua *b, const char *refer_to)
{
	char extra[1200];

	snprintf(extra, sizeof(extra), "Refer-To: %s\r\n", refer_to);
	say_with(&r->w, b, "REFER", 0, new_branch(), extra, NULL);
	copy_text(request, TEXT_MAX, expect(&r->w, A, "REFER "));
	answer(&r->w, A, request, 202, NULL, NULL);
	expect(&r->w, B, "SIP/2.0 202");
}

static void what_becomes_of_a_refer_that_was_passed_on_is_told(void **state)
{
	struct ua a, b;
	struct relay r;
	const char *text;

	(void)state;
	begin_passing(&r, &a, &b);
	pass_refer(&r, &b, "<sip:300@127.0.0.2>");
	go_on_by(&r, 1);
	refer_with(&r.w, &b, "<sip:300@127.0.0.2>", "", "SIP/2.0 491");
	say_with(&r.w, &a, "NOTIFY", 0, new_branch(),
		"Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n", NULL);
	text = expect(&r.w, B, "NOTIFY ");
	has(header(text, "Subscription-State"), "terminated");
	answer(&r.w, B, text, 200, NULL, NULL);
	expect(&r.w, A, "SIP/2.0 200");
	/* That was the last. */
	go_on_by(&r, 1);
	say_with(&r.w, &a, "NOTIFY", 0, new_branch(),
		"Event: refer\r\nSubscription-State: active\r\n", NULL);
	expect(&r.w, A, "SIP/2.0 405");
	bye_from(&r.w, &b, A);
	relay_close(&r);
}

/* A has got it, and whatever it answered went to the daemon before. */
static void a_refer_that_was_passed_on_is_not_passed_on_twice(void **state)
{
	struct ua a, b;
	struct relay r;
	const char *text;

	(void)state;
	begin_passing(&r, &a, &b);
	say_with(&r.w, &b, "REFER", 0, new_branch(), "Refer-To: <sip:300@127.0.0.2>\r\n", NULL);
	copy_text(request, TEXT_MAX, expect(&r.w, A, "REFER "));
	restart_at_once(&r);
	forget_what_came(&r, A);
	send_text(&r.w, B, b.request);
	assert_string_equal(receive_any(&r.w, A, PATIENCE_MS), request);
	answer(&r.w, A, request, 202, NULL, NULL);
	expect(&r.w, B, "SIP/2.0 202");
	say_with(&r.w, &a, "NOTIFY", 0, new_branch(),
		"Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n", NULL);
	text = expect(&r.w, B, "NOTIFY ");
	answer(&r.w, B, text, 200, NULL, NULL);
	expect(&r.w, A, "SIP/2.0 200");
	assert_int_equal(the_call(&r.w)->refers, 1);
	assert_int_equal(the_call(&r.w)->history.transfer_count, 1);
	assert_string_equal(the_call(&r.w)->history.transfer[0].to, "300");
	bye_from(&r.w, &b, A);
	relay_close(&r);
}

static void who_was_referred_may_still_take_over_what_the_refer_named(void **state)
{
	struct ua a1, b1, a2, b2, n;
	struct relay r;

	(void)state;
	begin_passing(&r, &a1, &b1);
	call_to(&r.w, &a2, B, &b2, "101", "b2", SDP("5002", ""));
	pass_refer(&r, &b1, refer_to_dialog(&b2, "500"));
	go_on_by(&r, 2);
	invite_replacing_from(&r.w, &n, A, a2.call_id, a2.local, a2.remote, "", SDP("4004", ""));
	follow(&r.w, &a2, SDP_A);
	expect_answer(&r.w, &n, 1);
	expect_bye(&r.w, &b2);
	bye_from(&r.w, &b1, A);
	bye_from(&r.w, &n, A);
	relay_close(&r);
}

/* ---- while the daemon leaves ---- */

static void a_transfer_that_joins_while_the_daemon_leaves_is_left_joined(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	calls_leave(r.w.calls);
	answer_final(&r.w, B, request, 200, NULL, SDP_B);
	has(body(expect(&r.w, A, "NOTIFY ")), "SIP/2.0 200");
	go_on_by(&r, 2);
	expect_notify(&r.w, &a, 200);
	expect_bye(&r.w, &a);
	joined(&r, &b, 5000, &c, 6000);
	relay_close(&r);
}

static void a_leave_hangs_up_nothing_of_a_transfer(void **state)
{
	struct ua a, b, c;
	struct relay r;

	(void)state;
	refer_and_ring(&r, &a, &b, &c);
	restart(&r);
	expect_nothing(&r.w, A);
	expect_nothing(&r.w, B);
	expect_nothing(&r.w, C);
	answer_final(&r.w, C, c_invite, 200, "c1", SDP_C);
	copy_text(request, TEXT_MAX, expect(&r.w, B, "INVITE "));
	restart(&r);
	expect_nothing(&r.w, A);
	expect_nothing(&r.w, C);
	answer_final(&r.w, B, request, 200, NULL, SDP_B);
	expect_notify(&r.w, &a, 200);
	expect_bye(&r.w, &a);
	joined(&r, &b, 5000, &c, 6000);
	relay_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_that_rings_is_answered_and_joined),
		cmocka_unit_test(what_goes_back_still_does),
		cmocka_unit_test(what_goes_back_goes_on_to_the_next_of_its_group),
		cmocka_unit_test(a_target_that_rings_and_refuses_leaves_the_two_as_they_were),
		cmocka_unit_test(a_referrer_that_has_hung_up_is_not_waited_for),
		cmocka_unit_test(a_remaining_one_that_hangs_up_ends_all),
		cmocka_unit_test(the_time_that_a_transfer_has_goes_on),
		cmocka_unit_test(a_remaining_one_answers_the_next_daemon),
		cmocka_unit_test(a_remaining_one_that_refuses_stays_where_it_was),
		cmocka_unit_test(what_was_not_sent_yet_is_made_anew),
		cmocka_unit_test(a_transfer_that_is_decided_is_told),
		cmocka_unit_test(a_target_that_is_lost_is_told_and_the_two_stay),
		cmocka_unit_test(a_kill_at_any_moment_of_a_transfer_leaves_each_call_one_record),
		cmocka_unit_test(
			what_goes_back_goes_to_no_other_where_nobody_knows_who_has_referred),
		cmocka_unit_test(a_target_of_a_call_that_is_lost_is_cancelled),
		cmocka_unit_test(the_far_ends_are_joined_from_where_it_had_come_to),
		cmocka_unit_test(whichever_call_is_older),
		cmocka_unit_test(a_far_end_that_has_followed_is_led_back),
		cmocka_unit_test(who_is_unnamed_as_leg_b_is_so_after_a_restart),
		cmocka_unit_test(a_new_leg_takes_the_place_after_a_restart),
		cmocka_unit_test(a_new_leg_that_gives_up_leaves_the_call_as_it_was),
		cmocka_unit_test(a_call_that_was_picked_up_has_its_new_leg_after_a_restart),
		cmocka_unit_test(a_target_that_was_picked_up_is_joined_after_a_restart),
		cmocka_unit_test(what_becomes_of_a_refer_that_was_passed_on_is_told),
		cmocka_unit_test(a_refer_that_was_passed_on_is_not_passed_on_twice),
		cmocka_unit_test(who_was_referred_may_still_take_over_what_the_refer_named),
		cmocka_unit_test(a_transfer_that_joins_while_the_daemon_leaves_is_left_joined),
		cmocka_unit_test(a_leave_hangs_up_nothing_of_a_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
