/* SPDX-License-Identifier: BSD-2-Clause */
/* Client transactions: RFC 3261 17.1 by libosip2's machines, RFC 6026 Accepted, CANCEL (9.1) and
 * the choice of transport (18.1.1) here. */
#include "sip/internal.h"

#include <errno.h>
#include <stdlib.h>

#define OWNER_OF(t, member)                                                                        \
	((struct sip_client *)(void *)((char *)(t)-offsetof(struct sip_client, member)))
#define TIMER_D_MS 32000 /* RFC 3261 17.1.1.2: at least, over UDP */

struct sip_client *client_find(struct sip *sip, const char *key, unsigned key_len)
{
	struct sip_client *c;

	HASH_FIND(hh, sip->clients, key, key_len, c);
	return c;
}

static void free_machine(struct sip_client *c)
{
	if (!c->ot)
		return;
	osip_transaction_free2(c->ot);
	c->ot = NULL;
	c->sip->status.transactions--;
}

static void client_free(struct sip_client *c)
{
	free_machine(c);
	osip_message_free(c->request);
	osip_free(c->text);
	osip_free(c->ack);
	free(c->cancel_reason);
	free(c);
}

static void attach(struct sip_client *c, struct connection *connection)
{
	if (c->connection == connection)
		return;
	client_detach(c);
	c->connection = connection;
	c->prev = NULL;
	c->next = connection->waiting;
	if (c->next)
		c->next->prev = c;
	connection->waiting = c;
}

void client_detach(struct sip_client *c)
{
	if (!c->connection)
		return;
	if (c->prev)
		c->prev->next = c->next;
	else
		c->connection->waiting = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->connection = NULL;
	c->prev = c->next = NULL;
}

void client_end(struct sip_client *c, int error)
{
	if (c->is_ended)
		return;
	c->is_ended = true;
	c->error = error;
	client_detach(c);
	loop_timer_stop(c->sip->loop, &c->timer);
	loop_timer_stop(c->sip->loop, &c->cancel_timer);
	if (!c->is_unlisted)
		HASH_DELETE(hh, c->sip->clients, c);
	c->sip->client_count--;
	c->next_ended = c->sip->ended_clients;
	c->sip->ended_clients = c;
	reap_later(c->sip);
}

bool client_reap(struct sip *sip)
{
	struct sip_client *c = sip->ended_clients;

	if (!c)
		return false;
	sip->ended_clients = c->next_ended;
	if (c->handlers && c->handlers->gone)
		c->handlers->gone(c->owner, c);
	client_free(c);
	return true;
}

static void fail(struct sip_client *c, int error)
{
	if (c->is_ended)
		return;
	if (error == -ETIMEDOUT)
		c->sip->status.timeouts++;
	client_end(c, error);
	if (c->handlers && c->handlers->failed)
		c->handlers->failed(c->owner, c, error);
}

static int send_text(struct sip_client *c, const char *text, size_t len)
{
	struct connection *connection;
	int ret;

	if (c->flow.transport == TRANSPORT_UDP)
		return transport_send(c->sip, &c->flow, text, len);
	if (!listener_at(c->sip, c->flow.listener))
		return -ENETDOWN;
	ret = tcp_connection(c->sip, &c->flow, &connection);
	if (ret)
		return ret;
	attach(c, connection);
	return tcp_write(connection, text, len);
}

static int set_transport(struct sip_client *c, osip_message_t *req, enum transport transport)
{
	bool tcp = transport == TRANSPORT_TCP;
	osip_via_t *via = osip_list_get(&req->vias, 0);
	char *name = osip_strdup(tcp ? "TCP" : "UDP");

	if (!via || !name) {
		osip_free(name);
		return -ENOMEM;
	}
	osip_free(via->protocol);
	via->protocol = name;
	request_rewrite_transport(c->text, c->len, tcp ? "SIP/2.0/UDP " : "SIP/2.0/TCP ",
		tcp ? "SIP/2.0/TCP " : "SIP/2.0/UDP ");
	c->flow.transport = transport;
	c->flow.connection = 0;
	return 0;
}

/* RFC 3261 18.1.1: the peer takes no TCP, so the long request goes over UDP after all, and the
 * machine is set to an unreliable transport. */
