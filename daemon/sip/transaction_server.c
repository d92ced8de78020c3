/* SPDX-License-Identifier: BSD-2-Clause */
/* Server transactions: RFC 3261 17.2 by libosip2's machines, RFC 6026 and RFC 3261 13.3.1.4 here.
 * What a transaction leaves behind once its outcome is known is a struct remnant. */
#include "sip/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/token.h"

#define OWNER_OF(t, member)                                                                        \
	((struct sip_server *)(void *)((char *)(t)-offsetof(struct sip_server, member)))

struct sip_server *server_find(struct sip *sip, const char *key, unsigned key_len)
{
	struct sip_server *s;

	HASH_FIND(hh, sip->servers, key, key_len, s);
	return s;
}

static void free_machine(struct sip_server *s)
{
	if (!s->ot)
		return;
	osip_transaction_free2(s->ot);
	s->ot = NULL;
	s->sip->status.transactions--;
	if (s->asker)
		s->asker->transactions--;
}

static void server_free(struct sip_server *s)
{
	if (s->local)
		local_free(s);
	if (s->ot)
		free_machine(s);
	else
		osip_message_free(s->request);
	osip_free(s->text);
	osip_free((char *)(uintptr_t)s->saved.s);
	config_unref(s->cfg);
	free(s);
}

void server_end(struct sip_server *s, int error)
{
	if (s->is_ended)
		return;
	s->is_ended = true;
	s->error = error;
	loop_timer_stop(s->sip->loop, &s->timer);
	loop_timer_stop(s->sip->loop, &s->end_timer);
	if (!s->local) {
		known_drop(&s->sip->known, s->hh.hashv);
		HASH_DELETE(hh, s->sip->servers, s);
		s->sip->server_count--;
	}
	s->next_ended = s->sip->ended_servers;
	s->sip->ended_servers = s;
	reap_later(s->sip);
}

/* Ends s, and keeps answering for it. */
static void server_leave(struct sip_server *s, bool with_text, uint64_t for_ms)
{
	char *text = with_text ? s->text : NULL;

	if (with_text)
		s->text = NULL;
	server_end(s, 0);
	remnant_add(s->sip, s->key, s->key_len, &s->flow, text, s->len, (unsigned)for_ms,
		s->is_accepted);
}

bool server_reap(struct sip *sip)
{
	struct sip_server *s = sip->ended_servers;

	if (!s)
		return false;
	sip->ended_servers = s->next_ended;
	if (s->handlers && s->handlers->gone)
		s->handlers->gone(s->owner, s);
	server_free(s);
	return true;
}

static void tell_failed(struct sip_server *s, int error)
{
	if (s->handlers && s->handlers->failed)
		s->handlers->failed(s->owner, s, error);
}

static int send_text(struct sip_server *s)
{
	return s->text ? transport_send(s->sip, &s->flow, s->text, s->len) : 0;
}

/* From the machine. It never hears of an error: a response that was lost is sent again when the
 * request comes again, and the machine would end at once. */
int server_send_osip(struct sip_server *s, osip_message_t *msg)
{
	bool again = s->text_of == msg;
	char *text;
	size_t len;

	if (!again) {
		s->error = message_print(msg, &text, &len);
		if (s->error)
			return 0;
		osip_free(s->text);
		s->text = text;
		s->len = len;
		s->text_of = msg;
	}
	s->error = send_text(s);
	if (again)
		s->sip->status.retransmissions_out++;
	else
		s->sip->status.responses_out++;
	return 0;
}

static void machine_timer(struct loop_timer *t)
{
	struct sip_server *s = OWNER_OF(t, timer);

	s->error = 0;
	transaction_timer_run(s->ot);
	if (s->ot->state == IST_TERMINATED) /* timer H: a peer that never sends its ACK */
		server_end(s, 0);
	else
		transaction_timer_arm(s->sip->loop, &s->timer, s->ot);
	if (s->error && !s->is_ended)
		tell_failed(s, s->error);
}

