/* SPDX-License-Identifier: BSD-2-Clause */
/* A request of ours within a leg's dialog, that no other leg asked for: a refresh, a NOTIFY, a
 * re-INVITE that leads a leg's media elsewhere. With an offer of ours, where that is wanted: what
 * the other end of a media session said, written for this leg. Private to the call room. */
#ifndef VIADUCT_CALL_OWN_REQUEST_H
#define VIADUCT_CALL_OWN_REQUEST_H

#include "call/internal.h"

#define OWN_HEADERS_MAX 8
#define OWN_TRIES       5   /* while the dialog is busy (491) */
#define OWN_BUSY_MS     100 /* until it is looked at again, where we see ourselves that it is */

/* How it ended. code: of the final response; 408: none came; 491: busy at every try; 488: its
 * answer was of no use (the leg has accepted all the same); 503: it could not be sent. resp: NULL
 * where there is none. answer: where it carried an offer, what the answer becomes for the end that
 * offered; NULL with an error. Called once, not from inside own_request_send; never once the
 * request was given up or the call has ended. */
typedef void own_done_fn(void *ctx, int code, osip_message_t *resp, const char *answer);

struct own_request {
	struct call *call; /* answered */
	enum leg to;
	const char *method;
	struct own_header {
		const char *name, *value;
	} header[OWN_HEADERS_MAX];
	const char *content_type, *body; /* NULL: none, or the offer */
	/* INVITE and UPDATE with an offer: the session that it belongs to, and which of its two
	 * ends offers; the leg asked stands at the other end. NULL: no offer. */
	struct media_session *media;
	enum leg offerer;
	const char *offer; /* as that end gave it; NULL: what it said last */
	uint32_t *told;    /* set to what that end knows when the offer goes out: media_told */
	own_done_fn *done; /* NULL: nobody is interested */
	void *ctx;
};

/* Sends it, now or when the dialog is free. Everything in r is copied but call, media and ctx. 0 or
 * -ENOMEM, -EBUSY (too much under way); then done is not called. *out (may be NULL): to give it up
 * by; dead once done was called. */
int own_request_send(const struct own_request *r, struct exchange **out);
/* done is not called any more, and the media session is not touched. An INVITE under way is
 * cancelled; should the leg accept it all the same, it is led back to the call's own media. */
void own_request_cancel(struct exchange *x);

/* One of the daemon before that has no final response, which went to dest as invite: its answer is
 * ours to hear. An INVITE with an offer of r's. 0 or -errno. */
int own_request_adopt(const struct own_request *r, const struct sip_dest *dest, struct text invite,
	struct exchange **out);

/* ---- restore.c ---- */
/* A re-INVITE with what the call's media session says: leads a leg back that was led elsewhere. A
 * leg that does not take it ends the call, later. */
void own_request_restore(struct call *call, enum leg leg);
void own_request_restore_stop(struct call *call, enum leg leg);

#endif