static int send_over_udp(struct sip_client *c)
{
	unsigned t1 = c->sip->t1_ms;
	int ret;

	c->is_moved = false;
	client_detach(c);
	ret = set_transport(c, c->ot->orig_request, TRANSPORT_UDP);
	if (ret)
		return ret;
	if (c->ot->ict_context) {
		c->ot->ict_context->timer_a_length = (int)t1;
		c->ot->ict_context->timer_d_length = TIMER_D_MS;
		osip_gettimeofday(&c->ot->ict_context->timer_a_start, NULL);
		add_gettimeofday(&c->ot->ict_context->timer_a_start, (int)t1);
	} else {
		c->ot->nict_context->timer_e_length = (int)t1;
		c->ot->nict_context->timer_k_length = (int)c->sip->t4_ms;
		osip_gettimeofday(&c->ot->nict_context->timer_e_start, NULL);
		add_gettimeofday(&c->ot->nict_context->timer_e_start, (int)t1);
	}
	ret = send_text(c, c->text, c->len);
	if (!ret)
		transaction_timer_arm(c->sip->loop, &c->timer, c->ot);
	return ret;
}

void client_transport_failed(struct sip_client *c, int error)
{
	int ret = error;

	if (c->is_ended || !c->ot)
		return;
	if (c->is_moved && !c->has_provisional)
		ret = send_over_udp(c);
	if (ret)
		fail(c, ret);
}

/* Under the same branch: should it have come after all, it is one that comes again. Once, or who
 * hangs up on each connection would have it for ever. */
void client_crossed(struct sip_client *c)
{
	int ret = -ECONNRESET;

	if (c->is_ended || !c->ot || c->has_provisional)
		return;
	if (!c->is_sent_again) {
		c->is_sent_again = true;
		c->sip->status.retransmissions_out++;
		ret = send_text(c, c->text, c->len);
	}
	if (ret)
		client_transport_failed(c, ret);
}

static int send_or_fall_back(struct sip_client *c, const osip_message_t *msg)
{
	int ret = send_text(c, c->text, c->len);

	if (ret && c->is_moved) {
		if (ret != -EMFILE) /* that is our own limit */
			tcp_remember_refusal(c->sip, &c->flow.remote);
		c->is_moved = false;
		ret = set_transport(c, (osip_message_t *)msg, TRANSPORT_UDP);
		if (!ret)
			ret = send_text(c, c->text, c->len);
	}
	return ret;
}

/* From the machine: the request, the request again, or the ACK it made. */
int client_send_osip(struct sip_client *c, osip_message_t *msg)
{
	struct sip_status *status = &c->sip->status;

	if (!MSG_IS_ACK(msg)) {
		if (c->is_sending) {
			status->requests_out++;
			c->error = send_or_fall_back(c, msg);
		} else {
			status->retransmissions_out++;
			c->error = send_text(c, c->text, c->len);
		}
		return c->error;
	}
	status->requests_out++;
	/* RFC 3261 8.1.1.6 wants it in every request; the machine leaves it out. */
	if (osip_message_set_max_forwards(msg, MAX_FORWARDS_DEFAULT) ||
		osip_message_set_content_length(msg, "0") ||
		message_print(msg, &c->ack, &c->ack_len))
		return 0;
	/* The response counts even where its ACK is lost: it is sent again when that comes again.
	 */
	(void)send_text(c, c->ack, c->ack_len);
	return 0;
}

static void machine_timer(struct loop_timer *t)
{
	struct sip_client *c = OWNER_OF(t, timer);
	state_t end = c->is_invite ? ICT_TERMINATED : NICT_TERMINATED;

	c->error = 0;
	transaction_timer_run(c->ot);
	if (c->ot->state == end)
		fail(c, c->error ? c->error : -ETIMEDOUT);
	else
		transaction_timer_arm(c->sip->loop, &c->timer, c->ot);
}

/* RFC 6026 7.2, timer M */
static void accepted_timer(struct loop_timer *t)
{
	client_end(OWNER_OF(t, timer), 0);
}

/* RFC 3261 9.1: an INVITE without a final response 64*T1 after its CANCEL is over. */
static void cancel_timer(struct loop_timer *t)
{
	fail(OWNER_OF(t, cancel_timer), -ETIMEDOUT);
}

/* ---- making one ---- */

/* RFC 3261 18.1.1; CANCEL goes where its INVITE went. */
static int choose_transport(struct sip_client *c, osip_message_t *req)
{
	if (c->len > SIP_MESSAGE_MAX)
		return -EMSGSIZE;
	if (MSG_IS_CANCEL(req) || c->flow.transport != TRANSPORT_UDP || c->len <= UDP_REQUEST_MAX ||
		tcp_is_refused_by(c->sip, &c->flow.remote))
		return 0;
	c->is_moved = true;
	return set_transport(c, req, TRANSPORT_TCP);
}

