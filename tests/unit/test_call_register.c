/* SPDX-License-Identifier: BSD-2-Clause */
/* Registration with B: begun, refreshed, tried again, taken back, and what calls see of it (RFC
 * 3261 10, RFC 3608). */
#include "test_call_world.h"

#include "digest/digest.h"

#define KEYS                                                                                       \
	", register: {aor: 'sip:acc@provider.example', expires: 60, min_expires: 1, retry: 1, "    \
	"retry_max: 1}"                                                                            \
	", auth: {user: acc, password_env: VIADUCT_TEST_PASSWORD}"

static char first[TEXT_MAX], again[TEXT_MAX];

static void register_open(struct world *w, const char *keys)
{
	setenv("VIADUCT_TEST_PASSWORD", "secret", 1);
	world_peer_keys[B] = keys;
	world_open(w);
}

static struct peer_registration status_of_b(struct world *w)
{
	struct peer_registration status;

	assert_true(peer_get_registration(peer_by_name(calls_peers(w->calls), "b"), &status));
	return status;
}

static bool b_takes_calls(struct world *w)
{
	return peer_takes_calls(peer_by_name(calls_peers(w->calls), "b"));
}

/* 200 that grants what the Contact says with expires in place of its own. */
static void grant(struct world *w, const char *request, unsigned expires, const char *extra)
{
	char text[1024], uri[256];

	copy_uri(uri, sizeof(uri), header(request, "Contact"));
	snprintf(text, sizeof(text),
		"Contact: <sip:other@192.0.2.9>;expires=3000, <%s;ob>;expires=%u\r\n%s", uri,
		expires, extra);
	answer_with(w, B, request, 200, "r", text, NULL);
}

static void close_registered(struct world *w)
{
	const char *text;

	peers_shutdown(calls_peers(w->calls));
	if (peers_leaving(calls_peers(w->calls))) {
		text = expect(w, B, "REGISTER ");
		has(text, "Expires: 0\r\n");
		has(header(text, "Contact"), ";expires=0");
		answer_with(w, B, text, 200, "r", "", NULL);
	}
	assert_int_equal(peers_leaving(calls_peers(w->calls)), 0);
	world_close(w);
}

static void it_is_made_and_shown(void **state)
{
	struct peer_registration status;
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	assert_string_equal(status_of_b(&w).state, "trying");
	assert_false(b_takes_calls(&w));
	copy_text(first, TEXT_MAX, expect(&w, B, "REGISTER sip:provider.example SIP/2.0"));
	assert_string_equal(header(first, "To"), "<sip:acc@provider.example>");
	has(header(first, "From"), "<sip:acc@provider.example>;tag=");
	has(header(first, "Contact"), "<sip:acc@127.0.0.2:");
	assert_string_equal(header(first, "Expires"), "60");
	grant(&w, first, 40, "");
	status = status_of_b(&w);
	assert_string_equal(status.state, "registered");
	assert_string_equal(status.aor, "sip:acc@provider.example");
	assert_true(status.left_ms > 39000 && status.left_ms <= 40000);
	assert_int_equal(status.public_address.family, 0);
	assert_true(b_takes_calls(&w));
	has(w.last_event, "registered");
	close_registered(&w);
}

static void a_challenge_is_answered_and_the_nonce_used_again(void **state)
{
	struct digest_credentials c;
	struct world w;
	const char *text;

	(void)state;
	register_open(&w, KEYS);
	copy_text(first, TEXT_MAX, expect(&w, B, "REGISTER "));
	answer_with(&w, B, first, 401, "r",
		"WWW-Authenticate: Digest realm=\"x\", nonce=\"n\", qop=\"auth\"\r\n", NULL);
	copy_text(again, TEXT_MAX, expect(&w, B, "REGISTER "));
	assert_string_equal(header(again, "CSeq"), "2 REGISTER");
	assert_string_equal(header(again, "Call-ID"), header(first, "Call-ID"));
	text = header(again, "Authorization");
	assert_int_equal(digest_credentials_parse(&c, text, strlen(text)), 0);
	assert_string_equal(c.uri, "sip:provider.example");
	assert_int_equal(digest_verify(&c, "secret", 6, "REGISTER"), 0);
	grant(&w, again, 1, "");
	/* The refresh comes in time, of the same Call-ID, with credentials from the start. */
	copy_text(first, TEXT_MAX, expect(&w, B, "REGISTER "));
	assert_true(status_of_b(&w).left_ms > 0);
	assert_string_equal(header(first, "CSeq"), "3 REGISTER");
	assert_string_equal(header(first, "Call-ID"), header(again, "Call-ID"));
	has(header(first, "Authorization"), "nc=00000002");
	grant(&w, first, 60, "");
	close_registered(&w);
}

