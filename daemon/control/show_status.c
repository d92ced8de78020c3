/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "control/request.h"

/* Bytes, 0 where /proc is not there. */
struct named_count {
	const char *name;
	uint64_t value;
};

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t uptime_ms(const struct control *control)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 - control->started_ms;
}

static void put_records(struct request *r)
{
	const struct control_handlers *h = &r->control->handlers;
	uint64_t written, lost;
	unsigned queued;

	if (!h->records || !h->records(h->ctx, &written, &lost, &queued))
		return;
	answer_put_u64(r->answer, VDC_STATUS_RECORDS_WRITTEN, written);
	answer_put_u64(r->answer, VDC_STATUS_RECORDS_LOST, lost);
	answer_put_u32(r->answer, VDC_STATUS_RECORDS_QUEUED, queued);
}

/* Counters of one list. */
static void put_counters(struct answer *a, int attr, const struct named_count *count, unsigned n)
{
	struct nlattr *list = answer_nest(a, attr);

	for (unsigned i = 0; i < n; i++)
		answer_put_counter(a, (int)i + 1, count[i].name, count[i].value);
	answer_nest_end(a, list);
}

static void put_adoption(struct request *r)
{
	struct calls_adoption calls;
	struct media_status media;

	calls_get_adoption(r->control->calls, &calls);
	media_get_status(calls_media(r->control->calls), &media);
	const struct named_count count[] = {{"calls", calls.adopted}, {"calls_ended", calls.ended},
		{"calls_lost", calls.lost}, {"flows", media.flows_adopted},
		{"flows_added", media.flows_added}, {"flows_removed", media.flows_removed}};
	put_counters(r->answer, VDC_STATUS_ADOPTION, count, sizeof(count) / sizeof(count[0]));
}

static void put_state_trouble(struct answer *a, const struct store_status *s)
{
	char text[160];

	if (!s->error && !s->has_journal)
		answer_put_text(a, VDC_STATUS_STATE_TROUBLE,
			"no journal since the start: a kill may lose what calls did last");
	if (!s->error)
		return;
	snprintf(text, sizeof(text), "%s%s%s", strerror(-s->error),
		s->in_memory ? ": kept in memory since the start" : "",
		s->in_journal ? "; a kill finds all in the journal"
			      : "; the journal has not all of it: a kill loses calls");
	answer_put_text(a, VDC_STATUS_STATE_TROUBLE, text);
}

static void put_state(struct request *r)
{
	const struct control_handlers *h = &r->control->handlers;
	struct store_status s;

	if (!h->state)
		return;
	h->state(h->ctx, &s);
	const struct named_count count[] = {{"calls", s.records[STORE_CALL]}, {"bytes", s.bytes},
		{"bytes_max", s.bytes_max}, {"queued", s.queued + calls_unsaved(r->control->calls)},
		{"commits", s.commits}, {"failures", s.failures}, {"damaged", s.damaged},
		{"left_out", s.left_out}, {"unusable", s.unusable},
		{"refused_calls", s.refused_calls}};
	answer_put_text(r->answer, VDC_STATUS_STATE_FILE, s.path);
	if (s.refused)
		answer_put_text(r->answer, VDC_STATUS_STATE_REFUSED, s.refused);
	put_state_trouble(r->answer, &s);
	put_counters(r->answer, VDC_STATUS_STATE, count, sizeof(count) / sizeof(count[0]));
}

static void put_stopping(struct request *r)
{
	const struct control_handlers *h = &r->control->handlers;
	enum stop_mode mode;

	if (h->stopping && h->stopping(h->ctx, &mode))
		answer_put_text(r->answer, VDC_STATUS_STOPPING, stop_mode_name(mode));
}

