/* SPDX-License-Identifier: BSD-2-Clause */
/* New calls are refused when messages have waited too long; what stands goes on. How long they have
 * waited is what the clock says; more than a machine stalls. */
#include "test_sip_loopback.h"

#define SHED_FROM_MS 20000
#define SHED_ALL_MS  60000
#define NS_A_MS      1000000ull

static unsigned told;
static char last_told[160];

static void on_overload(void *ctx, const char *text)
{
	(void)ctx;
	told++;
	snprintf(last_told, sizeof(last_told), "%s", text);
}

static unsigned refused;
static struct sip_refused last_refused;
static char refused_call_id[128], refused_from[128], refused_tag[32], refused_uri[64];

static void keep_text(char *buf, size_t room, struct text t)
{
	snprintf(buf, room, "%.*s", (int)t.len, t.s);
}

static void on_refused(void *ctx, const struct sip_refused *r)
{
	(void)ctx;
	refused++;
	last_refused = *r;
	keep_text(refused_call_id, sizeof(refused_call_id), r->call_id);
	keep_text(refused_from, sizeof(refused_from), r->from);
	keep_text(refused_tag, sizeof(refused_tag), r->from_tag);
	keep_text(refused_uri, sizeof(refused_uri), r->uri);
}

static bool sos_is_emergency(void *ctx, const struct peer_config *peer, const char *uri, size_t len)
{
	(void)ctx;
	assert_non_null(peer);
	return memmem(uri, len, "sos", 3) != NULL;
}

static void overload_world(struct world *w)
{
	world_open(w);
	told = refused = 0;
	w->sip->handlers.overload = on_overload;
	w->sip->handlers.refused = on_refused;
	w->sip->handlers.is_emergency = sos_is_emergency;
	w->sip->overload.shed_from_ms = SHED_FROM_MS;
	w->sip->overload.shed_all_ms = w->sip->overload.stale_ms = SHED_ALL_MS;
	w->sip->cfg->limits.retry_after_s = 3;
}

/* Puts it in the socket; the loop does not see it yet. */
static void leave(struct world *w, const char *text)
{
	struct sockaddr_storage to;
	struct addr ours = w->sip->listener[0]->local;
	socklen_t len;

	len = addr_to_sockaddr(&ours, &to);
	assert_int_equal(sendto(w->peer_fd, text, strlen(text), 0, (struct sockaddr *)&to, len),
		strlen(text));
}

/* All that was left there is seen too late. */
static void run_late(struct world *w)
{
	test_clock_late_ms = SHED_ALL_MS + 10;
	run_ms(w, 2);
	test_clock_late_ms = 0;
}

static const char *new_invite(struct world *w, unsigned n)
{
	char branch[32];

	snprintf(branch, sizeof(branch), "z9hG4bKnew%u", n);
	return request_text(w, "INVITE", branch, 1, "");
}

static void new_calls_that_waited_too_long_are_refused_from_their_text(void **state)
{
	struct world w;
	char first[1024];
	const char *answer;

	(void)state;
	overload_world(&w);
	leave(&w, new_invite(&w, 1));
	run_late(&w);
	answer = peer_receive(&w);
	expect_start(answer, "SIP/2.0 503 ");
	assert_string_equal(header(answer, "Retry-After"), "3");
	assert_non_null(strstr(header(answer, "To"), ";tag="));
	keep(first, sizeof(first), header(answer, "To"));
	assert_int_equal(w.requests, 0);
	assert_int_equal(w.sip->status.transactions, 0);
	assert_int_equal(w.sip->status.shed, 1);
	assert_int_equal(told, 1);
	/* The same again: the same tag (RFC 3261 8.2.7). */
	leave(&w, new_invite(&w, 1));
	run_late(&w);
	answer = peer_receive(&w);
	assert_string_equal(header(answer, "To"), first);
	assert_int_equal(told, 1);
	world_close(&w);
}

