/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

enum cli_exit cmd_hangup(const struct cli *cli)
{
	enum cli_exit ret = CLI_OK;

	for (int i = 0; i < cli->argc; i++) {
		uint64_t id;

		if (cli_parse_u64(cli->argv[i], &id) || id == 0) {
			cli_error("%s is no call id: see viaduct calls", cli->argv[i]);
			return CLI_USAGE;
		}
	}
	for (int i = 0; i < cli->argc; i++) {
		struct ask ask = {.request = VDC_HANGUP};
		enum cli_exit one;

		cli_parse_u64(cli->argv[i], &ask.call);
		one = client_once(cli, &ask, NULL, NULL);
		if (one > CLI_FAILED)
			return one;
		ret = one ? one : ret;
	}
	if (ret == CLI_OK)
		cli_print_done(cli);
	return ret;
}
