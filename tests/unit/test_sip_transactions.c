/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_sip_loopback.h"

#define INVITE_BRANCH "z9hG4bKinvite"

static void udp_invite(struct world *w)
{
	peer_send(w, request_text(w, "INVITE", INVITE_BRANCH, 1, ""));
	expect_start(peer_receive(w), "SIP/2.0 100 Trying");
	assert_int_equal(w->requests, 1);
}

static void test_2xx_is_sent_again_until_acked(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	udp_invite(&w);
	assert_int_equal(sip_server_reply(w.request[0], 200, NULL, NULL, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		expect_start(peer_receive(&w), "SIP/2.0 200");
	peer_send(&w, request_text(&w, "ACK", "z9hG4bKanother", 1, ""));
	assert_int_equal(w.acks, 1);
	sip_server_acked(w.request[0]);
	peer_count(&w, "SIP/2.0 200", 5);
	assert_int_equal(peer_count(&w, "SIP/2.0 200", 3 * T2_MS), 0);
	assert_int_equal(w.server_gone, 1);
	assert_int_equal(w.not_acked, 0);
	/* RFC 6026: the INVITE again is absorbed, in silence. */
	peer_send(&w, request_text(&w, "INVITE", INVITE_BRANCH, 1, ""));
	assert_int_equal(peer_count(&w, "SIP/2.0", 2 * T1_MS), 0);
	assert_int_equal(w.requests, 1);
	world_close(&w);
}

static void test_response_with_a_body_says_its_length(void **state)
{
	static const char body[] = "v=0\r\n";
	osip_message_t *resp;
	const char *text;
	struct world w;

	(void)state;
	world_open(&w);
	peer_send(&w, request_text(&w, "INVITE", INVITE_BRANCH, 1,
			      "Record-Route: <sip:p@127.0.0.1;lr>\r\n"));
	expect_start(peer_receive(&w), "SIP/2.0 100");
	assert_int_equal(sip_response_make(w.request[0], 183, NULL, "mine", &resp), 0);
	assert_int_equal(osip_message_set_content_type(resp, "application/sdp"), 0);
	assert_int_equal(osip_message_set_body(resp, body, strlen(body)), 0);
	assert_int_equal(sip_server_respond(w.request[0], resp), 0);
	text = peer_receive(&w);
	expect_start(text, "SIP/2.0 183 Session Progress");
	assert_int_equal(atoi(header(text, "Content-Length")), 5); /* padded by the library */
	assert_string_equal(header(text, "Record-Route"), "<sip:p@127.0.0.1;lr>");
	assert_string_equal(header(text, "To"), "<sip:100@127.0.0.1>;tag=mine");
	assert_non_null(strstr(text, "\r\n\r\nv=0\r\n"));
	world_close(&w);
}

static void test_2xx_never_acked_is_reported_once(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	udp_invite(&w);
	assert_int_equal(sip_server_reply(w.request[0], 200, NULL, NULL, NULL), 0);
	run_ms(&w, TIMEOUT_MS + 100);
	assert_int_equal(w.not_acked, 1);
	assert_int_equal(w.server_gone, 1);
	assert_int_equal(w.sip->status.transactions, 0);
	world_close(&w);
}

static void test_error_to_invite_is_sent_again_until_its_ack(void **state)
{
	struct world w;
	const char *text;
	char ack[1024];

	(void)state;
	world_open(&w);
	udp_invite(&w);
	assert_int_equal(sip_server_reply(w.request[0], 486, NULL, NULL, NULL), 0);
	text = peer_receive(&w);
	expect_start(text, "SIP/2.0 486 Busy Here");
	assert_non_null(strstr(header(text, "To"), ";tag="));
	for (unsigned i = 0; i < 2; i++)
		expect_start(peer_receive(&w), "SIP/2.0 486");
	keep(ack, sizeof(ack), request_text(&w, "ACK", INVITE_BRANCH, 1, ""));
	peer_send(&w, ack);
	peer_count(&w, "SIP/2.0 486", 5);
	assert_int_equal(peer_count(&w, "SIP/2.0 486", 3 * T2_MS), 0);
	assert_int_equal(w.acks, 0);
	assert_int_equal(w.server_gone, 1);
	world_close(&w);
}

static void test_second_ack_to_an_error_is_absorbed(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	udp_invite(&w);
	assert_int_equal(sip_server_reply(w.request[0], 486, NULL, NULL, NULL), 0);
	peer_send(&w, request_text(&w, "ACK", INVITE_BRANCH, 1, ""));
	peer_send(&w, request_text(&w, "ACK", INVITE_BRANCH, 1, ""));
	assert_int_equal(w.acks, 0);
	run_ms(&w, T4_MS + 20);
	assert_int_equal(w.sip->remnant_count, 0);
	world_close(&w);
}

static void test_invite_again_gets_the_last_provisional_again(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	udp_invite(&w);
	peer_send(&w, request_text(&w, "INVITE", INVITE_BRANCH, 1, ""));
	expect_start(peer_receive(&w), "SIP/2.0 100");
	assert_int_equal(sip_server_reply(w.request[0], 180, NULL, NULL, NULL), 0);
	expect_start(peer_receive(&w), "SIP/2.0 180 Ringing");
	peer_send(&w, request_text(&w, "INVITE", INVITE_BRANCH, 1, ""));
	expect_start(peer_receive(&w), "SIP/2.0 180 Ringing");
	assert_int_equal(w.requests, 1);
	assert_int_equal(w.sip->status.retransmissions_in, 2);
	world_close(&w);
}

static void test_cancel_gets_200_and_the_invite_487(void **state)
{
	struct world w;
	const char *text;
	char to[256];

	(void)state;
	world_open(&w);
	udp_invite(&w);
	peer_send(&w, request_text(&w, "CANCEL", INVITE_BRANCH, 1, ""));
	text = peer_receive(&w);
	expect_start(text, "SIP/2.0 200 OK");
	assert_string_equal(header(text, "CSeq"), "1 CANCEL");
	keep(to, sizeof(to), header(text, "To"));
	text = peer_receive(&w);
	expect_start(text, "SIP/2.0 487");
	assert_non_null(strstr(to, ";tag="));
	assert_string_equal(header(text, "To"), to);
	assert_int_equal(w.cancelled, 1);
	/* Again: the same answer, nobody is told. */
	peer_send(&w, request_text(&w, "CANCEL", INVITE_BRANCH, 1, ""));
	assert_int_equal(peer_count(&w, "SIP/2.0 200", T1_MS), 1);
	assert_int_equal(w.cancelled, 1);
	world_close(&w);
}

static void test_cancel_after_the_2xx_gets_200_and_changes_nothing(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	udp_invite(&w);
	assert_int_equal(sip_server_reply(w.request[0], 200, NULL, NULL, NULL), 0);
	expect_start(peer_receive(&w), "SIP/2.0 200");
	peer_send(&w, request_text(&w, "CANCEL", INVITE_BRANCH, 1, ""));
	assert_int_equal(w.cancelled, 0);
	world_close(&w);
}

static void test_cancel_of_nothing_gets_481(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	peer_send(&w, request_text(&w, "CANCEL", "z9hG4bKnothing", 1, ""));
	expect_start(peer_receive(&w), "SIP/2.0 481");
	assert_int_equal(w.requests, 0);
	world_close(&w);
}

static void test_request_again_gets_its_answer_again_and_is_not_seen(void **state)
{
	struct world w;
	char first[1024];

	(void)state;
	world_open(&w);
	w.reply_code = 200;
	peer_send(&w, request_text(&w, "OPTIONS", "z9hG4bKo", 1, ""));
	keep(first, sizeof(first), peer_receive(&w));
	expect_start(first, "SIP/2.0 200 OK");
	for (int i = 0; i < 3; i++) {
		peer_send(&w, request_text(&w, "OPTIONS", "z9hG4bKo", 1, ""));
		assert_string_equal(peer_receive(&w), first);
	}
	assert_int_equal(w.requests, 1);
	assert_int_equal(w.server_gone, 1);
	assert_int_equal(w.sip->status.transactions, 0);
	assert_int_equal(w.sip->remnant_count, 1);
	run_ms(&w, TIMEOUT_MS + 50); /* timer J */
	assert_int_equal(w.sip->remnant_count, 0);
	world_close(&w);
}

static void test_same_branch_other_method_is_another_transaction(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.reply_code = 200;
	peer_send(&w, request_text(&w, "OPTIONS", "z9hG4bKs", 1, ""));
	peer_send(&w, request_text(&w, "INFO", "z9hG4bKs", 1, ""));
	assert_int_equal(w.requests, 2);
	world_close(&w);
}

static void test_rfc2543_request_without_cookie_is_matched_by_its_fields(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	peer_send(&w, request_text(&w, "INVITE", "1", 1, ""));
	peer_send(&w, request_text(&w, "INVITE", "1", 1, ""));
	assert_int_equal(w.requests, 1);
	peer_send(&w, request_text(&w, "INVITE", "1", 2, ""));
	assert_int_equal(w.requests, 2);
	world_close(&w);
}

static void test_max_forwards_0_gets_483(void **state)
{
	struct world w;
	char text[4096], *at;

	(void)state;
	world_open(&w);
	keep(text, sizeof(text), request_text(&w, "INVITE", "z9hG4bKm", 1, ""));
	at = strstr(text, "Max-Forwards: 70");
	memcpy(at, "Max-Forwards:  0", 16);
	peer_send(&w, text);
	expect_start(peer_receive(&w), "SIP/2.0 483 Too Many Hops");
	assert_int_equal(w.requests, 0);
	world_close(&w);
}

static void test_stranger_gets_403_or_silence(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.strangers_only = true;
	peer_send(&w, request_text(&w, "OPTIONS", "z9hG4bKx", 1, ""));
	expect_start(peer_receive(&w), "SIP/2.0 403 Forbidden");
	peer_send(&w, request_text(&w, "ACK", "z9hG4bKx", 1, ""));
	w.cfg.silent_strangers = true;
	peer_send(&w, request_text(&w, "OPTIONS", "z9hG4bKx", 1, ""));
	assert_int_equal(peer_count(&w, "SIP/2.0", T1_MS), 0);
	assert_int_equal(w.sip->status.unknown_source, 3);
	assert_int_equal(w.requests, 0);
	world_close(&w);
}

static void test_strangers_together_get_few_answers(void **state)
{
	struct world w;
	unsigned n = 0;

	(void)state;
	world_open(&w);
	w.strangers_only = true;
	for (int i = 0; i < 3 * STRANGER_ANSWERS_A_SECOND; i++)
		peer_send(&w, request_text(&w, "OPTIONS", "z9hG4bKx", 1, ""));
	n = peer_count(&w, "SIP/2.0 403", 10);
	assert_in_range(n, 1, 2 * STRANGER_ANSWERS_A_SECOND);
	world_close(&w);
}

static void test_request_over_the_limit_of_transactions_gets_503(void **state)
{
	struct world w;
	const char *text;

	(void)state;
	world_open(&w);
	w.sip->status.transactions = TRANSACTIONS_MAX;
	peer_send(&w, request_text(&w, "INVITE", INVITE_BRANCH, 1, ""));
	text = peer_receive(&w);
	expect_start(text, "SIP/2.0 503 Service Unavailable");
	assert_string_equal(header(text, "Retry-After"), "10");
	assert_int_equal(w.sip->status.transactions_refused, 1);
	assert_int_equal(w.requests, 0);
	w.sip->status.transactions = 0;
	world_close(&w);
}

static void test_request_of_ours_over_the_limit_of_transactions_is_not_sent(void **state)
{
	struct sip_dest dest = {.listener = 0};
	struct world w;

	(void)state;
	world_open(&w);
	dest.remote = w.peer_addr;
	w.sip->status.transactions = TRANSACTIONS_MAX;
	assert_int_equal(sip_client_send(w.sip, &dest, make_request("OPTIONS", 0), &w,
				 &client_handlers, NULL),
		-EAGAIN);
	assert_int_equal(w.sip->status.transactions_refused, 1);
	assert_int_equal(peer_count(&w, "OPTIONS ", 2 * T1_MS), 0);
	w.sip->status.transactions = 0;
	world_close(&w);
}

static bool is_emergency(void *ctx, const struct peer_config *peer, const char *uri, size_t len)
{
	(void)ctx;
	(void)peer;
	return len >= 7 && memcmp(uri, "sip:100", 7) == 0;
}

/* The others have all but so many. */
static void leave_transactions(struct world *w, unsigned n)
{
	w->sip->status.transactions = TRANSACTIONS_MAX - n;
}

static void test_peer_has_as_many_transactions_as_are_free_yet(void **state)
{
	struct world w;
	const char *text;

	(void)state;
	world_open(&w);
	leave_transactions(&w, 2);
	udp_invite(&w);
	peer_send(&w, request_text(&w, "INVITE", "z9hG4bKmore", 2, ""));
	text = peer_receive(&w);
	expect_start(text, "SIP/2.0 503 Service Unavailable");
	assert_string_equal(header(text, "Retry-After"), "10");
	assert_int_equal(w.sip->status.share_refused, 1);
	assert_int_equal(w.sip->status.transactions_refused, 0);
	assert_int_equal(w.requests, 1);
	/* The place that is left is another's. */
	w.peer.name = (char *)"other";
	peer_send(&w, request_text(&w, "INVITE", "z9hG4bKother", 3, ""));
	expect_start(peer_receive(&w), "SIP/2.0 100 Trying");
	assert_int_equal(w.requests, 2);
	assert_int_equal(w.sip->status.transactions, TRANSACTIONS_MAX);
	w.peer.name = (char *)"peer";
	/* What is over is given back. */
	leave_transactions(&w, 1);
	assert_int_equal(sip_server_reply(w.request[0], 486, NULL, NULL, NULL), 0);
	expect_start(peer_receive(&w), "SIP/2.0 486");
	peer_send(&w, request_text(&w, "ACK", INVITE_BRANCH, 1, ""));
	leave_transactions(&w, 1);
	peer_send(&w, request_text(&w, "INVITE", "z9hG4bKagain", 4, ""));
	expect_start(peer_receive(&w), "SIP/2.0 100 Trying");
	assert_int_equal(w.sip->status.share_refused, 1);
	world_close(&w);
}

static void test_bye_and_emergency_calls_are_taken_beyond_the_share(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	leave_transactions(&w, 3);
	udp_invite(&w);
	leave_transactions(&w, 1);
	peer_send(&w, request_text(&w, "INFO", "z9hG4bKinfo", 2, ""));
	expect_start(peer_receive(&w), "SIP/2.0 503");
	w.reply_code = 200;
	peer_send(&w, request_text(&w, "BYE", "z9hG4bKbye", 3, ""));
	expect_start(peer_receive(&w), "SIP/2.0 200");
	w.reply_code = 0;
	w.sip->handlers.is_emergency = is_emergency;
	leave_transactions(&w, 1);
	peer_send(&w, request_text(&w, "INVITE", "z9hG4bKsos", 4, ""));
	expect_start(peer_receive(&w), "SIP/2.0 100 Trying");
	assert_int_equal(w.sip->status.share_refused, 1);
	world_close(&w);
}

static void test_ended_transaction_over_their_limit_is_counted_and_forgotten(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.reply_code = 486;
	w.sip->remnant_count = REMNANTS_MAX;
	peer_send(&w, request_text(&w, "OPTIONS", "z9hG4bKforgotten", 1, ""));
	expect_start(peer_receive(&w), "SIP/2.0 486 ");
	assert_int_equal(peer_count(&w, "SIP/2.0", 1), 0);
	assert_int_equal(w.sip->status.forgotten, 1);
	assert_int_equal(w.sip->remnant_count, REMNANTS_MAX);
	assert_null(w.sip->remnants);
	w.sip->remnant_count = 0;
	world_close(&w);
}

static void test_rfc2543_ack_to_a_2xx_is_handed_up(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	peer_send(&w, request_text(&w, "INVITE", "1", 1, ""));
	assert_int_equal(sip_server_reply(w.request[0], 200, NULL, NULL, NULL), 0);
	peer_send(&w, request_text(&w, "ACK", "1", 1, ""));
	assert_int_equal(w.acks, 1);
	sip_server_acked(w.request[0]);
	peer_send(&w, request_text(&w, "ACK", "1", 1, ""));
	assert_int_equal(w.acks, 2);
	world_close(&w);
}

static void test_response_goes_to_the_port_that_via_asks_for(void **state)
{
	struct world w;
	char text[4096], via[64], *at;
	struct addr any = localhost(0);
	int other = listener_socket(&any, SOCK_DGRAM);

	(void)state;
	world_open(&w);
	w.reply_code = 200;
	keep(text, sizeof(text), request_text(&w, "OPTIONS", "z9hG4bKv", 1, ""));
	/* sent-by names the other socket; without rport that is where the answer belongs */
	at = strstr(text, ";rport");
	memcpy(at, ";qport", 6);
	snprintf(via, sizeof(via), "127.0.0.1:%u;", w.peer_addr.port);
	at = strstr(text, via);
	assert_non_null(at);
	snprintf(via, sizeof(via), "127.0.0.1:%u;", socket_addr(other).port);
	memcpy(at, via, strlen(via));
	peer_send(&w, text);
	expect_start(receive_within(&w, other, PATIENCE_MS), "SIP/2.0 200");
	close(other);
	world_close(&w);
}

/* ---- client side ---- */

static void test_request_carries_via_and_what_was_missing(void **state)
{
	struct world w;
	const char *text;

	(void)state;
	world_open(&w);
	client_send(&w, "OPTIONS", 0);
	text = peer_receive(&w);
	expect_start(text, "OPTIONS sip:2@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:");
	assert_non_null(strstr(header(text, "Via"), ";branch=z9hG4bK"));
	assert_non_null(strstr(header(text, "Via"), ";rport"));
	assert_string_equal(header(text, "Content-Length"), "0");
	assert_string_equal(header(text, "Max-Forwards"), "70");
	world_close(&w);
}

static void test_request_is_sent_again_and_times_out(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	client_send(&w, "INVITE", 0);
	assert_true(peer_count(&w, "INVITE", 20 * T1_MS) >= 4);
	run_ms(&w, TIMEOUT_MS);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.last_error, -ETIMEDOUT);
	assert_int_equal(w.client_gone, 1);
	assert_int_equal(w.sip->status.timeouts, 1);
	assert_int_equal(w.sip->status.transactions, 0);
	world_close(&w);
}

static void test_final_response_ends_a_request(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	client_send(&w, "BYE", 0);
	peer_send(&w, response_text(peer_receive(&w), 200, "x"));
	run_ms(&w, 5);
	assert_int_equal(w.responses, 1);
	assert_int_equal(w.last_code, 200);
	assert_int_equal(w.client_gone, 1);
	assert_int_equal(w.failed, 0);
	world_close(&w);
}

static void test_forked_2xx_are_all_handed_up(void **state)
{
	struct world w;
	char invite[4096];

	(void)state;
	world_open(&w);
	client_send(&w, "INVITE", 0);
	keep(invite, sizeof(invite), peer_receive(&w));
	peer_send(&w, response_text(invite, 100, NULL));
	assert_int_equal(w.responses, 0);
	peer_send(&w, response_text(invite, 180, "one"));
	peer_send(&w, response_text(invite, 180, "two"));
	assert_int_equal(w.responses, 2);
	peer_send(&w, response_text(invite, 200, "one"));
	assert_string_equal(w.last_to_tag, "one");
	peer_send(&w, response_text(invite, 200, "two"));
	assert_string_equal(w.last_to_tag, "two");
	peer_send(&w, response_text(invite, 200, "one"));
	assert_int_equal(w.responses, 5);
	/* what is neither 2xx nor in time goes nowhere */
	peer_send(&w, response_text(invite, 486, "one"));
	assert_int_equal(w.responses, 5);
	assert_int_equal(w.client_gone, 0);
	run_ms(&w, TIMEOUT_MS + 50); /* timer M */
	assert_int_equal(w.client_gone, 1);
	assert_int_equal(w.failed, 0);
	world_close(&w);
}

static void test_error_to_our_invite_is_acked_each_time(void **state)
{
	struct world w;
	char invite[4096];
	const char *ack;

	(void)state;
	world_open(&w);
	client_send(&w, "INVITE", 0);
	keep(invite, sizeof(invite), peer_receive(&w));
	peer_send(&w, response_text(invite, 486, "busy"));
	ack = peer_receive(&w);
	expect_start(ack, "ACK sip:2@127.0.0.1 SIP/2.0");
	assert_string_equal(header(ack, "Via"), header(invite, "Via"));
	assert_non_null(strstr(header(ack, "To"), ";tag=busy"));
	assert_string_equal(header(ack, "CSeq"), "7 ACK");
	peer_send(&w, response_text(invite, 486, "busy"));
	expect_start(peer_receive(&w), "ACK ");
	assert_int_equal(w.responses, 1);
	assert_int_equal(w.client_gone, 1);
	world_close(&w);
}

static void test_cancel_waits_for_the_first_provisional(void **state)
{
	struct world w;
	struct sip_client *c;
	char invite[4096];
	const char *text;

	(void)state;
	world_open(&w);
	c = client_send(&w, "INVITE", 0);
	keep(invite, sizeof(invite), peer_receive(&w));
	assert_int_equal(sip_client_cancel(c, "SIP;cause=200"), 0);
	assert_int_equal(sip_client_cancel(c, NULL), 0);
	assert_int_equal(peer_count(&w, "CANCEL", 5 * T1_MS), 0);
	peer_send(&w, response_text(invite, 100, NULL));
	do
		text = peer_receive(&w);
	while (starts_with(text, "INVITE"));
	expect_start(text, "CANCEL sip:2@127.0.0.1 SIP/2.0");
	assert_string_equal(header(text, "Via"), header(invite, "Via"));
	assert_string_equal(header(text, "CSeq"), "7 CANCEL");
	assert_string_equal(header(text, "Reason"), "SIP;cause=200");
	peer_send(&w, response_text(text, 200, "c"));
	assert_int_equal(w.responses, 0);
	peer_send(&w, response_text(invite, 487, "c"));
	assert_int_equal(w.last_code, 487);
	assert_int_equal(w.client_gone, 1);
	world_close(&w);
}

static void test_cancelled_invite_without_a_final_times_out(void **state)
{
	struct world w;
	struct sip_client *c;
	char invite[4096];

	(void)state;
	world_open(&w);
	c = client_send(&w, "INVITE", 0);
	keep(invite, sizeof(invite), peer_receive(&w));
	peer_send(&w, response_text(invite, 180, "c"));
	assert_int_equal(sip_client_cancel(c, NULL), 0);
	run_ms(&w, TIMEOUT_MS + 100);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.last_error, -ETIMEDOUT);
	assert_int_equal(w.client_gone, 1);
	world_close(&w);
}

