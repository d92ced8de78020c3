/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords in memory: in pages of their own that no core dump has, locked where the limit allows,
 * overwritten before they are given back. Nothing here prints one. */
#ifndef VIADUCT_BASE_SECRET_H
#define VIADUCT_BASE_SECRET_H

#include <stddef.h>

struct secret {
	char *text; /* NUL-terminated at len */
	size_t len;
	size_t room; /* bytes that may be written, without the NUL */
};

/* Room for so many bytes, all zero, len 0. 0 or -ENOMEM. */
int secret_new(struct secret **out, size_t room);
void secret_free(struct secret *secret);

#endif