static void each_refusal_is_told_once_with_what_its_text_says(void **state)
{
	const char *answer;
	char first[1024];
	struct world w;

	(void)state;
	overload_world(&w);
	leave(&w, new_invite(&w, 1));
	leave(&w, new_invite(&w, 1));
	leave(&w, new_invite(&w, 2));
	run_late(&w);
	for (unsigned i = 0; i < 3; i++)
		expect_start(peer_receive(&w), "SIP/2.0 503 ");
	assert_int_equal(refused, 2);
	assert_int_equal(w.sip->status.shed, 2);
	assert_int_equal(w.sip->status.retransmissions_in, 1);
	assert_ptr_equal(last_refused.peer, &w.peer);
	assert_true(addr_equal(&last_refused.source, &w.peer_addr));
	assert_int_equal(last_refused.code, 503);
	assert_string_equal(last_refused.why, "overload");
	answer = new_invite(&w, 2);
	assert_string_equal(refused_call_id, header(answer, "Call-ID"));
	assert_string_equal(refused_from, header(answer, "From"));
	assert_memory_equal(strstr(answer, ";tag=") + 5, refused_tag, strlen(refused_tag));
	assert_memory_equal(answer + strlen("INVITE "), refused_uri, strlen(refused_uri));
	/* What was refused stays refused when we have caught up; others are taken. */
	w.sip->overload.share = 0;
	peer_send(&w, new_invite(&w, 1));
	answer = peer_receive(&w);
	expect_start(answer, "SIP/2.0 503 ");
	keep(first, sizeof(first), header(answer, "To"));
	assert_non_null(strstr(first, w.sip->overload.tag));
	assert_int_equal(refused, 2);
	peer_send(&w, new_invite(&w, 3));
	expect_start(peer_receive(&w), "SIP/2.0 100 ");
	world_close(&w);
}

#define MANY 30

/* Calls of two callers in turns of seven, their branches of three lengths. */
static void leave_many(struct world *w, int fds[2])
{
	for (unsigned i = 0; i < 2 * MANY; i++) {
		w->peer_fd = fds[i / 7 % 2];
		w->peer_addr = socket_addr(w->peer_fd);
		leave(w, new_invite(w, i % 5 ? i : 100 + i));
	}
}

/* As many refusals as calls came from that socket, each whole and to a call of its own. */
static unsigned count_refusals(struct world *w, int fd)
{
	char branch[32];
	bool seen[200] = {false};
	unsigned count = 0, n;
	const char *answer;

	while (*(answer = receive_within(w, fd, 0))) {
		expect_start(answer, "SIP/2.0 503 Service Unavailable\r\n");
		assert_string_equal(strstr(answer, "\r\n\r\n") - strlen("Content-Length: 0"),
			"Content-Length: 0\r\n\r\n");
		keep(branch, sizeof(branch), strstr(header(answer, "Via"), "z9hG4bKnew"));
		n = (unsigned)atoi(branch + strlen("z9hG4bKnew"));
		assert_true(n < 200 && !seen[n]);
		seen[n] = true;
		count++;
	}
	return count;
}

static void refusals_that_go_together_come_out_whole_each_to_its_caller(void **state)
{
	struct addr any = localhost(0);

	(void)state;
	/* The second time without help of the kernel's: it cuts up nothing without checksums. */
	for (int no_checksum = 0; no_checksum < 2; no_checksum++) {
		struct world w;
		int fds[2];

		overload_world(&w);
		assert_int_equal(setsockopt(w.sip->listener[0]->lf.fd, SOL_SOCKET, SO_NO_CHECK,
					 &no_checksum, sizeof(no_checksum)),
			0);
		fds[0] = w.peer_fd;
		fds[1] = listener_socket(&any, SOCK_DGRAM);
		leave_many(&w, fds);
		run_late(&w);
		assert_int_equal(refused, 2 * MANY);
		assert_int_equal(count_refusals(&w, fds[0]), MANY + 2);
		assert_int_equal(count_refusals(&w, fds[1]), MANY - 2);
		close(fds[1]);
		w.peer_fd = fds[0];
		world_close(&w);
	}
}

