/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket, spoken to as include/viaduct_control.h says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "test_clock.h"
#include "test_control_fake.h"
#include "control/request.h"

#define NOBODY         65534
#define OBJECTS_MAX    (64 * 1024)
#define REPLY_ROOM     (64 * 1024)
#define LEASE_CHECK_MS 1000 /* subscribers.c */

static struct loop *loop;
static struct control *control;

struct reply {
	int error;
	bool is_done, is_error, has_more;
	uint64_t cursor;
	uint32_t generation;
	char text[VDC_REPORT_MAX];
	unsigned objects, datagrams;
	size_t longest;                /* datagram, bytes */
	uint64_t id[OBJECTS_MAX / 64]; /* attribute 1 of each object, where it is an integer */
};

static int client_socket(uint32_t *port)
{
	struct sockaddr_nl me = {.nl_family = AF_NETLINK};
	struct sockaddr_nl daemon = {.nl_family = AF_NETLINK, .nl_pid = FAKE_PORT};
	socklen_t len = sizeof(me);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_USERSOCK);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&me, sizeof(me)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&me, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&daemon, sizeof(daemon)), 0);
	if (port)
		*port = me.nl_pid;
	return fd;
}

static struct nl_msg *message(uint16_t type)
{
	struct nl_msg *msg = nlmsg_alloc_size(8192);

	assert_non_null(msg);
	assert_non_null(nlmsg_put(msg, 0, 77, type, 0, NLM_F_REQUEST));
	return msg;
}

static struct nl_msg *request(uint16_t type)
{
	struct nl_msg *msg = message(type);

	assert_int_equal(nla_put_u32(msg, VDC_REQUEST_VERSION, VDC_VERSION), 0);
	return msg;
}

static void take_message(struct reply *r, struct nlmsghdr *h)
{
	assert_int_equal(h->nlmsg_seq, 77);
	if (h->nlmsg_type == NLMSG_ERROR) {
		struct nlattr *text;

		r->is_error = true;
		r->error = ((struct nlmsgerr *)nlmsg_data(h))->error;
		text = nlmsg_find_attr(h, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG);
		if (text)
			snprintf(r->text, sizeof(r->text), "%s", nla_get_string(text));
	} else if (h->nlmsg_type == NLMSG_DONE) {
		struct nlattr *cursor = nlmsg_find_attr(h, sizeof(int), VDC_DONE_CURSOR);

		r->is_done = true;
		r->has_more = cursor != NULL;
		if (cursor)
			r->cursor = nla_get_u64(cursor);
		r->generation = nla_get_u32(nlmsg_find_attr(h, sizeof(int), VDC_DONE_GENERATION));
	} else {
		struct nlattr *id = nlmsg_find_attr(h, 0, 1);

		assert_true(h->nlmsg_flags & NLM_F_MULTI);
		if (id && nla_len(id) == 8)
			r->id[r->objects] = nla_get_u64(id);
		r->objects++;
	}
}

/* Reads whatever has come for fd. */
static void take_reply(int fd, struct reply *r)
{
	static unsigned char buf[REPLY_ROOM] __attribute__((aligned(8)));
	ssize_t n;

	memset(r, 0, sizeof(*r));
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		struct nlmsghdr *h = (struct nlmsghdr *)buf;
		int left = (int)n;

		r->datagrams++;
		if ((size_t)n > r->longest)
			r->longest = (size_t)n;
		for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left))
			take_message(r, h);
		assert_int_equal(left, 0);
	}
}

static void serve(void)
{
	assert_int_equal(loop_once(loop, 0), 0);
}

/* Sends msg, lets the daemon have one round, reads the answer. */
static void ask(int fd, struct nl_msg *msg, struct reply *r)
{
	assert_true(send(fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0) > 0);
	nlmsg_free(msg);
	serve();
	take_reply(fd, r);
}

