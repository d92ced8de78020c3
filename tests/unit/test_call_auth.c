/* SPDX-License-Identifier: BSD-2-Clause */
/* Challenges to what we ask of leg B are answered where the peer's configuration has credentials,
 * and never seen by leg A (RFC 3261 22). */
#include "test_call_world.h"

#include "digest/digest.h"

#define USER     "acc\\\"ount" /* as written in the file: acc"ount */
#define PASSWORD "Circle of Life"
#define REALM    "trunk.example"

static char invite_1[TEXT_MAX], invite_2[TEXT_MAX], invite_3[TEXT_MAX];

static void auth_open(struct world *w, const char *password)
{
	setenv("VIADUCT_TEST_PASSWORD", password, 1);
	world_peer_keys[B] = ", auth: {user: \"" USER "\", password_env: VIADUCT_TEST_PASSWORD}";
	world_open(w);
}

static const char *challenge_text(const char *header_name, const char *realm, const char *rest)
{
	static char text[512];
	static unsigned n;

	snprintf(text, sizeof(text), "%s: Digest realm=\"%s\", nonce=\"n%u\"%s\r\n", header_name,
		realm, ++n, rest);
	return text;
}

static void www(struct world *w, const char *request, const char *rest)
{
	answer_with(
		w, B, request, 401, "c1", challenge_text("WWW-Authenticate", REALM, rest), NULL);
	if (strncmp(request, "INVITE", 6) == 0)
		expect(w, B, "ACK ");
}

#define QOP ", qop=\"auth\", algorithm=SHA-256"

/* The credentials in a request, which the password verifies. */
static struct digest_credentials credentials_of(
	const char *request, const char *header_name, const char *method)
{
	const char *value = header(request, header_name);
	struct digest_credentials c;
	char uri[256];

	if (digest_credentials_parse(&c, value, strlen(value)))
		fail_msg("no credentials in:\n%s", request);
	sscanf(request, "%*s %255s", uri);
	assert_string_equal(c.uri, uri);
	assert_string_equal(c.username, "acc\"ount");
	assert_int_equal(digest_verify(&c, PASSWORD, strlen(PASSWORD), method), 0);
	return c;
}

static void is_again(const char *again, const char *first, unsigned cseq, const char *method)
{
	char text[32];

	snprintf(text, sizeof(text), "%u %s", cseq, method);
	assert_string_equal(header(again, "CSeq"), text);
	assert_string_equal(header(again, "Call-ID"), header(first, "Call-ID"));
	assert_string_equal(header(again, "From"), header(first, "From"));
	assert_string_equal(header(again, "To"), header(first, "To"));
	assert_string_equal(header(again, "Content-Length"), header(first, "Content-Length"));
	assert_string_equal(body(again), body(first));
	assert_string_not_equal(header(again, "Via"), header(first, "Via"));
}

static void a_challenged_invite_goes_out_again(void **state)
{
	struct digest_credentials c;
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	has_not(invite_1, "Authorization");
	www(&w, invite_1, QOP ", opaque=\"o\"");
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	is_again(invite_2, invite_1, 2, "INVITE");
	c = credentials_of(invite_2, "Authorization", "INVITE");
	assert_int_equal(c.algorithm, DIGEST_SHA_256);
	assert_int_equal(c.nc, 1);
	has(header(invite_2, "Authorization"), "opaque=\"o\"");
	expect_nothing(&w, A);
	take(&b, B, invite_2, "b1");
	answer(&w, B, invite_2, 200, "b1", SDP_B);
	text = expect(&w, B, "ACK ");
	assert_string_equal(header(text, "CSeq"), "2 ACK");
	assert_string_equal(header(text, "Authorization"), header(invite_2, "Authorization"));
	text = expect(&w, A, "SIP/2.0 200");
	has_not(text, "Authenticat");
	learn(&a, text);
	ack(&w, &a, 1, NULL);
	hang_up(&w, &a);
	text = expect(&w, B, "BYE ");
	assert_string_equal(header(text, "CSeq"), "3 BYE");
	c = credentials_of(text, "Authorization", "BYE");
	assert_int_equal(c.nc, 2); /* the nonce known already is used beforehand */
	answer(&w, B, text, 200, NULL, NULL);
	world_close(&w);
}

/* Both legs stand, without any challenge so far. */
static void begin(struct world *w, struct ua *a, struct ua *b)
{
	auth_open(w, PASSWORD);
	establish(w, a, b, invite_1, "100");
}