static void test_port_unreachable_fails_the_request_at_once(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	close(w.peer_fd);
	w.peer_fd = -1;
	client_send(&w, "INVITE", 0);
	run_ms(&w, 10);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.last_error, -ECONNREFUSED);
	assert_int_equal(w.client_gone, 1);
	world_close(&w);
}

static void test_abandoned_transactions_call_nobody(void **state)
{
	struct world w;
	char invite[4096];

	(void)state;
	world_open(&w);
	sip_client_abandon(client_send(&w, "INVITE", 0));
	keep(invite, sizeof(invite), peer_receive(&w));
	peer_send(&w, response_text(invite, 486, "x"));
	run_ms(&w, 5);
	assert_int_equal(w.responses + w.client_gone + w.failed, 0);
	world_close(&w);
}

static void test_free_tells_every_owner_gone(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	udp_invite(&w);
	client_send(&w, "INVITE", 0);
	client_send(&w, "OPTIONS", 0);
	world_close(&w);
	assert_int_equal(w.server_gone, 1);
	assert_int_equal(w.client_gone, 2);
}

static void test_response_for_nobody_is_counted(void **state)
{
	struct world w;
	char text[4096];

	(void)state;
	world_open(&w);
	keep(text, sizeof(text), request_text(&w, "OPTIONS", "z9hG4bKn", 1, ""));
	peer_send(&w, response_text(text, 200, "x"));
	assert_int_equal(w.sip->status.stray_responses, 1);
	world_close(&w);
}

