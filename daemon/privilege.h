/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon may do: no more than its work needs. */
#ifndef VIADUCT_PRIVILEGE_H
#define VIADUCT_PRIVILEGE_H

#include "config/config.h"
#include "dataplane/dataplane.h"

/* Before anything is opened: becomes cfg->user (where one is named and we are root), with the pin
 * directory made over to it, and keeps of the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON,
 * and CAP_NET_BIND_SERVICE where a listener's port asks for it. CAP_SYS_ADMIN, which libxdp's
 * dispatcher wants, stays permitted but out of effect (base/capability.h). No new privileges ever
 * after.
 * 0 or -errno, with the cause logged. */
int privilege_drop(const struct config *cfg);
/* The same for who only removes what is left: where no user is named, root becomes the owner of the
 * pin directory, or of the state directory where there are no pins. */
int privilege_drop_to_owner(const struct config *cfg);
/* Root makes over to the user of that name what a daemon needs that starts as him: the pin
 * directory and the state directory, made where they are missing. 0 or -errno, with the cause
 * logged. */
int privilege_give(const struct config *cfg, const char *user);
/* What passes through here is other people's calls, and private keys. The kernel forgets it where
 * the user changes. */
void privilege_forbid_core_files(void);
/* Once attached: CAP_SYS_ADMIN goes for good where no dispatcher of libxdp's is in use. */
void privilege_settle(struct dataplane *dp);

#endif
