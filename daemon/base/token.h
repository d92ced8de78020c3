/* SPDX-License-Identifier: BSD-2-Clause */
/* Unguessable names: tags, branches, Call-IDs, ids of sessions. */
#ifndef VIADUCT_BASE_TOKEN_H
#define VIADUCT_BASE_TOKEN_H

#include <stddef.h>
#include <stdint.h>

/* Writes len characters of [a-z2-7] (5 random bits each) and a NUL: buf holds len + 1. */
void token_make(char *buf, size_t len);
uint64_t token_random64(void);

#endif