static void put_daemon(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);
	struct answer *a = r->answer;
	uint64_t resident = resident_bytes();

	answer_put_text(a, VDC_STATUS_VERSION, VIADUCT_VERSION);
	answer_put_u32(a, VDC_STATUS_PID, (uint32_t)getpid());
	answer_put_u32(a, VDC_STATUS_UID, getuid());
	answer_put_u64(a, VDC_STATUS_UPTIME, uptime_ms(r->control));
	answer_put_text(a, VDC_STATUS_INSTANCE, cfg->instance);
	answer_put_text(a, VDC_STATUS_CONFIG_FILE, cfg->file);
	answer_put_u32(a, VDC_STATUS_RELOADS, r->control->generation);
	answer_put_text(a, VDC_STATUS_LOG_LEVEL, log_level_name(log_get_level()));
	put_stopping(r);
	if (resident)
		answer_put_u64(a, VDC_STATUS_RESIDENT_BYTES, resident);
	put_records(r);
	put_adoption(r);
	put_state(r);
	answer_put_u32(a, VDC_STATUS_SUBSCRIBERS, r->control->subscribers.count);
	answer_put_u64(a, VDC_STATUS_SUBSCRIBERS_DROPPED, r->control->subscribers.dropped);
	answer_put_u64(a, VDC_STATUS_CONTROL_REFUSED, r->control->refused);
}

static void put_load(struct request *r)
{
	const struct limits_config *limits = &calls_config(r->control->calls)->limits;
	struct answer *a = r->answer;
	struct calls_load load;

	calls_get_load(r->control->calls, NULL, &load);
	answer_put_u32(a, VDC_STATUS_RATE, load.calls_per_second);
	if (limits->calls_per_second)
		answer_put_u32(a, VDC_STATUS_RATE_MAX, limits->calls_per_second);
	answer_put_u64(a, VDC_STATUS_BANDWIDTH, load.kbit);
	if (limits->bandwidth)
		answer_put_u64(a, VDC_STATUS_BANDWIDTH_MAX, limits->bandwidth);
}

#define LISTENERS_SHOWN 8

static void put_listeners_waiting(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);
	const struct sip *sip = calls_sip(r->control->calls);
	struct nlattr *list = answer_nest(r->answer, VDC_STATUS_LISTENERS_WAITING);
	char text[LISTENER_TEXT_MAX];
	int n = 0;

	for (unsigned i = 0; i < cfg->listener_count && n < LISTENERS_SHOWN; i++) {
		const struct listener_config *lc = &cfg->listener[i];

		if (sip_listener_waits(sip, sip_listener_slot(sip, lc)))
			answer_put_text(r->answer, ++n, sip_listener_text(lc, text));
	}
	answer_nest_end(r->answer, list);
}

static void put_calls(struct request *r)
{
	struct answer *a = r->answer;
	struct calls_status calls;
	struct sip_status sip;
	struct nlattr *list;
	int n = 0;

	calls_get_status(r->control->calls, &calls);
	answer_put_u32(a, VDC_STATUS_CALLS_LIVE, calls.live);
	answer_put_u32(a, VDC_STATUS_CALLS_MAX, calls.live_max);
	put_load(r);
	list = answer_nest(a, VDC_STATUS_CALLS);
#define PUT_CALL_COUNTER(name, text) answer_put_counter(a, ++n, #name, calls.name);
	CALL_COUNTERS(PUT_CALL_COUNTER)
	answer_nest_end(a, list);

	sip_get_status(calls_sip(r->control->calls), &sip);
	list = answer_nest(a, VDC_STATUS_SIP);
	n = 0;
#define PUT_SIP_COUNTER(name, text) answer_put_counter(a, ++n, #name, sip.name);
	SIP_COUNTERS(PUT_SIP_COUNTER)
	answer_put_counter(a, ++n, "options_postponed",
		peers_options_postponed(calls_peers(r->control->calls)));
	answer_nest_end(a, list);
	show_put_names(r);
	put_listeners_waiting(r);
}

