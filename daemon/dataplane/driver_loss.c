/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/driver_loss.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "driver_loss.skel.h"

#define SAMPLE_MS 1000
#define SAMPLES   (DATAPLANE_LOSS_WINDOW_MS / SAMPLE_MS)

struct driver_loss {
	struct loop *loop;
	struct driver_loss_bpf *skel;
	struct loop_timer sample;
	uint64_t sampled[SAMPLES][SIDE_COUNT]; /* the oldest at next */
	unsigned next;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static uint64_t lost(const struct driver_loss *l, unsigned side)
{
	return __atomic_load_n(&l->skel->bss->losses[side].packets, __ATOMIC_RELAXED);
}

static void sample_fire(struct loop_timer *timer)
{
	struct driver_loss *l = container_of(timer, struct driver_loss, sample);

	for (unsigned side = 0; side < SIDE_COUNT; side++)
		l->sampled[l->next][side] = lost(l, side);
	l->next = (l->next + 1) % SAMPLES;
	loop_timer_start(l->loop, &l->sample, SAMPLE_MS);
}

/* Whose devices: indexes of interfaces mean nothing without their namespace. */
static int set_watched(struct driver_loss *l, int devices_fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	struct stat ns;
	int ret = bpf_obj_get_info_by_fd(devices_fd, &info, &len);

	if (ret)
		return ret;
	if (stat("/proc/self/ns/net", &ns))
		return -errno;
	l->skel->bss->watched.devices_map = info.id;
	l->skel->bss->watched.netns = (uint32_t)ns.st_ino;
	return 0;
}

/* What was dropped while no daemon ran was told to nobody: it must not be taken off what comes. The
 * rest of a batch is hints. */
static int forget_batches(const struct driver_loss *l, int batches_fd)
{
	static const struct vd_batch nothing;
	int ret = 0;

	for (uint32_t i = 0; !ret && i < bpf_map__max_entries(l->skel->maps.vd_batches); i++)
		ret = bpf_map_update_elem(batches_fd, &i, &nothing, BPF_ANY);
	return ret;
}

static int open_programs(struct driver_loss *l, int devices_fd, int batches_fd)
{
	int ret;

	l->skel = driver_loss_bpf__open();
	if (!l->skel)
		return -errno;
	ret = bpf_map__reuse_fd(l->skel->maps.vd_batches, batches_fd);
	if (!ret)
		ret = driver_loss_bpf__load(l->skel);
	if (!ret)
		ret = forget_batches(l, batches_fd);
	if (!ret)
		ret = set_watched(l, devices_fd);
	if (!ret)
		ret = driver_loss_bpf__attach(l->skel);
	return ret;
}

int driver_loss_open(struct driver_loss **out, struct loop *loop, int devices_fd, int batches_fd)
{
	struct driver_loss *l = calloc(1, sizeof(*l));
	int ret;

	*out = NULL;
	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->sample.fire = sample_fire;
	ret = open_programs(l, devices_fd, batches_fd);
	if (!ret)
		ret = loop_timer_start(loop, &l->sample, SAMPLE_MS);
	if (ret) {
		log_info("dataplane: what drivers lose of redirected packets is not counted: %s",
			strerror(-ret));
		driver_loss_close(l);
		return 0;
	}
	*out = l;
	return 0;
}

void driver_loss_close(struct driver_loss *l)
{
	if (!l)
		return;
	loop_timer_stop(l->loop, &l->sample);
	driver_loss_bpf__destroy(l->skel);
	free(l);
}

void driver_loss_set_device(struct driver_loss *l, uint8_t side, unsigned ifindex)
{
	if (l)
		l->skel->bss->watched.ifindex[side] = ifindex;
}

void driver_loss_set_batched(struct driver_loss *l, uint32_t sides)
{
	if (l)
		l->skel->bss->watched.batched = sides;
}

uint64_t driver_loss_unfinished_in(const struct driver_loss *l, uint8_t side)
{
	return l ? __atomic_load_n(&l->skel->bss->unfinished.in[side], __ATOMIC_RELAXED) : 0;
}

uint64_t driver_loss_unfinished_out(const struct driver_loss *l, uint8_t side)
{
	return l ? __atomic_load_n(&l->skel->bss->unfinished.out[side], __ATOMIC_RELAXED) : 0;
}

void driver_loss_read(
	const struct driver_loss *l, uint8_t side, struct dataplane_device_status *out)
{
	if (!l)
		return;
	out->losses_counted = true;
	for (unsigned s = 0; s < SIDE_COUNT; s++) {
		uint64_t now = lost(l, s);

		if (s != side &&
			l->skel->bss->watched.ifindex[s] != l->skel->bss->watched.ifindex[side])
			continue;
		out->lost += now;
		out->lost_lately += now - l->sampled[l->next][s];
		if (now && l->skel->bss->losses[s].error)
			out->lost_error = (int)l->skel->bss->losses[s].error;
	}
}