static int print(struct sip_client *c, osip_message_t *req, const struct text *as)
{
	if (!as)
		return message_print(req, &c->text, &c->len);
	c->text = osip_malloc(as->len + 1);
	if (!c->text)
		return -ENOMEM;
	memcpy(c->text, as->s, as->len);
	c->text[as->len] = '\0';
	c->len = as->len;
	return 0;
}

/* Enters the transaction of req, which goes out printed, or as it was printed before; nothing is
 * sent yet. req is the caller's on failure. */
static int client_new(struct sip_client **out, struct sip *sip, const struct flow *flow,
	osip_message_t *req, const char *branch, const struct text *as)
{
	struct strbuf key = {0};
	struct sip_client *c = NULL;
	int ret;

	transaction_client_key(&key, (struct text){branch, strlen(branch)},
		(struct text){req->sip_method, strlen(req->sip_method)});
	ret = strbuf_error(&key);
	if (ret)
		goto out;
	ret = -ENOMEM;
	c = calloc(1, sizeof(*c) + key.len);
	if (!c)
		goto out;
	c->sip = sip;
	c->flow = *flow;
	c->is_invite = MSG_IS_INVITE(req);
	c->timer.fire = machine_timer;
	c->cancel_timer.fire = cancel_timer;
	c->key_len = (unsigned)key.len;
	memcpy(c->key, key.s, key.len);
	ret = print(c, req, as);
	if (!ret)
		ret = choose_transport(c, req);
	if (!ret)
		ret = transaction_osip_init(&c->ot, sip, c->is_invite ? ICT : NICT, req);
	if (ret)
		goto out;
	osip_transaction_set_reserved1(c->ot, c);
	table_add_failed = false;
	HASH_ADD(hh, sip->clients, key, c->key_len, c);
	if (table_add_failed) {
		osip_transaction_free2(c->ot);
		c->ot = NULL;
		ret = -ENOMEM;
		goto out;
	}
	sip->client_count++;
	sip->status.transactions++;
	*out = c;
out:
	strbuf_free(&key);
	if (ret && c) {
		osip_free(c->text);
		free(c);
	}
	return ret;
}

/* Sends and takes req over. */
static int client_execute(struct sip_client *c, osip_message_t *req)
{
	int ret;

	c->is_sending = true;
	ret = transaction_execute(c->ot, c->is_invite ? SND_REQINVITE : SND_REQUEST, req);
	c->is_sending = false;
	return ret ? ret : c->error;
}

/* The same. After an error c is gone. */
static int client_start(struct sip_client *c, osip_message_t *req)
{
	int ret = client_execute(c, req);

	if (ret) {
		client_detach(c);
		HASH_DELETE(hh, c->sip->clients, c);
		c->sip->client_count--;
		client_free(c);
		return ret;
	}
	transaction_timer_arm(c->sip->loop, &c->timer, c->ot);
	return 0;
}

int client_begin(struct sip *sip, const struct flow *flow, osip_message_t *req, const char *branch,
	const struct text *as, void *owner, const struct sip_client_handlers *handlers,
	struct sip_client **txn)
{
	struct sip_client *c = NULL;
	int ret = client_new(&c, sip, flow, req, branch, as);

	if (ret) {
		osip_message_free(req);
		return ret;
	}
	c->owner = owner;
	c->handlers = handlers;
	ret = client_start(c, req);
	if (!ret && txn)
		*txn = c;
	return ret;
}

int sip_client_send(struct sip *sip, const struct sip_dest *dest, osip_message_t *req, void *owner,
	const struct sip_client_handlers *handlers, struct sip_client **txn)
{
	char branch[BRANCH_MAX];
	struct flow flow;
	int ret = -ENETDOWN;

	if (!listener_at(sip, dest->listener))
		goto fail;
	ret = -EAGAIN;
	if (sip->status.transactions >= TRANSACTIONS_MAX) {
		sip->status.transactions_refused++;
		goto fail;
	}
	request_make_branch(branch);
	ret = dest_flow(sip, dest, &flow);
	if (!ret)
		ret = request_fill_in(sip, req);
	if (!ret)
		ret = request_put_via(sip->listener[dest->listener], req, flow.transport, branch);
	if (!ret)
		ret = auth_client_put(sip, &flow, req);
	if (!ret)
		return client_begin(sip, &flow, req, branch, NULL, owner, handlers, txn);
fail:
	osip_message_free(req);
	return ret;
}

