/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers as they are now: whether they take calls, and where requests to them go. What the
 * configuration says of them stays in struct peer_config; here is what changes while the daemon
 * runs. Found by name, and kept over reloads by name; a restart forgets it all, commands too. */
#ifndef VIADUCT_PEER_PEER_H
#define VIADUCT_PEER_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "dns/dns.h"
#include "sip/sip.h"
#include "store/store.h"

#define PEER_TARGETS_MAX DNS_TARGETS_MAX /* places that one peer's name stands for */
#define PEER_WHY_MAX     128             /* bytes, NUL included */

struct peers; /* the room */
struct peer;

enum peer_state {
	PEER_UP,
	PEER_FAILING,  /* answers, or did lately, but calls fail: less preferred */
	PEER_DOWN,     /* no calls until it answers again, or until it wants them again */
	PEER_DRAINING, /* by command: no new calls, the present ones go on */
	PEER_BLOCKED,  /* by command: no new calls, its own are refused for good */
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
/* The same for who is in that or another configuration. */
struct peer *peer_of(struct peers *peers, const struct peer_config *config);
enum peer_state peer_get_state(const struct peer *peer);
const char *peer_state_name(enum peer_state state);

/* ---- what the operator wants ---- */
enum peer_command { PEER_RESUME, PEER_DRAIN, PEER_BLOCK };
/* "resume", "drain", "block". 0 or -EINVAL. */
int peer_command_parse(enum peer_command *out, const char *name);
/* In place of the command before. Survives reloads, and a restart where there is a store. */
void peer_set_command(struct peer *peer, enum peer_command command);
/* Takes up the commands that are in the store, and writes them there from here on. 0 or -errno: it
 * cannot be read. */
int peers_adopt(struct peers *peers, struct store *store);

/* A dialog that an earlier daemon began runs with that address. Where the peer is known by name,
 * the dialog's requests are admitted from there, as from an address that the name has left, until
 * it is found to stand for it still. */
void peer_keep_address(struct peer *peer, unsigned listener, const struct addr *address);

/* ---- where calls go ---- */
/* Whether a new call may be sent to it. */
bool peer_takes_calls(const struct peer *peer);
/* Whether one may be sent to it when nobody takes calls: it is down because it gave no sign, and
 * that may be over. One that said itself how long it wants none (503 with Retry-After) or that the
 * operator took out is tried for emergency calls alone, a blocked one never. */
bool peer_is_last_resort(const struct peer *peer, bool is_emergency);
/* Seconds for which the peer wants no calls (Retry-After), 0 = it has not said so. */
unsigned peer_retry_after_s(const struct peer *peer);
/* Where requests to it go, in the order to try (RFC 3263 4). The number written to out; 0 when
 * nothing is known (the name does not resolve, its listener is closed or has no address yet).
 * Strings in out live until the loop's next round. */
unsigned peer_targets(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX]);
/* The same with those last that failed lately, and without those that want no calls where others
 * do. */
unsigned peer_targets_by_health(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX]);

/* Receives one line for each peer that is put elsewhere or left out, and why. */
typedef void peers_trace_fn(void *ctx, const char *line);
#define PEERS_ORDER_MAX 32 /* peers of one call; more are left out */
struct peers_place {
	const struct peer_config *peer;
	unsigned priority; /* class; never falling from place to place */
};
struct peers_choice {
	unsigned order[PEERS_ORDER_MAX]; /* indexes of those to try */
	unsigned count;
	bool last_resort;       /* nobody takes calls: these are tried all the same */
	unsigned retry_after_s; /* count 0: seconds until one takes calls again, 0 = not known */
};
/* Orders the peers of a route by how they are now. Within a priority, what stands first stays
 * first, but those that are failing come after the others. Those that take no calls are left out;
 * where that leaves nobody, those that are down without having said for how long are tried all the
 * same, in their order; for an emergency call any but the blocked. trace may be NULL. */
