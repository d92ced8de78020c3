/* SPDX-License-Identifier: BSD-2-Clause */
/* A nameserver on 127.0.0.1, UDP and TCP, in the test's own loop: answers from a table, or
 * misbehaves as told. */
#ifndef VIADUCT_TEST_DNS_SERVER_H
#define VIADUCT_TEST_DNS_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/internal.h"

#include "test_clock.h"

#define SERVER_ROWS_MAX  2100
#define SERVER_BYTES_MAX 65000
#define UDP_BYTES_MAX    4096

enum server_mode {
	SERVER_GOOD,
	SERVER_SERVFAIL,
	SERVER_REFUSED,
	SERVER_SILENT,
	SERVER_GARBAGE,   /* random bytes after the header */
	SERVER_CUT_SHORT, /* the last bytes of the answer are missing */
	SERVER_TRUNCATES, /* over UDP: nothing but the TC bit */
};

struct server_row {
	char name[256];
	unsigned type, ttl_s, len;
	uint8_t data[512];
};

struct server {
	struct loop_fd udp, tcp, connection;
	struct loop *loop;
	struct addr addr;
	struct server_row row[SERVER_ROWS_MAX];
	unsigned rows;
	enum server_mode mode;      /* of what follows */
	const char *mode_of;        /* the name that it concerns; NULL: all */
	unsigned mode_type;         /* 0: all */
	unsigned negative_ttl_s;    /* of the SOA with an empty answer; 0: no SOA */
	unsigned queries, over_tcp; /* so far */
	unsigned asked[256];        /* by type */
};

static inline unsigned put_name(uint8_t *out, const char *name)
{
	unsigned n = 0;

	while (*name) {
		size_t label = strcspn(name, ".");

		out[n++] = (uint8_t)label;
		memcpy(out + n, name, label);
		n += (unsigned)label;
		name += label + (name[label] == '.');
	}
	out[n++] = 0;
	return n;
}

static inline void put16(uint8_t *out, unsigned v)
{
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
}

static inline struct server_row *add_row(
	struct server *s, const char *name, unsigned type, unsigned ttl_s)
{
	struct server_row *r = &s->row[s->rows++];

	assert_true(s->rows <= SERVER_ROWS_MAX);
	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->type = type;
	r->ttl_s = ttl_s;
	return r;
}

static inline void add_a(struct server *s, const char *name, unsigned ttl_s, const char *ip)
{
	struct server_row *r = add_row(s, name, MESSAGE_A, ttl_s);

	assert_int_equal(inet_pton(AF_INET, ip, r->data), 1);
	r->len = 4;
}

static inline void add_aaaa(struct server *s, const char *name, unsigned ttl_s, const char *ip)
{
	struct server_row *r = add_row(s, name, MESSAGE_AAAA, ttl_s);

	assert_int_equal(inet_pton(AF_INET6, ip, r->data), 1);
	r->len = 16;
}

static inline void add_cname(struct server *s, const char *name, unsigned ttl_s, const char *to)
{
	struct server_row *r = add_row(s, name, MESSAGE_CNAME, ttl_s);

	r->len = put_name(r->data, to);
}

static inline void add_srv(struct server *s, const char *name, unsigned ttl_s, unsigned priority,
	unsigned weight, unsigned port, const char *target)
{
	struct server_row *r = add_row(s, name, MESSAGE_SRV, ttl_s);

	put16(r->data, priority);
	put16(r->data + 2, weight);
	put16(r->data + 4, port);
	r->len = 6 + put_name(r->data + 6, target);
}

static inline unsigned put_string(uint8_t *out, const char *text)
{
	out[0] = (uint8_t)strlen(text);
	memcpy(out + 1, text, strlen(text));
	return 1 + out[0];
}

static inline void add_naptr(struct server *s, const char *name, unsigned ttl_s, unsigned order,
	unsigned preference, const char *flags, const char *service, const char *regexp,
	const char *replacement)
{
	struct server_row *r = add_row(s, name, MESSAGE_NAPTR, ttl_s);

	put16(r->data, order);
	put16(r->data + 2, preference);
	r->len = 4;
	r->len += put_string(r->data + r->len, flags);
	r->len += put_string(r->data + r->len, service);
	r->len += put_string(r->data + r->len, regexp);
	r->len += put_name(r->data + r->len, replacement);
}

