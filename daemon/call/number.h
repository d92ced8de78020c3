/* SPDX-License-Identifier: BSD-2-Clause */
/* A call's numbers: how they are taken from a message, and what the number rules make of them.
 * Private to the call room. */
#ifndef VIADUCT_CALL_NUMBER_H
#define VIADUCT_CALL_NUMBER_H

#include "call/internal.h"

/* The user part of a SIP URI, or the number of a tel URI; "" where there is none. -EINVAL when it
 * is too long or has control characters in it. */
int number_of(const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1]);
/* The same from its text, as near as that tells without a parser; what is too long is cut. */
void number_of_text(struct text uri, char number[CALL_NUMBER_MAX + 1]);

/* ---- numbers.c: what the number rules make of the call's numbers ---- */
/* Of those that came, to be routed. 0, or -EINVAL: refused, and counted. */
int numbers_receive(struct call *call, const osip_message_t *req);
/* Of those that the present attempt sends to its candidate. The same. */
int numbers_send(struct call *call, const struct route_candidate *candidate);
/* What another calling number than From's (P-Asserted-Identity) becomes on that way, from leg A to
 * leg B. 0, or -EINVAL: no number. */
struct crossing; /* carry.h */
int numbers_carry_calling(
	const struct crossing *way, const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1]);
/* What the number of another party than the caller becomes, by the calling rules. The same. */
int numbers_carry_party(
	const struct crossing *way, const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1]);
/* Puts the number in the place of the one that uri, SIP or tel, has; its parameters stay. 0 or
 * -ENOMEM. */
int number_replace(osip_uri_t *uri, const char *number);

#endif
