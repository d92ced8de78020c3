/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of transfers share: REFER, and the NOTIFYs that tell of it. */
#ifndef VIADUCT_TEST_CALL_TRANSFER_H
#define VIADUCT_TEST_CALL_TRANSFER_H

#include "test_call_world.h"

#define SDP_C SDP("6000", "")

/* In that dialog, to be answered with that; refer_to: the value, with its brackets. */
static inline void refer_with(
	struct world *w, struct ua *d, const char *refer_to, const char *extra, const char *start)
{
	char text[4400];

	snprintf(text, sizeof(text), "Refer-To: %s\r\n%s", refer_to, extra);
	say_with(w, d, "REFER", 0, new_branch(), text, NULL);
	expect(w, d->who, start);
}

static inline void refer(struct world *w, struct ua *d, const char *refer_to)
{
	refer_with(w, d, refer_to, "", "SIP/2.0 202");
}

/* The next NOTIFY tells of that code, and is answered. */
static inline const char *expect_notify(struct world *w, struct ua *d, int code)
{
	const char *text = expect(w, d->who, "NOTIFY ");
	char line[32];

	snprintf(line, sizeof(line), "SIP/2.0 %d ", code);
	if (strncmp(body(text), line, strlen(line)) != 0)
		fail_msg("expected a NOTIFY of %d, got:\n%s", code, text);
	has(header(text, "Content-Type"), "message/sipfrag");
	has(header(text, "Event"), "refer");
	has(header(text, "Subscription-State"),
		code < 200 ? "active;expires=" : "terminated;reason=noresource");
	assert_string_equal(header(text, "Call-ID"), d->call_id);
	answer(w, d->who, text, 200, NULL, NULL);
	return text;
}

/* BYE in that dialog, answered. */
static inline void expect_bye(struct world *w, struct ua *d)
{
	const char *text = expect(w, d->who, "BYE ");

	assert_string_equal(header(text, "Call-ID"), d->call_id);
	answer(w, d->who, text, 200, NULL, NULL);
}

/* A re-INVITE comes in that dialog; answered 200 with sdp, and acknowledged. */
static inline const char *follow(struct world *w, struct ua *d, const char *sdp)
{
	const char *text = expect(w, d->who, "INVITE ");

	assert_string_equal(header(text, "Call-ID"), d->call_id);
	answer(w, d->who, text, 200, NULL, sdp);
	expect(w, d->who, "ACK ");
	return text;
}

/* A calls that number at that peer, who answers. */
static inline void call_to(struct world *w, struct ua *a, enum who who, struct ua *other,
	const char *number, const char *tag, const char *sdp)
{
	const char *text;

	invite(w, a, number, SDP_A);
	text = expect(w, who, "INVITE ");
	take(other, who, text, tag);
	answer_final(w, who, text, 200, tag, sdp);
	expect_answer(w, a, 1);
}

/* "<sip:number@127.0.0.1?Replaces=…>" that names the dialog d, for the one whom d's owner talks to.
 */
static inline const char *refer_to_dialog(const struct ua *d, const char *number)
{
	static char text[1024];
	const char *theirs = strstr(d->remote, ";tag="), *ours = strstr(d->local, ";tag=");

	snprintf(text, sizeof(text),
		"<sip:%s@127.0.0.1?Replaces=%.*s%%40%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>", number,
		(int)strcspn(d->call_id, "@"), d->call_id, strchr(d->call_id, '@') + 1, theirs + 5,
		ours + 5);
	return text;
}

/* Another of that peer's, in place of the dialog of that Call-ID and the tags in to and from. */
static inline void invite_replacing_from(struct world *w, struct ua *n, enum who who,
	const char *call_id, const char *to, const char *from, const char *extra, const char *sdp)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"Require: replaces\r\nReplaces: %s;to-tag=%s;from-tag=%s%s\r\n", call_id,
		strstr(to, ";tag=") + 5, strstr(from, ";tag=") + 5, extra);
	invite_from(w, n, who, "100", text, sdp);
}

#define SAYS_WHO "P-Asserted-Identity: <sip:1000@127.0.0.3>\r\nSubject: of Ann\r\n"

/* A is believed, and told who others are. */
static const char identity_keys[] = ", identity: {trusted: true, asserted: pass}";

/* A calls B twice, by a1 and by a2; B joins the two, and a1 is leg B of the call that a2 has begun.
 * extra, number: of a1's INVITE. */
static inline void join_as_leg_b(
	struct world *w, struct ua *a1, struct ua *a2, const char *extra, const char *number)
{
	struct ua b1, b2;
	const char *text;

	invite_with(w, a1, number, extra, SDP_A);
	text = expect(w, B, "INVITE ");
	take(&b1, B, text, "b1");
	answer_final(w, B, text, 200, "b1", SDP_B);
	expect_answer(w, a1, 1);
	call_to(w, a2, B, &b2, "101", "b2", SDP("5002", ""));
	refer(w, &b1, refer_to_dialog(&b2, "500"));
	expect_notify(w, &b1, 100);
	follow(w, a2, SDP("4002", ""));
	follow(w, a1, SDP_A);
	expect_bye(w, &b2);
	expect_notify(w, &b1, 200);
	expect_bye(w, &b1);
	run_ms(w, 2);
}

/* A re-INVITE of the one, which comes to the other, who answers; from_says, to_says: header
 * fields. What came goes to invite, and the answer to ok. */
static inline void change_between(struct world *w, struct ua *from, struct ua *to,
	const char *from_says, const char *to_says, char invite[TEXT_MAX], char ok[TEXT_MAX])
{
	say_with(w, from, "INVITE", 0, new_branch(), from_says, SDP_A);
	copy_text(invite, TEXT_MAX, expect(w, A, "INVITE "));
	assert_string_equal(header(invite, "Call-ID"), to->call_id);
	answer_more(w, A, invite, 200, NULL, to_says, SDP("4002", ""));
	copy_text(ok, TEXT_MAX, expect(w, A, "SIP/2.0 200"));
	expect(w, A, "ACK ");
	ack(w, from, from->cseq, NULL);
}

/* Whether a2 is told what a1, leg B, says of itself in a re-INVITE, and in its answer to one. */
static inline void is_named_to(struct world *w, struct ua *a1, struct ua *a2, bool is_named)
{
	static char told[2][TEXT_MAX], other[TEXT_MAX];

	change_between(w, a1, a2, SAYS_WHO, "", told[0], other);
	change_between(w, a2, a1, "", SAYS_WHO, other, told[1]);
	for (unsigned i = 0; i < 2; i++) {
		if (is_named) {
			has(header(told[i], "P-Asserted-Identity"), "sip:1000@");
			has(told[i], "Ann");
		} else {
			has_not(told[i], "P-Asserted-Identity");
			has_not(told[i], "Ann");
		}
	}
}

static inline unsigned live_calls(struct world *w)
{
	struct calls_status status;

	calls_get_status(w->calls, &status);
	return status.live;
}

static inline struct calls_status counters(struct world *w)
{
	struct calls_status status;

	calls_get_status(w->calls, &status);
	return status;
}

/* Where media of that leg of the newest call goes. */
static inline unsigned media_port(struct call *call, enum leg leg)
{
	struct media_stream_info info;

	assert_int_equal(media_stream_info(call_media(call), 0, &info), 0);
	return info.leg[leg].remote.port;
}

#endif