static int start(void **state)
{
	const struct control_handlers handlers = {
		.reload = fake_reload, .stop = fake_stop, .stopping = fake_stopping};

	(void)state;
	fake_reset(3);
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(control_new(&control, loop, fake_calls, &fake.config, &handlers), 0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	control_free(control);
	loop_free(loop);
	return 0;
}

static void status_is_one_object_in_one_bounded_datagram(void **state)
{
	static struct listener_config many[CONFIG_LISTENERS_MAX];
	int fd = client_socket(NULL);
	struct reply r;

	(void)state;
	ask(fd, request(VDC_GET_STATUS), &r);
	assert_true(r.is_done);
	assert_false(r.has_more);
	assert_int_equal(r.objects, 1);
	assert_int_equal(r.datagrams, 1);
	assert_in_range(r.longest, 1000, VDC_DATAGRAM_MAX);
	/* With all there can be that stands in the way. */
	fake.unresolved = fake.long_texts = true;
	for (unsigned i = 0; i < CONFIG_LISTENERS_MAX; i++)
		many[i] = fake.listener[0];
	fake.config.listener = many;
	fake.config.listener_count = CONFIG_LISTENERS_MAX;
	ask(fd, request(VDC_GET_STATUS), &r);
	assert_int_equal(r.objects, 1);
	assert_true(r.longest <= VDC_DATAGRAM_MAX);
	close(fd);
}

static void refuses(struct nl_msg *msg, int error)
{
	int fd = client_socket(NULL);
	struct reply r;

	ask(fd, msg, &r);
	assert_true(r.is_error);
	assert_int_equal(r.error, error);
	assert_int_equal(r.objects, 0);
	assert_true(r.text[0] != '\0');
	close(fd);
}

static void malformed_attributes_are_refused(void **state)
{
	struct nl_msg *msg;

	(void)state;
	refuses(message(VDC_GET_STATUS), -EINVAL); /* no version */

	msg = message(VDC_GET_STATUS);
	nla_put_u8(msg, VDC_REQUEST_VERSION, VDC_VERSION); /* too short */
	refuses(msg, -EINVAL);

	msg = message(VDC_GET_STATUS);
	nla_put_u64(msg, VDC_REQUEST_VERSION, VDC_VERSION); /* too long */
	refuses(msg, -EINVAL);

	msg = request(VDC_GET_CALL);
	nla_put_u32(msg, VDC_REQUEST_CALL, 1); /* short integer */
	refuses(msg, -EINVAL);

	msg = request(VDC_SET_LOG);
	nla_put(msg, VDC_REQUEST_LEVEL, 4, "info"); /* no NUL */
	refuses(msg, -EINVAL);

	msg = request(VDC_SET_LOG);
	nla_put_string(msg, VDC_REQUEST_LEVEL, fake_long); /* too long */
	refuses(msg, -EINVAL);

	msg = request(VDC_GET_CALLS);
	nla_put_u32(msg, VDC_REQUEST_FIELDS_END, 1); /* not known */
	refuses(msg, -EINVAL);

	msg = request(VDC_GET_CALLS);
	nlmsg_append(msg, "xx", 2, 0); /* bytes behind the last attribute */
	refuses(msg, -EINVAL);

	refuses(request(VDC_GET_CALL), -EINVAL); /* which? */
	refuses(request(VDC_TEST_ROUTE), -EINVAL);
}

static void another_protocol_version_and_unknown_requests_are_refused(void **state)
{
	struct nl_msg *msg = message(VDC_GET_STATUS);

	(void)state;
	nla_put_u32(msg, VDC_REQUEST_VERSION, VDC_VERSION + 1);
	refuses(msg, -EPROTO);
	refuses(request(VDC_REQUEST_END), -EOPNOTSUPP);
	refuses(request(0xffff), -EOPNOTSUPP);
	refuses(request(NLMSG_NOOP), -EOPNOTSUPP);
}

static void a_message_length_that_lies_is_refused(void **state)
{
	struct nl_msg *msg = request(VDC_GET_STATUS);
	struct nlmsghdr *h = nlmsg_hdr(msg);
	uint32_t real = h->nlmsg_len;
	static const uint32_t lies[] = {0, 1, 15, 16 + 4, 1000, UINT32_MAX};
	int fd = client_socket(NULL);

	(void)state;
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct reply r;

		h->nlmsg_len = lies[i];
		assert_true(send(fd, h, real, 0) > 0);
		serve();
		take_reply(fd, &r);
		assert_true(r.is_error);
		assert_int_equal(r.error, -EINVAL);
	}
	nlmsg_free(msg);
	close(fd);
}

