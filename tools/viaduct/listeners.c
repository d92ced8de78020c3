/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"
#include "table.h"

enum cli_exit cmd_listeners(const struct cli *cli)
{
	static const char *const heading[] = {
		"NAME", "SIDE", "TRANSPORT", "ADDRESS", "ADVERTISED", ""};
	json_t *list, *one;
	struct table t;
	size_t i;
	enum cli_exit ret = client_list_once(cli, VDC_GET_LISTENERS, &list);

	if (ret)
		return ret;
	if (cli->json) {
		cli_print_json(json_pack("{s:o}", "listeners", list), false);
		return CLI_OK;
	}
	table_init(&t, heading, sizeof(heading) / sizeof(heading[0]));
	json_array_foreach(list, i, one)
	{
		table_add(&t, "%s", show_text(one, "name"));
		table_add(&t, "%s", show_text(one, "side"));
		table_add(&t, "%s", show_text(one, "transport"));
		table_add(&t, "%s", show_text(one, "address"));
		table_add(&t, "%s", show_text(one, "advertised"));
		table_add(&t, "%s", json_object_get(one, "why") ? show_text(one, "why") : "");
	}
	table_print(&t);
	json_decref(list);
	return CLI_OK;
}
