/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "base/log.h"
#include "dataplane/flow_table.h"
#include "dataplane/load_failure.h"
#include "dataplane/locals.h"
#include "dataplane/xdp_attach.h"
#include "dataplane/xdp_left.h"
#include "viaduct.skel.h"

#define DUMP_TAIL_BYTES 4000
#define ARRAY_ALIGN     8 /* the kernel rounds array elements up to it */

/* What libbpf and libxdp have to say, verifier dumps included, is for debugging; what went wrong
 * is said by us. */
static int print_library(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text = NULL, *line, *rest;
	size_t len;

	if (log_get_level() < LOG_LEVEL_DEBUG || level == LIBBPF_DEBUG)
		return 0;
	if (vasprintf(&text, fmt, args) < 0)
		return 0;
	/* A dump says why in its last lines. */
	len = strlen(text);
	rest = text + (len > DUMP_TAIL_BYTES ? len - DUMP_TAIL_BYTES : 0);
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			log_debug("%s", line);
	}
	free(text);
	return 0;
}

static int print_libxdp(enum libxdp_print_level level, const char *fmt, va_list args)
{
	return print_library(level == LIBXDP_DEBUG ? LIBBPF_DEBUG : LIBBPF_WARN, fmt, args);
}

static bool has_capability(cap_t caps, cap_value_t value)
{
	cap_flag_value_t set = CAP_CLEAR;

	return cap_get_flag(caps, value, CAP_EFFECTIVE, &set) == 0 && set == CAP_SET;
}

/* CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as in the kernel. */
static int check_capabilities(void)
{
	static const struct {
		cap_value_t value;
		const char *name, *why;
		bool admin_will_do;
	} needed[] = {
		{CAP_NET_ADMIN, "CAP_NET_ADMIN", "attach XDP programs", false},
		{CAP_BPF, "CAP_BPF", "load BPF programs", true},
		{CAP_PERFMON, "CAP_PERFMON", "load programs that compare packet pointers", true},
	};
	cap_t caps = cap_get_proc();
	int ret = 0;

	if (!caps)
		return -errno;
	for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]) && !ret; i++) {
		if (has_capability(caps, needed[i].value) ||
			(needed[i].admin_will_do && has_capability(caps, CAP_SYS_ADMIN)))
			continue;
		log_error("dataplane: %s is missing: it is needed to %s", needed[i].name,
			needed[i].why);
		ret = -EPERM;
	}
	cap_free(caps);
	return ret;
}

static const char *load_words(int error)
{
	switch (error) {
	case -EPERM:
		return "the kernel does not permit it";
	case -EINVAL:
	case -EACCES:
		return "the kernel's verifier refuses it (log level debug shows why)";
	case -E2BIG:
		return "it is more than this kernel's verifier examines";
	case -ENOMEM:
		return "there is no memory for it";
	default:
		return strerror(-error);
	}
}

static void explain(const struct xdp *x, int error)
{
	char text[LOAD_FAILURE_MAX];

	/* What was adopted is there. */
	if (x->maps != XDP_MAPS_ADOPTED && (error == -ENOMEM || error == -E2BIG) &&
		load_failure_no_room(x->skel, text))
		log_error("dataplane: %s", text);
	else if (load_failure_lacks(&kernel_probe, text))
		log_error("dataplane: %s", text);
	else
		log_error("dataplane: the XDP program does not load: %s", load_words(error));
}

static int size_map(struct bpf_map *map, uint32_t elements, uint32_t value_bytes, bool mapped)
{
	int ret;

	if (bpf_map__value_size(map) != value_bytes) {
		log_error("dataplane: map %s has values of %u bytes, expected %u",
			bpf_map__name(map), bpf_map__value_size(map), value_bytes);
		return -EPROTO;
	}
	ret = elements ? bpf_map__set_max_entries(map, elements) : 0;
	if (!ret && mapped)
		ret = bpf_map__set_map_flags(map, bpf_map__map_flags(map) | BPF_F_MMAPABLE);
	return ret;
}

static int open_sized(struct xdp *x, const struct xdp_sizes *sizes)
{
	int ret;

	x->skel = viaduct_bpf__open();
	if (!x->skel)
		return -errno;
	ret = size_map(x->skel->maps.vd_flows, sizes->flows, sizeof(struct vd_flow), true);
	if (!ret)
		ret = size_map(x->skel->maps.vd_ports, sizes->ports, sizeof(struct vd_port), true);
	if (!ret)
		ret = size_map(x->skel->maps.vd_exits, locals_exits_of(sizes->ports),
			sizeof(struct vd_exits), true);
	if (!ret)
		ret = size_map(x->skel->maps.vd_nexthops, sizes->nexthops,
			sizeof(struct vd_nexthop), true);
	if (!ret)
		ret = size_map(x->skel->maps.vd_locals, 0, sizeof(struct vd_locals), false);
	if (!ret)
		ret = size_map(x->skel->maps.vd_counters, 0, sizeof(struct vd_counter), false);
	if (ret) {
		viaduct_bpf__destroy(x->skel);
		x->skel = NULL;
	}
	return ret;
}

int xdp_map_memory(int fd, uint32_t value_bytes, uint32_t elements, struct xdp_mapping *out)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t element = (value_bytes + ARRAY_ALIGN - 1) & ~(size_t)(ARRAY_ALIGN - 1);
	size_t bytes = (element * elements + page - 1) & ~(page - 1);
	void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (address == MAP_FAILED)
		return -errno;
	out->address = address;
	out->bytes = bytes;
	return 0;
}