static const char *without_hops(const char *text)
{
	static char copy[4096];

	keep(copy, sizeof(copy), text);
	memcpy(strstr(copy, "Max-Forwards: 70") + strlen("Max-Forwards: "), "0 ", 2);
	return copy;
}

static void a_call_without_hops_left_is_told_once_and_other_requests_are_not(void **state)
{
	struct world w;

	(void)state;
	overload_world(&w);
	for (unsigned i = 0; i < 2; i++) {
		peer_send(&w, without_hops(request_text(&w, "INVITE", "z9hG4bKhops", 1, "")));
		expect_start(peer_receive(&w), "SIP/2.0 483 ");
	}
	assert_int_equal(refused, 1);
	assert_int_equal(last_refused.code, 483);
	peer_send(&w, without_hops(request_text(&w, "BYE", "z9hG4bKbye", 2, "")));
	expect_start(peer_receive(&w), "SIP/2.0 483 ");
	assert_int_equal(refused, 1);
	world_close(&w);
}

static void what_belongs_to_a_call_goes_on_and_first(void **state)
{
	char text[2048], *to;
	struct world w;

	(void)state;
	overload_world(&w);
	w.reply_code = 200;
	leave(&w, new_invite(&w, 1));
	/* In a dialog: a tag in To. */
	keep(text, sizeof(text), request_text(&w, "INVITE", "z9hG4bKre", 2, ""));
	to = strstr(text, "\r\nTo: ");
	to = strstr(to + 2, "\r\n");
	memmove(to + 8, to, strlen(to) + 1);
	memcpy(to, ";tag=abc", 8);
	leave(&w, text);
	leave(&w, request_text(&w, "BYE", "z9hG4bKbye", 3, ""));
	run_late(&w);
	expect_start(peer_receive(&w), "SIP/2.0 100 ");
	expect_start(peer_receive(&w), "SIP/2.0 200 ");
	expect_start(peer_receive(&w), "SIP/2.0 200 ");
	expect_start(peer_receive(&w), "SIP/2.0 503 ");
	assert_int_equal(w.requests, 2);
	sip_server_acked(w.request[0]);
	world_close(&w);
}

static void the_ack_of_a_refusal_and_emergency_calls(void **state)
{
	char text[2048], sos[2048];
	const char *answer;
	struct world w;
	char *uri;

	(void)state;
	overload_world(&w);
	leave(&w, new_invite(&w, 1));
	run_late(&w);
	answer = peer_receive(&w);
	expect_start(answer, "SIP/2.0 503 ");
	snprintf(text, sizeof(text),
		"ACK sip:100@127.0.0.1 SIP/2.0\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
		"CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
		header(answer, "Via"), header(answer, "From"), header(answer, "To"),
		header(answer, "Call-ID"));
	peer_send(&w, text);
	assert_int_equal(w.acks, 0);
	/* An emergency call is admitted, as old as it may be. */
	keep(sos, sizeof(sos), new_invite(&w, 2));
	uri = strstr(sos, "sip:100");
	memcpy(uri, "sip:sos", 7);
	leave(&w, sos);
	run_late(&w);
	expect_start(peer_receive(&w), "SIP/2.0 100 ");
	assert_int_equal(w.requests, 1);
	world_close(&w);
}

static void an_invite_that_was_admitted_is_not_refused_when_it_comes_again(void **state)
{
	struct world w;

	(void)state;
	overload_world(&w);
	peer_send(&w, new_invite(&w, 1));
	expect_start(peer_receive(&w), "SIP/2.0 100 ");
	leave(&w, new_invite(&w, 1));
	run_late(&w);
	expect_start(peer_receive(&w), "SIP/2.0 100 ");
	assert_int_equal(w.sip->status.shed, 0);
	world_close(&w);
}

