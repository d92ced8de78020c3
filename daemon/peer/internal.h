/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the peer room. */
#ifndef VIADUCT_PEER_INTERNAL_H
#define VIADUCT_PEER_INTERNAL_H

#include <utlist.h>

#include "base/table.h"
#include "peer/peer.h"

#include <utlist.h>

/* What is true of a peer, each by itself; the first that holds makes its state. */
enum peer_fact {
	FACT_BLOCKED,
	FACT_DRAINING,
	FACT_UNRESOLVED,   /* its name stands for no address: down */
	FACT_SILENT,       /* gives no sign any more: down */
	FACT_PAUSED,       /* wants no calls for a while (503 with Retry-After): down */
	FACT_UNREGISTERED, /* we are not registered with it, and have to be: down */
	FACT_FAILING,      /* its calls fail */
	FACT_COUNT,
};

struct peer {
	struct peers *peers;
	char *name;
	const struct peer_config *config; /* of peers->cfg */
	UT_hash_handle hh;

	/* ---- state.c ---- */
	struct {
		bool holds;
		char why[PEER_WHY_MAX];
	} fact[FACT_COUNT];
	enum peer_state state;
	bool is_untold;    /* nobody heard of it yet */
	uint64_t since_ms; /* of the loop's clock */
	char why[PEER_WHY_MAX];
	uint64_t paused_until_ms;
	struct loop_timer pause_timer;

	/* ---- targets.c ---- */
	struct shunned {
		struct addr remote; /* family 0: a free place */
		uint64_t until_ms;
		bool wants_none; /* it has said so, with Retry-After */
	} shunned[PEER_TARGETS_MAX];

	/* ---- health.c ---- */
	uint64_t heard_ms; /* of the last answer, 0 = none yet */
	unsigned misses;
	uint64_t outcomes; /* of the last attempts, newest lowest: 1 = failed */
	unsigned outcome_count;
	struct loop_timer memory_timer;
	struct peer_counters count;

	/* ---- liveness.c ---- */
	struct loop_timer options_timer; /* to the next OPTIONS, or to the end of waiting */
	struct sip_client *options;      /* under way, NULL = none */
	uint64_t options_ms;             /* when the present or last round of OPTIONS began */
	struct addr options_tried[PEER_TARGETS_MAX];
	unsigned options_tried_count;
	bool has_turn;            /* one of OPTIONS_ROUNDS_MAX */
	bool is_queued;           /* waits for one */
	struct peer *prev, *next; /* in the queue */

	/* ---- registration.c ---- */
	struct registration *registration; /* NULL = none wanted */

	/* ---- names.c ---- */
	struct dns_watch *watch;      /* NULL: its address is written */
	struct dns_watch *next_watch; /* of the configuration that is being taken up */
	char *resolved;               /* the addresses, as they were logged */
	bool has_own_address;         /* among those that the name stands for */

	/* ---- sources.c ---- */
	struct claim *claims;
	unsigned leaving_count; /* of those */
};

struct peers {
	struct loop *loop;
	struct sip *sip;
	struct config *cfg;
	peers_event_fn *event;
	void *event_ctx;
	struct peer *by_name;
	struct peer **by_index;       /* as in cfg */
	struct registration *leaving; /* taken back, and not answered yet */
	bool shutting_down;
	struct store *store; /* NULL: commands are not written down */
	unsigned rounds;     /* OPTIONS under way */
	struct peer *queue;  /* whose turn has come when there were too many */
	uint64_t options_postponed;

	struct dns *dns; /* NULL as long as no peer has a name */
	struct source *sources;
	struct claim *orphans;
	unsigned orphan_count;
	uint64_t sources_shared, sources_forgotten;
};

/* ---- state.c, save.c ---- */
void peer_apply_command(struct peer *peer, enum peer_command command);
void peer_save_command(const struct peer *peer, enum peer_command command);

/* ---- registration.c ---- */
/* Begins, changes or takes back what the peer's configuration, which cfg holds, says; without a
 * configuration it is taken back. */
void registration_update(struct peer *peer, struct config *cfg);
/* Forgets those that are being taken back, without another word. */
void registrations_free(struct peers *peers);

/* ---- names.c ---- */
/* Has the names of cfg looked up, whose peers are all in the table; names_commit puts that in force
 * when cfg is, names_cancel drops it. 0 or -errno, then names_cancel is due too. */
int names_prepare(struct peers *peers, const struct config *cfg);
void names_commit(struct peers *peers);
void names_cancel(struct peers *peers);
void names_stop(struct peer *peer);
/* As peer_targets, with those whose listener waits for its address. */
unsigned peer_places(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX]);

/* ---- sources.c ---- */
#define LEAVING_MAX 64   /* addresses that a peer's name has left; the oldest go first */
#define ORPHANS_MAX 4096 /* those of peers that a reload has dropped, together */
/* Padding zeroed: it is hashed. */
struct source_key {
	uint32_t listener; /* as in struct sip_dest */
	struct addr ip;    /* port 0 */
};
/* The peer's name stands for these from here on; what it stood for stays for its dialogs. */
void sources_update(struct peer *peer, const struct source_key *key, unsigned count);
/* The peer goes; its dialogs may go on. */
void sources_orphan(struct peer *peer);
/* Another configuration and other listeners are in force. */
void sources_reload(struct peers *peers);
/* When no peer is left. */
void sources_free(struct peers *peers);
unsigned sources_count(const struct peers *peers);
sip_named_source_fn sources_find;

/* ---- state.c ---- */
void state_init(struct peer *peer);
/* A fact holds from here on, or does not any more; the line says why. A change of state that
 * follows is told in the log and the events. */
void fact_set(struct peer *peer, enum peer_fact fact, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* For what is so from the beginning. */
void fact_set_untold(struct peer *peer, enum peer_fact fact, const char *why);
void fact_clear(struct peer *peer, enum peer_fact fact, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* For how long a 503 wants no calls (Retry-After, RFC 3261 20.33), up to the configured bound; 0 =
 * it does not say. */
unsigned pause_asked_ms(const struct peer *peer, const osip_message_t *resp);
/* The peer takes no calls for so long, 0 = it does. */
void pause_for(struct peer *peer, uint64_t ms);

/* ---- targets.c ---- */
/* It has other places than before: those may want calls, or none of them does. */
void targets_changed(struct peer *peer);

/* ---- health.c ---- */
/* A request of ours, sent then, that got no sign. what: in words. */
void health_missed(struct peer *peer, uint64_t sent_ms, const char *what);
/* It is somewhere else now: nothing of what was known holds any more. */
void health_forget(struct peer *peer);
void health_stop(struct peer *peer);

/* ---- liveness.c ---- */
#define OPTIONS_ROUNDS_MAX 256 /* OPTIONS without an answer at once; more wait in a queue */
/* To be called whenever its configuration may have changed. */
void liveness_configure(struct peer *peer, const struct liveness_config *before);
/* The next OPTIONS as soon as may be, where it is watched at all. */
void liveness_hurry(struct peer *peer);
void liveness_stop(struct peer *peer);

#endif
