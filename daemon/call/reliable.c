/* SPDX-License-Identifier: BSD-2-Clause */
/* Reliable provisional responses (RFC 3262) where one leg has them and the other has not, or where
 * a peer's setting says that they end here: leg B's are acknowledged by us, leg A's are numbered
 * and sent again by us. Elsewhere they are carried end to end, with their PRACKs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/token.h"
#include "call/attempt.h"
#include "call/carry.h"
#include "call/early.h"
#include "call/reliable.h"

#define RSEQ_FIRST_MAX 9999 /* RFC 3262 3: by chance, far below 2^31 - 1 */
#define TIMEOUT_T1S    64   /* RFC 3262 3: then the INVITE is refused */

static enum reliable_mode mode_of(const struct call *call, enum leg leg)
{
	return call->peer[leg]->session.reliable;
}

static const osip_message_t *invite_of(const struct call *call)
{
	return call->initial && call->initial->server ? sip_server_request(call->initial->server)
						      : NULL;
}

static bool caller_needs(const struct call *call)
{
	const osip_message_t *invite = invite_of(call);

	return invite && option_has(invite, "Require", "100rel");
}

static bool caller_can(const struct call *call)
{
	const osip_message_t *invite = invite_of(call);

	return invite && mode_of(call, LEG_A) != RELIABLE_OFF &&
	       (option_has(invite, "Supported", "100rel") || caller_needs(call));
}

/* Whether end to end is possible at all, whatever leg B does. */
static bool can_pass(const struct call *call)
{
	return caller_can(call) && mode_of(call, LEG_A) == RELIABLE_PASS &&
	       mode_of(call, LEG_B) == RELIABLE_PASS &&
	       call->peer[LEG_A]->session.forking == FORKING_PASS;
}

/* ---- what is agreed ---- */

int reliable_ask(struct call *call, const osip_message_t *from_a, osip_message_t *msg)
{
	bool needs = option_has(from_a, "Require", "100rel");
	bool wants = mode_of(call, LEG_B) == RELIABLE_END || caller_can(call);
	int ret = 0;

	/* An offer in a reliable response wants its answer in the PRACK: only leg A has that. */
	if (call->initial->sdp == SDP_DELAYED && !call->initial->converted && !can_pass(call))
		wants = false;
	if (mode_of(call, LEG_B) == RELIABLE_OFF)
		wants = false;
	option_remove(msg, "Supported", "100rel");
	option_remove(msg, "Require", "100rel");
	if (wants)
		ret = option_add(msg, "Supported", "100rel");
	if (!ret && wants && needs && can_pass(call) && !call->no_100rel)
		ret = option_add(msg, "Require", "100rel");
	return ret;
}

static bool both_pass(const struct call *call)
{
	return mode_of(call, LEG_A) == RELIABLE_PASS && mode_of(call, LEG_B) == RELIABLE_PASS;
}

void reliable_carry(const struct call *call, osip_message_t *msg)
{
	if (both_pass(call))
		return;
	option_remove(msg, "Supported", "100rel");
	option_remove(msg, "Require", "100rel");
}

bool reliable_may_pass(
	const struct call *call, const osip_message_t *req, const osip_message_t *resp)
{
	return both_pass(call) ||
	       !(option_has(req, "Require", "100rel") || option_has(resp, "Require", "100rel"));
}

bool reliable_refused(struct exchange *x, const osip_message_t *resp)
{
	const osip_message_t *invite = sip_client_request(x->client);

	if (resp->status_code != SIP_BAD_EXTENSION || x->call->no_100rel || !invite ||
		!option_has(invite, "Require", "100rel"))
		return false;
	x->call->no_100rel = true;
	return true;
}

bool reliable_is_ended(struct pair *pair, const osip_message_t *resp, bool sdp_is_blocked)
{
	const struct call *call = pair->call;
	bool is_reliable = option_has(resp, "Require", "100rel");

	/* Numbers of ours and of leg B's do not mix within one dialog. */
	if (pair->way != RELIABLE_WAY_OPEN)
		return pair->way == RELIABLE_WAY_ENDED;
	if (!can_pass(call) || sdp_is_blocked || (caller_needs(call) && !is_reliable))
		pair->way = RELIABLE_WAY_ENDED;
	else if (is_reliable)
		pair->way = RELIABLE_WAY_PASSED;
	return pair->way == RELIABLE_WAY_ENDED;
}

bool reliable_may_offer(const struct pair *pair)
{
	return pair->way != RELIABLE_WAY_ENDED || pair->call->answered ||
	       (pair->answer_told && pair->answer_taken);
}

/* ---- leg B's ---- */

static void prack_gone(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;

	(void)txn;
	x->client = NULL;
	exchange_release_if_done(x);
}

static uint32_t prack_challenged(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;

	(void)txn;
	if (x->call->state == CALL_ENDING)
		return 0;
	x->client_cseq = ++x->pair->leg[LEG_B].local_cseq;
	return x->client_cseq;
}

static const struct sip_client_handlers prack_handlers = {
	.challenged = prack_challenged, .gone = prack_gone};

