/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_sip_loopback.h"

#define LONG 1400 /* bytes of padding: past RFC 3261 18.1.1 */

static int tcp_connect(struct world *w)
{
	struct sockaddr_storage ss;
	struct addr to = localhost(w->sip->listener[1]->local.port), from = localhost(0);
	socklen_t len = addr_to_sockaddr(&to, &ss);
	int fd = listener_socket(&from, SOCK_STREAM);
	int ret = connect(fd, (struct sockaddr *)&ss, len);

	assert_true(ret == 0 || errno == EINPROGRESS);
	run_ms(w, 3);
	return fd;
}

static void tcp_send(struct world *w, int fd, const char *text, size_t len)
{
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
	run_ms(w, 2);
}

static const char *tcp_request(const char *method, const char *branch)
{
	return stream_request("TCP", method, branch);
}

/* A TCP listener of the peer's at the address of its UDP socket. */
static int peer_tcp_listen(struct world *w)
{
	int fd = listener_socket(&w->peer_addr, SOCK_STREAM);

	assert_true(fd >= 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int peer_accept(struct world *w, int listening)
{
	int fd = -1;

	for (unsigned i = 0; fd < 0 && i < PATIENCE_MS; i++) {
		loop_once(w->loop, 1);
		fd = accept(listening, NULL, NULL);
	}
	assert_true(fd >= 0);
	return fd;
}

static bool is_closed(struct world *w, int fd)
{
	char c;

	run_ms(w, 5);
	return recv(fd, &c, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

static void test_request_in_pieces_is_answered_on_its_connection(void **state)
{
	const char *text;
	struct world w;
	int fd;

	(void)state;
	world_open(&w);
	w.reply_code = 200;
	fd = tcp_connect(&w);
	text = tcp_request("OPTIONS", "z9hG4bKp");
	tcp_send(&w, fd, text, 10);
	tcp_send(&w, fd, text + 10, strlen(text) - 12);
	assert_int_equal(w.requests, 0);
	tcp_send(&w, fd, text + strlen(text) - 2, 2);
	expect_start(receive_within(&w, fd, PATIENCE_MS), "SIP/2.0 200 OK");
	assert_int_equal(w.requests, 1);
	assert_int_equal(w.sip->remnant_count, 0); /* timer J is 0 */
	close(fd);
	world_close(&w);
}

static void test_pipelined_requests_are_all_answered(void **state)
{
	char text[8192];
	struct world w;
	int fd;

	(void)state;
	world_open(&w);
	w.reply_code = 200;
	fd = tcp_connect(&w);
	snprintf(text, sizeof(text), "\r\n%s%s\r\n\r\n", tcp_request("OPTIONS", "z9hG4bKq1"),
		tcp_request("INFO", "z9hG4bKq2"));
	tcp_send(&w, fd, text, strlen(text));
	assert_int_equal(w.requests, 2);
	assert_int_equal(w.sip->status.keepalives, 2);
	close(fd);
	world_close(&w);
}

static void test_double_crlf_is_answered_with_one(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_open(&w);
	fd = tcp_connect(&w);
	tcp_send(&w, fd, "\r\n\r\n", 4);
	assert_string_equal(receive_within(&w, fd, PATIENCE_MS), "\r\n");
	close(fd);
	world_close(&w);
}

static void test_missing_content_length_gets_400_and_the_end(void **state)
{
	char text[2048], *at;
	struct world w;
	int fd;

	(void)state;
	world_open(&w);
	fd = tcp_connect(&w);
	keep(text, sizeof(text), tcp_request("OPTIONS", "z9hG4bKr"));
	at = strstr(text, "Content-Length");
	memcpy(at, "Xontent-Length", 14);
	tcp_send(&w, fd, text, strlen(text));
	expect_start(receive_within(&w, fd, PATIENCE_MS), "SIP/2.0 400 ");
	assert_true(is_closed(&w, fd));
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.sip->status.tcp_dropped, 1);
	close(fd);
	world_close(&w);
}

static int caller_fd;
static unsigned written_down;

/* Whoever writes it down finds that nothing has left yet. */
static void write_it_down(void *ctx)
{
	char text[16];

	(void)ctx;
	if (!written_down++)
		assert_int_equal(recv(caller_fd, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT), -1);
}

static void test_what_leaves_last_is_written_down_before(void **state)
{
	char text[4096];
	struct world w;

	(void)state;
	world_open(&w);
	w.reply_code = 200;
	caller_fd = tcp_connect(&w);
	written_down = 0;
	sip_set_before_sending(w.sip, write_it_down, &w);
	/* An answer of ours, and then the end: nobody can say where the next message starts. */
	snprintf(text, sizeof(text), "%sOPTIONS sip:x SIP/2.0\r\nTo: x\r\n\r\n",
		tcp_request("OPTIONS", "z9hG4bKl"));
	tcp_send(&w, caller_fd, text, strlen(text));
	assert_true(written_down > 0);
	expect_start(receive_within(&w, caller_fd, PATIENCE_MS), "SIP/2.0 200 OK");
	sip_set_before_sending(w.sip, NULL, NULL);
	close(caller_fd);
	world_close(&w);
}

static void test_too_long_a_message_gets_413_and_the_end(void **state)
{
	char text[2048], *at;
	struct world w;
	int fd;

	(void)state;
	world_open(&w);
	fd = tcp_connect(&w);
	keep(text, sizeof(text), tcp_request("MESSAGE", "z9hG4bKt"));
	at = strstr(text, "Content-Length: 0");
	memcpy(at, "l:          99999", 17);
	tcp_send(&w, fd, text, strlen(text));
	expect_start(receive_within(&w, fd, PATIENCE_MS), "SIP/2.0 413 ");
	assert_true(is_closed(&w, fd));
	assert_int_equal(w.sip->status.too_long, 1);
	close(fd);
	world_close(&w);
}

static void test_strangers_connection_is_closed_at_once(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_open(&w);
	w.strangers_only = true;
	fd = tcp_connect(&w);
	assert_true(is_closed(&w, fd));
	assert_int_equal(w.sip->status.tcp_refused, 1);
	assert_int_equal(w.sip->status.tcp_connections, 0);
	close(fd);
	world_close(&w);
}

static void test_connections_over_the_limit_are_closed(void **state)
{
	struct world w;
	int fd[3];

	(void)state;
	world_open(&w);
	w.cfg.tcp_connections_max = 2;
	for (int i = 0; i < 3; i++)
		fd[i] = tcp_connect(&w);
	assert_true(is_closed(&w, fd[2]));
	assert_int_equal(w.sip->status.tcp_connections, 2);
	close(fd[0]);
	run_ms(&w, 5);
	assert_int_equal(w.sip->status.tcp_connections, 1);
	for (int i = 1; i < 3; i++)
		close(fd[i]);
	world_close(&w);
}

static void test_one_source_has_its_share_of_the_connections_alone(void **state)
{
	static int fd[TCP_CONNECTIONS_PER_SOURCE + 1];
	struct world w;

	(void)state;
	world_open(&w);
	w.cfg.tcp_connections_max = 2 * TCP_CONNECTIONS_PER_SOURCE;
	for (int i = 0; i <= TCP_CONNECTIONS_PER_SOURCE; i++)
		fd[i] = tcp_connect(&w);
	assert_true(is_closed(&w, fd[TCP_CONNECTIONS_PER_SOURCE]));
	assert_int_equal(w.sip->status.tcp_connections, TCP_CONNECTIONS_PER_SOURCE);
	assert_int_equal(w.sip->status.tcp_refused, 1);
	/* One that goes makes room. */
	close(fd[0]);
	run_ms(&w, 5);
	fd[0] = tcp_connect(&w);
	assert_false(is_closed(&w, fd[0]));
	for (int i = 0; i <= TCP_CONNECTIONS_PER_SOURCE; i++)
		close(fd[i]);
	world_close(&w);
}

static void test_invite_answered_after_its_connection_was_lost_reconnects(void **state)
{
	char text[2048], via[64];
	struct world w;
	int fd, listening;

	(void)state;
	world_open(&w);
	listening = peer_tcp_listen(&w);
	fd = tcp_connect(&w);
	keep(text, sizeof(text), tcp_request("INVITE", "z9hG4bKl"));
	snprintf(via, sizeof(via), ":%05u;", w.peer_addr.port);
	/* sent-by names where the peer listens: 5 digits for the 4 of the text */
	{
		char patched[2048], *at = strstr(text, ":5099;");

		snprintf(patched, sizeof(patched), "%.*s%s%s", (int)(at - text), text, via, at + 6);
		tcp_send(&w, fd, patched, strlen(patched));
	}
	expect_start(receive_within(&w, fd, PATIENCE_MS), "SIP/2.0 100");
	close(fd);
	run_ms(&w, 5);
	assert_int_equal(sip_server_reply(w.request[0], 180, NULL, NULL, NULL), 0);
	fd = peer_accept(&w, listening);
	expect_start(receive_within(&w, fd, PATIENCE_MS), "SIP/2.0 180");
	close(fd);
	close(listening);
	world_close(&w);
}

static void test_request_to_a_connected_remote_uses_that_connection(void **state)
{
	struct sip_dest dest = {.listener = 1};
	struct world w;
	const char *text;
	int fd;

	(void)state;
	world_open(&w);
	fd = tcp_connect(&w);
	dest.remote = socket_addr(fd);
	assert_int_equal(
		sip_client_send(w.sip, &dest, make_request("BYE", 0), &w, &client_handlers, NULL),
		0);
	text = receive_within(&w, fd, PATIENCE_MS);
	expect_start(text, "BYE sip:2@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP ");
	assert_int_equal(w.sip->status.tcp_connections, 1);
	text = response_text(text, 200, "x");
	tcp_send(&w, fd, text, strlen(text));
	assert_int_equal(w.last_code, 200);
	close(fd);
	world_close(&w);
}

static void test_refused_connection_fails_the_request(void **state)
{
	struct sip_dest dest = {.listener = 1};
	struct world w;

	(void)state;
	world_open(&w);
	dest.remote = w.peer_addr; /* nobody listens there over TCP */
	assert_int_equal(sip_client_send(w.sip, &dest, make_request("INVITE", 0), &w,
				 &client_handlers, NULL),
		0);
	assert_int_equal(w.failed, 0);
	run_ms(&w, 10);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.last_error, -ECONNREFUSED);
	assert_int_equal(w.client_gone, 1);
	world_close(&w);
}

static void test_long_request_of_a_udp_listener_goes_over_tcp(void **state)
{
	struct world w;
	const char *text;
	char invite[8192];
	int listening, fd;

	(void)state;
	world_open(&w);
	listening = peer_tcp_listen(&w);
	client_send(&w, "INVITE", LONG);
	fd = peer_accept(&w, listening);
	keep(invite, sizeof(invite), receive_within(&w, fd, PATIENCE_MS));
	assert_true(strlen(invite) > UDP_REQUEST_MAX);
	expect_start(invite, "INVITE sip:2@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:");
	assert_int_equal(peer_count(&w, "INVITE", 3 * T1_MS), 0);
	text = response_text(invite, 486, "x");
	tcp_send(&w, fd, text, strlen(text));
	expect_start(receive_within(&w, fd, PATIENCE_MS),
		"ACK sip:2@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP ");
	assert_int_equal(w.last_code, 486);
	close(fd);
	close(listening);
	world_close(&w);
}

static void test_long_request_comes_back_to_udp_where_tcp_is_refused(void **state)
{
	struct world w;
	const char *text;

	(void)state;
	world_open(&w);
	client_send(&w, "INVITE", LONG);
	text = peer_receive(&w);
	expect_start(text, "INVITE sip:2@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ");
	assert_true(peer_count(&w, "INVITE", 10 * T1_MS) >= 2); /* and again: UDP is unreliable */
	assert_int_equal(w.failed, 0);
	/* The refusal is remembered: the next does not try. */
	client_send(&w, "OPTIONS", LONG);
	assert_int_equal(w.sip->status.tcp_connections, 0);
	assert_true(peer_count(&w, "OPTIONS", T1_MS) >= 1);
	world_close(&w);
}

static void test_long_request_comes_back_to_udp_where_tcp_hangs_up(void **state)
{
	struct world w;
	int listening;

	(void)state;
	world_open(&w);
	listening = peer_tcp_listen(&w);
	client_send(&w, "INVITE", LONG);
	close(peer_accept(&w, listening));
	expect_start(peer_receive(&w), "INVITE sip:2@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ");
	close(listening);
	world_close(&w);
}

static void test_long_request_is_no_trouble_when_short_of_connections(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.cfg.tcp_connections_max = 0;
	client_send(&w, "INVITE", LONG);
	expect_start(peer_receive(&w), "INVITE sip:2@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ");
	world_close(&w);
}

static void test_connection_reset_fails_what_waits_on_it(void **state)
{
	struct sip_dest dest = {.listener = 1};
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	struct world w;
	int fd;

	(void)state;
	world_open(&w);
	fd = tcp_connect(&w);
	dest.remote = socket_addr(fd);
	assert_int_equal(sip_client_send(w.sip, &dest, make_request("INVITE", 0), &w,
				 &client_handlers, NULL),
		0);
	run_ms(&w, 2);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(fd);
	run_ms(&w, 5);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.last_error, -ECONNRESET);
	world_close(&w);
}

static void send_by_tcp(struct world *w, const char *method)
{
	struct sip_dest dest = {.listener = 1, .remote = w->peer_addr};

	assert_int_equal(
		sip_client_send(w->sip, &dest, make_request(method, 0), w, &client_handlers, NULL),
		0);
}

/* An INVITE of ours has come to the peer, whose kernel then says FIN. */
static void invite_and_hang_up(struct world *w, int listening, char text[2048])
{
	int fd;

	send_by_tcp(w, "INVITE");
	fd = peer_accept(w, listening);
	keep(text, 2048, receive_within(w, fd, PATIENCE_MS));
	expect_start(text, "INVITE ");
	close(fd);
	run_ms(w, 5);
	assert_int_equal(w->sip->connection_count, 0);
	assert_int_equal(w->failed, 0);
}

static void nothing_is_left(struct world *w)
{
	assert_int_equal(w->client_gone, 1);
	assert_int_equal(w->sip->client_count, 0);
	assert_int_equal(w->sip->status.transactions, 0);
	assert_int_equal(w->sip->status.transport_errors, 0);
}

/* RFC 3261 18.2.2: where the request's connection is gone it opens another one. */
static void test_peer_that_hangs_up_in_order_answers_by_a_connection_of_its_own(void **state)
{
	int listening, fd, to_peer;
	char invite[2048];
	const char *text;
	struct world w;

	(void)state;
	world_open(&w);
	listening = peer_tcp_listen(&w);
	invite_and_hang_up(&w, listening, invite);
	fd = tcp_connect(&w);
	text = response_text(invite, 180, "x");
	tcp_send(&w, fd, text, strlen(text));
	assert_int_equal(w.last_code, 180);
	text = response_text(invite, 486, "x");
	tcp_send(&w, fd, text, strlen(text));
	assert_int_equal(w.last_code, 486);
	/* The ACK, of the INVITE's transaction, goes where that went. */
	to_peer = peer_accept(&w, listening);
	expect_start(receive_within(&w, to_peer, PATIENCE_MS), "ACK ");
	run_ms(&w, 5);
	assert_int_equal(w.responses, 2);
	assert_int_equal(w.failed, 0);
	nothing_is_left(&w);
	close(to_peer);
	close(fd);
	close(listening);
	world_close(&w);
}

/* The peer's FIN is there, and nobody has read it yet, when the request is sent. The one that has
 * rung before is left alone. */
static void test_request_that_crosses_the_end_of_its_connection_goes_by_another_one(void **state)
{
	char invite[2048], message[2048];
	struct world w;
	int listening, fd;
	const char *text;

	(void)state;
	world_open(&w);
	listening = peer_tcp_listen(&w);
	send_by_tcp(&w, "INVITE");
	fd = peer_accept(&w, listening);
	keep(invite, sizeof(invite), receive_within(&w, fd, PATIENCE_MS));
	text = response_text(invite, 180, "x");
	tcp_send(&w, fd, text, strlen(text));
	close(fd);
	send_by_tcp(&w, "MESSAGE");
	fd = peer_accept(&w, listening);
	keep(message, sizeof(message), receive_within(&w, fd, PATIENCE_MS));
	expect_start(message, "MESSAGE ");
	text = response_text(message, 200, "x");
	tcp_send(&w, fd, text, strlen(text));
	assert_int_equal(w.last_code, 200);
	text = response_text(invite, 486, "x");
	tcp_send(&w, fd, text, strlen(text));
	assert_int_equal(w.last_code, 486);
	expect_start(receive_within(&w, fd, PATIENCE_MS), "ACK ");
	assert_int_equal(w.sip->status.retransmissions_out, 1);
	assert_int_equal(w.failed, 0);
	close(fd);
	close(listening);
	world_close(&w);
}

static void test_peer_that_hangs_up_on_each_request_has_failed_with_the_second(void **state)
{
	struct world w;
	int listening, fd;

	(void)state;
	world_open(&w);
	listening = peer_tcp_listen(&w);
	send_by_tcp(&w, "INVITE");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w.failed, 0);
		fd = accept(listening, NULL, NULL);
		for (unsigned n = 0; fd < 0 && n < 20; n++) {
			loop_once(w.loop, 0);
			fd = accept(listening, NULL, NULL);
		}
		assert_true(fd >= 0);
		close(fd); /* the request has not left yet */
	}
	run_ms(&w, 5);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.last_error, -ECONNRESET);
	assert_int_equal(w.sip->connection_count, 0);
	close(listening);
	world_close(&w);
}

