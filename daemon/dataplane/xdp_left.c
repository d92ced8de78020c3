/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp_left.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "base/capability.h"
#include "base/log.h"
#include "dataplane/flow_table.h"
#include "dataplane/locals.h"
#include "dataplane/xdp_attach.h"
#include "viaduct.skel.h"

#define MAPS_MAX     32 /* of one program */
#define PROGRAMS_MAX 16 /* of one device's dispatcher; libxdp's limit is 10 */

/* ---- maps ---- */

/* Whose number of elements the configuration decides, or nobody. */
static bool is_sized(const struct viaduct_bpf *skel, const struct bpf_map *map)
{
	return map == skel->maps.vd_flows || map == skel->maps.vd_ports ||
	       map == skel->maps.vd_exits || map == skel->maps.vd_nexthops ||
	       map == skel->maps.vd_events;
}

static int pinned_map(const struct xdp *x, const struct bpf_map *map, struct bpf_map_info *info)
{
	char path[PATH_MAX];
	uint32_t len = sizeof(*info);
	int fd = bpf_obj_get(pins_path(&x->pins, bpf_map__name(map), path)), ret;

	if (fd < 0)
		return fd;
	memset(info, 0, sizeof(*info));
	ret = bpf_obj_get_info_by_fd(fd, info, &len);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

/* The kernel sets one itself, on a DEVMAP. */
static bool same_flags(uint32_t pinned, uint32_t ours)
{
	return !((pinned ^ ours) & ~(uint32_t)BPF_F_RDONLY_PROG);
}

/* Whether the pinned maps are those that our program means. *found: how many there are. */
static bool maps_fit(const struct xdp *x, unsigned *found)
{
	struct bpf_map *map;
	bool fit = true;

	*found = 0;
	bpf_object__for_each_map(map, x->skel->obj)
	{
		struct bpf_map_info info;
		int fd = bpf_map__is_internal(map) ? -ENOENT : pinned_map(x, map, &info);

		if (bpf_map__is_internal(map))
			continue;
		if (fd < 0) {
			fit = false;
			continue;
		}
		close(fd);
		(*found)++;
		fit &= info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
		       info.value_size == bpf_map__value_size(map) &&
		       same_flags(info.map_flags, bpf_map__map_flags(map)) &&
		       (is_sized(x->skel, map) || info.max_entries == bpf_map__max_entries(map));
	}
	return fit;
}

static uint32_t pinned_elements(const struct xdp *x, const struct bpf_map *map)
{
	struct bpf_map_info info;
	int fd = pinned_map(x, map, &info);

	if (fd < 0)
		return 0;
	close(fd);
	return info.max_entries;
}

static bool pinned_sizes(const struct xdp *x, struct xdp_sizes *out)
{
	*out = (struct xdp_sizes){
		.flows = pinned_elements(x, x->skel->maps.vd_flows),
		.ports = pinned_elements(x, x->skel->maps.vd_ports),
		.nexthops = pinned_elements(x, x->skel->maps.vd_nexthops),
	};
	return flow_table_capacity_of(out->flows) && out->ports && out->nexthops > 1 &&
	       pinned_elements(x, x->skel->maps.vd_exits) == locals_exits_of(out->ports);
}

static int read_locals(const struct xdp *x, struct vd_locals *out)
{
	struct bpf_map_info info;
	uint32_t zero = 0;
	int fd = pinned_map(x, x->skel->maps.vd_locals, &info), ret;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return fd;
	ret = bpf_map_lookup_elem(fd, &zero, out);
	close(fd);
	return ret;
}

/* Ports of ours, as the program is shown them, that have a flow. */
static bool any_flow(const struct xdp *x, const struct vd_locals *shown)
{
	struct locals *l = calloc(1, sizeof(*l));
	struct xdp_mapping ports;
	struct bpf_map_info info;
	bool any = true; /* nothing is thrown away that cannot be looked at */
	int fd = pinned_map(x, x->skel->maps.vd_ports, &info);

	if (l && fd >= 0 && xdp_map_memory(fd, info.value_size, info.max_entries, &ports) == 0) {
		l->ports = ports.address;
		l->ports_count = info.max_entries;
		locals_adopt(l, shown);
		any = locals_any_flow(l);
		munmap(ports.address, ports.bytes);
	}
	if (fd >= 0)
		close(fd);
	free(l);
	return any;
}

/* ---- programs under libxdp's dispatcher ---- */

struct map_ids {
	uint32_t id[MAPS_MAX];
	unsigned count;
};

static void add_map_id(void *ctx, const char *path, const char *name)
{
	struct map_ids *ids = ctx;
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd;

	if (strncmp(name, PIN_MAP_PREFIX, sizeof(PIN_MAP_PREFIX) - 1) != 0 ||
		ids->count == MAPS_MAX)
		return;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
		ids->id[ids->count++] = info.id;
	close(fd);
}

/* The program's id, 0 where it uses none of the maps. */
static uint32_t id_if_it_uses(int program_fd, const struct map_ids *ids)
{
	uint32_t used[MAPS_MAX] = {0};
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)used};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &len))
		return 0;
	for (unsigned i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		for (unsigned k = 0; k < ids->count; k++) {
			if (used[i] == ids->id[k])
				return info.id;
		}
	}
	return 0;
}

