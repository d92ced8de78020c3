/* SPDX-License-Identifier: BSD-2-Clause */
/* What a daemon before us left in the kernel: maps to go on with, and programs that still serve. */
#ifndef VIADUCT_DATAPLANE_XDP_LEFT_H
#define VIADUCT_DATAPLANE_XDP_LEFT_H

#include "dataplane/xdp_load.h"

/* Looks at it; asked: the sizes that the configuration wants. What is of no use to us (a start that
 * came to nothing, maps without flows where other sizes are asked for) is detached and removed.
 * x->skel is opened, not loaded. Fills x->maps, x->replaces and
 * x->linked. 0 or -errno, logged. */
int xdp_left_find(struct xdp *x, const struct xdp_sizes *asked);
/* Makes x->skel, not loaded yet, use the maps that are adopted. sizes: theirs. 0 or -errno. */
int xdp_left_reuse(struct xdp *x, struct xdp_sizes *sizes);
/* Our program is attached: whatever else was left attached goes, and other layouts with it. */
void xdp_left_remove(struct xdp *x);
/* Detaches what is pinned and the programs that use it. */
void xdp_left_detach(const struct xdp *x, enum pins_whose whose);

#endif
