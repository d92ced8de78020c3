/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "base/log.h"
#include "base/capability.h"
#include "viaduct.skel.h"

#define PROGRAM_NAME  "viaduct_xdp"
#define LINK_NAME_MAX (IFNAMSIZ + sizeof(PIN_LINK_PREFIX))

static const char mode_native[] = "native";
static const char mode_generic[] = "generic";
static const char mode_none[] = "none";

/* libxdp opens what is attached by its id, which the kernel grants to CAP_SYS_ADMIN alone. Without,
 * it attaches the bare program, and cannot take it off again. No id is 0. */
static bool may_open_by_id(void)
{
	bool raised = capability_raise(CAP_SYS_ADMIN), may;

	may = bpf_prog_get_fd_by_id(0) != -EPERM;
	capability_restore(CAP_SYS_ADMIN, raised);
	return may;
}

bool xdp_dispatcher_works(void)
{
	if (!may_open_by_id()) {
		log_info(
			"dataplane: libxdp's dispatcher needs CAP_SYS_ADMIN: attaching without it, "
			"alone on the device");
		return false;
	}
	/* Some kernels refuse freplace altogether; libxdp would then attach the bare program in a
	 * way that does not survive us and cannot be replaced atomically. */
	return libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1;
}

/* Whether libxdp really made a dispatcher on the device, rather than attach the bare program. */
static bool has_dispatcher(unsigned ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	bool yes;

	if (libxdp_get_error(mp))
		return false;
	yes = !xdp_multiprog__is_legacy(mp);
	xdp_multiprog__close(mp);
	return yes;
}

/* Whether it is the driver that does not take a program in native mode; why it does not is its own
 * matter: one has no such mode, another not with that MTU or that offload. */
static bool driver_refuses(int error)
{
	return error && error != -EBUSY && error != -EPERM && error != -ENODEV;
}

static void warn_of_generic(const struct xdp_device *device, int native)
{
	log_warn("dataplane: %s takes no native XDP (%s): generic mode, slower", device->name,
		strerror(-native));
}

static int attach_by_libxdp(struct xdp *x, struct xdp_device *device)
{
	enum xdp_attach_mode mode = XDP_MODE_NATIVE;
	int native = xdp_program__attach(x->program, (int)device->ifindex, mode, 0), ret = native;

	if (driver_refuses(native)) {
		mode = XDP_MODE_SKB;
		ret = xdp_program__attach(x->program, (int)device->ifindex, mode, 0);
	}
	if (ret)
		return ret;
	if (native)
		warn_of_generic(device, native);
	device->mode = mode == XDP_MODE_NATIVE ? mode_native : mode_generic;
	device->attached = "libxdp dispatcher";
	return has_dispatcher(device->ifindex) ? 0 : -EOPNOTSUPP;
}

static int attach_dispatcher_to(struct xdp *x, struct xdp_device *device)
{
	bool raised = capability_raise(CAP_SYS_ADMIN);
	int ret;

	ret = attach_by_libxdp(x, device);
	capability_restore(CAP_SYS_ADMIN, raised);
	return ret;
}

int xdp_attach_dispatcher(struct xdp *x)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = x->skel->obj, .prog_name = PROGRAM_NAME);
	int ret;

	x->program = xdp_program__create(&opts);
	ret = (int)libxdp_get_error(x->program);
	if (ret) {
		x->program = NULL;
		return ret;
	}
	for (unsigned i = 0; i < x->device_count; i++) {
		ret = attach_dispatcher_to(x, &x->device[i]);
		if (ret)
			goto fail;
	}
	return 0;
fail:
	xdp_detach(x);
	return ret;
}

static const char *attach_words(int error)
{
	switch (error) {
	case -EBUSY:
		return "another XDP program is attached to it";
	case -EPERM:
		return "not permitted: CAP_NET_ADMIN and CAP_BPF are needed";
	case -ENODEV:
		return "no such device";
	default:
		return strerror(-error);
	}
}

static const char *link_name(const struct xdp_device *device, char name[LINK_NAME_MAX])
{
	snprintf(name, LINK_NAME_MAX, PIN_LINK_PREFIX "%s", device->name);
	for (char *c = name; *c; c++) {
		/* bpffs refuses names with dots. */
		if (*c == '.')
			*c = '_';
	}
	return name;
}

const char *xdp_link_path(const struct xdp *x, const struct xdp_device *device, char path[PATH_MAX])
{
	char name[LINK_NAME_MAX];

	return pins_path(&x->pins, link_name(device, name), path);
}

static int attach_link(struct xdp *x, struct xdp_device *device, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	char path[PATH_MAX];
	int fd = bpf_link_create(
		bpf_program__fd(x->skel->progs.viaduct_xdp), (int)device->ifindex, BPF_XDP, &opts);
	int ret;

	if (fd < 0)
		return fd;
	ret = bpf_obj_pin(fd, xdp_link_path(x, device, path));
	if (ret) {
		log_error("dataplane: cannot pin %s: %s", path, strerror(-ret));
		close(fd);
		return ret;
	}
	device->link_fd = fd;
	device->attached = "link";
	device->mode = flags == XDP_FLAGS_DRV_MODE ? mode_native : mode_generic;
	return 0;
}