static void test_reload_moves_a_listener_in_the_file_and_it_keeps_its_number(void **state)
{
	struct listener_config swapped[2];
	struct listener *udp;
	struct config cfg;
	struct world w;

	(void)state;
	world_open(&w);
	udp = w.sip->listener[0];
	cfg = w.cfg;
	cfg.refs = 0;
	swapped[0] = w.listener[1];
	swapped[1] = w.listener[0];
	cfg.listener = swapped;
	assert_int_equal(sip_reload(w.sip, &cfg, NULL), 0);
	assert_ptr_equal(w.sip->listener[0], udp);
	assert_int_equal(udp->index, 1);
	assert_int_equal(sip_listener_slot(w.sip, &swapped[1]), 0);
	udp_invite(&w);
	world_close(&w);
	assert_int_equal(cfg.refs, 0);
}

static void test_a_dropped_peer_is_admitted_while_calls_hold_its_configuration(void **state)
{
	struct peer_config nobody[1];
	struct config cfg;
	struct world w;

	(void)state;
	world_open(&w);
	cfg = w.cfg;
	cfg.refs = 0;
	nobody[0] = w.cfg.peer[0];
	nobody[0].address.ip[0] = 203;
	cfg.peer = nobody;
	config_ref(&w.cfg); /* a call that began with it */
	assert_int_equal(sip_reload(w.sip, &cfg, NULL), 0);
	assert_ptr_equal(admit(w.sip, &w.cfg.peer[0].address, 0, NULL), &w.cfg.peer[0]);
	config_unref(&w.cfg);
	assert_null(admit(w.sip, &w.cfg.peer[0].address, 0, NULL));
	assert_int_equal(w.cfg.refs, 0);
	world_close(&w);
}

