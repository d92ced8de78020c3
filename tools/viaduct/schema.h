/* SPDX-License-Identifier: BSD-2-Clause */
/* From the attributes of an answer to a JSON object, by the tables of viaduct_control.h. */
#ifndef VIADUCT_TOOLS_SCHEMA_H
#define VIADUCT_TOOLS_SCHEMA_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "viaduct_control.h"

struct nlmsghdr;

/* The object in a message of one of the types enum vdc_answer; NULL for another type or without
 * memory. What is malformed or not known is left out. */
json_t *schema_decode(struct nlmsghdr *h);

#endif
