/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "base/log.h"

#define READ_BYTES     16384 /* room made for a read */
#define OUT_KEPT_BYTES 65536 /* of an empty output buffer */

struct connection *tcp_find(struct sip *sip, const struct remote_key *key)
{
	struct connection *c;

	HASH_FIND(hh_key, sip->connections_by_key, key, sizeof(*key), c);
	return c;
}

/* Without memory it is found by its id alone. */
void tcp_key(struct connection *c, const struct remote_key *key)
{
	c->key = *key;
	table_add_failed = false;
	HASH_ADD(hh_key, c->sip->connections_by_key, key, sizeof(c->key), c);
	c->keyed = !table_add_failed;
}

/* It is not found any more for what is to be sent. */
static void unkey(struct connection *c)
{
	if (c->keyed)
		HASH_DELETE(hh_key, c->sip->connections_by_key, c);
	c->keyed = false;
}

static void start_timer(struct connection *c, uint64_t delay_ms)
{
	if (loop_timer_start(c->sip->loop, &c->timer, delay_ms))
		log_limited(LOG_LEVEL_WARN, "sip: out of memory for a connection's timer");
}

/* Frames that are whole are taken; the rest stays. */
static void take_messages(struct connection *c)
{
	struct flow flow = {.listener = c->listener,
		.transport = c->tls ? TRANSPORT_TLS : TRANSPORT_TCP,
		.remote = c->remote,
		.connection = c->id,
		.peer = c->peer};
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
			keepalive_heard(c, kind == FRAMING_KEEPALIVE);
			status->keepalives++;
			break;
		case FRAMING_MESSAGE:
			keepalive_heard(c, false);
			c->message_ms = loop_now_ms(c->sip->loop);
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
		if (!c->is_pinged)
			keepalive_idle(c);
	} else if (!c->partial) {
		c->partial = true;
		start_timer(c, TCP_PARTIAL_MS);
	}
}

/* What epoll is told is kept: most of the time there is nothing new to tell. */
static void watch(struct connection *c)
{
	bool wants_write = c->connecting || c->out_len || (c->tls && tls_wants_write(c));

	/* Before the handshake is done, output waits for that, and not for the socket. */
	if (c->is_handshaking)
		wants_write = tls_wants_write(c);
	if (wants_write == c->is_watching_write)
		return;
	c->is_watching_write = wants_write;
	loop_fd_modify(c->sip->loop, &c->lf, EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0u));
}

