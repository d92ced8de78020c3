/* SPDX-License-Identifier: BSD-2-Clause */
/* What is sent while a batch of datagrams is handled leaves when that is done: all of it, in order,
 * and whoever's request cannot be sent hears of it. */
#include "test_sip_loopback.h"

#define MANY      (3 * UDP_BATCH)
#define LONG_TEXT 5000 /* bytes: some of them fill what is kept */

static void peer_sends_only(struct world *w, const char *text)
{
	struct sockaddr_storage ss;
	struct addr to = localhost(w->sip->listener[0]->local.port);
	socklen_t len = addr_to_sockaddr(&to, &ss);

	assert_int_equal(sendto(w->peer_fd, text, strlen(text), 0, (struct sockaddr *)&ss, len),
		strlen(text));
}

static void test_answers_of_a_batch_leave_in_its_order(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.reply_code = 200;
	for (unsigned i = 1; i <= UDP_BATCH; i++) {
		char branch[32];

		snprintf(branch, sizeof(branch), "z9hG4bK%u", i);
		peer_sends_only(&w, request_text(&w, "OPTIONS", branch, i, ""));
	}
	loop_once(w.loop, 1);
	assert_int_equal(w.requests, UDP_BATCH);
	for (unsigned i = 1; i <= UDP_BATCH; i++) {
		const char *text = receive_within(&w, w.peer_fd, 0);

		expect_start(text, "SIP/2.0 200 ");
		assert_int_equal(atoi(header(text, "CSeq")), i);
	}
	world_close(&w);
}

/* A text of its own length that begins with its number; every third ones are alike, some long. */
static const char *numbered(unsigned i)
{
	static char text[LONG_TEXT + 1];
	int n = snprintf(text, sizeof(text), "%u.", i);
	size_t len = i % 16 == 0 ? LONG_TEXT : 40 + i / 3;

	memset(text + n, 'x', len - (size_t)n);
	text[len] = '\0';
	return text;
}

static void send_many(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	struct world *w = ctx;
	struct sip_dest dest = {.listener = 0, .remote = w->peer_addr};

	(void)req;
	(void)peer;
	for (unsigned i = 0; i < MANY; i++) {
		const char *text = numbered(i);

		assert_int_equal(sip_send_again(w->sip, &dest, text, strlen(text)), 0);
	}
	sip_server_set_owner(txn, w, &server_handlers);
	assert_int_equal(sip_server_reply(txn, 200, NULL, NULL, NULL), 0);
}

static void test_more_than_is_kept_leaves_in_order_too(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.sip->handlers.request = send_many;
	peer_sends_only(&w, request_text(&w, "OPTIONS", "z9hG4bKone", 1, ""));
	loop_once(w.loop, 1);
	for (unsigned i = 0; i < MANY; i++)
		assert_string_equal(receive_within(&w, w.peer_fd, 0), numbered(i));
	expect_start(receive_within(&w, w.peer_fd, 0), "SIP/2.0 200 ");
	world_close(&w);
}

/* The kernel lets nobody send there who has not asked for it: EACCES. */
static struct addr nowhere(void)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(&a, "255.255.255.255", 15), 0);
	a.port = SIP_PORT;
	return a;
}

static unsigned told;

/* Tries the next place, as a call does. */
static void go_on_elsewhere(void *owner, struct sip_client *txn, int error)
{
	struct world *w = owner;

	on_failed(owner, txn, error);
	client_send(w, "MESSAGE", 0);
	told++;
}

static const struct sip_client_handlers eager_handlers = {
	.response = on_response, .failed = go_on_elsewhere, .gone = on_client_gone};

static void send_to_nowhere(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	struct world *w = ctx;
	struct sip_dest dest = {.listener = 0, .remote = nowhere()};
	struct sip_client *c;

	(void)req;
	(void)peer;
	assert_int_equal(
		sip_client_send(w->sip, &dest, make_request("INVITE", 0), w, &eager_handlers, &c),
		0);
	assert_int_equal(w->failed, 0); /* nobody is told from within */
	sip_server_set_owner(txn, w, &server_handlers);
	assert_int_equal(sip_server_reply(txn, 200, NULL, NULL, NULL), 0);
}

static void test_a_request_that_cannot_be_sent_fails_when_the_batch_is_done(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	told = 0;
	w.sip->handlers.request = send_to_nowhere;
	peer_sends_only(&w, request_text(&w, "OPTIONS", "z9hG4bKone", 1, ""));
	loop_once(w.loop, 1);
	assert_int_equal(told, 1);
	assert_int_equal(w.last_error, -EACCES);
	assert_int_equal(w.client_gone, 1);
	assert_int_equal(w.sip->status.transport_errors, 1);
	expect_start(receive_within(&w, w.peer_fd, 0), "SIP/2.0 200 ");
	expect_start(receive_within(&w, w.peer_fd, 0), "MESSAGE ");
	world_close(&w);
}