static const char *mode_of(unsigned ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	if (bpf_xdp_query((int)ifindex, 0, &opts) == 0 && opts.attach_mode == XDP_ATTACHED_SKB)
		return mode_generic;
	return mode_native;
}

/* A link whose device has gone is attached to nothing. */
static bool link_holds(int fd, unsigned ifindex)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.xdp.ifindex == ifindex;
}

/* The link at path, ours or another layout's, runs our program from now on. 0 or -errno. */
static int swing_link(struct xdp *x, struct xdp_device *device, const char *path)
{
	char own[PATH_MAX];
	int fd = bpf_obj_get(path), ret;

	if (fd < 0)
		return fd;
	ret = link_holds(fd, device->ifindex)
		      ? bpf_link_update(fd, bpf_program__fd(x->skel->progs.viaduct_xdp), NULL)
		      : -ENOLINK;
	/* Over what may be left there of a device that has gone. */
	if (!ret && strcmp(path, xdp_link_path(x, device, own)) != 0 && rename(path, own))
		ret = -errno;
	if (ret) {
		close(fd);
		return ret;
	}
	device->link_fd = fd;
	device->attached = "link";
	device->mode = mode_of(device->ifindex);
	return 0;
}

/* 0: a link that was left for the device runs our program. -ENOENT: there is none of use. */
static int take_link(struct xdp *x, struct xdp_device *device)
{
	char name[LINK_NAME_MAX], path[PATH_MAX];
	int ret = swing_link(x, device, xdp_link_path(x, device, path));

	if (ret == -ENOLINK) {
		unlink(path);
		ret = -ENOENT;
	}
	if (ret == -ENOENT && pins_find_other(&x->pins, link_name(device, name), path)) {
		ret = swing_link(x, device, path);
		if (ret == -ENOLINK)
			ret = -ENOENT;
	}
	return ret;
}

/* Native mode, or generic where the driver has none. 0 or -errno. */
static int make_link(struct xdp *x, struct xdp_device *device)
{
	int native = attach_link(x, device, XDP_FLAGS_DRV_MODE), ret = native;

	if (driver_refuses(native))
		ret = attach_link(x, device, XDP_FLAGS_SKB_MODE);
	if (native && !ret)
		warn_of_generic(device, native);
	return ret;
}

/* 0 or -errno, which is logged unless that very error was there before. */
static int attached_or_not(struct xdp_device *device, int ret)
{
	const char *why = ret ? attach_words(ret) : NULL;

	if (why && (!device->why || strcmp(why, device->why) != 0))
		log_error("dataplane: cannot attach to %s: %s", device->name, why);
	device->why = why;
	return ret;
}

static int attach_link_to(struct xdp *x, struct xdp_device *device)
{
	int ret = take_link(x, device);

	if (ret == -ENOENT)
		ret = make_link(x, device);
	return attached_or_not(device, ret);
}

int xdp_attach_links(struct xdp *x)
{
	for (unsigned i = 0; i < x->device_count; i++) {
		struct xdp_device *device = &x->device[i];
		int ret;

		if (strcmp(device->attached, mode_none) != 0)
			continue;
		ret = attach_link_to(x, device);
		if (ret)
			return ret;
	}
	return 0;
}

static void detach_device(struct xdp *x, struct xdp_device *device)
{
	if (device->link_fd >= 0) {
		bpf_link_detach(device->link_fd);
		close(device->link_fd);
		device->link_fd = -1;
	} else if (x->program && strcmp(device->attached, mode_none) != 0) {
		bool raised = capability_raise(CAP_SYS_ADMIN);

		xdp_program__detach(x->program, (int)device->ifindex,
			device->mode == mode_native ? XDP_MODE_NATIVE : XDP_MODE_SKB, 0);
		capability_restore(CAP_SYS_ADMIN, raised);
	}
	device->attached = mode_none;
	device->mode = mode_none;
}

void xdp_device_gone(struct xdp *x, struct xdp_device *device)
{
	char path[PATH_MAX];

	if (device->link_fd >= 0)
		unlink(xdp_link_path(x, device, path));
	detach_device(x, device);
	device->ifindex = 0;
	device->why = NULL;
}

int xdp_attach_again(struct xdp *x, struct xdp_device *device, unsigned ifindex)
{
	if (device->ifindex != ifindex)
		xdp_device_gone(x, device);
	device->ifindex = ifindex;
	if (!x->program)
		return attach_link_to(x, device);
	return attached_or_not(device, attach_dispatcher_to(x, device));
}

void xdp_detach(struct xdp *x)
{
	for (unsigned i = 0; i < x->device_count; i++)
		detach_device(x, &x->device[i]);
	if (x->program)
		xdp_program__close(x->program);
	x->program = NULL;
}

void xdp_let_go(struct xdp *x)
{
	for (unsigned i = 0; i < x->device_count; i++) {
		if (x->device[i].link_fd >= 0)
			close(x->device[i].link_fd);
		x->device[i].link_fd = -1;
	}
	if (x->program)
		xdp_program__close(x->program);
	x->program = NULL;
}

void xdp_detach_pinned_link(const char *path)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return;
	bpf_link_detach(fd);
	close(fd);
}
