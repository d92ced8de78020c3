/* SPDX-License-Identifier: BSD-2-Clause */
/* A dialog (RFC 3261 12): what one leg needs to send requests and to know its peer's again. Early
 * dialogs are dialogs too. */
#ifndef VIADUCT_SIP_DIALOG_H
#define VIADUCT_SIP_DIALOG_H

#include "sip/sip.h"

#define DIALOG_TAG_LEN        16 /* of the tags we make */
#define DIALOG_ROUTES_MAX     16 /* Record-Route header field values of one dialog */
#define DIALOG_REMOTE_TAG_MAX 256
#define DIALOG_URI_MAX        512 /* bytes; a longer Contact, From or To is refused */

struct dialog {
	char *call_id;
	bool is_uac; /* we made the Call-ID (RFC 3261 14.1) */
	char local_tag[DIALOG_TAG_LEN + 1];
	char *remote_tag;     /* "" where the peer gave none (RFC 2543) */
	char *local_uri;      /* name-addr of From in our requests, without its tag */
	char *remote_uri;     /* name-addr of To in our requests, without its tag */
	char *remote_target;  /* URI: the peer's Contact */
	char *routes;         /* route set in order, one URI a line; NULL = empty */
	uint32_t local_cseq;  /* of our last request */
	uint32_t remote_cseq; /* of the peer's last request, 0 = none yet */
	uint32_t acked_cseq;  /* the owner's: of our last INVITE that is settled, 0 = none yet */
	unsigned listener;    /* as in struct sip_dest */
	const struct peer_config *peer;
	const struct sip *sip;
	struct sip_dest began; /* where it goes unless the peer's Contact may say otherwise */
	struct sip_dest dest;  /* where the next request goes */
};

/* All return 0 or -errno: -EINVAL for a message that cannot make a dialog (no Contact, too long),
 * -ENOMEM. A dialog that failed to initialise needs no dialog_clear. */

/* As the UAS of request (RFC 3261 12.1.1). local_tag is the tag that our responses carry. */
int dialog_init_uas(struct dialog *d, struct sip_server *txn, const char *local_tag);
/* As the UAC (12.1.2): from the request that we sent to dest and a 101-299 response to it. */
int dialog_init_uac(struct dialog *d, const struct sip *sip, osip_message_t *request,
	osip_message_t *response, const struct sip_dest *dest, const struct peer_config *peer);
/* Its requests leave from another listener from here on. */
void dialog_move(struct dialog *d, unsigned listener);
/* to need not be initialised. 0 or -ENOMEM. */
int dialog_copy(struct dialog *to, const struct dialog *from);
void dialog_clear(struct dialog *d);

/* A response of a dialog that was early: takes its target, and its route set where it is a 2xx
 * (13.2.2.4). */
int dialog_take_response(struct dialog *d, osip_message_t *response);
/* Target refresh by a request or a 2xx to one (12.2). Without a Contact nothing changes. */
int dialog_refresh_target(struct dialog *d, osip_message_t *message);
/* Whether a request's CSeq is in order (12.2.2); takes it when so. */
bool dialog_take_cseq(struct dialog *d, const osip_message_t *request);

/* A request within the dialog (12.2.1.1), with the next CSeq (ACK: cseq as given): Request-URI,
 * From, To, Call-ID, CSeq, Route, Contact (where the method takes one), Max-Forwards. */
int dialog_request(
	struct dialog *d, const struct sip *sip, const char *method, osip_message_t **out);
int dialog_ack(struct dialog *d, const struct sip *sip, uint32_t invite_cseq, osip_message_t **out);

/* The tag of a From or To, "" where it has none. */
const char *sip_tag(osip_from_t *from);
/* The CSeq number. */
uint32_t sip_cseq_number(const osip_message_t *msg);
/* "<sip:host:port;transport=tcp>" of a listener. */
int sip_set_contact(osip_message_t *msg, const struct sip *sip, unsigned listener);

#endif
