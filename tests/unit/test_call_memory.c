/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory fails while one message of a call is handled, at one allocation after the other: the call
 * goes on or ends, who asked is not told that it asked badly, nothing is left of it, and nothing
 * leaks. */
#include "sanitized.h"
#include "test_call_transfer.h"

#ifdef SANITIZED
static void every_failing_allocation_is_survived(void **state)
{
	(void)state;
	skip(); /* the sanitizer owns malloc */
}
#else
#include "failing_memory.h"

static long fail_at = -1, taken;

extern char __executable_start, etext;

/* Of our own allocations: libosip2 does not survive that its own fail. */
static int memory_fails(const void *caller)
{
	const char *at = caller;

	if (at < &__executable_start || at >= &etext || fail_at < 0 || taken++ != fail_at)
		return 0;
	errno = ENOMEM;
	return 1;
}

/* libc's own would ask malloc from elsewhere. */
char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *p = memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);

	memory_live += p != NULL;
	return p ? memcpy(p, text, size) : NULL;
}

char *strndup(const char *text, size_t n)
{
	size_t len = strnlen(text, n);
	char *p = memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(len + 1);

	memory_live += p != NULL;
	if (p) {
		memcpy(p, text, len);
		p[len] = '\0';
	}
	return p;
}

#define RUNS_MAX 60 /* of one scene */

static char b_invite[TEXT_MAX], seen[TEXT_MAX];

static struct session_config *session_of(struct world *w, enum who who)
{
	return &w->cfg->peer[who].session;
}

static void ring(struct world *w, struct ua *a, const char *extra, const char *sdp)
{
	invite_with(w, a, "100", extra, sdp);
	copy_text(b_invite, TEXT_MAX, expect(w, B, "INVITE "));
}

static void answered(struct world *w, struct ua *a, const char *extra, const char *ack_sdp)
{
	answer_more(w, B, b_invite, 200, "b1", extra, SDP_B);
	expect(w, B, "ACK ");
	learn(a, expect(w, A, "SIP/2.0 200"));
	ack(w, a, 1, ack_sdp);
}

/* Each brings a call to the brink; what comes next is handled without memory. */
static void reliable_taken(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		session_of(w, B)->reliable = RELIABLE_END;
		ring(w, a, "", SDP_A);
	} else {
		answer_reliably(w, B, b_invite, 183, "b1", 5, SDP_B);
	}
}

static void reliable_made(struct world *w, struct ua *a, bool brink)
{
	if (brink)
		ring(w, a, "Require: 100rel\r\n", SDP_A);
	else
		answer(w, B, b_invite, 183, "b1", SDP_B);
}

static void reliable_acknowledged(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		ring(w, a, "Require: 100rel\r\n", SDP_A);
		answer(w, B, b_invite, 183, "b1", SDP_B);
		copy_text(seen, TEXT_MAX, expect(w, A, "SIP/2.0 183"));
		learn(a, seen);
		answer(w, B, b_invite, 180, "b1", NULL);
		answer(w, B, b_invite, 200, "b1", SDP_B);
	} else {
		prack(w, a, (unsigned)strtoul(header(seen, "RSeq"), NULL, 10), NULL);
	}
}

static void branch_folded(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		session_of(w, A)->forking = FORKING_FOLD;
		ring(w, a, "", SDP_A);
		answer(w, B, b_invite, 183, "b1", SDP_B);
		expect(w, A, "SIP/2.0 183");
	} else {
		answer(w, B, b_invite, 183, "b2", SDP_B);
	}
}

static void offer_made(struct world *w, struct ua *a, bool brink)
{
	session_of(w, B)->delayed_offer = DELAYED_OFFER_CONVERT;
	if (!brink)
		invite(w, a, "100", NULL);
}

static void offer_turned(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		session_of(w, B)->delayed_offer = DELAYED_OFFER_CONVERT;
		ring(w, a, "", NULL);
	} else {
		answer(w, B, b_invite, 200, "b1", SDP_B);
	}
}

static void offer_answered(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		offer_turned(w, a, true);
		answer_final(w, B, b_invite, 200, "b1", SDP_B);
		learn(a, expect(w, A, "SIP/2.0 200"));
	} else {
		ack(w, a, 1, SDP_HOLD);
	}
}

static void session_granted(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		session_of(w, B)->timer = SESSION_TIMER_REQUEST;
		ring(w, a, "Supported: timer\r\nSession-Expires: 90\r\n", SDP_A);
	} else {
		answer_more(w, B, b_invite, 200, "b1", "Session-Expires: 1800;refresher=uac\r\n",
			SDP_B);
	}
}

