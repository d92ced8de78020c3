/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"
#include "table.h"

static void keep(void *ctx, uint16_t type, json_t *object)
{
	json_t **status = ctx;

	(void)type;
	json_decref(*status);
	*status = object;
}

/* A daemon that does not answer is no failure here. */
enum cli_exit cmd_version(const struct cli *cli)
{
	struct ask ask = {.request = VDC_GET_STATUS};
	struct cli quiet = *cli;
	json_t *status = NULL;
	enum cli_exit ret;

	quiet.quiet = true;
	ret = client_once(&quiet, &ask, keep, &status);
	if (cli->json) {
		json_t *v = json_pack(
			"{s:s, s:i}", "viaduct", VIADUCT_VERSION, "control_protocol", VDC_VERSION);

		if (status)
			json_object_set(v, "viaductd", json_object_get(status, "version"));
		cli_print_json(v, false);
	} else {
		show_line("viaduct %s, control protocol %d", VIADUCT_VERSION, VDC_VERSION);
		show_line("viaductd %s", status                     ? show_text(status, "version")
					 : ret == CLI_NOT_PERMITTED ? "does not tell this user"
								    : "does not answer");
	}
	json_decref(status);
	return ret == CLI_UNREACHABLE ? CLI_OK : ret;
}
