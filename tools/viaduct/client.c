/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "schema.h"

#define RECEIVE_BUFFER    (1024 * 1024) /* bytes: a burst of events */
#define NO_UID            ((uid_t)-1)
#define LIST_TRIES        5 /* a reload in the midst of a list begins it again */
#define PROGRESS_AFTER_MS 500
#define BIND_TRIES        8

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static enum cli_exit unreachable(const struct client *c, const char *fmt, const char *why)
{
	if (!c->cli->quiet)
		cli_error(fmt, c->cli->port, why);
	return CLI_UNREACHABLE;
}

/* A port id that nobody foresees: events must not reach who binds the same one after us. */
static int bind_random_port(struct nl_sock *sk)
{
	int ret = -NLE_EXIST;

	for (int i = 0; i < BIND_TRIES && ret < 0; i++) {
		uint32_t port;

		if (getrandom(&port, sizeof(port), 0) != sizeof(port))
			return -NLE_FAILURE;
		nl_socket_set_local_port(sk, port | 0x80000000u);
		ret = nl_connect(sk, NETLINK_USERSOCK);
	}
	return ret;
}

static int set_up(struct client *c)
{
	struct sockaddr_nl daemon = {.nl_family = AF_NETLINK, .nl_pid = c->cli->port};
	struct timeval limit = {
		.tv_sec = c->cli->timeout_ms / 1000, .tv_usec = (c->cli->timeout_ms % 1000) * 1000};
	int ret, fd;

	nl_socket_disable_seq_check(c->socket);
	nl_socket_disable_auto_ack(c->socket);
	nl_socket_disable_msg_peek(c->socket);
	ret = bind_random_port(c->socket);
	if (ret == 0)
		ret = nl_socket_set_msg_buf_size(c->socket, VDC_DATAGRAM_MAX);
	if (ret == 0)
		ret = nl_socket_set_passcred(c->socket, 1);
	if (ret < 0)
		return ret;
	fd = nl_socket_get_fd(c->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){RECEIVE_BUFFER}, sizeof(int)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){RECEIVE_BUFFER}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	nl_socket_set_peer_port(c->socket, c->cli->port);
	/* From here on the kernel refuses what others send to us. */
	return connect(fd, (struct sockaddr *)&daemon, sizeof(daemon)) ? -NLE_FAILURE : 0;
}

enum cli_exit client_open(struct client *c, const struct cli *cli)
{
	const struct passwd *user = getpwnam(cli->daemon_user);
	int ret;

	memset(c, 0, sizeof(*c));
	c->cli = cli;
	c->own_uid = getuid();
	c->daemon_uid = user ? user->pw_uid : NO_UID;
	c->seq = (uint32_t)now_ms();
	c->socket = nl_socket_alloc();
	ret = c->socket ? set_up(c) : -NLE_NOMEM;
	if (ret < 0) {
		unreachable(c, "control port 0x%08x: %s", nl_geterror(ret));
		client_close(c);
		return CLI_UNREACHABLE;
	}
	return CLI_OK;
}

void client_close(struct client *c)
{
	nl_socket_free(c->socket);
	c->socket = NULL;
	free(c->text);
	c->text = NULL;
}

static int fill(struct nl_msg *msg, const struct ask *ask)
{
	int ret = nla_put_u32(msg, VDC_REQUEST_VERSION, VDC_VERSION);

	if (ret == 0 && ask->call)
		ret = nla_put_u64(msg, VDC_REQUEST_CALL, ask->call);
	if (ret == 0 && ask->from)
		ret = nla_put_string(msg, VDC_REQUEST_FROM, ask->from);
	if (ret == 0 && ask->number)
		ret = nla_put_string(msg, VDC_REQUEST_NUMBER, ask->number);
	if (ret == 0 && ask->calling)
		ret = nla_put_string(msg, VDC_REQUEST_CALLING, ask->calling);
	if (ret == 0 && ask->at)
		ret = nla_put_u64(msg, VDC_REQUEST_AT, ask->at);
	if (ret == 0 && ask->level)
		ret = nla_put_string(msg, VDC_REQUEST_LEVEL, ask->level);
	if (ret == 0 && ask->peer)
		ret = nla_put_string(msg, VDC_REQUEST_PEER, ask->peer);
	if (ret == 0 && ask->command)
		ret = nla_put_string(msg, VDC_REQUEST_COMMAND, ask->command);
	if (ret == 0 && ask->cursor)
		ret = nla_put_u64(msg, VDC_REQUEST_CURSOR, ask->cursor);
	if (ret == 0 && ask->has_generation)
		ret = nla_put_u32(msg, VDC_REQUEST_GENERATION, ask->generation);
	return ret;
}