static void session_refreshed(struct world *w, struct ua *a, bool brink)
{
	struct session_timer *st;

	if (brink) {
		ring(w, a, "", SDP_A);
		answered(w, a, "Session-Expires: 90;refresher=uac\r\n", NULL);
	} else {
		st = &the_call(w)->session_timer[LEG_B];
		st->since_ms -= 46000;
		loop_timer_start(w->loop, &st->timer, 0);
		run_ms(w, 1);
	}
}

static void refresh_answered(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		session_refreshed(w, a, true);
		session_refreshed(w, a, false);
		copy_text(seen, TEXT_MAX, expect(w, B, "INVITE "));
	} else {
		answer_more(w, B, seen, 200, NULL, "Session-Expires: 90;refresher=uac\r\n", SDP_B);
	}
}

static void refresh_received(struct world *w, struct ua *a, bool brink)
{
	static const char timer[] = "Supported: timer\r\nSession-Expires: 90\r\n";

	if (brink) {
		ring(w, a, timer, SDP_A);
		answered(w, a, "", NULL);
	} else {
		say_with(w, a, "INVITE", 0, new_branch(), timer, SDP_A);
	}
}

static void overtaken(struct world *w, struct ua *a, bool brink)
{
	static struct ua b;

	if (brink) {
		ring(w, a, "", SDP_A);
		take(&b, B, b_invite, "b1");
		answer_final(w, B, b_invite, 200, "b1", SDP_B);
		learn(a, expect(w, A, "SIP/2.0 200"));
	} else {
		say(w, &b, "INVITE", SDP_B);
		ack(w, a, 1, NULL);
	}
}

static void answered_late(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		ring(w, a, "", SDP_A);
		answered(w, a, "", NULL);
		bye_from(w, a, B);
		run_ms(w, 1);
	} else {
		answer(w, B, b_invite, 200, "b2", SDP_B);
	}
}

/* ---- transfers: A, that talks to B, refers it to C ---- */

static char c_invite[TEXT_MAX];

static void talk(struct world *w, struct ua *a)
{
	ring(w, a, "", SDP_A);
	answered(w, a, "", NULL);
}

static void refer_taken(struct world *w, struct ua *a, bool brink)
{
	if (brink)
		talk(w, a);
	else
		say_with(w, a, "REFER", 0, new_branch(), "Refer-To: <sip:300@127.0.0.1>\r\n", NULL);
}

static void target_answered(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		talk(w, a);
		refer_taken(w, a, false);
		copy_text(c_invite, TEXT_MAX, expect(w, C, "INVITE "));
	} else {
		answer(w, C, c_invite, 180, "c1", NULL);
		answer(w, C, c_invite, 200, "c1", SDP_C);
	}
}

static void remaining_answered(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		target_answered(w, a, true);
		expect(w, A, "SIP/2.0 202");
		answer(w, A, expect(w, A, "NOTIFY "), 200, NULL, NULL);
		answer_final(w, C, c_invite, 200, "c1", SDP_C);
		copy_text(seen, TEXT_MAX, expect(w, B, "INVITE "));
	} else {
		answer(w, B, seen, 200, NULL, SDP_B);
	}
}

static void referrer_left(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		target_answered(w, a, true);
	} else {
		say(w, a, "BYE", NULL);
		answer(w, C, c_invite, 486, "c1", NULL);
	}
}

static void target_named(struct world *w, struct ua *a, bool brink)
{
	static struct ua a2, c;
	static char extra[1100];

	if (brink) {
		talk(w, a);
		call_to(w, &a2, C, &c, "300", "c1", SDP_C);
		snprintf(extra, sizeof(extra), "Refer-To: %s\r\n", refer_to_dialog(&a2, "300"));
	} else {
		say_with(w, a, "REFER", 0, new_branch(), extra, NULL);
	}
}

static void far_end_answered(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		target_named(w, a, true);
		target_named(w, a, false);
		copy_text(c_invite, TEXT_MAX, expect(w, C, "INVITE "));
	} else {
		answer(w, C, c_invite, 200, NULL, SDP_C);
	}
}

static void ends_joined(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		far_end_answered(w, a, true);
		far_end_answered(w, a, false);
		expect(w, C, "ACK ");
		copy_text(seen, TEXT_MAX, expect(w, B, "INVITE "));
	} else {
		answer(w, B, seen, 200, NULL, SDP_B);
	}
}

static void leg_claimed(struct world *w, struct ua *a, bool brink)
{
	static struct ua n;
	char text[1200];

	if (brink) {
		talk(w, a);
		return;
	}
	snprintf(text, sizeof(text), "Replaces: %.200s;to-tag=%.200s;from-tag=%.200s\r\n",
		a->call_id, strstr(a->remote, ";tag=") + 5, strstr(a->local, ";tag=") + 5);
	invite_with(w, &n, "100", text, SDP("4002", ""));
}

