/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "client.h"
#include "table.h"

static const char *state_of(const json_t *flow)
{
	const json_t *path = json_object_get(flow, "path");

	if (show_bool(flow, "blackhole"))
		return "held";
	if (path && !show_bool(path, "resolved"))
		return show_text(path, "why");
	return "forwards";
}

enum cli_exit cmd_flows(const struct cli *cli)
{
	static const char *const heading[] = {">FLOW", ">CALL", "STREAM", "COMPONENT", "SOURCE",
		"ARRIVES AT", "LEAVES FROM", "GOES TO", "DEVICE", "NEXT HOP MAC", ">PACKETS",
		">LAST", "STATE"};
	json_t *list, *one;
	struct table t;
	size_t i;
	enum cli_exit ret = client_list_once(cli, VDC_GET_FLOWS, &list);

	if (ret)
		return ret;
	if (cli->json) {
		cli_print_json(json_pack("{s:o}", "flows", list), false);
		return CLI_OK;
	}
	table_init(&t, heading, sizeof(heading) / sizeof(heading[0]));
	json_array_foreach(list, i, one)
	{
		const json_t *path = json_object_get(one, "path");
		bool latched = json_object_get(one, "latched") != NULL;
		char last[SHOW_SHORT_MAX];

		table_add(&t, "%" PRIu64, show_u64(one, "id"));
		table_add(&t, "%" PRIu64, show_u64(one, "call"));
		table_add(&t, "%" PRIu64 "%s", show_u64(one, "stream"), show_text(one, "leg"));
		table_add(&t, "%s", show_text(one, "component"));
		table_add(&t, "%s%s", show_text(one, latched ? "latched" : "remote"),
			latched ? " (latched)" : "");
		table_add(&t, "%s", show_text(one, "local"));
		table_add(&t, "%s", show_text(one, "out_local"));
		table_add(&t, "%s", show_text(one, "out_remote"));
		table_add(&t, "%s", show_text(path, "device"));
		table_add(&t, "%s", show_text(path, "dmac"));
		table_add(&t, "%" PRIu64, show_u64(one, "packets"));
		table_add(&t, "%s", show_duration(one, "last_seen_ms", last));
		table_add(&t, "%s", state_of(one));
	}
	table_print(&t);
	json_decref(list);
	return CLI_OK;
}
