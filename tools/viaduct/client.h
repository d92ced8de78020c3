/* SPDX-License-Identifier: BSD-2-Clause */
/* The conversation with the daemon: requests, answers, pages, trust and time limits. */
#ifndef VIADUCT_TOOLS_CLIENT_H
#define VIADUCT_TOOLS_CLIENT_H

#include <stdint.h>
#include <sys/types.h>

#include "cli.h"

struct nl_sock;
struct nl_msg;

struct client {
	const struct cli *cli;
	struct nl_sock *socket;
	uint32_t seq;
	uid_t own_uid, daemon_uid;
	pid_t daemon_pid; /* that answered last; 0 = not known */
	int error;        /* of the last answer: 0 or -errno */
	char *text;       /* what the daemon said to it; NULL = nothing */
	bool has_more;    /* the last answer was a page, and there are more */
	uint64_t cursor;
	uint32_t generation;
	/* Each object of an answer, and each event; takes the reference. */
	void (*object)(void *ctx, uint16_t type, json_t *object);
	void *object_ctx;
};

/* What goes with a request; 0 and NULL are left out. */
struct ask {
	enum vdc_request request;
	uint64_t call;
	const char *from, *number, *calling, *level, *peer, *command;
	uint64_t at; /* seconds since 1970 */
	uint64_t cursor;
	bool has_generation;
	uint32_t generation;
};

enum cli_exit client_open(struct client *c, const struct cli *cli);
void client_close(struct client *c);

/* Sends without waiting for the answer. */
enum cli_exit client_send(struct client *c, const struct ask *ask);
/* Reads one datagram, waiting up to wait_ms: objects go to c->object. *answered: it brought the end
 * of the answer to the last request, with c->error and the like filled in. *got: anything came. */
enum cli_exit client_receive(struct client *c, int wait_ms, bool *got, bool *answered);
/* Asks, waits for the whole answer; a refusal leads to an exit code and is told on stderr. */
enum cli_exit client_ask(struct client *c, const struct ask *ask);
/* All pages of a list, as an array in *list. */
enum cli_exit client_list(struct client *c, enum vdc_request request, json_t **list);

/* The whole of a subcommand that is one request: opens, asks, closes. */
enum cli_exit client_once(const struct cli *cli, const struct ask *ask,
	void (*object)(void *ctx, uint16_t type, json_t *object), void *ctx);
/* The same for what is done and has no answer but that: with --json, {} says it. */
enum cli_exit client_do(const struct cli *cli, const struct ask *ask);
/* The same for a list. */
enum cli_exit client_list_once(const struct cli *cli, enum vdc_request request, json_t **list);

#endif
