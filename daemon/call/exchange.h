/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests within a dialog and their answers, as they cross from leg to leg. The first INVITE
 * shares the SDP, the 2xx and the ACK. Private to the call room. */
#ifndef VIADUCT_CALL_EXCHANGE_H
#define VIADUCT_CALL_EXCHANGE_H

#include "call/internal.h"
#include "call/carry.h"

/* ---- exchange.c: requests that are carried ---- */
/* Carries a request within the dialog of that leg to the other, or refuses it. */
void exchange_carry(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);
extern const struct sip_client_handlers exchange_client_handlers;
/* A re-INVITE that is sent has so long for a final response (RFC 3261 16.6, timer C). */
void exchange_start_timer_c(struct exchange *x);
/* A provisional one has come: a little longer, up to the bound of the whole. */
void exchange_extend_timer_c(struct exchange *x);

/* ---- exchange_sdp.c ---- */
/* Writes into out what msg's body becomes on the other leg: SDP rewritten, the rest as it is.
 * from: the leg that msg came from. 0 or -errno as media_offer and media_answer. */
int exchange_carry_body(
	struct exchange *x, osip_message_t *msg, enum leg from, bool final, osip_message_t *out);
/* Tells the events where media was put on hold or taken off. */
void exchange_note_hold(struct call *call);
/* Keeps the SDP answer of a provisional response, should the 2xx have none. */
void exchange_keep_early_answer(struct pair *pair, const osip_message_t *resp);
/* The early answer is the last word on the pending offer. *text (malloc'd): for the asking leg. 0
 * or -errno. */
int exchange_conclude_answer(struct exchange *x, const struct pair *pair, char **text, size_t *len);
/* The response code that says an error of the media room. */
int media_error_code(int error);
/* RFC 3261 20.43, beside a 488 of ours. */
#define UNSUPPORTED_WARNING "304 viaduct \"Media type not available\""

/* ---- exchange_response.c ---- */
/* A response of the other leg as it is passed on, header fields and body; code as given. 0 or
 * -errno. */
enum response_flags {
	RESPONSE_FINAL = 1,
	RESPONSE_NO_SDP = 2,     /* its description is left out */
	RESPONSE_UNRELIABLE = 4, /* its 100rel ends here */
};
int exchange_make_response(struct exchange *x, osip_message_t *resp, int code,
	const char *local_tag, unsigned flags, osip_message_t **out);
/* Makes it and sends it. 0 or -errno, then nothing was sent. */
int exchange_respond(
	struct exchange *x, osip_message_t *resp, int code, const char *local_tag, bool final);
/* Answers x's request with a bare final response, and forgets the transaction. */
void exchange_refuse(struct exchange *x, int code, const char *header, const char *value);
/* A 2xx to INVITE from the other leg (x->pair is its dialog): goes to the leg that asked, and is
 * ACKed, now or (delayed offer) when the asking leg has done so. 0 or -errno: the 2xx was ACKed,
 * and nothing was passed on. */
int exchange_accept(struct exchange *x, osip_message_t *resp);
/* The code that an error response of one leg becomes on the other. */
int carried_error_code(int code);

/* ---- exchange_asked.c ---- */
/* What both kinds of exchange share as owners of their server transaction. */
extern const struct sip_server_handlers exchange_server_handlers;

/* ---- ack.c ---- */
/* ACKs the other leg's 2xx; ack: the asking leg's ACK, or NULL. Where the answer is due with it and
 * not there, or no good, the ACK goes without and the error is returned: the call cannot go on. */
int exchange_send_ack(struct exchange *x, osip_message_t *ack);
/* The ACK for a 2xx that x passed on has come; NULL: where we ourselves are the asking leg. x may
 * be gone after this. */
void exchange_acked(struct exchange *x, osip_message_t *ack);
void ack_received(void *ctx, osip_message_t *ack, const struct peer_config *peer);

/* ---- glare.c ---- */
/* Offers and INVITEs must not cross (RFC 3261 14.1 and 14.2, RFC 3311 5.2). 0, or the code to
 * refuse one from that leg with. */
int exchange_glare(struct call *call, enum leg leg, bool is_invite, bool has_offer);
/* Refuses one with that code, and Retry-After where that has one. */
void exchange_refuse_glare(struct sip_server *txn, int code);
/* Whether an INVITE of x has no final answer yet, or one that is not acknowledged. */
bool exchange_is_pending_invite(const struct exchange *x);

/* ---- held_back.c ---- */
/* Takes a re-INVITE that nothing stands in the way of but an ACK that is due. False: it is to be
 * refused. */
bool held_back_take(struct pair *pair, enum leg leg, struct sip_server *txn);
/* An ACK has come: it is carried, unless there is more to wait for. */
void held_back_go(struct call *call);
void held_back_drop(struct call *call);

/* ---- in_dialog.c ---- */
void request_in_dialog(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer);
/* The pair that has such a dialog with our tag local_tag, and which leg it is; NULL when there is
 * none. */
struct pair *pair_by_ids(struct calls *calls, const char *call_id, const char *local_tag,
	const char *remote_tag, enum leg *leg);
/* The pair that a request or ACK with our tag in To belongs to, and the leg that sent it; NULL when
 * there is none (481). */
struct pair *pair_of_message(
	struct calls *calls, osip_message_t *msg, const struct peer_config *peer, enum leg *leg);
/* The same by the tags of a message, whichever of its header fields has which. */
struct pair *pair_of_tags(struct calls *calls, const osip_message_t *msg, const char *local_tag,
	const char *remote_tag, const struct peer_config *peer, enum leg *leg);

/* ---- own_request.c, for the life of its exchanges; what others ask of it is in own_request.h ----
 */
/* An offer or INVITE is sent and has no final response. */
bool own_request_is_open(const struct exchange *x);
bool own_request_waits(const struct exchange *x); /* to be sent yet */
/* Its call ends, the media has gone: nobody is told any more. */
void own_request_forget(struct exchange *x);
/* The leg that it went to is another one now: its answer means nothing any more. */
void own_request_orphan(struct exchange *x);
/* `to` takes the place of the media session `from`, which is about to go. */
void own_request_replace_media(
	struct exchange *x, const struct media_session *from, struct media_session *to);
void own_request_free(struct exchange *x);

#endif
