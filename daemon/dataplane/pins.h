/* SPDX-License-Identifier: BSD-2-Clause */
/* What is pinned lives under <bpf_dir>/viaduct-<instance>/v<VD_LAYOUT_VERSION>/. The instance's
 * directory is locked by the daemon that owns it; directories of other layouts beside ours are what
 * another version left. */
#ifndef VIADUCT_DATAPLANE_PINS_H
#define VIADUCT_DATAPLANE_PINS_H

#include <limits.h>
#include <stdbool.h>

struct pins {
	int lock_fd;                /* of base, flock()ed; -1 = not open */
	char base[PATH_MAX - 64];   /* <bpf_dir>/viaduct-<instance> */
	char layout[PATH_MAX - 32]; /* base/v2 */
};

enum pins_whose { PINS_OURS, PINS_OTHERS };

/* Makes the directories and takes the lock; what is pinned there stays. 0; -EBUSY when another
 * daemon runs this instance; -errno. Errors are logged. */
int pins_open(struct pins *p, const char *bpf_dir, const char *instance);
/* Removes every pin and all directories, gives the lock back. */
void pins_close(struct pins *p);
/* Gives the lock back; all stays pinned. */
void pins_leave(struct pins *p);
/* <layout>/<name> in path[PATH_MAX]; returns path. */
const char *pins_path(const struct pins *p, const char *name, char path[PATH_MAX]);
/* Calls fn, where there is one, for each pin of our layout or of the others. Returns how many. */
unsigned pins_each(const struct pins *p, enum pins_whose whose,
	void (*fn)(void *ctx, const char *path, const char *name), void *ctx);
/* The same name in some other layout's directory. */
bool pins_find_other(const struct pins *p, const char *name, char path[PATH_MAX]);
/* Unpins; other layouts' directories go as well. */
void pins_remove(const struct pins *p, enum pins_whose whose);
/* What is pinned under our layout is from now on another's. 0 or -errno. */
int pins_set_aside(const struct pins *p);

/* Pins of links: the device's name follows. */
#define PIN_LINK_PREFIX "link_"
/* Pins of maps. */
#define PIN_MAP_PREFIX "vd_"

#endif