static void put_ports(struct request *r)
{
	struct answer *a = r->answer;
	struct nlattr *list = answer_nest(a, VDC_STATUS_SIDES);
	struct media_status media;

	media_get_status(calls_media(r->control->calls), &media);
	for (int side = 0; side < SIDE_COUNT; side++) {
		const struct side_config *cfg = &calls_config(r->control->calls)->side[side];
		struct nlattr *one = answer_nest(a, side + 1);
		struct calls_load load;

		answer_put_text(a, VDC_SIDE_SIDE, side_name((unsigned)side));
		answer_put_u32(a, VDC_SIDE_PORTS_TOTAL, media.ports_total[side]);
		answer_put_u32(a, VDC_SIDE_PORTS_USED, media.ports_used[side]);
		answer_put_u32(a, VDC_SIDE_PORTS_QUARANTINED, media.ports_quarantined[side]);
		answer_put_u32(a, VDC_SIDE_PORTS_LEFT, media.ports_left[side]);
		calls_get_side_load(r->control->calls, (unsigned)side, &load);
		answer_put_u64(a, VDC_SIDE_BANDWIDTH, load.kbit);
		if (cfg->bandwidth)
			answer_put_u64(a, VDC_SIDE_BANDWIDTH_MAX, cfg->bandwidth);
		answer_put_u64(a, VDC_SIDE_REFUSED_BANDWIDTH, load.refused[CALL_LIMIT_BANDWIDTH]);
		answer_nest_end(a, one);
	}
	answer_nest_end(a, list);
}

static void put_device(struct answer *a, int attr, const struct dataplane_device_status *device)
{
	struct nlattr *one = answer_nest(a, attr);

	answer_put_text(a, VDC_DEVICE_NAME, device->name);
	answer_put_text(a, VDC_DEVICE_SIDE, side_name(device->side));
	answer_put_u32(a, VDC_DEVICE_IFINDEX, device->ifindex);
	answer_put_text(a, VDC_DEVICE_MODE, device->mode);
	answer_put_text(a, VDC_DEVICE_ATTACHED, device->attached);
	answer_put_bool(a, VDC_DEVICE_UP, device->up);
	if (device->why)
		answer_put_text(a, VDC_DEVICE_WHY, device->why);
	if (device->losses_counted) {
		answer_put_u64(a, VDC_DEVICE_LOST, device->lost);
		answer_put_u64(a, VDC_DEVICE_LOST_LATELY, device->lost_lately);
	}
	if (device->lost_error)
		answer_put_text(a, VDC_DEVICE_LOST_WHY, strerror(device->lost_error));
	answer_put_bool(a, VDC_DEVICE_BATCHED, device->batched);
	answer_nest_end(a, one);
}

static void put_unresolved(struct answer *a, const struct dataplane_status *dp)
{
	struct nlattr *list = answer_nest(a, VDC_STATUS_UNRESOLVED);

	for (unsigned i = 0; i < dp->nexthops_unresolved && i < DATAPLANE_UNRESOLVED_SHOWN; i++) {
		const struct dataplane_unresolved *u = &dp->unresolved[i];
		struct nlattr *one = answer_nest(a, (int)i + 1);

		answer_put_text(a, VDC_UNRESOLVED_SIDE, side_name(u->side));
		answer_put_text(a, VDC_UNRESOLVED_DEVICE, dp->device[u->side].name);
		answer_put_addr(a, VDC_UNRESOLVED_TO, &u->to);
		answer_put_addr(a, VDC_UNRESOLVED_GATEWAY, &u->gateway);
		answer_put_text(a, VDC_UNRESOLVED_WHY, u->why);
		if (u->since_ms != UINT64_MAX)
			answer_put_u64(a, VDC_UNRESOLVED_SINCE, u->since_ms);
		answer_nest_end(a, one);
	}
	answer_nest_end(a, list);
}