void peers_order(struct peers *peers, const struct peers_place *place, unsigned count,
	bool is_emergency, struct peers_choice *choice, peers_trace_fn *trace, void *trace_ctx);

/* Whether the peer's host name stands for a source of the other's too, so that its requests may
 * count as the other's. */
bool peers_share_source(struct peers *peers, const char *named, const struct peer_config *other);

/* ---- registration with a provider: registration.c ---- */
/* Adds the Route header fields that the provider's registrar asked for (Service-Route, RFC 3608
 * 5), to a request outside of any dialog. peer may be NULL. 0 or -ENOMEM. */
int peer_add_service_route(const struct peer *peer, osip_message_t *req);
/* Takes every registration back; peers_leaving counts those that are not answered yet. */
void peers_shutdown(struct peers *peers);
unsigned peers_leaving(const struct peers *peers);

struct peer_registration {
	const char *state; /* "trying", "registered", "failed" */
	uint64_t left_ms;  /* of the registration, 0 = there is none */
	const char *why;   /* of the last answer, in words */
	const char *aor;
	struct addr public_address; /* where the registrar saw us; family 0 = not known */
};
/* False: the peer has nothing to register. */
bool peer_get_registration(const struct peer *peer, struct peer_registration *out);

/* ---- what calls tell of a peer ---- */
/* It has answered a request of ours, in whatever way: a sign of life. */
void peer_heard(struct peer *peer);
/* It asks for something itself. Where it is down that is worth an OPTIONS now. */
void peer_asked(struct peer *peer);
enum peer_outcome {
	PEER_OUTCOME_GOOD,   /* the peer did its part, whatever became of the call */
	PEER_OUTCOME_FAILED, /* an answer for which calls go elsewhere */
	PEER_OUTCOME_SILENT, /* no sign at all, or not reachable */
};
/* An INVITE to it has come to that. sent_ms: when it was sent, of the loop's clock. */
void peer_attempt_over(struct peer *peer, enum peer_outcome outcome, uint64_t sent_ms);
/* One of its places gave no sign, while others may be well: it is tried last for a while. */
void peer_target_failed(struct peer *peer, const struct addr *remote);
/* One of its places has answered 503, which may say for how long it wants no calls (Retry-After,
 * RFC 3261 21.5.4): it gets none for that long, up to the configured bound, and the peer none where
 * all of them have said so. */
void peer_target_unavailable(
	struct peer *peer, const struct addr *remote, const osip_message_t *resp);
void peer_target_answered(struct peer *peer, const struct addr *remote);

/* ---- what the CLI shows ---- */
/* What the peer's host name stands for; false where its address is written. */
bool peer_get_name(const struct peer *peer, struct dns_info *out);
struct peers_names {
	struct dns_status dns;
	uint64_t sources;           /* addresses that requests may come from because of names */
	uint64_t sources_shared;    /* times that one was another peer's too */
	uint64_t sources_forgotten; /* that a name has left: too many to be kept for dialogs */
};
void peers_get_names(const struct peers *peers, struct peers_names *out);

struct peer_counters {
	uint64_t options;          /* sent */
	uint64_t options_answered; /* finally, and not with 503 */
	uint64_t attempts;         /* INVITEs that came to something */
	uint64_t attempts_failed;
};
struct peer_status {
	enum peer_state state;
	uint64_t since_ms_ago;                /* in that state */
	const char *why;                      /* in words */
	uint64_t heard_ms_ago;                /* since it answered last; UINT64_MAX = never */
	unsigned misses;                      /* requests in a row without a sign */
	unsigned recent_calls, recent_failed; /* the last attempts */
	struct peer_counters count;
};
void peer_get_status(const struct peer *peer, struct peer_status *out);
/* OPTIONS put off because too many were without an answer at once. */
uint64_t peers_options_postponed(const struct peers *peers);

#endif