static void shedding_is_over_when_nothing_was_shed_for_a_while(void **state)
{
	struct world w;

	(void)state;
	overload_world(&w);
	leave(&w, new_invite(&w, 1));
	run_late(&w);
	expect_start(peer_receive(&w), "SIP/2.0 503 ");
	assert_true(w.sip->overload.on);
	run_ms(&w, OVERLOAD_QUIET_MS + 10);
	run_ms(&w, OVERLOAD_QUIET_MS / 2 + 10);
	assert_false(w.sip->overload.on);
	assert_int_equal(told, 2);
	assert_non_null(strstr(last_told, "1 new calls were refused"));
	peer_send(&w, new_invite(&w, 2));
	expect_start(peer_receive(&w), "SIP/2.0 100 ");
	world_close(&w);
}

/* Of hashes that are spread evenly. */
static unsigned percent_shed(struct overload *o, unsigned age_ms)
{
	unsigned shed = 0;

	o->age_ns = age_ms * NS_A_MS;
	for (unsigned i = 0; i < 100; i++)
		shed += overload_chooses(o, i * (OVERLOAD_ALL / 100));
	return shed;
}

static void the_share_grows_with_the_age_of_each_while_a_queue_stands(void **state)
{
	struct overload o = {.shed_from_ms = 20, .shed_all_ms = 60, .stale_ms = 500};

	(void)state;
	overload_reckon(&o, 20 * NS_A_MS);
	assert_int_equal(o.share, 0);
	assert_int_equal(percent_shed(&o, 499), 0);
	assert_int_equal(percent_shed(&o, 500), 100);
	overload_reckon(&o, 30 * NS_A_MS);
	assert_int_equal(o.share, OVERLOAD_ALL / 4);
	assert_int_equal(percent_shed(&o, 20), 0);
	assert_in_range(percent_shed(&o, 40), 49, 51);
	assert_int_equal(percent_shed(&o, 60), 100);
	overload_reckon(&o, 500 * NS_A_MS);
	assert_int_equal(o.share, OVERLOAD_ALL);
	/* The queue has become short meanwhile: who sheds then waits for work later. */
	assert_int_equal(percent_shed(&o, 1), 0);
	overload_reckon(&o, 0);
	assert_int_equal(o.share, 0);
	assert_int_equal(percent_shed(&o, 60), 0);
	o.shed_all_ms = 0;
	overload_reckon(&o, 500 * NS_A_MS);
	assert_int_equal(percent_shed(&o, 1000), 0);
}

static void note_many(struct overload *o, struct overload_window *window, unsigned ms)
{
	for (unsigned i = 0; i < OVERLOAD_MESSAGES; i++)
		overload_note(o, window, ms * NS_A_MS);
}

static void a_burst_is_no_overload_and_a_queue_that_stands_is_one(void **state)
{
	struct loop *loop;
	struct overload o = {0};
	struct overload_window window = {.least_ns = UINT64_MAX};

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	overload_init(&o, loop);
	o.shed_from_ms = 20;
	o.shed_all_ms = 60;
	/* A message that did not wait, in one of three windows: there is no queue that stands. */
	for (unsigned i = 0; i < OVERLOAD_WINDOWS; i++) {
		note_many(&o, &window, 50);
		overload_note(&o, &window, (i == 1 ? 1 : 40) * NS_A_MS);
		window.start_ms = 0;
		assert_true(overload_window_closed(&o, &window));
		assert_false(overload_window_closed(&o, &window));
	}
	assert_int_equal(overload_window_lag(&o, &window), 1 * NS_A_MS);
	for (unsigned i = 0; i < OVERLOAD_WINDOWS; i++) {
		note_many(&o, &window, 50);
		overload_note(&o, &window, (40 + i) * NS_A_MS);
		window.start_ms = 0;
		assert_true(overload_window_closed(&o, &window));
	}
	assert_int_equal(overload_window_lag(&o, &window), 40 * NS_A_MS);
	/* A few that come late are no queue: we were not let run. */
	overload_note(&o, &window, 50 * NS_A_MS);
	window.start_ms = 0;
	assert_true(overload_window_closed(&o, &window));
	assert_int_equal(overload_window_lag(&o, &window), 0);
	for (unsigned i = 0; i < OVERLOAD_WINDOWS; i++) {
		note_many(&o, &window, 40);
		window.start_ms = 0;
		assert_true(overload_window_closed(&o, &window));
	}
	assert_int_equal(overload_window_lag(&o, &window), 40 * NS_A_MS);
	/* What came long ago says nothing of now. */
	window.start_ms -= 3 * OVERLOAD_WINDOW_MS;
	assert_int_equal(overload_window_lag(&o, &window), 0);
	overload_free(&o);
	loop_free(loop);
}

