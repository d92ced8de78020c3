/* SPDX-License-Identifier: BSD-2-Clause */
/* What a daemon that ran as one user left, for one that root starts as another. */
#ifndef VIADUCT_INHERIT_H
#define VIADUCT_INHERIT_H

#include <sys/types.h>

/* Gives the state directory of another ordinary user, and this instance's files in it, to uid and
 * gid. Refused where that user could have put it there himself (others than root write to the
 * directory above), where it holds anything but this instance's files, a file that is a link or has
 * another owner, or where a daemon has the file. Root calls it. 0 or -errno, logged; nothing is
 * changed then. */
int inherit_state_dir(const char *dir, const char *instance, uid_t uid, gid_t gid);

#endif