static void wrong_credentials_are_told_and_tried_later(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	for (unsigned i = 0; i < 2; i++)
		answer_with(&w, B, expect(&w, B, "REGISTER "), 401, "r",
			"WWW-Authenticate: Digest realm=\"x\", nonce=\"n\", qop=\"auth\"\r\n",
			NULL);
	assert_string_equal(status_of_b(&w).state, "failed");
	assert_string_equal(status_of_b(&w).why, "401, our credentials are refused");
	assert_false(b_takes_calls(&w));
	expect_nothing(&w, B);
	expect(&w, B, "REGISTER ");
	close_registered(&w);
}

static void a_longer_time_is_asked_for_where_the_registrar_wants_it(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	answer_with(&w, B, expect(&w, B, "REGISTER "), 423, "r", "Min-Expires: 1800\r\n", NULL);
	copy_text(again, TEXT_MAX, expect(&w, B, "REGISTER "));
	assert_string_equal(header(again, "Expires"), "1800");
	has(header(again, "Contact"), ";expires=1800");
	grant(&w, again, 1800, "");
	assert_string_equal(status_of_b(&w).state, "registered");
	close_registered(&w);
}

static void a_registrar_that_never_has_enough_is_given_up(void **state)
{
	char text[64];
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "Min-Expires: %u\r\n", 1000 * (i + 1));
		answer_with(&w, B, expect(&w, B, "REGISTER "), 423, "r", text, NULL);
	}
	assert_string_equal(status_of_b(&w).why, "423");
	close_registered(&w);
}

static void retry_after_is_obeyed(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	answer_with(&w, B, expect(&w, B, "REGISTER "), 503, "r", "Retry-After: 2\r\n", NULL);
	assert_string_equal(status_of_b(&w).why, "503, again in 2 s");
	run_ms(&w, 1200);
	expect_nothing(&w, B);
	grant(&w, expect(&w, B, "REGISTER "), 60, "");
	assert_string_equal(status_of_b(&w).state, "registered");
	close_registered(&w);
}

static void no_answer_is_a_failure_that_is_tried_again(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	expect(&w, B, "REGISTER ");
	run_ms(&w, TIMEOUT_MS + 50);
	assert_string_equal(status_of_b(&w).why, "no answer");
	grant(&w, expect(&w, B, "REGISTER "), 60, "");
	close_registered(&w);
}

/* A refresh that fails does not end what was granted; the end of its time does. */
static void it_holds_until_its_time_is_over(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	grant(&w, expect(&w, B, "REGISTER "), 1, "");
	answer_with(&w, B, expect(&w, B, "REGISTER "), 500, "r", "", NULL);
	assert_string_equal(status_of_b(&w).state, "registered");
	assert_string_equal(status_of_b(&w).why, "500");
	assert_true(b_takes_calls(&w));
	while (status_of_b(&w).left_ms)
		loop_once(w.loop, 1);
	run_ms(&w, 3);
	assert_string_equal(status_of_b(&w).state, "failed");
	assert_false(b_takes_calls(&w));
	close_registered(&w);
}

static void a_200_without_our_contact_is_none(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	answer_with(&w, B, expect(&w, B, "REGISTER "), 200, "r",
		"Contact: <sip:else@192.0.2.9>;expires=60, <sip:x@192.0.2.8>\r\n", NULL);
	has(status_of_b(&w).why, "not among those registered");
	close_registered(&w);
}

