/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/boot.h"

#include <errno.h>
#include <stdio.h>

int boot_id_read(char id[BOOT_ID_MAX])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int ret = 0;

	id[0] = '\0';
	if (!f)
		return -errno;
	if (fscanf(f, "%39s", id) != 1)
		ret = -EIO;
	fclose(f);
	return ret;
}
