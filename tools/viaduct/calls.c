/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>

#include "client.h"
#include "table.h"

/* In words that no leg's letter stands alone. */
static const char *media_text(const char *media)
{
	if (strcmp(media, "a") == 0)
		return "from a";
	return strcmp(media, "b") == 0 ? "from b" : media;
}

enum cli_exit cmd_calls(const struct cli *cli)
{
	static const char *const heading[] = {">ID", "STATE", "MEDIA", "FROM", "TO", "PEERS",
		"ROUTE", ">AGE", ">TALKING", ">STREAMS", ">TRIES"};
	json_t *list, *one;
	struct table t;
	size_t i;
	enum cli_exit ret = client_list_once(cli, VDC_GET_CALLS, &list);

	if (ret)
		return ret;
	if (cli->json) {
		cli_print_json(json_pack("{s:o}", "calls", list), false);
		return CLI_OK;
	}
	table_init(&t, heading, sizeof(heading) / sizeof(heading[0]));
	json_array_foreach(list, i, one)
	{
		char age[SHOW_SHORT_MAX], talking[SHOW_SHORT_MAX];

		table_add(&t, "%" PRIu64, show_u64(one, "id"));
		table_add(&t, "%s", show_text(one, "state"));
		table_add(&t, "%s", media_text(show_text(one, "media")));
		table_add(&t, "%s", show_text(one, "from"));
		table_add(&t, "%s", show_text(one, "to"));
		table_add(&t, "%s -> %s", show_text(one, "peer_a"), show_text(one, "peer_b"));
		table_add(&t, "%s", show_text(one, "route"));
		table_add(&t, "%s", show_duration(one, "age_ms", age));
		table_add(&t, "%s", show_duration(one, "talking_ms", talking));
		table_add(&t, "%" PRIu64, show_u64(one, "stream_count"));
		table_add(&t, "%" PRIu64, show_u64(one, "attempts"));
	}
	table_print(&t);
	json_decref(list);
	return CLI_OK;
}