static void new_calls_are_told_from_other_messages_by_their_text(void **state)
{
	static const struct {
		const char *text;
		bool is_new;
	} texts[] = {
		{"INVITE sip:a@b SIP/2.0\r\nTo: <sip:a@b>\r\n\r\n", true},
		{"INVITE sip:a@b SIP/2.0\r\nTo: <sip:a@b>;tag=x\r\n\r\n", false},
		{"INVITE sip:a@b SIP/2.0\r\nt : <sip:a@b> ; tag=x\r\n\r\n", false},
		{"INVITE sip:a@b SIP/2.0\r\nTO:<sip:a@b;tag=x>\r\n\r\n", true},
		{"INVITE sip:a@b SIP/2.0\r\nTotal: 1;tag=x\r\nTo: <sip:a@b>\r\n\r\n", true},
		{"INVITE sip:a@b SIP/2.0\r\nFrom: <sip:a@b>;tag=x\r\nTo: <sip:a@b>\r\n\r\n", true},
		{"INVITE sip:a@b SIP/2.0\r\n\r\nTo: <sip:a@b>;tag=x\r\n", true},
		{"CANCEL sip:a@b SIP/2.0\r\n\r\n", true},
		{"BYE sip:a@b SIP/2.0\r\nTo: <sip:a@b>\r\n\r\n", false},
		{"SIP/2.0 200 OK\r\n\r\n", false},
		{"INVITE ", true},
		{"INVITE \n", true},
		{"INVITE \nt", true},
		{"INVITE x\nto:;tag=", false},
		{"", false},
		{"INV", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = strlen(texts[i].text);
		char *copy =
			malloc(len ? len : 1); /* without a NUL: the sanitizer watches its end */

		memcpy(copy, texts[i].text, len);
		if (overload_is_new_call(copy, len) != texts[i].is_new)
			fail_msg("%s", texts[i].text);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_calls_that_waited_too_long_are_refused_from_their_text),
		cmocka_unit_test(each_refusal_is_told_once_with_what_its_text_says),
		cmocka_unit_test(refusals_that_go_together_come_out_whole_each_to_its_caller),
		cmocka_unit_test(a_call_without_hops_left_is_told_once_and_other_requests_are_not),
		cmocka_unit_test(what_belongs_to_a_call_goes_on_and_first),
		cmocka_unit_test(the_ack_of_a_refusal_and_emergency_calls),
		cmocka_unit_test(an_invite_that_was_admitted_is_not_refused_when_it_comes_again),
		cmocka_unit_test(shedding_is_over_when_nothing_was_shed_for_a_while),
		cmocka_unit_test(the_share_grows_with_the_age_of_each_while_a_queue_stands),
		cmocka_unit_test(a_burst_is_no_overload_and_a_queue_that_stands_is_one),
		cmocka_unit_test(new_calls_are_told_from_other_messages_by_their_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
