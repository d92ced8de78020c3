/* SPDX-License-Identifier: BSD-2-Clause */
/* The records of a configuration: its file, and the journal beside the state. */
#ifndef VIADUCT_RECORDS_H
#define VIADUCT_RECORDS_H

#include "config/config.h"
#include "record/record.h"

/* 0 or -errno, with the cause logged. */
int records_open(struct record **out, const struct config *cfg);
/* From file `from` to file `to`; "" is none. Where that fails they go where they went, and the
 * cause is logged. */
void records_move(struct record *record, const char *from, const char *to);

#endif
