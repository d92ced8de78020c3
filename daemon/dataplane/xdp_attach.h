/* SPDX-License-Identifier: BSD-2-Clause */
/* Attaching the program: under libxdp's dispatcher, so that other XDP programs can share the
 * device, where the kernel permits freplace; by a pinned link otherwise. Native mode first,
 * generic where the driver has none. */
#ifndef VIADUCT_DATAPLANE_XDP_ATTACH_H
#define VIADUCT_DATAPLANE_XDP_ATTACH_H

#include <stdbool.h>

#include "dataplane/xdp_load.h"

/* Whether this kernel lets libxdp's dispatcher call other programs. */
bool xdp_dispatcher_works(void);
/* Loads x->skel's object and attaches it to all devices. On failure nothing is attached, and the
 * object cannot be loaded again: open a new one. */
int xdp_attach_dispatcher(struct xdp *x);
/* Attaches the loaded program by a pinned link each, to devices that have none yet; a link that an
 * earlier daemon pinned is swung over to it, without a moment in which no program is attached.
 * Errors are logged. */
int xdp_attach_links(struct xdp *x);
/* The device has gone, or is ours no longer: it has another name. */
void xdp_device_gone(struct xdp *x, struct xdp_device *device);
/* One of the same name has come. On failure device->why says what is in the way; an error that
 * was not there before is logged. */
int xdp_attach_again(struct xdp *x, struct xdp_device *device, unsigned ifindex);
void xdp_detach(struct xdp *x);
/* Closes what is ours; all stays attached. */
void xdp_let_go(struct xdp *x);
/* Where a device's link is pinned; returns path. */
const char *xdp_link_path(
	const struct xdp *x, const struct xdp_device *device, char path[PATH_MAX]);
/* Detaches the link pinned at path, before this returns. */
void xdp_detach_pinned_link(const char *path);

#endif
