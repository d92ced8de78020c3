/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "table.h"

#define DRAIN_LOOK_MS 1000 /* from one look at what is left to the next */

static void take_live(void *ctx, uint16_t type, json_t *object)
{
	uint64_t *live = ctx;

	if (type == VDC_STATUS)
		*live = show_u64(object, "calls_live");
	json_decref(object);
}

static enum cli_exit ask_live(struct client *c, uint64_t *live)
{
	struct ask ask = {.request = VDC_GET_STATUS};
	enum cli_exit ret;

	c->object = take_live;
	c->object_ctx = live;
	ret = client_ask(c, &ask);
	c->object = NULL;
	return ret;
}

/* ---- which way ---- */

/* NULL: not at all. */
static const char *ask_how(uint64_t live)
{
	static const char *const ways[] = {"drain", "now", "leave"};
	char line[32] = "";

	fprintf(stderr,
		"%" PRIu64 " calls are live.\n"
		"  drain  take no new calls, end when the last has ended\n"
		"  now    end every call by BYE\n"
		"  leave  end, and leave calls and media to the next start\n"
		"Which (nothing: none of them)? ",
		live);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(line, ways[i]) == 0) /* in full: "no" begins "now" */
			return ways[i];
	}
	return NULL;
}

static enum cli_exit choose(struct client *c, const char **how)
{
	uint64_t live = 0;
	enum cli_exit ret;

	*how = c->cli->stop;
	if (*how)
		return CLI_OK;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		cli_error("stop: which way? --drain, --now or --leave: see viaduct(8)");
		return CLI_USAGE;
	}
	ret = ask_live(c, &live);
	if (ret)
		return ret;
	*how = ask_how(live);
	if (*how)
		return CLI_OK;
	cli_error("not stopped");
	return CLI_FAILED;
}

/* ---- until the process has ended: who starts another one right after finds the port free ---- */

static void show_left(uint64_t live, uint64_t *shown)
{
	if (live == *shown)
		return;
	*shown = live;
	fprintf(stderr,
		isatty(STDERR_FILENO) ? "\r%" PRIu64 " calls left " : "%" PRIu64 " calls left\n",
		live);
}

/* Who interrupts this leaves the daemon draining. It may end between two looks: that it does not
 * answer is no news then. */
static void wait_for_last_call(struct client *c, struct pollfd *pfd)
{
	const struct cli *cli = c->cli;
	struct cli quiet = *cli;
	uint64_t live = 0, shown = UINT64_MAX;

	quiet.quiet = true;
	c->cli = &quiet;
	do {
		if (ask_live(c, &live) == CLI_OK)
			show_left(live, &shown);
	} while (poll(pfd, 1, DRAIN_LOOK_MS) == 0);
	c->cli = cli;
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
}

static enum cli_exit wait_for_end(struct client *c, bool drains)
{
	struct pollfd pfd = {.events = POLLIN};
	int n;

	if (c->daemon_pid <= 0) /* of a process namespace that we do not see */
		return CLI_OK;
	pfd.fd = (int)syscall(SYS_pidfd_open, c->daemon_pid, 0);
	if (pfd.fd < 0)
		return CLI_OK;
	if (drains)
		wait_for_last_call(c, &pfd);
	n = poll(&pfd, 1, (int)c->cli->timeout_ms);
	close(pfd.fd);
	if (n > 0)
		return CLI_OK;
	cli_error("viaductd (pid %d) was told to stop and has not ended yet", (int)c->daemon_pid);
	return CLI_FAILED;
}

enum cli_exit cmd_stop(const struct cli *cli)
{
	struct ask ask = {.request = VDC_STOP};
	struct client c;
	enum cli_exit ret = client_open(&c, cli);

	if (ret)
		return ret;
	ret = choose(&c, &ask.command);
	if (ret == CLI_OK)
		ret = client_ask(&c, &ask);
	if (ret == CLI_OK)
		ret = wait_for_end(&c, strcmp(ask.command, "drain") == 0);
	if (ret == CLI_OK)
		cli_print_done(cli);
	client_close(&c);
	return ret;
}