static void a_challenged_bye_goes_out_again(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;
	char first[TEXT_MAX];

	(void)state;
	begin(&w, &a, &b);
	hang_up(&w, &a);
	copy_text(first, TEXT_MAX, expect(&w, B, "BYE "));
	answer_with(&w, B, first, 407, NULL,
		challenge_text("Proxy-Authenticate", "proxy", ", qop=\"auth\""), NULL);
	text = expect(&w, B, "BYE ");
	is_again(text, first, 3, "BYE");
	credentials_of(text, "Proxy-Authorization", "BYE");
	has_not(text, "\r\nAuthorization");
	answer(&w, B, text, 200, NULL, NULL);
	world_close(&w);
}

static void without_credentials_the_caller_gets_403(void **state)
{
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	world_peer_keys[B] = "";
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	www(&w, expect(&w, B, "INVITE "), QOP);
	text = expect(&w, A, "SIP/2.0 403");
	has_not(text, "Authenticat");
	has_not(text, REALM);
	ack_refusal(&w, &a, text);
	expect_nothing(&w, B);
	world_close(&w);
}

static void another_realm_than_the_configured_one_is_not_answered(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	setenv("VIADUCT_TEST_PASSWORD", PASSWORD, 1);
	world_peer_keys[B] = ", auth: {user: u, realm: mine, password_env: VIADUCT_TEST_PASSWORD}";
	world_open(&w);
	invite(&w, &a, "100", SDP_A);
	www(&w, expect(&w, B, "INVITE "), QOP);
	expect_refusal(&w, &a, "SIP/2.0 403");
	expect_nothing(&w, B);
	world_close(&w);
}