/* RFC 3261 17.1.1.2, timer B */
static void test_peer_that_hangs_up_in_order_is_waited_for_until_the_timer_decides(void **state)
{
	char invite[2048];
	struct world w;
	int listening;

	(void)state;
	world_open(&w);
	listening = peer_tcp_listen(&w);
	invite_and_hang_up(&w, listening, invite);
	run_ms(&w, TIMEOUT_MS - 20);
	assert_int_equal(w.failed, 0);
	run_ms(&w, 40);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.last_error, -ETIMEDOUT);
	nothing_is_left(&w);
	close(listening);
	world_close(&w);
}

static void test_peer_that_does_not_read_is_dropped_at_the_bound(void **state)
{
	struct sip_dest dest = {.listener = 1};
	struct world w;
	unsigned sent = 0;
	int fd, small = 4096;

	(void)state;
	world_open(&w);
	fd = tcp_connect(&w);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	dest.remote = socket_addr(fd);
	while (sent < 2000 && sip_client_send(w.sip, &dest, make_request("INFO", 40000), &w,
				      &client_handlers, NULL) == 0)
		sent++;
	assert_in_range(sent, TCP_QUEUE_MAX / 65536, 1000);
	run_ms(&w, 10);
	assert_int_equal(w.sip->status.tcp_connections, 0);
	assert_int_equal(w.failed, sent);
	close(fd);
	world_close(&w);
}

