/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon at work: opens the rooms, runs the loop, takes signals, closes the rooms. */
#ifndef VIADUCT_SERVE_H
#define VIADUCT_SERVE_H

#include "config/config.h"

/* Serves until it is told to stop. file: what a reload reads. cfg: what file held at the start; its
 * reference is taken over. 0: stopped as asked; -errno, with the cause logged. */
int serve(const char *file, struct config *cfg);

#endif