static inline unsigned put_record(uint8_t *out, const struct server_row *r)
{
	unsigned n = put_name(out, r->name);

	put16(out + n, r->type);
	put16(out + n + 2, 1);
	put16(out + n + 4, r->ttl_s >> 16);
	put16(out + n + 6, r->ttl_s);
	put16(out + n + 8, r->len);
	memcpy(out + n + 10, r->data, r->len);
	return n + 10 + r->len;
}

static inline unsigned put_soa(uint8_t *out, unsigned ttl_s)
{
	struct server_row r = {.name = "test", .type = MESSAGE_SOA, .ttl_s = ttl_s};

	r.len = put_name(r.data, "ns.test");
	r.len += put_name(r.data + r.len, "root.test");
	memset(r.data + r.len, 0, 20);
	put16(r.data + r.len + 16, ttl_s >> 16);
	put16(r.data + r.len + 18, ttl_s);
	r.len += 20;
	return put_record(out, &r);
}

static inline bool server_has_name(const struct server *s, const char *name)
{
	for (unsigned i = 0; i < s->rows; i++) {
		if (strcasecmp(s->row[i].name, name) == 0)
			return true;
	}
	return false;
}

/* The records of that name and type, and of what it is an alias of. Their number. */
static inline unsigned put_answers(
	const struct server *s, uint8_t *out, unsigned *n, const char *name, unsigned type)
{
	unsigned count = 0;

	for (int steps = 0; name && steps < 20; steps++) {
		const char *alias = NULL;
		static char to[256];

		for (unsigned i = 0; i < s->rows; i++) {
			const struct server_row *r = &s->row[i];
			char *text;
			long used;

			if (strcasecmp(r->name, name) != 0 ||
				(r->type != type && r->type != MESSAGE_CNAME) ||
				*n + 800 > SERVER_BYTES_MAX)
				continue;
			*n += put_record(out + *n, r);
			count++;
			if (r->type != MESSAGE_CNAME)
				continue;
			assert_int_equal(
				ares_expand_name(r->data, r->data, (int)r->len, &text, &used), 0);
			snprintf(to, sizeof(to), "%s", text);
			ares_free_string(text);
			alias = to;
			break;
		}
		name = alias;
	}
	return count;
}

/* The answer to a query into out. Its length, 0 for silence. */
static inline unsigned server_answer(
	struct server *s, const uint8_t *query, size_t len, uint8_t *out, bool over_tcp)
{
	char *name;
	long used;
	unsigned type, n, count, rcode = 0;
	bool is_concerned;

	assert_true(len > 12);
	assert_int_equal(ares_expand_name(query + 12, query, (int)len, &name, &used), 0);
	type = (unsigned)(query[12 + used] << 8 | query[13 + used]);
	s->queries++;
	s->over_tcp += over_tcp;
	s->asked[type & 255]++;
	is_concerned = (!s->mode_of || strcasecmp(s->mode_of, name) == 0) &&
		       (!s->mode_type || s->mode_type == type);
	memcpy(out, query, 12 + (size_t)used + 4);
	n = 12 + (unsigned)used + 4;
	memset(out + 6, 0, 6); /* no answers yet */
	out[2] = 0x85;         /* a response, authoritative */
	out[3] = 0x80;
	count = put_answers(s, out, &n, name, type);
	put16(out + 6, count);
	if (!count && !server_has_name(s, name))
		rcode = 3;
	if (!count && s->negative_ttl_s) {
		n += put_soa(out + n, s->negative_ttl_s);
		put16(out + 8, 1);
	}
	if (is_concerned && s->mode == SERVER_SILENT)
		n = 0;
	if (is_concerned && (s->mode == SERVER_SERVFAIL || s->mode == SERVER_REFUSED)) {
		rcode = s->mode == SERVER_SERVFAIL ? 2 : 5;
		memset(out + 6, 0, 6);
		n = 12 + (unsigned)used + 4;
	}
	if (is_concerned && s->mode == SERVER_GARBAGE) {
		put16(out + 6, 3);
		for (unsigned i = 12 + (unsigned)used + 4; i < n + 60; i++)
			out[i] = (uint8_t)rand();
		n += 60;
	}
	if (is_concerned && s->mode == SERVER_CUT_SHORT && count)
		n -= 3;
	if (!over_tcp && (n > UDP_BYTES_MAX || (is_concerned && s->mode == SERVER_TRUNCATES))) {
		out[2] |= 2;
		memset(out + 6, 0, 6);
		n = 12 + (unsigned)used + 4;
	}
	out[3] |= (uint8_t)rcode;
	ares_free_string(name);
	return n;
}

