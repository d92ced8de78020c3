/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

/* A long configuration takes its time. */
#define RELOAD_TIMEOUT_MS 30000

enum cli_exit cmd_reload(const struct cli *cli)
{
	struct ask ask = {.request = VDC_RELOAD};
	struct cli patient = *cli;

	if (patient.timeout_ms < RELOAD_TIMEOUT_MS)
		patient.timeout_ms = RELOAD_TIMEOUT_MS;
	return client_do(&patient, &ask);
}