/* RFC 3261 13.3.1.4: T1, 2*T1 … T2, over every transport. */
static void accepted_timer(struct loop_timer *t)
{
	struct sip_server *s = OWNER_OF(t, timer);
	int ret;

	ret = send_text(s);
	s->sip->status.retransmissions_out++;
	s->interval_ms *= 2;
	if (s->interval_ms > s->sip->t2_ms)
		s->interval_ms = s->sip->t2_ms;
	loop_timer_start(s->sip->loop, &s->timer, s->interval_ms);
	if (ret)
		tell_failed(s, ret);
}

/* RFC 6026 7.1, timer L */
static void accepted_end_timer(struct loop_timer *t)
{
	struct sip_server *s = OWNER_OF(t, end_timer);

	server_end(s, 0);
	if (s->handlers && s->handlers->not_acked)
		s->handlers->not_acked(s->owner, s);
}

int server_new(struct sip_server **out, struct sip *sip, const char *key, unsigned key_len,
	const struct flow *in, const struct flow *back, const struct peer_config *peer,
	osip_message_t *req, char *text, size_t len)
{
	struct sip_server *s = calloc(1, sizeof(*s) + key_len);
	bool is_invite = MSG_IS_INVITE(req);
	int ret = -ENOMEM;

	if (!s)
		goto fail;
	s->sip = sip;
	s->is_invite = is_invite;
	s->peer = peer;
	s->flow = *back;
	s->source = in->remote;
	s->timer.fire = machine_timer;
	s->end_timer.fire = accepted_end_timer;
	s->key_len = key_len;
	memcpy(s->key, key, key_len);
	if (transaction_osip_init(&s->ot, sip, is_invite ? IST : NIST, req))
		goto fail;
	osip_transaction_set_reserved1(s->ot, s);
	table_add_failed = false;
	HASH_ADD(hh, sip->servers, key, key_len, s);
	if (table_add_failed)
		goto fail;
	known_add(&sip->known, s->hh.hashv);
	s->cfg = config_ref(sip->cfg);
	s->request = req;
	s->text = text;
	s->len = len;
	sip->server_count++;
	sip->status.transactions++;
	s->asker = peer_name_get(sip, peer->name);
	if (s->asker)
		s->asker->transactions++;
	ret = transaction_execute(s->ot, is_invite ? RCV_REQINVITE : RCV_REQUEST, req);
	if (ret) {
		s->request = NULL;
		server_end(s, ret);
		return ret;
	}
	*out = s;
	return 0;
fail:
	if (s && s->ot)
		osip_transaction_free2(s->ot);
	free(s);
	osip_message_free(req);
	osip_free(text);
	return ret;
}

/* RFC 3261 17.2.1, 17.2.2: the last response again, if any; RFC 6026 7.1: silence once accepted. */
void server_receive_again(struct sip_server *s)
{
	if (s->is_accepted || !s->text)
		return;
	send_text(s);
	s->sip->status.retransmissions_out++;
}

void server_receive_ack(struct sip_server *s, osip_message_t *ack)
{
	if (s->is_accepted) { /* RFC 2543: the ACK to a 2xx has the INVITE's key */
		if (s->sip->handlers.ack)
			s->sip->handlers.ack(s->sip->handlers.ctx, ack, s->peer);
		osip_message_free(ack);
		return;
	}
	if (!s->ot || s->ot->state != IST_COMPLETED) {
		osip_message_free(ack);
		return;
	}
	transaction_execute(s->ot, RCV_REQACK, ack);
	/* Confirmed: timer I, which is 0 over a reliable transport. */
	if (s->ot->state == IST_CONFIRMED)
		server_leave(s, false, s->flow.transport == TRANSPORT_UDP ? s->sip->t4_ms : 0);
}

const char *server_tag(struct sip_server *s)
{
	if (!s->tag[0])
		token_make(s->tag, TAG_TOKEN_LEN);
	return s->tag;
}

void server_receive_cancel(struct sip_server *invite, osip_message_t *cancel)
{
	if (!invite->is_final && invite->handlers && invite->handlers->cancelled)
		invite->handlers->cancelled(invite->owner, invite, cancel);
}

