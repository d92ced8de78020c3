/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/load_failure.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "viaduct_xdp.h"

#include "viaduct.skel.h"

#define MAPS_MAX 32
#define MIB      (1024.0 * 1024.0)

#define ELEMENT_ALIGN 8 /* the kernel rounds elements up to it */

const struct kernel_probe kernel_probe = {libbpf_probe_bpf_map_type, libbpf_probe_bpf_helper};

/* ---- what the kernel lacks ---- */

static const struct {
	enum bpf_map_type type;
	const char *name, *since;
} map_types[] = {
	{BPF_MAP_TYPE_ARRAY, "BPF_MAP_TYPE_ARRAY", "3.19"},
	{BPF_MAP_TYPE_PERCPU_ARRAY, "BPF_MAP_TYPE_PERCPU_ARRAY", "4.6"},
	{BPF_MAP_TYPE_DEVMAP, "BPF_MAP_TYPE_DEVMAP", "4.14"},
	{BPF_MAP_TYPE_RINGBUF, "BPF_MAP_TYPE_RINGBUF", "5.8"},
};

static const struct {
	enum bpf_func_id id;
	const char *name, *since;
} helpers[] = {
	{BPF_FUNC_map_lookup_elem, "bpf_map_lookup_elem", "3.19"},
	{BPF_FUNC_ktime_get_ns, "bpf_ktime_get_ns", "4.1"},
	{BPF_FUNC_get_smp_processor_id, "bpf_get_smp_processor_id", "4.1"},
	{BPF_FUNC_xdp_adjust_head, "bpf_xdp_adjust_head", "4.10"},
	{BPF_FUNC_redirect_map, "bpf_redirect_map", "4.14"},
	{BPF_FUNC_jiffies64, "bpf_jiffies64", "5.6"},
	{BPF_FUNC_ringbuf_output, "bpf_ringbuf_output", "5.8"},
	{BPF_FUNC_xdp_load_bytes, "bpf_xdp_load_bytes", "5.18"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool lacks(char text[LOAD_FAILURE_MAX], const char *name, const char *since)
{
	snprintf(text, LOAD_FAILURE_MAX, "the kernel has no %s (needs Linux %s or newer)", name,
		since);
	return true;
}

bool load_failure_lacks(const struct kernel_probe *probe, char text[LOAD_FAILURE_MAX])
{
	for (size_t i = 0; i < COUNT(map_types); i++) {
		if (probe->map_type(map_types[i].type, NULL) == 0)
			return lacks(text, map_types[i].name, map_types[i].since);
	}
	for (size_t i = 0; i < COUNT(helpers); i++) {
		if (probe->helper(BPF_PROG_TYPE_XDP, helpers[i].id, NULL) == 0)
			return lacks(text, helpers[i].name, helpers[i].since);
	}
	return false;
}

bool load_failure_knows_map_type(enum bpf_map_type type)
{
	for (size_t i = 0; i < COUNT(map_types); i++) {
		if (map_types[i].type == type)
			return true;
	}
	return false;
}

bool load_failure_knows_helper(enum bpf_func_id id)
{
	for (size_t i = 0; i < COUNT(helpers); i++) {
		if (helpers[i].id == id)
			return true;
	}
	return false;
}

/* ---- which table finds no memory ---- */

static double mib_of(const struct bpf_map *map)
{
	uint64_t value = (bpf_map__value_size(map) + ELEMENT_ALIGN - 1) & ~(ELEMENT_ALIGN - 1u);
	uint64_t bytes = value * bpf_map__max_entries(map);

	if (bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY)
		bytes *= (unsigned)libbpf_num_possible_cpus();
	if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
		bytes = bpf_map__max_entries(map);
	return (double)bytes / MIB;
}

static const char *smaller_by(const struct viaduct_bpf *skel, const struct bpf_map *map)
{
	if (map == skel->maps.vd_ports || map == skel->maps.vd_exits)
		return "narrow the sides' media_ports";
	if (map == skel->maps.vd_flows || map == skel->maps.vd_nexthops)
		return "lower limits: calls";
	return "lower limits: calls, which sizes the others";
}

static int make(const struct bpf_map *map)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = bpf_map__map_flags(map));

	return bpf_map_create(bpf_map__type(map), bpf_map__name(map), bpf_map__key_size(map),
		bpf_map__value_size(map), bpf_map__max_entries(map), &opts);
}

bool load_failure_no_room(const struct viaduct_bpf *skel, char text[LOAD_FAILURE_MAX])
{
	const struct bpf_map *failed = NULL;
	int fd[MAPS_MAX];
	unsigned count = 0;
	double all = 0;
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		all += mib_of(map);
		if (failed || count == MAPS_MAX)
			continue;
		fd[count] = make(map);
		if (fd[count] >= 0)
			count++;
		else
			failed = map;
	}
	while (count)
		close(fd[--count]);
	if (!failed)
		return false;
	snprintf(text, LOAD_FAILURE_MAX,
		"no memory for table %s, %.1f MiB of the %.1f MiB that all take: %s, or allow the "
		"daemon more (MemoryMax= of its unit)",
		bpf_map__name(failed), mib_of(failed), all, smaller_by(skel, failed));
	return true;
}