static ssize_t receive_bytes(struct connection *c, char *buf, size_t len)
{
	ssize_t n;

	if (c->tls)
		return tls_recv(c, buf, len);
	n = recv(c->lf.fd, buf, len, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
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
	n = receive_bytes(c, c->in + c->in_len, c->in_room - c->in_len);
	if (n == -EAGAIN || n == -EINTR) {
		watch(c);
		return;
	}
	if (n <= 0) {
		c->is_hung_up = n == 0;
		tcp_close(c, (int)n);
		return;
	}
	if (c->is_ours && !c->is_proven)
		target_reached(c->sip, &c->key);
	c->is_proven = true;
	c->in_len += (size_t)n;
	take_messages(c);
	if (c->closed)
		return;
	/* A whole message was taken: what is left has its own time. */
	if (c->in_len < before + (size_t)n)
		c->partial = false;
	after_input(c);
	if (c->tls && tls_has_input(c))
		tcp_serve_later(c);
}

static ssize_t send_bytes(struct connection *c, const char *buf, size_t len)
{
	ssize_t n;

	if (c->tls)
		return tls_send(c, buf, len);
	n = send(c->lf.fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static void write_output(struct connection *c)
{
	ssize_t n;

	if (c->out_len == 0)
		return;
	write_down_first(c->sip);
	n = send_bytes(c, c->out, c->out_len);
	if (n == -EAGAIN || n == -EINTR)
		n = 0;
	if (n < 0) {
		tcp_close(c, (int)n);
		return;
	}
	memmove(c->out, c->out + n, c->out_len - (size_t)n);
	c->out_len -= (size_t)n;
	/* A busy connection keeps its buffer, unless a slow moment made that large. */
	if (c->out_len == 0 && (!c->tls || c->out_room > OUT_KEPT_BYTES)) {
		free(c->out);
		c->out = NULL;
		c->out_room = 0;
	}
	watch(c);
	if (c->out_len == 0 && !c->partial && !c->is_pinged)
		keepalive_idle(c);
}

static void serve_pending(struct loop_timer *t)
{
	struct sip *sip = (struct sip *)(void *)((char *)t - offsetof(struct sip, pending_timer));
	struct connection *c;
	unsigned count;

	DL_COUNT2(sip->pending, c, count, pending_next);
	while (count-- && (c = sip->pending)) {
		DL_DELETE2(sip->pending, c, pending_prev, pending_next);
		c->is_pending = false;
		write_output(c);
		if (!c->closed && c->tls && tls_has_input(c))
			read_input(c);
	}
	/* Not at once: others have their turn first. */
	if (sip->pending && loop_timer_start(sip->loop, t, 1))
		log_limited(LOG_LEVEL_WARN, "sip: out of memory for a timer");
}

void tcp_serve_later(struct connection *c)
{
	struct sip *sip = c->sip;

	if (c->is_pending || c->closed)
		return;
	c->is_pending = true;
	DL_APPEND2(sip->pending, c, pending_prev, pending_next);
	sip->pending_timer.fire = serve_pending;
	if (!loop_timer_is_started(&sip->pending_timer) &&
		loop_timer_start(sip->loop, &sip->pending_timer, 0))
		log_limited(LOG_LEVEL_WARN, "sip: out of memory for a timer");
}

static bool is_tls(const struct connection *c)
{
	const struct listener *l = listener_at(c->sip, c->listener);

	return l && l->transport == TRANSPORT_TLS;
}

static void start_handshake(struct connection *c)
{
	int ret = tls_start(c);

	if (ret) {
		tcp_close(c, ret);
		return;
	}
	c->is_handshaking = true;
	start_timer(c, (uint64_t)c->sip->cfg->tls_handshake_s * 1000);
	tls_handshake(c);
	if (!c->closed)
		watch(c);
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
	if (is_tls(c)) {
		start_handshake(c);
		return;
	}
	target_reached(c->sip, &c->key);
	c->is_proven = true;
	keepalive_idle(c);
	watch(c);
	write_output(c);
}

void tcp_established(struct connection *c)
{
	c->is_handshaking = false;
	keepalive_idle(c);
	watch(c);
	tcp_serve_later(c); /* what waits to go, and what came with the handshake's last bytes */
}

static void connection_ready(struct loop_fd *lf, uint32_t events)
{
	struct connection *c = (struct connection *)(void *)lf;

	if (c->connecting) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			finish_connect(c);
		return;
	}
	if (c->is_handshaking) {
		tls_handshake(c);
		if (!c->closed)
			watch(c);
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

	if (c->is_handshaking) {
		tls_handshake_timeout(c);
	} else if (c->connecting || c->partial || c->out_len) {
		if (!c->connecting)
			c->sip->status.tcp_dropped++;
		tcp_close(c, -ETIMEDOUT);
	} else {
		keepalive_timeout(c);
	}
}

static void connection_free(struct connection *c)
{
	free(c->in);
	free(c->out);
	free(c);
}

int tcp_connection_new(struct connection **out, struct sip *sip, int fd, unsigned listener,
	const struct addr *remote, bool connecting, const char *peer)
{
	struct remote_key key = {.listener = listener, .remote = *remote, .peer = peer};
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
	c->listener = listener;
	c->remote = *remote;
	c->connecting = c->is_ours = c->is_watching_write = connecting;
	c->peer = peer;
	c->message_ms = loop_now_ms(sip->loop);
	c->source = tcp_source_take(sip, remote);
	if (!c->source)
		goto fail;
	table_add_failed = false;
	HASH_ADD(hh_id, sip->connections_by_id, id, sizeof(c->id), c);
	if (table_add_failed)
		goto fail;
	/* The 4-tuple of an outgoing one may repeat an incoming one's remote end: the first is
	 * found by it, the second by its id alone. TLS ones that a peer opens have their key once
	 * it is known whose they are. */
	c->key = key;
	if ((connecting || !is_tls(c)) && !tcp_find(sip, &key)) {
		tcp_key(c, &key);
		if (!c->keyed)
			goto fail_id;
	}
	ret = loop_fd_add(sip->loop, &c->lf, EPOLLIN | (connecting ? (uint32_t)EPOLLOUT : 0u));
	if (ret)
		goto fail_key;
	start_timer(c, connecting ? TCP_CONNECT_MS : TCP_PARTIAL_MS);
	sip->connection_count++;
	sip->status.tcp_connections = sip->connection_count;
	*out = c;
	if (!connecting && is_tls(c))
		start_handshake(c);
	return 0;
fail_key:
	unkey(c);
fail_id:
	HASH_DELETE(hh_id, sip->connections_by_id, c);
fail:
	tcp_source_release(sip, c->source);
	close(fd);
	free(c);
	return ret;
}

/* A FIN acknowledges what was read before it; what is not acknowledged then has crossed it, and
 * comes to nobody. */
static bool has_crossed(const struct connection *c)
{
	int bytes = 0;

	return c->out_len || (ioctl(c->lf.fd, SIOCOUTQ, &bytes) == 0 && bytes > 0);
}

/* What waits to be written, and is written down, leaves now or not at all. */
static void last_output(struct connection *c)
{
	ssize_t n = 0;

	if (!c->connecting && !c->is_handshaking && c->out_len)
		n = send_bytes(c, c->out, c->out_len);
	if (n > 0)
		c->out_len -= (size_t)n;
	c->is_output_lost = c->is_hung_up && has_crossed(c);
	if (c->tls)
		tls_stop(c);
}

void tcp_close(struct connection *c, int error)
{
	struct sip *sip = c->sip;

	if (c->closed)
		return;
	c->closed = true;
	c->error = error;
	if (c->is_pending)
		DL_DELETE2(sip->pending, c, pending_prev, pending_next);
	c->is_pending = false;
	loop_fd_remove(sip->loop, &c->lf);
	loop_timer_stop(sip->loop, &c->timer);
	HASH_DELETE(hh_id, sip->connections_by_id, c);
	unkey(c);
	tls_uncount(c);
	tcp_source_release(sip, c->source);
	sip->connection_count--;
	sip->status.tcp_connections = sip->connection_count;
	if (error)
		sip->status.transport_errors++;
	if (c->connecting && error && sip->listener[c->listener] &&
		sip->listener[c->listener]->transport == TRANSPORT_UDP)
		tcp_remember_refusal(sip, &c->remote);
	else if (c->is_ours && !c->is_proven && error != -ENETDOWN)
		target_failed(sip, &c->key);
	c->next_dead = sip->dead_connections;
	sip->dead_connections = c;
	reap_later(sip);
}

static void tell_waiting(struct connection *c)
{
	struct sip_client *client;

	while ((client = c->waiting)) {
		client_detach(client);
		/* A peer that closes in order may still answer over a connection of its own (RFC
		 * 3261 18.2.2), unless our request never came to it, or went over TCP for its
		 * length alone: then there is no listener of ours to connect to. */
		if (c->is_output_lost && !client->is_moved)
			client_crossed(client);
		else if (c->error || c->out_len || client->is_moved)
			client_transport_failed(client, c->error ? c->error : -ECONNRESET);
	}
}

void tcp_reap(struct sip *sip)
{
	while (sip->dead_connections) {
		struct connection *c = sip->dead_connections;

		sip->dead_connections = c->next_dead;
		write_down_first(sip);
		last_output(c);
		close(c->lf.fd);
		tell_waiting(c);
		connection_free(c);
	}
}

void tcp_close_listener(struct sip *sip, unsigned listener)
{
	uint64_t last = sip->last_connection_id; /* those made meanwhile belong to its successor */
	struct connection *c, *next;

	for (c = sip->connections_by_id; c; c = next) {
		next = c->hh_id.next;
		if (c->listener == listener && c->id <= last)
			tcp_close(c, -ENETDOWN);
	}
}

static bool is_of(struct connection *c, const char *peer)
{
	const struct peer_config *owner = admit_connection(c, NULL);

	return owner && strcmp(owner->name, peer) == 0;
}

static int connect_to(struct sip *sip, const struct flow *flow, struct connection **out)
{
	struct addr local = sip->listener[flow->listener]->local;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&flow->remote, &ss);
	int fd, ret;

	const struct remote_key key = {
		.listener = flow->listener, .remote = flow->remote, .peer = flow->peer};

	if (sip->connection_count >= sip->cfg->tcp_connections_max)
		return -EMFILE;
	ret = target_check(sip, &key);
	if (ret)
		return ret;
	local.port = 0;
	fd = listener_socket(&local, SOCK_STREAM);
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS) {
		ret = -errno;
		close(fd);
		target_failed(sip, &key);
		return ret;
	}
	return tcp_connection_new(out, sip, fd, flow->listener, &flow->remote, true, flow->peer);
}

/* RFC 5923: the connection that the peer opened to us serves requests of ours as well, where its
 * certificate is (still) the peer's. */
static struct connection *find_opened_by_peer(struct sip *sip, const struct flow *flow)
{
	struct remote_key key = {
		.listener = flow->listener, .remote = flow->remote, .peer = flow->peer};
	struct connection *c;

	if (flow->transport != TRANSPORT_TLS)
		return NULL;
	key.remote.port = 0;
	while ((c = tcp_find(sip, &key)) && !is_of(c, flow->peer))
		unkey(c);
	return c;
}

static struct connection *find_opened_by_us(struct sip *sip, const struct flow *flow)
{
	const struct remote_key key = {
		.listener = flow->listener, .remote = flow->remote, .peer = flow->peer};
	struct connection *c = tcp_find(sip, &key);

	if (!c || flow->transport != TRANSPORT_TLS || c->connecting || c->is_handshaking)
		return c;
	if (is_of(c, flow->peer))
		return c;
	unkey(c);
	return NULL;
}

int tcp_connection(struct sip *sip, struct flow *flow, struct connection **out)
{
	struct connection *c = NULL;
	int ret = 0;

	if (flow->connection)
		HASH_FIND(hh_id, sip->connections_by_id, &flow->connection,
			sizeof(flow->connection), c);
	if (!c) {
		c = find_opened_by_peer(sip, flow);
		sip->status.tls_reused += c != NULL;
	}
	if (!c)
		c = find_opened_by_us(sip, flow);
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
	if (c->closed)
		return -ENOTCONN;
	c->message_ms = len > 4 ? loop_now_ms(c->sip->loop) : c->message_ms;
	if (c->out_len + len > TCP_QUEUE_MAX) {
		c->sip->status.tcp_dropped++;
		shutdown(c->lf.fd, SHUT_RDWR);
		return -ENOBUFS;
	}
	if (c->out_len + len > c->out_room) {
		size_t room = c->out_len + len + 4096;
		char *out = realloc(c->out, room);

		if (!out)
			return -ENOMEM;
		c->out = out;
		c->out_room = room;
	}
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
	/* What is written in one round goes out together, over TLS as one record, or few; what it
	 * tells is written down before. */
	if (!c->connecting && (c->tls ? !c->is_handshaking : !is_tls(c)))
		tcp_serve_later(c);
	else
		watch(c);
	return 0;
}
