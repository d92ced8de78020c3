/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"

/* Until the process has ended: who starts another one right after finds the port free. */
static enum cli_exit wait_for_end(const struct client *c)
{
	struct pollfd pfd = {.events = POLLIN};
	int n;

	if (c->daemon_pid <= 0) /* of a process namespace that we do not see */
		return CLI_OK;
	pfd.fd = (int)syscall(SYS_pidfd_open, c->daemon_pid, 0);
	if (pfd.fd < 0)
		return CLI_OK;
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
	ret = client_ask(&c, &ask);
	if (ret == CLI_OK)
		ret = wait_for_end(&c);
	if (ret == CLI_OK)
		cli_print_done(cli);
	client_close(&c);
	return ret;
}