/* ---- CANCEL ---- */

static int send_cancel(struct sip_client *c)
{
	osip_generic_param_t *branch = NULL;
	osip_message_t *req;
	osip_via_t *via;
	struct sip_client *cancel;
	struct flow flow = c->flow;
	int ret;

	c->is_cancel_sent = true;
	loop_timer_start(c->sip->loop, &c->cancel_timer, 64 * c->sip->t1_ms);
	ret = cancel_make(c->ot->orig_request, c->cancel_reason, &req);
	if (ret)
		return ret;
	via = osip_list_get(&req->vias, 0);
	osip_via_param_get_byname(via, (char *)"branch", &branch);
	ret = client_new(&cancel, c->sip, &flow, req, branch->gvalue, NULL);
	if (ret) {
		osip_message_free(req);
		return ret;
	}
	return client_start(cancel, req);
}

int sip_client_cancel(struct sip_client *c, const char *reason)
{
	if (!c->is_invite)
		return -EINVAL;
	if (c->is_ended || !c->ot || c->is_cancel_wanted)
		return 0;
	c->is_cancel_wanted = true;
	if (reason)
		c->cancel_reason = strdup(reason); /* out of memory: CANCEL goes without */
	return c->has_provisional ? send_cancel(c) : 0;
}

/* ---- responses ---- */

static void tell_response(struct sip_client *c, osip_message_t *resp)
{
	const struct sip_handlers *h = &c->sip->handlers;

	if (c->handlers && c->handlers->response)
		c->handlers->response(c->owner, c, resp);
	else if (!c->handlers && c->is_invite && MSG_IS_STATUS_2XX(resp) && h->late_2xx &&
		 c->late++ < LATE_2XX_MAX)
		h->late_2xx(h->ctx, c, resp);
}

static void receive_provisional(struct sip_client *c, osip_message_t *resp)
{
	int code = resp->status_code;

	if (transaction_execute(c->ot, RCV_STATUS_1XX, resp))
		return;
	c->has_provisional = true;
	transaction_timer_arm(c->sip->loop, &c->timer, c->ot);
	if (c->is_cancel_wanted && !c->is_cancel_sent)
		(void)send_cancel(c);
	if (code > 100 || (c->handlers && c->handlers->want_100))
		tell_response(c, resp);
}

/* RFC 6026 7.2: Accepted. Nothing is left but the key, the owner and the text. */
static void enter_accepted(struct sip_client *c, osip_message_t *resp)
{
	if (transaction_execute(c->ot, RCV_STATUS_2XX, resp))
		return;
	c->is_accepted = true;
	client_detach(c);
	loop_timer_stop(c->sip->loop, &c->cancel_timer);
	c->timer.fire = accepted_timer;
	if (loop_timer_start(c->sip->loop, &c->timer, 64 * c->sip->t1_ms))
		client_end(c, -ENOMEM);
	c->request = c->ot->orig_request;
	c->ot->orig_request = NULL;
	c->ot->last_response = NULL;
	free_machine(c);
	tell_response(c, resp);
	osip_message_free(resp);
	osip_message_free(c->request);
	c->request = NULL;
}

/* Under its new branch. */
static int list_again(struct sip_client *c, const char *branch)
{
	const osip_message_t *old = c->ot->orig_request;
	struct strbuf key = {0};
	int ret;

	transaction_client_key(&key, (struct text){branch, strlen(branch)},
		(struct text){old->sip_method, strlen(old->sip_method)});
	ret = strbuf_error(&key);
	if (!ret && key.len != c->key_len)
		ret = -EINVAL;
	if (!ret) {
		HASH_DELETE(hh, c->sip->clients, c);
		memcpy(c->key, key.s, key.len);
		table_add_failed = false;
		HASH_ADD(hh, c->sip->clients, key, c->key_len, c);
		c->is_unlisted = table_add_failed;
		ret = c->is_unlisted ? -ENOMEM : 0;
	}
	strbuf_free(&key);
	return ret;
}

/* Another transaction in the place of the one that has ended with a refusal: for its owner it is
 * the same. Takes req over. */
