/* SPDX-License-Identifier: BSD-2-Clause */
/* Which boot of the machine this is: what an earlier one left is not of this one. */
#ifndef VIADUCT_BASE_BOOT_H
#define VIADUCT_BASE_BOOT_H

#define BOOT_ID_MAX 40 /* with its end */

/* The kernel's random name for it. 0 or -errno, with an empty text. */
int boot_id_read(char id[BOOT_ID_MAX]);

#endif
