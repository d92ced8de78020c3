/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/locals.h"
#include "viaduct.skel.h"

static const struct {
	const char *name;
	int verdict;
} reasons[] = {
#define VERDICT_TX               XDP_REDIRECT
#define VERDICT_PASS             XDP_PASS
#define VERDICT_DROP             XDP_DROP
#define ROW(name, verdict, text) [VD_##name] = {#name, VERDICT_##verdict},
	VD_REASONS(ROW)};

const char *lab_reason_name(unsigned reason)
{
	return reason < VD_REASON_MAX ? reasons[reason].name : "?";
}

int lab_reason_verdict(unsigned reason)
{
	assert_true(reason < VD_REASON_MAX);
	return reasons[reason].verdict;
}

static void *map_memory(const struct bpf_map *map, size_t element)
{
	size_t bytes = element * bpf_map__max_entries(map);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static int take_event(void *ctx, void *data, size_t size)
{
	struct lab *lab = ctx;
	union lab_event *event = &lab->events[lab->events_count % LAB_EVENTS];

	memset(event, 0, sizeof(*event));
	memcpy(event, data, size < sizeof(*event) ? size : sizeof(*event));
	assert_int_equal(size, sizeof(struct vd_event) + event->head.len);
	lab->events_count++;
	return 0;
}

static void make_wire(char *device, char *end)
{
	char *const argv[] = {
		"ip", "link", "add", device, "type", "veth", "peer", "name", end, NULL};
	int status = -1;
	pid_t pid;

	assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void make_devices(struct lab *lab)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	make_wire((char *)"internal", (char *)"near");
	make_wire((char *)"external", (char *)"far");
	lab->ifindex[0] = if_nametoindex("internal");
	lab->ifindex[1] = if_nametoindex("external");
	assert_true(lab->ifindex[0] && lab->ifindex[1]);
}

static int open_lab(void **state, bool batching, bool guessing)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct viaduct_bpf *bpf;

	assert_non_null(lab);
	make_devices(lab);
	bpf = viaduct_bpf__open();
	assert_non_null(bpf);
	lab->bpf = bpf;
	bpf_map__set_max_entries(bpf->maps.vd_ports, LAB_PORTS);
	bpf_map__set_max_entries(bpf->maps.vd_flows, LAB_FLOWS);
	bpf_map__set_max_entries(bpf->maps.vd_nexthops, LAB_NEXTHOPS);
	bpf_map__set_max_entries(bpf->maps.vd_events, (uint32_t)sysconf(_SC_PAGESIZE));
	bpf->rodata->batching = batching;
	bpf->rodata->guessing = guessing;
	assert_int_equal(viaduct_bpf__load(bpf), 0);
	lab->program = bpf_program__fd(bpf->progs.viaduct_xdp);
	lab->ports = map_memory(bpf->maps.vd_ports, sizeof(*lab->ports));
	lab->flows = map_memory(bpf->maps.vd_flows, sizeof(*lab->flows));
	lab->nexthops = map_memory(bpf->maps.vd_nexthops, sizeof(*lab->nexthops));
	lab->ring = ring_buffer__new(bpf_map__fd(bpf->maps.vd_events), take_event, lab, NULL);
	assert_non_null(lab->ring);
	*state = lab;
	return 0;
}

int lab_setup(void **state)
{
	return open_lab(state, false, false);
}

int lab_setup_batching(void **state)
{
	return open_lab(state, true, false);
}

int lab_setup_guessing(void **state)
{
	return open_lab(state, true, true);
}

int lab_teardown(void **state)
{
	struct lab *lab = *state;

	if (!lab)
		return 0;
	ring_buffer__free(lab->ring);
	munmap(lab->nexthops, sizeof(*lab->nexthops) * LAB_NEXTHOPS);
	munmap(lab->flows, sizeof(*lab->flows) * LAB_FLOWS);
	munmap(lab->ports, sizeof(*lab->ports) * LAB_PORTS);
	viaduct_bpf__destroy(lab->bpf);
	free(lab);
	return 0;
}

static void clear_per_cpu(const struct bpf_map *map, size_t value_bytes)
{
	size_t bytes = value_bytes * (size_t)libbpf_num_possible_cpus();
	void *zeroes = calloc(1, bytes);

	assert_non_null(zeroes);
	for (uint32_t i = 0; i < bpf_map__max_entries(map); i++)
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &i, zeroes, 0), 0);
	free(zeroes);
}

int lab_reset(void **state)
{
	struct lab *lab = *state;

	memset(&lab->locals, 0, sizeof(lab->locals));
	lab_set_locals(lab);
	memset(lab->ports, 0, sizeof(*lab->ports) * LAB_PORTS);
	memset(lab->flows, 0, sizeof(*lab->flows) * LAB_FLOWS);
	memset(lab->nexthops, 0, sizeof(*lab->nexthops) * LAB_NEXTHOPS);
	for (uint32_t i = 0; i < VD_DEVICES_MAX; i++)
		lab_unset_device(lab, i);
	clear_per_cpu(lab->bpf->maps.vd_counters, sizeof(struct vd_counter));
	clear_per_cpu(lab->bpf->maps.vd_event_lost, sizeof(uint64_t));
	memset(lab->bpf->bss->clocks, 0, sizeof(lab->bpf->bss->clocks));
	lab_read_events(lab);
	lab->events_count = 0;
	return 0;
}

