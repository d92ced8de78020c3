/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define READ_BYTES 16384 /* room made for a read */

struct connection *tcp_find(struct sip *sip, unsigned listener, const struct addr *remote)
{
	struct remote_key key = {.listener = listener, .remote = *remote};
	struct connection *c;

	HASH_FIND(hh_key, sip->connections_by_key, &key, sizeof(key), c);
	return c;
}

static void start_timer(struct connection *c, uint64_t delay_ms)
{
	if (loop_timer_start(c->sip->loop, &c->timer, delay_ms))
		log_limited(LOG_LEVEL_WARN, "sip: out of memory for a connection's timer");
}

/* Frames that are whole are taken; the rest stays. */
static void take_messages(struct connection *c)
{
	struct flow flow = {.listener = c->key.listener,
		.transport = TRANSPORT_TCP,
		.remote = c->key.remote,
		.connection = c->id};
	struct sip_status *status = &c->sip->status;
	size_t done = 0, len;

	note_stream_age(c->sip);
	while (!c->closed && done < c->in_len) {
		const char *s = c->in + done;
		enum framing_kind kind =
			framing_next(&c->framing, s, c->in_len - done, SIP_MESSAGE_MAX, &len);

		if (kind == FRAMING_MORE)
			break;
		done += len;
		switch (kind) {
		case FRAMING_PING:
			tcp_write(c, "\r\n", 2);
			/* fall through */
		case FRAMING_KEEPALIVE:
			status->keepalives++;
			break;
		case FRAMING_MESSAGE:
			receive_message(c->sip, &flow, s, len, true);
			break;
		default:
			/* RFC 3261 18.3, 7.4.2: answered where it can be, but nobody can say where
			 * the next message starts. */
			if (kind == FRAMING_TOO_LONG)
				status->too_long++;
			status->tcp_dropped++;
			receive_unframed(c->sip, &flow, s, len, kind == FRAMING_TOO_LONG);
			if (!c->closed)
				tcp_close(c, -EPROTO);
			return;
		}
	}
	if (c->closed)
		return;
	memmove(c->in, c->in + done, c->in_len - done);
	c->in_len -= done;
}

static void after_input(struct connection *c)
{
	if (c->in_len == 0) {
		free(c->in);
		c->in = NULL;
		c->in_room = 0;
		c->partial = false;
		start_timer(c, TCP_IDLE_MS);
	} else if (!c->partial) {
		c->partial = true;
		start_timer(c, TCP_PARTIAL_MS);
	}
}

static void read_input(struct connection *c)
{
	size_t before = c->in_len;
	ssize_t n;

	if (c->in_room - c->in_len < READ_BYTES) {
		size_t room = c->in_len + READ_BYTES;
		char *in = realloc(c->in, room);

		if (!in) {
			tcp_close(c, -ENOMEM);
			return;
		}
		c->in = in;
		c->in_room = room;
	}
	n = recv(c->lf.fd, c->in + c->in_len, c->in_room - c->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		tcp_close(c, n == 0 ? 0 : -errno);
		return;
	}
	c->in_len += (size_t)n;
	take_messages(c);
	if (c->closed)
		return;
	/* A whole message was taken: what is left has its own time. */
	if (c->in_len < before + (size_t)n)
		c->partial = false;
	after_input(c);
}

static void watch(struct connection *c)
{
	loop_fd_modify(c->sip->loop, &c->lf,
		EPOLLIN | (c->connecting || c->out_len ? (uint32_t)EPOLLOUT : 0u));
}

static void write_output(struct connection *c)
{
	ssize_t n;

	if (c->out_len == 0)
		return;
	n = send(c->lf.fd, c->out, c->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			tcp_close(c, -errno);
		return;
	}
	memmove(c->out, c->out + n, c->out_len - (size_t)n);
	c->out_len -= (size_t)n;
	if (c->out_len == 0) {
		free(c->out);
		c->out = NULL;
		c->out_room = 0;
		watch(c);
	}
}

static void finish_connect(struct connection *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->lf.fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		tcp_close(c, -error);
		return;
	}
	c->connecting = false;
	start_timer(c, TCP_IDLE_MS);
	watch(c);
	write_output(c);
}

static void connection_ready(struct loop_fd *lf, uint32_t events)
{
	struct connection *c = (struct connection *)(void *)lf;

	if (c->connecting) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			finish_connect(c);
		return;
	}
	if (events & EPOLLOUT)
		write_output(c);
	if (!c->closed && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		read_input(c);
}

static void connection_timeout(struct loop_timer *t)
{
	struct connection *c =
		(struct connection *)(void *)((char *)t - offsetof(struct connection, timer));

	if (!c->connecting)
		c->sip->status.tcp_dropped++;
	tcp_close(c, c->connecting || c->partial || c->out_len ? -ETIMEDOUT : 0);
}

static void connection_free(struct connection *c)
{
	free(c->in);
	free(c->out);
	free(c);
}

