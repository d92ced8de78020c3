/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the peer room. */
#ifndef VIADUCT_PEER_INTERNAL_H
#define VIADUCT_PEER_INTERNAL_H

#include "base/table.h"
#include "peer/peer.h"

/* What is true of a peer, each by itself; the first that holds makes its state. */
enum peer_fact {
	FACT_BLOCKED,
	FACT_DRAINING,
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
	uint64_t since_ms; /* of the loop's clock */
	char why[PEER_WHY_MAX];
	uint64_t paused_until_ms;

	/* ---- registration.c ---- */
	struct registration *registration; /* NULL = none wanted */
};

struct peers {
	struct loop *loop;
	struct sip *sip;
	struct config *cfg;
	peers_event_fn *event;
	void *event_ctx;
	struct peer *by_name;
	struct registration *leaving; /* taken back, and not answered yet */
	bool shutting_down;
};

/* ---- registration.c ---- */
/* Begins, changes or takes back what the peer's configuration, which cfg holds, says; without a
 * configuration it is taken back. */
void registration_update(struct peer *peer, struct config *cfg);
/* Forgets those that are being taken back, without another word. */
void registrations_free(struct peers *peers);

/* ---- state.c ---- */
void state_init(struct peer *peer);
/* A fact holds from here on, or does not any more; the line says why. A change of state that
 * follows is told in the log and the events. */
void fact_set(struct peer *peer, enum peer_fact fact, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void fact_clear(struct peer *peer, enum peer_fact fact, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