static inline void udp_query(struct loop_fd *lf, uint32_t events)
{
	struct server *s = (struct server *)(void *)((char *)lf - offsetof(struct server, udp));
	static uint8_t query[2048], out[SERVER_BYTES_MAX];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(
		lf->fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	unsigned n;

	(void)events;
	if (len <= 0)
		return;
	n = server_answer(s, query, (size_t)len, out, false);
	if (n)
		sendto(lf->fd, out, n, 0, (struct sockaddr *)&from, from_len);
}

static inline void tcp_query(struct loop_fd *lf, uint32_t events)
{
	struct server *s =
		(struct server *)(void *)((char *)lf - offsetof(struct server, connection));
	static uint8_t query[2048], out[2 + SERVER_BYTES_MAX];
	ssize_t len = recv(lf->fd, query, sizeof(query), MSG_DONTWAIT);
	unsigned n;

	(void)events;
	if (len <= 2) {
		loop_fd_remove(s->loop, lf);
		close(lf->fd);
		lf->fd = -1;
		return;
	}
	n = server_answer(s, query + 2, (size_t)len - 2, out + 2, true);
	put16(out, n);
	if (n)
		assert_int_equal(send(lf->fd, out, n + 2, MSG_NOSIGNAL), n + 2);
}

static inline void tcp_connection_came(struct loop_fd *lf, uint32_t events)
{
	struct server *s = (struct server *)(void *)((char *)lf - offsetof(struct server, tcp));
	int fd = accept(lf->fd, NULL, NULL);

	(void)events;
	assert_true(fd >= 0);
	if (s->connection.fd >= 0) {
		loop_fd_remove(s->loop, &s->connection);
		close(s->connection.fd);
	}
	s->connection.fd = fd;
	s->connection.ready = tcp_query;
	assert_int_equal(loop_fd_add(s->loop, &s->connection, EPOLLIN), 0);
}

static inline void server_open(struct server *s, struct loop *loop)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	s->loop = loop;
	s->connection.fd = -1;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0;; i++) { /* a port that is free for both */
		a.sin_port = 0;
		s->udp.fd = socket(AF_INET, SOCK_DGRAM, 0);
		s->tcp.fd = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(bind(s->udp.fd, (struct sockaddr *)&a, len), 0);
		assert_int_equal(getsockname(s->udp.fd, (struct sockaddr *)&a, &len), 0);
		if (bind(s->tcp.fd, (struct sockaddr *)&a, len) == 0)
			break;
		close(s->udp.fd);
		close(s->tcp.fd);
		assert_true(i < 20);
	}
	assert_int_equal(listen(s->tcp.fd, 8), 0);
	addr_from_sockaddr(&s->addr, (struct sockaddr *)&a);
	s->udp.ready = udp_query;
	s->tcp.ready = tcp_connection_came;
	assert_int_equal(loop_fd_add(loop, &s->udp, EPOLLIN), 0);
	assert_int_equal(loop_fd_add(loop, &s->tcp, EPOLLIN), 0);
}

static inline void server_close(struct server *s)
{
	loop_fd_remove(s->loop, &s->udp);
	loop_fd_remove(s->loop, &s->tcp);
	close(s->udp.fd);
	close(s->tcp.fd);
	if (s->connection.fd >= 0) {
		loop_fd_remove(s->loop, &s->connection);
		close(s->connection.fd);
	}
}

#endif
