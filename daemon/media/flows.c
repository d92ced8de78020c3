/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/flows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

bool flows_leg_sends(const struct negotiated *now, enum leg leg)
{
	return now->said[leg].send && now->said[OTHER_LEG(leg)].recv;
}

/* RTP of that leg is held back, but the RTCP on the same port is not: it takes a flow of its own.
 */
static bool holds_muxed(const struct negotiated *now, enum leg leg)
{
	return now->active && now->mux && !flows_leg_sends(now, leg);
}

static struct addr local_of(const struct stream *st, enum leg leg, enum component component)
{
	struct addr a = port_pool_address(st->local[leg].pool)->local;

	a.port = (uint16_t)(st->local[leg].port + (st->now.mux ? COMPONENT_RTP : component));
	return a;
}

/* Where that leg takes packets: where it was seen to send from, else where its SDP says. */
static struct addr destination_of(
	const struct stream *st, enum leg leg, enum component component, uint8_t family)
{
	const struct addr none = {0};
	const struct addr *a;

	if (st->now.mux)
		component = COMPONENT_RTP;
	a = &st->latched[leg][component];
	if (!a->family)
		a = &st->now.said[leg].remote[component];
	return a->family == family && a->port ? *a : none;
}

static void fill(struct dataplane_flow *f, const struct media_session *s, unsigned index,
	enum leg leg, enum component component)
{
	const struct stream *st = s->stream[index];
	const struct negotiated *now = &st->now;
	const struct peer_config *peer = s->peer[leg];
	enum leg other = OTHER_LEG(leg);
	const struct addr *remote = &now->said[leg].remote[component];
	const struct payload_map *map = &now->map[leg];

	memset(f, 0, sizeof(*f)); /* compared as memory: padding counts */
	f->in_side = (uint8_t)port_pool_side(st->local[leg].pool);
	f->out_side = (uint8_t)port_pool_side(st->local[other].pool);
	f->local = local_of(st, leg, component);
	if (remote->family == f->local.family && remote->port)
		f->remote = *remote;
	f->out_local = local_of(st, other, component);
	f->out_remote = destination_of(st, other, component, f->out_local.family);
	/* Never from an address that is not known: the prefix would be anybody's. */
	f->latch = peer->latch && f->remote.family;
	if (f->latch)
		f->latch_prefix =
			f->remote.family == 4 ? peer->latch_prefix_v4 : peer->latch_prefix_v6;
	f->rtcp = component == COMPONENT_RTCP;
	f->mux = now->mux && !f->rtcp;
	f->opaque = now->opaque;
	f->secure = now->secure;
	if (now->mux && f->rtcp) {
		f->unindexed = true;
		f->latch = false;
		f->latch_prefix = 0;
	} else if (holds_muxed(now, leg)) {
		f->rtcp_flow = st->flow[leg][COMPONENT_RTCP];
	}
	/* RTCP goes on while media is held (RFC 3264 5.1). */
	f->blackhole = !f->out_remote.family || (!f->rtcp && !flows_leg_sends(now, leg));
	f->dscp = s->media->dscp[f->out_side];
	f->te_pt = PAYLOAD_NONE;
	if (!f->rtcp && !f->opaque) {
		f->clock_rate = now->clock_rate;
		f->te_pt = now->telephone_event[leg];
		f->pt_count = map->count;
		memcpy(f->pt_from, map->from, map->count);
		memcpy(f->pt_to, map->to, map->count);
	}
	f->cookie = cookie_make(s, index, leg, component);
}

static void delete_one(struct media *m, dataplane_flow_id *id)
{
	if (*id)
		dataplane_flow_del(m->dataplane, *id);
	*id = 0;
}

static void count_on(struct media *m, dataplane_flow_id id, const struct dataplane_stats *earlier)
{
	if ((earlier->packets || earlier->rtcp_packets || earlier->dropped_source) &&
		dataplane_flow_count_on(m->dataplane, id, earlier))
		log_limited(LOG_LEVEL_ERROR, "media: no memory for what a flow had counted");
}

/* In the tables of before, where they are ours to read; else it goes on from what was read of it.
 */
static int adopt_one(struct media_session *s, struct stream *st, enum leg leg,
	enum component component, const struct dataplane_flow *f)
{
	dataplane_flow_id *id = &st->flow[leg][component];
	struct media *m = s->media;
	int ret = dataplane_flow_adopt(m->dataplane, f, id);
	bool found = ret == 0;

	if (ret == -ENOENT)
		ret = dataplane_flow_add_latched(m->dataplane, f, &st->latched[leg][component], id);
	if (ret)
		return ret;
	m->flows_adopted += found;
	m->flows_added += !found;
	if (st->before)
		count_on(m, *id,
			found ? &st->before->earlier[leg][component]
			      : &st->before->all[leg][component]);
	return 0;
}

