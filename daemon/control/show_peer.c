/* SPDX-License-Identifier: BSD-2-Clause */
/* One peer: how it is now, in detail what is too much for a list, and what the operator wants of
 * it. */
#include <errno.h>

#include "control/request.h"

/* NULL with *error set where the configuration in force has none of that name. */
static const struct peer_config *request_peer(struct request *r, int *error)
{
	const char *name = nla_get_string(r->attr[VDC_REQUEST_PEER]);
	const struct peer_config *peer = config_peer_by_name(calls_config(r->control->calls), name);

	if (!peer)
		*error = request_fail(r, -ENOENT, "no peer is named %s", name);
	return peer;
}

static struct peer *live_peer(struct request *r, const char *name)
{
	return peer_by_name(calls_peers(r->control->calls), name);
}

static void put_registration(struct answer *a, const struct peer *peer)
{
	struct peer_registration reg;

	if (!peer_get_registration(peer, &reg))
		return;
	answer_put_text(a, VDC_PEER_REGISTRATION, reg.state);
	if (reg.left_ms)
		answer_put_u64(a, VDC_PEER_REGISTRATION_LEFT, reg.left_ms);
	answer_put_text(a, VDC_PEER_REGISTRATION_WHY, reg.why);
	answer_put_text(a, VDC_PEER_REGISTRATION_AOR, reg.aor);
	if (reg.public_address.family)
		answer_put_addr(a, VDC_PEER_PUBLIC_ADDRESS, &reg.public_address);
}

void show_put_peer_state(struct request *r, const char *peer_name)
{
	const struct peer *peer = live_peer(r, peer_name);
	struct answer *a = r->answer;
	struct peer_status status;

	if (!peer)
		return;
	peer_get_status(peer, &status);
	answer_put_text(a, VDC_PEER_STATE, peer_state_name(status.state));
	answer_put_u64(a, VDC_PEER_SINCE, status.since_ms_ago);
	answer_put_text(a, VDC_PEER_WHY, status.why);
	put_registration(a, peer);
}

static void put_health(struct answer *a, const struct peer *peer, const struct peer_config *config)
{
	struct peer_status status;

	peer_get_status(peer, &status);
	if (status.heard_ms_ago != UINT64_MAX)
		answer_put_u64(a, VDC_PEER_HEARD, status.heard_ms_ago);
	answer_put_u32(a, VDC_PEER_MISSES, status.misses);
	answer_put_u32(a, VDC_PEER_RECENT_CALLS, status.recent_calls);
	answer_put_u32(a, VDC_PEER_RECENT_FAILED, status.recent_failed);
	answer_put_u32(a, VDC_PEER_OPTIONS_INTERVAL, config->liveness.interval_ms);
	answer_put_u64(a, VDC_PEER_OPTIONS, status.count.options);
	answer_put_u64(a, VDC_PEER_OPTIONS_ANSWERED, status.count.options_answered);
	answer_put_u64(a, VDC_PEER_ATTEMPTS, status.count.attempts);
	answer_put_u64(a, VDC_PEER_ATTEMPTS_FAILED, status.count.attempts_failed);
}

int show_peer(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);
	int ret = 0;
	const struct peer_config *peer = request_peer(r, &ret);
	struct peer *live = peer ? live_peer(r, peer->name) : NULL;

	if (!peer)
		return ret;
	r->has_objects = true;
	answer_begin_object(r->answer, VDC_PEER);
	show_put_peer(r, cfg, config_peer_index(cfg, peer));
	if (live)
		put_health(r->answer, live, peer);
	show_put_peer_tls(r, cfg, peer);
	return answer_end_object(r->answer);
}

int set_peer(struct request *r)
{
	const char *name = nla_get_string(r->attr[VDC_REQUEST_COMMAND]);
	int ret = 0;
	const struct peer_config *peer = request_peer(r, &ret);
	struct peer *live = peer ? live_peer(r, peer->name) : NULL;
	enum peer_command command;

	if (!live)
		return ret ? ret : -ENOENT;
	if (peer_command_parse(&command, name))
		return request_fail(r, -EINVAL,
			"%s is no command for a peer; expected drain, block or resume", name);
	peer_set_command(live, command);
	return 0;
}