static void leg_taken_over(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		talk(w, a);
		leg_claimed(w, a, false);
		copy_text(seen, TEXT_MAX, expect(w, B, "INVITE "));
	} else {
		answer(w, B, seen, 200, NULL, SDP_B);
	}
}

static void refer_passed_on(struct world *w, struct ua *a, bool brink)
{
	w->cfg->peer[A].refer = REFER_PASS;
	if (brink)
		talk(w, a);
	else
		say_with(w, a, "REFER", 0, new_branch(), "Refer-To: <sip:100@127.0.0.1>\r\n", NULL);
}

static void notify_carried(struct world *w, struct ua *a, bool brink)
{
	static struct ua b;

	if (brink) {
		refer_passed_on(w, a, true);
		take(&b, B, b_invite, "b1");
		refer_passed_on(w, a, false);
		answer(w, B, expect(w, B, "REFER "), 202, NULL, NULL);
		expect(w, A, "SIP/2.0 202");
	} else {
		say_with(w, &b, "NOTIFY", 0, new_branch(),
			"Event: refer\r\nSubscription-State: active\r\n", NULL);
	}
}

/* B, that A has called, has its REFER back: by itself, or by C of its group. */
static void refer_taken_back(struct world *w, struct ua *a, bool brink)
{
	static struct ua b;

	w->cfg->peer[B].refer = w->cfg->peer[C].refer = REFER_BACK;
	if (brink) {
		talk(w, a);
		take(&b, B, b_invite, "b1");
	} else {
		say_with(w, &b, "REFER", 0, new_branch(),
			"Refer-To: <sip:127.0.0.4;x=1?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\n"
			"Referred-By: <sip:b@127.0.0.4>\r\n",
			NULL);
	}
}

static void next_asked_to_take_back(struct world *w, struct ua *a, bool brink)
{
	if (brink) {
		refer_taken_back(w, a, true);
		refer_taken_back(w, a, false);
		expect(w, B, "SIP/2.0 202");
		copy_text(c_invite, TEXT_MAX, expect(w, B, "INVITE "));
	} else {
		answer(w, B, c_invite, 503, "b2", NULL);
	}
}

static void called(struct world *w, struct ua *a, bool brink)
{
	if (!brink)
		invite(w, a, "100", SDP_A);
}

static void nobody_is_blamed(struct world *w)
{
	static char text[TEXT_MAX];
	ssize_t n;

	for (enum who who = A; who <= C; who++) {
		while ((n = recv(w->fd[who], text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
			text[n] = '\0';
			has_not(text, "SIP/2.0 400");
		}
	}
}

/* Runs the scene with the allocation number `fail` failing. Returns how many there were. */
static long run(void (*scene)(struct world *, struct ua *, bool), long fail)
{
	struct world w;
	struct ua a;
	long count;

	world_open_with(&w, "groups: [{name: g, members: [{peer: b}, {peer: c}]}]\n");
	osip_set_allocators(NULL, NULL, NULL); /* its calls are to be told from ours */
	scene(&w, &a, true);
	fail_at = fail;
	taken = 0;
	scene(&w, &a, false);
	for (unsigned i = 0; i < 3; i++)
		loop_once(w.loop, 0);
	count = taken;
	fail_at = -1;
	nobody_is_blamed(&w);
	/* It goes on to be as whole as a call is. */
	run_ms(&w, 2);
	calls_shutdown(w.calls);
	run_ms(&w, 2);
	assert_int_equal(w.calls->live, 0);
	world_free(&w);
	return count;
}

static void every_failing_allocation_is_survived(void **state)
{
	static void (*const scenes[])(struct world *, struct ua *, bool) = {called, reliable_taken,
		reliable_made, reliable_acknowledged, branch_folded, offer_made, offer_turned,
		offer_answered, session_granted, session_refreshed, refresh_answered,
		refresh_received, overtaken, answered_late, refer_taken, target_answered,
		remaining_answered, referrer_left, target_named, far_end_answered, ends_joined,
		leg_claimed, leg_taken_over, refer_passed_on, notify_carried, refer_taken_back,
		next_asked_to_take_back, called};

	(void)state;
	/* What libc keeps from the first line of a log on. */
	log_limited(LOG_LEVEL_ERROR, "what follows is of no matter");
	for (long fail = 0; fail < 20; fail++)
		run(scenes[0], fail);
	for (unsigned i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		long before, count = run(scenes[i], 1000000), stride = count / RUNS_MAX + 1;

		before = memory_live;
		run(scenes[i], 1000000);
		assert_int_equal(memory_live, before);
		for (long fail = i % (unsigned)stride; fail < count; fail += stride) {
			run(scenes[i], fail);
			if (memory_live != before)
				fail_msg("scene %u: allocation %ld of %ld fails: %ld are left", i,
					fail, count, memory_live - before);
		}
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failing_allocation_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