static int start_again(struct sip_client *c, osip_message_t *req, const char *branch)
{
	int ret;

	client_detach(c);
	loop_timer_stop(c->sip->loop, &c->timer);
	ret = list_again(c, branch);
	free_machine(c);
	osip_free(c->text);
	c->text = NULL;
	osip_free(c->ack);
	c->ack = NULL;
	c->has_provisional = c->is_sent_again = false;
	c->error = 0;
	if (!ret)
		ret = message_print(req, &c->text, &c->len);
	if (!ret)
		ret = choose_transport(c, req);
	if (!ret)
		ret = transaction_osip_init(&c->ot, c->sip, c->is_invite ? ICT : NICT, req);
	if (ret) {
		osip_message_free(req);
		return ret;
	}
	osip_transaction_set_reserved1(c->ot, c);
	c->sip->status.transactions++;
	ret = client_execute(c, req);
	if (!ret)
		transaction_timer_arm(c->sip->loop, &c->timer, c->ot);
	return ret;
}

static void keep_ack(struct sip_client *c)
{
	if (!c->is_invite)
		return;
	remnant_add(c->sip, c->key, c->key_len, &c->flow, c->ack, c->ack_len,
		c->flow.transport == TRANSPORT_UDP ? TIMER_D_MS : 0, false);
	c->ack = NULL;
}

/* What is sent in answer to a refusal; NULL: nothing. */
static osip_message_t *make_again(
	struct sip_client *c, const osip_message_t *resp, const struct raw *raw, const char *branch)
{
	osip_message_t *again = auth_client_answer(c, resp, raw, branch);
	uint32_t cseq = 0;

	if (!again && resp->status_code == SIP_INTERNAL_SERVER_ERROR && c->handlers &&
		c->handlers->out_of_order)
		cseq = c->handlers->out_of_order(c->owner, c);
	return cseq ? auth_client_make_again(c, cseq, branch) : again;
}

static void receive_final(struct sip_client *c, osip_message_t *resp, const struct raw *raw)
{
	char branch[BRANCH_MAX];
	osip_message_t *again;
	int ret;

	type_t type = resp->status_code < 300 ? RCV_STATUS_2XX : RCV_STATUS_3456XX;

	if (transaction_execute(c->ot, type, resp))
		return;
	keep_ack(c);
	request_make_branch(branch);
	again = make_again(c, resp, raw, branch);
	if (again) {
		ret = start_again(c, again, branch);
		if (ret)
			fail(c, ret);
		return;
	}
	client_end(c, 0);
	tell_response(c, resp);
}

/* The request's own responses hold to the one that was asked: a branch that somebody guessed is not
 * enough. */
static bool belongs(const struct sip_client *c, const osip_message_t *resp)
{
	const osip_message_t *req = c->ot ? c->ot->orig_request : NULL;

	return !req || (strcmp(req->call_id->number, resp->call_id->number) == 0 &&
			       strcmp(req->cseq->number, resp->cseq->number) == 0);
}

void client_receive(struct sip_client *c, osip_message_t *resp, const struct raw *raw)
{
	int code = resp->status_code;

	if (!belongs(c, resp) || (c->is_accepted && (code < 200 || code >= 300))) {
		c->sip->status.stray_responses++;
		osip_message_free(resp);
	} else if (c->is_accepted) {
		tell_response(c, resp);
		osip_message_free(resp);
	} else if (code < 200) {
		receive_provisional(c, resp);
	} else if (c->is_invite && code < 300) {
		enter_accepted(c, resp);
	} else {
		receive_final(c, resp, raw);
	}
}

void sip_client_abandon(struct sip_client *txn)
{
	txn->owner = NULL;
	txn->handlers = NULL;
}

void sip_client_stop(struct sip_client *txn)
{
	if (!txn->is_invite)
		client_end(txn, 0);
}

void sip_client_set_owner(struct sip_client *txn, void *owner)
{
	txn->owner = owner;
}

struct sip_dest sip_client_dest(const struct sip_client *txn)
{
	return (struct sip_dest){.listener = txn->flow.listener,
		.remote = txn->flow.remote,
		.over_tcp = txn->flow.transport == TRANSPORT_TCP};
}

osip_message_t *sip_client_request(struct sip_client *c)
{
	if (c->ot)
		return c->ot->orig_request;
	if (!c->request && c->text && osip_message_init(&c->request) == 0 &&
		osip_message_parse(c->request, c->text, c->len)) {
		osip_message_free(c->request);
		c->request = NULL;
	}
	return c->request;
}
