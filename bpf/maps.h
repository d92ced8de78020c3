/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of include/viaduct_xdp.h. The daemon sizes ports and flows at load.
 *
 * What is read on every packet is mmap-able: user space reads and writes it without a system call,
 * and its elements start on a page, so that 256 bytes are four cache lines and not five. */
#ifndef VIADUCT_BPF_MAPS_H
#define VIADUCT_BPF_MAPS_H

#include "base.h"

#define VD_DEFAULT_PORTS 65536
#define VD_DEFAULT_FLOWS 4096
#define VD_EVENTS_BYTES  (1 << 20)
#define VD_SIDES         2

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vd_locals);
} vd_locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VD_DEFAULT_PORTS);
	__type(key, __u32);
	__type(value, struct vd_port);
} vd_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VD_DEFAULT_PORTS / VD_EXIT_PORTS);
	__type(key, __u32);
	__type(value, struct vd_exits);
} vd_exits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VD_DEFAULT_FLOWS);
	__type(key, __u32);
	__type(value, struct vd_flow);
} vd_flows SEC(".maps");

static __always_inline struct vd_stream *stream_at(__u32 index)
{
	struct vd_flow *element = bpf_map_lookup_elem(&vd_flows, &index);

	return element ? &element->own : NULL;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VD_NEXTHOPS_MAX);
	__type(key, __u32);
	__type(value, struct vd_nexthop);
} vd_nexthops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, VD_DEVICES_MAX);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} vd_devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VD_SIDES *VD_REASON_MAX);
	__type(key, __u32);
	__type(value, struct vd_counter);
} vd_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, VD_EVENTS_BYTES);
} vd_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} vd_event_lost SEC(".maps");

#endif
