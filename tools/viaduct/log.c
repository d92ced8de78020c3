/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "client.h"

enum cli_exit cmd_log(const struct cli *cli)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	struct ask ask = {.request = VDC_SET_LOG, .level = cli->argv[0]};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(cli->argv[0], levels[i]) == 0)
			return client_do(cli, &ask);
	}
	cli_error("%s is no log level: expected error, warn, info or debug", cli->argv[0]);
	return CLI_USAGE;
}
