/* SPDX-License-Identifier: BSD-2-Clause */
/* What crosses from leg to leg: header fields, bodies, identities; and what we announce of our own
 * accord. Private to the call room. */
#ifndef VIADUCT_CALL_CARRY_H
#define VIADUCT_CALL_CARRY_H

#include "call/internal.h"

/* ---- carry.c: what crosses from leg to leg ---- */
struct crossing {
	const struct peer_config *from, *to;
	const char *host; /* ours towards to: stands where a URI names a place of from's side */
	const struct caller_config *caller; /* of the route, from leg A alone; NULL = as it is */
	bool withhold;                      /* the caller is suppressed */
	bool is_unnamed;                    /* in a dialog: what from says of itself stays there */
};
/* Header fields that are end to end. */
int carry_headers(const struct crossing *way, const osip_message_t *from, osip_message_t *to);
/* The SDP among msg's bodies, NULL if there is none. */
osip_body_t *carry_find_sdp(const osip_message_t *msg);
/* Copies bodies and what describes them; where sdp is not NULL it takes the place of the SDP part,
 * and where it is NULL such a part is left out. */
int carry_bodies(const osip_message_t *from, osip_message_t *to, const char *sdp, size_t sdp_len);
/* Whether the message demands an extension that we neither carry nor speak with that peer;
 * *unsupported gets the option tags ("a, b", malloc'd). 0, -EOPNOTSUPP, -ENOMEM. */
int carry_check_require(
	const osip_message_t *msg, const struct peer_config *peer, char **unsupported);
/* A request that does so is answered (RFC 3261 8.2.2.3): returns the code, 0 where all can be had.
 */
int require_refuse(
	struct sip_server *txn, const osip_message_t *req, const struct peer_config *peer);
/* Adds an option tag to Supported or Require, unless it is there. 0 or -ENOMEM. */
int option_add(osip_message_t *msg, const char *name, const char *tag);
/* Takes an option tag out of Supported or Require, and the header field with its last. */
void option_remove(osip_message_t *msg, const char *name, const char *tag);
/* Whether Supported (k), Require or Allow names it. */
bool option_has(const osip_message_t *msg, const char *name, const char *tag);
/* Value of the first header field of that name, NULL if there is none. */
const char *header_value(const osip_message_t *msg, const char *name);

/* ---- identity.c ---- */
/* RFC 3323 4.1.1.3: the user and host that say "I withhold my name". */
#define ANONYMOUS_USER "anonymous"
#define ANONYMOUS_HOST "anonymous.invalid"
/* The host of From and of identities in what that peer is sent by way of that listener. */
const char *identity_host(
	const struct calls *calls, const struct peer_config *to, unsigned listener);
/* Identities, as the peers' trust and settings allow, and Privacy. 0 or -ENOMEM. */
int identity_carry(const struct crossing *way, const osip_message_t *from, osip_message_t *to);
/* What the route of the present attempt has for the caller. Of a call of the daemon before, the
 * route that it began with is all that is known. NULL: nothing. */
const struct caller_config *identity_caller(const struct call *call);
/* Whether who speaks in that leg was shown as another, or as nobody. */
bool identity_is_hidden(const struct call *call, enum leg leg);
/* What is said in the dialog by that leg: of who speaks there no more than was told when it came.
 */
void identity_keep(struct crossing *way, const struct call *call, enum leg from);
/* host as in a SIP URI: libosip2 writes the brackets of an IPv6 address itself. 0 or -ENOMEM. */
int uri_set_host(osip_uri_t *uri, const char *host);

/* ---- allow.c ---- */
/* The methods that a peer may use towards us (RFC 3261 20.5). */
const char *call_allow(const struct peer_config *peer);
/* Allow and, what we support of our own accord, Supported. 0 or -ENOMEM. */
int call_announce(osip_message_t *msg, const struct peer_config *peer);
/* A 200 of ours to that peer, within the dialog where our tag is that: with Contact and both of
 * these. *out is NULL after an error. 0 or -errno. */
int call_make_2xx(struct call *call, struct sip_server *txn, const char *tag,
	const struct peer_config *peer, osip_message_t **out);

#endif