static int sync_one(struct media_session *s, unsigned index, enum leg leg, enum component component)
{
	struct media *m = s->media;
	struct stream *st = s->stream[index];
	dataplane_flow_id *id = &st->flow[leg][component];
	const struct dataplane_flow *old = *id ? dataplane_flow_get(m->dataplane, *id) : NULL;
	bool needed = st->now.active && st->local[LEG_A].pool && st->local[LEG_B].pool;
	struct dataplane_flow f;
	int ret;

	if (component == COMPONENT_RTCP && st->now.mux)
		needed &= holds_muxed(&st->now, leg);
	if (component == COMPONENT_RTCP && st->now.opaque)
		needed = false;
	if (!needed) {
		delete_one(m, id);
		return 0;
	}
	fill(&f, s, index, leg, component);
	if (old && (old->in_side != f.in_side || !addr_equal(&old->local, &f.local) ||
			   old->unindexed != f.unindexed)) {
		delete_one(m, id);
		memset(&st->latched[leg][component], 0, sizeof(st->latched[leg][component]));
		old = NULL;
	}
	/* A difference in padding alone would cost an update, no more. */
	if (old &&
		memcmp(old, &f, sizeof(f)) == 0) /* NOLINT(bugprone-suspicious-memory-comparison) */
		return 0;
	if (old)
		ret = dataplane_flow_update(m->dataplane, *id, &f);
	else if (s->adopting)
		ret = adopt_one(s, st, leg, component, &f);
	else
		ret = dataplane_flow_add(m->dataplane, &f, id);
	if (!ret)
		return 0;
	if (!old)
		*id = 0;
	log_limited(LOG_LEVEL_ERROR, "media: cannot program a flow: %s", strerror(-ret));
	return ret == -ENOMEM || s->adopting ? ret : -ENOSPC;
}

/* What was latched holds for the remote address that it was latched against. */
static void forget_latched(struct media_session *s, struct stream *st, unsigned leg, unsigned c)
{
	const struct dataplane_flow *f =
		st->flow[leg][c] ? dataplane_flow_get(s->media->dataplane, st->flow[leg][c]) : NULL;

	if (!f || !s->peer[leg]->latch ||
		(f->remote.family && !addr_equal(&f->remote, &st->now.said[leg].remote[c])))
		memset(&st->latched[leg][c], 0, sizeof(st->latched[leg][c]));
}

/* Who was refused for not being the remote address may be just that now. */
static void forget_refused(struct media_session *s, struct stream *st, unsigned leg)
{
	const struct dataplane_flow *f =
		st->flow[leg][COMPONENT_RTP]
			? dataplane_flow_get(s->media->dataplane, st->flow[leg][COMPONENT_RTP])
			: NULL;

	if (!f || !addr_equal(&f->remote, &st->now.said[leg].remote[COMPONENT_RTP]))
		memset(&st->refused[leg], 0, sizeof(st->refused[leg]));
}

static int sync_all(struct media_session *s, unsigned index)
{
	const struct stream *st = s->stream[index];
	int ret = 0;

	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		/* The flow that another one points at is there first and goes last. */
		enum component first =
			holds_muxed(&st->now, (enum leg)leg) ? COMPONENT_RTCP : COMPONENT_RTP;
		int r = sync_one(s, index, (enum leg)leg, first);
		int r2 = sync_one(s, index, (enum leg)leg,
			first == COMPONENT_RTP ? COMPONENT_RTCP : COMPONENT_RTP);

		ret = ret ? ret : r ? r : r2;
	}
	return ret;
}

int flows_sync(struct media_session *s, unsigned index)
{
	struct stream *st = s->stream[index];

	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		for (unsigned c = 0; c < COMPONENT_COUNT; c++)
			forget_latched(s, st, leg, c);
		forget_refused(s, st, leg);
	}
	return sync_all(s, index);
}

/* What was latched after the daemon before had been saved. */
static bool take_latched(struct media_session *s, struct stream *st)
{
	bool changed = false;

	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
			struct addr *latched = &st->latched[leg][c];
			struct dataplane_stats stats;

			if (!st->flow[leg][c] ||
				dataplane_flow_stats(
					s->media->dataplane, st->flow[leg][c], &stats) ||
				addr_equal(&stats.latched, latched))
				continue;
			*latched = stats.latched;
			changed = true;
		}
	}
	return changed;
}

int flows_adopt(struct media_session *s, unsigned index)
{
	struct stream *st = s->stream[index];
	int ret;

	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		if (!s->peer[leg]->latch)
			memset(st->latched[leg], 0, sizeof(st->latched[leg]));
	}
	s->adopting = true;
	ret = sync_all(s, index);
	s->adopting = false;
	free(st->before);
	st->before = NULL;
	if (!ret && take_latched(s, st))
		ret = flows_sync(s, index);
	return ret;
}

void flows_delete(struct media_session *s, struct stream *st)
{
	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		for (unsigned c = 0; c < COMPONENT_COUNT; c++) {
			delete_one(s->media, &st->flow[leg][c]);
			memset(&st->latched[leg][c], 0, sizeof(st->latched[leg][c]));
		}
	}
}
