/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/control.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>

#include "base/log.h"
#include "control/request.h"

/* Requests served before signalling has its turn again. */
#define REQUESTS_A_ROUND 8
/* Bytes of a request; a longer one is dropped unread. */
#define REQUEST_MAX 4096
/* Bytes of requests that may wait, and the least a datagram of ours needs. */
#define SOCKET_BUFFER (256 * 1024)

static void ready(struct loop_fd *lf, uint32_t events)
{
	struct control *control = (struct control *)((char *)lf - offsetof(struct control, fd));

	(void)events;
	for (int i = 0; i < REQUESTS_A_ROUND; i++) {
		struct sockaddr_nl from;
		struct ucred *who = NULL;
		unsigned char *data = NULL;
		int n = nl_recv(control->socket, &from, &data, &who);

		if (n == -NLE_AGAIN)
			return;
		if (n > 0 && from.nl_groups == 0)
			request_serve(control, data, (size_t)n, from.nl_pid, who);
		if (n >= 0)
			free(data);
		free(who);
	}
}

static int open_socket(struct control *control, uint32_t port)
{
	struct nl_sock *sk = nl_socket_alloc();
	int ret;

	if (!sk)
		return -ENOMEM;
	control->socket = sk;
	nl_socket_set_local_port(sk, port);
	nl_socket_disable_seq_check(sk);
	nl_socket_disable_auto_ack(sk);
	nl_socket_disable_msg_peek(sk);
	errno = 0;
	ret = nl_connect(sk, NETLINK_USERSOCK);
	if (ret < 0) {
		int err = errno ? errno : EIO;

		log_error("control: cannot listen on netlink port 0x%08x: %s%s", port,
			nl_geterror(ret),
			err == EADDRINUSE ? " (another viaductd in this network namespace?)" : "");
		return -err;
	}
	ret = nl_socket_set_msg_buf_size(sk, REQUEST_MAX);
	if (ret == 0)
		ret = nl_socket_set_buffer_size(sk, SOCKET_BUFFER, SOCKET_BUFFER);
	if (ret == 0)
		ret = nl_socket_set_passcred(sk, 1);
	if (ret == 0)
		ret = nl_socket_set_nonblocking(sk);
	if (ret) {
		log_error("control: netlink socket: %s", nl_geterror(ret));
		return -EIO;
	}
	control->fd.fd = nl_socket_get_fd(sk);
	control->fd.ready = ready;
	return 0;
}

static uint64_t now_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int control_new(struct control **out, struct loop *loop, struct calls *calls,
	const struct config *cfg, const struct control_handlers *handlers)
{
	struct control *control = calloc(1, sizeof(*control));
	int ret;

	if (!control)
		return -ENOMEM;
	control->loop = loop;
	control->calls = calls;
	control->handlers = *handlers;
	control->started_ms = now_ms(CLOCK_MONOTONIC);
	subscribers_init(&control->subscribers, loop);
	ret = access_load(&control->access, cfg->control_group);
	if (ret)
		goto fail;
	ret = answer_init(&control->answer);
	if (ret == 0)
		ret = answer_init(&control->event);
	if (ret)
		goto fail_access;
	ret = open_socket(control, cfg->control_port);
	if (ret)
		goto fail_socket;
	ret = loop_fd_add(loop, &control->fd, EPOLLIN);
	if (ret)
		goto fail_socket;
	*out = control;
	return 0;

fail_socket:
	nl_socket_free(control->socket);
fail_access:
	answer_fini(&control->event);
	answer_fini(&control->answer);
	access_free(&control->access);
fail:
	free(control);
	return ret;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	control_reloaded(control, UINT64_MAX, -ECANCELED, "viaductd ends");
	loop_fd_remove(control->loop, &control->fd);
	nl_socket_free(control->socket);
	subscribers_fini(&control->subscribers);
	answer_fini(&control->event);
	answer_fini(&control->answer);
	access_free(&control->access);
	free(control);
}

void control_reload(struct control *control, const struct config *cfg)
{
	control->generation++;
	if (access_load(&control->access, cfg->control_group))
		log_error("control: no memory to load the control group: who may use the socket "
			  "stays as it was");
}

void control_reloaded(struct control *control, uint64_t number, int error, const char *text)
{
	waiting_answer(&control->waiting, &control->answer, control->fd.fd, number, error, text);
}

void control_event(void *ctx, uint64_t call_id, const char *kind, const char *text)
{
	struct control *control = ctx;
	struct answer *a;

	if (!control || control->subscribers.count == 0)
		return;
	a = &control->event;
	answer_begin(a, control->fd.fd, 0, 0);
	answer_begin_object(a, VDC_EVENT);
	answer_put_u64(a, VDC_EVENT_TIME, now_ms(CLOCK_REALTIME));
	if (call_id)
		answer_put_u64(a, VDC_EVENT_CALL, call_id);
	answer_put_text(a, VDC_EVENT_KIND, kind);
	answer_put_text(a, VDC_EVENT_TEXT, text);
	if (answer_end_object(a) == 0)
		subscribers_send(&control->subscribers, a, call_id);
}
