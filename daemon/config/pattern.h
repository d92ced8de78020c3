/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns of numbers, from text to compiled. Private to the room. */
#ifndef VIADUCT_CONFIG_PATTERN_H
#define VIADUCT_CONFIG_PATTERN_H

#include "config/resolve.h"

/* Compiles text, which is copied; NULL: every number. What does not compile is told as a mistake of
 * key. 0 or -ENOMEM. */
int pattern_compile(struct resolve *r, const char *key, const char *text, struct pattern *out);
void pattern_clear(struct pattern *p);

#endif