static void test_reload_closes_a_removed_listener_and_fails_what_it_had(void **state)
{
	struct config cfg;
	struct world w;
	int gone_port, fd;

	(void)state;
	world_open(&w);
	gone_port = w.sip->listener[1]->local.port;
	cfg = w.cfg;
	cfg.refs = 0;
	cfg.listener_count = 1;
	assert_int_equal(sip_reload(w.sip, &cfg, NULL), 0);
	assert_int_equal(w.cfg.refs, 0);
	struct addr a = localhost((uint16_t)gone_port);
	fd = listener_socket(&a, SOCK_STREAM);
	assert_true(fd >= 0);
	close(fd);
	world_close(&w);
	assert_int_equal(cfg.refs, 0);
}

static void test_reload_adds_an_ipv6_listener_that_sends(void **state)
{
	struct listener_config three[3];
	struct sip_dest dest = {.listener = 2};
	struct config cfg;
	struct world w;
	const char *text;
	struct addr six;
	int fd, ret;

	(void)state;
	assert_int_equal(addr_parse_ip(&six, "::1", 3), 0);
	fd = listener_socket(&six, SOCK_DGRAM);
	if (fd < 0) {
		print_message("no IPv6 here\n");
		skip();
	}
	world_open(&w);
	cfg = w.cfg;
	cfg.refs = 0;
	memcpy(three, w.listener, sizeof(w.listener));
	three[2] = three[0];
	three[2].address.local = three[2].address.advertised = six;
	cfg.listener = three;
	cfg.listener_count = 3;
	ret = sip_reload(w.sip, &cfg, NULL);
	assert_int_equal(ret, 0);
	assert_true(starts_with(sip_listener_contact(w.sip, 2), "[::1]:"));
	dest.remote = socket_addr(fd);
	assert_int_equal(sip_client_send(w.sip, &dest, make_request("OPTIONS", 0), &w,
				 &client_handlers, NULL),
		0);
	text = receive_within(&w, fd, PATIENCE_MS);
	expect_start(text, "OPTIONS sip:2@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:");
	close(fd);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_2xx_is_sent_again_until_acked),
		cmocka_unit_test(test_response_with_a_body_says_its_length),
		cmocka_unit_test(test_2xx_never_acked_is_reported_once),
		cmocka_unit_test(test_error_to_invite_is_sent_again_until_its_ack),
		cmocka_unit_test(test_second_ack_to_an_error_is_absorbed),
		cmocka_unit_test(test_invite_again_gets_the_last_provisional_again),
		cmocka_unit_test(test_cancel_gets_200_and_the_invite_487),
		cmocka_unit_test(test_cancel_after_the_2xx_gets_200_and_changes_nothing),
		cmocka_unit_test(test_cancel_of_nothing_gets_481),
		cmocka_unit_test(test_request_again_gets_its_answer_again_and_is_not_seen),
		cmocka_unit_test(test_same_branch_other_method_is_another_transaction),
		cmocka_unit_test(test_rfc2543_request_without_cookie_is_matched_by_its_fields),
		cmocka_unit_test(test_max_forwards_0_gets_483),
		cmocka_unit_test(test_stranger_gets_403_or_silence),
		cmocka_unit_test(test_strangers_together_get_few_answers),
		cmocka_unit_test(test_request_over_the_limit_of_transactions_gets_503),
		cmocka_unit_test(test_request_of_ours_over_the_limit_of_transactions_is_not_sent),
		cmocka_unit_test(test_peer_has_as_many_transactions_as_are_free_yet),
		cmocka_unit_test(test_bye_and_emergency_calls_are_taken_beyond_the_share),
		cmocka_unit_test(test_ended_transaction_over_their_limit_is_counted_and_forgotten),
		cmocka_unit_test(test_rfc2543_ack_to_a_2xx_is_handed_up),
		cmocka_unit_test(test_response_goes_to_the_port_that_via_asks_for),
		cmocka_unit_test(test_request_carries_via_and_what_was_missing),
		cmocka_unit_test(test_request_is_sent_again_and_times_out),
		cmocka_unit_test(test_final_response_ends_a_request),
		cmocka_unit_test(test_forked_2xx_are_all_handed_up),
		cmocka_unit_test(test_error_to_our_invite_is_acked_each_time),
		cmocka_unit_test(test_cancel_waits_for_the_first_provisional),
		cmocka_unit_test(test_cancelled_invite_without_a_final_times_out),
		cmocka_unit_test(test_port_unreachable_fails_the_request_at_once),
		cmocka_unit_test(test_abandoned_transactions_call_nobody),
		cmocka_unit_test(test_free_tells_every_owner_gone),
		cmocka_unit_test(test_response_for_nobody_is_counted),
		cmocka_unit_test(test_reload_adds_an_ipv6_listener_that_sends),
		cmocka_unit_test(test_reload_moves_a_listener_in_the_file_and_it_keeps_its_number),
		cmocka_unit_test(
			test_a_dropped_peer_is_admitted_while_calls_hold_its_configuration),
		cmocka_unit_test(test_reload_closes_a_removed_listener_and_fails_what_it_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
