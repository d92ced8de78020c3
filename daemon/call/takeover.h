/* SPDX-License-Identifier: BSD-2-Clause */
/* A leg of an answered call is replaced (RFC 3891): the new one, whose INVITE waits, takes its
 * place once the far leg has taken its media. Private to the call room. */
#ifndef VIADUCT_CALL_TAKEOVER_H
#define VIADUCT_CALL_TAKEOVER_H

#include "call/internal.h"

struct takeover {
	struct call *call;
	enum leg leg;  /* whose place is taken */
	bool waits;    /* for the far leg, which has been answered in the stead of leg B */
	bool we_offer; /* the INVITE has no offer: its ACK answers one of ours */
	struct sip_server *txn;
	struct media_session *media;
	struct exchange *asking; /* our re-INVITE of the far leg */
	struct dialog dialog;    /* of the new leg */
	struct config *cfg;      /* that its peer is of */
};

/* A takeover of that leg; NULL: no memory. */
struct takeover *takeover_new(struct call *call, enum leg leg);
/* Its dialog and its media, for that INVITE of that peer. 0 or -errno. */
int takeover_prepare(struct takeover *t, struct sip_server *txn, const struct peer_config *peer);
/* Asks the far leg, or the new one where that has offered nothing: then *offer (malloc'd) is for it
 * to move in with. 0 or -errno. */
int takeover_lead(struct takeover *t, struct sip_server *txn, char **offer);
/* The new leg moves in, and is answered with sdp. */
void takeover_move_in(struct takeover *t, const char *sdp);
/* Without a word to the new leg. */
void takeover_free(struct takeover *t);
/* The answer that is no dialog; it leaves a record, as that of every INVITE that was looked at. */
void takeover_refuse(struct calls *calls, struct sip_server *txn, int code);
extern const struct sip_server_handlers takeover_server_handlers;

/* ---- of the daemon before ---- */
/* Takes txn. 0 or -errno. */
int takeover_adopt(struct takeover *t, struct sip_server *txn);
/* Our re-INVITE of the far leg; t->media is there. 0 or -errno. */
int takeover_adopt_asking(struct takeover *t, const struct sip_dest *dest, struct text invite);
/* Goes on with what is left of it. */
void takeover_resume(struct takeover *t);

#endif
