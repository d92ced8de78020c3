/* SPDX-License-Identifier: BSD-2-Clause */
/* viaduct: the command line of viaductd. One file a subcommand; here is their table. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define TIMEOUT_DEFAULT_MS 5000
#define TIMEOUT_MAX_S      3600
#define ARGS_WIDTH         23 /* columns of a command's arguments in the help, a space included */
#define HELP_INDENT        "\n                                   "

static const struct command {
	const char *name;
	cli_command_fn *run;
	const char *args;
	int args_min, args_max;
	const char *help;
} commands[] = {
	{"status", cmd_status, "", 0, 0, "the daemon: devices, calls, drops, ports"},
	{"calls", cmd_calls, "", 0, 0, "live calls"},
	{"call", cmd_call, "ID", 1, 1, "one call: legs, media, why it has no audio"},
	{"flows", cmd_flows, "", 0, 0, "media flows in the kernel"},
	{"peers", cmd_peers, "", 0, 0, "peers: how they are, and their calls"},
	{"peer", cmd_peer, "NAME [drain|block|resume]", 1, 2,
		"one peer, or take it out of service and back"},
	{"listeners", cmd_listeners, "", 0, 0, "where SIP is listened for"},
	{"routes", cmd_routes, "[test FROM [CALLING] CALLED]", 0, 4,
		"routes, or where a call would go"},
	{"hangup", cmd_hangup, "ID...", 1, 1000, "end calls"},
	{"events", cmd_events, "[ID]", 0, 1, "follow what happens, or to one call"},
	{"reload", cmd_reload, "", 0, 0, "take up the changed configuration file"},
	{"log", cmd_log, "error|warn|info|debug", 1, 1, "log from that level up"},
	{"stop", cmd_stop, "--drain|--now|--leave", 0, 0, "end the daemon: see viaduct(8)"},
	{"version", cmd_version, "", 0, 0, "versions of this program and of the daemon"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct {
	cli_command_fn *of;
	const char *help;
} own_options[] = {
	{cmd_routes,
		"      --at TIME          of routes test: as if it were YYYY-MM-DD HH:MM (of this\n"
		"                         host's zone; with a Z behind it, UTC)\n"},
	{cmd_stop, "      --drain            of stop: take no new calls, end with the last one\n"
		   "      --now              of stop: end every call and then the daemon\n"
		   "      --leave            of stop: leave calls and media to the next daemon\n"},
};

void cli_error(const char *fmt, ...)
{
	va_list ap;

	fputs("viaduct: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cli_parse_u64(const char *text, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, 10);
	return errno || end == text || *end || text[0] < '0' || text[0] > '9' ? -EINVAL : 0;
}

/* The exit code, once all is written. */
static int flushed(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	cli_error("standard output: %s", strerror(errno));
	return code ? code : CLI_FAILED;
}

void cli_print_json(json_t *v, bool one_line)
{
	json_dumpf(v, stdout, one_line ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
	json_decref(v);
}

void cli_print_done(const struct cli *cli)
{
	if (cli->json)
		cli_print_json(json_object(), true);
}

/* Those of every command, and its own; without one, all. */
static void print_options(FILE *f, const struct command *command)
{
	fputs("Options:\n"
	      "  -j, --json             JSON instead of tables\n"
	      "  -p, --port ID          netlink port id of the daemon, 0x56494144 by default\n"
	      "                         (environment: VIADUCT_CONTROL_PORT)\n"
	      "  -u, --daemon-user NAME user that the daemon may run as besides root, viaduct\n"
	      "                         by default (environment: VIADUCT_DAEMON_USER)\n"
	      "  -t, --timeout SECONDS  how long to wait for each answer, 5 by default\n",
		f);
	for (size_t i = 0; i < sizeof(own_options) / sizeof(own_options[0]); i++) {
		if (!command || command->run == own_options[i].of)
			fputs(own_options[i].help, f);
	}
	fputs("  -V, --version          the version of this program, without asking the daemon\n"
	      "  -h, --help             this text\n"
	      "\n"
	      "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon answers,\n"
	      "4 not permitted. See viaduct(8).\n",
		f);
}

static void print_help(FILE *f, const struct command *command)
{
	if (command) {
		fprintf(f, "Usage: viaduct [options] %s%s%s\n\n%s\n\n", command->name,
			*command->args ? " " : "", command->args, command->help);
	} else {
		fputs("Usage: viaduct [options] COMMAND [arguments]\n\nCommands:\n", f);
		for (size_t i = 0; i < COMMANDS; i++)
			fprintf(f, "  %-9s %-*s%s%s\n", commands[i].name, ARGS_WIDTH,
				commands[i].args,
				strlen(commands[i].args) < ARGS_WIDTH ? "" : HELP_INDENT,
				commands[i].help);
		fputc('\n', f);
	}
	print_options(f, command);
}

static int parse_port(const char *text, uint32_t *port)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 0);
	if (errno || end == text || *end || v == 0 || v > UINT32_MAX)
		return -EINVAL;
	*port = (uint32_t)v;
	return 0;
}

/* 0, or -EINVAL with the mistake told. */
static int parse_options(int argc, char **argv, struct cli *cli, bool *help)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"port", required_argument, NULL, 'p'},
		{"daemon-user", required_argument, NULL, 'u'},
		{"timeout", required_argument, NULL, 't'},
		{"at", required_argument, NULL, 'a'},
		{"drain", no_argument, NULL, 'S'},
		{"now", no_argument, NULL, 'S'},
		{"leave", no_argument, NULL, 'S'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *port = getenv("VIADUCT_CONTROL_PORT");
	const char *user = getenv("VIADUCT_DAEMON_USER");
	uint64_t seconds;
	int c, which = 0;

	*cli = (struct cli){.port = VDC_PORT_DEFAULT,
		.daemon_user = user && *user ? user : "viaduct",
		.timeout_ms = TIMEOUT_DEFAULT_MS};
	while ((c = getopt_long(argc, argv, "jp:u:t:Vh", options, &which)) != -1) {
		switch (c) {
		case 'V':
			puts("viaduct " VIADUCT_VERSION);
			exit(flushed(CLI_OK));
		case 'j':
			cli->json = true;
			break;
		case 'p':
			port = optarg;
			break;
		case 'a':
			cli->at = optarg;
			break;
		case 'S':
			if (cli->stop && strcmp(cli->stop, options[which].name) != 0) {
				cli_error("--%s and --%s: one of them", cli->stop,
					options[which].name);
				return -EINVAL;
			}
			cli->stop = options[which].name;
			break;
		case 'u':
			cli->daemon_user = optarg;
			break;
		case 't':
			if (cli_parse_u64(optarg, &seconds) || !seconds ||
				seconds > TIMEOUT_MAX_S) {
				cli_error("%s is no number of seconds, 1 to %d", optarg,
					TIMEOUT_MAX_S);
				return -EINVAL;
			}
			cli->timeout_ms = (unsigned)seconds * 1000;
			break;
		case 'h':
			*help = true;
			break;
		default:
			return -EINVAL;
		}
	}
	if (port && *port && parse_port(port, &cli->port)) {
		cli_error("%s is no netlink port id", port);
		return -EINVAL;
	}
	cli->argc = argc - optind;
	cli->argv = argv + optind;
	return 0;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;
	bool help = false;
	struct cli cli;

	if (parse_options(argc, argv, &cli, &help))
		return CLI_USAGE;
	if (cli.argc == 0) {
		print_help(help ? stdout : stderr, NULL);
		return flushed(help ? CLI_OK : CLI_USAGE);
	}
	command = find_command(cli.argv[0]);
	if (!command) {
		cli_error("no command is named %s: see viaduct --help", cli.argv[0]);
		return CLI_USAGE;
	}
	if (help) {
		print_help(stdout, command);
		return flushed(CLI_OK);
	}
	cli.argc--;
	cli.argv++;
	if (cli.argc < command->args_min || cli.argc > command->args_max) {
		cli_error("usage: viaduct %s%s%s", command->name, *command->args ? " " : "",
			command->args);
		return CLI_USAGE;
	}
	if (cli.at && (command->run != cmd_routes || cli.argc == 0)) {
		cli_error("--at is of routes test alone");
		return CLI_USAGE;
	}
	if (cli.stop && command->run != cmd_stop) {
		cli_error("--%s is of stop alone", cli.stop);
		return CLI_USAGE;
	}
	return flushed((int)command->run(&cli));
}