/* RFC 3262 4. Its answer changes nothing: a response that wants its PRACK still comes again. */
static int send_prack(struct exchange *initial, struct pair *pair, uint32_t rseq)
{
	struct call *call = pair->call;
	struct dialog *d = &pair->leg[LEG_B];
	osip_message_t *prack = NULL;
	struct exchange *x = exchange_new(call, LEG_A);
	char rack[64];
	int ret;

	if (!x)
		return -ENOMEM;
	x->pair = pair;
	snprintf(rack, sizeof(rack), "%u %u INVITE", rseq, initial->client_cseq);
	ret = dialog_request(d, call->calls->sip, "PRACK", &prack);
	if (!ret && osip_message_set_header(prack, "RAck", rack)) {
		osip_message_free(prack);
		ret = -ENOMEM;
	}
	if (!ret) {
		x->client_cseq = d->local_cseq;
		x->client_peer = d->peer;
		x->client_dest = d->dest;
		ret = sip_client_send(
			call->calls->sip, &x->client_dest, prack, x, &prack_handlers, &x->client);
	}
	if (ret)
		exchange_free(x);
	return ret;
}

static bool prack_is_under_way(const struct pair *pair)
{
	const struct exchange *x;

	DL_FOREACH (pair->call->exchanges, x) {
		const osip_message_t *req =
			x->pair == pair && x->client ? sip_client_request(x->client) : NULL;

		if (req && strcmp(req->sip_method, "PRACK") == 0)
			return true;
	}
	return false;
}

/* One that has its PRACK has come again: that PRACK is sent again by its transaction, unless it was
 * one of the daemon before us. */
static void take_again(struct exchange *x, struct pair *pair)
{
	if (x->call->adopted && !prack_is_under_way(pair))
		send_prack(x, pair, pair->rseq);
}

bool reliable_take(struct exchange *x, struct pair *pair, const osip_message_t *resp)
{
	const char *text = header_value(resp, "RSeq");
	unsigned rseq;

	if (!text || sscanf(text, "%u", &rseq) != 1 || rseq == 0)
		return false;
	/* RFC 3262 4: one that is out of order is not for us yet, nor is it acknowledged. */
	if (pair->rseq && rseq == pair->rseq)
		take_again(x, pair);
	if (pair->rseq && rseq != pair->rseq + 1)
		return false;
	/* An offer that we could not answer: it comes again, and in the end leg B gives up. */
	if (x->sdp == SDP_DELAYED && !x->converted && carry_find_sdp(resp))
		return false;
	if (send_prack(x, pair, rseq))
		return false;
	pair->rseq = rseq;
	call_touch(x->call);
	if (carry_find_sdp(resp))
		pair->answer_taken = true;
	return true;
}

/* ---- leg A's ---- */

bool reliable_is_due(const struct call *call, const osip_message_t *resp)
{
	return caller_needs(call) || (caller_can(call) && option_has(resp, "Require", "100rel"));
}

static int send_sent(struct reliable *r)
{
	osip_message_t *copy = NULL;

	if (osip_message_clone(r->sent, &copy))
		return -ENOMEM;
	return sip_server_respond(r->x->server, copy);
}

static void timer_fired(struct loop_timer *t)
{
	struct reliable *r = (struct reliable *)((char *)t - offsetof(struct reliable, timer));
	struct call *call = r->pair->call;
	struct rejection why = {.code = SIP_SERVER_TIME_OUT, .reason = "SIP;cause=504"};

	r->waited_ms += r->interval_ms;
	if (r->waited_ms >= TIMEOUT_T1S * sip_t1_ms(call->calls->sip) || !r->x->server) {
		if (r->x->server)
			invite_reject(call, &why);
		return;
	}
	send_sent(r);
	r->interval_ms *= 2;
	if (loop_timer_start(call->calls->loop, t, r->interval_ms))
		invite_reject(call, &why);
}

static int begin_sending(struct reliable *r)
{
	struct call *call = r->pair->call;

	r->interval_ms = sip_t1_ms(call->calls->sip);
	r->waited_ms = 0;
	if (send_sent(r))
		return -ENOMEM;
	return loop_timer_start(call->calls->loop, &r->timer, r->interval_ms);
}

/* Gives the response its number and sends it; it is r's from here on. */
static int start(struct reliable *r, osip_message_t *out)
{
	struct call *call = r->pair->call;
	char text[16];

	if (!call->rseq)
		call->rseq = 1 + (uint32_t)(token_random64() % RSEQ_FIRST_MAX);
	else
		call->rseq++;
	r->rseq = call->rseq;
	call_touch(call);
	snprintf(text, sizeof(text), "%u", r->rseq);
	r->sent = out;
	r->sent_answer = carry_find_sdp(out) != NULL;
	if (osip_message_set_header(out, "RSeq", text) || begin_sending(r)) {
		osip_message_free(out);
		r->sent = NULL;
		r->sent_answer = false;
		return -ENOMEM;
	}
	return 0;
}

static struct reliable *reliable_of(struct exchange *x, struct pair *pair)
{
	struct reliable *r = pair->reliable;

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->x = x;
	r->pair = pair;
	r->timer.fire = timer_fired;
	pair->reliable = r;
	return r;
}