static void short_and_oversized_datagrams_are_passed_over(void **state)
{
	static char big[60000];
	int fd = client_socket(NULL);
	struct reply r;

	(void)state;
	assert_true(send(fd, "short", 5, 0) > 0);
	assert_true(send(fd, big, sizeof(big), 0) > 0);
	serve();
	take_reply(fd, &r);
	assert_int_equal(r.datagrams, 0);
	ask(fd, request(VDC_GET_STATUS), &r);
	assert_true(r.is_done);
	close(fd);
}

static void random_datagrams_do_no_harm(void **state)
{
	int fd = client_socket(NULL);
	struct reply r;

	(void)state;
	srand(1);
	for (int i = 0; i < 20000; i++) {
		struct nl_msg *msg = request((uint16_t)(VDC_GET_STATUS + rand() % 20));
		struct nlmsghdr *h = nlmsg_hdr(msg);
		uint8_t junk[128];
		size_t len;

		for (size_t j = 0; j < sizeof(junk); j++)
			junk[j] = (uint8_t)(rand() % 4 ? rand() % 12 : rand());
		nlmsg_append(msg, junk, (size_t)(rand() % 128), 1);
		len = h->nlmsg_len;
		if (rand() % 8 == 0)
			((uint8_t *)h)[rand() % len] = (uint8_t)rand();
		assert_true(send(fd, h, len, 0) > 0);
		nlmsg_free(msg);
		serve();
		while (recv(fd, junk, sizeof(junk), 0) > 0)
			;
	}
	ask(fd, request(VDC_GET_STATUS), &r);
	assert_true(r.is_done);
	close(fd);
}

/* Runs in a child as uid/gid: asks for the status, exits with -error. */
static int ask_as(uid_t uid, gid_t gid)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct nl_msg *msg = request(VDC_GET_STATUS);
		static unsigned char buf[REPLY_ROOM] __attribute__((aligned(8)));
		struct nlmsghdr *h = (struct nlmsghdr *)buf;
		struct timeval limit = {.tv_sec = 5};
		ssize_t n;
		int fd;

		if (setgid(gid) || setuid(uid))
			_exit(99);
		fd = client_socket(NULL);
		fcntl(fd, F_SETFL, 0);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		send(fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0);
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < (ssize_t)NLMSG_HDRLEN)
			_exit(98);
		_exit(h->nlmsg_type == NLMSG_ERROR ? -((struct nlmsgerr *)nlmsg_data(h))->error
						   : 0);
	}
	/* It has its own patience: see limit. */
	while (waitpid(child, &status, WNOHANG) != child) {
		assert_int_equal(loop_once(loop, 0), 0);
		usleep(1000);
	}
	return WEXITSTATUS(status);
}

static void an_unprivileged_user_is_refused(void **state)
{
	(void)state;
	if (setegid(NOBODY) || setegid(0))
		skip(); /* not root: no other user to be */
	assert_int_equal(ask_as(0, 0), 0);
	assert_int_equal(ask_as(NOBODY, NOBODY), EPERM);
	assert_int_equal(control->refused, 1);
}

static void a_member_of_the_control_group_is_admitted_after_a_reload(void **state)
{
	(void)state;
	if (setegid(NOBODY) || setegid(0))
		skip();
	fake.config.control_group = "nogroup";
	control_reload(control, &fake.config);
	assert_int_equal(ask_as(NOBODY, NOBODY), 0);
	assert_int_equal(ask_as(NOBODY, 12345), EPERM);
	fake.config.control_group = "no-such-group";
	log_set_level(LOG_LEVEL_ERROR);
	control_reload(control, &fake.config);
	assert_int_equal(ask_as(NOBODY, NOBODY), EPERM);
}

static void page(int fd, uint16_t type, struct reply *r)
{
	struct nl_msg *msg = request(type);

	if (r->has_more) {
		nla_put_u64(msg, VDC_REQUEST_CURSOR, r->cursor);
		nla_put_u32(msg, VDC_REQUEST_GENERATION, r->generation);
	}
	ask(fd, msg, r);
}