/* One of many that nobody listens at. */
static struct addr place(unsigned i)
{
	struct addr a = localhost(9);

	a.ip[1] = (uint8_t)(1 + i / 256);
	a.ip[2] = (uint8_t)i;
	return a;
}

static struct remote_key key_of(unsigned i)
{
	struct remote_key key;

	memset(&key, 0, sizeof(key));
	key.listener = 1;
	key.remote = place(i);
	return key;
}

static void fail_twice(struct world *w, unsigned i)
{
	struct remote_key key = key_of(i);

	target_failed(w->sip, &key);
	target_failed(w->sip, &key);
}

static bool is_left_alone(struct world *w, unsigned i)
{
	struct remote_key key = key_of(i);

	return target_check(w->sip, &key) == -EHOSTDOWN;
}

static void test_of_too_many_places_that_fail_the_oldest_is_forgotten_and_counted(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < TARGETS_MAX; i++)
		fail_twice(&w, i);
	assert_int_equal(w.sip->status.places_forgotten, 0);
	assert_true(is_left_alone(&w, 0));
	fail_twice(&w, TARGETS_MAX);
	assert_int_equal(w.sip->status.places_forgotten, 1);
	assert_int_equal(HASH_COUNT(w.sip->targets), TARGETS_MAX);
	assert_false(is_left_alone(&w, 0));
	assert_true(is_left_alone(&w, 1));
	world_close(&w);
}

