/* SPDX-License-Identifier: BSD-2-Clause */
/* What is pinned lives under <bpf_dir>/viaduct-<instance>/v<VD_LAYOUT_VERSION>/. The instance's
 * directory is locked by the daemon that owns it. */
#ifndef VIADUCT_DATAPLANE_PINS_H
#define VIADUCT_DATAPLANE_PINS_H

#include <limits.h>

struct pins {
	int lock_fd;                /* of base, flock()ed; -1 = not open */
	char base[PATH_MAX - 64];   /* <bpf_dir>/viaduct-<instance> */
	char layout[PATH_MAX - 32]; /* base/v1 */
};

/* Makes the directories and takes the lock; whatever a dead daemon of this instance left behind
 * is detached and removed, of any layout. 0; -EBUSY when another daemon runs this instance;
 * -errno. Errors are logged. */
int pins_open(struct pins *p, const char *bpf_dir, const char *instance);
/* Removes every pin and both directories, gives the lock back. */
void pins_close(struct pins *p);
/* Gives the lock back; all stays pinned. */
void pins_leave(struct pins *p);
/* <layout>/<name> in path[PATH_MAX]; returns path. */
const char *pins_path(const struct pins *p, const char *name, char path[PATH_MAX]);

/* The pin of the program, by which one that libxdp's dispatcher calls is found again. */
#define PIN_PROGRAM "program"
/* Pins of links: the device's name follows. */
#define PIN_LINK_PREFIX "link_"

#endif