/* ---- what is said is written down first ---- */

static unsigned written_down;
static struct world *told_by;

/* Whoever writes it down finds that nothing has left yet. */
static void write_it_down(void *ctx)
{
	struct world *w = ctx;
	char text[16];

	if (!written_down++)
		assert_int_equal(recv(w->peer_fd, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT), -1);
}

static void test_an_answer_is_written_down_before_it_leaves(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.reply_code = 200;
	written_down = 0;
	sip_set_before_sending(w.sip, write_it_down, &w);
	peer_sends_only(&w, request_text(&w, "OPTIONS", "z9hG4bKone", 1, ""));
	loop_once(w.loop, 1);
	assert_int_equal(written_down, 1);
	expect_start(receive_within(&w, w.peer_fd, 0), "SIP/2.0 200 ");
	world_close(&w);
}

static void test_however_much_it_is_it_is_written_down_before_it_leaves(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.sip->handlers.request = send_many;
	written_down = 0;
	sip_set_before_sending(w.sip, write_it_down, &w);
	peer_sends_only(&w, request_text(&w, "OPTIONS", "z9hG4bKone", 1, ""));
	loop_once(w.loop, 1);
	assert_true(written_down > 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_string_equal(receive_within(&w, w.peer_fd, 0), numbered(i));
	expect_start(receive_within(&w, w.peer_fd, 0), "SIP/2.0 200 ");
	world_close(&w);
}

#define TOO_MANY 70u          /* MiB, of datagrams: more than is kept */
#define ONE      (60u * 1024) /* bytes of each */

static void send_too_many(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	static char text[ONE];
	struct world *w = ctx;
	struct sip_dest dest = {.listener = 0, .remote = w->peer_addr};

	(void)req;
	(void)peer;
	memset(text, 'x', sizeof(text));
	for (size_t bytes = 0; bytes < (size_t)TOO_MANY * 1024 * 1024; bytes += sizeof(text))
		assert_int_equal(sip_send_again(w->sip, &dest, text, sizeof(text)), 0);
	sip_server_set_owner(txn, w, &server_handlers);
	assert_int_equal(sip_server_reply(txn, 200, NULL, NULL, NULL), 0);
}

static void test_what_leaves_before_it_is_written_down_is_counted(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	written_down = 1; /* who writes it down has nothing to look for */
	sip_set_before_sending(w.sip, write_it_down, &w);
	w.sip->handlers.request = send_many;
	peer_sends_only(&w, request_text(&w, "OPTIONS", "z9hG4bKone", 1, ""));
	loop_once(w.loop, 1);
	assert_int_equal(w.sip->status.unwritten, 0);
	w.sip->handlers.request = send_too_many;
	peer_sends_only(&w, request_text(&w, "OPTIONS", "z9hG4bKtwo", 2, ""));
	loop_once(w.loop, 1);
	/* All but what came after the first 64 MiB. */
	assert_in_range(
		w.sip->status.unwritten, 64u * 1024 * 1024 / ONE, TOO_MANY * 1024 * 1024 / ONE - 1);
	sip_set_before_sending(w.sip, NULL, NULL);
	world_close(&w);
}

static void say(struct loop_timer *t)
{
	struct world *w = told_by;
	struct sip_dest dest = {.listener = 0, .remote = w->peer_addr};

	(void)t;
	assert_int_equal(sip_send_again(w->sip, &dest, "HELLO", 5), 0);
	/* What follows in the same turn is no other's. */
	assert_int_equal(written_down, 0);
}

static void test_what_a_timer_says_is_written_down_before_it_leaves(void **state)
{
	struct loop_timer timer = {.fire = say};
	struct world w;

	(void)state;
	world_open(&w);
	told_by = &w;
	written_down = 0;
	sip_set_before_sending(w.sip, write_it_down, &w);
	assert_int_equal(loop_timer_start(w.loop, &timer, 0), 0);
	loop_once(w.loop, 0);
	assert_int_equal(written_down, 1);
	expect_start(receive_within(&w, w.peer_fd, 0), "HELLO");
	sip_set_before_sending(w.sip, NULL, NULL);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_of_a_batch_leave_in_its_order),
		cmocka_unit_test(test_more_than_is_kept_leaves_in_order_too),
		cmocka_unit_test(test_a_request_that_cannot_be_sent_fails_when_the_batch_is_done),
		cmocka_unit_test(test_an_answer_is_written_down_before_it_leaves),
		cmocka_unit_test(test_however_much_it_is_it_is_written_down_before_it_leaves),
		cmocka_unit_test(test_what_leaves_before_it_is_written_down_is_counted),
		cmocka_unit_test(test_what_a_timer_says_is_written_down_before_it_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