static void test_of_too_many_places_without_tcp_the_oldest_is_forgotten_and_counted(void **state)
{
	struct addr first = place(0), second = place(1), last = place(TCP_REFUSED_MAX), a;
	struct world w;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < TCP_REFUSED_MAX; i++) {
		a = place(i);
		tcp_remember_refusal(w.sip, &a);
	}
	tcp_remember_refusal(w.sip, &second);
	assert_int_equal(w.sip->status.places_forgotten, 0);
	assert_true(tcp_is_refused_by(w.sip, &first));
	tcp_remember_refusal(w.sip, &last);
	assert_int_equal(w.sip->status.places_forgotten, 1);
	assert_int_equal(HASH_COUNT(w.sip->refusals), TCP_REFUSED_MAX);
	assert_false(tcp_is_refused_by(w.sip, &first));
	assert_true(tcp_is_refused_by(w.sip, &second));
	assert_true(tcp_is_refused_by(w.sip, &last));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_in_pieces_is_answered_on_its_connection),
		cmocka_unit_test(test_pipelined_requests_are_all_answered),
		cmocka_unit_test(test_double_crlf_is_answered_with_one),
		cmocka_unit_test(test_missing_content_length_gets_400_and_the_end),
		cmocka_unit_test(test_what_leaves_last_is_written_down_before),
		cmocka_unit_test(test_too_long_a_message_gets_413_and_the_end),
		cmocka_unit_test(test_strangers_connection_is_closed_at_once),
		cmocka_unit_test(test_connections_over_the_limit_are_closed),
		cmocka_unit_test(test_one_source_has_its_share_of_the_connections_alone),
		cmocka_unit_test(test_invite_answered_after_its_connection_was_lost_reconnects),
		cmocka_unit_test(test_request_to_a_connected_remote_uses_that_connection),
		cmocka_unit_test(test_refused_connection_fails_the_request),
		cmocka_unit_test(test_long_request_of_a_udp_listener_goes_over_tcp),
		cmocka_unit_test(test_long_request_comes_back_to_udp_where_tcp_is_refused),
		cmocka_unit_test(test_long_request_comes_back_to_udp_where_tcp_hangs_up),
		cmocka_unit_test(test_long_request_is_no_trouble_when_short_of_connections),
		cmocka_unit_test(test_connection_reset_fails_what_waits_on_it),
		cmocka_unit_test(
			test_peer_that_hangs_up_in_order_answers_by_a_connection_of_its_own),
		cmocka_unit_test(
			test_request_that_crosses_the_end_of_its_connection_goes_by_another_one),
		cmocka_unit_test(
			test_peer_that_hangs_up_on_each_request_has_failed_with_the_second),
		cmocka_unit_test(
			test_peer_that_hangs_up_in_order_is_waited_for_until_the_timer_decides),
		cmocka_unit_test(test_peer_that_does_not_read_is_dropped_at_the_bound),
		cmocka_unit_test(
			test_of_too_many_places_that_fail_the_oldest_is_forgotten_and_counted),
		cmocka_unit_test(
			test_of_too_many_places_without_tcp_the_oldest_is_forgotten_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