int reliable_send(struct exchange *x, struct pair *pair, osip_message_t *out)
{
	struct reliable *r = reliable_of(x, pair);

	if (!r || option_add(out, "Require", "100rel") ||
		(r->sent && r->waiting_count == RELIABLE_QUEUE_MAX)) {
		osip_message_free(out);
		return -ENOMEM;
	}
	/* RFC 3262 3: one at a time. */
	if (!r->sent)
		return start(r, out);
	r->waiting[r->waiting_count++] = out;
	return 0;
}

/* The PRACK has come: what waited for it goes. */
static void go_on(struct reliable *r)
{
	struct exchange *x = r->x;
	osip_message_t *next, *final = r->final;

	if (r->waiting_count) {
		next = r->waiting[0];
		r->waiting_count--;
		memmove(r->waiting, r->waiting + 1, r->waiting_count * sizeof(r->waiting[0]));
		start(r, next);
	}
	if (final && !r->sent_answer && x->client) {
		r->final = NULL;
		invite_answered(x, final);
		osip_message_free(final);
	}
}

bool reliable_prack_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	const char *rack = header_value(req, "RAck");
	struct reliable *r = pair->reliable;
	unsigned rseq, cseq;

	if (leg != LEG_A || pair->way != RELIABLE_WAY_ENDED)
		return false;
	if (!rack || sscanf(rack, "%u %u", &rseq, &cseq) != 2) {
		sip_server_reply(txn, SIP_BAD_REQUEST, NULL, NULL, NULL);
		return true;
	}
	if (!r || !r->sent || rseq != r->rseq || !r->x->server ||
		cseq != sip_cseq_number(sip_server_request(r->x->server))) {
		sip_server_reply(txn, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
		return true;
	}
	/* A further offer has nobody to answer it: leg B had no PRACK like it. */
	sip_server_reply(
		txn, carry_find_sdp(req) ? SIP_NOT_ACCEPTABLE_HERE : SIP_OK, NULL, NULL, NULL);
	loop_timer_stop(pair->call->calls->loop, &r->timer);
	osip_message_free(r->sent);
	r->sent = NULL;
	pair->answer_told |= r->sent_answer;
	r->sent_answer = false;
	go_on(r);
	return true;
}

bool reliable_holds_2xx(struct pair *pair, const osip_message_t *resp)
{
	struct reliable *r = pair->reliable;

	if (!r || !r->sent || !r->sent_answer)
		return false;
	if (r->final && strcmp(sip_tag(r->final->to), sip_tag(resp->to)) != 0)
		invite_refuse_pair(r->x, pair); /* of a fork: one is enough */
	/* Out of memory: it comes again. */
	else if (!r->final && osip_message_clone(resp, &r->final))
		r->final = NULL;
	return true;
}

/* A 2xx that waited in vain. */
static void refuse_final(struct reliable *r)
{
	osip_message_t *final = r->final;
	struct pair *pair;

	if (!final)
		return;
	r->final = NULL;
	/* It comes again to the next daemon. */
	if (r->pair->call->calls->leaving) {
		osip_message_free(final);
		return;
	}
	pair = pair_by_tags(r->pair->call, sip_tag(final->from), sip_tag(final->to));
	if (pair)
		invite_refuse_pair(r->x, pair);
	osip_message_free(final);
}

void reliable_move(struct pair *from, struct pair *to)
{
	reliable_free(to);
	to->reliable = from->reliable;
	from->reliable = NULL;
	if (to->reliable)
		to->reliable->pair = to;
	to->way = RELIABLE_WAY_ENDED;
	to->answer_told = from->answer_told;
}

void reliable_free(struct pair *pair)
{
	struct reliable *r = pair->reliable;

	if (!r)
		return;
	pair->reliable = NULL;
	loop_timer_stop(pair->call->calls->loop, &r->timer);
	refuse_final(r);
	osip_message_free(r->sent);
	for (unsigned i = 0; i < r->waiting_count; i++)
		osip_message_free(r->waiting[i]);
	free(r);
}

/* ---- from one daemon to the next ---- */

int reliable_adopt(struct exchange *x, struct pair *pair, uint32_t rseq, osip_message_t *sent)
{
	struct reliable *r = reliable_of(x, pair);
	char text[16];

	snprintf(text, sizeof(text), "%u", rseq);
	/* Its name as we write it: the parser has its own way. */
	if (!r || r->sent || osip_message_replace_header(sent, "RSeq", text)) {
		osip_message_free(sent);
		return r && r->sent ? -EEXIST : -ENOMEM;
	}
	r->rseq = rseq;
	r->sent = sent;
	r->sent_answer = carry_find_sdp(sent) != NULL;
	return begin_sending(r);
}

int reliable_adopt_waiting(struct pair *pair, osip_message_t *next)
{
	struct reliable *r = pair->reliable;

	if (!r || !r->sent || r->waiting_count == RELIABLE_QUEUE_MAX) {
		osip_message_free(next);
		return -EINVAL;
	}
	r->waiting[r->waiting_count++] = next;
	return 0;
}
