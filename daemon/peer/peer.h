/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers as they are now: whether they take calls, and where requests to them go. What the
 * configuration says of them stays in struct peer_config; here is what changes while the daemon
 * runs. Found by name, and kept over reloads by name. */
#ifndef VIADUCT_PEER_PEER_H
#define VIADUCT_PEER_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "sip/sip.h"

#define PEER_TARGETS_MAX 16 /* places that one peer's name stands for */

struct peers; /* the room */
struct peer;

enum peer_state {
	PEER_UP,
	PEER_FAILING,  /* answers, or did lately, but calls or OPTIONS fail: less preferred */
	PEER_DOWN,     /* no calls until it answers again */
	PEER_DRAINING, /* by command: no new calls, the present ones go on */
	PEER_BLOCKED,  /* by command: no new calls, its own are refused */
};

/* kind: "peer"; text: one line. */
typedef void peers_event_fn(void *ctx, const char *kind, const char *text);

int peers_new(struct peers **out, struct loop *loop, struct sip *sip, struct config *cfg,
	peers_event_fn *event, void *event_ctx);
void peers_free(struct peers *peers);
/* Takes up cfg's peers; those of the same name keep their state. All or nothing: 0 or -ENOMEM. */
int peers_reload(struct peers *peers, struct config *cfg);

/* NULL where the configuration in force has none of that name. O(1). */
struct peer *peer_by_name(struct peers *peers, const char *name);
enum peer_state peer_get_state(const struct peer *peer);
const char *peer_state_name(enum peer_state state);

/* Whether a new call may be sent to it. */
bool peer_takes_calls(const struct peer *peer);
/* Where requests to it go, in the order to try (RFC 3263 4). The number written to out; 0 when
 * nothing is known (the name does not resolve, its listener is closed). Strings in out live until
 * the loop's next round. */
unsigned peer_targets(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX]);

#endif