static void put_gateways_left(struct answer *a, const struct dataplane_status *dp)
{
	struct nlattr *list = answer_nest(a, VDC_STATUS_GATEWAYS_LEFT);

	for (unsigned i = 0; i < dp->gateways_left && i < DATAPLANE_GATEWAYS_SHOWN; i++) {
		const struct dataplane_gateway_left *left = &dp->left[i];
		struct nlattr *one = answer_nest(a, (int)i + 1);

		answer_put_text(a, VDC_GATEWAY_LEFT_SIDE, side_name(left->side));
		answer_put_text(a, VDC_GATEWAY_LEFT_DEVICE, dp->device[left->side].name);
		answer_put_addr(a, VDC_GATEWAY_LEFT_GATEWAY, &left->gateway);
		answer_put_text(a, VDC_GATEWAY_LEFT_WHY, left->why);
		answer_nest_end(a, one);
	}
	answer_nest_end(a, list);
}

static void put_last_change(struct answer *a, const struct dataplane_status *dp)
{
	const struct dataplane_last_change *last = &dp->last_change;
	char text[256], to[ADDR_TEXT_MAX];

	if (!last->change)
		return;
	snprintf(text, sizeof(text), "next hop to %s on %s: %s%s%s", addr_print_ip(&last->to, to),
		dp->device[last->side].name, last->change, last->change_of ? " after: " : "",
		last->change_of ? last->change_of : "");
	answer_put_text(a, VDC_STATUS_LAST_CHANGE, text);
	answer_put_u64(a, VDC_STATUS_LAST_CHANGE_MS, last->ms_ago);
}

static void put_packets(struct answer *a, const struct dataplane_status *dp)
{
	struct nlattr *list = answer_nest(a, VDC_STATUS_PACKETS);
	int n = 0;

	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		for (unsigned reason = 0; reason < VD_REASON_MAX; reason++) {
			struct nlattr *one = answer_nest(a, ++n);

			answer_put_text(a, VDC_PACKETS_SIDE, side_name(side));
			answer_put_text(a, VDC_PACKETS_REASON, dataplane_reason_name(reason));
			answer_put_text(a, VDC_PACKETS_VERDICT, dataplane_reason_verdict(reason));
			answer_put_u64(a, VDC_PACKETS_PACKETS, dp->packets[side][reason]);
			answer_put_u64(a, VDC_PACKETS_BYTES, dp->bytes[side][reason]);
			answer_put_text(a, VDC_PACKETS_MEANING, dataplane_reason_text(reason));
			answer_nest_end(a, one);
		}
	}
	answer_nest_end(a, list);
}

static void put_dataplane(struct answer *a, const struct dataplane_status *dp)
{
	struct nlattr *list = answer_nest(a, VDC_STATUS_DEVICES);

	for (int side = 0; side < SIDE_COUNT; side++)
		put_device(a, side + 1, &dp->device[side]);
	answer_nest_end(a, list);
	put_packets(a, dp);
	answer_put_u32(a, VDC_STATUS_FLOWS, dp->flows);
	answer_put_u32(a, VDC_STATUS_FLOWS_MAX, dp->flows_max);
	answer_put_u32(a, VDC_STATUS_NEXTHOPS, dp->nexthops);
	answer_put_u32(a, VDC_STATUS_NEXTHOPS_UNRESOLVED, dp->nexthops_unresolved);
	answer_put_u64(a, VDC_STATUS_NEXTHOPS_ASKED, dp->nexthops_asked);
	put_unresolved(a, dp);
	put_gateways_left(a, dp);
	put_last_change(a, dp);
	answer_put_u64(a, VDC_STATUS_EVENTS_LOST, dp->events_lost);
	answer_put_u64(a, VDC_STATUS_MAP_BYTES, dp->memory_bytes);
}

int show_status(struct request *r)
{
	struct dataplane_status dp;
	int ret = dataplane_status(media_dataplane(calls_media(r->control->calls)), &dp);

	if (ret)
		return request_fail(r, ret, "the data plane's counters cannot be read");
	answer_begin_object(r->answer, VDC_STATUS);
	put_daemon(r);
	put_calls(r);
	put_ports(r);
	put_dataplane(r->answer, &dp);
	r->has_objects = true;
	return answer_end_object(r->answer);
}
