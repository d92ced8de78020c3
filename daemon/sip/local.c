/* SPDX-License-Identifier: BSD-2-Clause */
/* A request that we make to ourselves: a server transaction without a wire. Whoever answers it
 * knows no difference; the responses come back to who asked, from the loop. */
#include "sip/internal.h"

#include <errno.h>
#include <stdlib.h>

struct local {
	struct sip_server *s;
	const struct sip_local_handlers *asker; /* NULL: wants no more */
	void *ctx;
	struct loop_timer timer;
	osip_list_t responses;
};

static void free_response(void *resp)
{
	osip_message_free(resp);
}

/* Ends it once nothing is to be handed over any more. */
static void end_if_over(struct sip_server *s)
{
	bool over = s->is_final ? !s->is_accepted || s->is_acked : !s->handlers;

	if (over && osip_list_size(&s->local->responses) == 0)
		server_end(s, 0);
}

static void hand_over(struct loop_timer *t)
{
	struct local *l = (struct local *)(void *)((char *)t - offsetof(struct local, timer));
	osip_message_t *resp;

	while ((resp = osip_list_get(&l->responses, 0))) {
		osip_list_remove(&l->responses, 0);
		if (l->asker)
			l->asker->response(l->ctx, l->s, resp);
		osip_message_free(resp);
	}
	end_if_over(l->s);
}

int local_respond(struct sip_server *s, osip_message_t *resp)
{
	struct local *l = s->local;

	s->is_final = resp->status_code >= 200;
	s->is_accepted = s->is_final && resp->status_code < 300;
	if (!l->asker) {
		osip_message_free(resp);
		end_if_over(s);
		return 0;
	}
	if (osip_list_add(&l->responses, resp, -1) < 0) {
		osip_message_free(resp);
		return -ENOMEM;
	}
	return loop_timer_start(s->sip->loop, &l->timer, 0);
}

void local_acked(struct sip_server *s)
{
	s->is_acked = true;
	end_if_over(s);
}

void local_abandoned(struct sip_server *s)
{
	if (s->is_accepted)
		s->is_acked = true;
	end_if_over(s);
}

void local_free(struct sip_server *s)
{
	loop_timer_stop(s->sip->loop, &s->local->timer);
	osip_list_special_free(&s->local->responses, free_response);
	free(s->local);
}

int sip_local_new(struct sip_server **out, struct sip *sip, osip_message_t *req,
	const struct peer_config *peer, unsigned listener, const struct sip_local_handlers *asker,
	void *ctx)
{
	struct sip_server *s = calloc(1, sizeof(*s));
	struct local *l = calloc(1, sizeof(*l));

	/* The timer's place in the heap is had now: a response is never without. */
	if (s && l) {
		l->timer.fire = hand_over;
		if (loop_timer_start(sip->loop, &l->timer, 0) == 0) {
			osip_list_init(&l->responses);
			l->s = s;
			l->asker = asker;
			l->ctx = ctx;
			s->sip = sip;
			s->cfg = config_ref(sip->cfg);
			s->is_invite = MSG_IS_INVITE(req);
			s->peer = peer;
			s->flow.listener = listener;
			s->request = req;
			s->local = l;
			*out = s;
			return 0;
		}
	}
	free(s);
	free(l);
	osip_message_free(req);
	return -ENOMEM;
}

bool sip_server_is_local(const struct sip_server *txn)
{
	return txn->local != NULL;
}

void *sip_local_asker(const struct sip_server *txn)
{
	return txn->local ? txn->local->ctx : NULL;
}

void sip_local_forget(struct sip_server *txn)
{
	txn->local->asker = NULL;
	txn->local->ctx = NULL;
	osip_list_special_free(&txn->local->responses, free_response);
	osip_list_init(&txn->local->responses);
	if (!txn->is_final && txn->handlers && txn->handlers->cancelled)
		txn->handlers->cancelled(txn->owner, txn, NULL);
	end_if_over(txn);
}