enum cli_exit client_send(struct client *c, const struct ask *ask)
{
	struct nl_msg *msg = nlmsg_alloc();
	enum cli_exit ret = CLI_OK;

	if (!msg || !nlmsg_put(msg, 0, ++c->seq, ask->request, 0, NLM_F_REQUEST) ||
		fill(msg, ask)) {
		cli_error("the request is too long");
		ret = CLI_USAGE;
		goto out;
	}
	if (nl_sendto(c->socket, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len) >= 0)
		goto out;
	if (errno == ECONNREFUSED)
		ret = unreachable(c, "no daemon answers at control port 0x%08x: %s",
			"is viaductd running, in this network namespace?");
	else
		ret = unreachable(c, "control port 0x%08x: %s",
			errno == EAGAIN ? "viaductd takes no requests: it is stuck or stopped"
					: strerror(errno));
out:
	nlmsg_free(msg);
	return ret;
}

static bool is_trusted(const struct client *c, const struct ucred *who)
{
	return who && (who->uid == 0 || who->uid == c->own_uid ||
			      (c->daemon_uid != NO_UID && who->uid == c->daemon_uid));
}

static void take_error(struct client *c, struct nlmsghdr *h)
{
	static const struct nla_policy policy[NLMSGERR_ATTR_MAX + 1] = {
		[NLMSGERR_ATTR_MSG] = {.type = NLA_STRING},
	};
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];

	if (!nlmsg_valid_hdr(h, sizeof(struct nlmsgerr))) {
		c->error = -EBADMSG;
		return;
	}
	c->error = ((struct nlmsgerr *)nlmsg_data(h))->error;
	if ((h->nlmsg_flags & NLM_F_ACK_TLVS) &&
		nlmsg_parse(h, sizeof(struct nlmsgerr), tb, NLMSGERR_ATTR_MAX, policy) == 0 &&
		tb[NLMSGERR_ATTR_MSG])
		c->text = strdup(nla_get_string(tb[NLMSGERR_ATTR_MSG]));
}

static void take_done(struct client *c, struct nlmsghdr *h)
{
	static const struct nla_policy policy[VDC_DONE_FIELDS_END] = {
		[VDC_DONE_CURSOR] = {.type = NLA_U64},
		[VDC_DONE_GENERATION] = {.type = NLA_U32},
	};
	struct nlattr *tb[VDC_DONE_FIELDS_END];

	c->error = 0;
	c->has_more = false;
	if (nlmsg_parse(h, sizeof(int), tb, VDC_DONE_FIELDS_END - 1, policy)) {
		c->error = -EBADMSG;
		return;
	}
	if (tb[VDC_DONE_GENERATION])
		c->generation = nla_get_u32(tb[VDC_DONE_GENERATION]);
	if (tb[VDC_DONE_CURSOR]) {
		c->has_more = true;
		c->cursor = nla_get_u64(tb[VDC_DONE_CURSOR]);
	}
}

static void take(struct client *c, struct nlmsghdr *h, bool *answered)
{
	json_t *object;

	if (h->nlmsg_seq != c->seq && h->nlmsg_type != VDC_EVENT)
		return;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		free(c->text);
		c->text = NULL;
		*answered = true;
		if (h->nlmsg_type == NLMSG_ERROR)
			take_error(c, h);
		else
			take_done(c, h);
		return;
	}
	object = schema_decode(h);
	if (object && c->object)
		c->object(c->object_ctx, h->nlmsg_type, object);
	else
		json_decref(object);
}

enum cli_exit client_receive(struct client *c, int wait_ms, bool *got, bool *answered)
{
	struct pollfd pfd = {.fd = nl_socket_get_fd(c->socket), .events = POLLIN};
	struct sockaddr_nl from;
	struct ucred *who = NULL;
	unsigned char *data = NULL;
	enum cli_exit ret = CLI_OK;
	struct nlmsghdr *h;
	int left;

