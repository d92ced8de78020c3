/* SPDX-License-Identifier: BSD-2-Clause */
/* The line of one call: JSON by include/viaduct_record.schema.json. */
#ifndef VIADUCT_RECORD_CDR_H
#define VIADUCT_RECORD_CDR_H

#include "call/call.h"

/* The line with its newline, malloc'd; NULL when memory is out. */
char *cdr_line(const struct call_record *call);

#endif
