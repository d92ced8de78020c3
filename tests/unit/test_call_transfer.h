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
