/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

enum cli_exit cmd_log(const struct cli *cli)
{
	struct ask ask = {.request = VDC_SET_LOG, .level = cli->argv[0]};

	return client_once(cli, &ask, NULL, NULL);
}