/* 200 for the first REGISTER, which asked for 60 s, with that in Via and Contact. */
static void answer_seen(struct world *w, const char *via, const char *contact)
{
	char response[TEXT_MAX], branch[128];
	const char *sent = strstr(header(first, "Via"), "branch=");

	snprintf(branch, sizeof(branch), "%s", sent);
	branch[strcspn(branch, ";\r\n")] = '\0';
	snprintf(response, sizeof(response),
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.2%s;%s\r\nFrom: %s\r\nTo: %s;tag=r\r\n"
		"Call-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n",
		via, branch, header(first, "From"), header(first, "To"), header(first, "Call-ID"),
		header(first, "CSeq"), contact);
	send_text(w, B, response);
}

static void expect_seen(const char *via, const char *contact, const char *address)
{
	char text[ADDR_TEXT_MAX];
	struct peer_registration status;
	struct world w;

	register_open(&w, KEYS);
	copy_text(first, TEXT_MAX, expect(&w, B, "REGISTER "));
	answer_seen(&w, via, contact);
	status = status_of_b(&w);
	assert_string_equal(status.state, "registered");
	if (address)
		assert_string_equal(addr_print(&status.public_address, text), address);
	else
		assert_int_equal(status.public_address.family, 0);
	close_registered(&w);
}

static void our_address_is_what_the_registrar_saw(void **state)
{
	(void)state;
	expect_seen(";received=198.51.100.7;rport=1234", "", "198.51.100.7:1234");
	expect_seen(";received=198.51.100.7", "", "198.51.100.7");
	expect_seen(";received=nobody.example;rport=1234", "", NULL);
	expect_seen(";received=198.51.100.7;rport=99999", "", NULL);
}

static void our_address_is_that_of_the_contact_where_via_tells_none(void **state)
{
	(void)state;
	/* As a proxy before the registrar writes it, and as a registrar keeps it beside. */
	expect_seen("", "Contact: <sip:acc@198.51.100.8:6000>;expires=30\r\n", "198.51.100.8:6000");
	expect_seen("",
		"Contact: <sip:acc@10.0.0.1>;expires=30;received=\"sip:198.51.100.9:7000\"\r\n",
		"198.51.100.9:7000");
	expect_seen(";received=198.51.100.7;rport=1234",
		"Contact: <sip:acc@198.51.100.8:6000>;expires=30\r\n", "198.51.100.7:1234");
	/* What is no address, and what may be somebody else's. */
	expect_seen("", "Contact: <sip:acc@nat.example>;expires=30\r\n", NULL);
	expect_seen("", "Contact: <sip:acc@10.0.0.1>;expires=30;received=\"x\"\r\n", NULL);
}

static void the_contact_that_is_as_we_wrote_it_tells_nothing(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	grant(&w, expect(&w, B, "REGISTER "), 60, "");
	assert_int_equal(status_of_b(&w).public_address.family, 0);
	close_registered(&w);
}

static void an_address_that_we_do_not_write_is_told_once(void **state)
{
	unsigned events;
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	copy_text(first, TEXT_MAX, expect(&w, B, "REGISTER "));
	events = w.events;
	answer_seen(&w, "", "Contact: <sip:acc@198.51.100.8:6000>;expires=1\r\n");
	assert_int_equal(w.events, events + 3); /* that, registered, up */
	copy_text(first, TEXT_MAX, expect(&w, B, "REGISTER "));
	answer_seen(&w, "", "Contact: <sip:acc@198.51.100.8:6000>;expires=60\r\n");
	assert_int_equal(w.events, events + 3);
	/* What we write stays what it was. */
	has(header(first, "Contact"), "@127.0.0.2:");
	close_registered(&w);
}

static void a_grant_that_is_too_short_is_none(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, ", register: {aor: 'sip:acc@provider.example', expires: 60, retry: 1, "
			  "retry_max: 1}");
	grant(&w, expect(&w, B, "REGISTER "), 4, "");
	assert_string_equal(status_of_b(&w).state, "failed");
	has(status_of_b(&w).why, "but for 4 s alone");
	expect_nothing(&w, B);
	assert_false(b_takes_calls(&w));
	grant(&w, expect(&w, B, "REGISTER "), 5, "");
	assert_string_equal(status_of_b(&w).state, "registered");
	close_registered(&w);
}

