/* SPDX-License-Identifier: BSD-2-Clause */
/* What a call has come through, for its record. Private to the call room. */
#ifndef VIADUCT_CALL_HISTORY_H
#define VIADUCT_CALL_HISTORY_H

#include "call/internal.h"

void history_begin(struct call *call);
void history_ring(struct call *call);
void history_attempt(struct call *call, const struct peer_config *peer);
/* Its INVITE is about to go there. */
void history_attempt_sent(
	struct call *call, const struct sip_dest *dest, const osip_message_t *invite);
/* Whether an attempt from that index on went to target. */
bool history_was_tried(const struct call *call, unsigned first, const struct addr *target);
/* Another than the one who is called has taken the call. */
void history_picked_up(struct call *call, const struct peer_config *by);
/* The peer is left out: an attempt that was none, with the code that it stands for. */
void history_attempt_left_out(struct call *call, const struct peer_config *peer, int code);
/* The response that is about to end the last attempt. */
void history_attempt_cause(struct call *call, const osip_message_t *resp);
/* The last attempt has its final response; code 0: the caller gave it up. Once an attempt. */
void history_attempt_over(struct call *call, int code);
/* Hands the record out. Media must still be there. */
void history_end(struct call *call, const struct ending *end);
/* The record of an INVITE that never became a call. */
void history_refused(
	struct calls *calls, const osip_message_t *req, const struct peer_config *peer, int code);
/* The same by its text, of what the SIP room has refused. */
void history_refused_text(void *calls, const struct sip_refused *refused);
#define CALL_ID_KEPT 255 /* bytes of its Call-ID and tag */
/* A transfer that was asked for has come to its end. */
void history_transfer(struct call *call, const struct call_transfer *transfer);
void history_clear(struct call *call);

#endif
