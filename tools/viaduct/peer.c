/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdlib.h>

#include "client.h"
#include "table.h"

static void keep(void *ctx, uint16_t type, json_t *object)
{
	json_t **peer = ctx;

	(void)type;
	json_decref(*peer);
	*peer = object;
}

static void print_config(const json_t *peer)
{
	char *codecs = show_texts(peer, "codecs"), *sources = show_texts(peer, "sources");

	show_line("peer           %s, %s, %s side", show_text(peer, "name"),
		show_text(peer, "kind"), show_text(peer, "side"));
	show_line("address        %s over %s, listener %s", show_text(peer, "address"),
		show_text(peer, "transport"), show_text(peer, "listener"));
	show_line("sources        %s", sources);
	show_line("codecs         %s", json_object_get(peer, "codecs") ? codecs : "all");
	if (json_object_get(peer, "calls_max"))
		show_line("calls          %" PRIu64 " live, at most %" PRIu64,
			show_u64(peer, "calls"), show_u64(peer, "calls_max"));
	else
		show_line("calls          %" PRIu64 " live", show_u64(peer, "calls"));
	free(sources);
	free(codecs);
}

enum cli_exit cmd_peer(const struct cli *cli)
{
	struct ask ask = {.request = VDC_GET_PEER, .peer = cli->argv[0]};
	json_t *peer = NULL;
	enum cli_exit ret = client_once(cli, &ask, keep, &peer);

	if (ret || !peer)
		return ret;
	if (cli->json) {
		cli_print_json(peer, false);
		return CLI_OK;
	}
	print_config(peer);
	json_decref(peer);
	return CLI_OK;
}
