/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands share. */
#ifndef VIADUCT_TOOLS_CLI_H
#define VIADUCT_TOOLS_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>

#include "viaduct_control.h"

/* Exit codes; documented in viaduct(8). */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,        /* the daemon refused or failed */
	CLI_USAGE = 2,         /* the command line is wrong */
	CLI_UNREACHABLE = 3,   /* no daemon answers, or none that is to be trusted */
	CLI_NOT_PERMITTED = 4, /* the daemon does not take requests from this user */
};

struct cli {
	uint32_t port; /* netlink port id of the daemon */
	const char *daemon_user;
	unsigned timeout_ms; /* for each answer */
	bool json;
	const char *at;   /* --at, NULL where not given */
	const char *stop; /* of --drain, --now, --leave: its name, NULL where none was given */
	bool quiet;       /* says nothing about a daemon that does not answer */
	int argc;         /* of the subcommand, options left out */
	char **argv;
};

/* A subcommand: returns an exit code, and has said on stderr what is wrong. */
typedef enum cli_exit cli_command_fn(const struct cli *cli);

cli_command_fn cmd_status, cmd_calls, cmd_call, cmd_flows, cmd_peers, cmd_peer, cmd_listeners,
	cmd_routes, cmd_hangup, cmd_events, cmd_reload, cmd_log, cmd_stop, cmd_version;

/* "viaduct: TEXT" on stderr. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A decimal number, whole. 0 or -EINVAL. */
int cli_parse_u64(const char *text, uint64_t *v);
/* With --json: {}, where there is nothing to tell but that it is done. */
void cli_print_done(const struct cli *cli);
/* Takes the reference. */
void cli_print_json(json_t *v, bool one_line);

#endif