static int map_memory(const struct bpf_map *map, struct xdp_mapping *out)
{
	return xdp_map_memory(
		bpf_map__fd(map), bpf_map__value_size(map), bpf_map__max_entries(map), out);
}

static void unmap_memory(struct xdp_mapping *m)
{
	if (m->address)
		munmap(m->address, m->bytes);
	m->address = NULL;
}

/* What the kernel charges for a map. */
static uint64_t map_memlock(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	fclose(f);
	return bytes;
}

static void weigh_maps(struct xdp *x)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, x->skel->obj)
	{
		x->memory_bytes += map_memlock(bpf_map__fd(map));
	}
}

static int pin_maps(struct xdp *x)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	int ret;

	bpf_object__for_each_map(map, x->skel->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		ret = bpf_map__pin(map, pins_path(&x->pins, bpf_map__name(map), path));
		if (ret) {
			log_error("dataplane: cannot pin %s: %s", path, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static const char *dispatcher_words(int error)
{
	/* Since Linux 6.13, and in the stable ones since; xdp-tools pull request 509. */
	if (error == -EINVAL)
		return "this kernel wants a newer libxdp, whose dispatcher lets programs change "
		       "packets";
	if (error == -EOPNOTSUPP)
		return "libxdp made no dispatcher";
	return strerror(-error);
}

static void choose_ways(struct xdp *x)
{
	x->skel->rodata->batching = x->batches;
	x->skel->rodata->guessing = x->guesses;
	bpf_program__set_autoload(x->skel->progs.viaduct_finish, x->finishes);
}

static int load_program(struct xdp *x, struct xdp_sizes *sizes)
{
	int ret = x->maps == XDP_MAPS_ADOPTED ? xdp_left_reuse(x, sizes) : 0;

	if (ret)
		return ret;
	choose_ways(x);
	/* Where a link is attached no dispatcher can be. */
	if (!x->linked && xdp_dispatcher_works()) {
		ret = xdp_attach_dispatcher(x);
		if (!ret)
			return 0;
		log_info("dataplane: attaching alone on the device: %s", dispatcher_words(ret));
		viaduct_bpf__destroy(x->skel);
		x->skel = NULL;
		ret = open_sized(x, sizes);
		if (!ret && x->maps == XDP_MAPS_ADOPTED)
			ret = xdp_left_reuse(x, sizes);
		if (ret)
			return ret;
		choose_ways(x);
	}
	return viaduct_bpf__load(x->skel);
}

static bool batches_wanted(const struct xdp_sizes *sizes, enum batching_mode batching)
{
	if (batching == BATCHING_AUTO)
		return flow_table_capacity_of(sizes->flows) >= XDP_BATCHES_FROM;
	return batching == BATCHING_ON;
}

int xdp_load(struct xdp *x, struct xdp_sizes *sizes, enum batching_mode batching, bool guessing)
{
	int ret;

	_Static_assert(sizeof(struct vd_port) % ARRAY_ALIGN == 0, "ports lie side by side");
	libbpf_set_print(print_library);
	libxdp_set_print(print_libxdp);
	ret = check_capabilities();
	if (!ret)
		ret = open_sized(x, sizes);
	if (!ret)
		ret = xdp_left_find(x, sizes);
	if (ret)
		return ret;
	x->batches = batches_wanted(sizes, batching);
	x->finishes |= x->batches;
	x->guesses = guessing;
	ret = load_program(x, sizes);
	if (ret) {
		explain(x, ret);
		return ret;
	}
	weigh_maps(x);
	ret = x->maps == XDP_MAPS_ADOPTED ? 0 : pin_maps(x);
	if (ret)
		return ret;
	ret = map_memory(x->skel->maps.vd_flows, &x->flows);
	if (!ret)
		ret = map_memory(x->skel->maps.vd_ports, &x->ports);
	if (!ret)
		ret = map_memory(x->skel->maps.vd_exits, &x->exits);
	if (!ret)
		ret = map_memory(x->skel->maps.vd_nexthops, &x->nexthops);
	if (ret)
		log_error("dataplane: cannot map the tables: %s", strerror(-ret));
	return ret;
}

static void forget(struct xdp *x)
{
	unmap_memory(&x->nexthops);
	unmap_memory(&x->exits);
	unmap_memory(&x->ports);
	unmap_memory(&x->flows);
	viaduct_bpf__destroy(x->skel);
	x->skel = NULL;
}

void xdp_unload(struct xdp *x)
{
	xdp_detach(x);
	forget(x);
}

void xdp_leave(struct xdp *x)
{
	xdp_let_go(x);
	forget(x);
}

int xdp_set_device(struct xdp *x, uint32_t index, unsigned ifindex)
{
	struct bpf_devmap_val value = {.ifindex = ifindex, .bpf_prog.fd = -1};

	if (!ifindex)
		return 0;
	if (x->finishes)
		value.bpf_prog.fd = bpf_program__fd(x->skel->progs.viaduct_finish);
	return bpf_map_update_elem(bpf_map__fd(x->skel->maps.vd_devices), &index, &value, BPF_ANY);
}

int xdp_get_locals(const struct xdp *x, struct vd_locals *locals)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(bpf_map__fd(x->skel->maps.vd_locals), &zero, locals);
}

int xdp_set_locals(struct xdp *x, const struct vd_locals *locals)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(x->skel->maps.vd_locals), &zero, locals, BPF_ANY);
}
