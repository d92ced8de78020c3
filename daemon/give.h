/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose the directories are that a daemon works in: those of its pins and of its state. */
#ifndef VIADUCT_GIVE_H
#define VIADUCT_GIVE_H

#include <pwd.h>

#include "config/config.h"

#define GIVE_PATH_MAX 512

/* Where the pins of the instance lie. */
void give_pin_path(const struct config *cfg, char path[GIVE_PATH_MAX]);
/* Root makes them over to that user, with what a daemon before left in them, and makes those that
 * are missing. 0 or -errno, with the cause logged; -EBUSY where a daemon runs. */
int give_to(const struct config *cfg, const struct passwd *pw);
/* Whether they can be those of the user that we are. Where another's daemon has left something in
 * them, or runs, -EPERM: who has to start this one instead is logged, and nothing is touched. */
int give_check(const struct config *cfg);

#endif
