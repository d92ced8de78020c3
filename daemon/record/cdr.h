/* SPDX-License-Identifier: BSD-2-Clause */
/* The line of one call: JSON by include/viaduct_record.schema.json. */
#ifndef VIADUCT_RECORD_CDR_H
#define VIADUCT_RECORD_CDR_H

#include <jansson.h>

#include "call/call.h"

/* The line with its newline, malloc'd; NULL when memory is out. */
char *cdr_line(const struct call_record *call);

/* ---- its two ways, for each other and for tests ---- */
/* Of a call that was one. */
char *cdr_call_line(const struct call_record *call);
/* Of one that was refused before: it has no route, attempt, answer, stream or second leg, and the
 * line is the same that cdr_call_line would make of it, for a tenth of its time. */
char *cdr_refusal_line(const struct call_record *call);
#define CDR_TIME_MAX 40
/* RFC 3339, UTC, milliseconds. */
const char *cdr_time(uint64_t ms, char text[CDR_TIME_MAX]);
/* A string; "" for NULL. What came from a peer need not be UTF-8: then its bytes above ASCII become
 * '?'. NULL when memory is out. */
json_t *cdr_text(const char *s);

#endif