static void its_service_route_is_the_route_of_calls(void **state)
{
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	register_open(&w, KEYS);
	grant(&w, expect(&w, B, "REGISTER "), 60,
		"Service-Route: <sip:p1.provider.example;lr>,\"x\" "
		"<sip:p2.provider.example;lr>\r\n");
	invite(&w, &a, "100", SDP_A);
	text = expect(&w, B, "INVITE ");
	has(text, "Route: <sip:p1.provider.example;lr>\r\nRoute: <sip:p2.provider.example;lr>\r\n");
	answer_final(&w, B, text, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	close_registered(&w);
}

static void service_routes_beyond_count_are_left_out(void **state)
{
	char many[1024] = "Service-Route: <sip:p0;lr>";
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	register_open(&w, KEYS);
	for (unsigned i = 1; i < 20; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), ", <sip:p%u;lr>", i);
	strcat(many, "\r\n");
	grant(&w, expect(&w, B, "REGISTER "), 60, many);
	invite(&w, &a, "100", SDP_A);
	text = expect(&w, B, "INVITE ");
	has(text, "Route: <sip:p7;lr>");
	has_not(text, "p8;lr");
	answer_final(&w, B, text, 486, "b1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	close_registered(&w);
}

static void without_it_calls_take_the_next_peer(void **state)
{
	struct world w;
	struct ua a;
	const char *text;

	(void)state;
	register_open(&w, KEYS);
	answer_with(&w, B, expect(&w, B, "REGISTER "), 403, "r", "", NULL);
	invite(&w, &a, "200", SDP_A);
	text = expect(&w, C, "INVITE ");
	answer_final(&w, C, text, 486, "c1", NULL);
	expect_refusal(&w, &a, "SIP/2.0 486");
	expect_nothing(&w, B);
	close_registered(&w);
}

static void where_it_is_not_required_calls_go_out_without(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, ", register: {aor: 'sip:acc@provider.example', required: false}");
	assert_true(b_takes_calls(&w));
	answer_with(&w, B, expect(&w, B, "REGISTER "), 403, "r", "", NULL);
	assert_string_equal(status_of_b(&w).state, "failed");
	assert_true(b_takes_calls(&w));
	close_registered(&w);
}

static void reload_with(struct world *w, const char *keys)
{
	world_peer_keys[B] = keys;
	world_reload(w, "");
}

static void a_reload_that_changes_nothing_leaves_it_alone(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	grant(&w, expect(&w, B, "REGISTER "), 60, "");
	reload_with(&w, KEYS);
	expect_nothing(&w, B);
	assert_string_equal(status_of_b(&w).state, "registered");
	assert_true(b_takes_calls(&w));
	close_registered(&w);
}

/* RFC 3261 10.2.4: the binding stands, and whether the new password is right shows now. */
static void a_reload_with_another_password_tries_it_at_once(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	copy_text(first, TEXT_MAX, expect(&w, B, "REGISTER "));
	grant(&w, first, 60, "");
	setenv("VIADUCT_TEST_PASSWORD", "another", 1);
	reload_with(&w, KEYS);
	copy_text(again, TEXT_MAX, expect(&w, B, "REGISTER "));
	assert_string_equal(header(again, "Call-ID"), header(first, "Call-ID"));
	assert_string_equal(header(again, "Expires"), "60");
	answer_with(&w, B, again, 403, "r", "", NULL);
	has(w.last_event, "cannot be refreshed: 403");
	assert_string_equal(status_of_b(&w).state, "registered");
	assert_true(b_takes_calls(&w));
	/* That holds no more, and neither does the wait for another try. */
	setenv("VIADUCT_TEST_PASSWORD", "the right one", 1);
	reload_with(&w, KEYS);
	copy_text(again, TEXT_MAX, expect(&w, B, "REGISTER "));
	/* One that is under way may have been asked for with the old one. */
	setenv("VIADUCT_TEST_PASSWORD", "one more", 1);
	reload_with(&w, KEYS);
	expect_nothing(&w, B);
	grant(&w, again, 60, "");
	grant(&w, expect(&w, B, "REGISTER "), 60, "");
	expect_nothing(&w, B);
	close_registered(&w);
}