/* ---- what the owner asks ---- */

void sip_server_set_owner(
	struct sip_server *txn, void *owner, const struct sip_server_handlers *handlers)
{
	txn->owner = owner;
	txn->handlers = handlers;
}

void sip_server_abandon(struct sip_server *txn)
{
	txn->owner = NULL;
	txn->handlers = NULL;
	if (txn->local)
		local_abandoned(txn);
}

osip_message_t *sip_server_request(struct sip_server *txn)
{
	return txn->request;
}

const struct peer_config *sip_server_peer(const struct sip_server *txn)
{
	return txn->peer;
}

unsigned sip_server_listener(const struct sip_server *txn)
{
	return txn->flow.listener;
}

const struct addr *sip_server_source(const struct sip_server *txn)
{
	return &txn->source;
}

bool sip_server_is_final(const struct sip_server *txn)
{
	return txn->is_final;
}

bool sip_server_awaits_ack(const struct sip_server *s)
{
	return !s->is_ended && !s->local && s->is_invite && s->is_final && !s->is_accepted;
}

/* RFC 6026 7.1: Accepted. The machine ends with its 2xx; request and text stay here. */
static void enter_accepted(struct sip_server *s, uint64_t first_ms, uint64_t end_ms)
{
	struct sip *sip = s->sip;

	s->is_accepted = true;
	s->ot->orig_request = NULL;
	s->text_of = NULL;
	free_machine(s);
	s->timer.fire = accepted_timer;
	loop_timer_start(sip->loop, &s->timer, first_ms);
	if (loop_timer_start(sip->loop, &s->end_timer, end_ms))
		server_end(s, -ENOMEM);
}

static void accept_now(struct sip_server *s)
{
	s->interval_ms = s->sip->t1_ms;
	enter_accepted(s, s->interval_ms, 64 * s->sip->t1_ms);
}

int server_accept_again(struct sip_server *s, uint64_t until_ms)
{
	uint64_t now = loop_now_ms(s->sip->loop), left = until_ms > now ? until_ms - now : 0;
	unsigned least = s->sip->t2_ms, most = 64 * s->sip->t1_ms;

	loop_timer_stop(s->sip->loop, &s->timer);
	s->is_final = true;
	s->interval_ms = s->sip->t1_ms / 2; /* the first is at once, the second after T1 */
	enter_accepted(s, 0, left < least ? least : left < most ? left : most);
	return s->is_ended ? -ENOMEM : 0;
}

int sip_server_respond(struct sip_server *s, osip_message_t *resp)
{
	int code = resp->status_code, ret;

	if (s->is_ended || s->is_final || (!s->ot && !s->local) || code < 100 || code > 699) {
		osip_message_free(resp);
		return -EINVAL;
	}
	if (s->local)
		return local_respond(s, resp);
	s->is_final = code >= 200;
	s->error = 0;
	s->text_of = NULL;
	ret = transaction_execute(s->ot,
		code < 200 ? SND_STATUS_1XX : (code < 300 ? SND_STATUS_2XX : SND_STATUS_3456XX),
		resp);
	if (ret) {
		/* Out of memory: nobody can be answered any more. */
		if (s->is_final)
			server_end(s, ret);
		return ret;
	}
	ret = s->error;
	if (!s->is_final)
		return ret;
	if (!s->is_invite)
		server_leave(s, true,
			s->flow.transport == TRANSPORT_UDP ? 64 * s->sip->t1_ms : 0); /* timer J */
	else if (code < 300)
		accept_now(s);
	else
		transaction_timer_arm(s->sip->loop, &s->timer, s->ot);
	return ret;
}

void sip_server_acked(struct sip_server *s)
{
	uint64_t now = loop_now_ms(s->sip->loop);

	if (!s->is_accepted || s->is_ended)
		return;
	if (s->local) {
		local_acked(s);
		return;
	}
	server_leave(s, false, s->end_timer.due_ms > now ? s->end_timer.due_ms - now : 0);
}
