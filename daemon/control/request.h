/* SPDX-License-Identifier: BSD-2-Clause */
/* A request and what the handlers of requests share. */
#ifndef VIADUCT_CONTROL_REQUEST_H
#define VIADUCT_CONTROL_REQUEST_H

#include "control/access.h"
#include "control/answer.h"
#include "control/control.h"
#include "control/subscribers.h"
#include "control/waiting.h"

struct nl_sock;

struct control {
	struct loop *loop;
	struct calls *calls;
	struct control_handlers handlers;
	struct access access;
	struct subscribers subscribers;
	struct waiting waiting;
	struct nl_sock *socket;
	struct loop_fd fd;
	struct answer answer;
	struct answer event; /* apart: an event may come up while an answer is written */
	uint64_t started_ms;
	uint32_t generation; /* rises with each reload */
	uint64_t refused;    /* requests not permitted */
};

struct request {
	struct control *control;
	struct answer *answer;
	struct nlattr *attr[VDC_REQUEST_FIELDS_END];
	uint32_t port; /* of the client */
	uid_t uid;
	const struct nlmsghdr *header;
	uint64_t cursor; /* 0 = from the beginning */
	/* Filled in by the handler. */
	bool has_objects; /* the answer is objects, not NLMSG_ERROR */
	bool has_more;
	bool is_answered_later;
	uint64_t next_cursor;
	char *text; /* malloc'd, explains the result; may be NULL */
};

/* A handler puts objects on the answer or does what is asked. 0, or -errno, which is what the
 * client is told. */
typedef int request_fn(struct request *r);

request_fn show_status, show_calls, show_call, show_flows, show_peers, show_peer, set_peer,
	show_listeners, show_routes, test_route;

/* Reads one datagram as a request of that client and answers it. */
void request_serve(struct control *control, const void *data, size_t len, uint32_t port,
	const struct ucred *who);
/* Sets r->text; returns error. */
int request_fail(struct request *r, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
struct call *request_call(struct request *r, int *error);

/* Shared by the show_* files. */
/* A page of what the configuration has count of: put for each, on an object of that type. The
 * cursor is the index of the first that is still to come. */
typedef void show_put_fn(struct request *r, const struct config *cfg, unsigned index);
int show_indexed(struct request *r, const struct config *cfg, unsigned count, uint16_t type,
	show_put_fn *put);
/* with_change: also what the network changed about it last. */
void show_path(struct answer *a, int attr, const struct dataplane_path *path, bool with_change);
/* What `viaduct peers` shows of the peer at that index. */
void show_put_peer(struct request *r, const struct config *cfg, unsigned index);
/* How it is now. */
/* The attributes of a VDC_PEER that say what its host name stands for; none where it has none. */
void show_put_peer_name(
	struct request *r, const struct config *cfg, const struct peer_config *config);
void show_put_names(struct request *r);
/* Nothing where the peer's listener is none of TLS. */
void show_put_peer_tls(struct request *r, const struct config *cfg, const struct peer_config *peer);
void show_put_peer_state(struct request *r, const char *peer_name);
const char *leg_name(enum leg leg); /* "a", "b" */

#endif
