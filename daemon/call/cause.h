/* SPDX-License-Identifier: BSD-2-Clause */
/* Response codes and Q.850 causes, Reason (RFC 3326, RFC 3398, RFC 6432). Private to the call room.
 */
#ifndef VIADUCT_CALL_CAUSE_H
#define VIADUCT_CALL_CAUSE_H

#include "call/internal.h"

#define REASON_MAX 512 /* bytes of a Reason header field's values */
/* 0 = no code of its own */
int cause_of_code(int code);
int code_of_cause(int cause);
/* The Q.850 cause in a value of Reason (NULL: none), 0 = none. */
int cause_of_reason(const char *reason);
/* The Q.850 cause that the message's Reason names, 0 = none. */
int cause_of_message(const osip_message_t *msg);
/* Values of the message's Reason header fields, or NULL. */
const char *reason_of(const osip_message_t *msg, char buf[REASON_MAX]);
/* reason (NULL: none) as a BYE or CANCEL to that peer has it: with a Q.850 cause where it wants
 * one. */
const char *reason_for(const struct peer_config *to, const char *reason, char buf[REASON_MAX]);
/* The same in a final response to that peer; code: what it is about. 0 or not. */
int cause_write(osip_message_t *resp, const struct peer_config *to, int code);
/* What a refusal of that peer (resp; NULL: it gave none, code stands for that) becomes for the
 * other leg. *phrase: NULL = the standard one. */
int translate_code(
	const struct peer_config *peer, int code, const osip_message_t *resp, const char **phrase);

#endif