static void twenty_thousand_calls_are_dumped_in_bounded_pages_with_others_served_between(
	void **state)
{
	int fd = client_socket(NULL), other = client_socket(NULL);
	struct reply r = {0}, status;
	uint64_t next = 1;
	unsigned pages = 0;

	(void)state;
	fake_reset(20000);
	do {
		page(fd, VDC_GET_CALLS, &r);
		assert_true(r.is_done);
		assert_int_equal(r.datagrams, 1);
		assert_true(r.longest <= VDC_DATAGRAM_MAX);
		for (unsigned i = 0; i < r.objects; i++)
			assert_int_equal(r.id[i], next++);
		ask(other, request(VDC_GET_STATUS), &status);
		assert_true(status.is_done);
		pages++;
	} while (r.has_more);
	assert_int_equal(next, 20001);
	assert_in_range(pages, 100, 1000);
	close(other);
	close(fd);
}

static void calls_that_live_through_a_dump_are_shown_once_while_others_come_and_go(void **state)
{
	static uint8_t shown[FAKE_CALLS_MAX];
	int fd = client_socket(NULL);
	struct reply r = {0};

	(void)state;
	fake_reset(5000);
	memset(shown, 0, sizeof(shown));
	srand(2);
	do {
		page(fd, VDC_GET_CALLS, &r);
		for (unsigned i = 0; i < r.objects; i++)
			shown[r.id[i] - 1]++;
		/* Odd ids stay; even ones end, new ones begin. */
		for (int i = 0; i < 100; i++) {
			fake.call[1 + rand() % 2500 * 2].live = false;
			fake.call[5000 + rand() % 5000].live = true;
		}
	} while (r.has_more);
	for (unsigned i = 0; i < 5000; i += 2)
		assert_int_equal(shown[i], 1);
	for (unsigned i = 0; i < FAKE_CALLS_MAX; i++)
		assert_true(shown[i] <= 1);
	close(fd);
}

static void the_cursor_survives_the_end_of_the_call_it_names(void **state)
{
	int fd = client_socket(NULL);
	struct reply r = {0};

	(void)state;
	fake_reset(1000);
	page(fd, VDC_GET_CALLS, &r);
	assert_true(r.has_more);
	fake.call[r.cursor - 1].live = false;
	fake.call[r.cursor].live = false;
	{
		uint64_t expected = r.cursor + 2;

		page(fd, VDC_GET_CALLS, &r);
		assert_int_equal(r.id[0], expected);
	}
	close(fd);
}

static void the_largest_calls_flows_fit_a_page(void **state)
{
	int fd = client_socket(NULL);
	struct reply r = {0};
	unsigned flows = 0;

	(void)state;
	fake_reset(10);
	fake.streams = MEDIA_STREAMS_MAX;
	fake.long_texts = fake.unresolved = true;
	do {
		page(fd, VDC_GET_FLOWS, &r);
		assert_true(r.is_done);
		assert_true(r.longest <= VDC_DATAGRAM_MAX);
		flows += r.objects;
	} while (r.has_more);
	assert_int_equal(flows, 10 * MEDIA_STREAMS_MAX * 4);
	close(fd);
}

static void the_largest_call_is_shown_in_bounded_datagrams(void **state)
{
	int fd = client_socket(NULL);
	struct nl_msg *msg = request(VDC_GET_CALL);
	struct reply r;

	(void)state;
	fake.streams = MEDIA_STREAMS_MAX;
	fake.long_texts = fake.unresolved = fake.detached = true;
	nla_put_u64(msg, VDC_REQUEST_CALL, 2);
	ask(fd, msg, &r);
	assert_true(r.is_done);
	assert_int_equal(r.objects, 1 + MEDIA_STREAMS_MAX);
	assert_true(r.datagrams > 1);
	assert_true(r.longest <= VDC_DATAGRAM_MAX);
	close(fd);
}

static void a_reload_between_two_pages_of_peers_begins_the_list_again(void **state)
{
	int fd = client_socket(NULL);
	struct reply r = {0};

	(void)state;
	fake.config.peer_count = FAKE_PEERS;
	page(fd, VDC_GET_PEERS, &r);
	assert_true(r.has_more);
	control_reload(control, &fake.config);
	page(fd, VDC_GET_PEERS, &r);
	assert_true(r.is_error);
	assert_int_equal(r.error, -ESTALE);
	close(fd);
}