	*got = *answered = false;
	if (poll(&pfd, 1, wait_ms) <= 0)
		return CLI_OK;
	left = nl_recv(c->socket, &from, &data, &who);
	if (left <= 0) /* ENOBUFS: something was lost, which shows when the answer does not end */
		return CLI_OK;
	*got = true;
	if (!is_trusted(c, who)) {
		if (!c->cli->quiet)
			cli_error("what answers at control port 0x%08x runs as uid %d, which is "
				  "neither root nor user %s: not trusted",
				c->cli->port, who ? (int)who->uid : -1, c->cli->daemon_user);
		ret = CLI_UNREACHABLE;
		goto out;
	}
	c->daemon_pid = who->pid;
	for (h = (struct nlmsghdr *)data; nlmsg_ok(h, left); h = nlmsg_next(h, &left))
		take(c, h, answered);
out:
	free(who);
	free(data);
	return ret;
}

static enum cli_exit explain(const struct client *c)
{
	if (c->error == 0)
		return CLI_OK;
	cli_error("%s", c->text ? c->text : strerror(-c->error));
	return c->error == -EPERM ? CLI_NOT_PERMITTED : CLI_FAILED;
}

static enum cli_exit ask_silently(struct client *c, const struct ask *ask)
{
	uint64_t deadline = now_ms() + c->cli->timeout_ms;
	enum cli_exit ret = client_send(c, ask);

	while (ret == CLI_OK) {
		uint64_t now = now_ms();
		bool got, answered;

		if (now >= deadline)
			return unreachable(
				c, "control port 0x%08x: %s", "viaductd does not answer in time");
		ret = client_receive(c, (int)(deadline - now), &got, &answered);
		if (answered)
			break;
		if (got)
			deadline = now_ms() + c->cli->timeout_ms;
	}
	return ret;
}

enum cli_exit client_ask(struct client *c, const struct ask *ask)
{
	enum cli_exit ret = ask_silently(c, ask);

	return ret == CLI_OK ? explain(c) : ret;
}

static void collect(void *ctx, uint16_t type, json_t *object)
{
	if (type == VDC_EVENT)
		json_decref(object);
	else
		json_array_append_new(ctx, object);
}

static void show_progress(const json_t *list, uint64_t began_ms, bool last)
{
	static bool shown;

	if (!isatty(STDERR_FILENO) || (last && !shown))
		return;
	if (last)
		fprintf(stderr, "\r%30s\r", "");
	else if (now_ms() - began_ms >= PROGRESS_AFTER_MS)
		fprintf(stderr, "\r%zu so far ...", json_array_size(list));
	shown = !last;
}

static enum cli_exit list_pages(struct client *c, enum vdc_request request, json_t *list)
{
	struct ask ask = {.request = request};
	uint64_t began_ms = now_ms();
	enum cli_exit ret;

	json_array_clear(list);
	for (;;) {
		ret = ask_silently(c, &ask);
		if (ret || c->error || !c->has_more)
			break;
		show_progress(list, began_ms, false);
		ask.cursor = c->cursor;
		ask.has_generation = true;
		ask.generation = c->generation;
	}
	show_progress(list, began_ms, true);
	return ret;
}

enum cli_exit client_list(struct client *c, enum vdc_request request, json_t **out)
{
	json_t *list = json_array();
	enum cli_exit ret = CLI_FAILED;

	c->object = collect;
	c->object_ctx = list;
	for (int i = 0; i < LIST_TRIES; i++) {
		ret = list_pages(c, request, list);
		if (ret || c->error != -ESTALE)
			break;
	}
	if (ret == CLI_OK)
		ret = explain(c);
	if (ret)
		json_decref(list);
	else
		*out = list;
	return ret;
}

enum cli_exit client_once(const struct cli *cli, const struct ask *ask,
	void (*object)(void *ctx, uint16_t type, json_t *object), void *ctx)
{
	struct client c;
	enum cli_exit ret = client_open(&c, cli);

	if (ret)
		return ret;
	c.object = object;
	c.object_ctx = ctx;
	ret = client_ask(&c, ask);
	if (ret == CLI_OK && c.text)
		printf("%s%s", c.text, c.text[strlen(c.text) - 1] == '\n' ? "" : "\n");
	client_close(&c);
	return ret;
}

enum cli_exit client_do(const struct cli *cli, const struct ask *ask)
{
	enum cli_exit ret = client_once(cli, ask, NULL, NULL);

	if (ret == CLI_OK)
		cli_print_done(cli);
	return ret;
}

enum cli_exit client_list_once(const struct cli *cli, enum vdc_request request, json_t **list)
{
	struct client c;
	enum cli_exit ret = client_open(&c, cli);

	if (ret)
		return ret;
	ret = client_list(&c, request, list);
	client_close(&c);
	return ret;
}
