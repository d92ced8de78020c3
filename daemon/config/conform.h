/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds the document against the schema before libcyaml loads it: libcyaml stops at the first
 * mistake and takes some values that are surely one ("off" for true, 010 for 8). */
#ifndef VIADUCT_CONFIG_CONFORM_H
#define VIADUCT_CONFIG_CONFORM_H

#include <cyaml/cyaml.h>

#include "config/document.h"
#include "config/mistake.h"

/* Every unknown, missing or doubled key, wrong type, unknown choice, too short or long list goes to
 * mistakes. */
void conform_check(
	const struct node *root, const cyaml_schema_value_t *schema, struct mistakes *mistakes);

#endif