static void detach_users_from(int ifindex, const struct map_ids *ids, uint32_t but)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *attached = NULL;
	uint32_t id[PROGRAMS_MAX];
	unsigned count = 0;
	enum xdp_attach_mode mode;

	if (libxdp_get_error(mp))
		return;
	while (!xdp_multiprog__is_legacy(mp) && count < PROGRAMS_MAX &&
		(attached = xdp_multiprog__next_prog(attached, mp))) {
		id[count] = id_if_it_uses(xdp_program__fd(attached), ids);
		if (id[count] && id[count] != but)
			count++;
	}
	mode = xdp_multiprog__attach_mode(mp);
	xdp_multiprog__close(mp);
	for (unsigned i = 0; i < count; i++) {
		struct xdp_program *program = xdp_program__from_id(id[i]);

		if (libxdp_get_error(program))
			continue;
		if (xdp_program__detach(program, ifindex, mode, 0))
			log_warn("dataplane: an earlier daemon's program stays attached to device "
				 "%d",
				ifindex);
		xdp_program__close(program);
	}
}

static uint32_t own_program_id(const struct xdp *x)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = x->program ? bpf_program__fd(x->skel->progs.viaduct_xdp) : -1;

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 ? info.id : 0;
}

/* From all devices: the configuration may have named others then. */
static void detach_users(const struct xdp *x, enum pins_whose whose)
{
	struct map_ids ids = {.count = 0};
	struct if_nameindex *all;
	bool raised;

	pins_each(&x->pins, whose, add_map_id, &ids);
	if (!ids.count)
		return;
	raised = capability_raise(CAP_SYS_ADMIN);
	all = if_nameindex();
	for (struct if_nameindex *i = all; i && i->if_index; i++)
		detach_users_from((int)i->if_index, &ids, own_program_id(x));
	if_freenameindex(all);
	capability_restore(CAP_SYS_ADMIN, raised);
}

/* ---- links ---- */

static bool is_link(const char *name)
{
	return strncmp(name, PIN_LINK_PREFIX, sizeof(PIN_LINK_PREFIX) - 1) == 0;
}

static void note_link(void *ctx, const char *path, const char *name)
{
	bool *any = ctx;

	(void)path;
	*any |= is_link(name);
}

/* A link would detach some time after its pin, its last reference, has gone; we attach anew at
 * once.
 */
static void detach_link(void *ctx, const char *path, const char *name)
{
	(void)ctx;
	if (is_link(name))
		xdp_detach_pinned_link(path);
}

/* Of a device that the configuration no longer names. */
static void remove_strange_link(void *ctx, const char *path, const char *name)
{
	const struct xdp *x = ctx;
	char own[PATH_MAX];

	if (!is_link(name))
		return;
	for (unsigned i = 0; i < x->device_count; i++) {
		if (strcmp(xdp_link_path(x, &x->device[i], own), path) == 0)
			return;
	}
	xdp_detach_pinned_link(path);
	unlink(path);
}

/* ---- all of it ---- */

void xdp_left_detach(const struct xdp *x, enum pins_whose whose)
{
	bool linked = false;

	pins_each(&x->pins, whose, note_link, &linked);
	pins_each(&x->pins, whose, detach_link, NULL);
	if (!linked)
		detach_users(x, whose);
}

void xdp_left_remove(struct xdp *x)
{
	pins_each(&x->pins, PINS_OURS, remove_strange_link, x);
	if (x->program && x->maps == XDP_MAPS_ADOPTED)
		detach_users(x, PINS_OURS);
	xdp_left_detach(x, PINS_OTHERS);
	pins_remove(&x->pins, PINS_OTHERS);
	x->replaces = false;
}

int xdp_left_find(struct xdp *x, const struct xdp_sizes *asked)
{
	struct xdp_sizes sizes;
	struct vd_locals shown;
	unsigned found;
	bool fit, in_force;
	int ret = 0;

	fit = maps_fit(x, &found) && pinned_sizes(x, &sizes);
	in_force = found && read_locals(x, &shown) == 0 && shown.count;
	if (in_force && fit && memcmp(&sizes, asked, sizeof(sizes)) != 0)
		in_force = any_flow(x, &shown);
	if (in_force && fit) {
		x->maps = XDP_MAPS_ADOPTED;
		x->finishes = shown.batched;
	} else if (in_force) {
		log_warn("dataplane: the tables in %s are not of this version's making",
			x->pins.layout);
		ret = pins_set_aside(&x->pins);
	} else if (pins_each(&x->pins, PINS_OURS, NULL, NULL)) {
		xdp_left_detach(x, PINS_OURS);
		pins_remove(&x->pins, PINS_OURS);
		log_info("dataplane: removed what an earlier run left in %s", x->pins.layout);
	}
	if (ret) {
		log_error("dataplane: cannot set %s aside: %s", x->pins.layout, strerror(-ret));
		return ret;
	}
	if (x->maps == XDP_MAPS_NONE)
		x->maps = XDP_MAPS_NEW;
	x->replaces = pins_each(&x->pins, PINS_OTHERS, NULL, NULL) != 0;
	pins_each(&x->pins, PINS_OURS, note_link, &x->linked);
	pins_each(&x->pins, PINS_OTHERS, note_link, &x->linked);
	return 0;
}

int xdp_left_reuse(struct xdp *x, struct xdp_sizes *sizes)
{
	struct bpf_map *map;
	int ret = 0;

	if (!pinned_sizes(x, sizes))
		return -EPROTO;
	bpf_object__for_each_map(map, x->skel->obj)
	{
		struct bpf_map_info info;
		int fd;

		if (bpf_map__is_internal(map))
			continue;
		fd = pinned_map(x, map, &info);
		ret = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (ret)
			return ret;
	}
	return 0;
}
