/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of A that we challenge: none of it reaches a call before the credentials are right. */
#include "test_call_world.h"

#include "digest/digest.h"

#define PASSWORD "Circle of Life"
#define REALM    "viaduct"
#define KEYS                                                                                       \
	", challenge: {realm: " REALM ", user: phone, password_env: VIADUCT_TEST_PASSWORD, "       \
	"nonce_lifetime: 1, methods: [INVITE, BYE]}"

static void challenge_open(struct world *w, const char *keys)
{
	setenv("VIADUCT_TEST_PASSWORD", PASSWORD, 1);
	world_peer_keys[A] = keys;
	world_open(w);
}

/* The challenge of a 401, the nth. */
static struct digest_challenge challenge_of(const char *response, unsigned n)
{
	const char *s = response;
	struct digest_challenge c;
	const char *end;

	for (unsigned i = 0; i <= n; i++) {
		s = strstr(s, "\r\nWWW-Authenticate: ");
		assert_non_null(s);
		s += strlen("\r\nWWW-Authenticate: ");
	}
	end = strstr(s, "\r\n");
	assert_int_equal(digest_challenge_next(&c, &s, end), 0);
	return c;
}

/* The header field that answers it. */
static const char *authorization(const struct digest_challenge *c, const char *user,
	const char *password, const char *method, const char *uri, uint32_t nc)
{
	static char text[2048];
	struct strbuf b = {0};
	struct secret *secret;

	assert_int_equal(secret_new(&secret, strlen(password)), 0);
	memcpy(secret->text, password, strlen(password));
	secret->len = strlen(password);
	assert_int_equal(digest_answer(&b, c, user, secret, method, uri, nc), 0);
	snprintf(text, sizeof(text), "Authorization: %s\r\n", b.s);
	strbuf_free(&b);
	secret_free(secret);
	return text;
}

static void invite_again(struct world *w, struct ua *a, const char *extra)
{
	copy_text(a->invite_branch, sizeof(a->invite_branch), new_branch());
	snprintf(a->remote, sizeof(a->remote), "<sip:100@127.0.0.1>");
	say_with(w, a, "INVITE", 0, a->invite_branch, extra, SDP_A);
}

/* A's INVITE, challenged. */
static struct digest_challenge challenged_invite(struct world *w, struct ua *a)
{
	const char *text;

	invite(w, a, "100", SDP_A);
	text = expect(w, A, "SIP/2.0 401");
	ack_refusal(w, a, text);
	return challenge_of(text, 0);
}

static unsigned call_count(struct world *w)
{
	struct calls_status status;

	calls_get_status(w->calls, &status);
	return (unsigned)status.attempts;
}