void lab_set_locals(struct lab *lab)
{
	const uint32_t zero = 0;
	int fd = bpf_map__fd(lab->bpf->maps.vd_locals);

	locals_spread(&lab->locals);
	assert_int_equal(bpf_map_update_elem(fd, &zero, &lab->locals, 0), 0);
}

static void set_device(struct lab *lab, uint32_t index, unsigned ifindex, int program)
{
	int fd = bpf_map__fd(lab->bpf->maps.vd_devices);
	struct bpf_devmap_val value = {.ifindex = ifindex, .bpf_prog.fd = program};

	assert_int_equal(bpf_map_update_elem(fd, &index, &value, 0), 0);
}

void lab_set_device(struct lab *lab, uint32_t index, unsigned ifindex)
{
	set_device(lab, index, ifindex, -1);
}

void lab_set_finishing_device(struct lab *lab, uint32_t index, unsigned ifindex)
{
	set_device(lab, index, ifindex, bpf_program__fd(lab->bpf->progs.viaduct_finish));
}

void lab_set_exit(const struct lab *lab, uint32_t port, unsigned exit)
{
	uint32_t element = port / VD_EXIT_PORTS;
	unsigned shift = port % VD_EXIT_PER_BYTE * VD_EXIT_BITS;
	int fd = bpf_map__fd(lab->bpf->maps.vd_exits);
	struct vd_exits exits;
	uint8_t *byte = &exits.ports[port % VD_EXIT_PORTS / VD_EXIT_PER_BYTE];

	assert_int_equal(bpf_map_lookup_elem(fd, &element, &exits), 0);
	*byte = (uint8_t)((*byte & ~(VD_EXIT_MASK << shift)) | exit << shift);
	assert_int_equal(bpf_map_update_elem(fd, &element, &exits, 0), 0);
}

void lab_unset_device(struct lab *lab, uint32_t index)
{
	bpf_map_delete_elem(bpf_map__fd(lab->bpf->maps.vd_devices), &index);
}

int lab_run_with_meta(struct lab *lab, unsigned side, const uint8_t *data, size_t len,
	size_t meta_len, struct lab_result *result)
{
	static __thread uint8_t in[FRAME_MAX + 256], out[FRAME_MAX + 320];
	struct xdp_md ctx = {.ingress_ifindex = lab->ifindex[side],
		.data = (uint32_t)meta_len,
		.data_end = (uint32_t)(meta_len + len)};
	struct xdp_md ctx_out = {};
	int err;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in,
		.data_size_in = (uint32_t)(meta_len + len), .data_out = out,
		.data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		.ctx_out = &ctx_out, .ctx_size_out = sizeof(ctx_out), .repeat = 1);

	memset(in, 0, meta_len);
	memcpy(in + meta_len, data, len);
	err = bpf_prog_test_run_opts(lab->program, &opts);
	if (err)
		return err;
	result->verdict = opts.retval;
	result->len = ctx_out.data_end - ctx_out.data;
	memcpy(result->data, out + ctx_out.data, result->len);
	return 0;
}

void lab_run(
	struct lab *lab, unsigned side, const uint8_t *data, size_t len, struct lab_result *result)
{
	assert_int_equal(lab_run_with_meta(lab, side, data, len, 0, result), 0);
}

uint32_t lab_run_often(struct lab *lab, unsigned side, const uint8_t *data, size_t len, int repeat)
{
	struct xdp_md ctx = {.ingress_ifindex = lab->ifindex[side], .data_end = (uint32_t)len};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = (uint32_t)len,
		.ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = repeat);

	assert_int_equal(bpf_prog_test_run_opts(lab->program, &opts), 0);
	assert_int_equal(opts.retval, XDP_REDIRECT);
	return opts.duration;
}

struct vd_counter lab_counter(struct lab *lab, unsigned side, enum vd_reason reason)
{
	uint32_t index = side * VD_REASON_MAX + reason;
	int cpus = libbpf_num_possible_cpus();
	struct vd_counter values[cpus], sum = {};

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(lab->bpf->maps.vd_counters), &index, values), 0);
	for (int i = 0; i < cpus; i++) {
		sum.packets += values[i].packets;
		sum.bytes += values[i].bytes;
	}
	return sum;
}

uint64_t lab_counted(struct lab *lab)
{
	uint64_t packets = 0;

	for (unsigned side = 0; side < LAB_SIDES; side++)
		for (unsigned reason = 0; reason < VD_REASON_MAX; reason++)
			packets += lab_counter(lab, side, reason).packets;
	return packets;
}

uint64_t lab_events_lost(struct lab *lab)
{
	const uint32_t zero = 0;
	int cpus = libbpf_num_possible_cpus();
	uint64_t values[cpus], sum = 0;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(lab->bpf->maps.vd_event_lost), &zero, values), 0);
	for (int i = 0; i < cpus; i++)
		sum += values[i];
	return sum;
}

void lab_read_events(struct lab *lab)
{
	assert_true(ring_buffer__consume(lab->ring) >= 0);
}

unsigned lab_count_events(const struct lab *lab, uint32_t type)
{
	unsigned count = 0;

	for (unsigned i = 0; i < lab->events_count && i < LAB_EVENTS; i++)
		count += lab->events[i].head.type == type;
	return count;
}