static void commands_reach_their_rooms(void **state)
{
	int fd = client_socket(NULL);
	struct nl_msg *msg;
	struct reply r;

	(void)state;
	msg = request(VDC_HANGUP);
	nla_put_u64(msg, VDC_REQUEST_CALL, 2);
	ask(fd, msg, &r);
	assert_true(r.is_error);
	assert_int_equal(r.error, 0);
	assert_int_equal(fake.hung_up_id, 2);

	msg = request(VDC_HANGUP);
	nla_put_u64(msg, VDC_REQUEST_CALL, 4);
	ask(fd, msg, &r);
	assert_int_equal(r.error, -ENOENT);
	assert_string_equal(r.text, "no live call 4");
	assert_int_equal(fake.hung_up, 1);

	msg = request(VDC_SET_LOG);
	nla_put_string(msg, VDC_REQUEST_LEVEL, "debug");
	ask(fd, msg, &r);
	assert_int_equal(r.error, 0);
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);
	log_set_level(LOG_LEVEL_ERROR);

	ask(fd, request(VDC_STOP), &r);
	assert_int_equal(r.error, 0);
	assert_int_equal(fake.stops, 1);
	assert_int_equal(fake.stop_mode, STOP_NOW);

	msg = request(VDC_STOP);
	nla_put_string(msg, VDC_REQUEST_COMMAND, "drain");
	ask(fd, msg, &r);
	assert_int_equal(r.error, 0);
	assert_int_equal(fake.stop_mode, STOP_DRAIN);

	msg = request(VDC_STOP);
	nla_put_string(msg, VDC_REQUEST_COMMAND, "softly");
	ask(fd, msg, &r);
	assert_int_equal(r.error, -EINVAL);
	assert_string_equal(r.text, "softly is no way to stop; expected now, drain or leave");
	assert_int_equal(fake.stops, 2);
	close(fd);
}

static void tell(int fd, struct nl_msg *msg)
{
	assert_true(send(fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0) > 0);
	nlmsg_free(msg);
	serve();
}

static void ask_reload(int fd, struct reply *r)
{
	tell(fd, request(VDC_RELOAD));
	fake_reloaded(control);
	take_reply(fd, r);
}

static void a_refused_reload_explains_itself_within_bounds(void **state)
{
	static char mistakes[40000];
	int fd = client_socket(NULL);
	struct reply r;

	(void)state;
	fake.reload_refusal = "a.yaml:3: peers: wrong; expected right\n";
	ask_reload(fd, &r);
	assert_int_equal(r.error, -EINVAL);
	assert_string_equal(r.text, fake.reload_refusal);

	for (size_t i = 0; i + 20 < sizeof(mistakes); i += 20)
		memcpy(mistakes + i, "nineteen characters\n", 21);
	fake.reload_refusal = mistakes;
	ask_reload(fd, &r);
	assert_int_equal(r.error, -EINVAL);
	assert_true(strlen(r.text) > VDC_REPORT_MAX / 2);
	assert_int_equal(r.text[strlen(r.text) - 1], '\n');
	assert_true(r.longest <= VDC_DATAGRAM_MAX);
	close(fd);
}

static void a_reload_is_answered_when_it_is_done_and_others_meanwhile(void **state)
{
	int first = client_socket(NULL), second = client_socket(NULL);
	struct reply r;

	(void)state;
	tell(first, request(VDC_RELOAD));
	tell(second, request(VDC_RELOAD));
	take_reply(first, &r);
	assert_int_equal(r.datagrams, 0);
	ask(first, request(VDC_GET_STATUS), &r);
	assert_int_equal(r.objects, 1);
	/* The second was asked for when the first was being read, and may want what came after. */
	control_reloaded(control, 1, 0, NULL);
	take_reply(second, &r);
	assert_int_equal(r.datagrams, 0);
	take_reply(first, &r);
	assert_true(r.is_error);
	assert_int_equal(r.error, 0);
	control_reloaded(control, 2, -EINVAL, "why");
	take_reply(second, &r);
	assert_int_equal(r.error, -EINVAL);
	assert_string_equal(r.text, "why");
	take_reply(first, &r);
	assert_int_equal(r.datagrams, 0);
	close(second);
	close(first);
}

