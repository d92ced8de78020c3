/* SPDX-License-Identifier: BSD-2-Clause */
/* A request that names a dialog of ours: whose it is, and who deals with it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/carry.h"
#include "call/early.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/refer.h"
#include "call/session_timer.h"

/* Whether what was admitted as said's may be of's, whose name stands for that source too. */
static bool is_from_peer(
	struct calls *calls, const struct peer_config *said, const struct peer_config *of)
{
	return strcmp(said->name, of->name) == 0 ||
	       (of->host && peers_share_source(calls->peers, of->name, said));
}

struct pair *pair_by_ids(struct calls *calls, const char *call_id, const char *local_tag,
	const char *remote_tag, enum leg *leg)
{
	struct pair *pair;
	struct tag *tag;

	if (strlen(local_tag) != DIALOG_TAG_LEN)
		return NULL;
	HASH_FIND(hh, calls->tags, local_tag, DIALOG_TAG_LEN, tag);
	if (!tag)
		return NULL;
	*leg = tag->leg;
	pair = tag->leg == LEG_A ? tag->pair : pair_by_tags(tag->call, local_tag, remote_tag);
	if (pair && !pair->has_dialog_a)
		early_fold(pair);
	/* A branch of a fork that was too late is no dialog to carry anything in. */
	if (!pair || !pair->has_dialog_a || (pair->call->answered && pair->call->answered != pair))
		return NULL;
	if (strcmp(pair->leg[*leg].remote_tag, remote_tag) != 0 ||
		strcmp(pair->leg[*leg].call_id, call_id) != 0)
		return NULL;
	return pair;
}

struct pair *pair_of_message(
	struct calls *calls, osip_message_t *msg, const struct peer_config *peer, enum leg *leg)
{
	return pair_of_tags(calls, msg, sip_tag(msg->to), sip_tag(msg->from), peer, leg);
}

struct pair *pair_of_tags(struct calls *calls, const osip_message_t *msg, const char *local_tag,
	const char *remote_tag, const struct peer_config *peer, enum leg *leg)
{
	struct pair *pair = NULL;
	char *call_id = NULL;

	if (osip_call_id_to_str(msg->call_id, &call_id))
		return NULL;
	pair = pair_by_ids(calls, call_id, local_tag, remote_tag, leg);
	osip_free(call_id);
	if (!pair || !is_from_peer(calls, peer, pair->leg[*leg].peer))
		return NULL;
	call_touch(pair->call);
	return pair;
}

/* INVITE and UPDATE: for how long, and whether they are but a refresh. Answered when so. */
static bool session_timer_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	char value[SESSION_TIMER_VALUE_MAX];
	const char *header;
	int code = session_timer_check(pair->leg[leg].peer, req, &header, value);

	if (code) {
		sip_server_reply(txn, code, NULL, header, header ? value : NULL);
		return true;
	}
	return session_refresh_received(pair, leg, txn, req);
}

void request_in_dialog(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer)
{
	struct pair *pair;
	enum leg leg;

	pair = pair_of_message(calls, req, peer, &leg);
	if (!pair) {
		sip_server_reply(txn, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
		return;
	}
	if (!dialog_take_cseq(&pair->leg[leg], req)) {
		sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, "CSeq out of order", NULL, NULL);
		return;
	}
	if (MSG_IS_BYE(req)) {
		bye_received(pair, leg, txn, req);
		return;
	}
	if (pair->call->state == CALL_ENDING) {
		sip_server_reply(txn, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
		return;
	}
	if (require_refuse(txn, req, peer))
		return;
	if ((MSG_IS_INVITE(req) || strcmp(req->sip_method, "UPDATE") == 0) &&
		session_timer_received(pair, leg, txn, req))
		return;
	if (strcmp(req->sip_method, "PRACK") == 0 && reliable_prack_received(pair, leg, txn, req))
		return;
	if (MSG_IS_OPTIONS(req)) {
		sip_server_reply(txn, SIP_OK, NULL, "Allow", call_allow(peer));
	} else if (MSG_IS_REFER(req)) {
		refer_received(pair, leg, txn, req);
	} else if (MSG_IS_NOTIFY(req) && refer_notify_expected(pair->call, leg, req)) {
		exchange_carry(pair, leg, txn, req);
	} else if (MSG_IS_INVITE(req) || MSG_IS_INFO(req) ||
		   strcmp(req->sip_method, "PRACK") == 0 ||
		   strcmp(req->sip_method, "UPDATE") == 0) {
		exchange_carry(pair, leg, txn, req);
	} else {
		bool known = MSG_IS_NOTIFY(req) || MSG_IS_SUBSCRIBE(req) || MSG_IS_MESSAGE(req) ||
			     MSG_IS_REGISTER(req) || MSG_IS_PUBLISH(req);

		sip_server_reply(txn, known ? SIP_METHOD_NOT_ALLOWED : SIP_NOT_IMPLEMENTED, NULL,
			"Allow", call_allow(peer));
	}
}
