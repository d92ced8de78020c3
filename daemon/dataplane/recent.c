/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/recent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/counters.h"

#define SAMPLE_MS 1000
#define SAMPLES   (DATAPLANE_LOSS_WINDOW_MS / SAMPLE_MS)

struct recent {
	struct loop *loop;
	struct loop_timer timer;
	int counters_fd;
	uint64_t sampled[SAMPLES][SIDE_COUNT][VD_REASON_MAX]; /* the oldest at next */
	unsigned next;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* A sample that cannot be had is left out: the one before it stands for longer. */
static int sample(struct recent *r)
{
	struct dataplane_status status;
	int ret = counters_read(r->counters_fd, &status);

	if (ret)
		return ret;
	memcpy(r->sampled[r->next], status.packets, sizeof(status.packets));
	r->next = (r->next + 1) % SAMPLES;
	return 0;
}

static void fire(struct loop_timer *timer)
{
	struct recent *r = container_of(timer, struct recent, timer);

	sample(r);
	loop_timer_start(r->loop, &r->timer, SAMPLE_MS);
}

int recent_open(struct recent **out, struct loop *loop, int counters_fd)
{
	struct recent *r = calloc(1, sizeof(*r));
	int ret = 0;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->timer.fire = fire;
	r->counters_fd = counters_fd;
	for (unsigned i = 0; !ret && i < SAMPLES; i++)
		ret = sample(r);
	if (!ret)
		ret = loop_timer_start(loop, &r->timer, SAMPLE_MS);
	if (ret) {
		free(r);
		return ret;
	}
	*out = r;
	return 0;
}

void recent_close(struct recent *r)
{
	if (!r)
		return;
	loop_timer_stop(r->loop, &r->timer);
	free(r);
}

void recent_read(const struct recent *r, struct dataplane_status *status)
{
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		for (unsigned reason = 0; reason < VD_REASON_MAX; reason++)
			status->lately[side][reason] =
				status->packets[side][reason] - r->sampled[r->next][side][reason];
	}
}