static void wrong_credentials_are_tried_once(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	www(&w, expect(&w, B, "INVITE "), QOP);
	www(&w, expect(&w, B, "INVITE "), QOP);
	expect_refusal(&w, &a, "SIP/2.0 403");
	expect_nothing(&w, B);
	/* What was refused is not sent beforehand. */
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	has_not(invite_1, "Authorization");
	answer_final(&w, B, invite_1, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void a_stale_nonce_is_replaced(void **state)
{
	struct digest_credentials c;
	struct world w;
	struct ua a;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	www(&w, expect(&w, B, "INVITE "), QOP);
	www(&w, expect(&w, B, "INVITE "), QOP ", stale=true");
	copy_text(invite_3, TEXT_MAX, expect(&w, B, "INVITE "));
	c = credentials_of(invite_3, "Authorization", "INVITE");
	assert_int_equal(c.nc, 1);
	assert_string_equal(header(invite_3, "CSeq"), "3 INVITE");
	answer_final(&w, B, invite_3, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	/* The next call begins with them, and that nonce may be too old by now, said or not. */
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_int_equal(credentials_of(invite_1, "Authorization", "INVITE").nc, 2);
	www(&w, invite_1, QOP);
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_int_equal(credentials_of(invite_2, "Authorization", "INVITE").nc, 1);
	answer_final(&w, B, invite_2, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void a_loop_of_challenges_ends(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	for (unsigned i = 0; i <= AUTH_TRIES_MAX; i++)
		www(&w, expect(&w, B, "INVITE "), QOP ", stale=true");
	expect_refusal(&w, &a, "SIP/2.0 403");
	expect_nothing(&w, B);
	world_close(&w);
}

static void a_proxy_and_the_server_behind_it_are_both_answered(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_with(&w, B, invite_1, 407, "p",
		challenge_text("Proxy-Authenticate", REALM, ", qop=\"auth\""), NULL);
	expect(&w, B, "ACK ");
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	credentials_of(invite_2, "Proxy-Authorization", "INVITE");
	has_not(invite_2, "\r\nAuthorization");
	www(&w, invite_2, QOP);
	copy_text(invite_3, TEXT_MAX, expect(&w, B, "INVITE "));
	is_again(invite_3, invite_1, 3, "INVITE");
	assert_int_equal(credentials_of(invite_3, "Proxy-Authorization", "INVITE").nc, 2);
	assert_int_equal(credentials_of(invite_3, "Authorization", "INVITE").nc, 1);
	take(&b, B, invite_3, "b1");
	answer(&w, B, invite_3, 200, "b1", SDP_B);
	text = expect(&w, B, "ACK ");
	assert_string_equal(
		header(text, "Proxy-Authorization"), header(invite_3, "Proxy-Authorization"));
	assert_string_equal(header(text, "Authorization"), header(invite_3, "Authorization"));
	expect_answer(&w, &a, 1);
	bye_from(&w, &a, B);
	world_close(&w);
}

static void the_strongest_that_we_know_is_answered(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_with(&w, B, invite_1, 401, "c",
		"WWW-Authenticate: Digest realm=\"" REALM "\", nonce=\"1\", algorithm=SHA-9\r\n"
		"WWW-Authenticate: Bearer scope=\"x\"\r\n"
		"WWW-Authenticate: Digest realm=\"" REALM "\", nonce=\"2\", qop=\"auth\"\r\n"
		"www-authenticate : Digest realm=\"" REALM "\",nonce=\"3\",algorithm=SHA-256,"
		"qop=\"auth-int,auth\"\r\n"
		"WWW-Authenticate: Digest realm=\"" REALM "\", nonce=\"4\", algorithm=MD5\r\n",
		NULL);
	expect(&w, B, "ACK ");
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_string_equal(credentials_of(invite_2, "Authorization", "INVITE").nonce, "3");
	answer_final(&w, B, invite_2, 603, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 603");
	world_close(&w);
}

static void an_old_server_gets_no_quality_of_protection(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	www(&w, expect(&w, B, "INVITE "), "");
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_false(credentials_of(invite_2, "Authorization", "INVITE").has_qop);
	has_not(header(invite_2, "Authorization"), "nc=");
	has_not(header(invite_2, "Authorization"), "algorithm");
	answer_final(&w, B, invite_2, 603, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 603");
	world_close(&w);
}

static void a_challenge_that_comes_again_is_acknowledged_alone(void **state)
{
	struct world w;
	struct ua a;
	char challenge[TEXT_MAX];

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	copy_text(challenge, TEXT_MAX, challenge_text("WWW-Authenticate", REALM, QOP));
	answer_with(&w, B, invite_1, 401, "c", challenge, NULL);
	expect(&w, B, "ACK ");
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, invite_2, 100, NULL, NULL);
	answer_with(&w, B, invite_1, 401, "c", challenge, NULL);
	has(receive_any(&w, B, PATIENCE_MS), "CSeq: 1 ACK");
	expect_nothing(&w, B);
	answer_final(&w, B, invite_2, 603, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 603");
	world_close(&w);
}

static void cancel_is_of_the_invite_that_is_out(void **state)
{
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	answer(&w, B, invite_1, 180, "b1", NULL);
	expect(&w, A, "SIP/2.0 180");
	www(&w, invite_1, QOP);
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &a, "SIP/2.0 487");
	expect_nothing(&w, B); /* until this INVITE has a sign of life */
	answer(&w, B, invite_2, 180, "b2", NULL);
	text = expect(&w, B, "CANCEL ");
	assert_string_equal(header(text, "Via"), header(invite_2, "Via"));
	assert_string_equal(header(text, "CSeq"), "2 CANCEL");
	answer(&w, B, text, 200, "b2", NULL);
	answer_final(&w, B, invite_2, 487, "b2", NULL);
	world_close(&w);
}

static void a_challenge_after_cancel_is_the_end(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	cancel(&w, &a);
	expect(&w, A, "SIP/2.0 200");
	expect_refusal(&w, &a, "SIP/2.0 487");
	www(&w, invite_1, QOP);
	expect_nothing(&w, B);
	world_close(&w);
}

/* A fork that rang before it asked for credentials, with the same tag the second time. */
static void early_dialogs_end_with_the_challenge(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	auth_open(&w, PASSWORD);
	invite_with(&w, &a, "100", "Supported: 100rel\r\n", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_reliably(&w, B, invite_1, 180, "b1", 7, NULL);
	learn(&a, expect(&w, A, "SIP/2.0 180"));
	prack(&w, &a, 7, NULL);
	answer(&w, B, expect(&w, B, "PRACK "), 200, "b1", NULL);
	expect(&w, A, "SIP/2.0 200");
	www(&w, invite_1, QOP);
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_string_equal(header(invite_2, "CSeq"), "3 INVITE"); /* 2 was the PRACK */
	assert_int_equal(the_call(&w)->pair_count, 0);
	answer_reliably(&w, B, invite_2, 183, "b1", 9, NULL);
	learn(&a, expect(&w, A, "SIP/2.0 183"));
	a.cseq = 1;
	prack(&w, &a, 9, NULL);
	text = expect(&w, B, "PRACK ");
	assert_string_equal(header(text, "RAck"), "9 3 INVITE");
	assert_string_equal(header(text, "CSeq"), "4 PRACK");
	answer(&w, B, text, 200, "b1", NULL);
	expect(&w, A, "SIP/2.0 200");
	take(&b, B, invite_2, "b1");
	answer(&w, B, invite_2, 200, "b1", SDP_B);
	assert_string_equal(header(expect(&w, B, "ACK "), "CSeq"), "3 ACK");
	expect_answer(&w, &a, 1);
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_challenged_reinvite_goes_out_again(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;
	char first[TEXT_MAX];

	(void)state;
	begin(&w, &a, &b);
	say(&w, &a, "INVITE", SDP_HOLD);
	copy_text(first, TEXT_MAX, expect(&w, B, "INVITE "));
	www(&w, first, QOP);
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	is_again(invite_2, first, 3, "INVITE");
	credentials_of(invite_2, "Authorization", "INVITE");
	answer(&w, B, invite_2, 200, NULL, SDP_B);
	text = expect(&w, B, "ACK ");
	assert_string_equal(header(text, "CSeq"), "3 ACK");
	assert_string_equal(header(text, "Authorization"), header(invite_2, "Authorization"));
	expect(&w, A, "SIP/2.0 200");
	ack(&w, &a, a.cseq, NULL);
	/* The next one follows in order. */
	say(&w, &a, "INFO", NULL);
	text = expect(&w, B, "INFO ");
	assert_string_equal(header(text, "CSeq"), "4 INFO");
	www(&w, text, QOP ", stale=true");
	text = expect(&w, B, "INFO ");
	assert_string_equal(header(text, "CSeq"), "5 INFO");
	answer(&w, B, text, 200, NULL, NULL);
	expect(&w, A, "SIP/2.0 200");
	bye_from(&w, &b, A);
	world_close(&w);
}

static void a_delayed_offers_ack_has_credentials_too(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", NULL);
	www(&w, expect(&w, B, "INVITE "), QOP);
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	take(&b, B, invite_2, "b1");
	answer(&w, B, invite_2, 200, "b1", SDP_B);
	learn(&a, expect(&w, A, "SIP/2.0 200"));
	ack(&w, &a, 1, SDP_A);
	text = expect(&w, B, "ACK ");
	assert_string_equal(header(text, "CSeq"), "2 ACK");
	assert_string_equal(header(text, "Authorization"), header(invite_2, "Authorization"));
	bye_from(&w, &b, A);
	world_close(&w);
}

static void after_the_challenge_the_route_still_fails_over(void **state)
{
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "200", SDP_A);
	www(&w, expect(&w, B, "INVITE "), QOP);
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	answer_final(&w, B, invite_2, 503, "b1", NULL);
	text = expect(&w, C, "INVITE ");
	has_not(text, "Authorization");
	assert_string_equal(header(text, "CSeq"), "1 INVITE");
	assert_string_not_equal(header(text, "Call-ID"), header(invite_2, "Call-ID"));
	answer_final(&w, C, text, 486, "c1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

static void an_unanswered_second_invite_times_out(void **state)
{
	struct world w;
	struct ua a;

	(void)state;
	auth_open(&w, PASSWORD);
	invite(&w, &a, "100", SDP_A);
	www(&w, expect(&w, B, "INVITE "), QOP);
	expect(&w, B, "INVITE ");
	expect_refusal(&w, &a, "SIP/2.0 408");
	world_close(&w);
}

static void a_reload_takes_up_another_password(void **state)
{
	struct world w;
	struct ua a, b;
	const char *text;

	(void)state;
	auth_open(&w, "before");
	establish(&w, &a, &b, invite_1, "100");
	setenv("VIADUCT_TEST_PASSWORD", PASSWORD, 1);
	world_reload(&w, "");
	hang_up(&w, &a);
	www(&w, expect(&w, B, "BYE "), QOP);
	text = expect(&w, B, "BYE ");
	credentials_of(text, "Authorization", "BYE");
	answer(&w, B, text, 200, NULL, NULL);
	world_close(&w);
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		n++;
	}
	return n;
}

/* More realms than are kept, in one response and one after the other. */
static void realms_beyond_count_are_left_out(void **state)
{
	char many[2048] = "", realm[16];
	struct world w;
	struct ua a;

	(void)state;
	auth_open(&w, PASSWORD);
	for (unsigned i = 0; i < 3 * AUTH_SPACES_MAX; i++) {
		snprintf(realm, sizeof(realm), "r%u", i);
		strcat(many, challenge_text("Proxy-Authenticate", realm, QOP));
	}
	invite(&w, &a, "100", SDP_A);
	answer_with(&w, B, expect(&w, B, "INVITE "), 407, "c", many, NULL);
	expect(&w, B, "ACK ");
	for (unsigned i = 1; i < AUTH_TRIES_MAX; i++) {
		copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
		assert_int_equal(count_of(invite_2, "\r\nProxy-Authorization: "), AUTH_SPACES_MAX);
		snprintf(realm, sizeof(realm), "x%u", i);
		answer_with(&w, B, invite_2, 407, "c",
			challenge_text("Proxy-Authenticate", realm, QOP), NULL);
		expect(&w, B, "ACK ");
	}
	copy_text(invite_3, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_int_equal(count_of(invite_3, "\r\nProxy-Authorization: "), AUTH_SPACES_MAX);
	has(invite_3, "realm=\"x1\"");
	has_not(invite_3, "realm=\"r0\"");
	answer_with(
		&w, B, invite_3, 407, "c", challenge_text("Proxy-Authenticate", "last", QOP), NULL);
	expect(&w, B, "ACK ");
	expect_refusal(&w, &a, "SIP/2.0 403");
	expect_nothing(&w, B);
	world_close(&w);
}

/* Over TCP, which B does not take, and so over UDP after all (RFC 3261 18.1.1). */
static void one_that_credentials_make_too_long_arrives(void **state)
{
	char extra[1200], filler[1000];
	struct world w;
	struct ua a;
	int len;

	(void)state;
	auth_open(&w, PASSWORD);
	memset(filler, 'x', sizeof(filler));
	invite(&w, &a, "100", SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	len = UDP_REQUEST_MAX - 20 - (int)strlen(invite_1) - (int)strlen("X-Filler: \r\n");
	answer_final(&w, B, invite_1, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	assert_true(len > 0 && len < (int)sizeof(filler));
	snprintf(extra, sizeof(extra), "X-Filler: %.*s\r\n", len, filler);
	invite_with(&w, &a, "100", extra, SDP_A);
	copy_text(invite_1, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_true(strlen(invite_1) <= UDP_REQUEST_MAX);
	www(&w, invite_1, QOP);
	copy_text(invite_2, TEXT_MAX, expect(&w, B, "INVITE "));
	assert_true(strlen(invite_2) > UDP_REQUEST_MAX);
	has(header(invite_2, "Via"), "SIP/2.0/UDP ");
	is_again(invite_2, invite_1, 2, "INVITE");
	answer_final(&w, B, invite_2, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_challenged_invite_goes_out_again),
		cmocka_unit_test(a_challenged_bye_goes_out_again),
		cmocka_unit_test(without_credentials_the_caller_gets_403),
		cmocka_unit_test(another_realm_than_the_configured_one_is_not_answered),
		cmocka_unit_test(wrong_credentials_are_tried_once),
		cmocka_unit_test(a_stale_nonce_is_replaced),
		cmocka_unit_test(a_loop_of_challenges_ends),
		cmocka_unit_test(a_proxy_and_the_server_behind_it_are_both_answered),
		cmocka_unit_test(the_strongest_that_we_know_is_answered),
		cmocka_unit_test(an_old_server_gets_no_quality_of_protection),
		cmocka_unit_test(a_challenge_that_comes_again_is_acknowledged_alone),
		cmocka_unit_test(cancel_is_of_the_invite_that_is_out),
		cmocka_unit_test(a_challenge_after_cancel_is_the_end),
		cmocka_unit_test(early_dialogs_end_with_the_challenge),
		cmocka_unit_test(a_challenged_reinvite_goes_out_again),
		cmocka_unit_test(a_delayed_offers_ack_has_credentials_too),
		cmocka_unit_test(after_the_challenge_the_route_still_fails_over),
		cmocka_unit_test(an_unanswered_second_invite_times_out),
		cmocka_unit_test(a_reload_takes_up_another_password),
		cmocka_unit_test(realms_beyond_count_are_left_out),
		cmocka_unit_test(one_that_credentials_make_too_long_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