static void who_waits_for_a_reload_is_bounded_and_told_of_the_end(void **state)
{
	int fd[VDC_RELOADS_MAX + 1];
	struct reply r;

	(void)state;
	for (int i = 0; i <= VDC_RELOADS_MAX; i++) {
		fd[i] = client_socket(NULL);
		tell(fd[i], request(VDC_RELOAD));
	}
	take_reply(fd[VDC_RELOADS_MAX], &r);
	assert_int_equal(r.error, -EBUSY);
	assert_string_equal(r.text, "16 clients wait for a reload already");
	assert_int_equal(fake.reloads, VDC_RELOADS_MAX);
	control_free(control);
	control = NULL;
	for (int i = 0; i < VDC_RELOADS_MAX; i++) {
		take_reply(fd[i], &r);
		assert_int_equal(r.error, -ECANCELED);
		assert_string_equal(r.text, "viaductd ends");
	}
	for (int i = 0; i <= VDC_RELOADS_MAX; i++)
		close(fd[i]);
}

static void subscribe(int fd, uint64_t call)
{
	struct nl_msg *msg = request(VDC_SUBSCRIBE);
	struct reply r;

	if (call)
		nla_put_u64(msg, VDC_REQUEST_CALL, call);
	ask(fd, msg, &r);
	assert_true(r.is_error);
	assert_int_equal(r.error, 0);
}

static unsigned count_events(int fd)
{
	unsigned char buf[2048] __attribute__((aligned(8)));
	unsigned n = 0;

	while (recv(fd, buf, sizeof(buf), 0) > 0) {
		assert_int_equal(((struct nlmsghdr *)buf)->nlmsg_type, VDC_EVENT);
		n++;
	}
	return n;
}

static void a_stalled_subscriber_is_dropped_and_learns_it_while_others_go_on(void **state)
{
	int stalled = client_socket(NULL), reader = client_socket(NULL);
	unsigned read = 0;
	struct reply r;

	(void)state;
	subscribe(stalled, 0);
	subscribe(reader, 0);
	for (int i = 0; i < 20000; i++) {
		control_event(control, 1, "call", "something happened");
		if (i % 50 == 49)
			read += count_events(reader);
	}
	assert_int_equal(read, 20000);
	assert_int_equal(control->subscribers.count, 1);
	assert_int_equal(control->subscribers.dropped, 1);
	assert_in_range(count_events(stalled), 10, 19999);
	ask(stalled, request(VDC_RENEW), &r);
	assert_int_equal(r.error, -ESTALE);
	ask(reader, request(VDC_RENEW), &r);
	assert_int_equal(r.error, 0);
	close(reader);
	close(stalled);
}

static void a_subscriber_that_is_gone_is_forgotten(void **state)
{
	int fd = client_socket(NULL);

	(void)state;
	subscribe(fd, 0);
	close(fd);
	control_event(control, 1, "call", "x");
	assert_int_equal(control->subscribers.count, 0);
	assert_int_equal(control->subscribers.dropped, 0);
}

static void a_subscription_to_one_call_brings_that_calls_events_alone(void **state)
{
	int fd = client_socket(NULL);

	(void)state;
	subscribe(fd, 2);
	control_event(control, 1, "call", "x");
	control_event(control, 2, "call", "x");
	control_event(control, 0, "reload", "x");
	assert_int_equal(count_events(fd), 1);
	close(fd);
}

static void subscribers_are_bounded(void **state)
{
	int fd[VDC_SUBSCRIBERS_MAX + 1];
	struct reply r;

	(void)state;
	for (int i = 0; i <= VDC_SUBSCRIBERS_MAX; i++) {
		fd[i] = client_socket(NULL);
		if (i < VDC_SUBSCRIBERS_MAX)
			subscribe(fd[i], 0);
	}
	subscribe(fd[0], 0); /* again: takes no second place */
	ask(fd[VDC_SUBSCRIBERS_MAX], request(VDC_SUBSCRIBE), &r);
	assert_int_equal(r.error, -EBUSY);
	ask(fd[0], request(VDC_UNSUBSCRIBE), &r);
	assert_int_equal(r.error, 0);
	subscribe(fd[VDC_SUBSCRIBERS_MAX], 0);
	for (int i = 0; i <= VDC_SUBSCRIBERS_MAX; i++)
		close(fd[i]);
}

