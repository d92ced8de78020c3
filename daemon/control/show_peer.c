/* SPDX-License-Identifier: BSD-2-Clause */
/* One peer in detail: what `viaduct peers` shows of it, and what is too much for a list. */
#include <errno.h>

#include "control/request.h"

int show_peer(struct request *r)
{
	const struct config *cfg = calls_config(r->control->calls);
	const char *name = nla_get_string(r->attr[VDC_REQUEST_PEER]);
	const struct peer_config *peer = config_peer_by_name(cfg, name);

	if (!peer)
		return request_fail(r, -ENOENT, "no peer is named %s", name);
	r->has_objects = true;
	answer_begin_object(r->answer, VDC_PEER);
	show_put_peer(r, cfg, config_peer_index(cfg, peer));
	return answer_end_object(r->answer);
}