static void an_invite_is_admitted_with_the_right_credentials(void **state)
{
	struct digest_challenge strong, weak;
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	challenge_open(&w, KEYS);
	invite(&w, &a, "100", SDP_A);
	text = expect(&w, A, "SIP/2.0 401");
	strong = challenge_of(text, 0);
	weak = challenge_of(text, 1);
	assert_string_equal(strong.realm, REALM);
	assert_int_equal(strong.algorithm, DIGEST_SHA_256);
	assert_int_equal(weak.algorithm, DIGEST_MD5);
	assert_true(strong.has_qop && weak.has_qop && !strong.stale);
	ack_refusal(&w, &a, text);
	expect_nothing(&w, B);
	assert_int_equal(call_count(&w), 0);

	invite_again(&w, &a,
		authorization(&strong, "phone", PASSWORD, "INVITE", "sip:100@127.0.0.1", 1));
	text = expect(&w, B, "INVITE ");
	has_not(text, "Authorization");
	take(&b, B, text, "b1");
	answer_final(&w, B, text, 200, "b1", SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a, a.cseq, NULL);
	/* Within the dialog the methods that are listed, and no others. */
	say(&w, &a, "INFO", NULL);
	answer(&w, B, expect(&w, B, "INFO "), 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	say(&w, &a, "BYE", NULL);
	weak = challenge_of(expect(&w, A, "SIP/2.0 401"), 1);
	expect_nothing(&w, B);
	say_with(&w, &a, "BYE", 0, new_branch(),
		authorization(&weak, "phone", PASSWORD, "BYE", a.target, 1), NULL);
	expect(&w, A, "SIP/2.0 200");
	answer(&w, B, expect(&w, B, "BYE "), 200, NULL, NULL);
	world_close(&w);
}

static void expect_misdirected(struct world *w, struct ua *a, const char *uri, unsigned nc,
	const struct digest_challenge *c)
{
	const char *text;

	invite_again(w, a, authorization(c, "phone", PASSWORD, "INVITE", uri, nc));
	text = expect(w, A, "SIP/2.0 400 Credentials For Another Request-URI");
	ack_refusal(w, a, text);
	expect_nothing(w, B);
}

static void count_record(void *ctx, const struct call_record *record)
{
	unsigned *count = ctx;

	++*count;
	assert_int_equal(record->code, 400);
	assert_string_equal(record->why, "credentials for another Request-URI");
	assert_string_equal(record->to, "100");
}

/* Somebody in between has put another number in the request. */
static void credentials_for_another_number_are_worth_nothing(void **state)
{
	struct digest_challenge c;
	struct sip_status status;
	unsigned records = 0;
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	challenge_open(&w, KEYS);
	calls_set_recorder(w.calls, count_record, &records);
	c = challenged_invite(&w, &a);
	expect_misdirected(&w, &a, "sip:101@127.0.0.1", 1, &c);
	expect_misdirected(&w, &a, "sip:127.0.0.1", 2, &c);
	expect_misdirected(&w, &a, "nonsense", 3, &c);
	sip_get_status(calls_sip(w.calls), &status);
	assert_int_equal(status.auth_misdirected, 3);
	assert_int_equal(status.auth_failures, 0);
	assert_int_equal(records, 3);
	assert_int_equal(call_count(&w), 0);
	calls_record_refused(w.calls, false);
	expect_misdirected(&w, &a, "sip:101@127.0.0.1", 4, &c);
	assert_int_equal(records, 3);
	calls_set_recorder(w.calls, NULL, NULL);
	/* The same in other words is the same. */
	invite_again(&w, &a,
		authorization(&c, "phone", PASSWORD, "INVITE",
			"SIP:100@127.0.0.1:5060;transport=udp", 5));
	text = expect(&w, B, "INVITE ");
	answer(&w, B, text, 486, "b1", NULL);
	expect(&w, B, "ACK ");
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void by_setting_a_proxy_may_have_written_another_number(void **state)
{
	struct digest_challenge c;
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	challenge_open(&w, ", challenge: {realm: " REALM ", user: phone, uri: any, "
			   "password_env: VIADUCT_TEST_PASSWORD}");
	c = challenged_invite(&w, &a);
	invite_again(
		&w, &a, authorization(&c, "phone", PASSWORD, "INVITE", "sip:101@127.0.0.1", 1));
	text = expect(&w, B, "INVITE ");
	answer(&w, B, text, 486, "b1", NULL);
	expect(&w, B, "ACK ");
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void a_nonce_serves_again_with_the_next_count_alone(void **state)
{
	struct digest_challenge c;
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	challenge_open(&w, KEYS);
	c = challenged_invite(&w, &a);
	for (unsigned nc = 1; nc <= 2; nc++) {
		invite_again(&w, &a,
			authorization(&c, "phone", PASSWORD, "INVITE", "sip:100@127.0.0.1", nc));
		text = expect(&w, B, "INVITE ");
		answer_final(&w, B, text, 486, "b1", NULL);
		expect_refusal(&w, &a, "SIP/2.0 486");
	}
	/* Said once more by somebody who heard it. */
	invite_again(
		&w, &a, authorization(&c, "phone", PASSWORD, "INVITE", "sip:100@127.0.0.1", 2));
	text = expect(&w, A, "SIP/2.0 401");
	assert_true(challenge_of(text, 0).stale);
	ack_refusal(&w, &a, text);
	expect_nothing(&w, B);
	world_close(&w);
}

static void an_old_nonce_is_stale(void **state)
{
	struct digest_challenge c;
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	challenge_open(&w, KEYS);
	c = challenged_invite(&w, &a);
	run_ms(&w, 1010);
	/* With a wrong password it is no more than that. */
	invite_again(&w, &a, authorization(&c, "phone", "x", "INVITE", "sip:100@127.0.0.1", 1));
	text = expect(&w, A, "SIP/2.0 401");
	assert_false(challenge_of(text, 0).stale);
	ack_refusal(&w, &a, text);
	invite_again(
		&w, &a, authorization(&c, "phone", PASSWORD, "INVITE", "sip:100@127.0.0.1", 1));
	text = expect(&w, A, "SIP/2.0 401");
	c = challenge_of(text, 0);
	assert_true(c.stale);
	ack_refusal(&w, &a, text);
	invite_again(
		&w, &a, authorization(&c, "phone", PASSWORD, "INVITE", "sip:100@127.0.0.1", 1));
	answer_final(&w, B, expect(&w, B, "INVITE "), 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void what_is_not_right_is_challenged_again(void **state)
{
	struct digest_challenge c, bent;
	struct sip_status status;
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	challenge_open(&w, KEYS);
	c = challenged_invite(&w, &a);
	for (unsigned i = 0; i < 7; i++) {
		bent = c;
		if (i == 2)
			bent.nonce[3] ^= 1;
		if (i == 3)
			strcpy(bent.realm, "other");
		if (i == 4)
			bent.has_qop = false;
		if (i == 5)
			bent.is_session = true;
		if (i == 6)
			bent.algorithm = DIGEST_SHA_512_256; /* not offered */
		invite_again(&w, &a,
			authorization(&bent, i == 0 ? "nobody" : "phone",
				i == 1 ? "wrong" : PASSWORD, "INVITE", "sip:100@127.0.0.1", i + 1));
		text = expect(&w, A, "SIP/2.0 401");
		ack_refusal(&w, &a, text);
		/* A nonce that is not ours, under a right password, is as good as an old one. */
		assert_int_equal(challenge_of(text, 0).stale, i == 2);
	}
	invite_again(&w, &a, "Authorization: Digest nonsense\r\n");
	ack_refusal(&w, &a, expect(&w, A, "SIP/2.0 401"));
	expect_nothing(&w, B);
	sip_get_status(calls_sip(w.calls), &status);
	assert_int_equal(status.auth_failures, 2); /* the user and the password */
	assert_int_equal(call_count(&w), 0);
	world_close(&w);
}

static void too_many_wrong_passwords_are_told_and_refused(void **state)
{
	struct digest_challenge c;
	struct sip_status status;
	struct world w;
	struct ua a;

	(void)state;
	challenge_open(&w, KEYS);
	c = challenged_invite(&w, &a);
	for (unsigned i = 0; i < 10; i++) {
		invite_again(&w, &a,
			authorization(&c, "phone", "wrong", "INVITE", "sip:100@127.0.0.1", i + 1));
		ack_refusal(&w, &a, expect(&w, A, "SIP/2.0 401"));
	}
	has(w.last_event, "auth: a: 10 requests with wrong credentials");
	invite_again(
		&w, &a, authorization(&c, "phone", PASSWORD, "INVITE", "sip:100@127.0.0.1", 20));
	expect_refusal(&w, &a, "SIP/2.0 403");
	expect_nothing(&w, B);
	sip_get_status(calls_sip(w.calls), &status);
	assert_int_equal(status.auth_failures, 10);
	assert_int_equal(status.auth_refused, 1);
	world_close(&w);
}

static void who_is_not_challenged_is_not_asked(void **state)
{
	struct world w;
	struct ua a, b;
	char b_invite[TEXT_MAX];
	const char *text;

	(void)state;
	challenge_open(&w, ", challenge: {realm: r, user: u, password_env: VIADUCT_TEST_PASSWORD, "
			   "methods: [OPTIONS], algorithms: [MD5]}");
	establish(&w, &a, &b, b_invite, "100");
	bye_from(&w, &a, B);
	snprintf(a.remote, sizeof(a.remote), "<sip:127.0.0.1>");
	say(&w, &a, "OPTIONS", NULL);
	text = expect(&w, A, "SIP/2.0 401");
	assert_int_equal(challenge_of(text, 0).algorithm, DIGEST_MD5);
	assert_null(strstr(strstr(text, "WWW-") + 4, "WWW-Authenticate"));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invite_is_admitted_with_the_right_credentials),
		cmocka_unit_test(credentials_for_another_number_are_worth_nothing),
		cmocka_unit_test(by_setting_a_proxy_may_have_written_another_number),
		cmocka_unit_test(a_nonce_serves_again_with_the_next_count_alone),
		cmocka_unit_test(an_old_nonce_is_stale),
		cmocka_unit_test(what_is_not_right_is_challenged_again),
		cmocka_unit_test(too_many_wrong_passwords_are_told_and_refused),
		cmocka_unit_test(who_is_not_challenged_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