static void a_lease_that_is_not_renewed_ends(void **state)
{
	int fd = client_socket(NULL);
	uint64_t end;

	(void)state;
	subscribe(fd, 0);
	end = loop_now_ms(loop) + VDC_LEASE_MS;
	while (loop_now_ms(loop) < end) {
		assert_int_equal(control->subscribers.count, 1);
		assert_int_equal(loop_once(loop, (int)(end - loop_now_ms(loop))), 0);
	}
	while (control->subscribers.count && loop_now_ms(loop) <= end + LEASE_CHECK_MS)
		assert_int_equal(loop_once(loop, VDC_LEASE_MS), 0);
	assert_int_equal(control->subscribers.count, 0);
	close(fd);
}

/* A port id can pass to another user: events must not follow it. */
static void a_port_id_that_changed_hands_gets_no_more_events(void **state)
{
	struct ucred nobody = {.uid = NOBODY, .gid = NOBODY};
	struct nl_msg *msg = request(VDC_RENEW);
	uint32_t port;
	int fd = client_socket(&port);

	(void)state;
	subscribe(fd, 0);
	request_serve(control, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, port, &nobody);
	assert_int_equal(control->subscribers.count, 0);
	nlmsg_free(msg);
	close(fd);
}

static void a_request_without_credentials_is_refused(void **state)
{
	struct nl_msg *msg = request(VDC_STOP);

	(void)state;
	request_serve(control, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 1, NULL);
	assert_int_equal(fake.stops, 0);
	assert_int_equal(control->refused, 1);
	nlmsg_free(msg);
}

static void a_flood_of_requests_leaves_signalling_its_turn(void **state)
{
	int fd = client_socket(NULL);
	struct reply r;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct nl_msg *msg = request(VDC_RENEW);

		assert_true(send(fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0) > 0);
		nlmsg_free(msg);
	}
	serve();
	take_reply(fd, &r);
	assert_in_range(r.datagrams, 1, 16);
	close(fd);
}

static void a_second_daemon_on_the_same_port_is_refused(void **state)
{
	const struct control_handlers handlers = {0};
	struct control *second = NULL;
	enum log_level level = log_get_level();
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY), ret;

	(void)state;
	dup2(null, STDERR_FILENO);
	ret = control_new(&second, loop, fake_calls, &fake.config, &handlers);
	dup2(saved, STDERR_FILENO);
	close(null);
	close(saved);
	log_set_level(level);
	assert_int_equal(ret, -EADDRINUSE);
	assert_null(second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
	const struct CMUnitTest tests[] = {
		TEST(status_is_one_object_in_one_bounded_datagram),
		TEST(malformed_attributes_are_refused),
		TEST(another_protocol_version_and_unknown_requests_are_refused),
		TEST(a_message_length_that_lies_is_refused),
		TEST(short_and_oversized_datagrams_are_passed_over),
		TEST(random_datagrams_do_no_harm),
		TEST(an_unprivileged_user_is_refused),
		TEST(a_member_of_the_control_group_is_admitted_after_a_reload),
		TEST(twenty_thousand_calls_are_dumped_in_bounded_pages_with_others_served_between),
		TEST(calls_that_live_through_a_dump_are_shown_once_while_others_come_and_go),
		TEST(the_cursor_survives_the_end_of_the_call_it_names),
		TEST(the_largest_calls_flows_fit_a_page),
		TEST(the_largest_call_is_shown_in_bounded_datagrams),
		TEST(a_reload_between_two_pages_of_peers_begins_the_list_again),
		TEST(commands_reach_their_rooms),
		TEST(a_refused_reload_explains_itself_within_bounds),
		TEST(a_reload_is_answered_when_it_is_done_and_others_meanwhile),
		TEST(who_waits_for_a_reload_is_bounded_and_told_of_the_end),
		TEST(a_stalled_subscriber_is_dropped_and_learns_it_while_others_go_on),
		TEST(a_subscriber_that_is_gone_is_forgotten),
		TEST(a_subscription_to_one_call_brings_that_calls_events_alone),
		TEST(subscribers_are_bounded),
		TEST(a_lease_that_is_not_renewed_ends),
		TEST(a_port_id_that_changed_hands_gets_no_more_events),
		TEST(a_request_without_credentials_is_refused),
		TEST(a_flood_of_requests_leaves_signalling_its_turn),
		TEST(a_second_daemon_on_the_same_port_is_refused),
	};

	if (own_namespace()) {
		print_message("1..0 # skip: no network namespace can be made here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
