/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "client.h"
#include "table.h"

/* What is in use, and its limit where there is one: "7/500". */
static void add_load(struct table *t, const json_t *peer, const char *used, const char *limit)
{
	if (json_object_get(peer, limit))
		table_add(t, "%" PRIu64 "/%" PRIu64, show_u64(peer, used), show_u64(peer, limit));
	else
		table_add(t, "%" PRIu64, show_u64(peer, used));
}

enum cli_exit cmd_peers(const struct cli *cli)
{
	static const char *const heading[] = {"NAME", "STATE", "SINCE", "KIND", "SIDE", "TRANSPORT",
		"ADDRESS", ">CALLS", ">CALLS/S", ">KBIT/S", ">REFUSED", "WHY"};
	json_t *list, *one;
	struct table t;
	size_t i;
	enum cli_exit ret = client_list_once(cli, VDC_GET_PEERS, &list);

	if (ret)
		return ret;
	if (cli->json) {
		cli_print_json(json_pack("{s:o}", "peers", list), false);
		return CLI_OK;
	}
	table_init(&t, heading, sizeof(heading) / sizeof(heading[0]));
	json_array_foreach(list, i, one)
	{
		char since[SHOW_SHORT_MAX];

		table_add(&t, "%s", show_text(one, "name"));
		table_add(&t, "%s", show_text(one, "state"));
		table_add(&t, "%s", show_duration(one, "since_ms", since));
		table_add(&t, "%s", show_text(one, "kind"));
		table_add(&t, "%s", show_text(one, "side"));
		table_add(&t, "%s", show_text(one, "transport"));
		table_add(&t, "%s",
			show_text(one, json_object_get(one, "host") ? "host" : "address"));
		add_load(&t, one, "calls", "calls_max");
		add_load(&t, one, "calls_per_second", "calls_per_second_max");
		add_load(&t, one, "bandwidth_kbit", "bandwidth_max_kbit");
		table_add(&t, "%" PRIu64,
			show_u64(one, "refused_calls") + show_u64(one, "refused_rate") +
				show_u64(one, "refused_bandwidth") +
				show_u64(one, "refused_ending"));
		table_add(&t, "%s", show_text(one, "why"));
	}
	table_print(&t);
	json_decref(list);
	return CLI_OK;
}