int tcp_connection_new(struct connection **out, struct sip *sip, int fd, unsigned listener,
	const struct addr *remote, bool connecting)
{
	struct connection *c = calloc(1, sizeof(*c));
	int ret = -ENOMEM;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->sip = sip;
	c->lf.fd = fd;
	c->lf.ready = connection_ready;
	c->timer.fire = connection_timeout;
	c->id = ++sip->last_connection_id;
	c->key.listener = listener;
	c->key.remote = *remote;
	c->connecting = connecting;
	c->source = tcp_source_take(sip, remote);
	if (!c->source)
		goto fail;
	table_add_failed = false;
	HASH_ADD(hh_id, sip->connections_by_id, id, sizeof(c->id), c);
	if (table_add_failed)
		goto fail;
	/* The 4-tuple of an outgoing one may repeat an incoming one's remote end: the first is
	 * found by it, the second by its id alone. */
	if (!tcp_find(sip, listener, remote)) {
		HASH_ADD(hh_key, sip->connections_by_key, key, sizeof(c->key), c);
		if (table_add_failed)
			goto fail_id;
		c->keyed = true;
	}
	ret = loop_fd_add(sip->loop, &c->lf, EPOLLIN | (connecting ? (uint32_t)EPOLLOUT : 0u));
	if (ret)
		goto fail_key;
	start_timer(c, connecting ? TCP_CONNECT_MS : TCP_PARTIAL_MS);
	sip->connection_count++;
	sip->status.tcp_connections = sip->connection_count;
	*out = c;
	return 0;
fail_key:
	if (c->keyed)
		HASH_DELETE(hh_key, sip->connections_by_key, c);
fail_id:
	HASH_DELETE(hh_id, sip->connections_by_id, c);
fail:
	tcp_source_release(sip, c->source);
	close(fd);
	free(c);
	return ret;
}

void tcp_close(struct connection *c, int error)
{
	struct sip *sip = c->sip;
	struct sip_client *client;

	if (c->closed)
		return;
	c->closed = true;
	loop_fd_remove(sip->loop, &c->lf);
	loop_timer_stop(sip->loop, &c->timer);
	close(c->lf.fd);
	HASH_DELETE(hh_id, sip->connections_by_id, c);
	if (c->keyed)
		HASH_DELETE(hh_key, sip->connections_by_key, c);
	tcp_source_release(sip, c->source);
	sip->connection_count--;
	sip->status.tcp_connections = sip->connection_count;
	if (error)
		sip->status.transport_errors++;
	if (c->connecting && error && sip->listener[c->key.listener] &&
		sip->listener[c->key.listener]->transport == TRANSPORT_UDP)
		tcp_remember_refusal(sip, &c->key.remote);
	c->next_dead = sip->dead_connections;
	sip->dead_connections = c;
	reap_later(sip);
	while ((client = c->waiting)) {
		client_detach(client);
		/* A peer that closes in order may still answer over a connection of its own (RFC
		 * 3261 18.2.2), unless our request never left, or went over TCP for its length
		 * alone: then there is no listener of ours to connect to. */
		if (error || c->out_len || client->is_moved)
			client_transport_failed(client, error ? error : -ECONNRESET);
	}
}

void tcp_reap(struct sip *sip)
{
	while (sip->dead_connections) {
		struct connection *c = sip->dead_connections;

		sip->dead_connections = c->next_dead;
		connection_free(c);
	}
}

void tcp_close_listener(struct sip *sip, unsigned listener)
{
	uint64_t last = sip->last_connection_id; /* those made meanwhile belong to its successor */
	struct connection *c, *next;

	for (c = sip->connections_by_id; c; c = next) {
		next = c->hh_id.next;
		if (c->key.listener == listener && c->id <= last)
			tcp_close(c, -ENETDOWN);
	}
}

static int connect_to(struct sip *sip, const struct flow *flow, struct connection **out)
{
	struct addr local = sip->listener[flow->listener]->local;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&flow->remote, &ss);
	int fd, ret;

	if (sip->connection_count >= sip->cfg->tcp_connections_max)
		return -EMFILE;
	local.port = 0;
	fd = listener_socket(&local, SOCK_STREAM);
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return tcp_connection_new(out, sip, fd, flow->listener, &flow->remote, true);
}

int tcp_connection(struct sip *sip, struct flow *flow, struct connection **out)
{
	struct connection *c = NULL;
	int ret = 0;

	if (flow->connection)
		HASH_FIND(hh_id, sip->connections_by_id, &flow->connection,
			sizeof(flow->connection), c);
	if (!c)
		c = tcp_find(sip, flow->listener, &flow->remote);
	if (!c)
		ret = connect_to(sip, flow, &c);
	if (ret)
		return ret;
	flow->connection = c->id;
	*out = c;
	return 0;
}

int tcp_write(struct connection *c, const char *text, size_t len)
{
	size_t sent = 0;

	if (c->closed)
		return -ENOTCONN;
	if (!c->connecting && c->out_len == 0) {
		ssize_t n = send(c->lf.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		/* A broken one is closed by the loop, which hears of it too: closing here would
		 * call the transactions from inside their own send. */
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		sent = n > 0 ? (size_t)n : 0;
		if (sent == len) {
			if (!c->partial)
				start_timer(c, TCP_IDLE_MS);
			return 0;
		}
	}
	if (c->out_len + len - sent > TCP_QUEUE_MAX) {
		c->sip->status.tcp_dropped++;
		shutdown(c->lf.fd, SHUT_RDWR);
		return -ENOBUFS;
	}
	if (c->out_len + len - sent > c->out_room) {
		size_t room = c->out_len + len - sent + 4096;
		char *out = realloc(c->out, room);

		if (!out)
			return -ENOMEM;
		c->out = out;
		c->out_room = room;
	}
	memcpy(c->out + c->out_len, text + sent, len - sent);
	c->out_len += len - sent;
	watch(c);
	return 0;
}
