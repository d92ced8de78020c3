/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the peer room: one registration, and its messages. */
#ifndef VIADUCT_PEER_REGISTRATION_H
#define VIADUCT_PEER_REGISTRATION_H

#include "peer/internal.h"

#define REGISTRATION_CALL_ID_LEN 24
#define REGISTRATION_TAG_LEN     16
#define SERVICE_ROUTES_MAX       8   /* of one answer; the rest is left out */
#define SERVICE_ROUTE_MAX        512 /* bytes of each; a longer one is left out */

enum registration_state { REGISTRATION_TRYING, REGISTRATION_DONE, REGISTRATION_FAILED };

struct registration {
	struct peers *peers;
	struct peer *peer; /* NULL: is leaving */
	struct config *cfg;
	const struct peer_config *config; /* of cfg */
	enum registration_state state;
	char call_id[REGISTRATION_CALL_ID_LEN + 1], tag[REGISTRATION_TAG_LEN + 1];
	uint32_t cseq;
	struct sip_client *client; /* the REGISTER that is under way */
	struct sip_dest dest;      /* of the last one */
	char *contact;             /* URI that the last one registered, NULL = nothing was yet */
	unsigned target;           /* index among the peer's places */
	unsigned expires_s;        /* that is asked for: more than configured after a 423 */
	unsigned too_brief;        /* 423 one after the other */
	unsigned failures;         /* one after the other */
	bool is_doubtful;          /* the registrar has not seen the credentials in force */
	uint64_t until_ms;         /* it holds, by the loop's clock; 0 = none does */
	char *service_route;       /* one route a line, NULL = none */
	struct addr public_address;
	char why[PEER_WHY_MAX];
	struct loop_timer timer;  /* the next REGISTER */
	struct loop_timer expiry; /* until_ms */
	struct registration *prev, *next;
};

/* REGISTER with the next CSeq (RFC 3261 10.2). 0 or -ENOMEM. */
int registration_make(struct registration *reg, unsigned expires_s, osip_message_t **out);
/* The seconds that a 2xx grants to our contact (RFC 3261 10.2.4), 0 = it is not registered. */
unsigned registration_granted(const struct registration *reg, const osip_message_t *resp);
/* Takes what else a 2xx says: Service-Route (RFC 3608), our address as Via (RFC 3581) or else our
 * contact has it. */
void registration_learn(struct registration *reg, const osip_message_t *resp);
/* Whether that address is known, and is not the one that our Contact has. */
bool registration_is_seen_elsewhere(const struct registration *reg);
/* A number of seconds in a header field, fallback where there is none. */
unsigned registration_seconds(const osip_message_t *resp, const char *name, unsigned fallback);

#endif