static void a_reload_that_takes_it_away_takes_it_back(void **state)
{
	struct peer_registration status;
	struct world w;
	const char *text;

	(void)state;
	register_open(&w, KEYS);
	copy_text(first, TEXT_MAX, expect(&w, B, "REGISTER "));
	grant(&w, first, 60, "");
	reload_with(&w, "");
	copy_text(again, TEXT_MAX, expect(&w, B, "REGISTER "));
	assert_string_equal(header(again, "Expires"), "0");
	assert_string_equal(header(again, "Call-ID"), header(first, "Call-ID"));
	assert_true(b_takes_calls(&w));
	assert_false(peer_get_registration(peer_by_name(calls_peers(w.calls), "b"), &status));
	/* With the credentials of then: those in force have none. */
	assert_int_equal(peers_leaving(calls_peers(w.calls)), 1);
	answer_with(&w, B, again, 200, "r", "", NULL);
	assert_int_equal(peers_leaving(calls_peers(w.calls)), 0);
	/* Another account is another registration. */
	reload_with(&w, KEYS);
	grant(&w, expect(&w, B, "REGISTER "), 60, "");
	reload_with(&w, ", register: {aor: 'sip:new@provider.example'}");
	text = expect(&w, B, "REGISTER ");
	has(text, "acc@");
	has(text, "Expires: 0\r\n");
	answer_with(&w, B, text, 200, "r", "", NULL);
	text = expect(&w, B, "REGISTER ");
	has(text, "new@");
	assert_string_not_equal(header(text, "Call-ID"), header(first, "Call-ID"));
	grant(&w, text, 60, "");
	close_registered(&w);
}

static void what_is_not_answered_at_the_end_is_forgotten(void **state)
{
	struct world w;

	(void)state;
	register_open(&w, KEYS);
	grant(&w, expect(&w, B, "REGISTER "), 60, "");
	peers_shutdown(calls_peers(w.calls));
	assert_int_equal(peers_leaving(calls_peers(w.calls)), 1);
	run_ms(&w, TIMEOUT_MS + 50);
	assert_int_equal(peers_leaving(calls_peers(w.calls)), 0);
	reload_with(&w, KEYS); /* begins nothing anew */
	run_ms(&w, 100);
	assert_int_equal(peers_leaving(calls_peers(w.calls)), 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_made_and_shown),
		cmocka_unit_test(a_challenge_is_answered_and_the_nonce_used_again),
		cmocka_unit_test(wrong_credentials_are_told_and_tried_later),
		cmocka_unit_test(a_longer_time_is_asked_for_where_the_registrar_wants_it),
		cmocka_unit_test(a_registrar_that_never_has_enough_is_given_up),
		cmocka_unit_test(retry_after_is_obeyed),
		cmocka_unit_test(no_answer_is_a_failure_that_is_tried_again),
		cmocka_unit_test(it_holds_until_its_time_is_over),
		cmocka_unit_test(a_200_without_our_contact_is_none),
		cmocka_unit_test(our_address_is_what_the_registrar_saw),
		cmocka_unit_test(our_address_is_that_of_the_contact_where_via_tells_none),
		cmocka_unit_test(the_contact_that_is_as_we_wrote_it_tells_nothing),
		cmocka_unit_test(an_address_that_we_do_not_write_is_told_once),
		cmocka_unit_test(a_grant_that_is_too_short_is_none),
		cmocka_unit_test(its_service_route_is_the_route_of_calls),
		cmocka_unit_test(service_routes_beyond_count_are_left_out),
		cmocka_unit_test(without_it_calls_take_the_next_peer),
		cmocka_unit_test(where_it_is_not_required_calls_go_out_without),
		cmocka_unit_test(a_reload_that_changes_nothing_leaves_it_alone),
		cmocka_unit_test(a_reload_with_another_password_tries_it_at_once),
		cmocka_unit_test(a_reload_that_takes_it_away_takes_it_back),
		cmocka_unit_test(what_is_not_answered_at_the_end_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
